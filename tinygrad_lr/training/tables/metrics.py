"""How good predictions are: R2, RMSE and MAE of numbers; accuracy, log loss and AUC of classes.

Each takes weights of the rows, where there are any, and computes in float64. A measure that is undefined is None: R2 of
a constant target, AUC where all rows are of one class. Next: baselines.py, with which a model is compared.
"""

from __future__ import annotations

import numpy as np

__all__ = ["accuracy", "auc", "label", "log_loss", "mae", "r_squared", "rmse", "shown_metric"]


def r_squared(target: np.ndarray, prediction: np.ndarray, weights: np.ndarray | None = None) -> float | None:
    """1 - (squared errors of the prediction) / (squared errors of the target's mean); None for a constant target.

    Args:
        target, prediction: shape (rows,) or (rows, 1).
        weights: shape (rows,); None: every row counts 1.

    Example:
        >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
        1.0
        >>> r_squared(np.array([1.0, 1.0]), np.array([1.0, 2.0])) is None
        True
    """
    target, prediction = _column(target), _column(prediction)
    if len(target) == 0 or (target == target[0]).all():
        return None
    spread = _sum((target - np.average(target, weights=weights)) ** 2, weights)
    return 1.0 - _sum((target - prediction) ** 2, weights) / spread if spread > 0 else None


def rmse(target: np.ndarray, prediction: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The square root of the mean squared error, in the target's unit.

    Example:
        >>> rmse(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 2**0.5
        True
    """
    error, scale = _errors(target, prediction)
    return scale * float(np.sqrt(np.average(error**2, weights=weights)))


def mae(target: np.ndarray, prediction: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The mean absolute error, in the target's unit.

    Example:
        >>> mae(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        1.0
    """
    error, scale = _errors(target, prediction)
    return scale * float(np.average(error, weights=weights))


def accuracy(classes: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The share of rows whose class is the predicted one.

    Example:
        >>> accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0]))
        0.75
    """
    return float(np.average(np.asarray(classes) == np.asarray(predicted), weights=weights))


def log_loss(classes: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Minus the mean logarithm of the probability of each row's class.

    A probability counts at least 2.2e-16, float64's epsilon, as in scikit-learn, so that one certain mistake does not
    make it infinite.

    Args:
        classes: the number of each row's class, shape (rows,).
        probabilities: shape (rows, classes).

    Example:
        >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 6)
        0.693147
    """
    eps = np.finfo(np.float64).eps
    own = np.asarray(probabilities, np.float64)[np.arange(len(classes)), np.asarray(classes, np.int64)]
    return float(-np.average(np.log(np.clip(own, eps, 1 - eps)), weights=weights))


def auc(is_positive: np.ndarray, score: np.ndarray, weights: np.ndarray | None = None) -> float | None:
    """The probability that a row of the second class has the higher score; a tie counts a half. None for one class.

    Args:
        is_positive: whether a row is of the second class, shape (rows,).
        score: the higher, the likelier the second class.

    Example:
        >>> auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
        0.875
    """
    positive = np.asarray(is_positive).astype(bool).ravel()
    weights = np.ones(len(positive)) if weights is None else np.asarray(weights, np.float64)
    _, place = np.unique(np.asarray(score, np.float64).ravel(), return_inverse=True)
    ours = np.bincount(place, weights * positive)
    others = np.bincount(place, weights * ~positive)
    pairs = ours.sum() * others.sum()
    if pairs <= 0:
        return None
    below = np.cumsum(others) - others
    return float((ours * (below + others / 2)).sum() / pairs)


def _errors(target: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, float]:
    """Errors in units of a power of two near the largest, and the unit: their squares neither overflow nor vanish."""
    error = np.abs(_column(target) - _column(prediction))
    exponent = int(np.frexp(error.max(initial=0.0))[1]) if np.isfinite(error).all() else 0
    exponent = max(min(exponent, 1023), -1021)  # the unit itself is a normal number
    return np.ldexp(error, -exponent), float(np.ldexp(1.0, exponent))


def _column(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64).reshape(len(values), -1)[:, 0]


def _sum(values: np.ndarray, weights: np.ndarray | None) -> float:
    return float(values.sum() if weights is None else values @ weights)


def shown_metric(value: float | None, name: str = "r2") -> str:
    """A metric as lines have it: four decimals, or five significant digits of one with a unit and of one that is huge.

    Example:
        >>> shown_metric(0.52), shown_metric(57.8356, "rmse"), shown_metric(-8.3438e37), shown_metric(None)
        ('0.5200', '57.836', '-8.3438e+37', 'undefined')
    """
    if value is None:
        return "undefined"
    value = 0.0 if abs(value) < 5e-5 and name not in ("rmse", "mae") else value  # not -0.0000
    return f"{value:.5g}" if name in ("rmse", "mae") or abs(value) >= 1e5 else f"{value:.4f}"


def label(metric: str) -> str:
    """How a metric is written for people.

    Example:
        >>> label("r2"), label("log_loss")
        ('R2', 'log loss')
    """
    return {"r2": "R2", "rmse": "RMSE", "mae": "MAE", "auc": "AUC"}.get(metric, metric.replace("_", " "))
