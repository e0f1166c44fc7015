"""`from_function`: a schedule by a Python function of the step, which takes part in the algebra as any other does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lr.integers import shown

from . import _checks
from .base import Array, Schedule


class Function(Schedule):
    """f(t) = what a function gives for t."""

    def _length(self) -> int | None:
        return self._arguments[1]

    def _values(self, steps: Array, parts: list[Array]) -> Array:
        function, total_steps = self._arguments
        asked = steps if total_steps is None else np.minimum(steps, total_steps)
        return np.array([self._factor(function, step) for step in asked.tolist()], np.float64)

    @staticmethod
    def _factor(function: Callable[[Any], Any], step: int | float) -> float:
        whole = int(step) if isinstance(step, float) and step.is_integer() else step
        return _checks.factor(f"the factor that {_name(function)} gives for step {whole}", function(whole))

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return 0.0, np.inf

    def _holds_from(self, parts: list[int | None]) -> int | None:
        return self._arguments[1]

    def _written(self, parts: list[str]) -> str:
        function, total_steps = self._arguments
        return f"from_function({_name(function)}{'' if total_steps is None else f', total_steps={total_steps}'})"


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or type(function).__name__


def from_function(function: Callable[[Any], float], total_steps: int | None = None) -> Schedule:
    """The schedule whose factor at a step is what a function of the step gives.

    Args:
        function: called with the step, an int where it is whole, else a float. It gives a factor, a finite number of at
            least 0. It must give the same factor for the same step, or a run does not resume where it stopped.
        total_steps: None: endless. Otherwise the function's value at this step is held from there on.

    The schedule is written `from_function(name)`. It is pickled where the function can be: at the top of a module.

    Raises:
        TypeError: no function. From the schedule's calls: TypeError or ValueError where a factor is none, and whatever
            the function raises.

    Example:
        >>> schedule = from_function(lambda step: 1 / (1 + step), total_steps=4).then(from_function(float).clip(max=1))
        >>> schedule(np.array([0, 1, 3, 4, 5]))
        array([1.  , 0.5 , 0.25, 0.  , 1.  ])
    """
    if not callable(function) or isinstance(function, Schedule):
        raise TypeError(
            f"from_function takes a function of one step, got {shown(function)}"
            + ("; a schedule needs no from_function" if isinstance(function, Schedule) else "")
        )
    return Function((function, None if total_steps is None else _checks.count("total_steps", total_steps)))
