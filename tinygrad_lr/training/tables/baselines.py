"""What a model must beat: least squares."""

from __future__ import annotations

import numpy as np

__all__ = ["least_squares"]


def least_squares(inputs: np.ndarray, target: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Predictions for `others` of the least-squares solution with intercept (numpy.linalg.lstsq, float64).

    Example:
        >>> least_squares(np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]]), np.array([[2.0]])).round(12).tolist()
        [[5.0]]
    """

    def with_intercept(values: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(values)), np.asarray(values, np.float64)])

    solution = np.linalg.lstsq(with_intercept(inputs), np.asarray(target, np.float64), rcond=None)[0]
    return with_intercept(others) @ solution
