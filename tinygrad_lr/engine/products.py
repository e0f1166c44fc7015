"""The ops that multiply matrices, and the loss: matmul, einsum, linear, mse_loss.

`linear` and `mse_loss` could be computed with other rows. As rows of their own they make the common training step two
nodes instead of six.

Next: `tensor.py`, whose operators and methods are the rows.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import on_cuda
from .ops import Inputs, Op, register

__all__ = ["einsum", "labelled", "linear", "matmul", "mse_loss"]

Array = Any


def _swapped(a: Array) -> Array:
    return a.swapaxes(-1, -2)


def _matmul_vjp_left(g: Array, out: Array, a: Array, b: Array) -> Array:
    if b.ndim == 1:
        return g[..., None] * b if a.ndim > 1 else g * b
    if a.ndim == 1:
        return (g[..., None, :] @ _swapped(b))[..., 0, :]
    return g @ _swapped(b)


def _matmul_vjp_right(g: Array, out: Array, a: Array, b: Array) -> Array:
    if a.ndim == 1:
        return a[:, None] * g[..., None, :] if b.ndim > 1 else g * a
    if b.ndim == 1:
        return (_swapped(a) @ g[..., None])[..., 0]
    return _swapped(a) @ g


matmul = register(
    Op(
        "matmul",
        np.matmul,
        (_matmul_vjp_left, _matmul_vjp_right),
        reads=((1,), (0,)),
        domain=((-2.0, 2.0), (-2.0, 2.0)),
        expects="shapes (..., n, k) and (..., k, m), or (k,) for a vector, with axes of batches that broadcast",
        cases=tuple(
            Inputs(shapes)
            for shapes in (
                ((3,), (3,)),
                ((2, 3), (3,)),
                ((3,), (3, 2)),
                ((2, 3), (3, 4)),
                ((5, 2, 3), (3,)),
                ((3,), (5, 3, 2)),
                ((5, 2, 3), (3, 4)),
                ((2, 3), (5, 3, 4)),
                ((4, 1, 2, 3), (5, 3, 2)),
                ((1, 2, 3), (5, 3, 1)),
                ((0, 3), (3, 2)),
                ((2, 0), (0, 3)),
                ((0,), (0,)),
                ((1, 1), (1, 1)),
            )
        ),
    )
)


def labelled(subscripts: str, shapes: Sequence[tuple[int, ...]]) -> tuple[str, ...]:
    """The axes of each operand of einsum and those of the result, a letter each: an ellipsis becomes letters.

    Raises:
        ValueError: subscripts that do not fit the shapes.

    Example:
        >>> labelled("...ij, jk", [(5, 2, 3), (3, 4)])
        ('aij', 'jk', 'aik')
    """
    text = "".join(subscripts.split())
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        raise ValueError(f"einsum: {subscripts!r} has {len(parts)} operands, got {len(shapes)}")
    spare = [letter for letter in string.ascii_letters if letter not in text]
    widest = max([len(shape) - len(part) + 3 for part, shape in zip(parts, shapes, strict=True) if "..." in part] + [0])
    if widest > len(spare):
        raise ValueError(f"einsum: {subscripts!r} has more axes than there are letters")
    for i, (part, shape) in enumerate(zip(parts, shapes, strict=True)):
        count = len(shape) - len(part) + 3 if "..." in part else 0
        parts[i] = part = part.replace("...", "".join(spare[widest - count : widest])) if count >= 0 else part
        if len(part) != len(shape) or not set(part) <= set(string.ascii_letters):
            raise ValueError(f"einsum: {subscripts!r} gives operand {i} other axes than its shape {shape} has")
    if arrow:
        return (*parts, right.replace("...", "".join(spare[:widest])))
    together = "".join(parts)
    named = sorted(c for c in set(together) - set(spare[:widest]) if together.count(c) == 1)
    return (*parts, "".join([*spare[:widest], *named]))


def _einsum(*given: Any) -> Array:
    *arrays, labels = given
    out = np.einsum(f"{','.join(labels[:-1])}->{labels[-1]}", *arrays, optimize=len(arrays) > 1)
    return np.array(out) if len(arrays) == 1 else np.asarray(out)  # of one operand it may be a view


def _einsum_vjp(i: int) -> Callable[..., Array]:
    """For operand i: the einsum of the gradient and the other operands, with the axes of operand i."""

    def vjp(g: Array, out: Array, *given: Any) -> Array:
        *arrays, labels = given
        a, own = arrays[i], "".join(dict.fromkeys(labels[i]))
        operands = [(labels[j], array) for j, array in enumerate(arrays) if j != i] + [(labels[-1], g)]
        lengths = {c: n for part, array in operands for c, n in zip(part, array.shape, strict=True) if n != 1}
        length = dict(zip(labels[i], a.shape, strict=True))
        there = "".join(part for part, _ in operands)
        kept = "".join(c for c in own if c in there and (length[c] != 1 or c not in lengths))
        names, others = zip(*operands, strict=True)
        found = np.einsum(f"{','.join(names)}->{kept}", *others, optimize=len(operands) > 1)
        wide = np.reshape(found, [np.shape(found)[kept.index(c)] if c in kept else 1 for c in own])
        if own == labels[i]:
            return np.broadcast_to(wide, a.shape)
        gradient = np.zeros(a.shape, g.dtype)
        np.einsum(f"{labels[i]}->{own}", gradient)[...] = wide  # a view of a diagonal: a letter stands twice
        return gradient

    return vjp


def _einsum_of(count: int) -> Op:
    return Op(
        "einsum",
        _einsum,
        tuple(_einsum_vjp(i) for i in range(count)),
        reads=tuple(tuple(j for j in range(count) if j != i) for i in range(count)),
        domain=((-2.0, 2.0),) * count,
        expects="equal lengths of all axes with one letter",
        cases=tuple(
            Inputs(shapes, (labels,))
            for shapes, labels in (
                (((2, 3), (3, 4)), ("ij", "jk", "ik")),
                (((2, 3), (2, 3)), ("ij", "ij", "")),
                (((3,), (2,)), ("i", "j", "ij")),
                (((3, 3), (3,)), ("ii", "i", "i")),
                (((2, 3), (4,)), ("ij", "k", "i")),
                (((2, 1, 3), (2, 3, 2)), ("abi", "aic", "bac")),
                (((0, 3), (3,)), ("ij", "j", "i")),
                (((), (2,)), ("", "i", "i")),
            )
        ),
    )


_einsums = {2: register(_einsum_of(2))}


def einsum(count: int) -> Op:
    """The row of `einsum` for so many operands: that of the table has two."""
    if count not in _einsums:
        _einsums[count] = _einsum_of(count)
    return _einsums[count]


def _linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x weight^T + bias, the last axis of x being the features."""
    features = weight.shape
    if len(features) != 2 or x.ndim == 0 or x.shape[-1] != features[1]:
        raise ValueError(
            f"expected a weight of shape (out_features, in_features) and an input whose last axis has in_features "
            f"elements, got weight {weight.shape} and input {x.shape}"
        )
    if bias is not None and bias.shape != features[:1]:
        raise ValueError(f"expected a bias of shape {weight.shape[:1]}, got {bias.shape}")
    if x.ndim <= 2:
        out = x.dot(weight.T)
    else:
        out = np.matmul(x, weight.T)
    if bias is None:
        return out
    return np.add(out, bias, out) if bias.dtype is out.dtype else out + bias


def _linear_vjp_weight(g: Array, out: Array, x: Array, weight: Array, bias: Array | None = None) -> Array:
    if x.ndim != 2:  # every leading axis is a batch axis
        rows = g.size // max(weight.shape[0], 1)
        g, x = g.reshape(rows, weight.shape[0]), x.reshape(rows, weight.shape[1])
    return g.T.dot(x)


linear = register(
    Op(
        "linear",
        _linear,
        (
            lambda g, out, x, weight, bias=None: g.dot(weight) if x.ndim <= 2 else np.matmul(g, weight),
            _linear_vjp_weight,
            lambda g, out, x, weight, bias=None: g,  # unbroadcast sums over the batch
        ),
        reads=((1,), (0,), ()),
        domain=((-2.0, 2.0),) * 3,
        cases=tuple(
            Inputs(shapes)
            for shapes in (
                ((5, 3), (2, 3), (2,)),
                ((5, 3), (2, 3)),
                ((3,), (2, 3), (2,)),
                ((4, 5, 3), (2, 3), (2,)),
                ((0, 3), (2, 3), (2,)),
                ((5, 3), (1, 3), (1,)),
                ((1, 1), (1, 1), (1,)),
                ((2, 0), (3, 0), (3,)),
                ((2, 3), (0, 3), (0,)),
                ((3,), (2, 3)),
            )
        ),
        cuda_forward=on_cuda.linear_forward,
        cuda_vjps=on_cuda.linear_vjps,
    )
)


def _mse_loss(prediction: Array, target: Array, reduction: str) -> tuple[Array, Array]:
    """The loss, and the error that its gradient is a multiple of."""
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction and target must have the same shape, got {prediction.shape} and {target.shape}; they are not "
            "broadcast, because (n, 1) against (n,) would silently compare every pair: reshape one of them"
        )
    error = prediction - target
    if reduction == "none":
        return error * error, error
    flat = error.reshape(-1)
    total = flat.dot(flat)
    if reduction == "sum":
        return total, error
    if not flat.size:
        raise ValueError("the mean over no elements is not defined; check for an empty batch")
    return total / flat.size, error


def _mse_vjp(g: Array, error: Array, reduction: str, sign: int) -> Array:
    if reduction == "none":
        return error * (g * (2 * sign))
    scale = 2 * sign / error.size if reduction == "mean" else 2 * sign
    return error * g.dtype.type(g.item() * scale)


_MSE_SHAPES = ((), (3,), (5, 1), (2, 3))
mse_loss = register(
    Op(
        "mse_loss",
        _mse_loss,
        (
            lambda g, error, prediction, target, reduction: _mse_vjp(g, error, reduction, 1),
            lambda g, error, prediction, target, reduction: _mse_vjp(g, error, reduction, -1),
        ),
        reads=((), ()),
        keeps=True,
        floats=True,
        domain=((-2.0, 2.0), (-2.0, 2.0)),
        cases=(
            *(Inputs((shape, shape), (how,)) for shape in _MSE_SHAPES for how in ("mean", "sum", "none")),
            Inputs(((0, 2), (0, 2)), ("sum",)),
            Inputs(((0,), (0,)), ("none",)),
        ),
        cuda_forward=on_cuda.mse_forward,
        cuda_vjps=on_cuda.mse_vjps,
    )
)
