"""SophiaH with estimates of the Hessian that are drawn: formula and class get the same ones.

The tests that are made of the table of optimizers give no estimates; there h stays what `initial_hessian` makes it.
"""

import copy
import pickle

import numpy as np
import pytest
from compiled_cases import flow
from optimizer_cases import BACKENDS

from tinygrad_lr import backend, cuda, optim, tensor, training
from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.kernels import _run
from tinygrad_lr.kernels._jit import COMPILER_IS_OFF
from tinygrad_lr.verify import explain_step, spec
from tinygrad_lr.verify.bounds.enclosure import Enclosure, enclosed
from tinygrad_lr.verify.formulas.sophia import averaged
from tinygrad_lr.verify.properties.one_step import expect_enclosed
from tinygrad_lr.verify.protocol import Broken

CHOSEN = [
    {"dialect": "paper", "lr": 0.1, "rho": 0.7, "eps": 0.05},
    {"dialect": "optax", "lr": 0.1, "rho": 2.0, "betas": (0.5, 0.6), "eps": 0.1},
    {"dialect": "paper", "lr": 0.1, "rho": 1.0, "betas": (0.3, 0.8), "maximize": True, "initial_hessian": 0.5},
]
SHAPES = [(7,), (2, 3), ()]


def drawn(rng, dtype):
    """An estimate for each parameter: of both signs, over some orders of magnitude, and zeros."""
    found = [np.array(rng.normal(size=shape) * 10 ** rng.uniform(-2, 1, shape), dtype) for shape in SHAPES]
    found[0][0] = 0
    return found


def made(settings, dtype="float32", device="cpu"):
    """Parameters that are always the same, and their optimizer."""
    rng = np.random.default_rng(1)
    params = [tensor(np.array(rng.normal(size=shape), dtype), requires_grad=True, device=device) for shape in SHAPES]
    return params, optim.SophiaH(params, **settings)


def state_of(optimizer, param):
    return {key: to_host(value).copy() for key, value in optimizer.state[param].items() if key != "step"}


def worst_ratio(settings, claimed, dtype, device="cpu", change=lambda estimate: estimate):
    """The largest error over bound of some steps, each from the state before it, against the formula.

    Args:
        settings: what the optimizer is built with.
        claimed: what the formula is asked with.
        change: what is done to the estimates that the optimizer gets.
    """
    params, optimizer = made(settings, dtype, device)
    formula = enclosed(spec("sophiah", **claimed), np.dtype(dtype))
    beta2 = Enclosure.of_host(formula.spec["betas"][1], formula.spec.scalars)
    rng, worst = np.random.default_rng(0), 0.0
    starts = [formula.spec.initial_state(np.zeros(shape)) for shape in SHAPES]
    kept = [{key: np.asarray(start, dtype) for key, start in state.items()} for state in starts]
    for step in range(1, 7):
        estimates, gradients = drawn(rng, dtype), drawn(rng, dtype)
        values = [to_host(param._data).copy() for param in params]
        for param, gradient in zip(params, gradients, strict=True):
            param.grad = gradient
        if step % 2:
            optimizer.update_hessian([change(estimate) for estimate in estimates])
        optimizer.step()
        for i, param in enumerate(params):
            state, h = state_of(optimizer, param), kept[i]["hessian"]
            if step % 2:
                signed = -estimates[i] if formula.spec["maximize"] else estimates[i]
                bound = averaged(formula.lift(h), formula.lift(signed), beta2)
                worst = max(worst, expect_enclosed(bound, state["hessian"], f"h in step {step}"))
            else:
                assert state["hessian"].tobytes() == h.tobytes(), "a step changed h"
            before = {"exp_avg": kept[i]["exp_avg"], "hessian": state["hessian"]}
            after, states = formula.step(values[i], gradients[i], before, step)
            worst = max(worst, expect_enclosed(after, to_host(param._data), f"theta after step {step}"))
            worst = max(worst, expect_enclosed(states["exp_avg"], state["exp_avg"], f"m after step {step}"))
            kept[i] = state
    return worst


@pytest.mark.parametrize("on", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("settings", CHOSEN)
def test_h_and_the_step_are_the_formulas_with_drawn_estimates(settings, dtype, on):
    with backend.using("numba" if on == "cuda" else on):
        assert 0 < worst_ratio(settings, settings, dtype, "cuda" if on == "cuda" else "cpu") <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": 0.1001},
        {"rho": 0.501},
        {"betas": (0.501, 0.6)},
        {"betas": (0.5, 0.601)},
        {"eps": 0.101},
        {"weight_decay": 0.301},
        {"maximize": True},
        {"bias_correction": True},
        {"initial_hessian": 2.001},
    ],
    ids=str,
)
def test_an_optimizer_with_another_number_is_found(wrong):
    right = {"lr": 0.1, "rho": 0.5, "betas": (0.5, 0.6), "eps": 0.1, "weight_decay": 0.3, "initial_hessian": 2.0}
    assert worst_ratio(right, right, "float32") <= 1
    with pytest.raises(Broken):
        worst_ratio({**right, **wrong}, right, "float32")


@pytest.mark.parametrize("change", [np.negative, np.abs, np.square, lambda x: x * np.float32(1.00001), np.zeros_like])
def test_an_optimizer_with_other_estimates_is_found(change):
    with pytest.raises(Broken, match="h in step 1"):
        worst_ratio(CHOSEN[0], CHOSEN[0], "float32", change=change)


# --- the same bits ----------------------------------------------------------------------------------------------------


def bits_after(settings, device="cpu", repeats=1):
    """Parameters and states after some steps with estimates."""
    rng, size = np.random.default_rng(3), 37 * repeats
    param = tensor(rng.normal(size=size).astype("float32"), requires_grad=True, device=device)
    optimizer = optim.SophiaH([param], **settings)
    for _ in range(3):
        optimizer.update_hessian([rng.normal(size=size).astype("float32")])
        param.grad = rng.normal(size=size).astype("float32")
        optimizer.step()
    return to_host(param._data).tobytes(), {key: x.tobytes() for key, x in state_of(optimizer, param).items()}


@pytest.mark.parametrize("on", BACKENDS)
@pytest.mark.parametrize("settings", CHOSEN)
def test_backends_give_the_same_bits(settings, on):
    if on == "cuda" and not cuda.is_simulated():
        pytest.skip("a real GPU contracts products into fused multiply-adds; its steps are judged by the bound")
    with backend.using("numpy"):
        expected = bits_after(settings)
    with backend.using("numba" if on == "cuda" else on):
        assert bits_after(settings, "cuda" if on == "cuda" else "cpu") == expected


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    monkeypatch.setattr(_run, "SMALLEST_CHUNK", 16)
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(_run, "_threads", threads)
        found.append(bits_after(CHOSEN[0], repeats=5))
    assert found[0] == found[1] == found[2]


# --- how estimates are given ------------------------------------------------------------------------------------------


def hessians(optimizer, params):
    return [entry["hessian"].tolist() for entry in map(optimizer.state_dict()["state"].get, range(len(params)))]


def two():
    x, y = tensor([1.0, 2.0], requires_grad=True), tensor([3.0], requires_grad=True)
    groups = [{"params": [("x", x)]}, {"params": [("y", y)], "betas": (0.5, 0.75)}]
    return x, y, optim.SophiaH(groups, betas=(0.5, 0.5))


@pytest.mark.parametrize(
    "given",
    [
        lambda x, y: [[4.0, -8.0], [4.0]],
        lambda x, y: (np.array([4.0, -8.0]), tensor([4.0])),
        lambda x, y: [[4, -8], np.array([4])],
        lambda x, y: {"y": [4.0], "x": [4.0, -8.0]},
        lambda x, y: {y: [4.0], x: np.array([4.0, -8.0], np.float32)},
    ],
)
def test_a_list_in_the_order_of_the_groups_and_a_dict_by_parameters_or_names(given):
    x, y, optimizer = two()
    optimizer.update_hessian(given(x, y))
    assert hessians(optimizer, (x, y)) == [[2.0, -4.0], [1.0]], "each group has its own beta2"


@pytest.mark.parametrize("given", [[None, [4.0]], {"y": [4.0]}, {"x": None, "y": [4.0]}])
def test_what_has_no_estimate_keeps_its_h(given):
    x, y, optimizer = two()
    optimizer.update_hessian([[4.0, 4.0], [4.0]])
    optimizer.update_hessian(given)
    assert hessians(optimizer, (x, y)) == [[2.0, 2.0], [1.75]]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([[1.0, 1.0]], ValueError, r"the optimizer has 2 parameters, got 1 estimates; give one for each, None for"),
        (np.ones(2), TypeError, r"expected a list .* or a dict from parameters to estimates, got ndarray"),
        ([[1.0], [1.0]], ValueError, r"the estimate of x must have the parameter's shape \(2,\), got \(1,\); give the"),
        ([[1.0, 1.0], [[1.0]]], ValueError, r"estimate of y must have the parameter's shape \(1,\), got \(1, 1\)"),
        ({"z": [1.0]}, ValueError, r"given for 'z', which is no parameter of this optimizer; they are \['x', 'y'\]"),
        ({tensor([1.0]): [1.0]}, ValueError, r"given for a Tensor of shape \(1,\), which is no parameter of this"),
        ([[1.0, 1.0], ["a"]], TypeError, r"the estimate of y must hold real numbers, got <U1"),
        ([[1.0, 1.0], [1j]], TypeError, r"the estimate of y must hold real numbers, got complex128"),
        ([[1.0, 1.0], [True]], TypeError, r"the estimate of y must hold real numbers, got bool"),
        ([[1.0, 1.0], [1e300]], ValueError, r"the estimate of y is float32 here, which cannot hold 1e\+300"),
        ([[1.0, 1.0], [np.nan]], FloatingPointError, r"element 0 of the estimate of y, .* is nan; no h was changed"),
        ([[1.0, 1.0], [np.inf]], FloatingPointError, r"is inf; no h was changed; leave this estimate out"),
    ],
)
def test_what_is_no_estimate_is_refused_and_changes_nothing(given, error, message):
    x, y, optimizer = two()
    optimizer.update_hessian([[4.0, 4.0], [4.0]])
    with pytest.raises(error, match=message):
        optimizer.update_hessian(given)
    assert hessians(optimizer, (x, y)) == [[2.0, 2.0], [1.0]]


def test_two_estimates_of_one_parameter_are_refused():
    x, _, optimizer = two()
    with pytest.raises(ValueError, match="a parameter has two estimates, under itself and under its name"):
        optimizer.update_hessian({x: [1.0, 1.0], "x": [1.0, 1.0]})


def test_an_empty_parameter_and_a_caller_that_changes_its_arrays_afterwards():
    x, empty = tensor([1.0], requires_grad=True), tensor(np.zeros((0, 3), np.float32), requires_grad=True)
    optimizer, estimate = optim.SophiaH([x, empty], betas=(0.5, 0.5)), np.array([4.0], np.float32)
    optimizer.update_hessian([estimate, np.zeros((0, 3))])
    estimate[0] = 77.0
    assert optimizer.state_dict()["state"][0]["hessian"].tolist() == [2.0]


# --- with everything around it ----------------------------------------------------------------------------------------


def test_ascent_on_f_is_descent_on_minus_f():
    found = []
    for sign, maximize in ((1, False), (-1, True)):
        params, optimizer = made({"lr": 0.1, "rho": 1.0, "maximize": maximize})
        rng = np.random.default_rng(5)
        for _ in range(3):
            optimizer.update_hessian([sign * estimate for estimate in drawn(rng, "float32")])
            for param, gradient in zip(params, drawn(rng, "float32"), strict=True):
                param.grad = sign * gradient
            optimizer.step()
        found.append([param.data.tolist() for param in params])
    assert found[0] == found[1]


def test_clipping_shortens_gradients_and_no_estimates():
    w = tensor([0.0, 0.0], requires_grad=True)
    optimizer = optim.SophiaH([w], lr=1.0, betas=(0.0, 0.0), rho=1.0, weight_decay=0.0)
    optimizer.update_hessian([[8.0, 8.0]])
    w.grad = [30.0, 40.0]
    optimizer.step(max_norm=5.0)  # g = (3, 4) / 8
    np.testing.assert_allclose(w.data, [-0.375, -0.5], rtol=1e-6)


def trained(params, optimizer, rng, steps):
    for _ in range(steps):
        optimizer.update_hessian(drawn(rng, "float32"))
        for param, gradient in zip(params, drawn(rng, "float32"), strict=True):
            param.grad = gradient
        optimizer.step()


def loaded(params, optimizer):
    """Another optimizer over equal parameters, with the state of the first."""
    others = [tensor(param.data.copy(), requires_grad=True) for param in params]
    other = optim.SophiaH(others, lr=0.1, rho=1.0)
    other.load_state_dict(optimizer.state_dict())
    return others, other


WAYS = {
    "state_dict": loaded,
    "deepcopy": lambda params, optimizer: copy.deepcopy((params, optimizer)),
    "pickle": lambda params, optimizer: pickle.loads(pickle.dumps((params, optimizer))),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("steps", [0, 2])
def test_a_run_that_is_saved_after_an_estimate_continues_bit_for_bit(way, steps):
    """Also where the estimate came before the first step, when no parameter has a state yet."""
    params, optimizer = made({"lr": 0.1, "rho": 1.0})
    trained(params, optimizer, np.random.default_rng(0), steps)
    optimizer.update_hessian(drawn(np.random.default_rng(1), "float32"))
    others, other = WAYS[way](params, optimizer)
    for some, of in ((params, optimizer), (others, other)):
        for param, gradient in zip(some, drawn(np.random.default_rng(2), "float32"), strict=True):
            param.grad = gradient
        of.step()
        trained(some, of, np.random.default_rng(3), 2)
    for one, another in zip(params, others, strict=True):
        assert one.data.tobytes() == another.data.tobytes()
        assert optimizer.state[one]["hessian"].tobytes() == other.state[another]["hessian"].tobytes()


def test_without_a_step_and_an_estimate_there_is_no_entry():
    x, y, optimizer = two()
    assert optimizer.state_dict()["state"] == {}
    optimizer.update_hessian({"x": [1.0, 2.0]})
    assert list(optimizer.state_dict()["state"]) == [0]
    optimizer.load_state_dict({**optimizer.state_dict(), "state": {}})
    x.grad, y.grad = [1.0, 1.0], [1.0]
    optimizer.step()
    assert hessians(optimizer, (x, y)) == [[0.0, 0.0], [0.0]]


def test_the_state_and_the_explanation_have_an_h_that_came_before_the_first_step():
    x, y, optimizer = two()
    optimizer.update_hessian([[4.0, -8.0], None])
    assert list(optimizer.state) == [x] and y not in optimizer.state and not optimizer.state[y]
    assert {key: np.asarray(each).tolist() for key, each in optimizer.state[x].items()} == {
        "step": 0,
        "exp_avg": [0.0, 0.0],
        "hessian": [2.0, -4.0],
    }
    x.grad = [1.0, 1.0]
    said = explain_step(optimizer, "x", 0)
    optimizer.step()
    assert said.before["h"] == 2.0 and said.after == pytest.approx(float(x.data[0]))
    del optimizer.state[x]
    assert not optimizer.state[x] and optimizer.state_dict()["state"] == {}


class Estimating(training.Callback):
    """Gives estimates when the training begins and whenever it is asked to, and sees that nothing else changes h."""

    def __init__(self, params, optimizer):
        self.params, self.optimizer, self.rng, self.h = params, optimizer, np.random.default_rng(0), []

    def on_begin(self, run):
        self.give()

    def give(self):
        assert not self.h or all(
            one.tobytes() == other.tobytes() for one, other in zip(self.h, self.now(), strict=True)
        )
        self.optimizer.update_hessian([self.rng.uniform(0.5, 2.0, param.shape) for param in self.params])
        self.h = self.now()

    def now(self):
        return [entry["hessian"] for entry in self.optimizer.state_dict()["state"].values()]


class AfterEpochs(Estimating):
    def on_epoch(self, run):
        self.give()


class AfterSteps(Estimating):
    def on_step(self, run):
        self.give()


@pytest.mark.parametrize("giving", [AfterEpochs, AfterSteps])
def test_steps_leave_h_and_a_callback_gives_estimates_also_in_a_compiled_training(giving, monkeypatch):
    if COMPILER_IS_OFF:
        monkeypatch.setattr(backend, "compiles", lambda: True)
        monkeypatch.setattr(backend, "require_compiler", lambda: None)
    found = []
    for compiled, kind in ((False, giving), (True, giving), (True, Estimating)):
        model, loss, optimizer, loader = flow(lambda params: optim.SophiaH(params, lr=0.01, rho=1.0, betas=(0.9, 0.5)))
        params = list(model.parameters())
        given = {"compiled": compiled, "callbacks": [kind(params, optimizer)], "progress": False}
        for _ in range(2):  # the second training goes on with the machine code of the first
            training.fit(model, loss, optimizer, loader, epochs=3, **given)
        found.append(np.concatenate([param.data.ravel() for param in params]))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
    assert not np.allclose(found[2], found[0], rtol=1e-4), "the estimates in between matter"


def test_a_hook_before_steps_may_give_estimates():
    model, loss, optimizer, loader = flow(lambda params: optim.SophiaH(params, lr=0.01, betas=(0.9, 0.5)))
    optimizer.register_step_pre_hook(lambda of, args, kwargs: of.update_hessian([np.ones((1, 3)), None]))
    training.fit(model, loss, optimizer, loader, epochs=1, progress=False)
    weight, bias = model.parameters()
    assert optimizer.state[weight]["hessian"].tolist() == [[1 - 0.5 ** len(loader)] * 3]
    assert optimizer.state[bias]["hessian"].tolist() == [0.0]


def test_optax_makes_the_same_steps_with_the_same_estimates():
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    given = optax.GradientTransformationExtraArgs(
        lambda params: optax.EmptyState(), lambda updates, state, params=None, *, estimate, **more: (estimate, state)
    )
    theirs = optax.contrib.sophia(0.1, gamma=1.0, update_interval=1, hessian_diagonal_fn=given)
    rng = np.random.default_rng(0)
    start = rng.normal(size=20).astype("float32")
    w, values = tensor(start, requires_grad=True), jax.numpy.array(start)
    optimizer, state = optim.SophiaH([w], lr=0.1, rho=1.0, dialect="optax"), theirs.init(values)
    for _ in range(5):
        gradient, estimate = (rng.normal(size=20).astype("float32") for _ in range(2))
        updates, state = theirs.update(jax.numpy.array(gradient), state, values, estimate=jax.numpy.array(estimate))
        values = optax.apply_updates(values, updates)
        w.grad = gradient
        optimizer.step()
        optimizer.update_hessian([estimate])  # its step uses the h before
        np.testing.assert_allclose(w.data, values, rtol=3e-5, atol=1e-6)
        np.testing.assert_allclose(optimizer.state[w]["hessian"], state[0].nu, rtol=1e-5, atol=1e-7)
