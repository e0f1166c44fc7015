"""What the steps of one group have in common, prepared once: its kernel and the scalars that stay the same."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .optimizer import Optimizer


@cache
def kernels(module: str) -> dict[str, Any]:
    """The kernels of one file, imported at first use, because they bring Numba in."""
    found: dict[str, Any] = importlib.import_module(f"tinygrad_lr.kernels.updates.{module}").KERNELS
    return found


class Plan:
    """The kernel of a group, and its scalars as arrays, in which a step writes those that the rate or its number
    changes. It holds until a hyperparameter is assigned (`ParamGroup.changes`)."""

    __slots__ = ("_arrays", "_moving", "_sign", "_sign_at", "changes", "kernel")

    def __init__(self, optimizer: Optimizer, group: Any) -> None:
        self.changes: int = group.changes
        self.kernel = optimizer.kernel(group)
        moving = optimizer.moving(group, 1)
        values = {**optimizer.constants(group), **moving}
        self._moving = [(name, at) for at, name in enumerate(self.kernel.scalars) if name in moving]
        self._sign, self._sign_at = values["sign"], self.kernel.scalars.index("sign")
        with np.errstate(over="ignore", under="ignore"):
            arrays = [np.array([values[name] for name in self.kernel.scalars]).astype(kind) for kind in ("f4", "f8")]
        self._arrays: dict[Any, tuple[Any, Any]] = {array.dtype: (array, array.data) for array in arrays}

    def scalars(self, moving: Mapping[str, float], dtype: np.dtype[Any], factor: float = 1.0) -> Any:
        """All scalars in the rule's order, in the arrays' dtype: an array that the next call changes.

        `factor` multiplies the gradient, as its sign does.
        """
        array, cast = self._arrays[dtype]  # a memoryview casts as NumPy does, in a third of the time
        for name, at in self._moving:
            cast[at] = moving[name]
        cast[self._sign_at] = self._sign * factor
        return array
