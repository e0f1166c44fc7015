"""What transformers' tests expect of its schedules (tests/optimization/test_optimization.py): rates of ten steps.

The numbers are those of that file, at base rate 10 and printed with at most three digits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tinygrad_lr import Tensor, optim
from tinygrad_lr.optim.lr_scheduler import LRScheduler
from tinygrad_lr.schedules import Schedule, constant, cosine, inverse_square_root, linear, polynomial, warmup

from .cases import Case

SUITE = "transformers.optimization"
NOT_APPLICABLE = {
    "reduce on plateau": "it is ReduceLROnPlateau, which torch's tests cover",
    "Adafactor's own rate": "not built",
}

EXPECTED: dict[str, tuple[Callable[[], Schedule], list[float]]] = {
    "constant": (lambda: constant(), [10.0] * 10),
    "constant with warm-up": (
        lambda: warmup(4).then(constant()),
        [0.0, 2.5, 5.0, 7.5, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0],
    ),
    "linear with warm-up": (lambda: warmup(2).then(linear(8)), [0.0, 5.0, 10.0, 8.75, 7.5, 6.25, 5.0, 3.75, 2.5, 1.25]),
    "cosine with warm-up": (
        lambda: warmup(2).then(cosine(8)),
        [0.0, 5.0, 10.0, 9.61, 8.53, 6.91, 5.0, 3.08, 1.46, 0.38],
    ),
    "cosine with hard restarts and warm-up": (
        lambda: warmup(2).then(cosine(4).repeat(2)),
        [0.0, 5.0, 10.0, 8.53, 5.0, 1.46, 10.0, 8.53, 5.0, 1.46],
    ),
    "polynomial with warm-up": (
        lambda: warmup(2).then(polynomial(8, 2.0, end=1e-8)),
        [0.0, 5.0, 10.0, 7.656, 5.625, 3.906, 2.5, 1.406, 0.625, 0.156],
    ),
    "inverse square root with warm-up": (
        lambda: warmup(2).then(inverse_square_root(2)),
        [0.0, 5.0, 10.0, 8.165, 7.071, 6.325, 5.774, 5.345, 5.0, 4.714],
    ),
}


def optimizer() -> optim.AdamW:
    return optim.AdamW([Tensor([1.0], requires_grad=True)], lr=10.0)


def rates(scheduler: LRScheduler, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found += scheduler.get_lr()
        scheduler.optimizer.step()
        scheduler.step()
    return found


def has_the_rates(name: str) -> None:
    schedule, expected = EXPECTED[name]
    for rate, printed in zip(rates(LRScheduler(optimizer(), schedule()), 10), expected, strict=True):
        assert abs(rate - printed) < 0.01, f"{rate} is not {printed}"  # 3.0866 and 1.4645 are cut, not rounded


def has_them_after_a_state_was_loaded(name: str) -> None:
    schedule, expected = EXPECTED[name]
    scheduler = LRScheduler(optimizer(), schedule())
    straight = rates(LRScheduler(optimizer(), schedule()), 10)
    first = rates(scheduler, 5)
    again = LRScheduler(optimizer(), schedule())
    again.load_state_dict(scheduler.state_dict())
    assert first + rates(again, 5) == straight


CASES = [
    Case(SUITE, f"{name}: {expectation.__name__.replace('_', ' ')}", partial(expectation, name))
    for name in EXPECTED
    for expectation in (has_the_rates, has_them_after_a_state_was_loaded)
]
