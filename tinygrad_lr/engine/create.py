"""Functions that create Tensors from data or from a constant. `tinygrad_lr.random` creates random Tensors.

Next: `tensor.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import index
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr.integers import shown, whole_number

from .dtypes import ALLOWED, check_device, check_dtype, float32, int64
from .tensor import Tensor, adopt
from .tensor import as_tensor as shared

__all__ = ["arange", "as_tensor", "empty", "empty_like", "eye", "from_numpy", "full", "full_like", "linspace", "ones"]
__all__ += ["ones_like", "shape_of", "tensor", "zeros", "zeros_like"]


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


def empty(
    *shape: int | Sequence[int], dtype: DTypeLike = "float32", requires_grad: bool = False, device: str = "cpu"
) -> Tensor:
    """A Tensor whose values are whatever its memory held; arguments and errors as for `zeros`.

    Example:
        >>> empty(2, 3).shape
        (2, 3)
    """
    return made(np.empty(shape_of(shape), check_dtype(dtype)), requires_grad, device)


def full(
    shape: int | Sequence[int],
    fill_value: float,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """A Tensor of one number at every place.

    Args:
        shape: the length of each axis, as a tuple or one number.
        fill_value: the number. dtype: by default that of the number: bool, int64 or float32.
        requires_grad, device: as for `Tensor`.

    Raises:
        TypeError, ValueError: no number, or as for `zeros`.

    Example:
        >>> full((2,), 1.5), full(2, 3)
        (tensor([1.5, 1.5]), tensor([3, 3]))
    """
    value = tensor(fill_value)
    if value.ndim:
        raise TypeError(f"fill_value must be one number, got shape {value.shape}")
    kind = value.dtype if dtype is None else check_dtype(dtype)
    return made(np.full(shape_of((shape,)), value.item(), kind), requires_grad, device)


def arange(
    start: float | None = None,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """The numbers start, start + step, ... below end; `arange(end)` begins at 0.

    Args:
        start, end, step: numbers, step other than 0.
        dtype: by default int64 where all three are whole, and else float32.
        requires_grad, device: as for `Tensor`.

    Raises:
        TypeError: no numbers. ValueError: the step is 0, leads away from the end, or a number is not finite.

    Example:
        >>> arange(3), arange(1, 2, 0.25)
        (tensor([0, 1, 2]), tensor([1.  , 1.25, 1.5 , 1.75]))
    """
    if end is None:
        start, end = None, start
    if end is None:
        raise TypeError("arange needs an end: write arange(5), or arange(end=5)")
    first, last = (0 if start is None else start), end
    given = [number(name, value) for name, value in (("start", first), ("end", last), ("step", step))]
    if given[2] == 0 or (given[1] - given[0]) * given[2] < 0:
        raise ValueError(f"arange: a step of {step} does not lead from {first} to {last}")
    whole = all(isinstance(value, int) for value in given)
    kind = check_dtype(dtype) if dtype is not None else int64 if whole else float32
    return made(np.arange(*given).astype(kind), requires_grad, device)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: DTypeLike = "float32",
    requires_grad: bool = False,
    device: str = "cpu",
) -> Tensor:
    """So many numbers at equal distances, from start to end, both included.

    Raises:
        TypeError, ValueError: no finite numbers, or `steps` is no whole number of at least 0.

    Example:
        >>> linspace(0, 1, 5)
        tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    ends = number("start", start), number("end", end)
    values = np.linspace(*ends, whole_number("steps", steps, least=0))
    return made(values.astype(check_dtype(dtype)), requires_grad, device)


def eye(
    n: int, m: int | None = None, *, dtype: DTypeLike = "float32", requires_grad: bool = False, device: str = "cpu"
) -> Tensor:
    """A matrix of n rows and m columns (n by default), with 1 on its diagonal and 0 elsewhere.

    Example:
        >>> eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    rows = whole_number("n", n, least=0)
    columns = rows if m is None else whole_number("m", m, least=0)
    return made(np.eye(rows, columns, dtype=check_dtype(dtype)), requires_grad, device)


def zeros_like(
    like: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = False, device: str | None = None
) -> Tensor:
    """Zeros of the shape of a Tensor or an array, and where nothing else is said of its dtype and on its device."""
    return _made_like(np.zeros, like, dtype, requires_grad, device)


def ones_like(
    like: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = False, device: str | None = None
) -> Tensor:
    """Ones; all else as for `zeros_like`."""
    return _made_like(np.ones, like, dtype, requires_grad, device)


def empty_like(
    like: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = False, device: str | None = None
) -> Tensor:
    """A Tensor whose values are whatever its memory held; all else as for `zeros_like`."""
    return _made_like(np.empty, like, dtype, requires_grad, device)


def full_like(
    like: Any,
    fill_value: float,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor:
    """One number at every place; all else as for `zeros_like`.

    Example:
        >>> full_like(zeros(2), 7)
        tensor([7., 7.])
    """
    value = number("fill_value", fill_value, finite=False)
    return _made_like(lambda shape, kind: np.full(shape, value, kind), like, dtype, requires_grad, device)


def _made_like(
    make: Callable[..., Any], like: Any, dtype: DTypeLike | None, requires_grad: bool, device: str | None
) -> Tensor:
    given = shared(like)
    array = make(given.shape, given.dtype if dtype is None else check_dtype(dtype))
    return made(array, requires_grad, given.device if device is None else check_device(device))


def as_tensor(data: Any, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """A Tensor itself, a Tensor that shares an array's memory, or one with a copy of other data.

    Args:
        data: as for `Tensor`. dtype, device: what it is converted and moved to; by default its own.

    Raises:
        TypeError, ValueError, RuntimeError: as for `Tensor`.

    Example:
        >>> as_tensor([1.0, 2.0])
        tensor([1., 2.])
    """
    known = isinstance(data, (Tensor, np.ndarray)) and data.dtype in ALLOWED
    out = shared(data) if known else tensor(data, dtype=dtype)
    return out if dtype is None and device is None else out.to(device=device, dtype=dtype)


def number(name: str, value: Any, finite: bool = True) -> Any:
    """A number of Python, finite by default, or the one that a NumPy number or a Tensor holds.

    Raises:
        TypeError: no real number. ValueError: infinite or NaN.
    """
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        value = value.item()
    if isinstance(value, (str, bytes)) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a real number, got {shown(value)} ({type(value).__name__})")
    if finite and isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value}")
    return value


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
