"""The checks are checked: every known bug is killed by the property that it names, and no honest variant is accused.

The cases are fixed (no hypothesis here): a sequence of each kind in both dtypes, with a missing gradient.
"""

import re

import numpy as np
import pytest
from optimizer_cases import KINDS, ROWS, informative, sequence, specification

from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.mutants import (
    CLIPPING_MUTANTS,
    DRIVER_MUTANTS,
    ENTRIES,
    GRADIENT_MUTANTS,
    MUTANTS,
    SCHEDULE_MUTANTS,
    WITHOUT,
)
from tinygrad_lr.verify.properties import PROPERTIES, Case, PropertyViolation, check_all
from tinygrad_lr.verify.protocol import NotApplicable
from tinygrad_lr.verify.search.diagnose import nearest_bug
from tinygrad_lr.verify.sequences import pad_shape
from tinygrad_lr.verify.specification import Specification


def fixed_cases(spec, kinds=KINDS, reference=None, dtypes=(np.float32, np.float64), shapes=((3,), (2, 4), ())):
    for dtype in dtypes:
        for number, kind in enumerate(kinds):
            rng = np.random.default_rng(number)
            chosen = [pad_shape(shape, spec.family.dimensions) for shape in shapes]
            chosen = chosen[:1] if spec.family.coupled else chosen
            params = [np.asarray(rng.normal(size=shape), dtype) for shape in chosen]
            columns = [sequence(kind, s, 6, 1.0, number, dtype, 1e-3) for s in chosen]
            gradients = [list(grads) for grads in zip(*columns, strict=True)]
            if len(chosen) > 1:
                gradients[2][1] = None
            yield Case(spec, params, gradients, reference)


def not_finite(spec, reference):
    """A case with an infinite gradient in its second step."""
    (case,) = fixed_cases(spec, ("normal",), reference, (np.float32,))
    case.gradients[1][0] = np.full(3, np.inf, np.float32)
    return case


def test_every_property_has_a_mutant_that_it_kills():
    assert {m.killed_by for m in MUTANTS.values()} == set(PROPERTIES)


@pytest.mark.sampled(one_in=3)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_killed_by_its_property_and_the_honest_formula_is_not(name):
    mutant = MUTANTS[name]
    spec, check, honest = mutant.spec, PROPERTIES[mutant.killed_by], mutant.honest()
    violations, answered = [], 0
    cases = [*fixed_cases(spec, reference=honest), not_finite(spec, honest)]
    for case in cases[:1] if check.cases else cases:
        if mutant.killed_by != "P18" and not all(
            np.isfinite(g).all() for grads in case.gradients for g in grads if g is not None
        ):
            continue
        try:
            check(honest, case)
            answered += 1
            if not violations:
                check(mutant.build(), case)
        except NotApplicable:  # P1 and P1.range share the cases
            continue
        except PropertyViolation as violation:
            violations.append(violation)
    assert violations, f"{mutant.killed_by} does not kill {name} ({mutant.seen_in})"
    assert answered > (check.cases is None)
    message = str(violations[0])
    assert violations[0].property_id == mutant.killed_by and check.statement in message
    assert all(part in message for part in ("where:", "expected:", "actual:", "error over bound:"))


CATALOGUES = (MUTANTS, SCHEDULE_MUTANTS, DRIVER_MUTANTS, GRADIENT_MUTANTS, CLIPPING_MUTANTS)


def test_every_entry_of_the_list_of_bugs_is_a_mutant_or_says_why_not():
    """Each numbered entry and part; the numbers go from 1 to 40, and parts from a on."""
    named = [mutant.entry for catalogue in CATALOGUES for mutant in catalogue.values() if mutant.entry]
    assert set(named) == set(ENTRIES)
    assert set(WITHOUT) <= set(ENTRIES)
    parts = {}
    for entry in ENTRIES:
        number, part = re.fullmatch(r"(\d+)([a-f]?)", entry).groups()
        parts.setdefault(int(number), []).append(part)
    assert list(parts) == list(range(1, 41))
    assert all(found == ([""] if len(found) == 1 else list("abcdef"[: len(found)])) for found in parts.values())
    for catalogue in CATALOGUES:
        for mutant in catalogue.values():
            issues = set(re.findall(r"#\d+", mutant.seen_in))
            if mutant.entry:
                assert mutant.seen_in and issues <= set(re.findall(r"#\d+", ENTRIES[mutant.entry])), mutant


# Whose steps on ordinary gradients are the formula's own, or NaN: nothing to recognise them by.
UNRECOGNISABLE = {
    "DecayAddedToTheCallersGradient": "what it spoils is the caller's",
    "NegatesTheCallersGradient": "what it spoils is the caller's",
    "StateIsAliased": "what it shares is memory",
    "ReadsGradientsAsContiguous": "what it misreads are strides, which P4 makes",
    "EmptyLastMeansNothingToDo": "the last parameter must be empty, which P5 adds",
    "LoadedStepInBfloat16": "the state must be loaded, at a step above 256",
    "StepSticksAt256": "it takes more than 256 steps",
    "SkipFlagNotPassed": "it is the formula, and what it should have been is not",
    "UnclampedVariance": "it is NaN where it is wrong, and what agrees in NaN alone is no agreement",
    "DecayAndStepAtEveryMicroBatch": "gradients must be accumulated, which P33.average does",
}


def recognised(mutant):
    """What the catalogue recognises in the mutant's own behaviour, on the first ordinary case on which it does."""
    cases = (
        *fixed_cases(mutant.spec, ("normal",)),
        *fixed_cases(mutant.spec, ("normal",), shapes=((3,), (3,))),
        *fixed_cases(mutant.spec, ("geometric", "near eps"), dtypes=(np.float64,)),
    )
    return next(filter(None, (nearest_bug(mutant.build(), case) for case in cases)), "")


def test_known_bugs_are_recognised_or_cannot_be_and_say_why():
    from_libraries = {name: mutant for name, mutant in MUTANTS.items() if mutant.seen_in}
    assert set(UNRECOGNISABLE) <= set(from_libraries)
    for name, mutant in from_libraries.items():
        found = recognised(mutant)
        assert bool(found) != (name in UNRECOGNISABLE), (name, found)
        assert not found or found.startswith("matches: ")
    assert recognised(MUTANTS["MuTwiceInTheProduct"]) == f"matches: {MUTANTS['MuTwiceInTheProduct'].named}"


def test_the_honest_formula_is_not_called_a_known_bug():
    for mutant in MUTANTS.values():
        for case in fixed_cases(mutant.spec, ("normal",), dtypes=(np.float32,)):
            assert nearest_bug(adapters.naive(mutant.formula), case) is None


def test_a_bug_is_named_in_every_family_that_may_have_it():
    """AdamW's decay without the rate, or dead, was named for SGD alone."""
    for formula, settings in (
        ("adamw", {}),
        ("adamax", {"decoupled_weight_decay": True}),
        ("sgd", {"decoupled_weight_decay": True}),
        ("muon", {}),
    ):
        spec = Specification(formula, {"lr": 0.1, "weight_decay": 0.2, **settings})
        shape = (2, 2) if formula == "muon" else (3,)
        (case,) = fixed_cases(spec, ("normal",), dtypes=(np.float64,), shapes=(shape, shape))
        for name in ("DecayIsDead", "DecayWithoutTheRate", "DecaysTheUpdatedTheta"):
            assert nearest_bug(MUTANTS[name].build(formula), case) == f"matches: {MUTANTS[name].named}", (formula, name)


def test_a_bug_is_named_with_its_source():
    mutant = MUTANTS["DecaysTheUpdatedTheta"]
    case = next(fixed_cases(mutant.spec))
    assert nearest_bug(mutant.build(), case) == "matches: decays the updated theta, transformers #14539"
    assert nearest_bug(lambda params, **settings: 1 / 0, case) is None
    assert MUTANTS["StepNeverIncremented"].what == "step never incremented"


def test_what_agrees_in_nan_alone_is_no_agreement():
    """v + (1 - beta2) (g^2 - v) is NaN after g^2 has overflowed, and so is the root of a negated second moment."""
    spec = Specification("adam", {"lr": 1e-3, "eps_placement": "outside"})
    gradients = [[np.array([2e19], np.float32)], [np.zeros(1, np.float32)]]
    case = Case(spec, [np.zeros(1, np.float32)], gradients)
    assert nearest_bug(MUTANTS["SquareOverflowsInADifference"].build(), case) is None
    ordinary = Case(spec, [np.zeros(1)], [[np.ones(1)], [np.full(1, 0.5)]])
    assert nearest_bug(MUTANTS["CorrectsTheStoredMoment"].build(), ordinary) is not None


@pytest.mark.parametrize(
    ("name", "settings", "steps"),
    [
        ("VarianceAroundTheMomentBefore", {"eps": 1e-16, "eps_root": 1e-16}, (-0.1,)),  # honest: -0.1111
        ("SquaresTheSignedSquare", {"eps": 1e-3}, (-0.1 * 0.1 / (np.sqrt(0.999e-6 + 1e-3) + 1e-3),)),
        ("NoTrustRatioWithoutDecay", {"momentum": 0.0}, (-0.1,)),
    ],
)
def test_a_mutant_is_the_real_bug(name, settings, steps):
    """By hand, from theta = 0 with g = 1 and lr = 0.1."""
    subject = MUTANTS[name].build()([np.zeros(1)], lr=0.1, **settings)
    for step in steps:
        before = subject.params[0].copy()
        subject.step([np.ones(1)])
        np.testing.assert_allclose(subject.params[0] - before, step, rtol=1e-12)


@pytest.mark.sampled(one_in=6, each=("name",))
@pytest.mark.parametrize(("name", "dialect", "variant"), ROWS)
def test_a_declared_dialect_is_not_accused(name, dialect, variant):
    spec = specification(name, dialect, variant)
    dtype = informative(spec, np.float32 if "weight_decay" in variant else np.float64)
    for case in fixed_cases(spec, ("normal", "near eps"), adapters.naive(name), [dtype]):
        outcomes = check_all(adapters.naive(name), case, own_cases=False)
        assert not {key: text for key, text in outcomes.items() if text.startswith("failed")}
        assert outcomes["P1"] == "passed"


@pytest.mark.parametrize(
    ("name", "claims", "is_really"),
    [
        ("adam", {"eps_placement": "inside"}, {"eps_placement": "outside"}),
        ("adam", {"eps_placement": "outside"}, {"eps_placement": "hat"}),
        ("adam", {"amsgrad": True, "amsgrad_form": "paper"}, {"amsgrad": True, "amsgrad_form": "torch"}),
        ("adam", {"amsgrad": True, "amsgrad_form": "torch"}, {"amsgrad": True, "amsgrad_form": "optax"}),
        ("rmsprop", {"eps_placement": "inside"}, {"eps_placement": "outside"}),
        ("adagrad", {"eps_placement": "outside"}, {"eps_placement": "inside"}),
        ("sgd", {"momentum": 0.9, "dampening": 0.5}, {"momentum": 0.9, "dampening": 0.5, "dampen_first_step": False}),
        ("sgd", {"momentum": 0.9}, {"momentum": 0.9, "lr_placement": "outside"}),
        ("rmsprop", {"momentum": 0.9}, {"momentum": 0.9, "lr_placement": "outside"}),
        ("adamw", {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": False}),
    ],
)
def test_one_dialect_that_claims_to_be_another_is_found_out(name, claims, is_really):
    common = {"lr": 0.1, **({} if name == "sgd" else {"eps": 1e-3})}
    honest = adapters.naive(name)

    def liar(params, **hyperparameters):
        return honest(params, **{**hyperparameters, **is_really})

    with pytest.raises(PropertyViolation, match="P1 is broken"):
        for case in fixed_cases(Specification(name, {**common, **claims})):
            PROPERTIES["P1"](liar, case)


class Bare:
    """The least protocol: no state, no groups."""

    def __init__(self, params, lr=0.1):
        self.params, self.lr = [p.copy() for p in params], lr

    def step(self, grads):
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                p -= p.dtype.type(self.lr) * g


def test_what_cannot_be_asked_is_reported_not_passed():
    case = next(fixed_cases(Specification("sgd", {"lr": 0.1})))
    outcomes = check_all(lambda params, **settings: Bare(params, settings["lr"]), case)
    for property_id in ("P6", "P8", "P9"):
        assert outcomes[property_id].startswith("not applicable: the subject has no")
    assert outcomes["P18"] == "not applicable: there is no other implementation to compare with; pass reference="
    assert outcomes["P13"].startswith("failed")  # Bare swallows maximize
    assert outcomes["P3"] == outcomes["P5"] == outcomes["P14"] == "passed"


def test_a_state_in_another_layout_is_reported():
    class Odd(Bare):
        def get_state(self):
            return [1, 2]

    case = next(fixed_cases(Specification("sgd", {"lr": 0.1})))
    with pytest.raises(NotApplicable, match="torch's layout"):
        PROPERTIES["P33"](lambda params, **settings: Odd(params), case)


def test_a_state_array_that_is_not_shown_is_not_examined():
    class Hidden(adapters.Naive):
        def get_state(self):
            return {"state": {i: {"step": s["step"]} for i, s in enumerate(self.state) if s}, "param_groups": []}

    case = next(fixed_cases(Specification("adagrad", {"lr": 0.1})))
    ratio = PROPERTIES["P1"](adapters.naive("adagrad", Hidden), case)
    assert ratio.note == "not examined: the state sum (no array of get_state() equals it; it shows step)"


def test_a_changed_shape_or_dtype_is_a_violation():
    class Widening(Bare):
        def step(self, grads):
            self.params = [p.astype(np.float64) for p in self.params]

    case = next(fixed_cases(Specification("sgd", {"lr": 0.1})))
    with pytest.raises(PropertyViolation, match="float64"):
        PROPERTIES["P10"](lambda params, **settings: Widening(params), case)


def test_specifications_refuse_what_they_do_not_know():
    with pytest.raises(ValueError, match="expected one of"):
        Specification("adamaxx")
    with pytest.raises(ValueError, match=r"no hyperparameter \['beta'\]"):
        Specification("adam", {"beta": 0.9})
    with pytest.raises(KeyError, match="needs a value for 'lr'"):
        Specification("adam")["lr"]


def test_adams_bound_is_not_asked_where_it_divides_by_zero():
    case = next(fixed_cases(Specification("adam", {"lr": 0.1, "betas": (0.5, 0.0)})))
    with pytest.raises(NotApplicable, match="beta2, which is 0"):
        PROPERTIES["P21"](adapters.naive("adam"), case)
