"""`whole_number`: the check of every argument that counts something (steps, epochs, samples, features, a seed).

`shown` is how messages show a value that may be a number of any length.
"""

from __future__ import annotations

import operator
from typing import Any

__all__ = ["shown", "whole_number"]

LONG = 100  # characters of a value in a message


def shown(value: Any) -> str:
    """The value as Python writes it, cut where it is long. Python refuses to write a whole number of 5,000 digits.

    Example:
        >>> shown(3), shown(10**5000), shown("a" * 200)[-22:]
        ('3', 'a whole number of 16,610 bits', 'aa... (202 characters)')
    """
    try:
        text = repr(value)
    except ValueError:
        return f"a whole number of {value.bit_length():,} bits" if isinstance(value, int) else type(value).__name__
    return text if len(text) <= LONG else f"{text[: LONG - 20]}... ({len(text):,} characters)"


def whole_number(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """The value as an int, if it is a whole number from `least` to `most`; otherwise an error that names the argument.

    Raises:
        TypeError: not an integer of Python or NumPy, nor another object with `__index__`; True and 3.0 are none.
        ValueError: less than `least`, or more than `most`.

    Example:
        >>> whole_number("epochs", 10, least=1)
        10
        >>> whole_number("epochs", 0, least=1)
        Traceback (most recent call last):
            ...
        ValueError: epochs must be a whole number of at least 1, got 0
    """
    is_bool = isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b"
    try:
        number = None if is_bool else operator.index(value)
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        limit = "" if least is None else f" of at least {least}"
        error = TypeError if number is None else ValueError
        raise error(f"{name} must be a whole number{limit}, got {shown(value)}")
    if most is not None and number > most:
        raise ValueError(f"{name} must be a whole number of at most {most}, got {shown(value)}")
    return number
