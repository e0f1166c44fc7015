"""`check_schedule`: P35 to P40, P42 and P43 on any function of the step, as a report.

With a row of REFERENCES and its arguments as specification the schedule is held to it at every boundary; where the row
is one of ours too, every promise of that schedule is checked. Without a specification, what holds for any learning
rate: the same value however it is read, finite and never negative. Next: claims.py, ../properties/schedules.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from itertools import accumulate
from typing import Any

import numpy as np

from tinygrad_lr.integers import whole_number
from tinygrad_lr.reals import real_number

from ..adapters.schedules import ONE_BY_ONE, Adapted, adapt_schedule, library_of_schedule
from ..formulas.schedules import UNIT, exact, in_units_of
from ..guard import invoke
from ..kept import kept
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
    inside,
)
from ..protocol import NotApplicable
from ..report import Finding, Report, shortened
from ..search.answers import program_of_a_rate
from ..search.diagnose import nearest_wrong_schedule
from ..search.sources import source_of
from . import arguments as checked
from .arguments import name_of
from .claims import Claim, claim_of, name_of_claim

P0 = "It can be called with a step, an int from 0, and gives a number."
FAR = (10**6, 2**31 - 1, 2**31, 2**32, 2**40, 2**53)
# What a schedule may answer to a step beyond its end, besides a value: a table has none.
BEYOND = (ValueError, TypeError, LookupError, OverflowError)
OF_THE_FORMULA = ("P35", "P35.built")  # whose failures show the formula's lines
EVERY = 20_000  # so many steps are read one by one; with an array call, more
EVERY_IN_AN_ARRAY = 2**17


def check_schedule(
    schedule: Schedule | None = None,
    spec: str | None = None,
    *,
    total_steps: int | None = None,
    cycles: list[int] | None = None,
    parts: list[Any] | None = None,
    build: Callable[..., Schedule] | None = None,
    batches: int | None = None,
    base: float = 1.0,
    dialect: str | None = None,
    names: Mapping[str, Any] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    timeout: float | None = TIMEOUT,
    **arguments: Any,
) -> Report:
    """Check a learning-rate schedule.

    Args:
        schedule: `schedule(step)` gives the rate, or its factor, at a step (an int from 0); or a scheduler class of
            torch or timm, a schedule function of optax, a `get_..._schedule` of transformers, a schedule class of keras
            (adapters/schedules.py builds it with the arguments of the specification); None: what `build` builds.
            One that gives float32 is held to the roundings of float32.
        spec: a name that `tinygrad-lr explain` knows ("cosine", "polynomial", "one_cycle", ...), with its arguments;
            None: what holds for every schedule.
        total_steps: how long it runs, in steps; needed without a specification.
        cycles: the lengths, in steps, of the cycles after which it restarts; a specification is that of each cycle.
        parts: the schedules, with `total_steps`, that it joins one after another (P43).
        build: `build(total_steps=...)`, or with a specification all its arguments, gives a schedule: phases of no steps
            and of one are built, too (P42.built), and with a specification long ones and other ends (P35.built).
        batches: how many steps an epoch has; `build` must give the same schedule in epochs and in steps (P43.epochs).
        base: the base rate, where the schedule gives rates; 1: it gives factors of it.
        dialect: a library ("torch", "optax", "keras", "timm", "transformers") whose options of the specification hold.
        names: of a library's scheduler: {argument of the specification: the library's argument}, where these differ.
        expected_failures: property id -> reason; strict.
        timeout: seconds a property may take.
        arguments: of the specification, e.g. `power=2.0` or `end=0.0`, and its options; others are the library's own.

    Returns:
        A `Report`. Steps are told as the caller counts them, from 0.

    Raises:
        TypeError, ValueError: not callable, an unknown specification or argument, or no `total_steps`.

    Example:
        >>> check_schedule(lambda step: 1 - step / 10 if step < 10 else 0.0, "polynomial", total_steps=10).ok
        True
        >>> print(check_schedule(lambda step: 1 - step / 10, total_steps=12)["P37"].actual)
        -0.10000000000000009
        >>> check_schedule(lambda step: 0.1 * 0.5 ** (step // 30), "step", gamma=0.5, step_size=30, base=0.1).ok
        True
    """
    for name, value in {"schedule": schedule, "build": build}.items():
        if not (callable(value) or (value is None and (schedule or build))):
            raise TypeError(f"{name} must be callable (a schedule is called with a step), got {type(value).__name__}")
    lengths, base = checked_lengths(cycles), real_number("base", base, above=0)
    check_context(parts, build, batches)
    claim: Claim | None = None
    adapted: Adapted | None = None
    if spec is None:
        if total_steps is None:
            raise ValueError("total_steps must say how many steps to look at, at least 1, got None")
        length = whole_number("total_steps", total_steps, 1)
        given: dict[str, Any] = {"total_steps": length}
        if schedule is not None:
            adapted = adapt_schedule(schedule, None, arguments, base, names)
        if arguments and adapted is None:
            raise TypeError(f"without a specification there is no argument {sorted(arguments)}")
    else:
        if lengths and total_steps not in (None, sum(lengths)):
            raise ValueError(f"cycles= lasts {sum(lengths)} steps, and total_steps says {total_steps!r}")
        claim, own = _claim(schedule, spec, total_steps, lengths, arguments, base, dialect)
        if schedule is not None:
            adapted = adapt_schedule(schedule, claim.name, {**claim.given, **own}, base, names)
        if adapted is not None and adapted.chained:
            claim = claim_of(claim.name, claim.given, base, chained=True)
        given = {**claim.arguments, **claim.options}
        asked = whole_number("total_steps", total_steps or 0, 0)
        length = sum(lengths) or (asked if asked and claim.holds_from is None else max(claim.length, asked))
    if schedule is None:
        assert build is not None  # one of the two is given
        reading = Reading(built(build, given), length)
        title = name_of(build)
    else:
        reading = Reading(adapted or schedule, length)
        title = adapted.title if adapted else name_of(schedule)
    if claim is None:
        checks = list(_checks_of_any(reading, length, lengths))
    elif lengths:
        checks = list(_checks_of_cycles(reading, claim, lengths))
    else:
        reading.holds_from = claim.holds_from
        checks = list(
            _checks_of_row(reading, claim, length) if claim.row else _checks_of_reference(reading, claim, length)
        )
    checks += _checks_of_building(reading, claim, parts, build, batches, given)
    if adapted is not None and adapted.build is not None and claim is not None and not lengths and build is None:
        checks.append(_built_otherwise(reading, claim, adapted.build))
    checks.insert(0, Check("P0", P0, reading.probe))
    expected = checked.expectations(expected_failures, [check.id for check in checks])
    nearest = (lambda: _nearest(reading, claim)) if claim and not lengths else lambda: None

    def examine(check: Check) -> Finding:
        finding = finding_of(check, nearest)
        if finding.outcome != "failed":
            return finding
        lines = claim.lines if claim and finding.property_id in OF_THE_FORMULA else ()
        program = program_of_a_rate(finding, adapted or schedule, build, given, lines)
        return replace(finding, program=program.text, no_program=program.why_not, formula=lines)

    findings = run_checks(checks, examine, checked.seconds(timeout), expected)
    source = source_of(build if schedule is None else schedule)
    subject = f"{title} against {claim.title if claim else 'no formula'}"
    return Report(subject, findings, source, claim.name if claim else "")


def _claim(
    schedule: Any,
    spec: str,
    total_steps: int | None,
    cycles: list[int],
    arguments: dict[str, Any],
    base: float,
    dialect: str | None,
) -> tuple[Claim, dict[str, Any]]:
    """The claim, and those of the arguments that it does not know: a library's own."""
    name = name_of_claim(spec)
    reference = properties.reference_of(name)
    known = {*(reference.arguments or {}), *(reference.options or {})}
    given = {**reference.of_dialect(dialect), **{key: value for key, value in arguments.items() if key in known}}
    own = {key: value for key, value in arguments.items() if key not in known}
    if cycles:
        phases = [each for each, kind in (reference.arguments or {}).items() if kind in ("steps", "timescale")]
        if phases != ["total_steps"]:
            raise ValueError(f"cycles= wants a schedule of total_steps alone, and {name} has other phases or none")
        given["total_steps"] = cycles[0]
    elif total_steps is not None and "total_steps" in known:
        given["total_steps"] = total_steps
    if own and not library_of_schedule(schedule):
        given |= own  # an error that names them
    return claim_of(spec, given, base, bool(getattr(schedule, "chained", False))), own


def _bind(reading: Reading, check: Callable[[], Any]) -> Callable[[], Any]:
    """A check in the roundings of the schedule's precision."""

    def run() -> Any:
        with in_units_of(reading.unit):
            return check()

    return run


def _checks_of_row(reading: Reading, claim: Claim, length: int) -> Iterable[Check]:
    """One of ours: all of its promises. Steps beyond its end, or the length asked for, may be refused."""

    def bind(check: Callable[[Reading, properties.Spec], Any]) -> Callable[[], Any]:
        def run() -> Any:
            spec = claim.promises()
            ends = {end: getattr(spec, end) for end in ("first", "last", "low", "high")}
            rounded: dict[str, Any] = {end: reading.rounded(each) for end, each in ends.items() if each is not None}
            rounded["exact_ends"] = spec.exact_ends and reading.unit == UNIT
            rounded["tolerance"] = spec.tolerance * float(reading.unit / UNIT)
            return check(reading, spec._replace(**rounded))

        return _bind(reading, run)

    says = PROPERTIES

    def closed_form(reading: Reading, spec: properties.Spec) -> str:
        return _against(reading, claim, spec.total_steps or length, properties.steps_of(spec))

    def range_and_ends(reading: Reading, spec: properties.Spec) -> str:
        steps = reading.readable(properties.steps_of(spec))
        asked, refused, stop = _answered(reading, claim, steps, length)
        properties.check_range_and_ends(reading, spec, asked, stop if refused else math.inf)
        return "; ".join(note for note in (reading.note, refused) if note)

    yield Check("P35", says["P35"], bind(closed_form))
    yield Check("P37", says["P37"], bind(range_and_ends))
    yield Check("P38", says["P38"], bind(_continuous))
    yield Check("P39", says["P39"], bind(lambda reading, spec: _cosine_sum(reading, claim.name, spec)))
    if claim.holds_from is None:
        yield Check("P42", says["P42"], lambda: check_far(reading, length, _grows(claim)))
    else:
        yield Check("P42", says["P42"], lambda: check_degenerate(lambda: reading, reading.readable([0, 1, *FAR])))


def _checks_of_reference(reading: Reading, claim: Claim, length: int) -> Iterable[Check]:
    """A schedule that is none of ours, or with options: its formula at every boundary and beyond."""
    yield Check("P35", PROPERTIES["P35"], _bind(reading, lambda: _against(reading, claim, length)))
    if _never_negative(claim):
        yield Check("P37", A_RATE, lambda: _a_rate(reading, length))
    yield Check("P42", PROPERTIES["P42"], lambda: check_far(reading, length, _grows(claim)))


A_RATE = "a learning rate is finite and never negative"


def _never_negative(claim: Claim) -> bool:
    return all(float(claim.enclosure(step)[0]) > -1e-3 for step in claim.edges[:20])


def _grows(claim: Claim) -> bool:
    """Whether its rates are without a bound, so that none is finite far away."""
    return float(claim.enclosure(10**6)[1]) > 1e30


def _against(reading: Reading, claim: Claim, length: int, more: Iterable[int] = ()) -> str:
    """P35: the formula at every boundary and far beyond, then each step against the printed lines."""
    steps = reading.readable(sorted({*claim.steps(length, 200 if reading.every == EVERY else 50), *more}))
    steps, refused, stop = _answered(reading, claim, steps, length)
    spec = properties.Spec((0,), None, (0,), 0.0, 0.0, 0.0, 0.0, False, False, claim.enclosure)
    check_closed_form(reading, spec, steps)
    every = _every_step(reading, claim, min(length + 2, stop, reading.limit or length + 2))
    notes = [every, reading.array_note, reading.note, refused, _drift(reading, claim, steps)]
    return "; ".join(note for note in notes if note)


def _answered(reading: Reading, claim: Claim, steps: list[int], length: int) -> tuple[list[int], str, int]:
    """The steps without those beyond the end that the schedule refuses by a named error, and what that leaves out."""
    end = length if claim.holds_from is None else claim.holds_from
    found = [step for step in steps if step < end]
    for step in steps[len(found) :]:
        try:
            reading(step)
        except BEYOND as error:
            return found, f"not examined: steps from {step} on, which it refuses: {shortened(str(error), 80)}", step
        found.append(step)
    return found, "", 2**62


def _drift(reading: Reading, claim: Claim, steps: list[int]) -> str:
    """Of a chainable scheduler, how far its rates are from the closed form, which its roundings allow."""
    if not claim.chained:
        return ""
    closed = claim_of(claim.name, claim.given, claim.base)
    worst, where = 0.0, 0
    for step in steps:
        low, high = closed.enclosure(step)
        value = exact(reading(step))
        if (error := float(max(low - value, value - high))) > worst:
            worst, where = error, step
    return f"drifts: up to {worst:.2g} beyond the closed form at step {where}, as its roundings may" if worst else ""


def _every_step(reading: Reading, claim: Claim, length: int) -> str:
    """Each step of a schedule, or a spread of very many, against the printed lines; suspects against the enclosure."""
    limit = EVERY_IN_AN_ARRAY if reading.arrays else reading.every
    steps, note = _steps(length, limit)
    if length <= 200:
        return ""
    expected = claim.values(np.array(steps))
    if expected is None:
        suspects = steps[:: max(len(steps) // 2000, 1)]
    else:
        found = np.asarray(reading(np.array(steps)), float)
        slack = (64 * float(reading.unit) * (1 + claim.chained * length) + 1e-13) * np.maximum(
            np.abs(expected), claim.base
        )
        with np.errstate(invalid="ignore"):
            right = np.abs(found - expected) <= slack
        suspects = np.array(steps)[~right][:200].tolist()
    for step in suspects:
        low, high = claim.enclosure(step)
        if not inside(value := reading(step), low, high):
            raise ScheduleViolation("P35", step, f"a value in [{float(low)!r}, {float(high)!r}]", repr(value))
    return note


def _nearest(reading: Reading, claim: Claim) -> str | None:
    """The known bug that gives these rates, or the option with which they are right."""
    known = nearest_wrong_schedule(reading, claim.name, claim.arguments) if claim.row and claim.base == 1 else None
    return known or _right_with(reading, claim)


def _right_with(reading: Reading, claim: Claim) -> str | None:
    """The option, or the argument of words, with which the schedule is right."""
    kinds = {
        **(claim.reference.arguments or {}),
        **{k: kind for k, (kind, _) in (claim.reference.options or {}).items()},
    }
    try:
        with in_units_of(reading.unit):
            steps = reading.readable(claim.steps(claim.length))
            rates = [reading(step) for step in steps]
            if all(inside(rate, *claim.enclosure(step)) for step, rate in zip(steps, rates, strict=True)):
                return None  # what is wrong is not of these steps
            for name, kind in kinds.items():
                words = kind if isinstance(kind, tuple) else (True, False) if kind == "switch" else ()
                for word in words:
                    other = claim.having(**{name: word})
                    if word != claim.given[name] and all(
                        inside(rate, *other.enclosure(step)) for step, rate in zip(steps, rates, strict=True)
                    ):
                        return f"is right with {name}={word!r}"
    except Exception:  # what is checked may give and raise anything
        return None
    return None


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
    if spec.total_steps > 10**6:
        raise NotApplicable("more than a million steps; P35 looks at a spread of them")
    assert spec.first is not None  # which a cosine has
    properties.check_cosine_sum(reading, spec.total_steps, spec.first, spec.last, spec.tolerance)


def _checks_of_cycles(reading: Reading, claim: Claim, cycles: list[int]) -> Iterable[Check]:
    """With a specification of each cycle."""

    def each_cycle() -> str:
        check_each_cycle(reading, claim, cycles)
        return reading.array_note

    yield Check("P35", PROPERTIES["P35"], _bind(reading, each_cycle))
    yield from list(_checks_of_any(reading, sum(cycles), cycles))[1:]


def _checks_of_any(reading: Reading, total: int, cycles: list[int]) -> Iterable[Check]:
    says = PROPERTIES
    yield Check("P35", says["P35"], lambda: _read_in_any_order(reading, total))
    yield Check("P37", A_RATE, lambda: _a_rate(reading, total))
    if cycles:
        yield Check("P40", says["P40"], lambda: check_cycles(reading, cycles))
    yield Check("P42", says["P42"], lambda: check_far(reading, total))


def _steps(total: int, limit: int = EVERY) -> tuple[list[int], str]:
    """All steps, or of very many a spread and those where counts and precisions end, and what that leaves out."""
    if total <= limit:
        return list(range(total)), ""
    far = {step for step in properties.FAR_STEPS if step < total}
    spread = sorted({total * part // limit for part in range(limit)} | {total - 1} | far)
    return spread, f"not examined: all but {len(spread)} of {total} steps"


def _read_in_any_order(schedule: Reading, total: int) -> str:
    steps, note = _some(schedule, total)
    forwards = [schedule(step) for step in steps]
    backwards = [schedule(step) for step in reversed(steps)][::-1]
    for step, value, second in zip(steps, forwards, backwards, strict=True):
        if value != second and not (math.isnan(value) and math.isnan(second)):
            raise ScheduleViolation("P35", step, f"{value!r} again when read backwards", repr(second))
    return note


def _some(reading: Reading, total: int) -> tuple[list[int], str]:
    steps, note = _steps(total, reading.every)
    return reading.readable(steps), "; ".join(each for each in (note, reading.note) if each)


def _a_rate(schedule: Reading, total: int) -> str:
    steps, note = _some(schedule, total)
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
            {**violation.settings, "step": violation.step},
            violation.where,
            str(violation.expected),
            str(violation.actual),
            nearest_bug=nearest(),
        )
    return Finding(check.id, check.statement, "passed", note or "")


class Reading:
    """Calls a schedule and returns floats; finds out its precision, how far it counts, and whether it takes arrays."""

    def __init__(self, schedule: Schedule, total_steps: int) -> None:
        self._schedule, self._total = schedule, total_steps
        self.unit = UNIT
        """Half the distance from 1 to the next number of its precision."""
        self.note = ""
        self.every = EVERY
        """How many steps may be read one by one."""
        self.holds_from: int | None = None
        """The step from which the claim holds the end value, which then stands for steps that cannot be read."""

    def probe(self) -> None:
        """P0: raises where a step gives no number."""
        for step in sorted({0, min(1, max(self._total - 1, 0)), self._total // 2}):
            if self.limit is not None and step > self.limit:
                continue
            self._number(step)
            answer = self._schedule(step)
            dtype = np.asarray(answer).dtype
            if dtype.kind == "f":
                self.unit = max(self.unit, Fraction(float(np.finfo(dtype).eps)) / 2)
            if not isinstance(answer, (float, int, np.generic)) or getattr(self._schedule, "slow", False):
                self.every = EVERY // 10  # an array of another library takes long to make

    def __call__(self, step: Any) -> Any:
        if not isinstance(step, np.ndarray):
            return self._number(step)
        if self.arrays:
            return np.asarray(self._schedule(step))
        return np.array([self._number(int(s)) for s in step])

    @kept
    def limit(self) -> int | None:
        """The last step that it can count, or that is read one by one; None: there is none."""
        limit, why = getattr(self._schedule, "limit", None), getattr(self._schedule, "why", "")
        if limit is None:
            why = "which it cannot count"
            counted = 2**31 - 1
            for power in (31, 32, 53):
                try:
                    self._schedule(2**power)
                except OverflowError:
                    limit = counted
                    break
                except Exception:  # an error at this step is found where it is read
                    return None
                counted = 2**power
        if limit is not None:
            power = (limit + 1).bit_length() - 1
            count = f"2^{power}" if limit > 2**30 and limit + 1 == 2**power else str(limit + 1)
            self.note = f"not examined: steps from {count} on, {why}"
        return limit  # type: ignore[no-any-return]

    def readable(self, steps: Iterable[int]) -> list[int]:
        """Those of the steps that it can count."""
        return [step for step in steps if self.limit is None or step <= self.limit]

    def rounded(self, value: float) -> float:
        """A number, rounded to the schedule's precision."""
        return float(np.float32(value)) if self.unit == Fraction(1, 2**24) else value

    def _number(self, step: Any) -> float:
        if self.limit is not None and step > self.limit:
            if self.holds_from is None or self.holds_from > self.limit:
                raise NotApplicable(self.note)
            step = self.limit
        answer = invoke(lambda: self._schedule(step), self._schedule, "schedule(step)")
        if np.ndim(answer) == 0 and hasattr(answer, "__float__") and not np.iscomplexobj(answer):
            return float(answer)
        raise ScheduleViolation("P35", step, "a number", shortened(repr(answer), 80))

    @kept
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

    @kept
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


def check_cycles(schedule: Schedule, cycles: list[int]) -> None:
    """P40: every cycle starts with the first rate, and the rate comes back to it at no other step.

    Steps after the last cycle are not compared. A rate that stays what it was has not come back.
    """
    first, starts, total = float(schedule(0)), list(accumulate([0, *cycles[:-1]])), sum(cycles)
    after_one_step = {start for start, length in zip(starts[1:], cycles, strict=False) if length == 1}
    begins = set(starts)
    for step in _where_restarts_may_be(starts, cycles, total, getattr(schedule, "every", EVERY)):
        value, before = float(schedule(step)), float(schedule(step - 1))
        came_back = value == first and before != first
        if step in begins:
            if came_back or (value == first and step in after_one_step):
                continue
            expected = f"the restart value {first!r}" if value != first else f"a rate other than {first!r} just before"
        elif not came_back:
            continue
        else:
            expected = f"a rate other than {first!r}: no cycle begins"
        raise ScheduleViolation("P40", step, expected, repr(value), _in_cycle(starts, step))


def _where_restarts_may_be(starts: list[int], cycles: list[int], total: int, limit: int) -> list[int]:
    """All steps but 0; of very many the starts, the ends, multiples of each length, and a spread."""
    if total <= limit:
        return list(range(1, total))
    near = {start + shift for start in starts[:2000] for shift in (-1, 0, 1)}
    again = {start + n * length for start in starts[:30] for length in set(cycles[:30]) for n in range(1, 30)}
    spread = {total * part // (limit // 2) for part in range(limit // 2)}
    return sorted(step for step in near | again | spread if 0 < step < total)


def _in_cycle(starts: Sequence[int], step: int) -> str:
    """The cycle and the step in it, as one counts cycles (from 1) and steps (from 0)."""
    cycle = max(index for index, start in enumerate(starts) if start <= step)
    return f"cycle {cycle + 1}, its step {step - starts[cycle]}"


def check_each_cycle(schedule: Schedule, claim: Claim, cycles: list[int]) -> None:
    """P35: within each cycle the schedule is the claim's of the cycle's length, from its step 0."""
    starts = list(accumulate([0, *cycles[:-1]]))
    for start, length in zip(starts, cycles, strict=True):
        promises = claim.having(total_steps=length)
        spec = properties.Spec((0,), None, (0,), 0.0, 0.0, 0.0, 0.0, False, False, promises.enclosure)
        chosen = promises.steps(length) if length > 400 else range(length)
        try:
            check_closed_form(partial(_from, schedule, start), spec, [step for step in chosen if step < length])
        except ScheduleViolation as violation:
            step = violation.step + start
            raise violation.told(step, _in_cycle(starts, step)) from None


def _from(schedule: Schedule, start: int, step: Any) -> Any:
    return schedule(step + start)


def degenerate_arguments(claim: Claim) -> Iterator[dict[str, Any]]:
    """The arguments at the ends of what they may be: phases of no steps and of one, all of them, milestone 0."""
    kinds, arguments = claim.reference.arguments or {}, {**claim.arguments, **claim.options}
    phases = [name for name, kind in kinds.items() if kind == "steps"]
    for length in (0, 1):
        yield from ({**arguments, name: length} for name in phases)
        yield {**arguments, **dict.fromkeys(phases, length)}
    for name, kind in kinds.items():
        if kind == "timescale":
            yield {**arguments, name: 1}
        if kind == "milestones" and arguments[name]:
            yield {**arguments, name: [0, *arguments[name][1:]]}


def check_built(build: Callable[..., Reading], settings: list[dict[str, Any]]) -> None:
    """P42.built: what is built with each of these settings gives finite numbers or named errors."""
    for chosen in settings:
        lengths = [value for value in chosen.values() if isinstance(value, int) and not isinstance(value, bool)]
        around = {near for length in {*lengths, sum(lengths)} for near in (length - 1, length, length + 1) if near >= 0}
        steps = sorted({0, 1, 2, *around, *FAR})
        try:
            limit = build(**chosen).limit
        except Exception:  # which is found at the first step
            limit = None
        if limit is not None:
            steps = [step for step in steps if step <= limit]
        try:
            check_degenerate(partial(build, **chosen), steps)
        except ScheduleViolation as violation:
            raise violation.told(settings=chosen) from None


def check_built_otherwise(build: Callable[..., Reading], claim: Claim) -> str:
    """P35.built: with each length near powers of two and ten, and other ends and words, it is the closed form."""
    refused: list[str] = []
    count = 0
    for changes in claim.variations():
        other = claim.having(**changes)
        try:
            claim_of(other.name, other.given)
            reading = build(**other.given)
            reading.holds_from = other.holds_from
            reading(0)
        except (ValueError, TypeError, AssertionError, NotApplicable) as error:
            refused.append(f"{next(iter(changes.items()))}: {error}")
            continue
        edges = {edge + shift for edge in other.edges[:12] for shift in (-1, 0, 1)}
        some = {other.length * part // 5 for part in range(5)}
        most = 2000 if reading.limit == ONE_BY_ONE else 2**53
        steps = reading.readable(sorted(step for step in {*edges, *some, 2**31, 2**53} if 0 <= step <= most))
        for step in _answered(reading, other, steps, other.length)[0]:
            low, high = other.enclosure(step)
            value = reading(step)
            if not inside(value, low, high):
                expected = f"a value in [{float(low)!r}, {float(high)!r}]"
                raise ScheduleViolation("P35.built", step, expected, repr(value), settings=changes)
        count += 1
    if not count:
        raise NotApplicable(f"it is built with no other arguments: {shortened('; '.join(refused), 200)}")
    return f"not examined: {len(refused)} other settings, which it refuses" if refused else ""


def _built_otherwise(reading: Reading, claim: Claim, build: Callable[..., Schedule]) -> Check:
    def run() -> str:
        return check_built_otherwise(partial(_read, build), claim)

    return Check("P35.built", PROPERTIES["P35.built"], _bind(reading, run))


def check_far(schedule: Reading, total: int, grows: bool = False) -> None:
    """P42: at the first steps, around the end and far beyond it: a finite number or a named error, and no NaN."""
    check_degenerate(lambda: schedule, schedule.readable(sorted({0, 1, max(total - 1, 0)})))
    far = () if grows else FAR
    check_degenerate(lambda: schedule, schedule.readable([total, total + 1, *far]), BEYOND)


def built(build: Callable[..., Schedule], arguments: dict[str, Any]) -> Schedule:
    """The schedule that a factory builds at the first call, so that an error of the factory is a finding."""
    schedule = cache(lambda: build(**arguments))
    return lambda step: schedule()(step)


def _checks_of_building(
    reading: Reading,
    claim: Claim | None,
    parts: Any,
    build: Callable[..., Schedule] | None,
    batches: int | None,
    arguments: dict[str, Any],
) -> Iterable[Check]:
    """What is known of how a schedule came about: P42.built, P35.built, P43, P43.epochs."""
    if build is not None:
        few = [{"total_steps": n} for n in (0, 1, 2)] if claim is None else list(degenerate_arguments(claim))
        yield Check("P42.built", PROPERTIES["P42.built"], lambda: check_built(partial(_read, build), few))
        if claim is not None:
            yield _built_otherwise(reading, claim, lambda **given: build(**_without_defaults(claim, given)))
    if parts is not None:
        yield Check("P43", PROPERTIES["P43"], lambda: check_local_time(reading, parts))
    if build is not None and batches is not None:
        kinds = {"total_steps": "steps"} if claim is None else claim.reference.arguments or {}
        steps = {
            key: value
            for key, value in arguments.items()
            if kinds.get(key) in ("steps", "timescale") and value is not None
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


def _without_defaults(claim: Claim, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments without the options that are not set: a factory need not know those."""
    return {key: value for key, value in given.items() if key in claim.arguments or key in claim.options}


def _read(build: Callable[..., Schedule], **arguments: Any) -> Reading:
    return Reading(build(**arguments), 1)
