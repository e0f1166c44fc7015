"""`explain_step`: the step that it announces is the step that comes, for every optimizer, dialect and setting."""

import math

import numpy as np
import pytest
from optimizer_cases import ROWS, specification

from tinygrad_lr import nn, optim, tensor, verify
from tinygrad_lr.verify import explain_step
from tinygrad_lr.verify.bounds.enclosure import enclosed
from tinygrad_lr.verify.documents.elements import _computed, _remembered
from tinygrad_lr.verify.states import lifted

OF_ANOTHER_SHAPE = {"A = matmul(X, transpose(X))"}  # lines without a number for an element of the parameter


@pytest.mark.parametrize(("name", "dialect", "variant"), ROWS)
def test_the_step_that_is_explained_is_the_step_that_comes(name, dialect, variant):
    """What it computes in float64 lies where the step in float32 may, up to a millionth for its own roundings."""
    spec = specification(name, dialect, variant)
    rng = np.random.default_rng(0)
    w = tensor(rng.normal(size=(2, 3)), requires_grad=True, dtype="float32")
    optimizer = optim.OPTIMIZERS[name]([("w", w)], dialect=dialect, **variant)
    formula = enclosed(spec, np.float32)
    state = formula.initial_state(w.data.copy())
    for step in range(1, 4):
        w.grad = rng.normal(size=(2, 3))
        after, _ = formula.step(w.data.copy(), w.grad.copy(), state, step)
        before = [w.data.copy(), *(np.array(entry) for key, entry in optimizer.state[w].items() if key != "step")]
        said = explain_step(optimizer, "w", (1, 2))
        now = [w.data, *(entry for key, entry in optimizer.state[w].items() if key != "step")]
        assert all((a == b).all() for a, b in zip(before, now, strict=True)), "explaining changes nothing"
        low, high = float(after.low[1, 2]), float(after.high[1, 2])
        slack = max((high - low) * 2.0**-20, 1e-12)
        assert low - slack <= said.after <= high + slack
        start = float(w.data[1, 2])
        optimizer.step()
        assert low <= w.data[1, 2] <= high and said.step == step
        assert said.before["theta"] == start and said.before["g"] == float(w.grad[1, 2])
        assert said.update == said.after - start and said.effective_rate == -said.update / said.before["g"]
        of_theta = [value for text, value in said.lines if text.startswith("theta ")]
        shown = [text for text, _ in said.lines]
        assert shown == [line for line in spec.lines() if line in shown] and of_theta[-1] == said.after
        assert set(spec.lines()) - set(shown) <= OF_ANOTHER_SHAPE
        entry = optimizer.state[w]
        state = {key: lifted(np.array(entry[key]), formula.dtype, formula.roundings) for key in state}


@pytest.mark.parametrize("name", ["adafactor", "sm3"])
def test_a_vector_of_what_is_factored_has_lines_of_its_own(name):
    w = tensor([1.0, -2.0], requires_grad=True, dtype="float64")
    optimizer = optim.OPTIMIZERS[name]([("w", w)])
    for step in range(1, 4):
        w.grad = [0.25 * step, 0.5]
        said = explain_step(optimizer, "w", 1)
        optimizer.step()
        assert said.step == step and math.isclose(said.after, w.data[1], rel_tol=1e-12)
        assert not any(text.startswith(("R ", "C ")) for text, _ in said.lines)


def element(**settings):
    w = tensor([1.0, -2.0], requires_grad=True, dtype="float64")
    optimizer = optim.SGD([("w", w)], lr=0.5, **settings)
    w.grad = [0.25, 0.5]
    return explain_step(optimizer, "w", 1), optimizer, w


def test_the_parts_of_a_step_by_hand():
    said, _, _ = element(weight_decay=0.125)
    assert (said.decay, said.update, said.effective_rate, said.after) == (0.125, -0.125, 0.25, -2.125)
    assert said.corrections == {} and said.index == (1,) and said.parameter == "w"
    said, optimizer, w = element()
    assert said.decay == 0.0 and said.after == -2.25
    w.grad = [0.25, 0.0]
    assert math.isnan(explain_step(optimizer, "w", (1,)).effective_rate)


def test_corrections_and_states_are_those_of_the_step_that_comes():
    w = tensor([1.0], requires_grad=True)
    optimizer = optim.Adam([w], betas=(0.5, 0.75), dialect="torch")
    for _ in range(2):
        w.grad = [2.0]
        optimizer.step()
    said = explain_step(optimizer, "group0.param0", 0)
    assert said.step == 3 and said.corrections == {"1-beta1^t": 1 - 0.5**3, "1-beta2^t": 1 - 0.75**3}
    assert said.before["m"] == float(optimizer.state[w]["exp_avg"][0])
    text = str(said)
    assert text.startswith("Adam (dialect torch): step 3 of group0.param0[0]\nbefore  theta =")
    assert "v^ = v / (1 - beta2^t)" in text and "after   decay part = 0, update = " in text


def test_a_parameter_without_axes_and_names_of_modules():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    scale = tensor(1.0, requires_grad=True)
    optimizer = optim.SGD([*model.parameters(), ("scale", scale)], lr=0.5)
    scale.grad = 2.0
    assert explain_step(optimizer, "scale").after == 0.0
    model(tensor([[1.0, 2.0]])).sum().backward()
    assert explain_step(optimizer, "1.weight", (0, 1)).parameter == "1.weight"


def test_short_moments_are_decoded():
    w = tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.Adam([w], state_dtype="bfloat16", betas=(0.5, 0.5))
    w.grad = [2.0, 4.0]
    optimizer.step()
    assert explain_step(optimizer, "group0.param0", 1).before["m"] == 2.0


def test_what_the_lines_remember_besides_states_is_followed():
    spec = verify.spec("nadam", lr=0.1)
    gradients = [0.5, -1.0, 0.25, 2.0]
    steps = spec.worked_steps(1.0, gradients)
    assert _remembered(spec, 4)["P"] == steps[2]["P"]
    state = {"exp_avg": steps[2]["m"], "exp_avg_sq": steps[2]["v"]}
    assert _computed(spec, steps[2]["theta"], np.float64(2.0), state, 4)[1] == steps[3]["theta"]
    with pytest.raises(ValueError, match="followed for 100000 steps"):
        _remembered(spec, 10**6)


class Own(optim.Optimizer):
    """An optimizer that no formula stands for."""

    def __init__(self, params):
        super().__init__(params, {"lr": 0.1})

    def step(self, closure=None):
        return None


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda o, w: explain_step(o, "v", 0), ValueError, "no parameter has the name 'v'; there are w"),
        (lambda o, w: explain_step(o, "w", 2), IndexError, r"has the shape \(2,\), so that an index of it is 1 whole"),
        (lambda o, w: explain_step(o, "w"), IndexError, r"got \(\)"),
        (lambda o, w: explain_step(o, "w", "a"), IndexError, "got 'a'"),
        (lambda o, w: explain_step(o, "w", slice(0, 1)), IndexError, "whole numbers; got"),
        (lambda o, w: explain_step(w, "w", 0), TypeError, "takes an optimizer of tinygrad_lr, got Tensor"),
        (lambda o, w: explain_step(optim.Lookahead(o), "w", 0), TypeError, r"the one inside Lookahead: \.optimizer"),
        (lambda o, w: explain_step(Own([w]), "w", 0), ValueError, "no formula in lines is known for Own; register"),
        (lambda o, w: [o.zero_grad(), explain_step(o, "w", 0)], ValueError, "has no gradient"),
    ],
)
def test_mistakes_are_named(call, kind, message):
    _, optimizer, w = element()
    with pytest.raises(kind, match=message):
        call(optimizer, w)


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_every_optimizer_explains_itself(name):
    w = tensor([[1.0, -2.0], [0.5, 0.25]], requires_grad=True)
    optimizer = optim.OPTIMIZERS[name]([("w", w)])
    w.grad = [[0.5, 0.25], [-0.25, 1.0]]
    assert str(optimizer.explain("w", (1, 0))) == str(explain_step(optimizer, "w", (1, 0)))
    with pytest.raises(IndexError, match=r"got \(2, 0\)"):
        optimizer.explain("w", (2, 0))


@pytest.mark.parametrize("dialect", optim.Muon.dialects)
def test_what_muon_leaves_to_adamw_is_explained_as_adamws(dialect):
    def of(kind, **options):
        v = tensor([1.0, -2.0], requires_grad=True, dtype="float64")
        return v, kind([("v", v)], lr=0.1, weight_decay=0.25, **options)

    v, muon = of(optim.Muon, adamw={"betas": (0.8, 0.9), "eps": 1e-6}, dialect=dialect)
    for step in range(1, 4):
        v.grad = [0.25 * step, 0.5]
        said = muon.explain("v", 1)
        muon.step()
        assert said.step == step and math.isclose(said.after, v.data[1], rel_tol=1e-12)
        assert said.title == "AdamW (in Muon)" and {"m", "v"} <= set(said.before) and said.decay != 0
    assert muon.explain("v", 0).corrections == {"1-beta1^t": 1 - 0.8**4, "1-beta2^t": 1 - 0.9**4}


def test_a_wrapper_says_what_explains_its_steps():
    w = tensor([1.0], requires_grad=True)
    with pytest.raises(AttributeError, match=r"\.optimizer\.explain"):
        optim.Lookahead(optim.SGD([w])).explain("w", 0)
