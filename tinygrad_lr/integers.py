"""`whole_number`: the check of every argument that counts something (steps, epochs, samples, features, a seed)."""

from __future__ import annotations

import operator
from typing import Any

__all__ = ["whole_number"]


def whole_number(name: str, value: Any, least: int | None = None) -> int:
    """The value as an int, if it is a whole number of at least `least`; otherwise an error that names the argument.

    Raises:
        TypeError: not an integer of Python or NumPy, nor another object with `__index__`; True and 3.0 are none.
        ValueError: less than `least`.

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
        raise error(f"{name} must be a whole number{limit}, got {value!r}")
    return number
