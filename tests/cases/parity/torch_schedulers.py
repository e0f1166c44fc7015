"""What torch's tests expect of a scheduler (test/optim/test_lrscheduler.py), over the schedules that exist here."""

from __future__ import annotations

import copy
import gc
import pickle
import warnings
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from tinygrad_lr import Tensor, optim, schedules
from tinygrad_lr.optim.lr_scheduler import SCHEDULERS, LRScheduler

from .cases import Case

SUITE = "torch.optim.lr_scheduler"
STEPS = 30
BASES = (0.05, 0.5)

NOT_APPLICABLE = {
    "step(epoch) of SWALR": "load_state_dict goes to any epoch",
    "step(metrics, epoch) of ReduceLROnPlateau": "it counts its steps alone",
}


def torch_schedulers() -> Any:
    from torch.optim import lr_scheduler

    return lr_scheduler


# Our schedule, and torch's scheduler over an optimizer.
PAIRS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "LambdaLR": (lambda: lambda step: 0.95**step, lambda o: torch_schedulers().LambdaLR(o, lambda step: 0.95**step)),
    "StepLR": (
        lambda: schedules.piecewise([10, 20], [1.0, 0.1, 0.1**2]),
        lambda o: torch_schedulers().StepLR(o, 10, 0.1),
    ),
    "MultiStepLR": (
        lambda: schedules.piecewise([2, 5, 9], [1.0, 0.1, 0.1**2, 0.1**3]),
        lambda o: torch_schedulers().MultiStepLR(o, [2, 5, 9], 0.1),
    ),
    "MultiStepLR with a milestone twice": (
        lambda: schedules.piecewise([2, 5], [1.0, 0.1, 0.1**3]),
        lambda o: torch_schedulers().MultiStepLR(o, [2, 5, 5], 0.1),
    ),
    "ConstantLR": (lambda: schedules.piecewise([5], [0.5, 1.0]), lambda o: torch_schedulers().ConstantLR(o, 0.5, 5)),
    "LinearLR": (lambda: schedules.linear(4, 0.5, 1.0), lambda o: torch_schedulers().LinearLR(o, 0.5, 1.0, 4)),
    "LinearLR to a smaller end": (
        lambda: schedules.linear(7, 0.8, 0.2),
        lambda o: torch_schedulers().LinearLR(o, 0.8, 0.2, 7),
    ),
    "ExponentialLR": (lambda: schedules.exponential(100, 0.9**100), lambda o: torch_schedulers().ExponentialLR(o, 0.9)),
    "PolynomialLR": (lambda: schedules.polynomial(10, 2.0), lambda o: torch_schedulers().PolynomialLR(o, 10, 2.0)),
    "CosineAnnealingLR": (lambda: schedules.cosine(STEPS), lambda o: torch_schedulers().CosineAnnealingLR(o, STEPS)),
    "CosineAnnealingWarmRestarts": (
        lambda: schedules.cosine(10).repeat(5),
        lambda o: torch_schedulers().CosineAnnealingWarmRestarts(o, 10),
    ),
    "CosineAnnealingWarmRestarts, each twice as long": (
        lambda: schedules.cosine(5).then(schedules.cosine(10)).then(schedules.cosine(20)),
        lambda o: torch_schedulers().CosineAnnealingWarmRestarts(o, 5, 2),
    ),
    "MultiplicativeLR": (
        lambda: lambda step: 0.9**step,
        lambda o: torch_schedulers().MultiplicativeLR(o, lambda step: 0.9),
    ),
    "SequentialLR": (
        lambda: schedules.warmup(4, start=0.25).then(schedules.cosine(30)),
        lambda o: torch_schedulers().SequentialLR(
            o,
            [torch_schedulers().LinearLR(o, 0.25, 1.0, 4), torch_schedulers().CosineAnnealingLR(o, 30)],
            milestones=[4],
        ),
    ),
    "SequentialLR of three": (
        lambda: schedules.constant(0.5, 3).then(schedules.exponential(4, 0.9**4)).then(schedules.constant(1.0)),
        lambda o: torch_schedulers().SequentialLR(
            o,
            [
                torch_schedulers().ConstantLR(o, 0.5, 100),
                torch_schedulers().ExponentialLR(o, 0.9),
                torch_schedulers().ConstantLR(o, 1.0, 100),
            ],
            milestones=[3, 7],
        ),
    ),
    "ChainedScheduler": (
        lambda: schedules.piecewise([5], [0.1, 1.0]) * schedules.exponential(100, 0.9**100),
        lambda o: torch_schedulers().ChainedScheduler(
            [torch_schedulers().ConstantLR(o, 0.1, 5), torch_schedulers().ExponentialLR(o, 0.9)]
        ),
    ),
}


# Our classes of torch's names, with torch's arguments.
NAMED = {f"{name} by its name": row for name, row in SCHEDULERS.items() if row.examples}


def ours(bases: Iterable[float] = BASES) -> Any:
    groups = [{"params": [Tensor([1.0], requires_grad=True)], "lr": lr} for lr in bases]
    return optim.SGD(groups, lr=1.0, momentum=0.9)


def theirs(bases: Iterable[float] = BASES) -> Any:
    import torch

    groups = [{"params": [torch.ones(1, requires_grad=True)], "lr": lr} for lr in bases]
    return torch.optim.SGD(groups, lr=1.0, momentum=0.9)


def rates(optimizer: Any, scheduler: Any, steps: int = STEPS) -> np.ndarray:
    """The rates of all groups at each step, with an update before each step of the scheduler."""
    found = []
    for _ in range(steps):
        found.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return np.array(found)


def close(one: np.ndarray, other: np.ndarray) -> None:
    """torch multiplies its rate at each step, a rounding or four each; `gamma(4 n)` bounds these."""
    bound = 4 * STEPS * np.finfo(np.float64).eps * max(BASES)
    assert one.shape == other.shape and np.abs(one - other).max() <= bound, np.abs(one - other).max()


def torchs_rates(pair: str) -> np.ndarray:
    optimizer = theirs()
    if pair in NAMED:
        return rates(optimizer, getattr(torch_schedulers(), NAMED[pair].name)(optimizer, **NAMED[pair].examples[-1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR steps its parts with a deprecated argument
        return rates(optimizer, PAIRS[pair][1](optimizer))


def scheduler_of(pair: str, optimizer: Any, **options: Any) -> LRScheduler:
    if pair in NAMED:
        return NAMED[pair].cls(optimizer, **NAMED[pair].examples[-1], **options)
    return LRScheduler(optimizer, PAIRS[pair][0](), **options)


def rates_equal_torchs(pair: str) -> None:
    optimizer = ours()
    close(rates(optimizer, scheduler_of(pair, optimizer)), torchs_rates(pair))


def rates_equal_torchs_over_torchs_optimizer(pair: str) -> None:
    optimizer = theirs()
    close(rates(optimizer, scheduler_of(pair, optimizer)), torchs_rates(pair))


def a_rate_that_is_a_tensor_stays_one(pair: str) -> None:
    import torch

    rate = torch.tensor(BASES[0], dtype=torch.float64)
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=rate)
    scheduler = scheduler_of(pair, optimizer)
    found = []
    for _ in range(STEPS):
        assert optimizer.param_groups[0]["lr"] is rate, "the tensor that others may hold is filled"
        found.append([rate.item()])
        optimizer.step()
        scheduler.step()
    close(np.array(found), torchs_rates(pair)[:, :1])


def last_rates_are_those_of_the_groups(pair: str) -> None:
    optimizer = ours()
    scheduler = scheduler_of(pair, optimizer)
    for _ in range(STEPS):
        assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
        optimizer.step()
        scheduler.step()


def resumes_from_its_state(pair: str) -> None:
    straight = ours()
    expected = rates(straight, scheduler_of(pair, straight))
    for stop in (1, 7, 20):
        first = ours()
        scheduler = scheduler_of(pair, first)
        rates(first, scheduler, stop)
        second = ours()
        again = scheduler_of(pair, second)
        second.load_state_dict(first.state_dict())
        again.load_state_dict(pickle.loads(pickle.dumps(scheduler.state_dict())))
        assert np.array_equal(rates(second, again, STEPS - stop), expected[stop:])


def goes_to_an_epoch(pair: str) -> None:
    straight = ours()
    expected = rates(straight, scheduler_of(pair, straight))
    optimizer = ours()
    scheduler = scheduler_of(pair, optimizer)
    for epoch in (7, 3, 20):
        optimizer.step()
        scheduler.step(epoch)
        assert np.array_equal(rates(optimizer, scheduler, 3), expected[epoch : epoch + 3])


def resumes_at_a_last_epoch(pair: str) -> None:
    straight = ours()
    expected = rates(straight, scheduler_of(pair, straight))
    for stop in (1, 7, 20):
        second = ours()
        for group, base in zip(second.param_groups, BASES, strict=True):
            group["initial_lr"] = base
        again = scheduler_of(pair, second, last_epoch=stop - 1)
        assert np.array_equal(rates(second, again, STEPS - stop), expected[stop:])


def can_be_deep_copied(pair: str) -> None:
    straight = ours()
    expected = rates(straight, scheduler_of(pair, straight))
    first = ours()
    scheduler = scheduler_of(pair, first)
    rates(first, scheduler, 7)
    second, again = copy.deepcopy((first, scheduler))
    assert again.optimizer is second
    assert np.array_equal(rates(second, again, STEPS - 7), expected[7:])
    assert np.array_equal(rates(first, scheduler, STEPS - 7), expected[7:])


def is_freed_at_once(pair: str) -> None:
    optimizer = ours()
    scheduler = scheduler_of(pair, optimizer)
    rates(optimizer, scheduler, 2)
    gone = weakref.ref(optimizer), weakref.ref(scheduler)
    was_on = gc.isenabled()
    gc.disable()
    try:
        del optimizer, scheduler
        assert [each() for each in gone] == [None, None], "a circle keeps it"
    finally:
        if was_on:
            gc.enable()


def a_group_added_later_joins(pair: str) -> None:
    ours_, theirs_ = ours([0.05]), theirs([0.05])
    import torch

    one, other = scheduler_of(pair, ours_), torch_schedulers().LambdaLR(theirs_, factors(pair))
    rates(ours_, one, 3), rates(theirs_, other, 3)
    ours_.add_param_group({"params": [Tensor([1.0], requires_grad=True)], "lr": 0.5})
    theirs_.add_param_group({"params": [torch.ones(1, requires_grad=True)], "lr": 0.5, "initial_lr": 0.5})
    other.base_lrs.append(0.5)
    other.lr_lambdas.append(factors(pair))
    ours_.step(), one.step(), theirs_.step(), other.step()
    close(rates(ours_, one, STEPS - 4), rates(theirs_, other, STEPS - 4))


def factors(pair: str) -> Callable[[int], float]:
    schedule = PAIRS[pair][0]()
    return lambda step: float(schedule(step))


def two_multiply(pair: str) -> None:
    """Two schedulers on one optimizer: the rates are the product, as with torch's chainable ones."""
    optimizer = ours()
    schedulers = [scheduler_of(pair, optimizer), LRScheduler(optimizer, schedules.exponential(100, 0.9**100))]
    found = []
    for _ in range(STEPS):
        found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    single = ours()
    expected = rates(single, scheduler_of(pair, single)) * 0.9 ** np.arange(STEPS)[:, None]
    close(np.array(found), expected)


def warns_where_it_steps_before_the_optimizer(pair: str) -> None:
    optimizer = ours()
    scheduler = scheduler_of(pair, optimizer)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scheduler.step()
    assert len(caught) == 1 and "before" in str(caught[0].message)


def does_not_warn_in_the_right_order(pair: str) -> None:
    optimizer = ours()
    scheduler = scheduler_of(pair, optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
        scheduler.step()


EXPECTATIONS = [
    rates_equal_torchs,
    rates_equal_torchs_over_torchs_optimizer,
    a_rate_that_is_a_tensor_stays_one,
    last_rates_are_those_of_the_groups,
    resumes_from_its_state,
    goes_to_an_epoch,
    resumes_at_a_last_epoch,
    can_be_deep_copied,
    is_freed_at_once,
    a_group_added_later_joins,
    two_multiply,
    warns_where_it_steps_before_the_optimizer,
    does_not_warn_in_the_right_order,
]


# These compare with the factors of one schedule, or with one group.
OF_A_SCHEDULE_ALONE = (a_group_added_later_joins, two_multiply, a_rate_that_is_a_tensor_stays_one)


def cases() -> Iterable[Case]:
    for name in NAMED:
        for expectation in EXPECTATIONS:
            if expectation not in OF_A_SCHEDULE_ALONE:
                yield Case(SUITE, f"{name}: {expectation.__name__.replace('_', ' ')}", partial(expectation, name))
    for pair in PAIRS:
        for expectation in EXPECTATIONS:
            yield Case(SUITE, f"{pair}: {expectation.__name__.replace('_', ' ')}", partial(expectation, pair))


CASES = list(cases())
