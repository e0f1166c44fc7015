"""The states of an optimizer: found whatever they are called, or not examined, and no reason to accuse anybody."""

import copy

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.guard import guarded
from tinygrad_lr.verify.properties import PROPERTIES
from tinygrad_lr.verify.protocol import Broken, Case, PropertyViolation, same_bits
from tinygrad_lr.verify.states import located

BETAS, RATE, EPS = (0.9, 0.999), 1e-3, 1e-8


class Adam:
    """Adam as torch has it. What it keeps, and how it shows it, is a subclass's."""

    moments: type | None = None  # in which the moments are kept; None: the parameter's
    bug = 1.0  # in the second moment from the fourth step on

    def __init__(self, params, lr=RATE):
        self.params, self.lr, self.t = params, lr, 0
        kinds = [self.moments or p.dtype for p in params]
        self.m = [np.zeros(p.shape, kind) for p, kind in zip(params, kinds, strict=True)]
        self.v = [np.zeros(p.shape, kind) for p, kind in zip(params, kinds, strict=True)]

    def step(self, grads):
        self.t += 1
        b1, b2 = BETAS
        for p, g, m, v in zip(self.params, grads, self.m, self.v, strict=True):
            m[...] = b1 * m + (1 - b1) * g
            v[...] = b2 * v + (1 - b2) * g * g * (self.bug if self.t > 3 else 1.0)
            p -= (self.lr * (m / (1 - b1**self.t)) / (np.sqrt(v / (1 - b2**self.t)) + EPS)).astype(p.dtype)

    def get_state(self):
        return copy.deepcopy(self.shown())

    def set_state(self, state):
        raise NotImplementedError("it only shows")

    def entries(self, first, second):
        """In torch's layout, under these names."""
        pairs = enumerate(zip(self.m, self.v, strict=True))
        return {"state": {i: {"step": self.t, first: m, second: v} for i, (m, v) in pairs}, "param_groups": []}

    def shown(self):
        return self.entries("m", "v")


class Wide(Adam):
    moments = np.float64


class WideUnderItsOwnNames(Wide):
    def shown(self):
        return self.entries("exp_avg", "exp_avg_sq")


class Lists(Adam):
    def shown(self):
        return {"first": self.m, "second": self.v, "count": self.t}


class Flat(Adam):
    def shown(self):
        return {"m": np.concatenate([m.ravel() for m in self.m]), "v": np.concatenate([v.ravel() for v in self.v])}


class FlatInTheFirstEntry(Flat):
    def shown(self):
        return {"state": {0: {"step": self.t, **super().shown()}}, "param_groups": []}


class Negative(Adam):
    def shown(self):
        return [[{"minus": -m, "v": v} for m, v in zip(self.m, self.v, strict=True)], self.t]


class ByName(Adam):
    def shown(self):
        return {f"layer{i}.weight": (m, v) for i, (m, v) in enumerate(zip(self.m, self.v, strict=True))}


class BySomeName(Adam):
    def shown(self):
        names = ["kernel", "bias", "scale", "shift"]
        return {names[i]: {"m": m, "v": v} for i, (m, v) in enumerate(zip(self.m, self.v, strict=True))}


class Transposed(Adam):
    def shown(self):
        return {"m": [m.T for m in self.m], "v": [v.ravel() for v in self.v]}


class InTheGroup(Adam):
    def shown(self):
        return {"state": {}, "param_groups": [{"lr": self.lr, "m": self.m, "v": self.v}]}


class Corrected(Adam):
    def shown(self):
        return {"m": [m / (1 - BETAS[0] ** max(self.t, 1)) for m in self.m], "v": self.v}


class CorrectedUnderTheFormulasName(Adam):
    def shown(self):
        state = self.entries("exp_avg", "exp_avg_sq")
        for entry in state["state"].values():
            entry["exp_avg"] = entry["exp_avg"] * 10
        return state


class Roots(Adam):
    def shown(self):
        state = self.entries("exp_avg", "exp_avg_sq")
        for entry in state["state"].values():
            entry["exp_avg_sq"] = np.sqrt(entry["exp_avg_sq"])
        return state


class Twice(Adam):
    def shown(self):
        return {"m": self.m, "v": self.v, "copy of v": self.v}


class Nothing(Adam):
    def shown(self):
        return {}


class Raises(Adam):
    def shown(self):
        raise KeyError("no such state")


class Odd(Adam):
    """Nothing that could be a state, of every kind."""

    def shown(self):
        return {"state": {0: {"step": "three", "on": True, "f": print, 3: None, "x": (1, [2.5, {"y": b"z"}])}}}


class Later(Adam):
    """Another form after some steps: what a probe found is not there any more."""

    def shown(self):
        return {"m": [m if self.t < 6 else -m for m in self.m], "v": self.v}


BOTH = {"exp_avg", "exp_avg_sq"}
FOUND = [Adam, Wide, WideUnderItsOwnNames, Lists, Flat, FlatInTheFirstEntry, Negative, ByName, BySomeName, Transposed]
FOUND = [*FOUND, InTheGroup]
NOTES = [
    (Corrected, "not examined: the state exp_avg (no array of get_state() equals it; it shows m, v)"),
    (CorrectedUnderTheFormulasName, "not examined: the state exp_avg (exp_avg is kept in another form: 10 times it)"),
    (Roots, "not examined: the state exp_avg_sq (exp_avg_sq is kept in another form: its square root)"),
    (Twice, "not examined: the state exp_avg_sq (copy of v and v both fit)"),
    (Nothing, "exp_avg, exp_avg_sq (no array of get_state() equals it; it shows no array with a name)"),
    (Raises, "exp_avg, exp_avg_sq (get_state() raises KeyError: 'no such state')"),
    (Odd, "exp_avg, exp_avg_sq (no array of get_state() equals it; it shows x)"),
    (Later, "state differs: it is kept in another form at times; found was exp_avg as m, exp_avg_sq as v"),
]


CLAIM = verify.spec("adam", dialect="torch")


def case_of(claim, steps=8):
    """Parameters of one and of two dimensions."""
    rng = np.random.default_rng(3)
    shapes = [(3,), (2, 4)]
    gradients = [[rng.normal(size=shape).astype(np.float32) for shape in shapes] for _ in range(steps)]
    return Case(claim, [np.ones(shape, np.float32) for shape in shapes], gradients)


def p1(make, claim=CLAIM, **said):
    """P1's answer on one case: what was not examined, or where it is broken."""
    make = guarded(adapters.adapt(make, **said), claim, {})
    try:
        return "passed", PROPERTIES["P1"](make, case_of(claim)).note
    except PropertyViolation as violation:
        return "failed", violation.broken.what


def places(make, claim=CLAIM):
    """What is found where."""
    return located(guarded(adapters.adapt(make), claim, {}), case_of(claim))


def test_states_are_found_by_their_values():
    for cls in FOUND:
        found = places(cls)
        assert set(found.places) == BOTH and not found.missing, (cls.__name__, found)
        assert p1(cls) == ("passed", ""), cls.__name__


def test_what_is_not_found_is_not_examined_and_nobody_is_accused():
    for cls, note in NOTES:
        outcome, told = p1(cls)
        assert outcome == "passed" and note in told, (cls.__name__, told)


def test_a_wrong_rule_is_found_out_whatever_its_states_are_called():
    for cls in (Adam, Wide, Flat, Negative, Corrected, Twice, Nothing, Raises, Later):
        wrong = type(f"Wrong{cls.__name__}", (cls,), {"bug": 1.25})
        outcome, where = p1(wrong)
        assert outcome == "failed" and where.startswith(("theta after step 4", "exp_avg_sq after step 4")), where


def test_a_wrong_array_of_the_formulas_own_name_is_a_failure():
    class Wrong(Adam):
        def shown(self):
            state = self.entries("exp_avg", "exp_avg_sq")
            for entry in state["state"].values():
                entry["exp_avg"] = entry["exp_avg"] + entry["exp_avg_sq"]
            return state

    outcome, where = p1(Wrong)
    assert outcome == "failed" and where.startswith("exp_avg after step"), where


def test_state_names_say_which_array_is_meant():
    assert p1(Twice, state_names={"exp_avg_sq": "copy of v"}) == ("passed", "")
    outcome, where = p1(Corrected, state_names={"exp_avg": "m"})
    assert outcome == "failed" and where.startswith("exp_avg after step"), where
    outcome, note = p1(Corrected, state_names={"exp_avg": None})
    assert outcome == "passed" and "exp_avg (state_names says None)" in note
    outcome, note = p1(Corrected, state_names={"exp_avg": "mean"})
    assert outcome == "passed" and "state_names says mean, and get_state() shows m, v" in note
    with pytest.raises(ValueError, match="adam has no moment; it has exp_avg, exp_avg_sq, max_exp_avg_sq"):
        verify.check_optimizer(Adam, CLAIM, state_names={"moment": "m"})
    with pytest.raises(TypeError, match="state_names must be a dict"):
        verify.check_optimizer(Adam, CLAIM, state_names=["m"])


def test_a_formula_without_states_has_none_to_examine():
    class Descent:
        def __init__(self, params, lr=0.1):
            self.params, self.lr = params, lr

        def step(self, grads):
            for p, g in zip(self.params, grads, strict=True):
                p -= p.dtype.type(self.lr) * g

    assert p1(Descent, verify.spec("sgd", lr=0.1)) == ("passed", "")


def test_states_of_lists_tuples_and_dicts_are_compared_array_by_array():
    ones, zeros = np.ones(2, np.float32), np.zeros(2, np.float32)
    for equal in ([ones, zeros], {"a": [ones]}, (0.9, 0.999), [None, ones], {}):
        same_bits(copy.deepcopy(equal), equal, "a state")
    for expected, actual in (
        ([ones, ones], [ones, zeros]),
        ({"a": (ones,)}, {"a": (zeros,)}),
        ({"a": 1}, {"b": 1}),
        ([ones], [ones, ones]),
        ([ones], ones),
        (1.0, {"a": ones}),
        ([None, ones], [ones, ones]),
        ((0.9, 1), (0.9, 2)),
    ):
        with pytest.raises(Broken, match="a state"):
            same_bits(expected, actual, "a state")
