"""Rows that count more than others: batches (inputs, weights, target), a model that passes the weights on, a loss that
uses them.

A row of weight 2 counts as two rows. Weights are divided by their mean, so that the loss keeps its size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_lr.data.standardising import in_proportion
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.nn import Module

__all__ = ["Weighted", "WeightedLoss", "checked_weights", "class_weights", "mean_weight"]


class Weighted(Module):
    """A model whose second input, the weights of the rows, comes out beside its output.

    Args:
        model: called with the first input.
    """

    def __init__(self, model: Module) -> None:
        self.model = model

    def forward(self, inputs: Any, weights: Any) -> tuple[Any, Any]:
        return self.model(inputs), weights


class WeightedLoss(Module):
    """The mean of weight times loss, over the rows of a batch.

    Args:
        loss: a loss with reduction="none".
    """

    def __init__(self, loss: Module) -> None:
        self.loss = loss

    def forward(self, outputs: tuple[Any, Any], target: Any) -> Tensor:
        output, weights = outputs
        each: Tensor = self.loss(output, target)
        return (each * weights).mean()


def checked_weights(values: ArrayLike, what: str = "the sample weights") -> np.ndarray:
    """Weights of rows as float64, once they are checked; near the ends of float64 multiplied by a power of two.

    Raises:
        ValueError: one is negative, missing or infinite, or all are 0.

    Example:
        >>> checked_weights([1, 2]).tolist()
        [1.0, 2.0]
    """
    weights = np.asarray(values, np.float64)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise ValueError(
            f"{what} must be finite numbers of at least 0, got {weights[wrong[0]]:g} for row {wrong[0] + 1}"
            + (f" ({len(wrong)} such rows)" if len(wrong) > 1 else "")
        )
    if not (weights > 0).any():
        raise ValueError(f"{what} are all 0, so that no row counts; give at least one a weight above 0")
    return in_proportion(weights)


def mean_weight(weights: np.ndarray) -> float:
    """The mean of weights once they are checked, also where their sum is beyond float64.

    Example:
        >>> mean_weight(np.array([1.0, 2.0])), mean_weight(np.full(3, 1.5e308))
        (1.5, 1.5e+308)
    """
    checked = checked_weights(weights)
    exponent = np.frexp(np.max(weights))[1] - np.frexp(checked.max())[1]
    return float(np.ldexp(checked.mean(), exponent))


def class_weights(given: str | Mapping[str, float], classes: list[str], codes: np.ndarray) -> np.ndarray:
    """The weight of each class, float64, shape (classes,).

    Args:
        given: "balanced", by which every class weighs the same in sum (rows / (classes * rows of the class), as in
            scikit-learn); or a weight for each class by its name, where a class that is not named has 1.
        classes: the names.
        codes: the number of the class of each training row.

    Raises:
        ValueError: a name that no class has; a weight that is negative or not finite.

    Example:
        >>> class_weights("balanced", ["no", "yes"], np.array([0, 0, 0, 1])).round(3).tolist()
        [0.667, 2.0]
        >>> class_weights({"yes": 3}, ["no", "yes"], np.array([0, 1])).tolist()
        [1.0, 3.0]
    """
    if isinstance(given, str):
        counts = np.bincount(codes, minlength=len(classes))
        there = int((counts > 0).sum())
        return np.where(counts > 0, len(codes) / (there * np.maximum(counts, 1)), 0.0)
    unknown = [name for name in given if name not in classes]
    if unknown:
        known = ", ".join(map(repr, classes[:10])) + (", ..." if len(classes) > 10 else "")
        raise ValueError(f"--class-weights: no class is called {unknown[0]!r}; the target has {known}")
    return checked_weights([given.get(name, 1.0) for name in classes], "class_weights")
