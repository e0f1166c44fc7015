"""P40, P42 and P43 of schedules that restart, that a factory builds, and that are joined: what schedules.py asks.

The basic checks stand in properties/schedules.py. Next: schedules.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import accumulate
from typing import Any, NamedTuple

from tinygrad_lr.schedules import Row

from ..formulas.schedules import UNIT
from ..properties.schedules import (
    PROPERTIES,
    TOLERANCE,
    check_closed_form,
    check_degenerate,
    check_epochs,
    check_local_time,
    spec_of,
    violated,
)
from . import arguments as checked
from .schedule_reading import Reading

FAR = (10**6, 2**40, 2**53)
# What a schedule may answer to a step beyond its end, besides a value: a table has none.
BEYOND = (ValueError, TypeError, LookupError, OverflowError)


class Check(NamedTuple):
    """A property and how it is asked here; `run` raises PropertyViolation or NotApplicable, or gives a note or None."""

    id: str
    statement: str
    run: Callable[[], Any]


def checked_lengths(cycles: Any) -> list[int]:
    """The lengths of cycles; none where there are none."""
    if not isinstance(cycles, (list, tuple, type(None))):
        raise TypeError(f"cycles must be a list of lengths in steps, got {cycles!r}")
    return [checked.whole("the length of a cycle", each, 1) for each in cycles or ()]


def check_context(parts: Any, build: Any, batches: Any) -> None:
    """Raise where what is said of how a schedule came about cannot be used."""
    if parts is not None and not (isinstance(parts, (list, tuple)) and parts and all(map(_is_part, parts))):
        raise TypeError(f"parts must be a list of schedules that have total_steps, got {parts!r}")
    if batches is not None:
        checked.whole("batches", batches, 1)
        if build is None:
            raise TypeError("batches= needs build=, which builds the schedule in epochs and in steps")


def _is_part(part: Any) -> bool:
    return callable(part) and isinstance(getattr(part, "total_steps", None), int)


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


def built(build: Any, arguments: dict[str, Any]) -> Callable[[Any], Any]:
    """What a factory builds, when it is first asked for a step: what it raises is a finding."""
    schedule = cache(lambda: build(**arguments))
    return lambda step: schedule()(step)


def of_building(
    reading: Reading, row: Row | None, parts: Any, build: Any, batches: int | None, arguments: dict[str, Any]
) -> Iterable[Check]:
    """What is known of how a schedule came about: P42.built, P43, P43.epochs."""
    if build is not None:
        few = [{"total_steps": n} for n in (0, 1, 2)] if row is None else list(degenerate_arguments(row, arguments))
        yield Check("P42.built", PROPERTIES["P42.built"], lambda: check_built(partial(_read, build), few))
    if parts is not None:
        yield Check("P43", PROPERTIES["P43"], lambda: check_local_time(reading, parts))
    if build is not None and batches is not None:
        steps = {
            key: value
            for key, value in arguments.items()
            if (row is None or row.arguments[key] in ("steps", "timescale")) and value is not None
        }
        longer = {**arguments, **{key: value * batches for key, value in steps.items()}}
        yield Check(
            "P43.epochs",
            PROPERTIES["P43.epochs"],
            lambda: check_epochs(
                _read(build, **arguments),
                _read(build, **longer),
                batches,
                sum(steps.values()),
                TOLERANCE * float(reading.unit / UNIT),
            ),
        )


def _read(build: Any, **arguments: Any) -> Reading:
    return Reading(build(**arguments), 1)
