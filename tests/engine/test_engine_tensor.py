"""What users hold: creation, dtypes, operators, indexing, Python's protocols; and mistakes, each with its message."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lr
from tinygrad_lr import (
    GradcheckError,
    Tensor,
    cuda,
    from_numpy,
    functional,
    gradcheck,
    manual_seed,
    nn,
    no_grad,
    ones,
    rand,
    randn,
    random,
    tensor,
    zeros,
)
from tinygrad_lr.engine.ops import OPS
from tinygrad_lr.engine.tensor import adopt, apply

w = tensor([1.0, 2.0], requires_grad=True)
whole = tensor([1, 2])


def backward_twice() -> None:
    y = (w * w).sum()
    y.backward()
    y.backward()


def check_without_recording() -> None:
    with no_grad():
        gradcheck(lambda x: x * x, [1.0])


def overwrite(where, value) -> None:
    with no_grad():
        w[where] = value


def add_in_place(x, value) -> None:
    x += value


# what is tried, the error, and words of its message: what was expected, what came, what to do
MISTAKES = {
    "complex data": (lambda: tensor([1j]), TypeError, "float32, float64, int64 or bool, got data of dtype complex128"),
    "float16 data": (lambda: tensor(np.ones(2, np.float16)), TypeError, "float16; convert it first"),
    "text": (lambda: tensor("3"), TypeError, "got data of dtype <U1"),
    "None": (lambda: tensor(None), TypeError, "got data of dtype object"),
    "huge whole numbers": (lambda: tensor(np.array([2**63], np.uint64)), TypeError, "uint64"),
    "huge Python numbers": (lambda: tensor([10**30]), TypeError, "got data of dtype object"),
    "ragged lists": (lambda: tensor([[1.0], [1.0, 2.0]]), ValueError, "nested lists of equal lengths"),
    "unknown dtype": (lambda: tensor([1.0], dtype="float8"), TypeError, "dtype is float32.*got 'float8'"),
    "dtype float16": (lambda: zeros(2, dtype=np.float16), TypeError, "dtype is float32"),
    "integers with gradients": (lambda: tensor([1], requires_grad=True), TypeError, "can require gradients, got int64"),
    "unknown device": (lambda: zeros(2, device="tpu"), (ValueError, TypeError), "'tpu'"),
    "device with a number": (lambda: w.detach().to("cuda:0"), ValueError, "'cpu' or 'cuda', got 'cuda:0'"),
    "shapes that do not broadcast": (lambda: w + ones(3), ValueError, r"add: .*\(2,\) float32, \(3,\) float32"),
    "matmul of unfit shapes": (lambda: w @ ones(3, 2), ValueError, r"matmul: .*\(2,\) float32, \(3, 2\) float32"),
    "matmul of numbers": (lambda: w @ 2.0, ValueError, "matmul"),
    "operand of another kind": (lambda: w + "1", TypeError, "expected a Tensor, a NumPy array or a real number"),
    "numbers in lists": (lambda: functional.relu([1.0]), TypeError, r"got list; use tensor\(...\) first"),
    "half precision given": (lambda: functional.relu(np.ones(2, "f2")), TypeError, "float16; convert it first"),
    "axis and dim": (lambda: w.sum(axis=0, dim=0), TypeError, "axis=0 and dim=0 are one argument; give one"),
    "dim and axis of a mean": (lambda: w.mean(0, dim=0), TypeError, "axis=0 and dim=0 are one argument"),
    "keepdims and keepdim": (lambda: w.sum(keepdims=False, keepdim=True), TypeError, "keepdims=False and keepdim=True"),
    "size by axis and dim": (lambda: w.size(0, dim=0), TypeError, "axis=0 and dim=0 are one argument"),
    "format of many": (lambda: f"{w:.3f}", TypeError, r"'.3f' is for one number, .*shape \(2,\); .*\.tolist"),
    "operand Fraction": (lambda: w * Fraction(1, 2), TypeError, "got Fraction"),
    "complex operand": (lambda: w * np.array([1j, 1]), TypeError, "complex128"),
    "number beyond int64": (lambda: whole + 10**30, ValueError, "does not fit into int64"),
    "axis too large": (lambda: w.sum(axis=1), ValueError, "sum: axis 1 is out of bounds"),
    "mean of nothing": (lambda: zeros(0).mean(), ValueError, "mean of no elements"),
    "reshape to another size": (lambda: w.reshape(3), ValueError, "reshape: expected a shape of as many elements"),
    "permute with too few axes": (lambda: ones(2, 3).permute(0), ValueError, "permute"),
    "transpose of missing axes": (lambda: w.transpose(0, 1), ValueError, "expected two axes of 1, got 0 and 1"),
    "clip without a bound": (lambda: w.clip(), ValueError, "clip: min and max are None; give one"),
    "index too large": (lambda: w[5], IndexError, "index: index 5 is out of bounds"),
    "index by floats": (lambda: w[0.5], IndexError, "index: only integers"),
    "index by a float array": (lambda: w[tensor([0.5])], IndexError, "index: arrays used as indices"),
    "assignment of a wrong shape": (lambda: overwrite(slice(None), ones(3)), ValueError, r"t\[...\] = value"),
    "assignment out of bounds": (lambda: overwrite(7, 1.0), IndexError, "out of bounds"),
    "data of another shape": (lambda: setattr(w, "data", np.ones(3)), ValueError, r"data must .*\(2,\), got \(3,\)"),
    "grad of another shape": (lambda: setattr(w, "grad", np.ones((1, 2))), ValueError, "grad must have the Tensor"),
    "grad of text": (lambda: setattr(w, "grad", ["a", "b"]), TypeError, "grad must be real numbers"),
    "gradient of another shape": (lambda: (w * 2).backward(np.ones(3)), ValueError, "gradient must have"),
    "backward of many": (lambda: (w * 2).backward(), ValueError, r"shape \(2,\) needs a gradient.*\.sum\(\)"),
    "backward of a constant": (lambda: ones(1).backward(), RuntimeError, "requires_grad=True"),
    "backward twice": (backward_twice, RuntimeError, "freed by an earlier backward"),
    "item of many": (lambda: w.item(), ValueError, r"exactly one element, got shape \(2,\)"),
    "truth of many": (lambda: bool(w > 0), ValueError, "exactly one element"),
    "length of 0-d": (lambda: len(tensor(1.0)), TypeError, "0-d Tensor has no length"),
    "iterating 0-d": (lambda: list(tensor(1.0)), TypeError, "0-d"),
    "a float as an index": (lambda: [1, 2][tensor(1.0)], TypeError, "0-d int64 Tensor"),
    "gradients off for a result": (lambda: setattr(w * 2, "requires_grad", False), RuntimeError, r"\.detach\(\)"),
    "moving what requires gradients": (lambda: (w * 2).to("cuda"), RuntimeError, "cuda|stays on its device"),
    "in place into a smaller shape": (lambda: add_in_place(ones(2), ones(3, 2)), TypeError, r"write t = t \+ x"),
    "in place into whole numbers": (lambda: add_in_place(tensor([1, 2]), 0.5), TypeError, "in-place add into int64"),
    "in place with unfit shapes": (lambda: add_in_place(ones(2), ones(3)), ValueError, "in-place add"),
    "comparison of unfit shapes": (
        lambda: ones(2) < ones(3),
        ValueError,
        r"less: .* broadcast.* got \(2,\) float32, \(3,\)",
    ),
    "order against text": (lambda: ones(2) < "a", TypeError, "not supported"),
    "powers of booleans": (lambda: tensor([True]) ** True, TypeError, "pow: the result would be int8"),
    "mse of other shapes": (
        lambda: functional.mse_loss(ones(4, 1), ones(4)),
        ValueError,
        r"\(4, 1\) and \(4,\).*compare every pair",
    ),
    "mse of nothing": (lambda: functional.mse_loss(zeros(0), zeros(0)), ValueError, "mean over no elements"),
    "mse unknown reduction": (lambda: functional.mse_loss(w, w, "avg"), ValueError, "mean, sum, none, got 'avg'"),
    "linear of unfit input": (lambda: functional.linear(ones(4, 3), ones(2, 5)), ValueError, r"\(2, 5\).*\(4, 3\)"),
    "linear of a 0-d input": (lambda: functional.linear(tensor(1.0), ones(2, 5)), ValueError, "last axis"),
    "linear of unfit bias": (lambda: functional.linear(ones(3), ones(2, 3), ones(3)), ValueError, r"bias of shape"),
    "negative shape": (lambda: zeros(-1), ValueError, "at least 0"),
    "shape of floats": (lambda: randn(2.0), TypeError, "whole numbers or one tuple"),
    "random whole numbers": (lambda: randn(2, dtype="int64"), TypeError, "float32 or float64"),
    "seed that is none": (lambda: manual_seed("a"), TypeError, "seed must be a whole number of at least 0"),
    "negative seed": (lambda: manual_seed(-1), ValueError, "at least 0, got -1"),
    "sharing a list": (lambda: from_numpy([1.0]), TypeError, "use tensor"),
    "sharing float16": (lambda: from_numpy(np.ones(2, np.float16)), TypeError, "cannot share an array of float16"),
    "sharing a read-only array": (lambda: from_numpy(np.broadcast_to(1.0, 3)), ValueError, "read-only"),
    "adopting int32": (lambda: adopt(np.ones(2, np.int32)), TypeError, "int32"),
    "gradcheck inside no_grad": (check_without_recording, RuntimeError, "outside no_grad"),
    "gradcheck in float32": (lambda: gradcheck(lambda x: x, w), TypeError, "float64 leaf"),
    "gradcheck of nothing": (lambda: gradcheck(lambda x: x, whole), ValueError, "nothing to check"),
    "gradcheck of a number": (lambda: gradcheck(lambda x: 1.0, [1.0]), TypeError, "must return a Tensor, got float"),
    "gradcheck of chance": (lambda: gradcheck(lambda x: x * rand(1, dtype="float64"), [1.0]), ValueError, "different"),
    "gradcheck past the graph": (
        lambda: gradcheck(lambda x: x * x.detach(), [1.0]),
        GradcheckError,
        r"input 0 of fn, element \[0\]: backward gives 1.136.*differences 2.273.*detach",
    ),
    "gradcheck without a graph": (lambda: gradcheck(lambda x: x.detach(), [3.0]), GradcheckError, "backward gives 0"),
    "unknown name": (lambda: tinygrad_lr.nonsense, AttributeError, "nonsense"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str) -> None:
    attempt, kind, words = MISTAKES[name]
    with pytest.raises(kind, match=f"(?s){words}"):
        attempt()


# --- dtypes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        (3, "int64"),
        (True, "bool"),
        ([1.0, 2], "float32"),
        ([1, 2], "int64"),
        ([], "float32"),
        (np.float64(1), "float64"),
        (np.ones(2), "float64"),
        (np.ones(2, np.float32), "float32"),
        (np.ones(2, np.int8), "int64"),
        (np.array([True]), "bool"),
        ([[1.0], [2.0]], "float32"),
    ],
)
def test_data_gets_the_dtype_that_torch_gives_it(data, dtype: str) -> None:
    assert tensor(data).dtype == dtype
    assert Tensor(data, dtype="float64").dtype == np.float64


def test_tensor_copies_and_from_numpy_shares() -> None:
    array = np.ones(2)
    copied, shared = tensor(array), from_numpy(array)
    array[0] = 5
    assert copied.tolist() == [1, 1] and shared.tolist() == [5, 1]
    assert tensor(copied)._data is not copied._data


OPERATIONS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_python_numbers_are_weak_on_both_sides(name: str, dtype: str, shape) -> None:
    f = OPERATIONS[name]
    x = ones(shape, dtype=dtype)
    array = x.data.copy()
    for number in (2, 0.1, True):
        for found, expected in ((f(x, number), f(array, number)), (f(number, x), f(number, array))):
            assert isinstance(found, Tensor) and found.dtype == dtype
            np.testing.assert_allclose(found.data, expected, rtol=1e-6)


def test_a_matrix_times_a_tensor_is_a_tensor() -> None:
    a = np.eye(2, dtype=np.float32)
    assert isinstance(a @ w, Tensor) and isinstance(w @ a, Tensor)
    np.testing.assert_array_equal((a @ w).data, [1.0, 2.0])


UFUNCS = {
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "sqrt": lambda x: x.sqrt(),
    "tanh": lambda x: x.tanh(),
    "absolute": lambda x: x.abs(),
    "negative": lambda x: -x,
    "add": lambda x: 2.0 + x,
    "subtract": lambda x: 2.0 - x,
    "multiply": lambda x: 2.0 * x,
    "divide": lambda x: 2.0 / x,
    "power": lambda x: 2.0**x,
    "maximum": lambda x: x.maximum(2.0),
    "minimum": lambda x: x.minimum(2.0),
    "remainder": lambda x: 2.0 % x,
    "floor_divide": lambda x: 2.0 // x,
    "arctan2": lambda x: tensor(2.0).atan2(x),
    "sin": lambda x: x.sin(),
    "arctan": lambda x: x.arctan(),
    "square": lambda x: x.square(),
    "reciprocal": lambda x: x.reciprocal(),
}


@pytest.mark.parametrize("name", UFUNCS)
def test_numpy_functions_of_tensors_are_the_ops_with_their_gradients(name: str) -> None:
    ufunc = getattr(np, name)
    found, expected = tensor([1.0, 3.0], requires_grad=True), tensor([1.0, 3.0], requires_grad=True)
    out = ufunc(found) if ufunc.nin == 1 else ufunc(2.0, found)
    other = UFUNCS[name](expected)
    assert isinstance(out, Tensor) and out.data.tobytes() == other.data.tobytes()
    out.sum().backward()
    other.sum().backward()
    np.testing.assert_array_equal(found.grad, expected.grad)


def test_numpy_sums_and_means_of_tensors_have_gradients() -> None:
    x = tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert (
        np.sum(x).tolist() == 10
        and isinstance(np.sum(a=x), Tensor)
        and np.sum(x, 0).tolist() == [4, 6]
        and np.sum(x, 1, keepdims=True).shape == (2, 1)
    )
    np.mean(x, axis=1).sum().backward()
    assert x.grad.tolist() == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    "cut",
    [
        lambda x: np.hypot(x, 1),
        lambda x: np.add.reduce(x),
        lambda x: np.exp(x, dtype="float64"),
        lambda x: np.sum(x, dtype="float64"),
        lambda x: np.concatenate([np.ones(2), x], dtype="float64"),
        lambda x: np.linalg.norm(x, 3),
        lambda x: np.linalg.norm(np.outer(x, x), 2),
        lambda x: np.array_split(x, 2),
        lambda x: np.flip(x),
        lambda x: np.interp(x, [0, 1], [0, 1]),
        lambda x: np.add(x, 1, out=np.zeros(2, "float32")),
    ],
)
def test_numpy_functions_without_a_gradient_say_what_to_write(cut) -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"numpy\..* is no operation of a Tensor.*t\.detach\(\)\.numpy\(\)"):
        cut(x)
    found = cut(x.detach())
    assert isinstance(found, (list, np.ndarray, np.generic))
    with no_grad():
        np.testing.assert_array_equal(cut(x), found)


WRITING = {
    "np.add(a, 1, out=w)": lambda w, a: np.add(a, 1, out=w),
    "np.add(w, 1, out=a)": lambda w, a: np.add(w, 1, out=a),
    "np.add(w, 1, out=w)": lambda w, a: np.add(w, 1, out=w),
    "np.isnan(a, out=w)": lambda w, a: np.isnan(a, out=w),
    "np.add.at(w, 0, 1)": lambda w, a: np.add.at(w, [0], 1.0),
    "np.add.at(a, 0, w)": lambda w, a: np.add.at(a, [0, 1], w),
    "np.exp.at(w, 0)": lambda w, a: np.exp.at(w, [0]),
    "np.copyto(w, a)": lambda w, a: np.copyto(w, a),
    "np.copyto(a, w)": lambda w, a: np.copyto(a, w),
    "np.put(a, 0, w)": lambda w, a: np.put(a, [0], w),
    "np.putmask(a, w)": lambda w, a: np.putmask(a, np.isfinite(a), w),
    "np.fill_diagonal(w, 0)": lambda w, a: np.fill_diagonal(w, 0.0),
    "np.cumsum(a, 0, out=w)": lambda w, a: np.cumsum(a, 0, out=w),
    "np.sum(w, out=a)": lambda w, a: np.sum(w, 0, None, a[0, ...]),
    "np.nan_to_num(w)": lambda w, a: np.nan_to_num(w, copy=False, nan=1.0),
}


@pytest.mark.parametrize("write", WRITING.values(), ids=WRITING)
def test_numpy_functions_write_nothing_where_they_would_cut_the_graph(write) -> None:
    """Neither into a Tensor that requires gradients, nor such a Tensor's values into an array."""
    w, a = tensor([[1.0, np.nan], [3.0, 4.0]], requires_grad=True), np.full((2, 2), 5.0, np.float32)
    with pytest.raises(TypeError, match=r"is no operation of a Tensor.*t\.detach\(\)\.numpy\(\)"):
        write(w, a)
    np.testing.assert_array_equal(w.numpy(), [[1.0, np.nan], [3.0, 4.0]])
    np.testing.assert_array_equal(a, 5.0)
    with no_grad():
        write(w, a)  # as `w.data` and `a` would be written
    assert not (np.array_equal(w.numpy(), [[1.0, np.nan], [3.0, 4.0]], equal_nan=True) and (a == 5).all())


def test_numpy_functions_write_booleans_of_a_tensor() -> None:
    into = np.ones(2, bool)
    assert np.isnan(tensor([1.0, np.nan], requires_grad=True), out=into) is into and into.tolist() == [False, True]


def test_numpy_functions_whose_results_have_no_gradient_work() -> None:
    assert np.isfinite(w).all() and not np.isnan(w.sum()) and np.argmax(w) == 1 and np.shape(w) == (2,)
    assert np.allclose(w, [1, 2]) and isinstance(np.less(w, 2.0), Tensor)


def test_an_array_changed_in_place_by_a_tensor_becomes_a_tensor() -> None:
    total = np.zeros(2)
    x = tensor([1.0, 2.0], requires_grad=True)
    for _ in range(2):
        total += x * x
    total.sum().backward()
    assert isinstance(total, Tensor) and x.grad.tolist() == [4.0, 8.0]
    numbers = same = np.array([4.0, 9.0])
    np.fmod(numbers, x.detach() * 3, out=numbers)  # no row of the table: NumPy's own change in place
    assert numbers is same and same.tolist() == [1.0, 3.0]


@given(st.sampled_from([n for n, op in OPS.items() if n != "cast"]), st.integers(0, 20))
def test_float32_stays_float32_in_every_row(name: str, number: int) -> None:
    op = OPS[name]
    case = op.cases[number % len(op.cases)]
    inputs = [
        tensor(np.full(shape, 0.5, np.float32), requires_grad=True)
        if i >= op.conditions
        else tensor(np.full(shape, {"bool": True, "class": 0, "number": np.float32(0.5)}[op.condition_kinds[i]]))
        for i, shape in enumerate(case.shapes)
    ]
    with np.errstate(invalid="ignore"):  # of 0.5 acosh is NaN
        out = apply(op, inputs, case.options)
        out.backward(np.ones(out.shape, np.float32))
    assert out.dtype == np.float32 and all(x.grad.dtype == np.float32 for x in inputs[op.conditions :])


# --- operators, methods, protocols ------------------------------------------------------------------------------------


def test_methods_compute_what_numpy_computes() -> None:
    a = np.linspace(0.5, 2, 6).reshape(2, 3)
    x = tensor(a)
    pairs = [
        (x.exp(), np.exp(a)),
        (x.log(), np.log(a)),
        (x.sqrt(), np.sqrt(a)),
        ((-x).abs(), a),
        (abs(-x), a),
        (+x, a),
        ((x - 1).relu(), np.maximum(a - 1, 0)),
        (x.tanh(), np.tanh(a)),
        (x.sigmoid(), 1 / (1 + np.exp(-a))),
        (x.maximum(1.0), np.maximum(a, 1)),
        (x.minimum(1.0), np.minimum(a, 1)),
        (x.clip(0.75, 1.5), a.clip(0.75, 1.5)),
        (x.clamp(min=1), a.clip(1)),
        (x.clamp(max=tensor(a[0])), np.minimum(a, a[0])),
        (x % 0.75, a % 0.75),
        (-x // 0.75, -a // 0.75),
        (2 % x, 2 % a),
        (2 // x, 2 // a),
        (x.remainder(0.5), a % 0.5),
        (x.floor_divide(0.5), a // 0.5),
        (x.atan2(-x), np.arctan2(a, -a)),
        (x.arctan2(2.0), np.arctan2(a, 2)),
        (x.rsqrt(), 1 / np.sqrt(a)),
        (x.reciprocal(), 1 / a),
        ((x / 2).asin(), np.arcsin(a / 2)),
        ((x / 2).arcsin(), np.arcsin(a / 2)),
        (x.log2(), np.log2(a)),
        (x.floor(), np.floor(a)),
        (x.sum(), a.sum()),
        (x.sum([0, 1]), a.sum()),
        (x.mean(-1), a.mean(-1)),
        (x.sum(0, keepdims=True), a.sum(0, keepdims=True)),
        (x.sum(dim=1), a.sum(1)),
        (x.sum(dim=(0, 1), keepdim=True), a.sum((0, 1), keepdims=True)),
        (x.mean(dim=0, keepdim=True), a.mean(0, keepdims=True)),
        (x.mean(1, keepdim=True), a.mean(1, keepdims=True)),
        (x.reshape(3, 2), a.reshape(3, 2)),
        (x.reshape((6,)), a.reshape(6)),
        (x.T, a.T),
        (x.transpose(0, 1), a.T),
        (x.permute(1, 0), a.T),
        (x[1], a[1]),
        (x[:, ::2], a[:, ::2]),
        (x[[1, 0]], a[[1, 0]]),
        (x[tensor([1, 1]), 0], a[[1, 1], 0]),
        (x[None, ..., 0], a[None, ..., 0]),
        (x[x > 1], a[a > 1]),
        (x[[]], a[np.array([], int)]),
        (x**2, a * a),
        (2**x, 2**a),
        (1 / x, 1 / a),
        (1 - x, 1 - a),
        (x.clone(), a),
        (x.to("float32"), a.astype("float32")),
        (functional.relu(x - 1), np.maximum(a - 1, 0)),
        (functional.tanh(x), np.tanh(a)),
        (functional.sigmoid(x), 1 / (1 + np.exp(-a))),
        (functional.maximum(x, 1), np.maximum(a, 1)),
        (functional.maximum(1, x), np.maximum(a, 1)),
        (functional.maximum(a, 1), np.maximum(a, 1)),
        (functional.relu(a - 1), np.maximum(a - 1, 0)),
        (functional.linear(a, a[:1], np.ones(1)), a @ a[:1].T + 1),
        (functional.mse_loss(x, 1), ((a - 1) ** 2).mean()),
        (functional.mse_loss(1, x, "sum"), ((a - 1) ** 2).sum()),
        (functional.mse_loss(x, a + 1, "none"), np.ones((2, 3))),
        (functional.mse_loss(a + 1, a), np.ones(())),
    ]
    for found, expected in pairs:
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.data, expected, rtol=1e-15 if found.dtype == np.float64 else 1e-6)


def test_properties_and_protocols() -> None:
    x = tensor([[1.0, 2.0, 3.0]])
    assert (x.shape, x.ndim, x.size(), x.size(1), x.numel(), len(x), x.device) == ((1, 3), 2, (1, 3), 3, 3, 1, "cpu")
    assert [row.tolist() for row in x] == [[1.0, 2.0, 3.0]]
    assert float(tensor(2.5)) == 2.5 and int(tensor([3])) == 3 and [0, 1, 2][tensor(1)] == 1
    assert tensor([[4.0]]).item() == 4.0 and type(tensor(4).item()) is int
    assert bool(tensor(0.0)) is False
    assert x.numpy() is x.data and np.asarray(x) is x.data
    assert np.array(x, dtype=np.float64).dtype == np.float64
    assert np.array(x, copy=True) is not x.data
    assert x.to("cpu") is x and x.to("float32") is x and x.requires_grad_().requires_grad
    assert x.size(dim=1) == 3


def test_dir_lists_what_is_public() -> None:
    listed = dir(tinygrad_lr)
    assert listed == sorted(set(listed)) and {*tinygrad_lr.__all__, "__version__", "exp", "where", "inf"} <= set(listed)
    assert all(hasattr(tinygrad_lr, name) for name in listed)
    assert not [
        name
        for name in dir(tinygrad_lr.functional)
        if name.islower()
        and callable(getattr(tinygrad_lr.functional, name))
        and name in tinygrad_lr.functional.__all__
        and name not in listed
    ]


def test_formatting_a_loss() -> None:
    loss = (w * w).sum()
    assert f"{loss:.3f}" == "5.000" and f"{loss:8.1e}|" == " 5.0e+00|" and f"{tensor([3]):03d}" == "003"
    assert f"{w}" == str(w)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_number_as_a_target_takes_the_dtype_of_the_prediction(dtype: str) -> None:
    x = tensor([1.0, 3.0], requires_grad=True, dtype=dtype)
    loss = functional.mse_loss(x, 2.0)
    loss.backward()
    assert loss.dtype == dtype and loss.item() == 1.0 and x.grad.tolist() == [-1.0, 1.0]


def test_comparisons_give_booleans_without_gradients() -> None:
    a, b = np.array([1.0, 2.0]), np.array([2.0, 2.0])
    for found, expected in [
        (w == b, a == b),
        (w != b, a != b),
        (w < b, a < b),
        (w <= b, a <= b),
        (w > 1, a > 1),
        (w >= tensor(b), a >= b),
    ]:
        assert found.dtype == np.bool_ and not found.requires_grad
        np.testing.assert_array_equal(found.data, expected)
    assert (w == None) is False and (w != "a") is True  # noqa: E711
    assert {w: 1}[w] == 1


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (lambda: tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (lambda: tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: tensor(1.5, dtype="float64"), "tensor(1.5, dtype=float64)"),
        (lambda: tensor([2], dtype="int64"), "tensor([2])"),
        (lambda: tensor([1.0], requires_grad=True) * 2, "tensor([2.], computed by mul)"),
        (lambda: tensor([], dtype="int64"), "tensor([], dtype=int64)"),
        (lambda: nn.Parameter([1.0]), "Parameter containing:\ntensor([1.], requires_grad=True)"),
    ],
)
def test_repr(x, text: str) -> None:
    assert repr(x()) == text


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0, 3), (2, 3)])
def test_every_shape_works_through_a_small_expression(shape) -> None:
    x = randn(*shape, requires_grad=True)
    y = ((x * 2 - 1).tanh() / 3).sum()
    assert y.shape == () and type(y.data) is np.ndarray
    y.backward()
    assert x.grad.shape == shape and type(x.grad) is np.ndarray


def test_grad_may_be_assigned() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    source = np.array([3.0, 4.0])
    x.grad = source
    source[:] = 0
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [3.0, 4.0]
    x.grad = tensor([5.0, 6.0])
    (x * 1).sum().backward()
    assert x.grad.tolist() == [6.0, 7.0]
    x.grad = None
    assert x.grad is None


# --- random numbers ---------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**64), st.sampled_from(["float32", "float64"]))
def test_the_same_seed_gives_the_same_numbers(seed: int, dtype: str) -> None:
    manual_seed(seed)
    first = randn(3, 2, dtype=dtype), rand((4,), dtype=dtype), randn()
    manual_seed(seed)
    state = random.get_state()
    second = randn(3, 2, dtype=dtype), rand((4,), dtype=dtype), randn()
    random.set_state(state)
    third = randn(3, 2, dtype=dtype), rand((4,), dtype=dtype), randn()
    for a, b, c in zip(first, second, third, strict=True):
        assert a.shape == b.shape and a.data.tobytes() == b.data.tobytes() == c.data.tobytes()
    assert randn(2, requires_grad=True).requires_grad and random.generator() is random.generator()


def test_draws_have_the_moments_they_should() -> None:
    """Means and variances within 6 standard errors."""
    manual_seed(0)
    n = 100_000
    normal, uniform = randn(n, dtype="float64").data, rand(n, dtype="float64").data
    assert abs(normal.mean()) < 6 / n**0.5 and abs(normal.var() - 1) < 6 * (2 / n) ** 0.5
    assert abs(uniform.mean() - 0.5) < 6 * (1 / 12 / n) ** 0.5 and uniform.min() >= 0 and uniform.max() < 1


# --- devices ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not cuda.is_available(), reason="CUDA is neither here nor simulated")
def test_tensors_move_and_ops_say_what_they_lack() -> None:
    x = tensor([[1.0, 2.0]]).to("cuda")
    assert x.device == "cuda" and x.shape == (1, 2) and x.tolist() == [[1.0, 2.0]] and "device='cuda'" in repr(x)
    assert x.to("cpu").tolist() == [[1.0, 2.0]] and x.to("cuda") is x
    with pytest.raises(NotImplementedError, match=r"pow is not implemented on device 'cuda'.*\.to\('cpu'\)"):
        x**2.0
    with pytest.raises(RuntimeError, match="add: all inputs must lie on one device, got cuda and cpu"):
        x + ones(2)
    with pytest.raises(TypeError, match=r"\.to\('cpu'\)\.numpy\(\)"):
        x.numpy()
    with pytest.raises(NotImplementedError, match="in-place add is not implemented on 'cuda'"):
        x += 1.0
    y = ones(2, requires_grad=True, device="cuda")
    y.data, y.grad = [3.0, 4.0], [5.0, 6.0]
    assert y.tolist() == [3.0, 4.0] and y.grad.copy_to_host().tolist() == [5.0, 6.0]
    y._grad_slot = y.detach().to("cpu").to("cuda")._data
    y.grad = [7.0, 8.0]
    assert y.grad is y._grad_slot and y.grad.copy_to_host().tolist() == [7.0, 8.0]
    with pytest.raises(RuntimeError, match="stays on its device"):
        y.to("cpu")


@pytest.mark.skipif(cuda.is_available(), reason="CUDA is here or simulated")
def test_cuda_without_a_gpu_names_the_remedy() -> None:
    with pytest.raises(RuntimeError, match="install an NVIDIA driver"):
        zeros(2).to("cuda")
    with pytest.raises(RuntimeError, match="install an NVIDIA driver"):
        nn.Linear(2, 1).to("cuda")


def test_a_row_with_a_cuda_implementation_is_used_there() -> None:
    op = OPS["neg"]
    from tinygrad_lr.engine.ops import Op

    row = Op("neg on cuda", op.forward, op.vjps, op.reads, (), cuda_forward=lambda a: -a, cuda_vjps=op.vjps)
    assert row.for_device(["cpu", "cpu"]) is row
    assert row.for_device(["cuda"]).forward is row.cuda_forward
    assert row.for_device(["cuda"]) is row.for_device(["cuda"])


def test_importing_the_package_imports_neither_numba_nor_numpy() -> None:
    code = (
        "import sys, tinygrad_lr; assert 'numpy' not in sys.modules; tinygrad_lr.tensor([1.0]), tinygrad_lr.nn;"
        "assert 'numba' not in sys.modules and callable(tinygrad_lr.tensor)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
