"""Properties P35-P43 of learning-rate schedules, as checks of any callable `schedule(step) -> factor`.

A check raises `ScheduleViolation`, which names the property, the step, the expected and the actual value. A `Spec`
declares what a schedule promises, so that a legitimate variant is no violation. `spec_of` makes one from a row of
`tinygrad_lr.schedules.SCHEDULES`. formulas/schedules.py has the reference values. At the end of the file stand the
checks of what writes rates into an optimizer (P36, P41, P43).

Example:
    >>> from tinygrad_lr.schedules import SCHEDULES, cosine
    >>> spec = spec_of(SCHEDULES["cosine"], total_steps=10, end=0.0)
    >>> check_range_and_ends(cosine(10), spec)
    >>> check_range_and_ends(cosine(9), spec)
    Traceback (most recent call last):
        ...
    tinygrad_lr.verify.properties.schedules.ScheduleViolation: P37 (range, monotone phases, exact ends): at step 9 \
expected a factor above the end value 0.0 before T = 10, got 0.0
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

import numpy as np

from tinygrad_lr.schedules import Row

from ..formulas.schedules import PROGRESS_ROUNDINGS, UNIT, VALUE_ROUNDINGS, exact, reference_of

PROPERTIES = {
    "P35": "random access, sequential reading, array calls and the closed form agree, and reading changes nothing",
    "P35.built": "built with other arguments, from one step to 2^31 - 1, it is the closed form at every boundary",
    "P36": "a run resumed at any step, loading in any order, has the rates of the uninterrupted run bit for bit",
    "P37": "range, monotone phases, exact ends",
    "P38": "a continuous schedule has no jump at a phase boundary",
    "P39": "the factors of a cosine over the steps 0 to T sum to (T+1) (max + min) / 2",
    "P40": "restarts fall on the integer sums of the cycle lengths",
    "P41": "rates are proportional to the base rate",
    "P42": "at every step, the first, the last and far beyond, there is a finite value or a named error",
    "P42.built": "built with phases of no steps or of one, or a milestone at 0, it gives finite values or named errors",
    "P43": "each part of a sequence counts its own steps from 0",
    "P43.epochs": "a schedule of E epochs at epoch e is that of E n steps at step e n",
    "P43.accumulation": "k micro-steps advance a schedule once",
}

Schedule = Callable[[Any], Any]  # a step, a number or an array -> the factor, or an array of them

TOLERANCE = float((PROGRESS_ROUNDINGS + VALUE_ROUNDINGS) * UNIT)


class ScheduleViolation(AssertionError):
    """A schedule broke a property; the message says which, at which step, what was expected and what came.

    Attributes:
        step: as the caller counts steps, from 0.
        within: what else is to be said of the step: the cycle and the step in it, the cut, ...
        settings: what the schedule was built with, where a check builds it.
    """

    def __init__(
        self,
        name: str,
        step: Any,
        expected: Any,
        actual: Any,
        within: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.property_id, self.step, self.expected, self.actual = name, step, expected, actual
        self.within, self.settings = within, dict(settings or {})
        super().__init__(f"{name} ({PROPERTIES[name]}): at {self.where} expected {expected}, got {actual}")

    @property
    def where(self) -> str:
        """The step and what else is to be said of it."""
        built = ", ".join(f"{key}={value!r}" for key, value in self.settings.items())
        place = f"step {self.step}" + (f" ({self.within})" if self.within else "")
        return f"{place}, built with {built}" if built else place

    def told(self, step: Any = None, within: str = "", settings: Mapping[str, Any] | None = None) -> ScheduleViolation:
        """The same violation as a caller counts and builds."""
        return ScheduleViolation(
            self.property_id,
            self.step if step is None else step,
            self.expected,
            self.actual,
            within or self.within,
            settings or self.settings,
        )


class Spec(NamedTuple):
    """What a schedule promises.

    Attributes:
        starts: first step of each phase, from 0.
        total_steps: T, from which the last end value is held; None for an endless schedule.
        directions: per phase +1 (never falls), -1 (never rises), 0 (flat) or None (no promise).
        first, last: the factors at step 0 (of a schedule with T > 0; None: no promise) and from T on (the limit, where
            there is no T).
        low, high: bounds of every factor; where it grows, `high` is infinite.
        continuous: no jump within or between phases (a last phase of no steps jumps to its end).
        strict: the end value is not reached before T (its neighbour differs by more than the roundings).
        enclosure: the bounds of the exact value at a step.
        tolerance: what rounding may change in a factor of 1.
        exact_ends: the ends are these numbers, bit for bit; False: within the enclosure.
    """

    starts: tuple[int, ...]
    total_steps: int | None
    directions: tuple[int | None, ...]
    first: float | None
    last: float
    low: float
    high: float
    continuous: bool
    strict: bool
    enclosure: Callable[[Any], tuple[Any, Any]] | None
    tolerance: float = TOLERANCE
    exact_ends: bool = True


def spec_of(row: Row, **arguments: Any) -> Spec:
    """The promises of a row of SCHEDULES for some arguments of its constructor."""
    lengths = [arguments[name] for name, kind in row.arguments.items() if kind == "steps"]
    starts = tuple(accumulate([0, *lengths[:-1]]))
    total = None if not lengths or lengths[-1] is None else sum(lengths)
    if row.starts is not None:
        starts, total = row.starts(**arguments), None if row.holds_from is None else row.holds_from(**arguments)
    elif "milestones" in arguments:
        starts, total = (0, *arguments["milestones"]), (arguments["milestones"] or [0])[-1]
    first, last = row.ends(**arguments)
    turns = [last, *arguments.get("values", ()), *((1.0,) if "stable_steps" in arguments and total else ())]
    turns += [] if first is None else [first]
    turns += [] if row.turns is None else row.turns(**arguments)
    directions = row.directions(**arguments)
    reference = reference_of(row.name).enclosure
    strict, continuous = False, row.continuous and lengths[-1:] != [0]
    if total is not None and directions[-1] and starts[-1] < total:
        low, high = reference(max(total - 1, 0), **arguments)
        strict = not low <= exact(last) <= high
    return Spec(
        starts,
        total,
        directions,
        first,
        last,
        min(turns),
        max(turns),
        continuous,
        strict,
        lambda step: reference(step, **arguments),
        exact_ends=row.exact_ends,
    )


LARGEST = 1e308  # a factor that is not yet beyond float64


def steps_of(spec: Spec, limit: int = 400) -> list[int]:
    """Steps worth looking at.

    All of a short schedule. Of a long one those around boundaries and a spread of others. Of an endless one the first
    ones, those around boundaries, and the powers of two up to 2^53.
    """
    if spec.total_steps is None:
        edges = {near for edge in spec.starts for near in range(edge - 3, edge + 4) if near >= 0}
        chosen = sorted({*range(limit // 2), *edges, *(2**k for k in range(54))})
        if spec.high < math.inf or spec.enclosure is None:
            return chosen
        return [step for step in chosen if spec.enclosure(step)[1] < LARGEST]  # beyond, it refuses
    total = spec.total_steps
    if total + 3 <= limit:
        return list(range(total + 3))
    edges = {near for edge in (*spec.starts, total) for near in range(edge - 3, edge + 4) if near >= 0}
    return sorted(edges | {total * part // limit for part in range(limit)})


# Where counts and precisions end: bytes, float16 and float32 that cannot tell a step from the next, int32, float64.
_POWERS = (8, 10, 11, 12, 15, 16, 17, 20, 23, 24, 25, 30, 31, 32, 33, 40, 53)
FAR_STEPS = tuple(
    sorted({2**k + d for k in _POWERS for d in (-1, 0, 1)} | {10**k + d for k in range(2, 16) for d in (-1, 0, 1)})
)


def check_closed_form(schedule: Schedule, spec: Spec, steps: Iterable[Any] | None = None) -> None:
    """P35: backwards and forwards, alone and in an array, once and again: the bits of the closed form."""
    chosen = steps_of(spec) if steps is None else list(steps)
    sequential = [schedule(step) for step in chosen]
    again = [schedule(step) for step in reversed(chosen)][::-1]
    takes_arrays = getattr(schedule, "arrays", True)
    together = np.asarray(schedule(np.array(chosen)) if takes_arrays else sequential)
    for step, value, second, element in zip(chosen, sequential, again, together, strict=True):
        if second != value:
            raise ScheduleViolation("P35", step, f"{value!r} again when read backwards", repr(second))
        if float(element) != value:
            raise ScheduleViolation("P35", step, f"{value!r} from an array call", repr(float(element)))
        if spec.enclosure is not None:
            low, high = spec.enclosure(step)
            if not inside(value, low, high):
                raise ScheduleViolation("P35", step, f"a value in [{float(low)!r}, {float(high)!r}]", repr(value))


def inside(value: float, low: Any, high: Any) -> bool:
    """Whether a number lies in an enclosure; infinity lies in one that ends beyond the largest number."""
    if math.isfinite(value):
        return bool(low <= exact(value) <= high)
    return value == math.inf and float(high) == math.inf


def check_range_and_ends(
    schedule: Schedule, spec: Spec, steps: Iterable[int] | None = None, refused: float = math.inf
) -> None:
    """P37: factors within the declared range, monotone within each phase, exact at both ends, the end value held.

    Args:
        steps: to look at; None: `steps_of`.
        refused: the first step that the schedule refuses; whether the end value is held there is not looked at.
    """
    chosen = steps_of(spec) if steps is None else list(steps)
    values = [float(schedule(step)) for step in chosen]
    slack = 2 * spec.tolerance * min(spec.high, max(map(abs, values)))
    beyond = 0.0 if spec.exact_ends else slack
    for step, value in zip(chosen, values, strict=True):
        if not spec.low - beyond <= value <= spec.high + beyond:
            raise ScheduleViolation("P37", step, f"a factor in [{spec.low!r}, {spec.high!r}]", repr(value))
    stops = (*spec.starts[1:], math.inf)
    for start, stop, direction in zip(spec.starts, stops, spec.directions, strict=True):
        inside = [(step, value) for step, value in zip(chosen, values, strict=True) if start <= step < stop]
        for (_, before), (step, after) in zip(inside, inside[1:], strict=False):
            if direction is None:
                continue
            wrong = after != before if direction == 0 else direction * (after - before) < -slack
            if wrong:
                word = {0: "a flat", 1: "a rising", -1: "a falling"}[direction]
                raise ScheduleViolation("P37", step, f"{word} phase after {before!r}", repr(after))
    if spec.first is not None and (spec.total_steps is None or spec.total_steps > 0):
        _equals(schedule, spec, 0, spec.first, "as first factor")
    if spec.total_steps is not None:
        for later in (0, 1, 10**6, 2**53):
            if spec.total_steps + later < refused:
                _equals(schedule, spec, spec.total_steps + later, spec.last, f"held from T = {spec.total_steps} on")
        if spec.strict and (before := schedule(spec.total_steps - 1)) == spec.last:
            side = "above" if spec.directions[-1] == -1 else "below"
            expected = f"a factor {side} the end value {spec.last!r} before T = {spec.total_steps}"
            raise ScheduleViolation("P37", spec.total_steps - 1, expected, repr(before))


def _equals(schedule: Schedule, spec: Spec, step: int, expected: float, why: str) -> None:
    actual = float(schedule(step))
    if actual == expected:
        return
    if not spec.exact_ends and spec.enclosure is not None and math.isfinite(actual):
        low, high = spec.enclosure(step)
        if low <= exact(actual) <= high:
            return
    raise ScheduleViolation("P37", step, f"{'exactly ' * spec.exact_ends}{expected!r} {why}", repr(actual))


def check_continuous(schedule: Schedule, spec: Spec) -> None:
    """P38: approaching a boundary from the left, the distance to its value vanishes.

    A jump keeps its height as the distance shrinks from 2^-10 to 2^-30 steps; a continuous curve at least halves it
    (for any power of at least 1/20), up to the rounding of a step that large.
    """
    if not spec.continuous:
        raise ValueError("this schedule declares that it is not continuous; P38 does not apply")
    boundaries = {*spec.starts[1:], *(() if spec.total_steps is None else (spec.total_steps,))} - {0}
    for boundary in sorted(boundaries):
        value = schedule(boundary)
        far, near = (abs(schedule(boundary - distance) - value) for distance in (2.0**-10, 2.0**-30))
        if near > far / 2 + spec.tolerance * (spec.high + 1):
            raise ScheduleViolation("P38", boundary, f"no jump from before to {value!r}", f"a jump of {near!r}")


def check_cosine_sum(
    schedule: Schedule, total_steps: int, high: float, low: float, tolerance: float = TOLERANCE
) -> None:
    """P39: the sum over 0 ... T, endpoints included; f(t) + f(T - t) = max + min."""
    total = math.fsum(schedule(step) for step in range(total_steps + 1))
    expected = (total_steps + 1) * (high + low) / 2
    # The error in the angle, pi/2 times that of the progress, stays below the roundings of the value.
    if abs(total - expected) > (total_steps + 1) * 2 * tolerance * (high + low):
        raise ScheduleViolation("P39", f"0 to {total_steps}", f"the sum {expected!r}", repr(total))


def check_restarts(schedule: Schedule, cycles: list[int]) -> None:
    """P40: every cycle starts with the first factor, and no other step does (cycles of 1 step or more, falling)."""
    first, end = schedule(0), sum(cycles)
    starts = set(accumulate([0, *cycles[:-1]]))
    looked_at = {near for start in starts for near in (start - 1, start, start + 1)} | {end - 1, end}
    for step in sorted(step for step in looked_at if 0 <= step <= end):
        value = schedule(step)
        if (value == first) != (step in starts):
            expected = f"the restart value {first!r}" if step in starts else f"a factor other than {first!r}"
            raise ScheduleViolation("P40", step, expected, repr(value))


def check_degenerate(
    build: Callable[[], Schedule], steps: Iterable[Any], named: tuple[type[Exception], ...] = (ValueError, TypeError)
) -> None:
    """P42: building and calling give finite numbers, or one of the named errors with a message."""
    for step in steps:
        try:
            value = build()(step)
        except named as error:
            if not str(error):
                raise ScheduleViolation("P42", step, "an error that says what to do", repr(error)) from error
        except Exception as error:
            names = [each.__name__ for each in named]
            expected = f"a finite value, {', '.join(names[:-1])} or {names[-1]}"
            raise ScheduleViolation("P42", step, expected, repr(error)) from error
        else:
            if not np.isfinite(value).all():
                raise ScheduleViolation("P42", step, "a finite value", repr(value))


def check_local_time(joined: Schedule, parts: list[Any]) -> None:
    """P43: within each part's steps the joined schedule has that part's factors; past the end, the last part's."""
    start = 0
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        for local in range(part.total_steps + (3 if last else 0)):
            expected, actual = part(local), joined(start + local)
            if actual != expected:
                place = f"part {index + 1}, its step {local}"
                raise ScheduleViolation("P43", start + local, repr(expected), repr(actual), place)
        start += part.total_steps


def check_epochs(
    by_epoch: Schedule, by_step: Schedule, batches: int, epochs: int, tolerance: float = TOLERANCE
) -> None:
    """P43.epochs: a schedule of E epochs at epoch e is that of E n steps at step e n, up to the rounding of p."""
    for epoch in range(epochs + 2):
        expected, actual = by_step(epoch * batches), by_epoch(epoch)
        if abs(actual - expected) > 2 * tolerance * (1 + abs(expected)):
            place = f"an epoch, of {batches} steps"
            raise ScheduleViolation(
                "P43.epochs", epoch, f"{expected!r} as at step {epoch * batches}", repr(actual), place
            )


# What writes a schedule's rates into an optimizer: `build(optimizer)` has step(), state_dict() and load_state_dict()
class Saveable(Protocol):
    """What can be saved and loaded."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> object: ...


class DrivenOptimizer(Saveable, Protocol):
    """An optimizer whose groups have rates: ours, torch's."""

    @property
    def param_groups(self) -> Sequence[MutableMapping[str, Any]]: ...


class Scheduler(Saveable, Protocol):
    """What writes rates into an optimizer, step by step."""

    def step(self) -> object: ...


NewOptimizer = Callable[[], DrivenOptimizer]
BuildScheduler = Callable[[Any], Scheduler]
MicroStep = Callable[[Any, Any, int], None]
Saved = tuple[dict[str, Any], dict[str, Any]]  # the states of an optimizer and of its scheduler
Resumed = tuple[DrivenOptimizer, Scheduler]


def rates(optimizer: DrivenOptimizer) -> list[float]:
    """The rate of each group."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def _resume_loading_optimizer_first(new: NewOptimizer, build: BuildScheduler, saved: Saved) -> Resumed:
    optimizer = new()
    driver = build(optimizer)
    optimizer.load_state_dict(saved[0])
    driver.load_state_dict(saved[1])
    return optimizer, driver


def _resume_loading_driver_first(new: NewOptimizer, build: BuildScheduler, saved: Saved) -> Resumed:
    optimizer = new()
    driver = build(optimizer)
    driver.load_state_dict(saved[1])
    optimizer.load_state_dict(saved[0])
    return optimizer, driver


def _resume_building_driver_late(new: NewOptimizer, build: BuildScheduler, saved: Saved) -> Resumed:
    optimizer = new()
    optimizer.load_state_dict(saved[0])
    driver = build(optimizer)
    driver.load_state_dict(saved[1])
    return optimizer, driver


ORDERS = {
    "build both, load optimizer, load scheduler": _resume_loading_optimizer_first,
    "build both, load scheduler, load optimizer": _resume_loading_driver_first,
    "load optimizer, build scheduler, load scheduler": _resume_building_driver_late,
}


def check_resume(new_optimizer: NewOptimizer, build: BuildScheduler, steps: int) -> None:
    """P36: cut at every step, resume in every order, and compare each later rate with the uninterrupted run's."""
    optimizer = new_optimizer()
    driver = build(optimizer)
    expected, saved = [], []
    for _ in range(steps):
        expected.append(rates(optimizer))
        saved.append(copy.deepcopy((optimizer.state_dict(), driver.state_dict())))
        driver.step()
    for cut in range(steps):
        for order, resume in ORDERS.items():
            optimizer, driver = resume(new_optimizer, build, copy.deepcopy(saved[cut]))
            for step in range(cut, steps):
                if rates(optimizer) != expected[step]:
                    raise ScheduleViolation("P36", step, expected[step], rates(optimizer), f"cut at {cut}, {order}")
                driver.step()


def check_homogeneous(run: Callable[[float], Sequence[Any]], base_lr: float) -> None:
    """P41: `run(base_lr)` gives the rates of each step; times a power of two they change by it, bit for bit."""
    expected = run(base_lr)
    for scale in (2.0**-8, 2.0, 2.0**10):
        for step, (before, after) in enumerate(zip(expected, run(base_lr * scale), strict=True)):
            rates, scaled = np.atleast_1d(before).tolist(), np.atleast_1d(after).tolist()
            for group, (rate, changed) in enumerate(zip(rates, scaled, strict=True)):
                if changed != rate * scale:
                    within = f"group {group}" if len(rates) > 1 else ""
                    raise ScheduleViolation("P41", step, f"{scale!r} times {rate!r}", repr(changed), within)


def check_once_per_update(micro_step: Callable[[int], None], epoch_of: Callable[[], int], k: int, updates: int) -> None:
    """P43.accumulation: after each k-th micro-step, and no other, the driver has advanced by one."""
    before = epoch_of()
    for index in range(k * updates):
        micro_step(index)
        expected, actual = before + (index + 1) // k, epoch_of()
        if actual != expected:
            place = f"a micro-step, of update {index // k}"
            raise ScheduleViolation("P43.accumulation", index, f"{expected} updates counted", actual, place)


def check_accumulation(
    new_optimizer: NewOptimizer, build: BuildScheduler, micro_step: MicroStep, k: int, updates: int
) -> None:
    """P43.accumulation: after its micro-step number i, from 0, a loop has the rates of update (i + 1) // k."""
    optimizer = new_optimizer()
    driver, expected = build(optimizer), [rates(optimizer)]
    for _ in range(updates):
        driver.step()
        expected.append(rates(optimizer))
    optimizer = new_optimizer()
    driver = build(optimizer)
    for index in range(k * updates):
        micro_step(optimizer, driver, index)
        due = (index + 1) // k
        if rates(optimizer) != expected[due]:
            what, place = f"the rates of update {due}: {expected[due]}", f"a micro-step, of update {index // k}"
            raise ScheduleViolation("P43.accumulation", index, what, rates(optimizer), place)
