"""Dtypes of results: those of torch, for every pair of dtypes, kind of operand and function. float32 stays float32."""

import itertools

import numpy as np
import pytest

from tinygrad_lr import Tensor, functional, nn, no_grad, optim, tensor
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.engine.dtypes import result_dtype
from tinygrad_lr.training import fit

DTYPES = ["bool", "int64", "float32", "float64"]
FUNCTIONS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "<": lambda a, b: a < b,
    "==": lambda a, b: a == b,
}
# What stands beside a Tensor: a maker of ours and of torch's from an array, and whether a dtype has it.
PYTHON = {"bool": bool, "int64": int, "float64": float}
OPERANDS = {
    "Python's number": (lambda a, torch: (PYTHON[a.dtype.name](a.flat[0]),) * 2, ["bool", "int64", "float64"]),
    "NumPy's number": (lambda a, torch: (a.dtype.type(a.flat[0]), a.flat[0].item()), DTYPES),
    "0-d Tensor": (lambda a, torch: (tensor(a.flat[0]), torch.tensor(a.flat[0].item(), dtype=_of(torch, a))), DTYPES),
    "0-d array": (lambda a, torch: (np.array(a.flat[0]), torch.tensor(a.flat[0].item(), dtype=_of(torch, a))), DTYPES),
    "Tensor": (lambda a, torch: (tensor(a), torch.tensor(a)), DTYPES),
    "array": (lambda a, torch: (a, torch.tensor(a)), DTYPES),
}


def _of(torch, array):
    return getattr(torch, array.dtype.name)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", OPERANDS)
@pytest.mark.parametrize("shape", [(), (2,)], ids=["of 0-d", "of 1-d"])
def test_results_have_the_dtype_and_values_of_torch(function, kind, shape):
    torch = pytest.importorskip("torch")
    f = FUNCTIONS[function]
    make, dtypes = OPERANDS[kind]
    for left, right in itertools.product(DTYPES, dtypes):
        if (function == "-" and "bool" in (left, right)) or (function == "**" and left == right == "bool"):
            continue  # torch refuses it
        a, b = np.full(shape, 3).astype(left), np.array([2, 1]).astype(right)
        ours, theirs = tensor(a), torch.tensor(a)
        mine, his = make(b, torch)
        for found, expected in ((f(ours, mine), f(theirs, his)), (f(mine, ours), f(his, theirs))):
            where = f"{left} {function} {right}"
            assert isinstance(found, Tensor) and found.dtype.name == str(expected.dtype).removeprefix("torch."), where
            np.testing.assert_allclose(found.data, expected.numpy(), rtol=1e-6, err_msg=where)


def test_the_dtype_of_many_is_that_of_torch():
    torch = pytest.importorskip("torch")
    for dtypes in itertools.product(DTYPES, repeat=2):
        for shapes in itertools.product([(), (1,), (2, 1)], repeat=2):
            arrays = [np.ones(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
            expected = torch.result_type(*map(torch.tensor, arrays))
            assert result_dtype(arrays).name == str(expected).removeprefix("torch.")


@pytest.mark.parametrize(
    "formula",
    [
        lambda w: w * np.sqrt(2),
        lambda w: np.sqrt(2) * w,
        lambda w: w / np.float64(3),
        lambda w: w ** np.int64(2),
        lambda w: w + np.array(1.5),
        lambda w: w * np.array([1, 2]),
        lambda w: np.array([True, False]) * w,
        lambda w: w * tensor([1, 2]),
        lambda w: w - tensor(2.0, dtype="float64"),
        lambda w: w.maximum(np.float64(1)),
        lambda w: np.maximum(0.5, w),
        lambda w: w @ np.array([1, 2]),
        lambda w: functional.mse_loss(w, np.array([3, 5])),
        lambda w: functional.mse_loss(w, tensor([3, 5])),
        lambda w: functional.mse_loss(w, np.float64(1)),
        lambda w: w / len(w),
    ],
)
def test_float32_stays_float32_and_so_does_its_gradient(formula):
    w = tensor([1.0, 2.0], requires_grad=True)
    out = formula(w)
    out.sum().backward()
    assert out.dtype == w.grad.dtype == np.float32 and np.isfinite(w.grad).all() and w.grad.any()


def test_a_gradient_comes_back_in_its_own_dtype():
    wide = tensor(2.0, dtype="float64", requires_grad=True)
    rows = tensor([1.0, 3.0], requires_grad=True)
    out = wide * rows
    out.sum().backward()
    assert out.dtype == np.float32
    assert wide.grad.dtype == np.float64 and wide.grad == 4 and rows.grad.tolist() == [2.0, 2.0]


def test_functions_of_whole_numbers_give_float32():
    whole = tensor([1, 4])
    for found, expected in (
        (whole.sqrt(), [1, 2]),
        (np.log(whole), np.log([1, 4])),
        (whole / whole, [1, 1]),
        (whole.mean(), 2.5),
        (tensor([True]).exp(), [np.e]),
        (whole**0.5, [1, 2]),
        (1 / whole, [1, 0.25]),
    ):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found.data, expected, rtol=1e-6)
    assert whole.sum().dtype == np.int64 and (whole.to("float64") / 3).dtype == np.float64
    assert whole.to("float64").dtype == np.float64


def test_a_number_must_fit():
    with pytest.raises(ValueError, match="does not fit into int64"):
        tensor([1]) + np.uint64(2**63)
    for number in (np.complex64(1), np.datetime64("2020"), np.str_("1")):
        with pytest.raises(TypeError, match="expected a Tensor, a NumPy array or a real number beside a Tensor"):
            tensor([1.0]) * number


def losses(loss, target, compiled):
    weight = tensor([[0.5], [-0.25]], requires_grad=True)
    loader = DataLoader(TensorDataset(np.linspace(-1, 1, 8, dtype="f4").reshape(4, 2), target), 2)
    history = fit(
        lambda x: x @ weight, loss, optim.SGD([weight], lr=0.1), loader, epochs=2, progress=False, compiled=compiled
    )
    return history.loss, weight.data.copy()


@pytest.mark.parametrize(
    "loss",
    [
        nn.MSELoss(),
        lambda out, target: ((out - target) ** 2).mean() * np.sqrt(2),
        lambda out, target: (np.float64(0.5) * (out * target - np.array(3.0)) ** 2).mean(),
    ],
)
def test_a_target_of_whole_numbers_trains_alike_compiled(loss):
    target = np.arange(4).reshape(4, 1)
    (eager, one), (machine, other) = losses(loss, target, False), losses(loss, target, True)
    assert one.dtype == other.dtype == np.float32
    np.testing.assert_allclose(eager, machine, rtol=1e-5)
    np.testing.assert_allclose(one, other, rtol=1e-5)


# --- what turns a Tensor into something else --------------------------------------------------------------------------


@pytest.mark.parametrize("take", [np.asarray, np.array, lambda w: np.asarray(w * 2), lambda w: np.array([w, w])])
def test_an_array_of_what_requires_gradients_is_refused(take):
    w = tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"write t\.detach\(\) in place of t"):
        take(w)
    assert isinstance(take(w.detach()), np.ndarray)
    with no_grad():
        assert isinstance(take(w), np.ndarray)
    assert w.numpy() is w.data and w.tolist() == [1.0, 2.0] and w[0].item() == float(w[0]) == 1.0


def test_in_looks_for_an_element():
    x = tensor([[0.0, 1.0], [2.0, 3.0]], requires_grad=True)
    assert 0 in x and 3.0 in x and 4 not in x and np.float64(2) in x and tensor(1) in x
    assert 0 not in tensor([]) and np.nan not in tensor([np.nan])
    for value in (None, "a"):
        with pytest.raises(TypeError, match="`value in t` needs a number or a Tensor, got"):
            value in x  # noqa: B015


@pytest.mark.parametrize("length", [3, 0, np.int64(1)])
def test_a_second_length_is_not_requires_grad(length):
    with pytest.raises(TypeError, match=r"requires_grad must be True or False, got .*; .* write zeros\(2, 3\)"):
        Tensor(2.0, length)
    for given in (length, None, "yes"):
        with pytest.raises(TypeError, match="requires_grad must be True or False, got"):
            tensor([1.0]).requires_grad = given
    assert Tensor(2.0, np.bool_(True)).requires_grad is True
