"""Checks of the arguments of schedules. Each returns a plain value, or raises an error that says what to do.

A count is a whole number of steps. A factor multiplies a base rate. Steps are points in time, one number or an array.
`base.py` uses them on every call and when a method builds a schedule, `phases.py` in each constructor.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lr.integers import shown, whole_number
from tinygrad_lr.reals import real_number

# Sums of two counts and step differences stay exact in int64; a later step is past the end of every schedule.
MAX_STEPS = 2**62


def integer(name: str, value: Any, least: int | None = None) -> int:
    """A whole number of steps: an integer (not 3.0, not True), at most 2**62 in size and at least `least`."""
    whole = whole_number(name, value, least)
    if abs(whole) > MAX_STEPS:
        raise ValueError(f"{name} must be at most 2**62 in size, got {shown(whole)}")
    return whole


def count(name: str, value: Any, least: int = 0) -> int:
    """A whole number of steps of at least `least`."""
    return integer(name, value, least)


def factor(name: str, value: Any) -> float:
    """A finite number of at least 0; -0.0 becomes 0.0."""
    plain = real_number(name, value)
    if plain < 0:
        raise ValueError(f"{name} must be at least 0 (a negative learning rate climbs), got {plain}")
    return plain + 0.0


def several(name: str, value: Any) -> list[Any]:
    """What a list of numbers holds; each number is still to be checked."""
    if isinstance(value, str) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        raise TypeError(f"{name} must be a list of numbers, got {shown(value)}")
    return list(value)


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """One of the given words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return str(value)


def steps(value: Any) -> tuple[NDArray[Any], tuple[int, ...] | None]:
    """Steps as a flat array of int64 or float64, and the shape of the result (None for a single number).

    Integers stay integers, so no rounding moves a step to another phase, however large it is.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return _not_negative(np.array([min(max(int(value), -1), MAX_STEPS)], dtype=np.int64), value), None
    if isinstance(value, (float, np.floating)):
        return _not_negative(np.array([value], dtype=np.float64), value), None
    array = np.asarray(value) if isinstance(value, (np.ndarray, list, tuple, range)) else None
    if array is None or (array.dtype.kind not in "iuf" and array.size > 0):
        kind = type(value).__name__ if array is None else f"an array of {array.dtype}"
        raise TypeError(f"a step must be an integer, a float or an array of these, got {kind}")
    if array.dtype.kind in "iu":
        flat = np.minimum(array.ravel(), MAX_STEPS if array.dtype.itemsize == 8 else array).astype(np.int64)
    else:
        flat = array.ravel().astype(np.float64)
    return _not_negative(flat, value), array.shape


def _not_negative(flat: NDArray[Any], value: Any) -> NDArray[Any]:
    if flat.dtype.kind == "f" and not np.isfinite(flat).all():
        raise ValueError(f"a step must be finite, got {value!r}")
    if (flat < 0).any():
        raise ValueError(f"a step must be at least 0, got {value!r}; a schedule starts at step 0")
    return flat
