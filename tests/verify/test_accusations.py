"""Whom a property may accuse: what not every rule has, what is refused, what rounds, what is inherited.

Beside each honest optimizer stands one that is wrong, so that nothing passes by looking away.
"""

from dataclasses import replace

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.mutants import MUTANTS
from tinygrad_lr.verify.properties.one_step import formula_ratio
from tinygrad_lr.verify.properties.rounding import only_rounds
from tinygrad_lr.verify.protocol import PROPERTIES, Broken, Case, NotApplicable


def outcomes(make, claim, *properties, **more):
    report = verify.check_optimizer(make, claim, properties=list(properties), max_examples=0, **more)
    return {each.property_id: each for each in report.findings if each.property_id in properties}


def said(found):
    return {key: finding.outcome for key, finding in found.items()}


class Descent:
    """theta - lr g, with a decay that is folded into one factor."""

    times = 1.0

    def __init__(self, params, lr=0.1, weight_decay=0.0):
        self.params, self.lr, self.decay = params, lr, weight_decay

    def step(self, grads):
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                p[...] = p * p.dtype.type(1 - self.lr * self.decay * self.times) - p.dtype.type(self.lr) * g


class TwiceTheDecay(Descent):
    times = 2.0


@pytest.mark.parametrize(("cls", "outcome"), [(Descent, "passed"), (TwiceTheDecay, "failed")])
def test_a_decay_that_is_folded_into_one_factor_is_coupled(cls, outcome):
    claim = verify.spec("sgd", dialect="torch", lr=0.1, weight_decay=0.25)
    assert said(outcomes(cls, claim, "P1", "P31")) == {"P1": outcome, "P31": outcome}


class Matrices(Descent):
    """Says in a step that it wants matrices."""

    def step(self, grads):
        if any(p.ndim < 2 for p in self.params):
            raise ValueError("Matrices only supports parameters of two dimensions")
        super().step(grads)


class FaultyInVectors(Descent):
    def step(self, grads):
        for p in self.params:
            np.ones(3) + np.ones(3 if p.ndim > 1 else 2)  # NumPy's ValueError
        super().step(grads)


def test_dimensions_that_a_step_refuses_on_purpose_are_not_examined():
    report = verify.check_optimizer(Matrices, "sgd", max_examples=0, properties=["P1"])
    assert report.ok and "Matrices only" in report["P0"].reason
    report = verify.check_optimizer(FaultyInVectors, "sgd", max_examples=0, properties=["P1"])
    assert report["P0"].outcome == "error", "what breaks is no refusal"


class Refusing(Descent):
    """Refuses what is out of the ordinary by an error that says so."""

    def __init__(self, params, lr=0.1, weight_decay=0.0):
        if not lr > 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if any(p.ndim == 0 for p in params):
            raise NotImplementedError("parameters of no dimension")
        super().__init__(params, lr, weight_decay)


class RefusesItsOwn(Descent):
    def __init__(self, params, lr=0.1, weight_decay=0.0):
        raise ValueError("nothing is right")


def test_what_a_constructor_refuses_is_not_applicable_with_its_message():
    asked = {"hyperparameters": {"lr": 0.1}, "max_examples": 0, "properties": ["P4", "P5", "P11"]}
    found = verify.check_optimizer(Refusing, "sgd", **asked)
    assert [each.outcome for each in found.findings] == ["passed", "passed", "passed", "not applicable"]
    assert found["P11"].reason == "it refuses lr = 0.0: ValueError: Invalid learning rate: 0.0"
    assert "not examined: 0-d pieces (it refuses parameters" in found["P4"].reason
    assert "parameters of less than 1 dimensions" in found["P0"].reason
    refused = verify.check_optimizer(RefusesItsOwn, "sgd", hyperparameters={"lr": 0.1}, max_examples=0)
    assert refused["P0"].outcome == "error" and "nothing is right" in refused["P0"].reason


def test_none_is_not_handed_to_what_knows_no_missing_gradients():
    def make(params, lr=0.1):
        return Whole(params, lr)

    class Whole(Descent):
        def step(self, grads):
            assert all(g is not None for g in grads)
            super().step(grads)

    make.missing_gradients = False
    found = outcomes(make, "sgd", "P1", "P5", "P10", "P33", hyperparameters={"lr": 0.1})
    assert said(found) == {"P1": "passed", "P5": "passed", "P10": "not applicable", "P33": "not applicable"}
    assert "make.missing_gradients is False" in found["P10"].reason


class Counting(adapters.Naive):
    """Keeps counters among the hyperparameters of its group."""

    def step(self, grads):
        super().step(grads)
        for name in ("step", "k", "weight_sum"):
            self.groups[0][name] = self.groups[0].get(name, 0) + 1

    def update_all(self, grads):
        counters = {name: self.groups[0].pop(name) for name in ("step", "k", "weight_sum") if name in self.groups[0]}
        super().update_all(grads)
        self.groups[0].update(counters)


def test_counters_in_a_group_are_no_hyperparameters():
    assert said(outcomes(adapters.naive("sgd", Counting), "sgd", "P7")) == {"P7": "passed"}
    decays = MUTANTS["RateDecaysInTheGroup"]
    finding = outcomes(decays.build(), decays.spec, "P7")["P7"]
    assert finding.outcome == "failed" and finding.where == "hyperparameter lr of group 0 after the steps"


class Together(Descent):
    """The step is divided by the norm of all gradients of all parameters."""

    def step(self, grads):
        self.norm = getattr(self, "norm", 0.0) + sum(float(np.sum(g * g)) for g in grads if g is not None)
        super().step([None if g is None else np.asarray(g / g.dtype.type(1 + self.norm)) for g in grads])


class FirstRowOnly(Descent):
    """Updates the first shape[0] elements alone."""

    def step(self, grads):
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                count = p.shape[0] if p.ndim else 1
                p.reshape(-1)[:count] -= p.dtype.type(self.lr) * np.asarray(g).reshape(-1)[:count]


def test_without_a_formula_what_is_not_true_of_every_rule_differs():
    lamb = {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.0}
    asked = ("P2", "P3", "P4", "P15", "P16")
    found = outcomes(adapters.naive("lamb"), None, *asked, hyperparameters=lamb)
    assert said(found) == {"P2": "passed", **dict.fromkeys(asked[1:], "differs")}
    assert "elementwise=False says that this is meant" in found["P4"].reason and found["P4"].where
    named = outcomes(adapters.naive("lamb"), None, "P3", "P4", hyperparameters=lamb, elementwise=False)
    assert said(named) == dict.fromkeys(("P3", "P4"), "not applicable")
    accused = outcomes(adapters.naive("lamb"), None, "P4", hyperparameters=lamb, elementwise=True)
    assert said(accused) == {"P4": "failed"}


def test_what_kind_of_rule_it_is_is_found_out_where_nobody_says():
    rate = {"hyperparameters": {"lr": 0.1}}
    assert said(outcomes(Together, None, "P5", "P10", **rate)) == {"P5": "differs", "P10": "differs"}
    assert said(outcomes(Descent, None, "P10", coupled=False, **rate)) == {"P10": "passed"}
    found = outcomes(Together, None, "P5", "P10", coupled=True, **rate)
    assert said(found) == {"P5": "not applicable", "P10": "passed"} and "late parameters" in found["P10"].reason
    assert said(outcomes(FirstRowOnly, None, "P4", **rate)) == {"P4": "failed"}, "its elements are updated apart"


def test_a_parameter_that_moves_without_a_gradient_is_wrong_whatever_the_rule():
    class Drifts(Together):
        def step(self, grads):
            super().step([np.ones_like(p) if g is None else g for p, g in zip(self.params, grads, strict=True)])

    assert said(outcomes(Drifts, None, "P10", hyperparameters={"lr": 0.1})) == {"P10": "failed"}


class Blocks(Descent):
    """What stands behind the first two elements is rounded once more; `error`: and is wrong by so much."""

    error = 1.0

    def step(self, grads):
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                flat, rates = p.reshape(-1), np.full(p.size, p.dtype.type(self.lr))
                moved = np.asarray(flat - rates * np.asarray(g).reshape(-1))
                exact = (
                    flat.astype(float) - float(p.dtype.type(self.lr)) * np.asarray(g, float).reshape(-1) * self.error
                )
                moved[2:] = exact[2:].astype(p.dtype)  # one rounding in the place of two
                p[...] = moved.reshape(p.shape)


class WrongBlocks(Blocks):
    error = 1.001


@pytest.mark.parametrize(("cls", "outcome"), [(Blocks, "differs"), (WrongBlocks, "failed")])
def test_bits_that_depend_on_the_place_differ_where_each_is_a_right_rounding(cls, outcome):
    finding = outcomes(cls, "sgd", "P3", hyperparameters={"lr": 0.1})["P3"]
    assert finding.outcome == outcome
    assert ("in rounding alone" in finding.reason) == (outcome == "differs")


class BlocksOfAnotherRule(Blocks):
    """Takes steps of twice the length, everywhere."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, 2 * lr)


class WrongBlocksOfAnotherRule(BlocksOfAnotherRule):
    error = 1.001


@pytest.mark.parametrize(("cls", "outcome"), [(BlocksOfAnotherRule, "differs"), (WrongBlocksOfAnotherRule, "failed")])
def test_bits_that_depend_on_the_place_differ_too_where_the_rule_is_another(cls, outcome):
    found = outcomes(cls, "sgd", "P1", "P3", hyperparameters={"lr": 0.1})
    assert said(found) == {"P1": "failed", "P3": outcome}
    assert ("which this rule's is not (P1)" in found["P3"].reason) == (outcome == "differs")


@pytest.mark.parametrize("name", ["RMSprop", "Adam"])
def test_groups_with_other_flags_are_the_formula_where_torch_keeps_other_states_for_them(name):
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    found = outcomes(getattr(torch.optim, name), verify.spec(name.lower(), dialect="torch"), "P1.changes", "P9.whole")
    assert said(found) == {"P1.changes": "passed", "P9.whole": "passed"}


class KeysOfSeveralKinds(adapters.Naive):
    """Its second moment has another name and form, and what names a state is a number or a word, as in heavyball."""

    def update(self, i, g, hyperparameters):
        state = self.state[i]
        if "second" in state:
            state["exp_avg_sq"] = state.pop("second") ** 2
        super().update(i, g, hyperparameters)
        state = self.state[i]
        state["second"] = state.pop("exp_avg_sq") ** 0.5
        state[0], state["words"] = "is_initialised", ["update"]


@pytest.mark.parametrize("name", ["nadam", "qhadam"])
def test_a_state_whose_names_are_of_several_kinds_is_no_error_of_the_kit(name):
    found = verify.check_optimizer(adapters.naive(name, KeysOfSeveralKinds), verify.spec(name), max_examples=2).findings
    assert found[0].outcome == "passed"
    assert [str(each) for each in found if "tinygrad_lr.verify" in each.reason] == []


class NumbersAsFloats(adapters.Naive):
    """Keeps a state that is one number for all elements as a Python float, as pytorch_optimizer's LaProp does."""

    def update(self, i, g, hyperparameters):
        super().update(i, g, hyperparameters)
        self.state[i]["exp_avg_lr_1"] = float(np.ravel(self.state[i]["exp_avg_lr_1"])[0])


def test_whether_bits_differ_in_rounding_alone_is_asked_of_states_in_other_dtypes_too():
    start, gradient = np.full(3, 0.5, np.float32), np.array([-2.0, 1.0, 0.5], np.float32)
    case = Case(verify.spec("laprop", dialect="pytorch_optimizer"), [start], [[gradient], [-gradient], [gradient]])
    assert only_rounds(PROPERTIES["P3"], adapters.naive("laprop", NumbersAsFloats), case)


class Uncounted(adapters.Naive):
    """Shows a step for each parameter, and counts none."""

    def get_state(self):
        state = super().get_state()
        for entry in state["state"].values():
            entry["step"] = 0
        return state


def test_a_step_that_stays_0_is_no_count_of_updates():
    found = outcomes(adapters.naive("sgd", Uncounted), "sgd", "P9.count", "P33")
    assert said(found) == {"P9.count": "not applicable", "P33": "not applicable"}


class TakesAll(Descent):
    """Steps with every gradient alone."""

    def step(self, grads):
        super().step([g + 0 for g in grads])


class TakesNone(TakesAll):
    def step(self, grads):
        raise ArithmeticError("always")


def test_who_takes_no_missing_gradient_is_accused_of_that_alone():
    report = verify.check_optimizer(TakesAll, "sgd", properties=["P1", "P5", "P10"], max_examples=0)
    ended = {each.property_id: each.outcome for each in report.findings}
    assert ended == {"P0": "passed", "P1": "passed", "P5": "passed", "P10": "error"}
    assert report["P0"].reason == "not examined: steps with a missing gradient, which it does not take; that is P10's"
    assert verify.check_optimizer(TakesNone, "sgd", properties=["P1"])["P0"].outcome == "error"


class OfAll(adapters.Naive):
    """Has momentum for all groups together, and the rate for each."""

    def set_hyperparameters(self, **changes):
        if "momentum" in changes:
            raise NotApplicable("the momentum cannot be changed")
        super().set_hyperparameters(**changes)

    def add_group(self, params, **hyperparameters):
        kept = {key: value for group in self.groups[:1] for key, value in group.items() if key == "momentum"}
        super().add_group(params, **{**hyperparameters, **kept})


class OfNoGroup(OfAll):
    def add_group(self, params, **hyperparameters):
        kept = {key: value for group in self.groups[:1] for key, value in group.items() if key == "lr"}
        super().add_group(params, **{**hyperparameters, **kept})


@pytest.mark.parametrize(("kind", "outcome"), [(OfAll, "passed"), (OfNoGroup, "failed")])
def test_what_all_groups_have_together_is_not_asked_of_each(kind, outcome):
    claim = verify.spec("sgd", momentum=0.5)
    assert said(outcomes(adapters.naive("sgd", kind), claim, "P1.changes")) == {"P1.changes": outcome}


class Remembers(adapters.Naive):
    """Keeps a set of its parameters, and an object, beside the moments of each."""

    members = (0,)

    def get_state(self):
        state = super().get_state()
        for entry in state["state"].values():
            entry |= {"members": set(self.members), "object": object()}
        return state

    def set_state(self, state):
        own = {"members", "object"}
        kept = {i: {k: v for k, v in entry.items() if k not in own} for i, entry in state["state"].items()}
        super().set_state({**state, "state": kept})


class Forgets(Remembers):
    def set_state(self, state):
        super().set_state(state)
        self.members = ()


@pytest.mark.parametrize(("kind", "outcome"), [(Remembers, "passed"), (Forgets, "failed")])
def test_what_is_no_array_in_a_state_is_compared_by_its_value(kind, outcome):
    assert said(outcomes(adapters.naive("adam", kind), "adam", "P9")) == {"P9": outcome}


class Beside(adapters.Naive):
    """Keeps the number of iterations beside the parameters' states, as MADGRAD does."""

    def get_state(self):
        state = super().get_state()
        return {**state, "state": {**state["state"], "k": np.array([3]), "more": {"step": 5}}}


def test_what_stands_beside_the_parameters_states_is_nobodys_count():
    assert said(outcomes(adapters.naive("adam", Beside), "adam", "P9.count")) == {"P9.count": "passed"}


class Recomputed(adapters.Naive):
    """Computes where it started from where it is, and adds something to it."""

    wrong = 0.0

    def formula(self, spec, theta, g, state, t):
        moved = state["s"] / (np.cbrt(state["grad_sum_sq"]) + theta.dtype.type(spec["eps"]))
        theta, after = super().formula(spec, theta, g, {**state, "p0": theta + moved + self.wrong}, t)
        return theta, {**after, "p0": state["p0"]}


class WronglyRecomputed(Recomputed):
    wrong = np.float32(1e-3)


@pytest.mark.parametrize(("kind", "outcome"), [(Recomputed, "passed"), (WronglyRecomputed, "failed")])
def test_without_momentum_madgrad_may_compute_where_it_started(kind, outcome):
    claim = verify.spec("madgrad", momentum=0.0)
    assert said(outcomes(adapters.naive("madgrad", kind), claim, "P1")) == {"P1": outcome}


def test_d_adaptation_scales_by_the_first_gradient_that_is_not_zero():
    claim = verify.spec("dadapt_sgd", lr=1.0, initial_distance=1e-2, momentum=0.0)
    theta, state = claim.step(np.zeros(1), np.zeros(1), claim.initial_state(np.zeros(1)), 1)
    assert theta == 0
    assert claim.step(theta, np.full(1, 5.0), state, 2)[0] == -1e-2


class OneAfterAnother(adapters.Naive):
    """Subtracts the two parts of Adan's step one after another, as its authors do."""

    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        (beta1, beta2, beta3), one = spec["betas"], theta.dtype.type
        below = np.sqrt(after["exp_avg_sq"]) / one(np.sqrt(1 - beta3**t)) + one(spec["eps"])
        theta = theta - after["exp_avg"] / below * one(spec["lr"] / (1 - beta1**t))
        return theta - after["exp_avg_diff"] / below * one(spec["lr"] * beta2 / (1 - beta2**t)), after


def test_adans_two_parts_may_be_subtracted_one_after_another():
    claim = verify.spec("adan", dialect="authors")
    found = outcomes(adapters.naive("adan", OneAfterAnother), claim, "P1", "P1.dtypes")
    assert said(found) == {"P1": "passed", "P1.dtypes": "passed"}


def test_a_hyperparameter_of_no_known_meaning_may_matter_elsewhere():
    class Warm(Descent):
        def __init__(self, params, lr=0.1, warmup=7, momentum=0.9):
            super().__init__(params, lr)

    known, unknown = ({"lr": 0.1, name: value} for name, value in (("momentum", 0.9), ("warmup", 7)))
    assert said(outcomes(Warm, None, "P17", hyperparameters=unknown)) == {"P17": "differs"}
    assert said(outcomes(Warm, None, "P17", hyperparameters=known)) == {"P17": "failed"}


def test_what_torchs_base_class_does_is_inherited_and_what_a_class_adds_is_its_own():
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")

    class Zeroes(torch.optim.Adam):
        def load_state_dict(self, state):
            super().load_state_dict(state)
            for each in self.state.values():
                each["exp_avg"].zero_()

    claim = verify.spec("adam", dialect="torch")
    found = {**outcomes(Zeroes, claim, "P8", "P9", ignore={"inherited"}), **outcomes(Zeroes, claim, "P9.count")}
    assert said(found) == {"P8": "ignored", "P9": "failed", "P9.count": "failed"}, "nothing is left out unasked"
    assert [found[key].inherited for key in found] == ["torch.optim.Optimizer", "", "torch.optim.Adam"]


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"ignore": "inherited"}, TypeError, "ignore must be a set"),
        ({"ignore": {"P8"}}, ValueError, "ignore knows inherited, got 'P8'"),
        ({"elementwise": 1}, TypeError, "elementwise"),
    ],
)
def test_wrong_arguments_are_named(settings, kind, message):
    with pytest.raises(kind, match=message):
        verify.check_optimizer(Descent, "sgd", hyperparameters={"lr": 0.1}, **settings)


class TestHints:
    """A known bug is named if it explains all that is seen, and is otherwise told as one of this example."""

    def near(self, kind):
        from tinygrad_lr.verify.search.diagnose import nearest_bug
        from tinygrad_lr.verify.search.examples import fixed_cases

        claim = verify.spec("adamw", dialect="torch", lr=0.1, weight_decay=0.2)
        fixed = fixed_cases(claim, np.float64, 0)
        return nearest_bug(adapters.naive("adamw", kind), fixed[0], fixed)

    def test_a_bug_that_explains_every_case_matches(self):
        kind = MUTANTS["DecaysTheUpdatedTheta"].kind
        assert self.near(kind) == f"matches: {MUTANTS['DecaysTheUpdatedTheta'].named}"

    def test_one_that_explains_the_example_alone_says_so(self):
        class Sometimes(MUTANTS["DecaysTheUpdatedTheta"].kind):
            """And where gradients are small it decays nothing, which the first case does not show."""

            def formula(self, spec, theta, g, state, t):
                small = np.max(np.abs(g), initial=0.0) < 0.01
                return super().formula(spec.having(weight_decay=0.0) if small else spec, theta, g, state, t)

        assert self.near(Sometimes) == f"on this example also: {MUTANTS['DecaysTheUpdatedTheta'].named}"

    def test_of_clipping_too(self):
        from tinygrad_lr.verify.mutants import CLIPPING_MUTANTS
        from tinygrad_lr.verify.search.diagnose import nearest_wrong_clipping

        grads = [np.array([3.0, 4.0]), np.array([12.0])]
        mutant = CLIPPING_MUTANTS["each_by_its_own_norm"]
        assert nearest_wrong_clipping(mutant.clip, grads, 1.0).startswith("matches: ")

        def another(given, limit):
            return mutant.clip(given, limit) if any(g.any() for g in given) else [g + 1.0 for g in given]

        assert nearest_wrong_clipping(another, grads, 1.0) == f"on this example also: {mutant.named}"


class OneCount(adapters.Naive):
    """One step count for all parameters."""

    steps = 0

    def update_all(self, grads):
        self.steps += 1
        super().update_all(grads)

    def update(self, i, g, hyperparameters):
        if not self.state[i]:
            self.state[i] = {
                "step": 0,
                **self.initial_state(verify.spec(self.name).having(**hyperparameters), self.params[i]),
            }
        self.state[i]["step"] = self.steps - 1
        super().update(i, g, hyperparameters)


@pytest.mark.parametrize(("name", "outcome"), [("madgrad", "differs"), ("adam", "failed")])
def test_one_count_for_all_parameters_is_wrong_where_the_paper_counts_updates(name, outcome):
    found = outcomes(adapters.naive(name, OneCount), name, "P1", "P10")
    assert said(found) == {"P1": "passed", "P10": outcome} and "where P10 fails" in found["P1"].reason


def test_an_argument_that_the_formula_does_not_know_is_left_as_it_is():
    class RMSprop:  # optax's takes `nesterov`, which the formula of RMSprop does not have
        def __init__(self, params, lr=1e-3, alpha=0.9, eps=1e-8, momentum=0.0, nesterov=False):
            self.inner = adapters.naive("rmsprop")(params, lr=lr, alpha=alpha, eps=eps, momentum=momentum)
            self.params, self.step = self.inner.params, self.inner.step

    found = outcomes(RMSprop, verify.spec("rmsprop", dialect="optax"), "P1.settings", "P1.changes")
    assert said(found)["P1.settings"] == "passed", str(found["P1.settings"])
    assert said(found)["P1.changes"] != "error", str(found["P1.changes"])


class InTwoParts:
    """torch's NAdam: the gradient's part of the step is subtracted first, and then the moment's, which rounds twice."""

    share = 1.0

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, momentum_decay=0.004, **_):
        self.params, self.m, self.v, self.t, self.product = params, None, None, 0, 1.0
        self.lr, self.betas, self.eps, self.psi = lr, betas, eps, momentum_decay

    def set_hyperparameters(self, betas=None, momentum_decay=None):
        self.betas, self.psi = betas or self.betas, momentum_decay or self.psi

    def step(self, grads):
        (p,), (g,), (b1, b2) = self.params, grads, self.betas
        one = p.dtype.type
        self.m, self.v = (np.zeros_like(p), np.zeros_like(p)) if self.m is None else (self.m, self.v)
        self.t += 1
        mu, after = (b1 * (1 - 0.5 * 0.96 ** (self.psi * t)) for t in (self.t, self.t + 1))
        self.product *= mu
        self.m = one(b1) * self.m + one(1 - b1) * g
        self.v = one(b2) * self.v + one(1 - b2) * g * g
        root = np.sqrt(self.v / one(1 - b2**self.t)) + one(self.eps)
        p -= one(self.lr * (1 - mu) / (1 - self.product)) * g / root
        p -= one(self.share * self.lr * after / (1 - self.product * after)) * self.m / root


class InUnequalParts(InTwoParts):
    share = 1.001


@pytest.mark.parametrize(("cls", "outcome"), [(InTwoParts, "passed"), (InUnequalParts, "failed")])
def test_nadams_two_parts_may_be_subtracted_one_after_another(cls, outcome):
    rng = np.random.default_rng(0)
    start, gradient = (np.asarray(rng.uniform(0.5, 1.0, 300), np.float32) for _ in range(2))
    case = Case(verify.spec("nadam", dialect="torch"), [start], [[gradient]])
    if outcome == "passed":
        formula_ratio(cls, case)
    else:
        with pytest.raises(Broken):
            formula_ratio(cls, case)


@pytest.mark.parametrize(("scalars", "outcome"), [("float32", "passed"), ("float64", "failed")])
def test_a_claim_says_that_the_host_computes_its_numbers_in_float32(scalars, outcome):
    class Adam:
        def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
            self.params, self.lr, self.betas, self.eps, self.t = params, lr, betas, eps, 0
            self.m, self.v = ([np.zeros_like(p) for p in params] for _ in range(2))

        def step(self, grads):
            self.t += 1
            for p, g, m, v in zip(self.params, grads, self.m, self.v, strict=True):
                (b1, b2), one = self.betas, p.dtype.type
                m[...] = one(b1) * m + one(1 - b1) * g
                v[...] = one(b2) * v + one(1 - b2) * g * g
                first, second = (1 - one(np.float32(b) ** np.float32(self.t)) for b in self.betas)
                p -= one(self.lr) * (m / first) / (np.sqrt(v / second) + one(self.eps))

    Adam.missing_gradients = False
    claim = replace(verify.spec("adam", dialect="optax"), scalars=scalars)
    found = outcomes(Adam, claim, "P1", "P27", "P28", "P30", dtype="float32")
    assert said(found) == dict.fromkeys(("P1", "P27", "P28", "P30"), outcome)


class AsItIsNow(InTwoParts):
    """Computes the product of all momenta anew from the hyperparameters that hold now."""

    @property
    def product(self):
        return np.prod([self.betas[0] * (1 - 0.5 * 0.96 ** (self.psi * t)) for t in range(1, self.t + 1)])

    @product.setter
    def product(self, value):
        pass


class FromTheWrongStep(InTwoParts):
    """Leaves a momentum out of the product where the hyperparameters change."""

    def set_hyperparameters(self, **changes):
        super().set_hyperparameters(**changes)
        self.product = 1.0


@pytest.mark.parametrize(
    ("cls", "outcome"), [(InTwoParts, "passed"), (AsItIsNow, "passed"), (FromTheWrongStep, "failed")]
)
@pytest.mark.parametrize("change", [{"betas": (0.4, 0.7)}, {"momentum_decay": 0.5}])
def test_a_product_of_momenta_may_be_of_those_of_its_steps_or_of_those_of_now(cls, outcome, change):
    start, gradient = np.full(3, 0.5, np.float32), np.array([-2.0, 1.0, 0.5], np.float32)
    case = Case(verify.spec("nadam", dialect="torch"), [start], [[gradient], [-gradient], [gradient]])
    case = replace(case, changes={1: change})
    if outcome == "passed":
        formula_ratio(cls, case)
    else:
        with pytest.raises(Broken):
            formula_ratio(cls, case)


class NeedsElements(Descent):
    """Divides by the number of elements, as adamp and torch's Adafactor do."""

    def step(self, grads):
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                p -= p.dtype.type(self.lr * (p.size / p.size)) * (g + p.dtype.type(self.decay) * p)


class NeedsElementsAndIsWrong(NeedsElements):
    def step(self, grads):
        super().step([None if g is None else g + 0.25 for g in grads])


@pytest.mark.parametrize(("cls", "outcome"), [(NeedsElements, "passed"), (NeedsElementsAndIsWrong, "failed")])
def test_an_error_at_a_parameter_without_elements_is_told_once(cls, outcome):
    found = outcomes(cls, verify.spec("sgd", dialect="torch", lr=0.1), "P1", "P5", "P1.sizes", "P7")
    asked = "passed" if outcome == "passed" else "not applicable"  # P1's parts are asked where it passes
    assert said(found) == {"P1": outcome, "P5": "error", "P1.sizes": asked, "P7": "passed"}
    assert "ZeroDivisionError" in found["P5"].reason
    assert (
        outcome == "failed" or "parameters without elements, which end a step with an error" in found["P1.sizes"].reason
    )


class MuonNeedsElements(adapters.Naive):
    """Divides by the number of elements, as optax's does."""

    def update(self, i, g, hyperparameters):
        assert 1 / self.params[i].size
        super().update(i, g, hyperparameters)


def test_where_p5_says_nothing_of_a_rule_for_matrices_no_other_property_is_asked_without_elements():
    claim = verify.spec("muon", dialect="optax")
    ids = ["P2", "P5", "P7", "P11"]
    report = verify.check_optimizer(adapters.naive("muon", MuonNeedsElements), claim, properties=ids, max_examples=30)
    assert {each.property_id: each.outcome for each in report.findings} == {
        "P0": "passed",
        "P2": "passed",
        "P5": "not applicable",
        "P7": "passed",
        "P11": "passed",
    }


@pytest.mark.parametrize(("first", "outcome"), [(None, "passed"), (True, "failed")])
def test_an_option_that_is_left_to_the_optimizer_may_be_written_down(first, outcome):
    class Choosing(Descent):
        def __init__(self, params, lr=0.1, fast=first):
            super().__init__(params, lr)
            self.fast = fast

        def step(self, grads):
            self.fast = False
            super().step(grads)

        def get_state(self):
            return {"state": {}, "param_groups": [{"lr": self.lr, "fast": self.fast, "params": [0]}]}

    assert said(outcomes(Choosing, verify.spec("sgd", lr=0.1), "P7")) == {"P7": outcome}
