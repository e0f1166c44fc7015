"""The scalars of many steps at once: the optimizer's own `moving`, run over arrays of rates and steps.

Every element has the bits that `moving` gives for that step alone: + - * / and the square root are correctly rounded in
both, and a power is taken element by element by the same C function that Python calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

FEW = 2000  # steps for which a loop that is not loaded yet is not worth compiling, nor loading

__all__ = ["moving_table"]


class _StepNumbers:
    """Steps first, first + 1, ... for the arithmetic that optimizers do with a step's number."""

    def __init__(self, first: int, count: int) -> None:
        self.first, self.count = first, count

    def __rpow__(self, base: float) -> np.ndarray:
        from tinygrad_lr.kernels.ops.matmul import powers

        if self.count < FEW and not getattr(powers, "signatures", ()):
            return np.array([float(base) ** step for step in range(self.first, self.first + self.count)])
        found = np.empty(self.count)
        powers(float(base), self.first, found)
        return found

    def __sub__(self, other: int) -> np.ndarray:
        return np.arange(self.first - other, self.first - other + self.count)

    def __gt__(self, other: int) -> bool:
        if self.first > other:
            return True
        raise TypeError("steps on both sides of a comparison")

    def __eq__(self, other: object) -> bool:
        raise TypeError("one step of many may be equal to a number")

    __hash__ = None  # type: ignore[assignment]


def moving_table(
    optimizer: Any, group: Mapping[str, Any], rates: np.ndarray, first: int, dtype: Any = np.float64
) -> np.ndarray:
    """`optimizer.moving` at steps first, first + 1, ..., shape (steps, scalars): float64, then cast to `dtype`."""
    head = _one(optimizer, group, float(rates[0]), first)
    table = np.empty((len(rates), len(head)), dtype)
    table[0] = head
    if len(rates) > 1 and not _at_once(optimizer, group, rates, first, table):
        for i, rate in enumerate(rates[1:].tolist(), 1):
            table[i] = _one(optimizer, group, rate, first + i)
    return table


def _at_once(optimizer: Any, group: Mapping[str, Any], rates: np.ndarray, first: int, table: np.ndarray) -> bool:
    """Fill all rows but the first, which may be another case; False where the formula takes single numbers only."""
    count = len(rates) - 1
    try:
        found = optimizer.moving({**group, "lr": rates[1:]}, _StepNumbers(first + 1, count))
        for i, values in enumerate(found.values()):
            table[1:, i] = values
    except (TypeError, ValueError):  # an error of its own comes again with numbers
        return False
    last = np.array(_one(optimizer, group, float(rates[-1]), first + count)).astype(table.dtype)
    return last.tobytes() == table[-1].tobytes()


def _one(optimizer: Any, group: Mapping[str, Any], rate: float, step: int) -> list[float]:
    return list(optimizer.moving({**group, "lr": rate}, step).values())
