"""The checks are checked: every known bug is killed by the property that it names, and no honest variant is accused.

The cases are fixed (no hypothesis here): a sequence of each kind in both dtypes, with a missing gradient.
"""

import numpy as np
import pytest
from optimizer_cases import KINDS, ROWS, sequence, specification

from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.check import NotApplicable
from tinygrad_lr.verify.diagnose import nearest_bug
from tinygrad_lr.verify.mutants import MUTANTS
from tinygrad_lr.verify.properties import PROPERTIES, Case, PropertyViolation, check_all
from tinygrad_lr.verify.specification import Specification


def fixed_cases(spec, kinds=KINDS, reference=None, dtypes=(np.float32, np.float64)):
    for dtype in dtypes:
        for number, kind in enumerate(kinds):
            shapes = [(3,), (2, 4), ()]
            rng = np.random.default_rng(number)
            params = [np.asarray(rng.normal(size=shape), dtype) for shape in shapes]
            columns = [sequence(kind, s, 6, 1.0, number, dtype, 1e-3) for s in shapes]
            gradients = [list(grads) for grads in zip(*columns, strict=True)]
            gradients[2][1] = None
            yield Case(spec, params, gradients, reference)


def test_every_property_has_a_mutant_that_it_kills():
    assert {m.killed_by for m in MUTANTS.values()} == set(PROPERTIES)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_killed_by_its_property_and_the_honest_formula_is_not(name):
    mutant = MUTANTS[name]
    spec, check = Specification(mutant.formula, mutant.settings), PROPERTIES[mutant.killed_by]
    honest = adapters.naive(mutant.formula)
    violations = []
    for case in fixed_cases(spec, reference=honest):
        check(honest, case)
        try:
            if violations:
                continue
            check(adapters.naive(mutant.formula, mutant.kind), case)
        except PropertyViolation as violation:
            violations.append(violation)
    assert violations, f"{mutant.killed_by} does not kill {name} ({mutant.seen_in})"
    message = str(violations[0])
    assert violations[0].property_id == mutant.killed_by and check.statement in message
    assert all(part in message for part in ("where:", "expected:", "actual:", "error over bound:"))


def recognised(mutant):
    """Whether the catalogue is recognised in the mutant's own behaviour, on some ordinary case."""
    for case in fixed_cases(mutant.spec, ("normal", "geometric"), dtypes=(np.float64,)):
        found = nearest_bug(mutant.build(), case)
        if found is not None:
            assert found.startswith("matches: ")
            return True
    return False


def test_known_bugs_are_recognised_and_the_honest_formula_is_not_called_one():
    from_libraries = {name: recognised(mutant) for name, mutant in MUTANTS.items() if mutant.seen_in}
    assert sum(from_libraries.values()) >= 0.6 * len(from_libraries), from_libraries
    for name in ("MaximumNeverStored", "DecaysTheUpdatedTheta", "OneStepForAll", "EmitsTheUpdateOfTheStepBefore"):
        assert from_libraries[name], name
    for mutant in MUTANTS.values():
        for case in fixed_cases(mutant.spec, ("normal",), dtypes=(np.float32,)):
            assert nearest_bug(adapters.naive(mutant.formula), case) is None


def test_a_bug_is_named_with_its_source():
    mutant = MUTANTS["DecaysTheUpdatedTheta"]
    case = next(fixed_cases(mutant.spec))
    assert nearest_bug(mutant.build(), case) == "matches: decays the updated theta, transformers #14539"
    assert nearest_bug(lambda params, **settings: 1 / 0, case) is None
    assert MUTANTS["StepNeverIncremented"].what == "step never incremented"


@pytest.mark.parametrize(("name", "dialect", "variant"), ROWS)
def test_a_declared_dialect_is_not_accused(name, dialect, variant):
    spec = specification(name, dialect, variant)
    dtype = np.float32 if "weight_decay" in variant else np.float64
    for case in fixed_cases(spec, ("normal", "near eps"), adapters.naive(name), [dtype]):
        outcomes = check_all(adapters.naive(name), case)
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


def test_a_missing_state_array_is_a_violation():
    class Hidden(adapters.Naive):
        def get_state(self):
            return {"state": {i: {"step": s["step"]} for i, s in enumerate(self.state) if s}, "param_groups": []}

    case = next(fixed_cases(Specification("adagrad", {"lr": 0.1})))
    with pytest.raises(PropertyViolation, match="an array named 'sum'"):
        PROPERTIES["P1"](adapters.naive("adagrad", Hidden), case)


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
