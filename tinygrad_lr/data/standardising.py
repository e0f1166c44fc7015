"""`Standardiser` brings columns of numbers to mean 0 and deviation 1, and back. Next: inputs.py."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["Standardiser"]

FEW = 2**16  # rows up to which sums are taken in ascending order, so that they do not depend on the order of rows
EXTREME = 300  # exponents of two beyond which squares of millions of numbers could overflow or vanish


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
    def fit(cls, values: np.ndarray) -> Standardiser:
        """The standardiser of an array of shape (rows, columns).

        Raises:
            ValueError: another number of axes, no rows, or a number that is not finite.
        """
        values = np.asarray(values, np.float64)
        if values.ndim != 2 or len(values) == 0:
            raise ValueError(f"expected an array of shape (rows, columns) with at least one row, got {values.shape}")
        low, high = values.min(axis=0), values.max(axis=0)
        if not (np.isfinite(low) & np.isfinite(high)).all():
            raise ValueError("values to standardise must be finite; leave out rows with NaN or infinity")
        constant = low == high
        if len(values) <= FEW:
            values = np.sort(values, axis=0)
        # Near the ends of float64, in units of a power of two near the largest value, so that sums and squares neither
        # overflow nor vanish. Elsewhere that would change no bit.
        exponent = np.frexp(np.maximum(np.abs(low), np.abs(high)))[1]
        exponent = np.where(np.abs(exponent) > EXTREME, exponent, 0)
        scaled = np.ldexp(values, -exponent) if exponent.any() else values
        mean, deviation = np.ldexp(scaled.mean(axis=0), exponent), np.ldexp(scaled.std(axis=0), exponent)
        constant |= deviation == 0
        return cls(np.where(constant, values[0], mean), np.where(constant, 1.0, deviation), constant)

    def __iter__(self) -> Iterator[Standardiser]:
        """A standardiser for each column alone."""
        for number in zip(self.mean, self.deviation, self.constant, strict=True):
            yield Standardiser(*(np.array([each]) for each in number))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return np.where(self.constant, 0.0, (values - self.mean) / self.deviation)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Standardised values in the units that `fit` saw."""
        return np.where(self.constant, self.mean, values * self.deviation + self.mean)
