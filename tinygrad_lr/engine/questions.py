"""Ops without a gradient: comparisons, conditions, and where an extreme element stands.

They give booleans or places. Each is a row with a forward only, and stands in a table of its own: `tensor.ask` runs it
on the host, records nothing, and tells a watcher that it ran, so that a compiled step can compute it too.

Next: `shapes.py`, whose `take_along` takes the elements at such places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .dtypes import result_dtype
from .ops import Op

__all__ = ["COMPARISONS", "QUESTIONS"]

Array = Any

COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
_LOGIC = ("logical_not", "logical_and", "logical_or", "logical_xor", "isnan", "isinf", "isfinite")

QUESTIONS: dict[str, Op] = {}


def _question(name: str, forward: Callable[..., Array]) -> None:
    QUESTIONS[name] = Op(name, forward, (), (), ())


def _of_one_dtype(ufunc: np.ufunc) -> Callable[..., Array]:
    """A comparison in the dtype that torch computes with."""

    def compare(a: Array, b: Array) -> Array:
        if a.dtype != b.dtype:
            dtype = result_dtype((a, b))
            a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
        return ufunc(a, b)

    return compare


for _name in COMPARISONS:
    _question(_name, _of_one_dtype(getattr(np, _name)))
for _name in _LOGIC:
    _question(_name, getattr(np, _name))


def _of_some(function: Callable[..., Array]) -> Callable[..., Array]:
    """The place among all elements, or along an axis; the first of equal ones, and of NaN where there is one."""

    def places(a: Array, axis: int | None, keepdims: bool) -> Array:
        if not a.size and (axis is None or not a.shape[axis]):
            raise ValueError("of no elements it is not defined; check for an empty batch")
        return np.asarray(function(a, axis=axis, keepdims=keepdims), np.int64)

    return places


def _median_place(a: Array, axis: int, keepdims: bool) -> Array:
    """Where the median stands, the lower one of two; the first NaN where there is one."""
    middle = np.take(np.argsort(a, axis, stable=True), [(a.shape[axis] - 1) // 2], axis)
    none = np.isnan(a)
    place = np.where(none.any(axis, keepdims=True), none.argmax(axis, keepdims=True), middle)
    return place if keepdims else np.squeeze(place, axis)


_question("argmax", _of_some(np.argmax))
_question("argmin", _of_some(np.argmin))
_question("argmedian", _of_some(_median_place))
