"""`real_number`: the check of every argument that is a finite real number, perhaps within bounds."""

from __future__ import annotations

import math
import numbers
from decimal import Decimal
from typing import Any

import numpy as np

from .integers import shown

__all__ = ["real_number"]


def real_number(
    name: str, value: Any, *, least: float | None = None, above: float | None = None, most: float | None = None
) -> float:
    """The value as a Python float, if it is a finite number within bounds; otherwise an error that names the argument.

    Args:
        name: of the argument, for the message.
        value: a real number of Python or NumPy; True, texts and arrays are none.
        least, above, most: the number is at least `least`, above `above` and at most `most`.

    Raises:
        TypeError: no real number. ValueError: not finite, or out of bounds.

    Example:
        >>> real_number("alpha", 1)
        1.0
        >>> real_number("p", 1.5, least=0, most=1)
        Traceback (most recent call last):
        ValueError: p must be from 0 to 1, got 1.5
    """
    is_plain = type(value) is float or type(value) is int  # asking `numbers` takes long, and rates are asked each step
    if not is_plain and (isinstance(value, (bool, np.bool_)) or not isinstance(value, (numbers.Real, Decimal))):
        raise TypeError(f"{name} must be a real number, got {shown(value)} ({type(value).__name__})")
    try:
        number = float(value)
    except (OverflowError, ValueError):  # of whole numbers, and of Decimal("sNaN")
        number = math.inf
    if not math.isfinite(number):
        hint = "; look at what computed it" if math.isnan(number) else ""
        raise ValueError(f"{name} must be a finite number, got {shown(value)}{hint}")
    if above is not None and not number > above:
        raise ValueError(f"{name} must be above {above:g}, got {shown(value)}")
    if (least is not None and number < least) or (most is not None and number > most):
        limits = f"at least {least:g}" if most is None else f"at most {most:g}"
        limits = limits if least is None or most is None else f"from {least:g} to {most:g}"
        raise ValueError(f"{name} must be {limits}, got {shown(value)}")
    return number
