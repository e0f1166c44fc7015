"""Functions that create Tensors from data or from a constant. `tinygrad_lr.random` creates random Tensors.

Next: `tensor.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .dtypes import ALLOWED, check_dtype
from .tensor import Tensor, adopt

__all__ = ["from_numpy", "ones", "shape_of", "tensor", "zeros"]


def tensor(data: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = False, device: str = "cpu") -> Tensor:
    """A Tensor with a copy of `data`: numbers, nested lists, an array or a Tensor.

    Args and errors are those of `Tensor`.

    Example:
        >>> tensor([[1.0, 2.0], [3.0, 4.0]]).shape
        (2, 2)
        >>> tensor(3).dtype
        dtype('int64')
    """
    return Tensor(data, requires_grad, dtype, device)


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    """A Tensor that shares the memory of a NumPy array: a change of one shows in the other.

    Because the array can be changed without the Tensor, its bytes are kept and compared whenever a gradient needs its
    values; `tensor` copies once instead. An optimizer moves the values of its parameters into a buffer of its own: from
    then on the array is no longer shared, and the values are read from `.data`.

    Raises:
        TypeError: not an array of float32, float64, int64 or bool.
        ValueError: the array is read-only.

    Example:
        >>> import numpy as np
        >>> weights = np.zeros(2)
        >>> from_numpy(weights).shape
        (2,)
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy needs a NumPy array, got {type(array).__name__}; use tensor() for other data")
    if array.dtype not in ALLOWED:
        raise TypeError(f"from_numpy cannot share an array of {array.dtype}; convert it with .astype('float32') first")
    if not array.flags.writeable:
        raise ValueError("from_numpy cannot share a read-only array; use tensor(array), which copies it")
    out = adopt(array.view(np.ndarray))
    out._exposed = True
    return out


def zeros(
    *shape: int | Sequence[int], dtype: DTypeLike = "float32", requires_grad: bool = False, device: str = "cpu"
) -> Tensor:
    """A Tensor of zeros.

    Args:
        shape: the length of each axis, as numbers or one tuple; none for a 0-d Tensor.
        dtype, requires_grad, device: as for `Tensor`.

    Raises:
        TypeError, ValueError: a length is no whole number of at least 0, or as for `Tensor`.

    Example:
        >>> zeros(2, 3).shape, zeros((2, 3)).shape
        ((2, 3), (2, 3))
    """
    return made(np.zeros(shape_of(shape), check_dtype(dtype)), requires_grad, device)


def ones(
    *shape: int | Sequence[int], dtype: DTypeLike = "float32", requires_grad: bool = False, device: str = "cpu"
) -> Tensor:
    """A Tensor of ones; arguments and errors as for `zeros`.

    Example:
        >>> ones(2)
        tensor([1., 1.])
    """
    return made(np.ones(shape_of(shape), check_dtype(dtype)), requires_grad, device)


def made(array: np.ndarray[Any, Any], requires_grad: bool, device: str) -> Tensor:
    """A Tensor over a new array, on a device."""
    out = adopt(array)
    if device != "cpu":
        out = out.to(device)
    out.requires_grad = requires_grad
    return out


def shape_of(lengths: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape meant by `f(2, 3)`, `f((2, 3))` or `f()`."""
    if len(lengths) == 1 and isinstance(lengths[0], (tuple, list)):
        lengths = tuple(lengths[0])
    try:
        shape = tuple(index(n) for n in lengths)
    except TypeError:
        raise TypeError(f"a shape is given as whole numbers or one tuple of them, got {lengths!r}") from None
    if any(n < 0 for n in shape):
        raise ValueError(f"the length of an axis is at least 0, got shape {shape}")
    return shape
