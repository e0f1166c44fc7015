"""The row layer_norm on a GPU, as launches of the loops in kernels/ops/layer_norm.py.

Next: `normalization.py`.
"""

from __future__ import annotations

import math
from typing import Any

from .on_cuda import Array, chunks, empty, floating, folded, launch, loops

__all__ = ["forward", "vjps"]


def _rows(x: Array, axes: int) -> Array:
    """The last axes as one, and all before them as another."""
    cut = x.ndim - axes
    return x.reshape((math.prod(x.shape[:cut]), math.prod(x.shape[cut:])))


def _each(loop: Any, count: int, *arguments: Any) -> Array:
    """Run a loop with so many threads; its last argument, which it fills."""
    if count:
        loop.launch(count, arguments)
    return arguments[-1]


def _flat_or_none(arrays: tuple[Array, ...], place: int, like: Array) -> Array:
    return arrays[place].reshape((arrays[place].size,)) if len(arrays) > place else empty((0,), like.dtype)


def forward(*given: Any) -> tuple[Array, Array]:
    """The result, and the normalized rows with the factor of each in a last column."""
    *arrays, axes, eps = given
    floating("layer_norm", *arrays)
    rows, number = _rows(arrays[0], axes), arrays[0].dtype.type
    count, columns = rows.shape
    kept = empty((count, columns + 1), rows.dtype)
    _each(loops("layer_norm").normalized_gpu, count, rows, number(eps), number(columns), number(1), kept)
    weight, bias = (_flat_or_none(tuple(arrays), place, rows) for place in (1, 2))
    out = launch(loops("layer_norm").affine_gpu, kept, weight, bias, empty((count, columns), rows.dtype))
    return out.reshape(arrays[0].shape), kept


def _vjp_input(g: Array, kept: Array, *given: Any) -> Array:
    *arrays, axes, _ = given
    rows, number = _rows(g, axes), g.dtype.type
    weight = _flat_or_none(tuple(arrays), 1, rows)
    count, columns = rows.shape
    out = empty((count, columns), rows.dtype)
    _each(loops("layer_norm").input_grad_gpu, count, rows, weight, kept, number(columns), number(1), out)
    return out.reshape(g.shape)


def _vjp_weight(g: Array, kept: Array, *given: Any) -> Array:
    *arrays, axes, _ = given
    rows = _rows(g, axes)
    chunk, number = chunks(rows.shape[0], rows.shape[1])
    parts = empty((number, rows.shape[1]), rows.dtype)
    return folded(launch(loops("layer_norm").weight_grad_gpu, rows, kept, chunk, rows.dtype.type(0), parts)).reshape(
        arrays[1].shape
    )


def _vjp_bias(g: Array, kept: Array, *given: Any) -> Array:
    *arrays, axes, _ = given
    rows = _rows(g, axes)
    chunk, number = chunks(rows.shape[0], rows.shape[1])
    parts = empty((number, rows.shape[1]), rows.dtype)
    return folded(launch(loops("linear").bias_grad_gpu, rows, chunk, rows.dtype.type(0), parts)).reshape(
        arrays[2].shape
    )


vjps = (_vjp_input, _vjp_weight, _vjp_bias)
