"""Every op of the engine in compiled form: its own cases in both dtypes, forwards and every gradient, within the
enclosures of step_enclosure.py; the values declared at kinks, exactly."""

from types import SimpleNamespace

import numpy as np
import pytest
from compiled_cases import as_plain_python
from engine_cases import all_cases, differentiable, draw, forward
from step_enclosure import enclosed_step

from tinygrad_lr import optim, tensor
from tinygrad_lr.compiled import CannotCompile, Runner, lowering, runner
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.engine.ops import OPS
from tinygrad_lr.engine.tensor import apply
from tinygrad_lr.kernels._jit import COMPILER_IS_OFF
from tinygrad_lr.kernels.ops import matmul

CASES = list(all_cases())


@pytest.fixture(autouse=True)
def calls_only(monkeypatch):
    """The generated file as plain Python calls of the compiled kernels."""
    monkeypatch.setattr(runner, "load", lambda text: SimpleNamespace(run=as_plain_python(text)["run"]))


def step(op, arrays, options, weights):
    """One compiled step of `(op(parameters) * weights).sum()`: the runner, the loss, and the parameters."""
    parameters = [tensor(array, requires_grad=i >= op.conditions) for i, array in enumerate(arrays)]
    optimizer = optim.SGD(parameters[op.conditions :], lr=0.0)
    loader = DataLoader(TensorDataset(np.zeros((1, 1)), np.zeros((1, 1))))
    model = lambda x: apply(op, parameters, options)  # noqa: E731
    made = Runner(model, lambda out, target: (out * weights).sum(), optimizer, loader)
    losses, steps = made.run(loader.keys(0, 1), 0, np.zeros((1, 1)))
    assert steps == 1
    return made, losses[0], parameters


def check_case(op, case, dtype):
    """The loss and every gradient of a case lie in their enclosures."""
    arrays = draw(op, case, 7, dtype)
    out = forward(op, arrays, case)
    weights = np.random.default_rng(3).uniform(-2, 2, out.shape).astype(out.dtype)
    made, loss, parameters = step(op, arrays, case.options, weights)
    bound, gradients = enclosed_step(made.traces[0], made.batches.kinds[0][2])
    assert bound.contains(loss), f"{op.name}, {case}: loss {loss}, allowed: {bound}"
    for i in differentiable(op, case):
        parameter = parameters[i]
        allowed = gradients[id(parameter)]
        assert allowed.contains(parameter.grad).all(), f"{op.name}, {case}, input {i}: {parameter.grad}, {allowed}"


COMPILED = list(OPS)


def chosen(name, searches):
    """The dtypes and cases of an op: fewer where each makes machine code, which takes a second to compile."""
    dtypes, cases = ["float32", "float64"], OPS[name].cases
    if not COMPILER_IS_OFF:
        dtypes = searches.sample("dtypes of compiled ops", dtypes, len(OPS) ** 2, key=lambda dtype: f"{name} {dtype}")
    one_in = 6 if COMPILER_IS_OFF else 12
    return {
        dtype: searches.sample("compiled cases of ops", cases, one_in, key=lambda case: f"{name} {case} {dtype}")
        for dtype in dtypes
    }


@pytest.mark.sampled(one_in=1 if COMPILER_IS_OFF else 4)  # the uncompiled mode sees the rows of all ops
@pytest.mark.parametrize("name", COMPILED)
def test_every_case_of_an_op_agrees(name, searches):
    for dtype, cases in chosen(name, searches).items():
        for case in cases:
            check_case(OPS[name], case, dtype)


def test_every_op_has_a_compiled_form():
    for name in COMPILED:
        assert lowering.form_of(OPS[name])
    assert not [name for name in lowering.FORMS if name not in OPS or OPS[name].rules]


def test_a_conversion_to_float32_agrees():
    case = OPS["cast"].cases[1]._replace(options=(np.dtype("float32"),))
    check_case(OPS["cast"], case, "float64")


@pytest.mark.parametrize("name", [name for name in COMPILED if OPS[name].kinks])
def test_values_declared_at_kinks(name, searches):
    for dtype in chosen(name, searches):
        check_kinks(name, dtype)


def check_kinks(name, dtype):
    for kink in OPS[name].kinks:
        arrays = [np.asarray(each, dtype) for each in kink.inputs]
        weights = np.ones(np.shape(OPS[name].run(arrays, kink.options)[0]), dtype)
        parameters = step(OPS[name], arrays, kink.options, weights)[2]
        for parameter, declared in zip(parameters, kink.gradients, strict=True):
            if declared is not None:
                np.testing.assert_array_equal(parameter.grad, np.asarray(declared, dtype))


# --- the checks must fail ---------------------------------------------------------------------------------------------


def doubled(low, buffer):
    low.call("moves.divide", buffer, 0.5, buffer)


def wrong_forward(name):
    forward_row, backward_row = lowering.form_of(OPS[name])

    def broken(low, use):
        forward_row(low, use)
        if name == "reshape":  # which calls nothing: a copy of its own, or the parameter would change
            out = low.buffers[id(use.output)] = low.new("value", use.output.size, use.output.dtype)
            low.call("moves.copy", low.buffer_of(use.inputs[0]), out)
        doubled(low, low.buffer_of(use.output))

    return lowering.Form(broken, backward_row)


def wrong_gradient(name, which):
    forward_row, backward_row = lowering.form_of(OPS[name])

    def broken(low, use, i):
        backward_row(low, use, i)
        if i == which:
            doubled(low, low.gradients[id(use.inputs[i])])

    return lowering.Form(forward_row, broken)


def fails(name):
    """Whether some case of an op does not agree."""
    for case in OPS[name].cases:
        try:
            check_case(OPS[name], case, "float32")
        except AssertionError:
            return True
    return False


@pytest.mark.sampled(one_in=1 if COMPILER_IS_OFF else 6)  # in Python it is the same row that is wrong
@pytest.mark.parametrize("name", COMPILED)
def test_a_wrong_row_is_seen(name, monkeypatch):
    right = lowering.form_of(OPS[name])
    monkeypatch.setitem(lowering.FORMS, name, wrong_forward(name))
    assert fails(name)
    for i in range(OPS[name].conditions, max(len(case.shapes) for case in OPS[name].cases)):
        monkeypatch.setitem(lowering.FORMS, name, wrong_gradient(name, i))
        assert fails(name), f"input {i}"
    monkeypatch.setitem(lowering.FORMS, name, right)
    assert not fails(name)


@pytest.mark.parametrize("kernel", ["nn_each", "nt_each", "tn_each"])
def test_a_wrong_product_of_many_matrices_is_seen(kernel, monkeypatch):
    right = getattr(matmul, kernel)

    def wrong(a, b, out):
        right(a, b, out)
        out[-1] = out[0]

    monkeypatch.setattr(matmul, kernel, wrong)
    assert fails("matmul")


def test_a_wrong_value_at_a_kink_is_seen(monkeypatch):
    monkeypatch.setitem(lowering.FORMS, "maximum", wrong_gradient("maximum", 0))
    with pytest.raises(AssertionError):
        check_kinks("maximum", "float32")


def test_an_op_without_a_row_is_refused_by_its_name(monkeypatch):
    monkeypatch.delitem(lowering.FORMS, "sum")
    monkeypatch.setattr(OPS["exp"], "rules", ())
    for name in ("sum", "exp"):
        with pytest.raises(CannotCompile, match=f"the op '{name}' has no compiled form"):
            check_case(OPS[name], OPS[name].cases[1], "float32")
