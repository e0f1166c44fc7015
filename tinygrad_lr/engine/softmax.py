"""The ops over classes: softmax, log_softmax, logsumexp, nll_loss.

All shift by the largest element first, so that no exponential overflows. Infinite logits have the values of the limit:
softmax of (inf, 0) is (1, 0), where torch has NaN. Where all are -inf there is no limit, and the values are NaN.

Next: `functional.py`, which composes `cross_entropy` of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import on_cuda_classes
from .ops import OUTPUT, Inputs, Op, register
from .shapes import REDUCTIONS, spread

__all__ = ["as_classes", "log_softmax", "logsumexp", "nll_loss", "softmax"]

Array = Any
_sum: Any = np.add.reduce


def _shifted(a: Array, axis: Any) -> tuple[Array, Array]:
    """a less its largest element along axes, and that element: 0 where a is infinity."""
    top = np.maximum.reduce(a, axis=axis, keepdims=True, initial=-np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        away = a - top
    return (away if np.isfinite(top).all() else np.where(a == np.inf, np.zeros((), away.dtype), away)), top


def _log_softmax(a: Array, axis: int) -> Array:
    if not a.size:
        return a.copy()
    away = _shifted(a, axis)[0]
    return away - np.log(_sum(np.exp(away), axis=axis, keepdims=True))


def _softmax(a: Array, axis: Any) -> Array:
    powers = np.exp(_shifted(a, axis)[0])
    return powers / _sum(powers, axis=axis, keepdims=True)


def _logsumexp(a: Array, axis: Any, keepdims: bool) -> Array:
    away, top = _shifted(a, axis)
    with np.errstate(divide="ignore"):
        out = np.log(_sum(np.exp(away), axis=axis, keepdims=True)) + np.where(np.isfinite(top), top, 0)
    out = np.where(np.isfinite(top), out, top)
    return out if keepdims else out.reshape(_sum(a, axis=axis).shape)


AXES = (
    Inputs(((),), (None,)),
    Inputs(((4,),), (0,)),
    Inputs(((2, 3),), (0,)),
    Inputs(((2, 3),), (-1,)),
    Inputs(((2, 3, 2),), (1,)),
    Inputs(((0, 3),), (1,)),
    Inputs(((2, 0),), (1,)),
)
softmax = register(
    Op(
        "softmax",
        _softmax,
        (lambda g, out, a, axis: out * (g - _sum(g * out, axis=axis, keepdims=True)),),
        reads=((OUTPUT,),),
        cases=AXES,
        floats=True,
        **on_cuda_classes.ROWS["softmax"],
    )
)
log_softmax = register(
    Op(
        "log_softmax",
        _log_softmax,
        (lambda g, out, a, axis: g - np.exp(out) * _sum(g, axis=axis, keepdims=True),),
        reads=((OUTPUT,),),
        cases=AXES,
        floats=True,
        **on_cuda_classes.ROWS["log_softmax"],
    )
)
logsumexp = register(
    Op(
        "logsumexp",
        _logsumexp,
        (lambda g, out, a, axis, keepdims: spread(g, a, axis, keepdims) * _softmax(a, axis),),
        reads=((0,),),
        floats=True,
        cases=tuple(each for each in REDUCTIONS if each.options[0] != ()),
    )
)


def as_classes(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The lengths before, of and after the axis of classes: the only one, or the second of several."""
    place = min(len(shape) - 1, 1)
    after = 1
    for length in shape[place + 1 :]:
        after *= length
    return (shape[0] if place else 1), shape[place], after


def _factors(
    target: Array, weight: Array, shape: tuple[int, ...], mean: bool, ignore_index: int, smoothing: float
) -> Array:
    """What each logarithm of a probability is multiplied by in the loss, of shape (before, classes, after).

    Raises:
        IndexError: a target that is no class. ValueError: the weights of a mean add up to 0.
    """
    before, classes, after = as_classes(shape)
    target = target.reshape(before, 1, after)
    counted = target != ignore_index
    wrong = counted & ((target < 0) | (target >= classes))
    if wrong.any():
        row, _, place = np.argwhere(wrong)[0].tolist()
        where = f"row {row}" if after == 1 else f"row {row}, place {place}"
        raise IndexError(
            f"the target {target[row, 0, place]} in {where} is no class: expected whole numbers from 0 to "
            f"{classes - 1}, for the {classes} classes of the input, or ignore_index={ignore_index}"
        )
    own = target == np.arange(classes).reshape(1, classes, 1)
    shares = own.astype(weight.dtype) if not smoothing else np.where(own, 1 - smoothing, 0) + smoothing / classes
    factors = np.where(counted, -(shares * weight.reshape(1, classes, 1)), 0).astype(weight.dtype)
    if mean:
        total = np.where(own & counted, weight.reshape(1, classes, 1), 0).sum(dtype=np.float64)
        if total == 0:
            raise ValueError(
                "the mean over targets whose weights add up to 0 is not defined; check for an empty batch, and whether "
                "all targets are ignore_index"
            )
        factors /= total
    return factors


def _nll_loss(
    target: Array, weight: Array, a: Array, reduction: str, ignore_index: int, smoothing: float
) -> tuple[Array, Array]:
    """The loss, and the factors that are its gradient."""
    factors = _factors(target, weight, a.shape, reduction == "mean", ignore_index, smoothing)
    # a probability of 0 that is not asked for counts nothing: 0 * -inf would be NaN
    terms = factors * np.where(factors == 0, 0, a.reshape(factors.shape))
    return (_sum(terms, axis=1).reshape(target.shape) if reduction == "none" else _sum(terms, axis=None)), factors


def _nll_loss_vjp(g: Array, factors: Array, target: Array, weight: Array, a: Array, *options: Any) -> Array:
    before, _, after = factors.shape
    g = g.reshape(before, 1, after) if options[0] == "none" else g
    return (g * factors).reshape(a.shape)


def _no_gradient(*given: Any) -> Array:
    raise AssertionError("targets and weights have no gradient")


_NLL_SHAPES = (((), (3,), (3,)), ((4,), (3,), (4, 3)), ((2, 2), (3,), (2, 3, 2)), ((2,), (1,), (2, 1)))
nll_loss = register(
    Op(
        "nll_loss",
        _nll_loss,
        (_no_gradient, _no_gradient, _nll_loss_vjp),
        reads=((), (), ()),
        keeps=True,
        conditions=2,
        condition_kinds=("class", "number"),
        domain=((0.0, 3.0), (0.5, 2.0), (-2.0, 2.0)),
        cases=(
            *(
                Inputs(shapes, (how, -100, smoothing), ((0.0, float(shapes[1][0])), (0.5, 2.0), (-2.0, 2.0)))
                for shapes in _NLL_SHAPES
                for how, smoothing in (("mean", 0.0), ("sum", 0.0), ("none", 0.0), ("mean", 0.2), ("none", 0.2))
            ),
            *(Inputs(((4,), (3,), (4, 3)), (how, 1, 0.1)) for how in ("sum", "none")),
            Inputs(((0,), (3,), (0, 3)), ("sum", -100, 0.0)),
            Inputs(((0,), (3,), (0, 3)), ("none", -100, 0.0)),
        ),
        **on_cuda_classes.nll_loss(_factors, as_classes),
    )
)
