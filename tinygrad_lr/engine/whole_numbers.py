"""What rows give for whole numbers and booleans, where torch gives something else than NumPy.

Next: `elementwise.py`, whose rows use it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["divided", "kept", "of_floats", "sign"]

Array = Any


def kept(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A rounding that gives whole numbers and booleans as they are, in their dtype.

    Example:
        >>> kept(np.rint)(np.array([2**53 + 1]))
        array([9007199254740993])
    """
    return lambda a: function(a) if a.dtype.kind == "f" else a.copy()


def of_floats(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function that keeps the dtype of floats, and gives float32 of whole numbers and booleans."""
    return lambda a: function(a if a.dtype.kind in "fc" else a.astype(np.float32))


def sign(a: Array) -> Array:
    """The sign, which a boolean is itself."""
    return a.copy() if a.dtype.kind == "b" else np.sign(a)


def divided(function: np.ufunc) -> Callable[[Array, Array], Array]:
    """A division that rounds down, or its remainder, which refuses a whole number divided by 0.

    Example:
        >>> divided(np.floor_divide)(np.array([7]), np.array([2]))
        array([3])
    """

    def divide(a: Array, b: Array) -> Array:
        if a.dtype.kind != "f" and b.dtype.kind != "f" and not b.all():
            raise ZeroDivisionError(
                f"{function.__name__}: a whole number cannot be divided by 0; for infinities and NaN divide floats, "
                "converted with .float()"
            )
        return function(a, b)

    return divide
