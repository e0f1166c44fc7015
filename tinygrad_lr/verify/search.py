"""The search for an example on which a property fails: fixed ones of every kind, then drawn ones, made small.

What fails is made small (shrink.py) and compared with the catalogue of known bugs (diagnose.py). Next: examples.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .check import Broken, Case, Maker, NotApplicable, Property, PropertyViolation, follow, given
from .diagnose import nearest_bug
from .enclosed import enclosed
from .examples import cases, fixed_cases, long_case, steps_for
from .guard import Asked, guarded, taken
from .one_step import PARTS, expect_enclosed, looked_at, roundings_of, worst_ratio
from .outcomes import said
from .report import Finding, plain
from .shrink import shrunk
from .specification import Specification


def _protocol(make: Maker, case: Case) -> None:
    follow(case.make(make), case.gradients)


PROTOCOL = Property(
    "P0", "It can be built and stepped, and keeps the number, shapes and dtypes of its parameters.", _protocol
)


class Search:
    """Looks for an example on which a property fails, first among fixed ones, then among drawn ones."""

    def __init__(
        self, make: Any, fixed: Mapping[str, Any], claim: Specification | Asked, dtype: Any, seed: int, count: int,
        reference: Maker | None = None,
    ) -> None:  # fmt: skip
        self.make, self.claim, self.dtype, self.seed, self.count = (
            guarded(make, claim, fixed),
            claim,
            dtype,
            seed,
            count,
        )
        self.reference = guarded(reference, claim, fixed) if reference is not None else None
        names = taken(make)
        self.takes: Callable[[str], bool] = lambda name: names is None or name in names
        self.worst = 0.0  # the largest error over bound that P1 has seen
        self.knows_missing = getattr(make, "missing_gradients", True)
        family = claim.family if isinstance(claim, Specification) else None
        self.least = max(getattr(make, "dimensions", 0), family.dimensions if family else 0)
        self.coupled = bool(family and family.coupled)
        self.fixed = [self._complete(case) for case in fixed_cases(claim, dtype, seed, self.least, self.coupled)]
        self.long = self._complete(long_case(claim, dtype, seed, self.least))

    def protocol(self) -> Finding:
        """P0: a subject can be built and stepped."""
        try:
            follow(self.fixed[0].make(self.make), self.fixed[0].gradients)
        except NotApplicable as reason:
            return Finding(PROTOCOL.id, PROTOCOL.statement, "error", str(reason))
        except Exception as error:
            return Finding(PROTOCOL.id, PROTOCOL.statement, "error", said(error), example_of(self.fixed[0], self.takes))
        return Finding(PROTOCOL.id, PROTOCOL.statement, "passed")

    def _complete(self, case: Case) -> Case:
        """The case with its reference, and with zeros for missing gradients where the subject knows none."""
        case = replace(case, reference=self.reference)
        if self.knows_missing:
            return case
        filled: list[list[Any]] = [
            [np.zeros_like(p) if g is None else g for g, p in zip(grads, case.params, strict=True)]
            for grads in case.gradients
        ]
        return replace(case, gradients=filled)

    def look(self, check: Property) -> Finding:
        """The finding of one property."""
        reasons: list[str] = []
        answered = False
        for case, problem in self._problems(check):
            if isinstance(problem, NotApplicable):
                reasons.append(str(problem))
            elif problem is None:
                answered = True
            else:
                return self._failed(check, case, problem)
        if answered:
            return Finding(check.id, check.statement, "passed")
        return Finding(check.id, check.statement, "not applicable", reasons[0] if reasons else "no example applies")

    def _problems(self, check: Property) -> Iterator[tuple[Case, Exception | None]]:
        refused = 0
        for case in [*self.fixed, *([self.long] if check.long else [])]:
            problem = self.problem(check, case)
            refused += isinstance(problem, NotApplicable)
            yield case, problem
        if refused < len(self.fixed):
            yield from self._drawn(check)

    def _drawn(self, check: Property) -> list[tuple[Case, Exception | None]]:
        """The first problem among drawn cases, or nothing; for P1 the search is driven by error over bound."""
        from hypothesis import HealthCheck, Phase, settings, target
        from hypothesis import given as drawing
        from hypothesis import seed as seeded

        found: list[tuple[Case, Exception | None]] = []

        @seeded(self.seed)
        @settings(max_examples=max(self.count, 1), database=None, deadline=None, phases=[Phase.generate, Phase.target],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @drawing(cases(self.claim, self.dtype, steps=steps_for(self.count), least=self.least, coupled=self.coupled))
        def examine(case: Case) -> None:
            if found:
                return
            case = self._complete(case)
            ratios: list[float] = []
            problem = self.problem(check, case, ratios)
            if problem is not None and not isinstance(problem, NotApplicable):
                found.append((case, problem))
            elif ratios and np.isfinite(ratios[0]):
                target(ratios[0])

        if self.count:
            examine()
        return found

    def problem(self, check: Property, case: Case, ratios: list[float] | None = None) -> Exception | None:
        """What is wrong on one case: a PropertyViolation, NotApplicable, or whatever the subject raised."""
        try:
            if check.id in PARTS:
                ratio = formula_ratio(check, self.make, case)
                self.worst = max(self.worst, ratio)
                if ratios is not None:
                    ratios.append(ratio)
            else:
                check(self.make, case)
        except (Exception, PropertyViolation) as problem:
            return problem
        return None

    def _failed(self, check: Property, case: Case, problem: Exception) -> Finding:
        kind = type(problem)
        small = shrunk(case, lambda candidate: type(self.problem(check, candidate)) is kind)
        problem = self.problem(check, small) or problem
        example = example_of(small, self.takes)
        if not isinstance(problem, PropertyViolation):
            return Finding(check.id, check.statement, "error", said(problem), example)
        broken = problem.broken
        return Finding(
            check.id, check.statement, "failed", "", example, broken.what, plain(broken.expected), plain(broken.actual),
            broken.ratio, self._nearest_bug(small),
        )  # fmt: skip

    def _nearest_bug(self, case: Case) -> str | None:
        if isinstance(self.claim, Asked):
            return None
        return nearest_bug(self.make, case)


def formula_ratio(check: Property, make: Maker, case: Case) -> float:
    """P1, the largest error over bound; from a fresh state alone where the subject shows no state."""
    if not {str(p.dtype) for p in case.params} <= set(case.spec.family.narrow_in):
        raise NotApplicable(f"the derived bound is too wide to say anything in {case.params[0].dtype}; ask in float64")
    try:
        with np.errstate(all="ignore"):
            if getattr(case.make(make), "get_state", None) is not None:
                return worst_ratio(make, case, PARTS[check.id])
            return _free_run_ratio(make, case, PARTS[check.id])
    except Broken as broken:
        raise PropertyViolation(check.id, check.statement, broken) from None


def _free_run_ratio(make: Maker, case: Case, part: str) -> float:
    """Every step inside the enclosure of the formula's own run: its width grows, but a wrong first step is outside."""
    elements = looked_at(case, part)
    subject, worst = case.make(make), 0.0
    formulas = [enclosed(case.spec, p.dtype, roundings_of(case.spec)) for p in case.params]
    thetas = [formula.lift(p) for formula, p in zip(formulas, case.params, strict=True)]
    states = [formula.initial_state(p) for formula, p in zip(formulas, case.params, strict=True)]
    counts = [0] * len(thetas)
    for grads, wheres in zip(case.gradients, elements, strict=True):
        subject.step(given(grads))
        for i, (g, where) in enumerate(zip(grads, wheres, strict=True)):
            if g is not None:
                counts[i] += 1
                thetas[i], states[i] = formulas[i].step(thetas[i], g, states[i], counts[i])
            what = f"theta after step {counts[i]} of parameter {i}, from a fresh state"
            worst = max(worst, expect_enclosed(thetas[i], subject.params[i], what, where))
    return worst


def example_of(case: Case, takes: Callable[[str], bool]) -> dict[str, Any]:
    """A case as plain numbers and lists, with the hyperparameters that make() is asked for."""
    return {
        "hyperparameters": {key: value for key, value in case.spec.hyperparameters.items() if takes(key)},
        "dtypes": [str(p.dtype) for p in case.params],
        "params": [p.tolist() for p in case.params],
        "gradients": [[None if g is None else g.tolist() for g in grads] for grads in case.gradients],
    }
