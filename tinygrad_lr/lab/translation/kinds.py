"""What a value of a kernel is, as Numba sees it: the kind that decides how its operations are written in JavaScript."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "FLOAT32",
    "FLOAT64",
    "NOTHING",
    "TRUTH",
    "WHOLE",
    "Array",
    "Dtype",
    "Kind",
    "Known",
    "Number",
    "Tuple",
    "common",
]

UNSIGNED = ("uint16", "uint32", "uint64")
SIGNED = ("int32", "int64")


@dataclass(frozen=True)
class Number:
    """A number, or a truth: "bool".

    A whole number of 64 bits is a JavaScript number, which is exact to 2^53. Kernels count with them, and multiply none
    that is negative: JavaScript has a -0. Of the dtype "low32" only the lower 32 bits are known: it is what operations
    on bits give before they are cast to uint32.
    """

    dtype: str

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith("float")

    @property
    def is_whole(self) -> bool:
        return self.dtype in SIGNED or self.dtype in UNSIGNED


@dataclass(frozen=True)
class Array:
    """A typed array; one of two dimensions is an object {data, rows, columns}."""

    dtype: str
    dimensions: int = 1


@dataclass(frozen=True)
class Tuple:
    """Some values: a JavaScript array where a function returns them."""

    parts: tuple[Kind, ...]


@dataclass(frozen=True)
class Dtype:
    """The dtype of an array, `x.dtype`, whose attribute `type` makes numbers."""

    dtype: str


@dataclass(frozen=True, eq=False)
class Known:
    """Something that Python knows when it translates: a function, a module, the type of a number."""

    value: Any


Kind = Number | Array | Tuple | Dtype | Known
FLOAT32, FLOAT64, WHOLE, TRUTH = (Number(dtype) for dtype in ("float32", "float64", "int64", "bool"))
NOTHING = Tuple(())


def common(a: Kind, b: Kind) -> Kind | None:
    """The kind of a variable that is a here and b there, and of a sum of both; None where there is none.

    Numba's rules: float32 keeps company with itself alone, and all else that is a float becomes float64.

    Example:
        >>> common(FLOAT32, FLOAT32).dtype, common(FLOAT32, WHOLE).dtype, common(FLOAT32, FLOAT64).dtype
        ('float32', 'float64', 'float64')
        >>> common(WHOLE, Number("uint64")) is None
        True
    """
    if a == b:
        return a
    if isinstance(a, Tuple) and isinstance(b, Tuple) and len(a.parts) == len(b.parts):
        parts = [common(x, y) for x, y in zip(a.parts, b.parts, strict=True)]
        return Tuple(tuple(part for part in parts if part is not None)) if None not in parts else None
    if isinstance(a, Number) and isinstance(b, Number) and (a.is_float or b.is_float):
        return FLOAT64 if all(each.is_float or each.is_whole for each in (a, b)) else None
    return None


def number_of(value: Any) -> Number | None:
    """The kind of a number that Python or NumPy has; None where it is no number.

    Example:
        >>> number_of(0.5), number_of(np.float32(2))
        (Number(dtype='float64'), Number(dtype='float32'))
    """
    if isinstance(value, np.generic):
        return Number(value.dtype.name)
    dtypes = {bool: "bool", int: "int64", float: "float64"}
    return Number(dtypes[type(value)]) if type(value) in dtypes else None
