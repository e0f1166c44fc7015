"""`check_schedule`: P35 to P42 on any function of the step, as a report.

With a row of `tinygrad_lr.schedules.SCHEDULES` and its arguments as specification every promise of that schedule is
checked; without one, what holds for any learning rate: the same value however it is read, finite and never negative.
Next: schedule_properties.py.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from tinygrad_lr.schedules import SCHEDULES

from . import arguments as checked
from . import schedule_properties as properties
from .arguments import TIMEOUT
from .check import NotApplicable
from .kit import name_of
from .outcomes import asked
from .report import Finding, Report
from .schedule_lines import ALIASES
from .schedule_reading import P0, Reading
from .schedules import UNIT, in_units_of


class Check(NamedTuple):
    """A property and how it is asked here; `run` raises PropertyViolation or NotApplicable, or gives a note or None."""

    id: str
    statement: str
    run: Callable[[], Any]


def check_schedule(
    schedule: Callable[[Any], Any],
    spec: str | None = None,
    *,
    total_steps: int | None = None,
    cycles: list[int] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    timeout: float | None = TIMEOUT,
    **arguments: Any,
) -> Report:
    """Check a learning-rate schedule.

    Args:
        schedule: `schedule(step)` gives the rate, or its factor, at a step (an int from 0). One that gives float32 is
            held to the roundings of float32.
        spec: a name that `tinygrad-lr explain` knows ("cosine", "polynomial", "wsd", ...), with its arguments; None:
            what holds for every schedule.
        total_steps: how long it runs, in steps; needed without a specification.
        cycles: the lengths, in steps, of the cycles after which it restarts.
        expected_failures: property id -> reason; strict.
        timeout: seconds a property may take.
        arguments: of the row, e.g. `power=2.0` or `end=0.0`.

    Returns:
        A `Report`.

    Raises:
        TypeError, ValueError: not callable, an unknown specification or argument, or no `total_steps`.

    Example:
        >>> check_schedule(lambda step: 1 - step / 10 if step < 10 else 0.0, "polynomial", total_steps=10).ok
        True
        >>> print(check_schedule(lambda step: 1 - step / 10, total_steps=12)["P37"].actual)
        -0.10000000000000009
    """
    if not callable(schedule):
        raise TypeError(f"a schedule is called with a step, got {type(schedule).__name__}")
    if not isinstance(cycles, (list, tuple, type(None))):
        raise TypeError(f"cycles must be a list of lengths in steps, got {cycles!r}")
    cycles = [checked.whole("the length of a cycle", each, 1) for each in cycles or ()]
    if spec is None:
        if arguments:
            raise TypeError(f"without a specification there is no argument {sorted(arguments)}")
        if total_steps is None:
            raise ValueError("total_steps must say how many steps to look at, at least 1, got None")
        reading = Reading(schedule, checked.whole("total_steps", total_steps, 1))
        checks, claim = list(_without(reading, total_steps)), "no formula"
    else:
        claim, given = _claimed(spec, total_steps, arguments)
        row = SCHEDULES[claim]
        row.build(**given)  # names what is wrong with its arguments
        promises = lambda: properties.spec_of(row, **given)  # noqa: E731
        reading = Reading(schedule, promises().total_steps or 1)
        checks = list(_with(reading, claim, promises))
    if cycles:
        checks.append(Check("P40", properties.PROPERTIES["P40"], lambda: _restarts(reading, cycles)))
    checks.insert(0, Check("P0", P0, reading.look))
    expected = checked.expectations(expected_failures, [check.id for check in checks])
    findings = asked(checks, finding_of, checked.seconds(timeout), expected)
    return Report(f"{name_of(schedule)} against {claim}", findings)


def _claimed(spec: str, total_steps: Any, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The row's name, and all of its arguments."""
    name = ALIASES.get(spec, spec)
    if name not in SCHEDULES:
        raise ValueError(f"expected one of {', '.join(map(repr, [*SCHEDULES, *ALIASES]))}, got {spec!r}")
    row = SCHEDULES[name]
    if total_steps is not None:
        arguments["total_steps"] = total_steps
    defaults = {p.name: p.default for p in inspect.signature(row.build).parameters.values() if p.default is not p.empty}
    given = {**{key: defaults[key] for key in row.arguments if key in defaults}, **arguments}
    if wrong := sorted(set(given) ^ set(row.arguments)):
        raise ValueError(f"{spec} takes {', '.join(row.arguments)}; missing or unknown: {', '.join(wrong)}")
    return name, given


def _with(reading: Reading, name: str, promises: Callable[[], properties.Spec]) -> Iterable[Check]:
    def ask(check: Callable[[Reading, properties.Spec], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with in_units_of(reading.unit):
                spec = promises()
                held: dict[str, Any] = {
                    end: reading.held(getattr(spec, end)) for end in ("first", "last", "low", "high")
                }
                held["tolerance"] = spec.tolerance * float(reading.unit / UNIT)
                return check(reading, spec._replace(**held))

        return run

    says = properties.PROPERTIES
    yield Check("P35", says["P35"], ask(_closed_form))
    yield Check("P37", says["P37"], ask(_range_and_ends))
    yield Check("P38", says["P38"], ask(_continuous))
    yield Check("P39", says["P39"], ask(lambda reading, spec: _cosine_sum(reading, name, spec)))
    degenerate = [0, 1, 10**6, 2**40]
    yield Check("P42", says["P42"], lambda: properties.check_degenerate(lambda: reading, degenerate))


def _closed_form(reading: Reading, spec: properties.Spec) -> str:
    properties.check_closed_form(reading, spec)
    return "" if reading.arrays else "not examined: array calls"


def _range_and_ends(reading: Reading, spec: properties.Spec) -> str:
    properties.check_range_and_ends(reading, spec)
    return reading.note


def _continuous(reading: Reading, spec: properties.Spec) -> None:
    if not spec.continuous:
        raise NotApplicable("this schedule declares that it is not continuous")
    if reading.whole:
        raise NotApplicable("it is read at whole steps alone, and P35 looks at those")
    properties.check_continuous(reading, spec)


def _cosine_sum(reading: Reading, name: str, spec: properties.Spec) -> None:
    if name != "cosine":
        raise NotApplicable(f"it speaks about cosine, not about {name}")
    if not spec.total_steps:
        raise NotApplicable("a cosine of no steps has an end alone")
    properties.check_cosine_sum(reading, spec.total_steps, spec.first, spec.last, spec.tolerance)


def _without(reading: Reading, total: int) -> Iterable[Check]:
    says = properties.PROPERTIES
    yield Check("P35", says["P35"], lambda: _read_in_any_order(reading, total))
    yield Check("P37", "a learning rate is finite and never negative", lambda: _a_rate(reading, total))


def _steps(total: int, limit: int = 20_000) -> tuple[list[int], str]:
    """All steps, or of very many some and what that leaves out."""
    if total <= limit:
        return list(range(total)), ""
    spread = sorted({total * part // limit for part in range(limit)} | {total - 1})
    return spread, f"not examined: all but {len(spread)} of {total} steps"


def _read_in_any_order(schedule: Any, total: int) -> str:
    steps, note = _steps(total)
    forwards = [schedule(step) for step in steps]
    backwards = [schedule(step) for step in reversed(steps)][::-1]
    for step, value, second in zip(steps, forwards, backwards, strict=True):
        if value != second and not (math.isnan(value) and math.isnan(second)):
            raise properties.violated("P35", step, f"{value!r} again when read backwards", repr(second))
    return note


def _restarts(schedule: Any, cycles: list[int]) -> None:
    """Every cycle but the first starts anew with the first rate; what comes after the last cycle is not looked at."""
    first, starts = schedule(0), list(accumulate(cycles[:-1]))
    for start in starts:
        if (value := schedule(start)) != first:
            raise properties.violated("P40", start, f"the restart value {first!r}", repr(value))


def _a_rate(schedule: Any, total: int) -> str:
    steps, note = _steps(total)
    for step in steps:
        value = schedule(step)
        if not math.isfinite(value) or value < 0:
            raise properties.violated("P37", step, "a finite rate of at least 0", repr(value))
    return note


def finding_of(check: Check) -> Finding:
    """What a check found, or why it does not apply."""
    try:
        note = check.run()
    except NotApplicable as reason:
        return Finding(check.id, check.statement, "not applicable", str(reason))
    except properties.PropertyViolation as violation:
        return Finding(check.id, check.statement, "failed", "", {"step": violation.step}, f"step {violation.step}",
                       str(violation.expected), str(violation.actual))  # fmt: skip
    return Finding(check.id, check.statement, "passed", note or "")
