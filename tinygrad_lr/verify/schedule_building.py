"""P40, P42 and P43 of schedules that restart, that a factory builds, and that are joined: what kit_schedules.py asks.

The basic checks stand in schedule_properties.py. Next: kit_schedules.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate
from typing import Any

from tinygrad_lr.schedules import Row

from .schedule_properties import check_closed_form, check_degenerate, spec_of, violated

FAR = (10**6, 2**40, 2**53)
# What a schedule may answer to a step beyond its end, besides a value: a table has none.
BEYOND = (ValueError, TypeError, LookupError, OverflowError)


def first_length(row: Row, cycles: list[int]) -> int:
    """The total_steps of the first cycle.

    Raises:
        ValueError: the row has no total_steps, or other phases.
    """
    if [name for name, kind in row.arguments.items() if kind == "steps"] != ["total_steps"]:
        raise ValueError(f"cycles= wants a schedule of total_steps alone, and {row.name} has other phases or none")
    return cycles[0]


def check_cycles(schedule: Callable[[Any], Any], cycles: list[int]) -> None:
    """P40: every cycle starts with the first rate, and neither the step before nor the one after has it.

    What comes after the last cycle is not looked at.
    """
    first, starts = float(schedule(0)), set(accumulate([0, *cycles[:-1]]))
    near = {step for start in starts for step in (start - 1, start, start + 1) if 0 <= step < sum(cycles)}
    for step in sorted(near):
        value = float(schedule(step))
        if (value == first) != (step in starts):
            expected = f"the restart value {first!r}" if step in starts else f"a rate other than {first!r}"
            raise violated("P40", step, expected, repr(value))


def check_each_cycle(schedule: Callable[[Any], Any], row: Row, cycles: list[int], arguments: dict[str, Any]) -> None:
    """P35: within each cycle the schedule is the row's of the cycle's length, from its step 0."""
    for start, length in zip(accumulate([0, *cycles[:-1]]), cycles, strict=True):
        promises = spec_of(row, **{**arguments, "total_steps": length})
        chosen = {0, 1, length // 2, length - 1} if length > 400 else set(range(length))
        check_closed_form(partial(_from, schedule, start), promises, sorted(s for s in chosen if s < length))


def _from(schedule: Callable[[Any], Any], start: int, step: Any) -> Any:
    return schedule(step + start)


def degenerate_arguments(row: Row, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The row's arguments at the ends of what they may be: phases of no steps and of one, all of them, milestone 0."""
    phases = [name for name, kind in row.arguments.items() if kind == "steps"]
    for length in (0, 1):
        yield from ({**arguments, name: length} for name in phases)
        yield {**arguments, **dict.fromkeys(phases, length)}
    for name, kind in row.arguments.items():
        if kind == "milestones" and arguments[name]:
            yield {**arguments, name: [0, *arguments[name][1:]]}


def check_built(build: Callable[..., Any], settings: list[dict[str, Any]]) -> None:
    """P42.built: what is built with each of these settings gives finite numbers or named errors."""
    for chosen in settings:
        lengths = [value for value in chosen.values() if isinstance(value, int) and not isinstance(value, bool)]
        around = {near for length in {*lengths, sum(lengths)} for near in (length - 1, length, length + 1) if near >= 0}
        check_degenerate(partial(build, **chosen), sorted({0, 1, 2, *around, *FAR}))


def check_far(schedule: Callable[[Any], Any], total: int) -> None:
    """P42: at the first steps, around the end and far beyond it: a finite number or a named error, and no NaN."""
    check_degenerate(lambda: schedule, sorted({0, 1, max(total - 1, 0)}))
    check_degenerate(lambda: schedule, [total, total + 1, *FAR], BEYOND)
