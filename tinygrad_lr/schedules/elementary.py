"""Powers and exponentials of arrays, one element after the other by Python's own functions.

NumPy's `power` and `exp` run in a processor's vector units where it has them, so that another processor gives other
last bits. Python's `math.pow` and `math.exp`, the C library's, give nearly always the nearest number, and then all
processors agree. Next: phases.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import repeat

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["exponentials", "powers"]


def powers(bases: ArrayLike, exponents: ArrayLike) -> NDArray[np.float64]:
    """base^exponent of every element.

    Args:
        bases: numbers of at least 0; a number, or an array of any shape. Where one is 0, its exponent is at least 0.
        exponents: a number, or an array of the same shape.

    Returns:
        float64, of the array's shape; infinity where a power is too large for float64.

    Example:
        >>> powers([0.0, 0.5, 4.0], 0.5).tolist(), powers(10.0, [-400, 0, 400]).tolist()
        ([0.0, 0.7071067811865476, 2.0], [0.0, 1.0, inf])
    """
    return _of_each(math.pow, bases, exponents)


def exponentials(arguments: ArrayLike) -> NDArray[np.float64]:
    """e^argument of every element.

    Args:
        arguments: a number, or an array of any shape.

    Returns:
        float64, of the same shape; infinity where an exponential is too large for float64.

    Example:
        >>> exponentials([-1000.0, 0.0, 1000.0]).tolist()
        [0.0, 1.0, inf]
    """
    return _of_each(math.exp, arguments)


def _of_each(function: Callable[..., float], *given: ArrayLike) -> NDArray[np.float64]:
    """The function's values. Of what is given, each is a number or has the one shape that all the arrays have."""
    arrays = [np.asarray(each, np.float64) for each in given]
    shape = max((each.shape for each in arrays), key=len)
    columns = [each.ravel().tolist() if each.shape == shape else repeat(each.item()) for each in arrays]
    try:
        return np.fromiter(map(function, *columns), np.float64).reshape(shape)
    except OverflowError:
        return np.array([_or_infinity(function, *numbers) for numbers in zip(*columns)]).reshape(shape)  # noqa: B905


def _or_infinity(function: Callable[..., float], *numbers: float) -> float:
    try:
        return function(*numbers)
    except OverflowError:
        return math.inf
