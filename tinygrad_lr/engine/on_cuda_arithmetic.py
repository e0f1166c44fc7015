"""Rows on a GPU: ops of two inputs, among them the arithmetic of losses (+ - * /); sum, mean and clone.

Two operands have one shape and dtype, or one of them is a single number: general broadcasting, sums along several axes
and whole numbers are errors that say so. Next: `on_cuda.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .on_cuda import REMEDY, Array, copy, empty, flat, floating, launch, loops, one, total
from .ops import Op

__all__ = ["ROWS", "of_two_inputs"]


def _like_both(name: str, a: Array, b: Array) -> Array:
    """An array for the result of an op of two: of their one shape, or of the shape that a single number stands beside.

    Raises:
        NotImplementedError: general broadcasting, whole numbers, two dtypes.
    """
    floating(name, a, b)
    if a.shape == b.shape or (b.size == 1 and b.ndim <= a.ndim):
        return empty(a.shape, a.dtype)
    if a.size == 1 and a.ndim <= b.ndim:
        return empty(b.shape, a.dtype)
    raise NotImplementedError(
        f"{name} of shapes {tuple(a.shape)} and {tuple(b.shape)}, neither equal nor a single number, is not "
        f"implemented {REMEDY}"
    )


def _of_two(name: str) -> Callable[[Array, Array], Array]:
    def forward(a: Array, b: Array) -> Array:
        out = _like_both(name, a, b)
        launch(getattr(loops("arrays"), f"{name}_gpu"), flat(a), flat(b), flat(out))
        return out

    return forward


def of_two_inputs(op: Op) -> tuple[Callable[..., Array], tuple[Callable[..., Array], ...]]:
    """The forward and the vector-Jacobian products of a row of two inputs on device arrays, by its loops."""

    def forward(a: Array, b: Array) -> Array:
        out = _like_both(op.name, a, b)
        launch(op.cuda_loop(0, a.dtype.name), flat(a), flat(b), flat(out))
        return out

    def vjp(i: int) -> Callable[..., Array]:
        def product(g: Array, out: Array | None, a: Array, b: Array) -> Array:
            value = g if out is None else out  # of an output that the product does not read
            wide = empty(g.shape, g.dtype)
            launch(op.cuda_loop(i + 1, g.dtype.name), flat(g), flat(value), flat(a), flat(b), flat(wide))
            return _like(wide, (a, b)[i])

        return product

    return forward, (vjp(0), vjp(1))


_add, _sub, _mul, _div = map(_of_two, ("add", "sub", "mul", "div"))


def _spread(values: Array, divisor: int, shape: tuple[int, ...]) -> Array:
    """Values, or one value at every place, divided."""
    out = empty(shape, values.dtype)
    launch(loops("arrays").spread_gpu, flat(values), values.dtype.type(divisor), flat(out))
    return out


def _negative(a: Array) -> Array:
    return _spread(a, -1, a.shape)


def _like(gradient: Array, operand: Array) -> Array:
    """Undo what a single number's standing beside every element did: its gradient is the sum over its uses."""
    if gradient.shape == operand.shape:
        return gradient
    return total(loops("arrays").chunk_sums_gpu, gradient, 1).reshape(operand.shape)


def _lines(a: Array, axis: int) -> tuple[int, int, int]:
    """The lengths before, of and after an axis."""
    place = axis % a.ndim
    return math.prod(a.shape[:place]), a.shape[place], math.prod(a.shape[place + 1 :])


def _ones(shape: tuple[int, ...], dtype: Any) -> Array:
    return _spread(one(dtype).reshape((1,)), 1, shape)


def _reduction(name: str) -> dict[str, Any]:
    """Of all elements, or along one axis: a sum over the classes of a loss, with the factor 1 for each."""

    def divisor(a: Array, axis: Any) -> int:
        return 1 if name == "sum" else int(a.size) if axis is None else _lines(a, axis)[1]

    def forward(a: Array, axis: Any, keepdims: bool) -> Array:
        floating(name, a)
        if isinstance(axis, tuple):
            raise NotImplementedError(f"{name} along several axes is not implemented {REMEDY}")
        if axis is not None and not -a.ndim <= axis < a.ndim:
            raise ValueError(f"there is no axis {axis} in shape {tuple(a.shape)}")
        count = divisor(a, axis)
        if not count and (axis is None or _lines(a, axis)[0] * _lines(a, axis)[2]):
            raise ValueError("the mean of no elements is not defined; check for an empty batch")
        if axis is None:
            return total(loops("arrays").chunk_sums_gpu, a, count).reshape((1,) * a.ndim if keepdims else ())
        lines, place = _lines(a, axis), axis % a.ndim
        sums = empty((lines[0], lines[2]), a.dtype)
        launch(loops("softmax").class_losses_gpu, _ones(lines, a.dtype), a.reshape(lines), a.dtype.type(0), sums)
        shape = (*a.shape[:place], *((1,) if keepdims else ()), *a.shape[place + 1 :])
        return (sums if count == 1 else _spread(sums, max(count, 1), sums.shape)).reshape(shape)

    def vjp(g: Array, out: Array, a: Array, axis: Any, keepdims: bool) -> Array:
        if axis is None:
            return _spread(g, divisor(a, axis), a.shape)
        lines = _lines(a, axis)
        rows, wide = g.reshape((lines[0], lines[2])), empty(lines, g.dtype)
        if rows.size:
            rows = rows if divisor(a, axis) == 1 else _spread(rows, max(divisor(a, axis), 1), rows.shape)
            loops("softmax").class_losses_back_gpu.launch(rows.size, (rows, _ones(lines, g.dtype), wide))
        return wide.reshape(a.shape)

    return _row(forward, vjp)


def _row(forward: Callable[..., Array], *vjps: Callable[..., Array]) -> dict[str, Any]:
    return {"cuda_forward": forward, "cuda_vjps": vjps}


# What stands in each row as `cuda_forward` and `cuda_vjps`; the formulas are those of the row itself.
ROWS: dict[str, dict[str, Any]] = {
    "add": _row(_add, lambda g, out, a, b: _like(g, a), lambda g, out, a, b: _like(g, b)),
    "sub": _row(_sub, lambda g, out, a, b: _like(g, a), lambda g, out, a, b: _like(_negative(g), b)),
    "mul": _row(_mul, lambda g, out, a, b: _like(_mul(g, b), a), lambda g, out, a, b: _like(_mul(g, a), b)),
    "div": _row(
        _div, lambda g, out, a, b: _like(_div(g, b), a), lambda g, out, a, b: _like(_mul(_negative(g), _div(out, b)), b)
    ),
    "sum": _reduction("sum"),
    "mean": _reduction("mean"),
    "clone": _row(copy, lambda g, out, a: g),
}
