"""`Standardiser` brings columns of numbers to mean 0 and deviation 1, and back. Next: inputs.py.

`in_proportion` does what weights of rows need of it: they keep their proportions, and their sum fits float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["LOST", "Standardiser", "in_proportion", "lost_in_float32", "standardised"]

FEW = 2**16  # rows up to which sums are taken in ascending order, so that they do not depend on the order of rows
EXTREME = 300  # exponents of two beyond which squares of millions of numbers could overflow or vanish
NEAR_THE_END = 2.0**1000  # from here on, a difference of two numbers may overflow
LOST = "beside its largest, float32 takes most others for the same number"  # what is said of `lost_in_float32`
LOOKED_AT = 1_000  # rows at which `lost_in_float32` looks


class Standardiser:
    """Computes (x - mean) / deviation for each column, and the inverse.

    `deviation` is the population standard deviation (division by n). A constant column has none. It becomes 0
    everywhere, for new values too, and its inverse is its mean: nothing can be learnt of what never varied.

    Args:
        mean, deviation: shape (columns,), float64. The deviation of a constant column is any positive number.
        constant: shape (columns,), bool: which columns are constant; by default none.

    Example:
        >>> standardiser = Standardiser.fit(np.array([[1.0, 7.0], [3.0, 7.0]]))
        >>> standardiser(np.array([[3.0, 7.0]])).tolist()
        [[1.0, 0.0]]
        >>> standardiser.inverse(np.array([[1.0, 0.0]])).tolist()
        [[3.0, 7.0]]
    """

    def __init__(self, mean: np.ndarray, deviation: np.ndarray, constant: np.ndarray | None = None) -> None:
        self.mean = np.asarray(mean, np.float64)
        self.deviation = np.asarray(deviation, np.float64)
        self.constant = np.zeros(self.mean.shape, bool) if constant is None else np.asarray(constant, bool)
        if self.constant.shape != self.mean.shape:
            raise ValueError(f"constant must have the shape of mean, {self.mean.shape}, got {self.constant.shape}")
        if self.mean.shape != self.deviation.shape or self.mean.ndim != 1:
            raise ValueError(
                f"mean and deviation must have one shape (columns,), got {self.mean.shape} and {self.deviation.shape}"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.deviation).all() and (self.deviation > 0).all()):
            raise ValueError("means must be finite, and deviations finite and positive")

    @classmethod
    def fit(cls, values: np.ndarray, weights: np.ndarray | None = None) -> Standardiser:
        """The standardiser of an array of shape (rows, columns).

        Args:
            weights: how often each row counts, shape (rows,), finite, above 0; None: once. Rows with weights are
                expected in an order of their own, in which sums are taken.

        Raises:
            ValueError: another number of axes, no rows, or a number that is not finite.

        Example:
            >>> Standardiser.fit(np.array([[1.0], [5.0]]), np.array([3.0, 1.0])).mean.tolist()
            [2.0]
        """
        values = np.asarray(values, np.float64)
        if values.ndim != 2 or len(values) == 0:
            raise ValueError(f"expected an array of shape (rows, columns) with at least one row, got {values.shape}")
        low, high = values.min(axis=0), values.max(axis=0)
        if not (np.isfinite(low) & np.isfinite(high)).all():
            raise ValueError("values to standardise must be finite; leave out rows with NaN or infinity")
        constant = low == high
        # Near the ends of float64, in units of a power of two near the largest value, so that sums and squares neither
        # overflow nor vanish. Elsewhere that would change no bit.
        exponent = np.frexp(np.maximum(np.abs(low), np.abs(high)))[1]
        exponent = np.where(np.abs(exponent) > EXTREME, exponent, 0)
        if weights is None and len(values) <= FEW:
            values = np.sort(values, axis=0)
        scaled = np.ldexp(values, -exponent) if exponent.any() else values
        mean, deviation = (np.ldexp(each, exponent) for each in _moments(scaled, weights))
        constant |= deviation == 0
        return cls(np.where(constant, values[0], mean), np.where(constant, 1.0, deviation), constant)

    def __iter__(self) -> Iterator[Standardiser]:
        """A standardiser for each column alone."""
        for number in zip(self.mean, self.deviation, self.constant, strict=True):
            yield Standardiser(*(np.array([each]) for each in number))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return np.where(self.constant, 0.0, standardised(values, self.mean, self.deviation))

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Standardised values in the units that `fit` saw."""
        unit = _unit(self.mean, self.deviation)
        found = values * (self.deviation * unit) + self.mean * unit
        return np.where(self.constant, self.mean, found / unit)


def _moments(values: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population deviation of each column."""
    if weights is None:
        return values.mean(axis=0), values.std(axis=0)
    weights = in_proportion(weights)
    share = (weights / weights.sum())[:, None]
    mean = (share * values).sum(axis=0)
    return mean, np.sqrt((share * (values - mean) ** 2).sum(axis=0))


def standardised(values: np.ndarray, mean: Any, deviation: Any) -> np.ndarray:
    """(values - mean) / deviation, in float64; also where the difference alone would overflow.

    Example:
        >>> standardised(np.array([1.5e308]), -1.5e308, 1e308).tolist()
        [3.0]
    """
    unit = _unit(mean, deviation)
    if unit != 1:
        values, mean, deviation = values * unit, np.multiply(mean, unit), np.multiply(deviation, unit)
    found: np.ndarray = values - mean
    found /= deviation
    return found


def _unit(mean: Any, deviation: Any) -> float:
    """A power of two with which numbers near the end of float64 are multiplied, so that sums of two do not overflow."""
    largest = max(float(np.max(np.abs(mean), initial=0.0)), float(np.max(deviation, initial=0.0)))
    return 2.0**-64 if largest > NEAR_THE_END else 1.0


def lost_in_float32(values: np.ndarray, scale: Standardiser) -> np.ndarray:
    """Of which columns float32 takes most different numbers for the same, once they are standardised: bool (columns,).

    So it is where one number is far larger than the others. Of many rows, it looks at a thousand.

    Example:
        >>> values = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0], [5.0, 1e12]])
        >>> lost_in_float32(values, Standardiser.fit(values)).tolist()
        [False, True]
    """
    some = values[:: -(-len(values) // LOOKED_AT)]
    found: np.ndarray = _kinds(some) > 2 * _kinds(scale(some).astype(np.float32))
    return found & ~scale.constant


def _kinds(values: np.ndarray) -> np.ndarray:
    """How many different numbers each column has."""
    values = np.sort(values, axis=0)
    count: np.ndarray = (values[1:] != values[:-1]).sum(axis=0) + 1
    return count


def in_proportion(weights: np.ndarray) -> np.ndarray:
    """Weights of which the largest is far from the ends of float64, so that sums of them neither overflow nor vanish.

    They are multiplied by a power of two, and only where that is needed: proportions stay, to the last bit.

    Example:
        >>> in_proportion(np.array([1.0, 3.0])).tolist(), in_proportion(np.array([2.0**1023, 2.0**1022])).tolist()
        ([1.0, 3.0], [0.5, 0.25])
    """
    exponent = int(np.frexp(np.max(weights, initial=0.0))[1])
    return np.ldexp(weights, -exponent) if abs(exponent) > EXTREME else weights
