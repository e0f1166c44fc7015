"""Any order of steps, skipped gradients, saves, loads, new groups and rates, against a naive reference (P5 to P10).

The reference keeps each parameter by itself: its hyperparameters, its count of steps, and its values and state as they
were last seen. A step must move exactly the parameters that have a gradient, each into the enclosure of its formula;
everything else must stay, bit for bit. Saving keeps a copy of all of it; loading into a new optimizer brings it back.
"""

import copy

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from optimizer_cases import maker, richest, specification

from tinygrad_lr import optim
from tinygrad_lr.verify.bounds.enclosure import enclosed
from tinygrad_lr.verify.properties.one_step import expect_enclosed, roundings_of
from tinygrad_lr.verify.protocol import Broken

DTYPES = st.sampled_from([np.float32, np.float64])
SHAPES = st.sampled_from([(), (0,), (3,), (2, 2), (9,)])


class Reference:
    """One parameter: what it was last seen to be, and how it is to be updated."""

    def __init__(self, theta, spec):
        self.theta, self.spec, self.t = theta.copy(), spec, 0
        formula = enclosed(spec, theta.dtype)
        self.state = {key: value.low.astype(theta.dtype) for key, value in formula.initial_state(theta).items()}

    def step(self, g):
        """Enclosures of the parameter and the state after one more step."""
        self.t += 1
        formula = enclosed(self.spec, self.theta.dtype, roundings_of(self.spec))
        return formula.step(self.theta, g, self.state, self.t)


class Machine(RuleBasedStateMachine):
    name, dialect = "adam", "article"

    def new_subject(self, groups):
        """An optimizer with these groups of (parameters, rate)."""
        make = maker(self.name, self.dialect)
        subject = make(groups[0][0], **{**self.spec.hyperparameters, "lr": groups[0][1]})
        for params, rate in groups[1:]:
            subject.add_group(params, **{**self.spec.hyperparameters, "lr": rate})
        return subject

    @initialize(dtype=DTYPES, shapes=st.lists(SHAPES, min_size=1, max_size=3), seed=st.integers(0, 1000))
    def build(self, dtype, shapes, seed):
        self.spec = specification(self.name, self.dialect, richest(self.name))
        self.rng = np.random.default_rng(seed)
        params = [self.draw(shape, dtype) for shape in shapes]
        self.sizes, rate = [len(params)], self.spec["lr"]
        self.subject = self.new_subject([(params, rate)])
        self.references = [Reference(p, self.spec) for p in params]
        self.saved = None

    def draw(self, shape, dtype):
        return np.asarray(self.rng.normal(size=shape), dtype)

    @rule(missing=st.integers(0, 15), spike=st.sampled_from([1.0, 1.0, 100.0, 0.0]))
    def step(self, missing, spike):
        grads = [
            None if missing >> i % 4 & 1 else self.draw(r.theta.shape, r.theta.dtype) * r.theta.dtype.type(spike)
            for i, r in enumerate(self.references)
        ]
        grads = [None if g is None else np.asarray(g) for g in grads]
        handed = [None if g is None else g.copy() for g in grads]
        self.subject.step(handed)
        state = self.subject.get_state()["state"]
        for i, (reference, g) in enumerate(zip(self.references, grads, strict=True)):
            if g is None:
                continue
            assert handed[i].tobytes() == g.tobytes()
            theta, after = reference.step(g)
            expect_enclosed(theta, self.subject.params[i], f"parameter {i}")
            for key, enclosure in after.items():
                expect_enclosed(enclosure, state[i][key], f"{key} of parameter {i}")
            reference.theta = self.subject.params[i].copy()
            reference.state = {key: np.array(state[i][key]) for key in after}

    @rule(rate=st.sampled_from([0.0, 1e-3, 0.1, 1.0]))
    def change_rate(self, rate):
        self.subject.set_hyperparameters(lr=rate)
        for reference in self.references:
            reference.spec = reference.spec.having(lr=rate)

    @rule(dtype=DTYPES, shape=SHAPES, rate=st.sampled_from([1e-3, 0.1]))
    def add_group(self, dtype, shape, rate):
        if len(self.references) >= 6:
            return
        param, spec = self.draw(shape, dtype), self.spec.having(lr=rate)
        self.subject.add_group([param], **spec.hyperparameters)
        self.references.append(Reference(param, spec))
        self.sizes.append(1)

    @rule()
    def save(self):
        params = [p.copy() for p in self.subject.params]
        self.saved = params, self.subject.get_state(), copy.deepcopy(self.references), list(self.sizes)

    @rule()
    def load(self):
        if self.saved is None:
            return
        params, state, references, sizes = self.saved
        ends = np.cumsum([0, *sizes])
        groups = [(params[a:b], 0.5) for a, b in zip(ends, ends[1:], strict=False)]
        self.subject = self.new_subject(groups)  # with other rates: loading must bring the saved ones back
        self.subject.set_state(state)
        self.references, self.sizes = copy.deepcopy(references), list(sizes)

    @invariant()
    def nothing_else_moved(self):
        state = self.subject.get_state()
        rates = [group["lr"] for group in state["param_groups"] for _ in group["params"]]
        for i, reference in enumerate(self.references):
            assert self.subject.params[i].tobytes() == reference.theta.tobytes(), f"parameter {i} moved"
            assert self.subject.params[i].dtype == reference.theta.dtype
            entry = state["state"].get(i, {"step": 0})
            assert entry["step"] == reference.t, f"step count of parameter {i}"
            assert rates[i] == reference.spec["lr"], f"rate of parameter {i}"
            if reference.t:
                for key in reference.spec.state_keys():
                    assert entry[key].tobytes() == reference.state[key].tobytes(), f"{key} of parameter {i} moved"


BRIEF = settings(max_examples=max(3, settings.default.max_examples // 3), stateful_step_count=12)


@pytest.mark.parametrize(
    ("name", "dialect"),
    [(name, dialect) for name, cls in optim.OPTIMIZERS.items() for dialect in list(cls.dialects)[:2]],
)
def test_any_order_of_events(name, dialect):
    kind = type("Machine", (Machine,), {"name": name, "dialect": dialect})
    run_state_machine_as_test(kind, settings=BRIEF)


@pytest.mark.parametrize("fault", ["step", "late", "saved state", "rate"])
def test_the_machine_finds_a_fault(fault, monkeypatch):
    """The tester tested: each of these faults is found."""
    from tinygrad_lr.verify.adapters import OwnSubject

    def moved_without_a_gradient(self, grads, original=OwnSubject.step):
        original(self, grads)
        for tensor, g in zip(self._tensors, grads, strict=True):
            if g is None:
                tensor.data = tensor.data + 1

    def skipped_when_another_is_missing(self, grads, original=OwnSubject.step):
        original(self, [None] * len(grads) if any(g is None for g in grads) else grads)

    def without_state(self, state, original=OwnSubject.set_state):
        original(self, {"state": {}, "param_groups": state["param_groups"]})

    def only_the_first_group(self, **changes):
        self.optimizer.param_groups[0].update(changes)

    method, wrong = {
        "step": ("step", moved_without_a_gradient),
        "late": ("step", skipped_when_another_is_missing),
        "saved state": ("set_state", without_state),
        "rate": ("set_hyperparameters", only_the_first_group),
    }[fault]
    monkeypatch.setattr(OwnSubject, method, wrong)
    first_fault = settings(BRIEF, max_examples=1000, phases=[Phase.generate], report_multiple_bugs=False, database=None)
    with pytest.raises((AssertionError, KeyError, Broken)):
        run_state_machine_as_test(Machine, settings=first_fault)
