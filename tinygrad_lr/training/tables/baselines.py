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
LARGE = 2**24  # inputs from which least squares are solved in blocks of BLOCK rows, without a copy of all in float64
BLOCK = 4096
# Eigenvalues of a matrix's square, in units of the largest one. Below the first they are rounding of 0. Between the two
# they are of nearly equal inputs, of which the square tells less than the matrix does.
NOTHING, CLEAR = 1e-13, 1e-9


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
    inputs, others, right = np.asarray(inputs), np.asarray(others), np.asarray(target, np.float64)
    root = None if weights is None else np.sqrt(np.asarray(weights, np.float64))[:, None]
    if root is not None:
        right = right.reshape(len(right), -1) * root
    solution = _from_squares(inputs, right, root) if inputs.size >= LARGE else None
    if solution is None:
        left = _with_intercept(inputs)
        solution = np.linalg.lstsq(left if root is None else left * root, right, rcond=None)[0]
    blocks = [_with_intercept(others[each]) @ solution for each in _blocks(len(others))]
    return np.concatenate(blocks) if blocks else _with_intercept(others) @ solution


def _from_squares(inputs: np.ndarray, right: np.ndarray, root: np.ndarray | None) -> np.ndarray | None:
    """The shortest least-squares solution by the normal equations; None where nearly equal inputs make that unsure."""
    size = inputs.shape[1] + 1
    square, product = np.zeros((size, size)), np.zeros((size, *right.shape[1:]))
    for each in _blocks(len(inputs)):
        left = _with_intercept(inputs[each])
        if root is not None:
            left *= root[each]
        square += left.T @ left
        product += left.T @ right[each]
    if not np.isfinite(square).all():
        return None
    values, vectors = np.linalg.eigh(square)
    values /= (largest := values[-1])
    if ((values > NOTHING) & (values < CLEAR)).any():
        return None
    values, vectors = values[values >= CLEAR], vectors[:, values >= CLEAR]
    return vectors @ (((vectors / (values * largest)).T) @ product)


def _blocks(rows: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, rows, BLOCK)]


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
