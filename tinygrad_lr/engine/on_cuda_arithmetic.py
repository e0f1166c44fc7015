"""Rows on a GPU: ops of two inputs, among them the arithmetic of losses (+ - * /); sum, mean and clone.

Two operands have one shape and dtype, or one of them is a single number: general broadcasting, sums along an axis and
whole numbers are errors that say so. Next: `on_cuda.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .on_cuda import REMEDY, Array, copy, empty, flat, floating, launch, loops, total
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


def _reduction(name: str) -> dict[str, Any]:
    def divisor(a: Array) -> int:
        return int(a.size) if name == "mean" else 1

    def forward(a: Array, axis: Any, keepdims: bool) -> Array:
        floating(name, a)
        if axis is not None:
            raise NotImplementedError(f"{name} along an axis is not implemented {REMEDY}")
        if not divisor(a):
            raise ValueError("the mean of no elements is not defined; check for an empty batch")
        return total(loops("arrays").chunk_sums_gpu, a, divisor(a)).reshape((1,) * a.ndim if keepdims else ())

    def vjp(g: Array, out: Array, a: Array, axis: Any, keepdims: bool) -> Array:
        return _spread(g, divisor(a), a.shape)

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
