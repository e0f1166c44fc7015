"""torch's schedulers by their names and with their arguments: each stands for a schedule of `tinygrad_lr.schedules`.

A rate is the schedule's value at `last_epoch`; torch computes most of them from the rate before. Where its recursion
and its closed form agree, so do the values, to a few units of rounding. `table.py` says where the two differ, and why.
A manual change of a group's "lr" lasts until the next step: change "initial_lr". composite.py has SequentialLR and
ChainedScheduler, plateau.py has ReduceLROnPlateau.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinygrad_lr import schedules
from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.reals import real_number
from tinygrad_lr.schedules import CYCLIC_MODES, Schedule
from tinygrad_lr.schedules._checks import count, one_of, several

from .base import Curve, LRScheduler, _groups, per_group, store

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "StepLR",
]


class LambdaLR(LRScheduler):
    """lr = initial_lr * lr_lambda(last_epoch).

    Args:
        optimizer: anything with `param_groups`, a list of dicts with "lr".
        lr_lambda: a function of one whole number, or a list of these, one for each group. A Schedule is one, too.
        last_epoch: -1 starts at step 0; k resumes after the finished step k. So for all classes here.

    Example:
        >>> from types import SimpleNamespace
        >>> scheduler = LambdaLR(SimpleNamespace(param_groups=[{"lr": 0.8}]), lambda epoch: 0.5**epoch)
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.4]
    """

    def __init__(self, optimizer: Any, lr_lambda: Curve | Sequence[Curve], last_epoch: int = -1) -> None:
        super().__init__(optimizer, lr_lambda, last_epoch)


class RunningProduct:
    """f(n) = g(1) g(2) ... g(n), remembered as far as it was asked for."""

    def __init__(self, function: Callable[[int], float]) -> None:
        if not callable(function):
            raise TypeError(f"lr_lambda must be a function of one step, or a list of these, got {function!r}")
        self.function = function
        self._known = [1.0]

    def __call__(self, step: int) -> float:
        while len(self._known) <= step:
            place = len(self._known)
            self._known.append(self._known[-1] * real_number(f"lr_lambda({place})", self.function(place)))
        return self._known[step]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunningProduct) and self.function == other.function

    def __hash__(self) -> int:
        return hash((RunningProduct, self.function))


class MultiplicativeLR(LRScheduler):
    """Times lr_lambda(epoch) at each epoch from 1 on: lr = initial_lr * lr_lambda(1) * ... * lr_lambda(last_epoch).

    Args:
        lr_lambda: a function of one whole number, or a list of these, one for each group. It is called once for each
            epoch, and again after the run is resumed: it must give the same number for the same epoch.
    """

    def __init__(
        self, optimizer: Any, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]], last_epoch: int = -1
    ) -> None:
        products = [RunningProduct(each) for each in lr_lambda] if isinstance(lr_lambda, (list, tuple)) else None
        super().__init__(
            optimizer,
            RunningProduct(lr_lambda) if products is None else products,  # type: ignore[arg-type]
            last_epoch,
        )


class StepLR(LRScheduler):
    """Times gamma every `step_size` epochs: `schedules.step`.

    Example:
        >>> from types import SimpleNamespace
        >>> scheduler = StepLR(SimpleNamespace(param_groups=[{"lr": 0.8}]), step_size=1, gamma=0.5)
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.4]
    """

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        super().__init__(optimizer, schedules.step(step_size, gamma), last_epoch)


class MultiStepLR(LRScheduler):
    """Times gamma at each milestone, twice at one that stands twice: `schedules.multi_step`."""

    def __init__(self, optimizer: Any, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        marks = sorted(count("a milestone", each) for each in several("milestones", milestones))
        super().__init__(optimizer, schedules.multi_step(marks, gamma), last_epoch)


class ConstantLR(LRScheduler):
    """`factor` times the base rate up to epoch total_iters, and the base rate from there on: `schedules.piecewise`."""

    def __init__(self, optimizer: Any, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        first, until = real_number("factor", factor, least=0), count("total_iters", total_iters)
        super().__init__(optimizer, schedules.piecewise([until], [first, 1.0]), last_epoch)


class LinearLR(LRScheduler):
    """A straight line from start_factor to end_factor, which it has from epoch total_iters on: `schedules.linear`."""

    def __init__(
        self,
        optimizer: Any,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        ends = real_number("start_factor", start_factor, least=0), real_number("end_factor", end_factor, least=0)
        super().__init__(optimizer, schedules.linear(count("total_iters", total_iters), *ends), last_epoch)


class ExponentialLR(LRScheduler):
    """Times gamma at every epoch: `schedules.exponential_decay`."""

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1) -> None:
        super().__init__(optimizer, schedules.exponential_decay(real_number("gamma", gamma, least=0)), last_epoch)


class PolynomialLR(LRScheduler):
    """(1 - epoch/total_iters)^power, and 0 from epoch total_iters on: `schedules.polynomial`."""

    def __init__(self, optimizer: Any, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        super().__init__(optimizer, schedules.polynomial(count("total_iters", total_iters), power), last_epoch)


class _ToRate(LRScheduler):
    """From the base rate to a rate: end + (lr - end) * schedule(last_epoch), where the schedule goes from 1 to 0."""

    def __init__(self, optimizer: Any, schedule: Curve, eta_min: float | Sequence[float], last_epoch: int) -> None:
        self.eta_min = eta_min
        super().__init__(optimizer, schedule, last_epoch)

    def _settings(self) -> tuple[Any, ...]:
        return self.schedule, self.eta_min

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        ends = per_group(rates, "eta_min", self.eta_min)
        shares = self._factors(rates, epoch)
        return [end * (1.0 - share) + rate * share for end, rate, share in zip(ends, rates, shares, strict=True)]


class _ThereAndBack:
    """A schedule of T steps up to step T, and back from its end to its start up to step 2 T, again and again."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def __call__(self, step: int) -> float:
        total = self.schedule.total_steps
        place = step % (2 * total) if total else step
        return self.schedule(min(place, 2 * total - place) if total else place)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ThereAndBack) and self.schedule == other.schedule

    def __hash__(self) -> int:
        return hash((_ThereAndBack, self.schedule))


class CosineAnnealingLR(_ToRate):
    """From the base rate to the rate eta_min along half a cosine, and back, again and again: `schedules.cosine`.

    It has the base rate at the epochs 0, 2 T_max, 4 T_max, ..., and eta_min at T_max, 3 T_max, ..., as torch's. To hold
    eta_min from T_max on, write `LRScheduler(optimizer, schedules.cosine(T_max, end))`.

    Args:
        T_max: epochs of the fall. With 0 the rate is eta_min from the start.
        eta_min: a rate, no factor; or a list of rates, one for each group.

    Example:
        >>> from types import SimpleNamespace
        >>> scheduler = CosineAnnealingLR(SimpleNamespace(param_groups=[{"lr": 0.5}]), T_max=2, eta_min=0.25)
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.375]
    """

    def __init__(
        self, optimizer: Any, T_max: int, eta_min: float | Sequence[float] = 0.0, last_epoch: int = -1
    ) -> None:
        super().__init__(optimizer, _ThereAndBack(schedules.cosine(count("T_max", T_max))), eta_min, last_epoch)


class CosineAnnealingWarmRestarts(_ToRate):
    """A cosine from the base rate to eta_min in each cycle of T_0, T_0 T_mult, ... epochs: `schedules.cosine_restarts`.

    `step(epoch + i / batches)` after each batch goes there, as torch's: `last_epoch` is then that number.

    Args:
        T_0: epochs of the first cycle. T_mult: each is so many times as long as the one before it.
        eta_min: a rate, no factor; or a list of rates, one for each group.
    """

    def __init__(
        self, optimizer: Any, T_0: int, T_mult: int = 1, eta_min: float | Sequence[float] = 0.0, last_epoch: int = -1
    ) -> None:
        cycles = schedules.cosine_restarts(count("T_0", T_0, least=1), count("T_mult", T_mult, least=1))
        super().__init__(optimizer, cycles, eta_min, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """Advance by one, or go to an epoch or a part of one, and write the rates into the groups."""
        super().step(epoch)  # type: ignore[arg-type]

    def _epoch(self, name: str, value: Any) -> Any:
        place = real_number(name, value, least=0)
        return count(name, int(place)) if place.is_integer() else place


class _Cycle(LRScheduler):
    """From rates to rates, low + (high - low) * schedule(last_epoch), and momentum the other way.

    The rates are those of the arguments, whatever the groups have; other schedulers of the optimizer multiply them.
    """

    def __init__(
        self,
        optimizer: Any,
        schedule: Curve,
        rates: tuple[Any, Any],
        momentums: tuple[Curve, Any, Any] | None,
        last_epoch: int,
    ) -> None:
        self._low, self._high = rates
        self._momentums = momentums
        groups = _groups(optimizer)
        if momentums is not None:
            if not all("momentum" in group or "betas" in group for group in groups):
                raise ValueError(
                    f"cycle_momentum=True needs groups with 'momentum' or 'betas', which {type(optimizer).__name__} "
                    "has not; give cycle_momentum=False"
                )
            for name, value in zip(("base_momentum", "max_momentum"), momentums[1:], strict=True):
                per_group(groups, name, value)
        super().__init__(optimizer, schedule, last_epoch)

    def _settings(self) -> tuple[Any, ...]:
        return self.schedule, self._low, self._high, self._momentums

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        lows, highs = per_group(rates, "base_lr", self._low), per_group(rates, "max_lr", self._high)
        own = zip(lows, highs, self._factors(rates, epoch), strict=True)
        found = [low * (1.0 - share) + high * share for low, high, share in own]
        return [
            mine if rate == base else mine * (rate / base)
            for mine, rate, base in zip(found, rates, self.base_lrs, strict=True)
        ]

    def _write_others(self, epoch: int) -> None:
        if self._momentums is None:
            return
        schedule, base, most = self._momentums
        share, groups = self._factor(schedule, epoch, which=-1), _groups(self.optimizer)
        bases, highest = per_group(groups, "base_momentum", base), per_group(groups, "max_momentum", most)
        for group, low, high in zip(groups, bases, highest, strict=True):
            store(group, "betas[0]" if "betas" in group else "momentum", high * (1.0 - share) + low * share)


class CyclicLR(_Cycle):
    """From base_lr up to max_lr and down again and again: `schedules.cyclic`. Momentum goes the other way.

    Args:
        base_lr, max_lr: rates, or lists with one for each group. They take the place of the groups' own.
        step_size_up, step_size_down: epochs of the rise and of the fall; None: as many.
        mode: "triangular", "triangular2" (each cycle half as high) or "exp_range" (gamma^epoch as high).
        gamma: of "exp_range".
        scale_fn: in place of a mode, how high a cycle is: a function of its number, from 1, or of the epoch.
        scale_mode: "cycle" or "iterations", what scale_fn is called with.
        cycle_momentum: whether momentum, or the first of the betas, falls from max_momentum to base_momentum as the
            rate rises. They take the place of the groups' own.
        base_momentum, max_momentum: numbers, or lists with one for each group.
    """

    def __init__(
        self,
        optimizer: Any,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        up = count("step_size_up", step_size_up, least=1)
        down = up if step_size_down is None else count("step_size_down", step_size_down, least=1)
        words = one_of("scale_mode", scale_mode, ("cycle", "iterations"))
        shares: Curve
        if scale_fn is None:
            kind = one_of("mode", mode, CYCLIC_MODES)
            shares = schedules.cyclic(0.0, up, down, kind, gamma if kind == "exp_range" else 1.0)
        else:
            shares = _Scaled(up, down, scale_fn, words)
        momentums = (shares, base_momentum, max_momentum) if true_or_false("cycle_momentum", cycle_momentum) else None
        super().__init__(optimizer, shares, (base_lr, max_lr), momentums, last_epoch)


class _Scaled:
    """Triangles of a height that a function says."""

    def __init__(self, up: int, down: int, scale: Callable[[float], float], of: str) -> None:
        if not callable(scale):
            raise TypeError(f"scale_fn must be a function of one number, got {scale!r}")
        self.triangle, self.length, self.scale, self.of = schedules.cyclic(0.0, up, down), up + down, scale, of

    def __call__(self, step: int) -> float:
        asked = step // self.length + 1 if self.of == "cycle" else step
        return self.triangle(step) * self.scale(asked)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Scaled) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class OneCycleLR(_Cycle):
    """One cycle of total_steps steps, 0 to total_steps - 1: `schedules.one_cycle`. Momentum goes the other way.

    Args:
        max_lr: the rate of the peak, or a list with one for each group. It takes the place of the groups' own.
        total_steps: or epochs and steps_per_epoch, of which it is the product.
        pct_start: the share of the steps up to the peak.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether momentum, or the first of the betas, falls from max_momentum to base_momentum as the
            rate rises to its peak, and rises again after it. They take the place of the groups' own.
        base_momentum, max_momentum: numbers, or lists with one for each group.
        div_factor: the first rate is max_lr/div_factor. final_div_factor: the last is that divided by it.
        three_phase: whether the rate comes down to the first as slowly as it rose, and then to the last.

    Example:
        >>> from types import SimpleNamespace
        >>> optimizer = SimpleNamespace(param_groups=[{"lr": 9.0, "momentum": 0.9}])
        >>> scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=6, pct_start=0.5, div_factor=10)
        >>> for _ in range(2):
        ...     scheduler.step()
        >>> optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]
        (1.0, 0.85)
    """

    def __init__(
        self,
        optimizer: Any,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")
            total_steps = count("epochs", epochs, least=1) * count("steps_per_epoch", steps_per_epoch, least=1)
        anneal = {"cos": "cosine", "linear": "linear"}[one_of("anneal_strategy", anneal_strategy, ("cos", "linear"))]
        total, peak = count("total_steps", total_steps, least=1), real_number("pct_start", pct_start, least=0, most=1)
        shape = schedules.one_cycle(total, peak, div_factor, final_div_factor, anneal, three_phase)
        momentums = None
        if true_or_false("cycle_momentum", cycle_momentum):
            # 0 at both ends and 1 at the peak, from a cycle that begins and ends at a half
            half = schedules.one_cycle(total, peak, 2.0, 1.0, anneal, three_phase)
            momentums = _Doubled(half), base_momentum, max_momentum
        super().__init__(optimizer, shape, (0.0, max_lr), momentums, last_epoch)


class _Doubled:
    """2 f - 1, of a schedule f between a half and one."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def __call__(self, step: int) -> float:
        return 2.0 * self.schedule(step) - 1.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Doubled) and self.schedule == other.schedule

    def __hash__(self) -> int:
        return hash((_Doubled, self.schedule))
