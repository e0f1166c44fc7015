"""Wrong schedules: `SCHEDULE_MUTANTS`, by name, each a function of a schedule's arguments that builds it wrongly.

drivers.py has what writes rates into an optimizer wrongly. Next: gradients.py.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.schedules import SCHEDULES, cosine, linear, piecewise, warmup

from .catalogue import named, words


class ScheduleMutant(NamedTuple):
    """A wrong schedule.

    Attributes:
        build: `build(**arguments)` gives it.
        spec: the row of SCHEDULES that it claims to be ("": none), and others that it may be taken for in `also`.
        arguments: of the row, on which the bug shows.
        options: further arguments of `check_schedule`, such as `cycles=`.
        killed_by, seen_in, entry: as a `Mutant`'s.
    """

    build: Callable[..., Any]
    spec: str
    arguments: Mapping[str, Any]
    killed_by: str
    seen_in: str = ""
    entry: str = ""
    also: tuple[str, ...] = ()
    options: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        return self.build.__name__

    @property
    def named(self) -> str:
        """What is wrong and where it was seen."""
        return named(words(self.name), self.seen_in)


SCHEDULE_MUTANTS: dict[str, ScheduleMutant] = {}


def schedule_mutant(
    spec: str,
    arguments: Mapping[str, Any],
    killed_by: str,
    seen_in: str = "",
    *,
    entry: str = "",
    also: tuple[str, ...] = (),
    options: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a wrong schedule: see `ScheduleMutant`."""

    def register(build: Callable[..., Any]) -> Callable[..., Any]:
        SCHEDULE_MUTANTS[build.__name__] = ScheduleMutant(
            build, spec, arguments, killed_by, seen_in, entry, also, options or {}
        )
        return build

    return register


COSINE = {"total_steps": 20, "end": 0.0}
PIECEWISE = {"milestones": [5, 10], "values": [1.0, 0.1, 0.01]}
NONE: dict[str, Any] = {}
_to_an_end = tuple(name for name, row in SCHEDULES.items() if "total_steps" in row.arguments)


def _recursive(total_steps, end):
    rates = [1.0]

    def rate(step):
        for t in range(len(rates), step + 1):
            ratio = (1 + math.cos(math.pi * t / total_steps)) / (1 + math.cos(math.pi * (t - 1) / total_steps))
            rates.append(end + ratio * (rates[-1] - end))
        return rates[step]

    return rate


@schedule_mutant("cosine", COSINE, "P42", "torch #17913", entry="30a")
def recursive_cosine_divides_by_zero(total_steps, end):
    return _recursive(total_steps, end)


@schedule_mutant("cosine", {"total_steps": 20_000, "end": 0.001}, "P35", "torch #17913", entry="30a")
def recursive_cosine_drifts(total_steps, end):
    rate = _recursive(total_steps, end)
    return lambda step: rate(int(step)) if step < total_steps else end


@schedule_mutant("", NONE, "P40", "torch", options={"total_steps": 364, "cycles": [1, 3, 9, 27, 81, 243]})
def restarts_by_a_floored_logarithm():
    def rate(step):  # at 121 = 1 + 3 + 9 + 27 + 81 the logarithm of 243 is a little below 5
        cycle = int(math.log(2 * step + 1, 3))
        return cosine(3**cycle)(step - (3**cycle - 1) // 2)

    return rate


@schedule_mutant("", NONE, "P40", "torch #23480", entry="30b", options={"total_steps": 30, "cycles": [10, 10, 10]})
def restarts_one_step_late():
    return cosine(11).repeat(3)


ONE_CYCLE = [linear(4, 0.04, 1.0), linear(4, 1.0, 0.04), linear(2, 0.04, 0.0)]


@schedule_mutant("", NONE, "P43", "torch #40362", entry="30c", options={"total_steps": 10, "parts": ONE_CYCLE})
def one_cycle_of_two_phases():
    return linear(4, 0.04, 1.0).then(linear(6, 1.0, 0.0))


@schedule_mutant("piecewise", PIECEWISE, "P42.built", "torch #185872", entry="31c")
def milestone_zero_has_no_rate(milestones, values):
    def rate(step):
        passed = sum(mark <= step for mark in milestones)
        periods = step // milestones[passed - 1] if passed else 0  # since the milestone before
        return values[passed] if periods >= 0 else values[0]

    return rate


@schedule_mutant("polynomial", {**COSINE, "power": 2.0}, "P35", "LBANN #1984", entry="33")
def polynomial_of_the_previous_rate(total_steps, power, end):
    def rate(step):
        return max(math.prod((1 - t / total_steps) ** power for t in range(1, min(int(step), total_steps) + 1)), end)

    return rate


WSD = {"warmup_steps": 10, "stable_steps": 0, "decay_steps": 30, "end": 0.0, "start": 0.0}


@schedule_mutant("warmup_stable_decay, cosine", WSD, "P38", "PaddleDetection #4611, fairchem #1967", entry="34")
def clock_runs_during_warmup(warmup_steps, stable_steps, decay_steps, end, start):
    decay = cosine(warmup_steps + stable_steps + decay_steps, end=end)
    return lambda step: warmup(warmup_steps, start=start)(step) if step < warmup_steps else decay(step)


@schedule_mutant("cosine", COSINE, "P37", "spd #642", entry="35a", also=_to_an_end)
def ends_at_t_minus_1(**arguments):
    row = next(row for row in SCHEDULES.values() if set(row.arguments) == set(arguments))
    return row.build(**{**arguments, "total_steps": arguments["total_steps"] - 1})


@schedule_mutant("", NONE, "P42.built", "lightly #1842", entry="35b", options={"total_steps": 10})
def step_warmup_and_total_are_one(total_steps=10):
    first = min(1, total_steps)
    return lambda step: step / 1 if step < first else (step - total_steps) / (first - total_steps)


@schedule_mutant("piecewise", PIECEWISE, "P37", "timm #2753", entry="35c")
def milestones_one_step_early(milestones, values):
    return piecewise([max(mark - 1, 0) for mark in milestones], values)


# Made so that every check is seen to fail
@schedule_mutant("cosine", COSINE, "P37", also=_to_an_end)
def ends_after_t(**arguments):
    row = next(row for row in SCHEDULES.values() if set(row.arguments) == set(arguments))
    return row.build(**{**arguments, "total_steps": arguments["total_steps"] + 1})


@schedule_mutant("cosine", COSINE, "P42")
def not_a_number_far_beyond_its_end(total_steps, end):
    return lambda step: math.nan if step > 10**9 else cosine(total_steps, end=end)(step)


@schedule_mutant("cosine", COSINE, "P42")
def refuses_without_words(total_steps, end):
    def rate(step):
        if np.any(np.asarray(step) > 10**9):
            raise ValueError
        return cosine(total_steps, end=end)(step)

    return rate


@schedule_mutant("cosine", COSINE, "P37")
def rises_again_past_its_end(total_steps, end):
    return lambda step: end + (1 - end) * (0.5 + 0.5 * math.cos(math.pi * step / total_steps))


@schedule_mutant("cosine", COSINE, "P37")
def rises_in_a_falling_phase(total_steps, end):
    return lambda step: cosine(total_steps, end=end)(step + 2 * (step == 7))


@schedule_mutant("cosine", COSINE, "P37", also=_to_an_end)
def half_as_much_again(**arguments):
    row = next(row for row in SCHEDULES.values() if set(row.arguments) == set(arguments))
    return lambda step: 1.5 * row.build(**arguments)(step)


@schedule_mutant("cosine", COSINE, "P35")
def slightly_wrong(total_steps, end):
    return lambda step: cosine(total_steps, end=end)(step) + (1e-9 if np.ndim(step) == 0 and step == 7 else 0.0)


@schedule_mutant("cosine", COSINE, "P35")
def reading_changes_it(total_steps, end):
    reads = [0]

    def rate(step):
        reads[0] += 1
        return cosine(total_steps, end=end)(step) * (1.0 if reads[0] < 30 else 0.5)

    return rate


@schedule_mutant("cosine", COSINE, "P35")
def array_in_float32(total_steps, end):
    def rate(step):
        found = cosine(total_steps, end=end)(step)
        return found if np.ndim(step) == 0 else found.astype(np.float32)

    return rate


@schedule_mutant("linear", {"total_steps": 20, "start": 1.0, "end": 0.0}, "P35.built")
def counts_in_float32(total_steps, start, end):
    """From 2^24 on it cannot tell a step from the next."""
    row = SCHEDULES["linear"]
    return lambda step: row.build(total_steps, start, end)(np.asarray(step, np.float32).astype(float)[()])


@schedule_mutant("linear", {"total_steps": 20, "start": 1.0, "end": 0.0}, "P35")
def counts_in_int32(total_steps, start, end):
    """From 2^31 on it begins again."""
    return lambda step: SCHEDULES["linear"].build(total_steps, start, end)(np.asarray(step) % 2**31)


@schedule_mutant("linear", {"total_steps": 9000, "start": 1.0, "end": 0.0}, "P35")
def one_step_is_odd(total_steps, start, end):
    """In the middle of a long schedule."""
    return lambda step: SCHEDULES["linear"].build(total_steps, start, end)(step) + 1e-9 * (np.asarray(step) == 4711)


@schedule_mutant("cosine", COSINE, "P39")
def one_step_ahead(total_steps, end):
    return lambda step: cosine(total_steps, end=end)(step + 1)


@schedule_mutant("", NONE, "P40", options={"total_steps": 40, "cycles": [10, 20, 10]})
def restarts_that_should_not_be():
    return cosine(10).repeat(4)


@schedule_mutant("", NONE, "P43", options={"total_steps": 10, "parts": [linear(4), cosine(6)]})
def parts_count_global_steps():
    return lambda step: linear(4)(step) if step < 4 else cosine(6)(step)


@schedule_mutant("", NONE, "P43.epochs", options={"total_steps": 10, "batches": 7})
def epochs_read_as_steps(total_steps=10):
    return cosine(10)
