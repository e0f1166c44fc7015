"""The ops that select, sum, rearrange or copy elements: sum, mean, max, min, prod, cumsum, reshape, permute, index,
take_along, where, concatenate, clone, cast.

Their vector-Jacobian products read shapes only, but for those of max, min, prod and where. The product of `index` adds
up repeated elements. Equal elements share the gradient of a max or min equally, as in torch's amax and amin; NaN is
largest and smallest, and takes the gradient. The gradient of a prod is right with zeros too: it multiplies the others.

Next: `products.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import on_cuda_arithmetic
from .elementwise import zeroed
from .ops import OUTPUT, Inputs, Kink, Op, register

__all__ = [
    "REDUCTIONS",
    "cast",
    "clone",
    "concatenate",
    "cumsum",
    "index",
    "max_",
    "mean",
    "min_",
    "permute",
    "prod",
    "reshape",
    "spread",
    "sum_",
]
__all__ += ["take_along", "where"]

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


def spread(g: Array, a: Array, axis: Axis, keepdims: bool) -> Array:
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
        (lambda g, out, a, axis, keepdims: spread(g, a, axis, keepdims),),
        reads=((),),
        cases=(*REDUCTIONS, Inputs(((0,),), (None, False))),
        **on_cuda_arithmetic.ROWS["sum"],
    )
)
mean = register(
    Op(
        "mean",
        _mean,
        (lambda g, out, a, axis, keepdims: spread(g / max(_count(a, axis), 1), a, axis, keepdims),),
        reads=((),),
        cases=REDUCTIONS,
        **on_cuda_arithmetic.ROWS["mean"],
    )
)


def _axes(a: Array, axis: Axis) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(a.ndim))
    return tuple(k % a.ndim for k in (axis if isinstance(axis, tuple) else (axis,)))


def _extreme_vjp(g: Array, out: Array, a: Array, axis: Axis, keepdims: bool) -> Array:
    """g, shared equally among the elements that equal the extreme one, and 0 elsewhere."""
    value = spread(out, a, axis, keepdims)
    chosen = (a == value) | (a != a)  # where there is a NaN, it is the value
    count = np.add.reduce(chosen, axis=_axes(a, axis), keepdims=True, dtype=g.dtype)
    return zeroed(spread(g, a, axis, keepdims) / count, ~chosen)


def _distance_of_all(a: Array) -> float:
    """How far apart the nearest two elements are."""
    return float(np.min(np.diff(np.sort(a.reshape(-1))), initial=1.0))


EXTREMES = tuple(each for each in REDUCTIONS if each.options[0] != ())
max_ = register(
    Op(
        "max",
        lambda a, axis, keepdims: np.maximum.reduce(a, axis=axis, keepdims=keepdims),
        (_extreme_vjp,),
        reads=((0, OUTPUT),),
        cases=EXTREMES,
        analytic=False,
        kinks=(
            Kink((np.array([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]]),), ([[0.5, 0.0, 0.5], [1 / 3] * 3],), (1, False)),
            Kink((np.array([1.0, 1.0]),), ([0.5, 0.5],), (None, False)),
        ),
        distance=_distance_of_all,
    )
)
min_ = register(
    Op(
        "min",
        lambda a, axis, keepdims: np.minimum.reduce(a, axis=axis, keepdims=keepdims),
        (_extreme_vjp,),
        reads=((0, OUTPUT),),
        cases=EXTREMES,
        analytic=False,
        kinks=(Kink((np.array([[-3.0, 1.0, -3.0], [2.0, 2.0, 2.0]]),), ([[0.5, 0.0, 0.5], [1 / 3] * 3],), (1, False)),),
        distance=_distance_of_all,
    )
)


def _prod_vjp(g: Array, out: Array, a: Array, axis: Axis, keepdims: bool) -> Array:
    """g times the product of the other elements: of those before, times of those after."""
    axes = _axes(a, axis)
    last = tuple(range(a.ndim - len(axes), a.ndim))
    moved = np.moveaxis(a, axes, last)
    rows = moved.reshape(math.prod(moved.shape[: a.ndim - len(axes)]), math.prod(a.shape[k] for k in axes))
    before, after = np.ones_like(rows), np.ones_like(rows)
    np.multiply.accumulate(rows[:, :-1], axis=1, out=before[:, 1:])
    np.multiply.accumulate(rows[:, :0:-1], axis=1, out=after[:, -2::-1])
    others = np.moveaxis((before * after).reshape(moved.shape), last, axes)
    return spread(g, a, axis, keepdims) * others


prod = register(
    Op(
        "prod",
        lambda a, axis, keepdims: np.multiply.reduce(a, axis=axis, keepdims=keepdims),
        (_prod_vjp,),
        reads=((0,),),
        cases=(*REDUCTIONS, Inputs(((0,),), (None, False))),
        domain=((0.5, 1.5),),
        kinks=(
            Kink((np.array([2.0, 0.0, 3.0]),), ([0.0, 6.0, 0.0],), (None, False)),
            Kink((np.array([[2.0, 0.0, 0.0], [2.0, 3.0, 4.0]]),), ([[0.0] * 3, [12.0, 8.0, 6.0]],), (1, True)),
        ),
    )
)
cumsum = register(
    Op(
        "cumsum",
        lambda a, axis: np.cumsum(a, axis=axis).reshape(a.shape),
        (lambda g, out, a, axis: np.flip(np.cumsum(np.flip(g, axis), axis), axis) if a.ndim else g,),
        reads=((),),
        cases=(
            Inputs(((),), (0,)),
            Inputs(((4,),), (0,)),
            Inputs(((2, 3),), (0,)),
            Inputs(((2, 3, 2),), (-2,)),
            Inputs(((0, 3),), (1,)),
        ),
    )
)
reshape = register(
    Op(
        "reshape",
        lambda a, shape: a.reshape(shape),
        (lambda g, out, a, shape: g.reshape(a.shape),),
        reads=((),),
        view=True,
        expects="a shape of as many elements, in which one length may be -1",
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
        expects="each axis once",
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


def _take_along_vjp(g: Array, out: Array, places: Array, a: Array, axis: int) -> Array:
    gradient = np.zeros(a.shape, g.dtype)
    if places.shape[axis] == 1:
        np.put_along_axis(gradient, places, g, axis)
    else:
        where: list[Any] = list(np.ix_(*map(np.arange, places.shape)))
        where[axis] = places
        np.add.at(gradient, tuple(where), g)  # an element taken twice gets both gradients
    return gradient


def _no_gradient(*given: Any) -> Array:
    raise AssertionError("a condition has no gradient")


take_along = register(  # the elements at places along an axis, which have the lengths of the others
    Op(
        "take_along",
        lambda places, a, axis: np.take_along_axis(a, places, axis),
        (_no_gradient, _take_along_vjp),
        reads=((), (0,)),
        conditions=1,
        condition_kinds=("class",),
        cases=tuple(
            Inputs((places, shape), (axis,), ((0.0, float(shape[axis])), (-2.0, 2.0)))
            for places, shape, axis in (
                ((1,), (4,), 0),
                ((2, 1), (2, 3), 1),
                ((2, 1), (2, 3), -1),
                ((5, 3), (2, 3), 0),
                ((2, 1, 2), (2, 3, 2), 1),
                ((2, 4, 2), (2, 3, 2), -2),
                ((0, 1), (0, 3), 1),
            )
        ),
    )
)


def _where(condition: Array, a: Array, b: Array) -> Array:
    if condition.dtype != bool:
        raise TypeError("the condition must be bool; write condition != 0 for numbers")
    return np.where(condition, a, b)


where = register(
    Op(
        "where",
        _where,
        (
            _no_gradient,
            lambda g, out, condition, a, b: zeroed(g, ~condition),
            lambda g, out, condition, a, b: zeroed(g, condition),
        ),
        reads=((), (0,), (0,)),
        conditions=1,
        domain=((-2.0, 2.0),) * 3,
        cases=tuple(
            Inputs(shapes)
            for shapes in (
                ((), (), ()),
                ((3,), (3,), (3,)),
                ((2, 3), (2, 3), ()),
                ((2, 1), (3,), (2, 3)),
                ((3,), (2, 3), (1,)),
                ((), (2,), (3, 1)),
                ((0, 3), (3,), ()),
            )
        ),
    )
)


def _concatenate(*given: Any) -> tuple[Array, Array]:
    """The arrays one after another along an axis, and where each begins and the last one ends."""
    *arrays, axis = given
    value = np.concatenate(arrays, axis)
    return value, np.cumsum([0, *[array.shape[axis] for array in arrays]])


def _part(i: int) -> Callable[..., Array]:
    """The vector-Jacobian product for input i: what stands in its place."""

    def vjp(g: Array, places: Array, *given: Any) -> Array:
        axis = given[-1] % g.ndim
        return g[(slice(None),) * axis + (slice(places[i], places[i + 1]),)]

    return vjp


def _row_of(count: int) -> Op:
    return Op(
        "concatenate",
        _concatenate,
        tuple(_part(i) for i in range(count)),
        reads=((),) * count,
        keeps=True,
        domain=((-2.0, 2.0),) * count,
        expects="equal lengths of all axes but the one that they are joined along",
        cases=(
            Inputs(((3,),), (0,)),
            Inputs(((3,), (2,)), (0,)),
            Inputs(((2, 3), (2, 1), (2, 2)), (-1,)),
            Inputs(((1, 3), (0, 3), (2, 3)), (0,)),
            Inputs(((2, 1, 2), (2, 3, 2)), (1,)),
        ),
    )


_rows = {3: register(_row_of(3))}


def concatenate(count: int) -> Op:
    """The row of `concatenate` for so many inputs: that of the table has three at most."""
    count = max(count, 3)
    if count not in _rows:
        _rows[count] = _row_of(count)
    return _rows[count]


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
