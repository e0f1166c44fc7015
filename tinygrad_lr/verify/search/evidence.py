"""What is shown of a failure: the plainest of the failing examples, made small, with the settings that were used.

Next: shrink.py, diagnose.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, cast

from ..execution import LARGE, example_of, nothing_missing
from ..guard import ADVERTISED
from ..protocol import Case, Claim, Maker, NoFormula, NotApplicable, PropertyViolation, accepted_settings
from ..report import compared, place_of
from ..report.differences import LAST_BIT, SIZE
from ..specification import Specification
from .shrink import shrink

Problem = Callable[[Case], Exception | None]
SMALL, OTHERS = 100, 9  # elements of the fixed cases, and how many of them, among which the plainest is looked for
ANYONE_SEES = 0.01
FIRST, LATER = "(first)", "(later)"  # what `place_of` says of steps


class Shown(NamedTuple):
    """What a failing case shows: two cases show the same if `what` is equal."""

    what: tuple[str, ...]
    relative: float


def shown(problem: Exception, case: Case) -> Shown:
    """The place and the kind of a violation, and how large the difference is; of an error, its class."""
    if not isinstance(problem, PropertyViolation):
        return Shown((type(problem).__name__,), 1.0)
    broken = problem.broken
    kind, relative = compared(broken.expected, broken.actual, case.params[0].dtype if case.params else "float64")
    what = "numbers" if kind in (LAST_BIT, SIZE) else kind
    return Shown((place_of(broken.what), what), 1.0 if relative is None else relative)


def plainest(problem_of: Problem, case: Case, problem: Exception, others: Iterable[Case]) -> tuple[Case, Exception]:
    """The failing case with the largest relative difference: this one, or one of a few others that fail too.

    What differs in a first step is not exchanged for what differs later. Where this one has all gradients, the others
    are looked at with all of theirs: what lacks some may be P10's.
    """
    if not isinstance(problem, PropertyViolation) or problem.broken.example is not None:
        return case, problem
    best, whole = shown(problem, case), not _misses(case)
    small = [each for each in others if each is not case and all(p.size < SMALL for p in each.params)]
    few = [nothing_missing(each) if whole and _misses(each) else each for each in small[:OTHERS]]
    for other in few if best.what[-1] in ("numbers", "not finite") else []:
        found = problem_of(other)
        if not isinstance(found, PropertyViolation) or found.broken.example is not None:
            continue
        now = shown(found, other)
        needed = 2 * best.relative if best.what[-1] == "numbers" else ANYONE_SEES
        later = best.what[0].endswith(FIRST) and not now.what[0].endswith(FIRST)
        if now.what[-1] == "numbers" and now.relative > needed and not later:
            case, problem, best = other, found, now
    return case, problem


def _misses(case: Case) -> bool:
    """Whether a gradient is missing, or a parameter joins late."""
    return bool(case.late) or any(g is None for row in case.gradients for g in row)


def made_small(
    problem_of: Problem, case: Case, problem: Exception, claim: Claim | None = None
) -> tuple[Case, Exception]:
    """The case made small, which shows the same violation in the same kind of place, in the claim's settings if so."""
    if isinstance(problem, PropertyViolation) and problem.broken.example is not None:
        return case, problem
    if any(p.size >= LARGE for p in case.params):
        return case, problem
    held = shown(problem, case)

    def plainness(candidate: Case) -> float | None:
        """How large the difference is where it is the same; a first step may stand for a later one if as plain."""
        nonlocal held
        found = problem_of(candidate)
        if found is None or isinstance(found, NotApplicable):
            return None
        now = shown(found, candidate)
        if now.what != held.what:
            place, kind = now.what[0], now.what[1:]
            if (place.replace(FIRST, LATER), kind) != (held.what[0], held.what[1:]) or now.relative < held.relative:
                return None
            held = now
        held = held._replace(relative=max(held.relative, now.relative))
        return now.relative

    case = shrink(case, plainness, claimed=claim)
    return case, problem_of(case) or problem


def settings_passed(check: Callable[[Maker], Any], make: Maker) -> list[dict[str, Any]]:
    """The hyperparameters of each optimizer that a check builds, each different set once."""
    found: list[dict[str, Any]] = []

    def build(params: Any, **hyperparameters: Any) -> Any:
        if hyperparameters not in found:
            found.append(hyperparameters)
        return make(params, **hyperparameters)

    for name in ("takes", *ADVERTISED):
        setattr(build, name, getattr(make, name, None))
    with suppress(Exception):  # as it raised before
        check(build)
    return found


def example_with(
    case: Case, make: Maker, settings: Mapping[str, Any], passed: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """A case as plain numbers and lists, with the hyperparameters that were passed.

    Args:
        case: the parameters, the gradients of each step, and what else happens.
        make: takes some hyperparameters, which alone are shown.
        settings: passed to every optimizer.
        passed: what else was passed, to each optimizer that was built; by default the case's.
    """
    every = [accepted_settings(make, {**settings, **each}) for each in passed or [case.spec.hyperparameters]]
    first, *others = [each for i, each in enumerate(every) if each not in every[:i]]
    changes = [{name: value for name, value in each.items() if first.get(name) != value} for each in others]
    compared_with = {"compared_with": changes[0] if len(changes) == 1 else changes} if changes else {}
    example = example_of(replace(case, spec=cast(Specification, NoFormula(first))), lambda name: True)
    return {"hyperparameters": example.pop("hyperparameters"), **compared_with, **example}
