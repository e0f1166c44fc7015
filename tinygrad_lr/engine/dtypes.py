"""The dtypes and devices that a Tensor may have, and how data is converted to them.

The dtypes are float32 (the default for Python numbers with a point), float64, int64 and bool. Lists get the dtypes that
torch gives them. NumPy arrays keep float32 and float64; other integer types become int64. Nothing is rounded silently:
float16, complex, objects and strings are TypeErrors.

Next: `tensor.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr import cuda

__all__ = [
    "Array",
    "as_array",
    "check_device",
    "check_dtype",
    "copy_into",
    "float32",
    "float64",
    "int64",
    "refuse_masked",
    "result_dtype",
    "to_device",
    "to_host",
]

Array: TypeAlias = Any  # a NumPy array, or a device array on "cuda": numba.cuda has no type that checkers know

float32 = np.dtype("float32")
float64 = np.dtype("float64")
int64 = np.dtype("int64")
boolean = np.dtype("bool")
ALLOWED = frozenset({float32, float64, int64, boolean})
_LISTED = "float32, float64, int64 or bool"


def check_dtype(dtype: DTypeLike | None) -> np.dtype[Any]:
    """The NumPy dtype meant by `dtype` (a name, a NumPy type or dtype).

    Raises:
        TypeError: it is none of float32, float64, int64, bool.

    Example:
        >>> check_dtype("float64")
        dtype('float64')
    """
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if dtype is None or found not in ALLOWED:
        raise TypeError(f"a Tensor's dtype is {_LISTED}, got {dtype!r}")
    return found  # type: ignore[return-value]


_CATEGORIES = "bif"  # bool, whole numbers, floats


def result_dtype(arrays: Sequence[Array]) -> np.dtype[Any]:
    """The dtype in which arrays are computed with together, as torch has it.

    Floats win over whole numbers, and those over bool. Within the winning kind, arrays with axes decide; arrays without
    axes decide only where there are no others.

    Example:
        >>> result_dtype([np.ones(2, "f4"), np.ones(2, "i8")]), result_dtype([np.ones(2, "f4"), np.array(1.5)])
        (dtype('float32'), dtype('float32'))
        >>> result_dtype([np.ones(2, "f4"), np.ones(1, "f8")]), result_dtype([np.ones(2, "i8"), np.array(1.5)])
        (dtype('float64'), dtype('float64'))
    """
    kind = max((array.dtype.kind for array in arrays), key=_CATEGORIES.index)
    winning = [array for array in arrays if array.dtype.kind == kind]
    deciding = [array for array in winning if array.ndim] or winning
    return np.result_type(*[array.dtype for array in deciding])


def check_device(device: object) -> str:
    """The device itself, if it is "cpu" or "cuda".

    Raises:
        ValueError: it is neither.
        RuntimeError: "cuda" where CUDA cannot be used; the message names the remedy.
    """
    if not isinstance(device, str) or device not in ("cpu", "cuda"):
        raise ValueError(f"a device is 'cpu' or 'cuda', got {device!r}")
    if device == "cuda":
        cuda.require()
    return device


def to_device(array: np.ndarray[Any, Any]) -> Array:
    """A copy of a NumPy array on the GPU."""
    from numba import cuda as numba_cuda

    return numba_cuda.to_device(np.ascontiguousarray(array).reshape(array.shape))


def to_host(array: Array) -> np.ndarray[Any, Any]:
    """A NumPy array as it is, or a copy of a device array."""
    return array if isinstance(array, np.ndarray) else array.copy_to_host()


def copy_into(target: Array, values: Any) -> None:
    """Overwrite an array, on the CPU or the GPU, with values of its shape and dtype on the CPU or the same device."""
    if isinstance(target, np.ndarray):
        target[...] = values
    elif target.size:
        on_host = isinstance(values, np.ndarray)
        target.copy_to_device(np.ascontiguousarray(values).reshape(values.shape) if on_host else values)


def refuse_masked(values: Any, what: str) -> None:
    """Raise a TypeError for an array with masked elements: they have no value, and the one below would be taken."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise TypeError(f"{what} has masked elements, which have no value; fill them, as in array.filled(0.0)")


def as_array(data: Any, dtype: DTypeLike | None = None) -> np.ndarray[Any, Any]:
    """A new array in C order, of an allowed dtype, with a copy of the data.

    Raises:
        TypeError: the data is of another kind (complex, float16, str, objects), or has masked elements.
        ValueError: the rows of nested lists differ in length.

    Example:
        >>> as_array([1.0, 2.0]).dtype, as_array([1, 2]).dtype, as_array(np.ones(2)).dtype
        (dtype('float32'), dtype('int64'), dtype('float64'))
    """
    wanted = None if dtype is None else check_dtype(dtype)
    refuse_masked(data, "the array")
    typed = isinstance(data, (np.ndarray, np.generic))
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"data must be a number, an array or nested lists of equal lengths ({error})") from error
    given = array.dtype
    if given not in ALLOWED:
        if given.kind not in "iu" or not np.can_cast(given, int64):
            raise TypeError(
                f"a Tensor holds {_LISTED}, got data of dtype {given}; convert it first, e.g. with .astype('float32')"
            )
        given = int64
    if wanted is None:
        wanted = float32 if given == float64 and not typed else given
    return np.array(array, wanted, order="C", copy=True)
