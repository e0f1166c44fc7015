"""The ops that multiply matrices, and the loss: matmul, linear, mse_loss.

`linear` and `mse_loss` could be computed with other rows. As rows of their own they make the common training step two
nodes instead of six.

Next: `tensor.py`, whose operators and methods are the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import on_cuda
from .ops import Inputs, Op, register

__all__ = ["linear", "matmul", "mse_loss"]

Array = Any


def _swapped(a: Array) -> Array:
    return a.swapaxes(-1, -2)


def _matmul_vjp_left(g: Array, out: Array, a: Array, b: Array) -> Array:
    if b.ndim == 1:
        return g[..., None] * b if a.ndim > 1 else g * b
    if a.ndim == 1:
        return (g[..., None, :] @ _swapped(b))[..., 0, :]
    return g @ _swapped(b)


def _matmul_vjp_right(g: Array, out: Array, a: Array, b: Array) -> Array:
    if a.ndim == 1:
        return a[:, None] * g[..., None, :] if b.ndim > 1 else g * a
    if b.ndim == 1:
        return (_swapped(a) @ g[..., None])[..., 0]
    return _swapped(a) @ g


matmul = register(
    Op(
        "matmul",
        np.matmul,
        (_matmul_vjp_left, _matmul_vjp_right),
        reads=((1,), (0,)),
        domain=((-2.0, 2.0), (-2.0, 2.0)),
        cases=tuple(
            Inputs(shapes)
            for shapes in (
                ((3,), (3,)),
                ((2, 3), (3,)),
                ((3,), (3, 2)),
                ((2, 3), (3, 4)),
                ((5, 2, 3), (3,)),
                ((3,), (5, 3, 2)),
                ((5, 2, 3), (3, 4)),
                ((2, 3), (5, 3, 4)),
                ((4, 1, 2, 3), (5, 3, 2)),
                ((1, 2, 3), (5, 3, 1)),
                ((0, 3), (3, 2)),
                ((2, 0), (0, 3)),
                ((0,), (0,)),
                ((1, 1), (1, 1)),
            )
        ),
    )
)


def _linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x weight^T + bias, the last axis of x being the features."""
    features = weight.shape
    if len(features) != 2 or x.ndim == 0 or x.shape[-1] != features[1]:
        raise ValueError(
            f"expected a weight of shape (out_features, in_features) and an input whose last axis has in_features "
            f"elements, got weight {weight.shape} and input {x.shape}"
        )
    if bias is not None and bias.shape != features[:1]:
        raise ValueError(f"expected a bias of shape {weight.shape[:1]}, got {bias.shape}")
    if x.ndim <= 2:
        out = x.dot(weight.T)
    else:
        out = np.matmul(x, weight.T)
    if bias is None:
        return out
    return np.add(out, bias, out) if bias.dtype is out.dtype else out + bias


def _linear_vjp_weight(g: Array, out: Array, x: Array, weight: Array, bias: Array | None = None) -> Array:
    if x.ndim != 2:  # every leading axis is a batch axis
        rows = g.size // max(weight.shape[0], 1)
        g, x = g.reshape(rows, weight.shape[0]), x.reshape(rows, weight.shape[1])
    return g.T.dot(x)


linear = register(
    Op(
        "linear",
        _linear,
        (
            lambda g, out, x, weight, bias=None: g.dot(weight) if x.ndim <= 2 else np.matmul(g, weight),
            _linear_vjp_weight,
            lambda g, out, x, weight, bias=None: g,  # unbroadcast sums over the batch
        ),
        reads=((1,), (0,), ()),
        domain=((-2.0, 2.0),) * 3,
        cases=tuple(
            Inputs(shapes)
            for shapes in (
                ((5, 3), (2, 3), (2,)),
                ((5, 3), (2, 3)),
                ((3,), (2, 3), (2,)),
                ((4, 5, 3), (2, 3), (2,)),
                ((0, 3), (2, 3), (2,)),
                ((5, 3), (1, 3), (1,)),
                ((1, 1), (1, 1), (1,)),
                ((2, 0), (3, 0), (3,)),
                ((2, 3), (0, 3), (0,)),
                ((3,), (2, 3)),
            )
        ),
        cuda_forward=on_cuda.linear_forward,
        cuda_vjps=on_cuda.linear_vjps,
    )
)


def _mse_loss(prediction: Array, target: Array, reduction: str) -> tuple[Array, Array]:
    """The loss, and the error that its gradient is a multiple of."""
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction and target must have the same shape, got {prediction.shape} and {target.shape}; they are not "
            "broadcast, because (n, 1) against (n,) would silently compare every pair: reshape one of them"
        )
    error = prediction - target
    if reduction == "none":
        return error * error, error
    flat = error.reshape(-1)
    total = flat.dot(flat)
    if reduction == "sum":
        return total, error
    if not flat.size:
        raise ValueError("the mean over no elements is not defined; check for an empty batch")
    return total / flat.size, error


def _mse_vjp(g: Array, error: Array, reduction: str, sign: int) -> Array:
    if reduction == "none":
        return error * (g * (2 * sign))
    scale = 2 * sign / error.size if reduction == "mean" else 2 * sign
    return error * g.dtype.type(g.item() * scale)


_MSE_SHAPES = ((), (3,), (5, 1), (2, 3))
mse_loss = register(
    Op(
        "mse_loss",
        _mse_loss,
        (
            lambda g, error, prediction, target, reduction: _mse_vjp(g, error, reduction, 1),
            lambda g, error, prediction, target, reduction: _mse_vjp(g, error, reduction, -1),
        ),
        reads=((), ()),
        keeps=True,
        domain=((-2.0, 2.0), (-2.0, 2.0)),
        cases=(
            *(Inputs((shape, shape), (how,)) for shape in _MSE_SHAPES for how in ("mean", "sum", "none")),
            Inputs(((0, 2), (0, 2)), ("sum",)),
            Inputs(((0,), (0,)), ("none",)),
        ),
        cuda_forward=on_cuda.mse_forward,
        cuda_vjps=on_cuda.mse_vjps,
    )
)
