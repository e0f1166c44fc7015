"""`check_schedule`: P35 to P40, P42 and P43 on any function of the step, as a report.

With a row of `tinygrad_lr.schedules.SCHEDULES` and its arguments as specification every promise of that schedule is
checked; without one, what holds for any learning rate: the same value however it is read, finite and never negative.
Next: properties/schedules.py, schedule_building.py.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tinygrad_lr.schedules import Row
from tinygrad_lr.schedules.table import row_of

from ..formulas.schedules import UNIT, in_units_of
from ..outcomes import asked
from ..properties import schedules as properties
from ..protocol import NotApplicable
from ..report import Finding, Report
from ..search.diagnose_more import nearest_wrong_schedule
from . import arguments as checked
from . import schedule_building as building
from .arguments import TIMEOUT
from .optimizers import name_of
from .schedule_building import Check
from .schedule_reading import P0, Reading

_OF_AN_ENDLESS_ONE = 50  # steps that are read to find out how it can be read


def check_schedule(
    schedule: Callable[[Any], Any] | None = None,
    spec: str | None = None,
    *,
    total_steps: int | None = None,
    cycles: list[int] | None = None,
    parts: list[Any] | None = None,
    build: Callable[..., Any] | None = None,
    batches: int | None = None,
    expected_failures: Mapping[str, str] | None = None,
    timeout: float | None = TIMEOUT,
    **arguments: Any,
) -> Report:
    """Check a learning-rate schedule.

    Args:
        schedule: `schedule(step)` gives the rate, or its factor, at a step (an int from 0); None: what `build` builds.
            One that gives float32 is held to the roundings of float32.
        spec: a name that `tinygrad-lr explain` knows ("cosine", "polynomial", "wsd", ...), with its arguments; None:
            what holds for every schedule.
        total_steps: how long it runs, in steps; needed without a specification.
        cycles: the lengths, in steps, of the cycles after which it restarts; a specification is that of each cycle.
        parts: the schedules, with `total_steps`, that it joins one after another (P43).
        build: `build(total_steps=...)`, or with a specification all its arguments, gives a schedule: phases of no steps
            and of one are built, too (P42.built).
        batches: how many steps an epoch has; `build` must give the same schedule in epochs and in steps (P43.epochs).
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
    for name, value in {"schedule": schedule, "build": build}.items():
        if not (callable(value) or (value is None and (schedule or build))):
            raise TypeError(f"{name} must be callable (a schedule is called with a step), got {type(value).__name__}")
    lengths = building.checked_lengths(cycles)
    building.check_context(parts, build, batches)
    if spec is None:
        if arguments:
            raise TypeError(f"without a specification there is no argument {sorted(arguments)}")
        if total_steps is None:
            raise ValueError("total_steps must say how many steps to look at, at least 1, got None")
        row, given, claim = None, {"total_steps": checked.whole("total_steps", total_steps, 1)}, "no formula"
        length = given["total_steps"]
    else:
        if lengths and total_steps not in (None, sum(lengths)):
            raise ValueError(f"cycles= lasts {sum(lengths)} steps, and total_steps says {total_steps!r}")
        row = row_of(spec)
        claim = row.name
        given = _all_arguments(row, spec, building.first_length(row, lengths) if lengths else total_steps, arguments)
        row.build(**given)  # names what is wrong with its arguments
        promised = properties.spec_of(row, **given).total_steps
        length = sum(lengths) or (_OF_AN_ENDLESS_ONE if promised is None else max(promised, 1))
    asked_of = schedule if schedule is not None else building.built(build, given)
    reading = Reading(asked_of, length)
    if row is None:
        checks = list(_without(reading, length, lengths))
    else:
        checks = list(_in_cycles(reading, row, lengths, given) if lengths else _with(reading, row, given))
    checks += building.of_building(reading, row, parts, build, batches, given)
    checks.insert(0, Check("P0", P0, reading.look))
    expected = checked.expectations(expected_failures, [check.id for check in checks])
    nearest = (lambda: nearest_wrong_schedule(reading, claim, given)) if row and not lengths else lambda: None
    findings = asked(checks, lambda check: finding_of(check, nearest), checked.seconds(timeout), expected)
    return Report(f"{name_of(schedule if schedule is not None else build)} against {claim}", findings)


def _all_arguments(row: Row, spec: str, total_steps: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """What is given, with the row's defaults."""
    if total_steps is not None:
        arguments["total_steps"] = total_steps
    defaults = {p.name: p.default for p in inspect.signature(row.build).parameters.values() if p.default is not p.empty}
    given = {**{key: defaults[key] for key in row.arguments if key in defaults}, **arguments}
    if wrong := sorted(set(given) ^ set(row.arguments)):
        raise ValueError(f"{spec} takes {', '.join(row.arguments)}; missing or unknown: {', '.join(wrong)}")
    return given


def _with(reading: Reading, row: Row, arguments: dict[str, Any]) -> Iterable[Check]:
    def ask(check: Callable[[Reading, properties.Spec], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with in_units_of(reading.unit):
                spec = properties.spec_of(row, **arguments)
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
    yield Check("P39", says["P39"], ask(lambda reading, spec: _cosine_sum(reading, row.name, spec)))
    yield Check("P42", says["P42"], lambda: properties.check_degenerate(lambda: reading, [0, 1, *building.FAR]))


def _closed_form(reading: Reading, spec: properties.Spec) -> str:
    properties.check_closed_form(reading, spec)
    return reading.in_arrays_or_not


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


def _in_cycles(reading: Reading, row: Row, cycles: list[int], arguments: dict[str, Any]) -> Iterable[Check]:
    """With a specification of each cycle."""

    def each_cycle() -> str:
        with in_units_of(reading.unit):
            building.check_each_cycle(reading, row, cycles, arguments)
        return reading.in_arrays_or_not

    yield Check("P35", properties.PROPERTIES["P35"], each_cycle)
    yield from list(_without(reading, sum(cycles), cycles))[1:]


def _without(reading: Reading, total: int, cycles: list[int]) -> Iterable[Check]:
    says = properties.PROPERTIES
    yield Check("P35", says["P35"], lambda: _read_in_any_order(reading, total))
    yield Check("P37", "a learning rate is finite and never negative", lambda: _a_rate(reading, total))
    if cycles:
        yield Check("P40", says["P40"], lambda: building.check_cycles(reading, cycles))
    yield Check("P42", says["P42"], lambda: building.check_far(reading, total))


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


def _a_rate(schedule: Any, total: int) -> str:
    steps, note = _steps(total)
    for step in steps:
        value = schedule(step)
        if not math.isfinite(value) or value < 0:
            raise properties.violated("P37", step, "a finite rate of at least 0", repr(value))
    return note


def finding_of(check: Check, nearest: Callable[[], str | None] = lambda: None) -> Finding:
    """What a check found, or why it does not apply."""
    try:
        note = check.run()
    except NotApplicable as reason:
        return Finding(check.id, check.statement, "not applicable", str(reason))
    except properties.PropertyViolation as violation:
        return Finding(
            check.id,
            check.statement,
            "failed",
            "",
            {"step": violation.step},
            f"step {violation.step}",
            str(violation.expected),
            str(violation.actual),
            nearest_bug=nearest(),
        )
    return Finding(check.id, check.statement, "passed", note or "")
