"""Searches for an example on which a property fails: first fixed examples of every kind, then drawn ones.

A failing example is made small (evidence.py) and compared with the known bugs (diagnose.py). Next: examples.py.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..adapters.naive import naive
from ..execution import joined, nothing_missing, run
from ..formulas import FormulaError
from ..guard import AGNOSTIC, DIALECT_OPTIONS, accepted_names, guarded, is_refusal, told
from ..kept import kept
from ..outcomes import error_finding
from ..properties.rounding import as_little_as_rounding, computes_in_float64, only_rounds
from ..protocol import (
    PROPERTIES,
    Broken,
    Case,
    Claim,
    Maker,
    NoFormula,
    NotApplicable,
    Property,
    PropertyViolation,
    not_examined,
)
from ..report import Finding, compared, place_of, plain
from ..specification import Specification
from .evidence import example_with, made_small, plainest, settings_passed
from .examples import cases, fixed_cases, long_case, steps_for
from .programs import program_of, subject_of
from .shrink import CROWD
from .traits import LATE, OF_SOME, WHOSE, Traits


def _protocol(make: Maker, case: Case) -> None:
    run(case, make)


PROTOCOL = Property(
    "P0", "It can be built and stepped, and keeps the number, shapes and dtypes of its parameters.", _protocol
)


LACKS = "the formula itself does not have this property, on the same example"
IGNORED = "a failure that is inherited is left out, as was asked"
ITERATIONS = "the paper counts iterations, so that a parameter that starts late may start at the count of the others"
ROUNDED = 2.0**-20  # relative: what is left of a float64 after a float32 differs by less
AS_ROUNDING = "by no more than rounding may change the formula's step, which this rule's is not (P1)"
ROUNDING = "in rounding alone: each step on either side is the formula's, within the derived bound"


NO_ELEMENTS = "not examined: parameters without elements, which end a step with an error"


OF_MEMORY = ("P2", "P6", "P7", "P8", "P9")  # what is kept, shared, saved: no known bug of a step explains it
FEW = 100  # examples: so many are drawn once, and kept


class Search:
    """Searches for an example on which a property fails, first among fixed ones, then among drawn ones."""

    def __init__(
        self,
        make: Maker,
        fixed: Mapping[str, Any],
        claim: Claim,
        dtype: DTypeLike,
        seed: int,
        count: int,
        reference: Maker | None = None,
        reference_exact: bool = True,
        elementwise: bool | None = None,
        coupled: bool | None = None,
        ignore: Collection[str] = (),
    ) -> None:
        self.make, self.claim = guarded(make, claim, fixed, dtype), claim
        self.traits, self.ignore = Traits(claim, make, elementwise, coupled), frozenset(ignore)
        self.make.coupled = self.traits.coupled  # type: ignore[attr-defined]
        self.dtype, self.seed, self.count, self.settings = dtype, seed, count, fixed
        names = accepted_names(make)
        self.takes: Callable[[str], bool] = lambda name: names is None or name in names
        self.original: Any = make  # as the caller named it, for programs
        self.worst = 0.0  # the largest error over bound that P1 has seen
        self.knows_missing = getattr(make, "missing_gradients", True)
        self.reference = None if reference is None else guarded(reference, claim, fixed, dtype)
        self.reference_exact = reference_exact
        family = claim.family if isinstance(claim, Specification) else None
        self.least = max(getattr(make, "dimensions", 0), family.dimensions if family else 0)
        self.coupled = bool(family and family.coupled)
        self.notes: list[str] = []
        self._prepare()

    def _prepare(self) -> None:
        """Make the fixed cases; others are drawn when they are asked for."""
        self.few: list[Case] | None = None
        cases = fixed_cases(self.claim, self.dtype, self.seed, self.least, self.coupled)
        self.fixed = [self._complete(case) for case in cases]
        self.long = self._complete(long_case(self.claim, self.dtype, self.seed, self.least))

    def protocol(self) -> Finding:
        """P0: a subject can be built and stepped."""
        case, refused = self.fixed[0], ""
        problem = self.problem(PROTOCOL, case)
        at_first = self.least, problem
        for least in (1, 2):
            if _refuses(problem) and least > self.least:  # parameters of fewer dimensions
                if problem is not None:
                    refused = refused or (str(problem) if isinstance(problem, NotApplicable) else told(problem))
                self.least = least
                self._prepare()
                case = self.fixed[0]
                problem = self.problem(PROTOCOL, case)
        if refused and problem is not None and not isinstance(at_first[1], NotApplicable):  # it is not the dimensions
            self.least, problem = at_first
            self._prepare()
            case, refused = self.fixed[0], ""
        notes = [f"not examined: parameters of less than {self.least} dimensions; {refused}"] if refused else []
        if problem is not None and not isinstance(problem, NotApplicable) and self.knows_missing:
            whole = self._without_missing()
            if whole is None or isinstance(whole, NotApplicable):
                problem = whole
                notes.append("not examined: steps with a missing gradient, which it does not take; that is P10's")
        if problem is None:
            return Finding(PROTOCOL.id, PROTOCOL.statement, "passed", "; ".join(notes))
        if isinstance(problem, NotApplicable):
            return Finding(PROTOCOL.id, PROTOCOL.statement, "error", str(problem))
        return self._failed(PROTOCOL, case, problem)

    def _without_missing(self) -> Exception | None:
        """The problem where every gradient is given. Without one, no other property than P10 hands a missing one."""
        self.knows_missing = False
        self._prepare()
        problem = self.problem(PROTOCOL, self.fixed[0])
        if problem is not None and not isinstance(problem, NotApplicable):
            self.knows_missing = True
            self._prepare()
        return problem

    def _complete(self, case: Case) -> Case:
        """The case with the reference, and with zeros for missing gradients where the subject knows none."""
        case = replace(case, reference=self.reference, reference_exact=self.reference_exact)
        if self.knows_missing:
            return case
        here, filled = joined(case), []
        for grads, count in zip(case.gradients, here, strict=True):
            missing = [np.zeros_like(p) if g is None else g for g, p in zip(grads, case.params, strict=True)]
            filled.append([*missing[:count], *grads[count:]])
        return replace(case, gradients=filled)

    def examine(self, check: Property) -> Finding:
        """The finding of one property."""
        reasons: list[tuple[str, str]] = []
        answered, differs = False, None
        self.notes = []
        if reason := self.traits.reason_against(check):
            return Finding(check.id, check.statement, "not applicable", reason)
        for case, problem in self._problems(check):
            if isinstance(problem, NotApplicable):
                reasons.append((case.label, str(problem)))
            elif problem is None:
                answered = True
            elif not (reason := self._excuse(check, case, problem)):
                return self._failed(check, case, problem)
            elif differs is None:
                differs = case, problem, reason
        if differs is not None:
            return self._failed(check, *differs)
        if answered:
            self.notes += not_examined(reasons) if check.cases else []
            return Finding(check.id, check.statement, "passed", "; ".join(dict.fromkeys(self.notes)))
        return Finding(check.id, check.statement, "not applicable", reasons[0][1] if reasons else "no example applies")

    def _excuse(self, check: Property, case: Case, problem: Exception) -> str:
        """Why a broken property is no fault: not every rule has it, or rounding explains it; empty where it is one."""
        if not isinstance(problem, PropertyViolation) or problem.broken.always:
            return ""
        if isinstance(self.claim, NoFormula):
            try:
                must = self.traits.must_have(check, self.make, case)
            except Exception:  # what is checked may raise anything
                must = True
            return "" if must else LATE if check.id == "P10" else WHOSE.get(check.of, OF_SOME)
        if check.id == "P10" and case.spec.family.iterations:
            return ITERATIONS
        if not check.rounds:
            return ""
        if only_rounds(check, self.make, case):
            return ROUNDING
        return AS_ROUNDING if self._breaks_p1 and as_little_as_rounding(problem.broken, case) else ""

    def _problems(self, check: Property) -> Iterator[tuple[Case, Exception | None]]:
        if check.cases is not None:
            for case in check.own_cases(self.make, self.fixed[0]):
                yield self._asked(check, self._complete(case))
            return
        refused, chosen = 0, self.fixed[:1] if check.once else [*self.fixed, *self._longer(check)]
        for given in chosen:
            case, problem = self._asked(check, given)
            refused += isinstance(problem, NotApplicable)
            yield case, problem
        if refused < len(chosen) and not check.once:
            yield from self._drawn(check)

    def _longer(self, check: Property) -> list[Case]:
        """A long run, if the property wants one; for P2 a parameter long enough for threads, if make has them."""
        if check.long:
            return [self.long]
        size = getattr(getattr(self.make, "threads", None), "least_size", 0) if check.id == "P2" else 0
        if not size:
            return []
        first = self.fixed[0]
        shape = (size, *first.params[0].shape[1:])
        steps: list[list[Any]] = [[np.resize(np.asarray(grads[0]), shape)] for grads in first.gradients[:2]]
        return [replace(first, params=[np.resize(first.params[0], shape)], gradients=steps)]

    def _drawn(self, check: Property) -> list[tuple[Case, Exception | None]]:
        """The first problem among drawn cases, or nothing; a long search for P1 is driven by error over bound."""
        from hypothesis import target

        found: list[tuple[Case, Exception | None]] = []
        excused: list[tuple[Case, Exception | None]] = []

        def try_case(case: Case) -> None:
            if found:
                return
            ratios: list[float] = []
            case, problem = self._asked(check, case, ratios)
            if problem is not None and not isinstance(problem, NotApplicable):
                (excused if self._excuse(check, case, problem) else found).append((case, problem))
            elif self.count > FEW and ratios and np.isfinite(ratios[0]):
                target(ratios[0])

        if self.count > FEW:
            self._draw(try_case)
        else:
            if self.few is None:  # drawn once, for all properties: drawing takes as long as checking
                self.few = []
                self._draw(self.few.append)
            for case in self.few:
                try_case(case)
        return [*found, *excused[:1]]

    def _draw(self, use: Callable[[Case], None]) -> None:
        """Draw as many cases as were asked for."""
        from hypothesis import HealthCheck, Phase, settings
        from hypothesis import given as drawing
        from hypothesis import seed as seeded

        @seeded(self.seed)
        @settings(
            max_examples=max(self.count, 1),
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.target],
            suppress_health_check=list(HealthCheck),
        )
        @drawing(cases(self.claim, self.dtype, steps=steps_for(self.count), least=self.least, coupled=self.coupled))
        def try_case(case: Case) -> None:
            use(self._complete(case))

        if self.count:
            try_case()

    def _asked(self, check: Property, case: Case, ratios: list[float] | None = None) -> tuple[Case, Exception | None]:
        """The problem on one case. What is P5's or P10's alone, if they fail as well, is told by no other property:
        an error where a parameter has no elements, and what P1 finds only where gradients are missing."""
        case = self._wide(check, case)
        problem = self.problem(check, case, ratios)
        if check.id != "P5" and _is_error(problem) and not all(p.size for p in case.params) and self._needs_elements:
            case = case.part([i for i, p in enumerate(case.params) if p.size])
            self.notes.append(NO_ELEMENTS)
            problem = self.problem(check, case, ratios) if case.params else NotApplicable(NO_ELEMENTS)
        here = joined(case)
        missing = any(g is None for grads, count in zip(case.gradients, here, strict=True) for g in grads[:count])
        if (missing or case.late) and check.id.partition(".")[0] == "P1" and isinstance(problem, PropertyViolation):
            whole = nothing_missing(case)
            if isinstance(found := self.problem(check, whole), PropertyViolation):
                return whole, found
            if self._breaks_p10:
                self.notes.append("not examined: steps after a missing gradient, where P10 fails")
                return case, None
        return case, problem

    def _wide(self, check: Property, case: Case) -> Case:
        """The case in float64, where the formula's bound says nothing in its dtype and the optimizer computes so."""
        dtype = str(case.params[0].dtype) if case.params else ""
        if check.id.partition(".")[0] != "P1" or isinstance(self.claim, NoFormula) or not dtype:
            return case
        narrow = self.claim.family.narrow_in
        if dtype in narrow or "float64" not in narrow or not self._computes_in_float64:
            return case
        self.notes.append(f"asked in float64, as in {dtype} the derived bound says nothing")
        return replace(case.in_dtypes(np.float64), claimed=dtype)

    @kept
    def _computes_in_float64(self) -> bool:
        try:
            return computes_in_float64(self.make, self.fixed[0])
        except Exception:  # it refuses them, say
            return False

    @kept
    def _needs_elements(self) -> bool:
        """Whether a parameter without elements ends a step with an error."""
        found = [self.problem(PROPERTIES["P5"], case) for case in self.fixed]
        if not all(isinstance(each, NotApplicable) for each in found):
            return any(map(_is_error, found))
        p = self.fixed[0].params[0]  # P5 says nothing of rules for matrices
        try:
            for each in (np.ones_like(p), np.empty((0,) * p.ndim, p.dtype)):
                self.fixed[0].make(self.make, params=[each]).step([each.copy()])
        except Exception:  # what is checked may raise anything
            return each.size == 0
        return False

    @kept
    def _breaks_p1(self) -> bool:
        return any(isinstance(self.problem(PROPERTIES["P1"], case), PropertyViolation) for case in self.fixed)

    @kept
    def _breaks_p10(self) -> bool:
        return any(isinstance(self.problem(PROPERTIES["P10"], case), PropertyViolation) for case in self.fixed)

    def problem(self, check: Property, case: Case, ratios: list[float] | None = None) -> Exception | None:
        """What went wrong on one case: PropertyViolation, NotApplicable, or an error of the subject; None: nothing."""
        try:
            note = check.check_one(self.make, case)
            if isinstance(note, str):
                self.notes += [note] if note else []
            elif note is not None:
                self.worst = max(self.worst, note)
                self.notes += filter(None, [getattr(note, "note", "")])
                if ratios is not None:
                    ratios.append(note)
        except FormulaError as problem:  # P1 tells it; another may ask for shapes that the rule does not have
            return problem if check.id in ("P0", "P1", "P1.range") else NotApplicable(str(problem))
        except (Exception, PropertyViolation) as problem:
            return problem if not self._formula_lacks(check, case, problem) else NotApplicable(LACKS)
        return None

    def _formula_lacks(self, check: Property, case: Case, problem: Exception | PropertyViolation) -> bool:
        """Whether a formula of one's own fails on the same case: then the rule lacks the property."""
        own = isinstance(self.claim, Specification) and self.claim.family.own
        if not own or not isinstance(problem, PropertyViolation) or check.id.startswith("P1.") or check.id == "P1":
            return False
        try:
            check.check_one(guarded(naive(case.spec), self.claim, {}), case)
        except PropertyViolation:
            return True
        except Exception:
            return False
        return False

    def _failed(self, check: Property, case: Case, problem: Exception, excuse: str = "") -> Finding:
        """The finding of a case that fails: the plainest of the fixed ones, made small."""
        others = [] if check.once or check.cases else [self._wide(check, each) for each in self.fixed]
        case, problem = plainest(partial(self.problem, check), case, problem, others)
        case, problem = made_small(partial(self.problem, check), case, problem, self.claim)
        if not isinstance(problem, PropertyViolation):
            found = error_finding(check, problem, example_with(case, self.make, self.settings))
            program = program_of(check, self.make, case, subject_of(self.original, self.make, self.seed, self.settings))
            return replace(found, program=program.text, no_program=program.why_not)
        broken, dtype = problem.broken, case.params[0].dtype if case.params else self.dtype
        example, bug = broken.example, None
        if example is None:
            passed = settings_passed(lambda make: check.check_one(make, case), self.make)
            example = example_with(case, self.make, self.settings, passed)
            told = not (excuse or len(case.params) > CROWD or check.id.partition(".")[0] in OF_MEMORY)
            bug = self._nearest_bug(case) if told else None
        program = program_of(check, self.make, case, subject_of(self.original, self.make, self.seed, self.settings))
        kind, relative = compared(broken.expected, broken.actual, dtype)
        inherited = "" if excuse or check.id not in AGNOSTIC else self._inherited(check, case, broken)
        ignored = bool(inherited) and "inherited" in self.ignore
        return Finding(
            check.id,
            check.statement,
            "differs" if excuse else "ignored" if ignored else "failed",
            excuse or (IGNORED if ignored else "" if check.id in AGNOSTIC else self._left_out()),
            example,
            broken.what,
            plain(broken.expected),
            plain(broken.actual),
            broken.ratio,
            bug,
            place=place_of(broken.what),
            kind=kind,
            relative=relative,
            inherited=inherited,
            program=program.text,
            no_program=program.why_not,
            formula=() if isinstance(self.claim, NoFormula) or check.id in AGNOSTIC else tuple(case.spec.lines()),
        )

    def _inherited(self, check: Property, case: Case, broken: Broken) -> str:
        """The library's class from which a broken property is inherited: it breaks it in the same way on this case."""
        ancestors, where = getattr(self.make, "ancestors", None), broken.what
        # a state that loading rounds to the parameter's dtype may show in the parameter first
        rounds = check.id == "P9" and (compared(broken.expected, broken.actual, self.dtype)[1] or 1.0) < ROUNDED
        for each in ancestors() if ancestors else ():
            if each.decides(check.id):
                try:
                    check.check_one(guarded(each.make, self.claim, self.settings, self.dtype), case)
                except PropertyViolation as violation:
                    if rounds or _kind_of(violation.broken.what) == _kind_of(where):
                        return str(each.name)
                except Exception:  # another class may not take what this one takes
                    continue
        stops = check.id == "P9.count" and where.startswith(f"the step after {2**24}")  # torch's own type of counts
        return str(getattr(self.make, "inherited", {}).get(check.id, "")) if stops else ""

    def _left_out(self) -> str:
        """A note on hyperparameters that the formula has and make() does not take."""
        if isinstance(self.claim, NoFormula):
            return ""
        set_in_formula = {
            name: value
            for name, value in self.claim.hyperparameters.items()
            if value and not isinstance(value, str) and name not in DIALECT_OPTIONS
        }
        given = {name: value for name, value in set_in_formula.items() if not self.takes(name)}
        settings = ", ".join(f"{name} = {value!r}" for name, value in given.items())
        return f"make() takes no {' and no '.join(given)}: the formula has {settings}" if given else ""

    def _nearest_bug(self, case: Case) -> str | None:
        if isinstance(self.claim, NoFormula):
            return None
        from .diagnose import nearest_bug  # the known bugs take long to import, and most checks pass

        fixed = [each.in_dtypes(case.params[0].dtype) for each in self.fixed] if case.claimed else self.fixed
        return nearest_bug(self.make, case, fixed)


def _refuses(problem: Exception | None) -> bool:
    """Whether something is refused: when it is built, or in a step by an error that is raised there on purpose."""
    if problem is None or isinstance(problem, (NotApplicable, PropertyViolation, FormulaError)):
        return isinstance(problem, NotApplicable)
    last = traceback.extract_tb(problem.__traceback__)[-1:]
    return is_refusal(problem) and any((frame.line or "").startswith(("raise ", "assert ")) for frame in last)


def _kind_of(where: str) -> str:
    """What was compared, without the numbers of parameters, steps and elements."""
    return re.sub(r"\d+", "#", where.partition(", element")[0])


def _is_error(problem: Exception | None) -> bool:
    """Whether the subject raised what is no refusal."""
    return problem is not None and not isinstance(problem, (PropertyViolation, NotApplicable))
