"""`Norms`: the norm of a step's gradient, and how far it moved the weights. loops.py measures each epoch's last step.

The norms are Euclidean, and their sums are taken in float64 in an order that no number of threads changes
(optim/clipping.py). Weights are subtracted in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.optim.clipping import norm_of

from .history import History

__all__ = ["Norms"]


class Norms:
    """Measures steps of an optimizer of tinygrad_lr: `before` one of them and `after` it.

    Args:
        every: of so many epochs the last one's last step is to be measured.
    """

    def __init__(self, optimizer: Any, every: int = 1) -> None:
        self.optimizer, self.every = optimizer, every
        self._before: list[np.ndarray] = []

    def before(self) -> None:
        """Keep the weights as they are."""
        self._before = self._weights()

    def after(self, history: History) -> None:
        """Give the last row of a history the norm of all gradients, and |after - before| / |before| of each group."""
        params = [param for group in self.optimizer.param_groups for param in group["params"]]
        with np.errstate(all="ignore"):  # a step of huge numbers may leave none
            gradient = norm_of([_side_by_side([param._grad for param in params if param._grad is not None])])
            ratios = [_ratio(*each) for each in zip(self._before, self._weights(), strict=True)]
        history.set_norms(gradient, ratios)

    def _weights(self) -> list[np.ndarray]:
        """Those of each group in one new array: one sum for all is quicker than one for each."""
        return [_side_by_side([param._data for param in group["params"]]) for group in self.optimizer.param_groups]


def _side_by_side(arrays: list[Any]) -> np.ndarray:
    return np.concatenate([to_host(each).reshape(-1) for each in arrays]) if arrays else np.empty(0)


def _ratio(before: np.ndarray, after: np.ndarray) -> float:
    """The norm of the update over that of the weights; infinite where only the weights are 0, NaN where both are."""
    moved, weights = norm_of([after.astype(np.float64) - before]), norm_of([before])
    if weights == 0:
        return math.nan if moved == 0 else math.inf
    return moved / weights
