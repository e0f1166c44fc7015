"""The ops that select, sum, rearrange or copy elements: sum, mean, reshape, permute, index, clone, cast.

Their vector-Jacobian products read shapes only, never values. The product of `index` adds up repeated elements.

Next: `products.py`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import on_cuda_arithmetic
from .ops import Inputs, Op, register

__all__ = ["cast", "clone", "index", "mean", "permute", "reshape", "sum_"]

Array = Any
Axis = Any  # None, an int or a tuple of ints

_sum: Any = np.add.reduce  # np.sum without its Python wrapper

REDUCTIONS = (
    Inputs(((),), (None, False)),
    Inputs(((3,),), (None, False)),
    Inputs(((3,),), (0, False)),
    Inputs(((2, 3),), (None, False)),
    Inputs(((2, 3),), (0, False)),
    Inputs(((2, 3),), (-1, True)),
    Inputs(((2, 3, 4),), ((0, 2), False)),
    Inputs(((2, 3, 4),), ((0, -1), True)),
    Inputs(((2, 3),), ((), False)),
    Inputs(((0, 3),), (1, False)),
    Inputs(((2, 3),), (None, True)),
    Inputs(((1, 3),), (0, False)),
    Inputs(((2, 3, 4),), (1, False)),
)


def _spread(g: Array, a: Array, axis: Axis, keepdims: bool) -> Array:
    """Repeat the gradient of a reduction along the axes that were reduced."""
    if axis is not None and not keepdims:
        axes = axis if isinstance(axis, tuple) else (axis,)
        kept = [1 if i in {k % a.ndim for k in axes} else n for i, n in enumerate(a.shape)]
        g = g.reshape(kept)
    return np.broadcast_to(g, a.shape)


def _count(a: Array, axis: Axis) -> int:
    """How many elements go into one result."""
    if axis is None:
        return int(a.size)
    return math.prod(a.shape[k] for k in (axis if isinstance(axis, tuple) else (axis,)))


def _mean(a: Array, axis: Axis, keepdims: bool) -> Array:
    total = _sum(a, axis=axis, keepdims=keepdims)
    count = _count(a, axis)
    if count == 0 and total.size:
        raise ValueError("the mean of no elements is not defined; check for an empty batch")
    return total / max(count, 1)


sum_ = register(
    Op(
        "sum",
        lambda a, axis, keepdims: _sum(a, axis=axis, keepdims=keepdims),
        (lambda g, out, a, axis, keepdims: _spread(g, a, axis, keepdims),),
        reads=((),),
        cases=(*REDUCTIONS, Inputs(((0,),), (None, False))),
        **on_cuda_arithmetic.ROWS["sum"],
    )
)
mean = register(
    Op(
        "mean",
        _mean,
        (lambda g, out, a, axis, keepdims: _spread(g / max(_count(a, axis), 1), a, axis, keepdims),),
        reads=((),),
        cases=REDUCTIONS,
        **on_cuda_arithmetic.ROWS["mean"],
    )
)
reshape = register(
    Op(
        "reshape",
        lambda a, shape: a.reshape(shape),
        (lambda g, out, a, shape: g.reshape(a.shape),),
        reads=((),),
        view=True,
        cases=(
            Inputs(((),), ((1, 1),)),
            Inputs(((2, 3),), ((3, 2),)),
            Inputs(((2, 3),), ((-1,),)),
            Inputs(((1,),), ((),)),
            Inputs(((0, 3),), ((3, 0),)),
            Inputs(((2, 6),), ((2, -1, 3),)),
        ),
    )
)
permute = register(
    Op(
        "permute",
        lambda a, axes: a.transpose(axes),
        (lambda g, out, a, axes: g.transpose(None if axes is None else np.argsort([k % a.ndim for k in axes])),),
        reads=((),),
        view=True,
        cases=(
            Inputs(((),), (None,)),
            Inputs(((3,),), (None,)),
            Inputs(((2, 3),), (None,)),
            Inputs(((2, 3, 4),), ((2, 0, 1),)),
            Inputs(((2, 3, 4),), ((-1, 0, 1),)),
            Inputs(((0, 3),), ((1, 0),)),
        ),
    )
)


def _index_vjp(g: Array, out: Array, a: Array, where: Any) -> Array:
    gradient = np.zeros(a.shape, g.dtype)
    parts = where if isinstance(where, tuple) else (where,)
    if any(isinstance(part, (np.ndarray, list)) for part in parts):
        np.add.at(gradient, where, g)  # an element taken twice gets both gradients
    else:
        gradient[where] = g
    return gradient


index = register(
    Op(
        "index",
        lambda a, where: a[where],
        (_index_vjp,),
        reads=((),),
        view=True,
        cases=(
            Inputs(((4,),), (1,)),
            Inputs(((4,),), (slice(1, None, 2),)),
            Inputs(((4,),), (slice(None, None, -1),)),
            Inputs(((4,),), (np.array([0, 2, 2, -1]),)),
            Inputs(((3, 4),), (1,)),
            Inputs(((3, 4),), ((slice(None), 1),)),
            Inputs(((3, 4),), (np.array([[0, 0], [2, 0]]),)),
            Inputs(((3, 4),), ((np.array([0, 0, 2]), np.array([1, 1, 3])),)),
            Inputs(((3, 4),), ((slice(1, None), np.array([3, 3])),)),
            Inputs(((3, 4),), ((Ellipsis, None, 0),)),
            Inputs(((),), ((),)),
            Inputs(((3, 4),), (slice(0, 0),)),
            Inputs(((4,),), (np.array([], dtype=np.int64),)),
            Inputs(((4,),), (np.array([True, False, True, True]),)),
            Inputs(((3, 4),), ((2, np.array([1, 1])),)),
        ),
    )
)
clone = register(
    Op(
        "clone",
        lambda a: a.copy(),
        (lambda g, out, a: g,),
        reads=((),),
        cases=(Inputs(((),)), Inputs(((2, 3),)), Inputs(((0,),))),
        **on_cuda_arithmetic.ROWS["clone"],
    )
)
cast = register(
    Op(
        "cast",
        lambda a, dtype: a.astype(dtype),
        (lambda g, out, a, dtype: g,),
        reads=((),),
        analytic=False,
        cases=(Inputs(((),), (np.dtype("float64"),)), Inputs(((2, 3),), (np.dtype("float64"),))),
    )
)
