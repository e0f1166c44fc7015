"""Rows on a GPU: softmax, log_softmax and nll_loss, as launches of the loops in kernels/ops/softmax.py.

The factors of the loss are computed on the host, because targets that are no classes must raise. Next: `softmax.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .dtypes import to_device, to_host
from .on_cuda import Array, empty, flat, floating, launch, loops, total

__all__ = ["ROWS", "nll_loss"]


def _lines(a: Array, axis: int | None) -> Array:
    """The array with three axes: those before, the one of classes, and those after."""
    if axis is None or not a.ndim:
        return a.reshape((1, 1, 1))
    place = axis % a.ndim
    return a.reshape((math.prod(a.shape[:place]), a.shape[place], math.prod(a.shape[place + 1 :])))


def _over_classes(name: str) -> dict[str, Any]:
    def forward(a: Array, axis: int | None) -> Array:
        floating(name, a)
        lines = _lines(a, axis)
        out = launch(getattr(loops("softmax"), f"{name}_gpu"), lines, a.dtype.type(0), empty(lines.shape, a.dtype))
        return out.reshape(a.shape)

    def vjp(g: Array, out: Array, a: Array, axis: int | None) -> Array:
        wide, value = _lines(g, axis), _lines(out, axis)
        back = getattr(loops("softmax"), f"{name}_back_gpu")
        return launch(back, wide, value, g.dtype.type(0), empty(wide.shape, g.dtype)).reshape(a.shape)

    return {"cuda_forward": forward, "cuda_vjps": (vjp,)}


def nll_loss(factors_of: Callable[..., Any], lengths: Callable[..., tuple[int, int, int]]) -> dict[str, Any]:
    """The row of the loss; `factors_of` computes the factors on the host, of the three `lengths` of a shape."""

    def forward(
        target: Array, weight: Array, a: Array, reduction: str, ignore_index: int, smoothing: float
    ) -> tuple[Array, Array]:
        floating("nll_loss", a, weight)
        before, classes, after = lengths(a.shape)
        on_host = factors_of(to_host(target), to_host(weight), a.shape, reduction == "mean", ignore_index, smoothing)
        factors = to_device(np.ascontiguousarray(on_host))
        lines, zero = a.reshape((before, classes, after)), a.dtype.type(0)
        losses = launch(loops("softmax").class_losses_gpu, factors, lines, zero, empty((before, after), a.dtype))
        if reduction == "none":
            return losses.reshape(target.shape), factors
        return total(loops("arrays").chunk_sums_gpu, losses, 1), factors

    def vjp(g: Array, factors: Array, target: Array, weight: Array, a: Array, *options: Any) -> Array:
        out = empty(factors.shape, a.dtype)
        if options[0] == "none":
            rows = g.reshape((factors.shape[0], factors.shape[2]))
            if rows.size:
                loops("softmax").class_losses_back_gpu.launch(rows.size, (rows, factors, out))
        else:
            launch(loops("arrays").mul_gpu, flat(factors), flat(g), flat(out))
        return out.reshape(a.shape)

    return {"cuda_forward": forward, "cuda_vjps": (_no_gradient, _no_gradient, vjp)}


def _no_gradient(*given: Any) -> Array:
    raise AssertionError("targets and weights have no gradient")


ROWS = {name: _over_classes(name) for name in ("softmax", "log_softmax")}
