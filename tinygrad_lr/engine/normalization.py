"""The op that normalizes rows: layer_norm.

Its sums run in float64, so that large means and squares of float32 cost no digits. Where a square of float64 overflows,
the row is NaN, as in torch. Next: `functional.py`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import on_cuda_normalization
from .dtypes import float64
from .ops import Inputs, Op, register

__all__ = ["layer_norm"]

Array = Any


def _rows(x: Array, axes: int) -> Array:
    """The last axes as one, and all before them as another."""
    cut = x.ndim - axes
    return x.reshape(math.prod(x.shape[:cut]), math.prod(x.shape[cut:]))


def _forward(*given: Any) -> tuple[Array, Array]:
    """The result, and the normalized rows with the factor of each in a last column."""
    *arrays, axes, eps = given
    x = arrays[0]
    rows = _rows(x, axes)
    columns = rows.shape[1]
    wide = np.result_type(x.dtype, float64)
    away = rows - np.add.reduce(rows, axis=1, keepdims=True, dtype=wide) / max(columns, 1)
    with np.errstate(over="ignore"):
        variance = np.add.reduce(away * away, axis=1, keepdims=True) / max(columns, 1)
    factor = 1 / np.sqrt(variance + eps)
    if np.isinf(variance).any():
        factor = np.where(np.isinf(variance), np.nan, factor)
    kept = np.empty((rows.shape[0], columns + 1), x.dtype)
    np.multiply(away, factor, out=kept[:, :columns], casting="same_kind")
    kept[:, columns:] = factor
    out = kept[:, :columns] * arrays[1].reshape(-1) if len(arrays) > 1 else kept[:, :columns].copy()
    if len(arrays) > 2:
        out = out + arrays[2].reshape(-1)
    return out.reshape(x.shape), kept


def _vjp_input(g: Array, kept: Array, *given: Any) -> Array:
    """With h = g * weight: factor * (h - mean of h - normalized * mean of h * normalized)."""
    *arrays, axes, _ = given
    rows, normalized, factor = _rows(g, axes), kept[:, :-1], kept[:, -1:]
    columns = max(normalized.shape[1], 1)
    h = rows * arrays[1].reshape(-1) if len(arrays) > 1 else rows
    mean = np.add.reduce(h, axis=1, keepdims=True, dtype=float64) / columns
    along = np.add.reduce(h * normalized, axis=1, keepdims=True, dtype=float64) / columns
    return (factor * (h - mean - normalized * along)).astype(g.dtype, copy=False).reshape(g.shape)


def _vjp_weight(g: Array, kept: Array, *given: Any) -> Array:
    *arrays, axes, _ = given
    return np.add.reduce(_rows(g, axes) * kept[:, :-1], axis=0).reshape(arrays[1].shape)


def _vjp_bias(g: Array, kept: Array, *given: Any) -> Array:
    *arrays, axes, _ = given
    return np.add.reduce(_rows(g, axes), axis=0).reshape(arrays[2].shape)


def _row(*vjps: Any, cases: tuple[Inputs, ...]) -> Op:
    return Op(
        "layer_norm",
        _forward,
        vjps,
        reads=((1,), (), ())[: len(vjps)] if len(vjps) > 1 else ((),),
        cases=cases,
        domain=((-2.0, 2.0),) * 3,
        keeps=True,
        cuda_forward=on_cuda_normalization.forward,
        cuda_vjps=on_cuda_normalization.vjps[: len(vjps)],
    )


_SHAPES = (((2, 3), (3,), 1), ((4,), (4,), 1), ((2, 2, 3), (2, 3), 2), ((2, 3, 1), (1,), 1), ((0, 3), (3,), 1))
layer_norm = register(  # of an input and its weight, with a bias or without
    _row(
        _vjp_input,
        _vjp_weight,
        _vjp_bias,
        cases=(
            *(Inputs((shape, last, last), (axes, 0.5)) for shape, last, axes in _SHAPES),
            Inputs(((3, 4), (4,)), (1, 0.5)),
            Inputs(((2, 3), (2, 3)), (2, 0.25)),
        ),
    )
)
plain = _row(_vjp_input, cases=(Inputs(((2, 3),), (1, 0.5)),))  # without a weight; it is no other row of the table
