"""`thinned`: which of very many values a curve shows."""

from __future__ import annotations

import numpy as np

__all__ = ["thinned"]


def thinned(values: np.ndarray, most: int) -> np.ndarray:
    """The places of the values that a curve shows: all, or of each block of many the lowest and the highest.

    Args:
        values: float64, shape (values,).
        most: how many places there may be, at least 4.

    Returns:
        Ascending places, int64, the first and the last among them. A block without a finite value has one place.

    Example:
        >>> thinned(np.array([3.0, 1.0, 2.0]), 4).tolist(), thinned(np.arange(1000.0), 6).tolist()
        ([0, 1, 2], [0, 499, 500, 999])
    """
    if len(values) <= most:
        return np.arange(len(values))
    found = [0, len(values) - 1]
    for block in np.array_split(np.arange(len(values)), most // 2 - 1):
        there = block[np.isfinite(values[block])]
        ends = (there[values[there].argmin()], there[values[there].argmax()]) if len(there) else (block[0],)
        found += map(int, ends)
    return np.unique(found)
