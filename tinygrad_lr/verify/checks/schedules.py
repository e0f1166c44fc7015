"""`check_schedule`: P35 to P40, P42 and P43 on any function of the step, as a report.

With a row of `tinygrad_lr.schedules.SCHEDULES` and its arguments as specification every promise of that schedule is
checked. Without one, what holds for any learning rate: the same value however it is read, finite and never negative.
Next: properties/schedules.py.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cache, cached_property, partial
from itertools import accumulate
from typing import Any

import numpy as np

from tinygrad_lr.integers import whole_number
from tinygrad_lr.schedules import Row
from tinygrad_lr.schedules.table import row_of

from ..formulas.schedules import UNIT, in_units_of
from ..guard import invoke
from ..outcomes import TIMEOUT, Check, run_checks
from ..properties import schedules as properties
from ..properties.schedules import (
    PROPERTIES,
    TOLERANCE,
    Schedule,
    ScheduleViolation,
    check_closed_form,
    check_degenerate,
    check_epochs,
    check_local_time,
    spec_of,
)
from ..protocol import NotApplicable
from ..report import Finding, Report, shortened
from ..search.diagnose import nearest_wrong_schedule
from . import arguments as checked
from .arguments import name_of

P0 = "It can be called with a step, an int from 0, and gives a number."
FAR = (10**6, 2**40, 2**53)
# What a schedule may answer to a step beyond its end, besides a value: a table has none.
BEYOND = (ValueError, TypeError, LookupError, OverflowError)

_OF_AN_ENDLESS_ONE = 50  # steps that are read to find out how it can be read


def check_schedule(
    schedule: Schedule | None = None,
    spec: str | None = None,
    *,
    total_steps: int | None = None,
    cycles: list[int] | None = None,
    parts: list[Any] | None = None,
    build: Callable[..., Schedule] | None = None,
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
    lengths = checked_lengths(cycles)
    check_context(parts, build, batches)
    if spec is None:
        if arguments:
            raise TypeError(f"without a specification there is no argument {sorted(arguments)}")
        if total_steps is None:
            raise ValueError("total_steps must say how many steps to look at, at least 1, got None")
        row, given, claim = None, {"total_steps": whole_number("total_steps", total_steps, 1)}, "no formula"
        length = given["total_steps"]
    else:
        if lengths and total_steps not in (None, sum(lengths)):
            raise ValueError(f"cycles= lasts {sum(lengths)} steps, and total_steps says {total_steps!r}")
        row = row_of(spec)
        claim = row.name
        given = _all_arguments(row, spec, first_length(row, lengths) if lengths else total_steps, arguments)
        row.build(**given)  # names what is wrong with its arguments
        promised = properties.spec_of(row, **given).total_steps
        length = sum(lengths) or (_OF_AN_ENDLESS_ONE if promised is None else max(promised, 1))
    if schedule is None:
        assert build is not None  # one of the two is given
        schedule = built(build, given)
        title = name_of(build)
    else:
        title = name_of(schedule)
    reading = Reading(schedule, length)
    if row is None:
        checks = list(_checks_of_any(reading, length, lengths))
    else:
        checks = list(
            _checks_of_cycles(reading, row, lengths, given) if lengths else _checks_of_row(reading, row, given)
        )
    checks += _checks_of_building(reading, row, parts, build, batches, given)
    checks.insert(0, Check("P0", P0, reading.probe))
    expected = checked.expectations(expected_failures, [check.id for check in checks])
    nearest = (lambda: nearest_wrong_schedule(reading, claim, given)) if row and not lengths else lambda: None
    findings = run_checks(checks, lambda check: finding_of(check, nearest), checked.seconds(timeout), expected)
    return Report(f"{title} against {claim}", findings)


def _all_arguments(row: Row, spec: str, total_steps: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """What is given, with the row's defaults."""
    if total_steps is not None:
        arguments["total_steps"] = total_steps
    defaults = {p.name: p.default for p in inspect.signature(row.build).parameters.values() if p.default is not p.empty}
    given = {**{key: defaults[key] for key in row.arguments if key in defaults}, **arguments}
    if wrong := sorted(set(given) ^ set(row.arguments)):
        raise ValueError(f"{spec} takes {', '.join(row.arguments)}; missing or unknown: {', '.join(wrong)}")
    return given


def _checks_of_row(reading: Reading, row: Row, arguments: dict[str, Any]) -> Iterable[Check]:
    def bind(check: Callable[[Reading, properties.Spec], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with in_units_of(reading.unit):
                spec = properties.spec_of(row, **arguments)
                rounded: dict[str, Any] = {
                    end: reading.rounded(getattr(spec, end)) for end in ("first", "last", "low", "high")
                }
                rounded["tolerance"] = spec.tolerance * float(reading.unit / UNIT)
                return check(reading, spec._replace(**rounded))

        return run

    says = PROPERTIES
    yield Check("P35", says["P35"], bind(_closed_form))
    yield Check("P37", says["P37"], bind(_range_and_ends))
    yield Check("P38", says["P38"], bind(_continuous))
    yield Check("P39", says["P39"], bind(lambda reading, spec: _cosine_sum(reading, row.name, spec)))
    yield Check("P42", says["P42"], lambda: properties.check_degenerate(lambda: reading, [0, 1, *FAR]))


def _closed_form(reading: Reading, spec: properties.Spec) -> str:
    properties.check_closed_form(reading, spec)
    return reading.array_note


def _range_and_ends(reading: Reading, spec: properties.Spec) -> str:
    properties.check_range_and_ends(reading, spec)
    return reading.note


def _continuous(reading: Reading, spec: properties.Spec) -> None:
    if not spec.continuous:
        raise NotApplicable("this schedule declares that it is not continuous")
    if reading.whole_steps_only:
        raise NotApplicable("it is read at whole steps alone, and P35 looks at those")
    properties.check_continuous(reading, spec)


def _cosine_sum(reading: Reading, name: str, spec: properties.Spec) -> None:
    if name != "cosine":
        raise NotApplicable(f"it speaks about cosine, not about {name}")
    if not spec.total_steps:
        raise NotApplicable("a cosine of no steps has an end alone")
    properties.check_cosine_sum(reading, spec.total_steps, spec.first, spec.last, spec.tolerance)


def _checks_of_cycles(reading: Reading, row: Row, cycles: list[int], arguments: dict[str, Any]) -> Iterable[Check]:
    """With a specification of each cycle."""

    def each_cycle() -> str:
        with in_units_of(reading.unit):
            check_each_cycle(reading, row, cycles, arguments)
        return reading.array_note

    yield Check("P35", PROPERTIES["P35"], each_cycle)
    yield from list(_checks_of_any(reading, sum(cycles), cycles))[1:]


def _checks_of_any(reading: Reading, total: int, cycles: list[int]) -> Iterable[Check]:
    says = PROPERTIES
    yield Check("P35", says["P35"], lambda: _read_in_any_order(reading, total))
    yield Check("P37", "a learning rate is finite and never negative", lambda: _a_rate(reading, total))
    if cycles:
        yield Check("P40", says["P40"], lambda: check_cycles(reading, cycles))
    yield Check("P42", says["P42"], lambda: check_far(reading, total))


def _steps(total: int, limit: int = 20_000) -> tuple[list[int], str]:
    """All steps, or of very many some and what that leaves out."""
    if total <= limit:
        return list(range(total)), ""
    spread = sorted({total * part // limit for part in range(limit)} | {total - 1})
    return spread, f"not examined: all but {len(spread)} of {total} steps"


def _read_in_any_order(schedule: Schedule, total: int) -> str:
    steps, note = _steps(total)
    forwards = [schedule(step) for step in steps]
    backwards = [schedule(step) for step in reversed(steps)][::-1]
    for step, value, second in zip(steps, forwards, backwards, strict=True):
        if value != second and not (math.isnan(value) and math.isnan(second)):
            raise ScheduleViolation("P35", step, f"{value!r} again when read backwards", repr(second))
    return note


def _a_rate(schedule: Schedule, total: int) -> str:
    steps, note = _steps(total)
    for step in steps:
        value = schedule(step)
        if not math.isfinite(value) or value < 0:
            raise ScheduleViolation("P37", step, "a finite rate of at least 0", repr(value))
    return note


def finding_of(check: Check, nearest: Callable[[], str | None] = lambda: None) -> Finding:
    """What a check found, or why it does not apply."""
    try:
        note = check.run()
    except NotApplicable as reason:
        return Finding(check.id, check.statement, "not applicable", str(reason))
    except ScheduleViolation as violation:
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


class Reading:
    """Calls a schedule and returns floats; finds out its precision, and whether it takes arrays and fractions."""

    def __init__(self, schedule: Schedule, total_steps: int) -> None:
        self._schedule, self._total = schedule, total_steps
        self.unit = UNIT
        """Half the distance from 1 to the next number of its precision."""
        self.note = ""

    def probe(self) -> None:
        """P0: raises where a step gives no number."""
        for step in sorted({0, min(1, max(self._total - 1, 0)), self._total // 2}):
            self._number(step)
            dtype = np.asarray(self._schedule(step)).dtype
            if dtype.kind == "f":
                self.unit = max(self.unit, Fraction(float(np.finfo(dtype).eps)) / 2)

    def __call__(self, step: Any) -> Any:
        if not isinstance(step, np.ndarray):
            return self._number(step)
        if self.arrays:
            return np.asarray(self._schedule(step))
        return np.array([self._number(int(s)) for s in step])

    def rounded(self, value: float) -> float:
        """A number, rounded to the schedule's precision."""
        return float(np.float32(value)) if self.unit == Fraction(1, 2**24) else value

    def _number(self, step: Any) -> float:
        try:
            answer = invoke(lambda: self._schedule(step), self._schedule, "schedule(step)")
        except OverflowError:
            if step < 2**31:
                raise
            answer, self.note = self._schedule(2**31 - 1), "not examined: steps from 2^31 on, which it cannot count"
        if np.ndim(answer) == 0 and hasattr(answer, "__float__") and not np.iscomplexobj(answer):
            return float(answer)
        raise ScheduleViolation("P35", step, "a number", shortened(repr(answer), 80))

    @cached_property
    def arrays(self) -> bool:
        """Whether it is called with arrays too. Only in float64: XLA rounds an element of an array in another way."""
        if self.unit != UNIT:
            return False
        try:
            return np.shape(self._schedule(np.array([0, 1]))) == (2,)
        except Exception:  # single steps are what was promised
            return False

    @property
    def array_note(self) -> str:
        """What P35 says of array calls."""
        return "" if self.arrays else "not examined: array calls"

    @cached_property
    def whole_steps_only(self) -> bool:
        """Whether it takes whole steps only, or returns the same value until the next whole step."""
        steps = range(min(self._total, 50))
        try:
            between = [self._number(step + 0.25) for step in steps]
        except Exception:  # a list has no place 0.25
            return True
        values = [self._number(step) for step in steps]
        return between == values and len(set(values)) > 1


def checked_lengths(cycles: Any) -> list[int]:
    """The lengths of cycles; none where there are none."""
    if not isinstance(cycles, (list, tuple, type(None))):
        raise TypeError(f"cycles must be a list of lengths in steps, got {cycles!r}")
    return [whole_number("the length of a cycle", each, 1) for each in cycles or ()]


def check_context(parts: Any, build: Any, batches: Any) -> None:
    """Raise where what is said of how a schedule came about cannot be used."""
    if parts is not None and not (isinstance(parts, (list, tuple)) and parts and all(map(_is_part, parts))):
        raise TypeError(f"parts must be a list of schedules that have total_steps, got {parts!r}")
    if batches is not None:
        whole_number("batches", batches, 1)
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


def check_cycles(schedule: Schedule, cycles: list[int]) -> None:
    """P40: every cycle starts with the first rate, and neither the step before nor the one after has it.

    Steps after the last cycle are not compared.
    """
    first, starts = float(schedule(0)), set(accumulate([0, *cycles[:-1]]))
    near = {step for start in starts for step in (start - 1, start, start + 1) if 0 <= step < sum(cycles)}
    for step in sorted(near):
        value = float(schedule(step))
        if (value == first) != (step in starts):
            expected = f"the restart value {first!r}" if step in starts else f"a rate other than {first!r}"
            raise ScheduleViolation("P40", step, expected, repr(value))


def check_each_cycle(schedule: Schedule, row: Row, cycles: list[int], arguments: dict[str, Any]) -> None:
    """P35: within each cycle the schedule is the row's of the cycle's length, from its step 0."""
    for start, length in zip(accumulate([0, *cycles[:-1]]), cycles, strict=True):
        promises = spec_of(row, **{**arguments, "total_steps": length})
        chosen = {0, 1, length // 2, length - 1} if length > 400 else set(range(length))
        check_closed_form(partial(_from, schedule, start), promises, sorted(s for s in chosen if s < length))


def _from(schedule: Schedule, start: int, step: Any) -> Any:
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


def check_built(build: Callable[..., Schedule], settings: list[dict[str, Any]]) -> None:
    """P42.built: what is built with each of these settings gives finite numbers or named errors."""
    for chosen in settings:
        lengths = [value for value in chosen.values() if isinstance(value, int) and not isinstance(value, bool)]
        around = {near for length in {*lengths, sum(lengths)} for near in (length - 1, length, length + 1) if near >= 0}
        check_degenerate(partial(build, **chosen), sorted({0, 1, 2, *around, *FAR}))


def check_far(schedule: Schedule, total: int) -> None:
    """P42: at the first steps, around the end and far beyond it: a finite number or a named error, and no NaN."""
    check_degenerate(lambda: schedule, sorted({0, 1, max(total - 1, 0)}))
    check_degenerate(lambda: schedule, [total, total + 1, *FAR], BEYOND)


def built(build: Callable[..., Schedule], arguments: dict[str, Any]) -> Schedule:
    """The schedule that a factory builds at the first call, so that an error of the factory is a finding."""
    schedule = cache(lambda: build(**arguments))
    return lambda step: schedule()(step)


def _checks_of_building(
    reading: Reading,
    row: Row | None,
    parts: Any,
    build: Callable[..., Schedule] | None,
    batches: int | None,
    arguments: dict[str, Any],
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


def _read(build: Callable[..., Schedule], **arguments: Any) -> Reading:
    return Reading(build(**arguments), 1)
