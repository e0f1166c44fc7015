"""Rows on a GPU: linear, mse_loss and the ops of one input, as launches of the loops in `kernels/`.

Each function stands in its row as `cuda_forward` or in `cuda_vjps`; it takes and returns device arrays. numba.cuda and
the kernels are imported at the first use. What has no row here or in `on_cuda_arithmetic.py` is an error that names the
op.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from .dtypes import to_device
from .ops import Op

Array = Any  # a device array

__all__ = [
    "Array",
    "add",
    "chunks",
    "copy",
    "REMEDY",
    "empty",
    "flat",
    "floating",
    "folded",
    "launch",
    "linear_forward",
    "linear_vjps",
    "loops",
    "mse_forward",
    "mse_vjps",
    "of_one_input",
    "one",
    "take_rows",
    "total",
]


REMEDY = "on device 'cuda'; move its inputs with .to('cpu') first"
_ones: dict[np.dtype[Any], Array] = {}


def loops(module: str) -> Any:
    return import_module(f"tinygrad_lr.kernels.ops.{module}")


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    from numba import cuda

    return cuda.device_array(shape, dtype)


def launch(loop: Any, *arguments: Any) -> Array:
    """Run a loop whose last argument is the array that it fills, one thread an element; that array."""
    out = arguments[-1]
    if out.size:
        loop.launch(out.size, arguments)
    return out


def flat(array: Array) -> Array:
    return array.reshape(array.size)


def _rows(array: Array, columns: int) -> Array:
    """Every leading axis is a batch axis."""
    return array.reshape(array.size // columns if columns else math.prod(array.shape[:-1]), columns)


def one(dtype: np.dtype[Any]) -> Array:
    """The number 1 on the device, from where most walks back begin."""
    if dtype not in _ones:
        _ones[dtype] = to_device(np.ones((), dtype))
    return _ones[dtype]


def copy(array: Array) -> Array:
    """Another device array with the same values."""
    out = empty(array.shape, array.dtype)
    if array.size:
        out.copy_to_device(array)
    return out


def add(a: Array, b: Array, out: Array | None = None) -> Array:
    """a + b of one shape and dtype, into `out` where it is given."""
    out = empty(a.shape, a.dtype) if out is None else out
    launch(loops("arrays").add_gpu, flat(a), flat(b), flat(out))
    return out


def chunks(count: int, sums: int = 1) -> tuple[int, int]:
    """How long the chunks of a sum are, and how many: of the size alone, so that the order is. There are `sums` such
    sums side by side, whose parts shall not take much memory."""
    chunk = max(32, math.isqrt(count), -(-count * sums // 2**20))
    return chunk, -(-count // chunk)


def folded(parts: Array, divisor: int = 1) -> Array:
    """The sum of the parts along their first axis, divided."""
    shape, number = parts.shape[1:], parts.dtype.type
    if parts.shape[0] == divisor == 1:
        return parts.reshape(shape)
    out = empty((math.prod(shape),), parts.dtype)
    launch(loops("arrays").fold_gpu, parts.reshape(parts.shape[0], out.size), number(divisor), number(0), out)
    return out.reshape(shape)


def total(chunk_sums: Any, values: Array, divisor: int) -> Array:
    """The sum of a loop's terms over all values, divided by a whole number: a device array without axes."""
    chunk, number = chunks(values.size)
    sums = launch(chunk_sums, flat(values), chunk, values.dtype.type(0), empty((number,), values.dtype))
    return folded(sums, divisor)


def take_rows(source: Array, rows: Array) -> Array:
    """The rows of an array, along its first axis, that an int64 device array names."""
    columns = math.prod(source.shape[1:])
    out = empty((rows.size, columns), source.dtype)
    launch(loops("arrays").take_rows_gpu, source.reshape(source.shape[0], columns), rows, out)
    return out.reshape((rows.size, *source.shape[1:]))


# --- linear -----------------------------------------------------------------------------------------------------------


def linear_forward(x: Array, weight: Array, bias: Array | None = None) -> Array:
    outputs, features = _checked(x, weight, bias)
    rows = _rows(x, features)
    none = empty((0,), weight.dtype) if bias is None else bias
    out = empty((rows.shape[0], outputs), x.dtype)
    launch(loops("linear").forward_gpu, rows, weight, none, x.dtype.type(0), out)
    return out.reshape((*x.shape[:-1], outputs))


def _checked(x: Array, weight: Array, bias: Array | None) -> tuple[int, int]:
    if weight.ndim != 2 or x.ndim == 0 or x.shape[x.ndim - 1] != weight.shape[1]:
        raise ValueError(
            f"expected a weight of shape (out_features, in_features) and an input whose last axis has in_features "
            f"elements, got weight {tuple(weight.shape)} and input {tuple(x.shape)}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"expected a bias of shape {tuple(weight.shape[:1])}, got {tuple(bias.shape)}")
    if len({array.dtype for array in (x, weight, bias) if array is not None}) > 1:
        raise TypeError("on 'cuda' input, weight and bias must have one dtype; convert the input before it is moved")
    return weight.shape[0], weight.shape[1]


def _linear_vjp_input(g: Array, out: Array, x: Array, weight: Array, bias: Array | None = None) -> Array:
    outputs, features = weight.shape
    grad = empty((_rows(g, outputs).shape[0], features), x.dtype)
    launch(loops("linear").input_grad_gpu, _rows(g, outputs), weight, x.dtype.type(0), grad)
    return grad.reshape(x.shape)


def _linear_vjp_weight(g: Array, out: Array, x: Array, weight: Array, bias: Array | None = None) -> Array:
    g, x = _rows(g, weight.shape[0]), _rows(x, weight.shape[1])
    chunk, number = chunks(g.shape[0], weight.size)
    parts = empty((number, *weight.shape), weight.dtype)
    return folded(launch(loops("linear").weight_grad_gpu, g, x, chunk, weight.dtype.type(0), parts))


def _linear_vjp_bias(g: Array, out: Array, x: Array, weight: Array, bias: Array) -> Array:
    g = _rows(g, bias.size)
    chunk, number = chunks(g.shape[0], bias.size)
    parts = empty((number, bias.size), bias.dtype)
    return folded(launch(loops("linear").bias_grad_gpu, g, chunk, bias.dtype.type(0), parts))


linear_vjps = (_linear_vjp_input, _linear_vjp_weight, _linear_vjp_bias)


# --- mse_loss ---------------------------------------------------------------------------------------------------------


def mse_forward(prediction: Array, target: Array, reduction: str) -> tuple[Array, Array]:
    """The loss, and the error that its gradient is a multiple of."""
    if prediction.shape != target.shape or prediction.dtype != target.dtype:
        raise ValueError(
            f"prediction and target must have the same shape and dtype, got {tuple(prediction.shape)} "
            f"{prediction.dtype} and {tuple(target.shape)} {target.dtype}; they are not broadcast: reshape one of them"
        )
    dtype = prediction.dtype
    error = launch(loops("mse").error_gpu, flat(prediction), flat(target), empty((prediction.size,), dtype))
    if reduction == "none":
        squares = launch(loops("mse").squares_gpu, error, empty((error.size,), dtype))
        return squares.reshape(prediction.shape), error.reshape(prediction.shape)
    if reduction == "mean" and not error.size:
        raise ValueError("the mean over no elements is not defined; check for an empty batch")
    loss = total(loops("mse").chunk_sums_gpu, error, error.size if reduction == "mean" else 1)
    return loss, error.reshape(prediction.shape)


def _mse_vjp(g: Array, error: Array, reduction: str, sign: int) -> Array:
    loop = loops("mse").grad_of_each_gpu if reduction == "none" else loops("mse").grad_of_total_gpu
    scale = error.dtype.type(2 * sign / error.size if reduction == "mean" else 2 * sign)
    out = launch(loop, flat(error), flat(g), scale, empty((error.size,), error.dtype))
    return out.reshape(error.shape)


mse_vjps = (
    lambda g, error, prediction, target, reduction: _mse_vjp(g, error, reduction, 1),
    lambda g, error, prediction, target, reduction: _mse_vjp(g, error, reduction, -1),
)


# --- ops of one input that act element by element --------------------------------------------------------------------


def of_one_input(op: Op) -> tuple[Callable[..., Array], tuple[Callable[..., Array]]]:
    """The forward and the vector-Jacobian product of a row on device arrays, by its loops."""

    def forward(a: Array) -> Any:
        floating(op.name, a)
        loop = op.cuda_loop(0, a.dtype.name)
        out = launch(loop, flat(a), empty((a.size,), a.dtype)).reshape(a.shape)
        return (out, None) if op.keeps else out  # its loops keep nothing

    def vjp(g: Array, out: Array | None, a: Array) -> Array:
        loop = op.cuda_loop(1, a.dtype.name)
        value = a if out is None else out  # of an output that the product does not read
        return launch(loop, flat(g), flat(value), flat(a), empty((a.size,), a.dtype)).reshape(a.shape)

    return forward, (vjp,)


def floating(name: str, *arrays: Array) -> None:
    """Refuse arrays of whole numbers, and of two dtypes.

    Raises:
        NotImplementedError: with the op's name.
    """
    if any(array.dtype.kind != "f" or array.dtype != arrays[0].dtype for array in arrays):
        given = " and ".join(str(array.dtype) for array in arrays)
        raise NotImplementedError(f"{name} of {given} is not implemented {REMEDY}")
