"""`Norms`: the norm of a step's gradient, and how far it moved the weights. loops.py measures each epoch's last step.

The norms are Euclidean. Weights are subtracted, squared and added in float64, by NumPy in one thread: nothing need be
compiled for it. A square beyond float64 makes a norm infinite.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lr.engine.dtypes import to_host

from .history import History

__all__ = ["Norms"]

BLOCK = 65_536  # elements that are widened to float64 at once


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
            gradient = _norm(_side_by_side([param._grad for param in params if param._grad is not None]))
            ratios = [_ratio(*each) for each in zip(self._before, self._weights(), strict=True)]
        history.set_norms(gradient, ratios)

    def _weights(self) -> list[np.ndarray]:
        """Those of each group in one new array: one sum for all is quicker than one for each."""
        return [_side_by_side([param._data for param in group["params"]]) for group in self.optimizer.param_groups]


def _side_by_side(arrays: list[Any]) -> np.ndarray:
    return np.concatenate([to_host(each).reshape(-1) for each in arrays]) if arrays else np.empty(0)


def _norm(array: np.ndarray, less: np.ndarray | None = None) -> float:
    """The norm of a flat array, or of its difference from another one."""
    total = 0.0
    for low in range(0, array.size, BLOCK):
        block = array[low : low + BLOCK].astype(np.float64)
        if less is not None:
            block -= less[low : low + BLOCK]
        total += float((block * block).sum())
    return math.sqrt(total)


def _ratio(before: np.ndarray, after: np.ndarray) -> float:
    """The norm of the update over that of the weights; infinite where only the weights are 0, NaN where both are."""
    moved, weights = _norm(after, before), _norm(before)
    if weights == 0:
        return math.nan if moved == 0 else math.inf
    return moved / weights
