"""`true_or_false`: the check of every argument that switches something on or off."""

from __future__ import annotations

from typing import Any

import numpy as np

from .integers import shown

__all__ = ["true_or_false"]


def true_or_false(name: str, value: Any) -> bool:
    """The value as a bool, if it is True or False of Python or NumPy; otherwise an error that names the argument.

    A text, a number or an object would count as True in an `if`: `shuffle="no"` would shuffle.

    Raises:
        TypeError: anything else, also 0, 1 and None.

    Example:
        >>> true_or_false("shuffle", np.bool_(False))
        False
        >>> true_or_false("shuffle", "no")
        Traceback (most recent call last):
            ...
        TypeError: shuffle must be True or False, got 'no'
    """
    if value is True or value is False:
        return bool(value)
    if not isinstance(value, np.bool_):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)
