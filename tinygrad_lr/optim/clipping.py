"""Clipping by the global norm: one factor for all gradients, so that their direction stays.

Source: Pascanu, Mikolov and Bengio, ICML 2013, arXiv:1211.5063, Algorithm 1. Declared where that leaves a choice:
gradients whose norm is at most max_norm keep their bits; afterwards the norm is at most max_norm, so that clipping
again changes nothing (the factor is max_norm / norm less four units of rounding); a norm that is not finite is an
error, and nothing is changed. `Optimizer.step(max_norm=...)` clips in the pass that updates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import copy_into, to_host
from tinygrad_lr.kernels._run import largest, sum_of_squares

from .validation import number

Array = np.ndarray[Any, Any]


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> float:
    """Scale all gradients in place so that their norm, taken over all parameters together, is at most `max_norm`.

    Args:
        parameters: Tensors; those without a gradient are passed over.
        max_norm: above 0.

    Returns:
        The norm before clipping (0.0 where there is no gradient).

    Raises:
        ValueError: `max_norm` is not above 0.
        FloatingPointError: a gradient holds NaN or infinity; nothing is changed.

    Example:
        >>> from tinygrad_lr import tensor
        >>> w = tensor([0.0, 0.0], requires_grad=True)
        >>> w.grad = [3.0, 4.0]
        >>> clip_grad_norm_([w], 1.0)
        5.0
        >>> [round(float(g), 3) for g in w.grad]
        [0.6, 0.8]
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    given = [param for param in parameters if param._grad is not None]
    grads = [to_host(param._grad) for param in given]
    names = [param.name or f"parameter {i}" for i, param in enumerate(given)]
    norm, factor = clipping(grads, max_norm, lambda: zip(names, grads, strict=True))
    if factor is not None:
        for param, grad in zip(given, grads, strict=True):
            copy_into(param._grad, grad * grad.dtype.type(factor))
    return norm


def clipping(
    grads: Sequence[Array], max_norm: float, named: Callable[[], Iterable[tuple[str, Array]]]
) -> tuple[float, float | None]:
    """The norm over all arrays, and the factor that brings it to `max_norm`; None where it is there already.

    `named` gives the gradients with their parameters' names, for the error where the norm is not finite.
    """
    limit = checked_max_norm(max_norm)
    scale, root = _scaled_norm(grads)
    if not math.isfinite(root):
        raise _not_finite(named())
    factor = _plain("factor")(scale, root, limit, unit_of(grads))
    return scale * root, None if factor == 1.0 else factor


def checked_max_norm(max_norm: float) -> float:
    """The limit as a number.

    Raises:
        TypeError, ValueError: it is none, or not above 0.
    """
    limit = number("max_norm", max_norm)
    if limit <= 0:
        raise ValueError(f"max_norm must be above 0, got {max_norm}: a negative one would climb, and lr=0 freezes")
    return limit


def unit_of(grads: Sequence[Array]) -> float:
    """The largest unit of rounding among the arrays' dtypes."""
    return max((float(np.finfo(g.dtype).eps) / 2 for g in grads if g.size), default=0.0)


@cache
def _plain(rule: str) -> Callable[..., Any]:
    """A rule of kernels/updates/norm.py as plain Python: for three numbers a step nothing need be compiled."""
    from tinygrad_lr.kernels import _jit
    from tinygrad_lr.kernels.updates import norm

    return _jit.uncompiled(getattr(norm, rule))


def _scaled_norm(grads: Sequence[Array]) -> tuple[float, float]:
    """(scale, root) with norm = scale * root, where root cannot overflow if the gradients are finite."""
    flat = [np.ascontiguousarray(g).reshape(-1) for g in grads if g.size]
    total = _sum_of_squares(flat, 1.0)
    if _plain("is_safe")(total) or not flat:
        return 1.0, math.sqrt(total)
    scale = _plain("scale_of")(max((largest(g) for g in flat), key=lambda x: (math.isnan(x), x)))
    return scale, math.sqrt(_sum_of_squares(flat, 1.0 / scale))


def _sum_of_squares(arrays: Sequence[Array], inverse_scale: float) -> float:
    """In the arrays' order, as a compiled step adds them (Python's own sum compensates from 3.12 on)."""
    total = 0.0
    for each in arrays:
        total += sum_of_squares(each, inverse_scale)
    return total


def _not_finite(named: Iterable[tuple[str, Array]]) -> FloatingPointError:
    for name, grad in named:
        wrong = np.flatnonzero(~np.isfinite(grad))
        if wrong.size:
            return FloatingPointError(
                f"the gradients have no finite norm: element {wrong[0]} of the gradient of {name}, of shape "
                f"{grad.shape}, is {grad.flat[wrong[0]]}; nothing was changed. Look at the loss and the learning rate"
            )
    raise AssertionError("finite gradients have a finite scaled norm")
