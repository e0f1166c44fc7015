"""NumPy's functions that give a Tensor for Tensors, with its gradient: `np.where(w > 0, w, 0.0)`.

Each is written here with the arguments of NumPy's that it takes. A call with others, such as `out`, and every function
that is not here, gives an array; where that would cut the graph it is a TypeError. NumPy's element-wise functions, such
as `np.exp`, are rows of the table of ops (`Tensor.__array_ufunc__`).

Next: `functional.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import functional
from .tensor import FUNCTIONS, Axes, Operand, Tensor, as_tensor

__all__: list[str] = []


def _reduction(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda a, axis=None, *, keepdims=False: method(as_tensor(a), axis, keepdims)


def _var(a: Any, axis: Axes = None, *, ddof: float = 0, correction: float | None = None, keepdims: bool = False) -> Any:
    return a.var(axis, keepdims=keepdims, correction=ddof if correction is None else correction)


def _std(a: Any, axis: Axes = None, *, ddof: float = 0, correction: float | None = None, keepdims: bool = False) -> Any:
    return a.std(axis, keepdims=keepdims, correction=ddof if correction is None else correction)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Tensor:
    return as_tensor(a).clip(a_min if min is None else min, a_max if max is None else max)


def _where(condition: Any, x: Operand, y: Operand, /) -> Tensor:
    condition = as_tensor(condition)
    return functional.where(condition if condition.dtype == bool else condition != 0, x, y)


def _concatenate(arrays: Sequence[Operand], /, axis: int | None = 0) -> Tensor:
    if axis is None:
        return functional.concatenate([as_tensor(each).reshape(-1) for each in arrays])
    return functional.concatenate(arrays, axis)


def _vstack(tup: Sequence[Operand]) -> Tensor:
    return functional.concatenate([t if t.ndim > 1 else t.reshape(1, -1) for t in map(as_tensor, tup)])


def _hstack(tup: Sequence[Operand]) -> Tensor:
    tensors = [t if t.ndim else t.reshape(1) for t in map(as_tensor, tup)]
    return functional.concatenate(tensors, 0 if tensors and tensors[0].ndim == 1 else 1)


def _einsum(subscripts: str, /, *operands: Operand, optimize: object = True) -> Tensor:
    return functional.einsum(subscripts, *operands)


def _dot(a: Operand, b: Operand) -> Tensor:
    a, b = as_tensor(a), as_tensor(b)
    if not a.ndim or not b.ndim:
        return a * b
    if b.ndim <= 2:
        return a @ b
    letters = "abcdefghijklmnopqrstuvwxyz"
    left, right = letters[: a.ndim], letters[a.ndim : a.ndim + b.ndim]
    right = f"{right[:-2]}{left[-1]}{right[-1]}"
    return functional.einsum(f"{left},{right}->{left[:-1]}{right[:-2]}{right[-1]}", a, b)


def _norm(x: Any, ord: float | str | None = None, axis: Axes = None, keepdims: bool = False) -> Any:
    matrix = len(axis) == 2 if isinstance(axis, tuple) else axis is None and x.ndim == 2
    if ord not in (None, "fro") and (matrix or (axis is None and x.ndim != 1)):
        return NotImplemented  # the norm of a matrix as an operator
    if ord not in (None, "fro", 1, 2, np.inf):
        return NotImplemented
    return x.norm(2 if ord is None else ord, axis, keepdims)


def _squeeze(a: Any, axis: Axes = None) -> Tensor:
    axes = () if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if any(a.shape[k] != 1 for k in axes):
        raise ValueError(f"numpy.squeeze: an axis of {axis} has another length than 1, in shape {a.shape}")
    return a.squeeze(axis)


def _expand_dims(a: Any, axis: Any) -> Tensor:
    shape: tuple[int, ...] = np.expand_dims(np.broadcast_to(0, a.shape), axis).shape
    return a.reshape(shape)


def _moveaxis(a: Any, source: Any, destination: Any) -> Tensor:
    places = np.moveaxis(np.broadcast_to(0, _numbered(a.ndim)), source, destination).shape
    return a.permute(tuple(n - 1 for n in places))


def _numbered(ndim: int) -> tuple[int, ...]:
    """A shape whose lengths say which axis is which."""
    return tuple(range(1, ndim + 1))


FUNCTIONS.update(
    {
        np.sum: _reduction(Tensor.sum),
        np.mean: _reduction(Tensor.mean),
        np.max: _reduction(Tensor.amax),
        np.amax: _reduction(Tensor.amax),
        np.min: _reduction(Tensor.amin),
        np.amin: _reduction(Tensor.amin),
        np.prod: _reduction(Tensor.prod),
        np.var: _var,
        np.std: _std,
        np.cumsum: lambda a, axis=None: a.cumsum(axis),
        np.clip: _clip,
        np.where: _where,
        np.concatenate: _concatenate,
        np.stack: lambda arrays, axis=0: functional.stack(arrays, axis),
        np.vstack: _vstack,
        np.hstack: _hstack,
        np.einsum: _einsum,
        np.dot: _dot,
        np.outer: lambda a, b: as_tensor(a).outer(b),
        np.linalg.norm: _norm,
        np.transpose: lambda a, axes=None: a.T if axes is None else a.permute(tuple(axes)),
        np.swapaxes: lambda a, axis1, axis2: a.transpose(axis1, axis2),
        np.moveaxis: _moveaxis,
        np.reshape: lambda a, /, shape: a.reshape(shape),
        np.ravel: lambda a: a.reshape(-1),
        np.squeeze: _squeeze,
        np.expand_dims: _expand_dims,
        np.copy: lambda a: a.clone(),
    }
)
