"""What the steps of one group have in common, prepared once: its kernel and the scalars that stay the same."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .optimizer import Optimizer


@cache
def kernels(module: str) -> dict[str, Any]:
    """The kernels of one file, imported at first use, because they bring Numba in."""
    found: dict[str, Any] = importlib.import_module(f"tinygrad_lr.kernels.{module}").KERNELS
    return found


class Plan:
    """The kernel of a group, and its scalars but for those that the rate or the step changes. It holds until a
    hyperparameter is assigned (`ParamGroup.changes`)."""

    __slots__ = ("_constants", "_in_order", "changes", "kernel")

    def __init__(self, optimizer: Optimizer, group: Any) -> None:
        self.changes: int = group.changes
        self.kernel = optimizer.kernel(group)
        moving = list(optimizer.moving(group, 1))
        constants = {key: value for key, value in optimizer.constants(group).items() if key not in moving}
        available = [*moving, *constants]
        self._in_order = itemgetter(*(available.index(name) for name in self.kernel.scalars))
        with np.errstate(over="ignore", under="ignore"):
            self._constants = {
                np.dtype(kind): tuple(map(kind, constants.values())) for kind in (np.float32, np.float64)
            }

    def scalars(self, moving: Mapping[str, float], dtype: np.dtype[Any], factor: float = 1.0) -> Any:
        """All scalars in the rule's order, in the arrays' dtype. `factor` multiplies the gradient, as its sign does."""
        found = self._in_order((*map(dtype.type, moving.values()), *self._constants[dtype]))
        if factor == 1.0:
            return found
        at = self.kernel.scalars.index("sign")
        return (*found[:at], found[at] * dtype.type(factor), *found[at + 1 :])
