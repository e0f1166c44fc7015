"""What a model must beat: least squares for numbers; logistic regression and the base rate for classes.

All compute in float64 with NumPy, from the same encoded inputs as the model. Next: tasks.py, which says what belongs to
which task.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["PENALTY", "base_rate", "least_squares", "logistic_regression"]

PENALTY = 1.0  # of logistic regression: scikit-learn's C=1
MOST_STEPS = 100  # of Newton's method
TOLERANCE = 1e-8  # of the gradient's largest entry, in units of the first one's


def least_squares(
    inputs: np.ndarray, target: np.ndarray, others: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Predictions for `others` of the least-squares solution with intercept (numpy.linalg.lstsq, float64).

    Args:
        inputs, target: of the training rows, shapes (rows, inputs) and (rows, targets).
        others: the rows to predict, shape (any, inputs).
        weights: of the training rows, shape (rows,); None: every row counts 1.

    Example:
        >>> least_squares(np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]]), np.array([[2.0]])).round(12).tolist()
        [[5.0]]
    """
    left, right = _with_intercept(inputs), np.asarray(target, np.float64)
    if weights is not None:
        root = np.sqrt(np.asarray(weights, np.float64))[:, None]
        left, right = left * root, right.reshape(len(right), -1) * root
    return _with_intercept(others) @ np.linalg.lstsq(left, right, rcond=None)[0]


def logistic_regression(
    inputs: np.ndarray,
    classes: np.ndarray,
    count: int,
    others: np.ndarray,
    weights: np.ndarray | None = None,
    penalty: float = PENALTY,
) -> np.ndarray:
    """Probabilities of each class for `others`, of a logistic regression of the training rows.

    It minimises the sum of -log(probability of a row's class), plus penalty / 2 times the squared coefficients without
    the intercepts, as scikit-learn's LogisticRegression(C=1 / penalty) does; so that it has a solution where the
    classes can be separated, too. For two classes it has one column of coefficients, for more one for each class.

    Args:
        inputs: shape (rows, inputs). classes: the number of each row's class, shape (rows,), from 0 to count - 1.
        others: the rows to predict, shape (any, inputs).
        weights: of the training rows, shape (rows,); None: every row counts 1.

    Returns:
        float64, shape (any, count).

    Example:
        >>> inputs, classes = np.array([[-1.0], [1.0], [-2.0], [2.0]]), np.array([0, 1, 0, 1])
        >>> logistic_regression(inputs, classes, 2, np.array([[0.0]])).round(12).tolist()
        [[0.5, 0.5]]
    """
    x = _with_intercept(inputs)
    own = np.zeros((len(x), count))
    own[np.arange(len(x)), np.asarray(classes, np.int64)] = 1
    if count == 2:
        own = own[:, 1:]
    scale = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    solution = _newton(x, own, scale[:, None], penalty)
    return _probabilities(_with_intercept(others) @ solution)


def base_rate(classes: np.ndarray, count: int, rows: int, weights: np.ndarray | None = None) -> np.ndarray:
    """The share of each class in the training rows, as probabilities for so many rows, shape (rows, count).

    Example:
        >>> base_rate(np.array([0, 1, 1, 1]), 2, rows=2).tolist()
        [[0.25, 0.75], [0.25, 0.75]]
    """
    found = np.bincount(np.asarray(classes, np.int64), weights, minlength=count).astype(np.float64)
    return np.tile(found / found.sum(), (rows, 1))


def _with_intercept(values: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(values)), np.asarray(values, np.float64)])


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """Of one column of logits: those of two classes. Of more: those of as many classes."""
    if logits.shape[1] == 1:
        logits = np.column_stack([np.zeros(len(logits)), logits])
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _newton(x: np.ndarray, own: np.ndarray, scale: np.ndarray, penalty: float) -> np.ndarray:
    """The coefficients that minimise the penalised loss: Newton's method, whose steps conjugate gradients find."""
    ridge = np.full((x.shape[1], 1), penalty)
    ridge[0] = 0  # the intercepts
    beta = np.zeros((x.shape[1], own.shape[1]))
    value, gradient, p = _loss(beta, x, own, scale, ridge)
    wanted = TOLERANCE * max(float(np.abs(gradient).max()), 1.0)
    for _ in range(MOST_STEPS):
        if np.abs(gradient).max() <= wanted:
            break
        step = _conjugate_gradients(_curvature(x, p, scale, ridge), -gradient)
        slope, length = float((step * gradient).sum()), 1.0
        while length > 1e-10:
            candidate = _loss(beta + length * step, x, own, scale, ridge)
            if candidate[0] <= value + 1e-4 * length * slope:
                break
            length /= 2
        else:
            break  # rounding: no step goes further down
        beta = beta + length * step
        value, gradient, p = candidate
    return beta


def _loss(
    beta: np.ndarray, x: np.ndarray, own: np.ndarray, scale: np.ndarray, ridge: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """The penalised loss, its gradient, and the probabilities of the classes that have coefficients."""
    logits = x @ beta
    if own.shape[1] == 1:
        losses = np.logaddexp(0, logits) - own * logits
        p = _probabilities(logits)[:, 1:]
    else:
        top = logits.max(axis=1, keepdims=True)
        losses = top + np.log(np.exp(logits - top).sum(axis=1, keepdims=True)) - (own * logits).sum(1, keepdims=True)
        p = _probabilities(logits)
    value = float((scale * losses).sum() + 0.5 * (ridge * beta**2).sum())
    return value, x.T @ (scale * (p - own)) + ridge * beta, p


def _curvature(
    x: np.ndarray, p: np.ndarray, scale: np.ndarray, ridge: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """The product of the Hessian with a direction, as a function."""

    def times(direction: np.ndarray) -> np.ndarray:
        moved = x @ direction
        if p.shape[1] == 1:
            weighted = p * (1 - p) * moved
        else:
            weighted = p * (moved - (p * moved).sum(axis=1, keepdims=True))
        return x.T @ (scale * weighted) + ridge * direction

    return times


def _conjugate_gradients(times: Callable[[np.ndarray], np.ndarray], right: np.ndarray) -> np.ndarray:
    """The solution of times(solution) = right, for a symmetric product that is at least 0 (Hestenes and Stiefel)."""
    solution = np.zeros_like(right)
    residual, direction = right.copy(), right.copy()
    size = first = float((residual**2).sum())
    for _ in range(right.size + 10):
        if size <= 1e-20 * first:
            break
        product = times(direction)
        curvature = float((direction * product).sum())
        if curvature <= 0:
            break
        solution += size / curvature * direction
        residual -= size / curvature * product
        size, before = float((residual**2).sum()), size
        direction = residual + size / before * direction
    return solution
