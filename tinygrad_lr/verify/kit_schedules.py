"""`check_schedule`: P35 to P40, P42 and P43 on any function of the step, as a report.

With a row of `tinygrad_lr.schedules.SCHEDULES` and its arguments as specification every promise of that schedule is
checked; without one, what holds for any learning rate: the same value however it is read, finite and never negative.
Next: schedule_properties.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.schedules import SCHEDULES

from . import registry
from . import schedule_building as building
from . import schedule_properties as properties
from .diagnose_more import nearest_wrong_schedule
from .kit import name_of
from .outcomes import against_expectation, timed
from .report import Finding, Report

TIMEOUT = 60.0


class Check(NamedTuple):
    """A property and how it is asked here; `run` raises PropertyViolation, or says nothing."""

    id: str
    statement: str
    run: Callable[[], None]
    reason: str = ""


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
        spec: a name in `tinygrad_lr.schedules.SCHEDULES` ("cosine", "polynomial", ...), with its arguments; None: what
            holds for every schedule.
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
    if not callable(schedule if build is None else build):
        raise TypeError(f"a schedule is called with a step, got {type(schedule if build is None else build).__name__}")
    if spec is None:
        if arguments:
            raise TypeError(f"without a specification there is no argument {sorted(arguments)}")
        if total_steps is None or total_steps < 1:
            raise ValueError(f"total_steps must say how many steps to look at, at least 1, got {total_steps!r}")
        arguments, claim = {"total_steps": total_steps}, "no formula"
        schedule = schedule or _built(build, arguments)
        checks = list(_without(schedule, total_steps, cycles))
    else:
        if spec not in SCHEDULES:
            raise ValueError(f"expected one of {', '.join(SCHEDULES)}, got {spec!r}")
        row, claim = SCHEDULES[spec], spec
        if cycles:
            total_steps = building.first_length(row, cycles)
        if total_steps is not None:
            arguments["total_steps"] = total_steps
        missing = [name for name in row.arguments if name not in arguments]
        known = _defaults(row)
        arguments = {**{name: known[name] for name in missing if name in known}, **arguments}
        wrong = sorted(set(arguments) ^ set(row.arguments))
        if wrong:
            raise ValueError(f"{spec} takes {', '.join(row.arguments)}; missing or unknown: {', '.join(wrong)}")
        schedule = schedule or _built(build, arguments)
        checks = list(_in_cycles(schedule, row, cycles, arguments) if cycles else
                      _with(schedule, spec, properties.spec_of(row, **arguments), arguments))  # fmt: skip
    checks += _of_building(schedule, spec, parts, build, batches, arguments)
    expected = dict(expected_failures or {})
    unknown = sorted(set(expected) - {check.id for check in checks})
    if unknown:
        raise ValueError(registry.unknown(unknown, [check.id for check in checks]))
    nearest = (lambda: nearest_wrong_schedule(schedule, spec, arguments)) if spec and not cycles else lambda: None
    findings = [timed(lambda check=check: finding_of(check, nearest), check, timeout) for check in checks]  # type: ignore[misc]
    return Report(f"{name_of(schedule)} against {claim}", [against_expectation(each, expected) for each in findings])


def _defaults(row: Any) -> dict[str, Any]:
    import inspect

    parameters = inspect.signature(row.build).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _with(schedule: Any, name: str, spec: Any, arguments: dict[str, Any]) -> Iterable[Check]:
    says = properties.PROPERTIES
    taking_arrays = _accepting_arrays(schedule)
    yield Check("P35", says["P35"], lambda: properties.check_closed_form(taking_arrays, spec))
    yield Check("P37", says["P37"], lambda: properties.check_range_and_ends(schedule, spec))
    reason = "" if spec.continuous else "this schedule declares that it is not continuous"
    yield Check("P38", says["P38"], lambda: properties.check_continuous(schedule, spec), reason)
    reason = "" if name == "cosine" else f"it speaks about cosine, not about {name}"
    yield Check("P39", says["P39"], lambda: properties.check_cosine_sum(
        schedule, arguments["total_steps"], spec.first, spec.last), reason)  # fmt: skip
    yield Check("P42", says["P42"], lambda: properties.check_degenerate(lambda: schedule, [0, 1, *building.FAR]))


def _in_cycles(schedule: Any, row: Any, cycles: list[int], arguments: dict[str, Any]) -> Iterable[Check]:
    """With a specification of each cycle."""
    says, total = properties.PROPERTIES, sum(cycles)
    taking = _accepting_arrays(schedule)
    yield Check("P35", says["P35"], lambda: building.check_each_cycle(taking, row, cycles, arguments))
    yield Check("P37", "a learning rate is finite and never negative", lambda: _a_rate(schedule, total))
    yield Check("P40", says["P40"], lambda: building.check_cycles(schedule, cycles))
    yield Check("P42", says["P42"], lambda: building.check_far(schedule, total))


def _of_building(
    schedule: Any, spec: str | None, parts: Any, build: Any, batches: int | None, arguments: dict[str, Any]
) -> Iterable[Check]:
    """What is known of how it came about: P42.built, P43, P43.epochs."""
    says = properties.PROPERTIES
    if build is not None:
        few = ({"total_steps": n} for n in (0, 1, 2)) if spec is None else building.degenerate_arguments(
            SCHEDULES[spec], arguments)  # fmt: skip
        yield Check("P42.built", says["P42.built"],
                    lambda: building.check_built(build, list(few)))  # fmt: skip
    if parts is not None:
        yield Check("P43", says["P43"], lambda: properties.check_local_time(schedule, parts))
    if build is not None and batches is not None:
        lengths = {name: value for name, value in arguments.items() if spec is None or
                   SCHEDULES[spec].arguments[name] == "steps"}  # fmt: skip
        longer = {name: value * batches for name, value in lengths.items()}
        yield Check("P43.epochs", says["P43.epochs"], lambda: properties.check_epochs(
            build(**arguments), build(**{**arguments, **longer}), batches, sum(lengths.values())))  # fmt: skip


def _built(build: Any, arguments: dict[str, Any]) -> Any:
    """What a factory builds, when it is first asked for a step: what it raises is a finding."""
    schedule = cache(lambda: build(**arguments))
    return lambda step: schedule()(step)


def _without(schedule: Any, total: int, cycles: list[int] | None) -> Iterable[Check]:
    says = properties.PROPERTIES
    yield Check("P35", says["P35"], lambda: _read_in_any_order(schedule, total))
    yield Check("P37", "a learning rate is finite and never negative", lambda: _a_rate(schedule, total))
    if cycles:
        yield Check("P40", says["P40"], lambda: building.check_cycles(schedule, cycles))
    yield Check("P42", says["P42"], lambda: building.check_far(schedule, total))


def _read_in_any_order(schedule: Any, total: int) -> None:
    steps = range(total)
    forwards = [float(schedule(step)) for step in steps]
    backwards = [float(schedule(step)) for step in reversed(steps)][::-1]
    for step, value, second in zip(steps, forwards, backwards, strict=True):
        if value != second and not (math.isnan(value) and math.isnan(second)):
            raise properties.violated("P35", step, f"{value!r} again when read backwards", repr(second))


def _a_rate(schedule: Any, total: int) -> None:
    for step in range(total):
        value = float(schedule(step))
        if not math.isfinite(value) or value < 0:
            raise properties.violated("P37", step, "a finite rate of at least 0", repr(value))


def _accepting_arrays(schedule: Any) -> Any:
    """The schedule itself, or for one that takes single steps only, one call for each."""
    try:
        answer = np.asarray(schedule(np.array([0, 1])))
        if answer.shape == (2,):
            return schedule
    except Exception:  # whatever it raises on an array, single steps are what was promised
        pass
    return lambda step: np.array([schedule(int(s)) for s in step]) if isinstance(step, np.ndarray) else schedule(step)


def finding_of(check: Check, nearest: Callable[[], str | None] = lambda: None) -> Finding:
    """What a check found, or why it does not apply."""
    if check.reason:
        return Finding(check.id, check.statement, "not applicable", check.reason)
    try:
        check.run()
    except properties.PropertyViolation as violation:
        return Finding(check.id, check.statement, "failed", "", {"step": violation.step}, f"step {violation.step}",
                       str(violation.expected), str(violation.actual), nearest_bug=nearest())  # fmt: skip
    return Finding(check.id, check.statement, "passed")
