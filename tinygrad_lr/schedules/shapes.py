"""Single phases: constant, linear, warmup, piecewise, and what every phase shares.

A phase of T steps covers the steps 0 ... T-1 and holds its end value from step T on; with T = 0 it is its end value.
Each formula stands in a small class, the function beside it checks the arguments and is what users call.
With t the step and p = t/T: `between(end, start, share)` is end + share (start - end), exact at both ends.
Where next: `decays.py` has the curved phases, `algebra.py` joins phases, `table.py` lists the schedules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from . import _checks
from .base import Array, Schedule

REQUIRED = object()


class Shape(Schedule):
    """One phase; its arguments stand in the order of `fields`, each a name and a default."""

    __slots__ = ()
    name: str
    fields: tuple[tuple[str, Any], ...]

    def _ends(self) -> tuple[float, float]:
        """First and last factor, which are the bounds of those between."""
        raise NotImplementedError

    def _formula(self, steps: Array) -> Array:
        """Factors of steps below T."""
        raise NotImplementedError

    def _length(self) -> int | None:
        return self._arguments[0]

    def _values(self, steps: Array) -> Array:
        low, high = self._bounds([])
        values = np.full(steps.shape, self._ends()[1])
        inside = np.ones(steps.shape, bool) if self._total_steps is None else steps < self._total_steps
        values[inside] = np.clip(self._formula(steps[inside]), low, high)
        return values

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        first, last = self._ends()
        return min(first, last), max(first, last)

    def _settles(self, parts: list[int]) -> int:
        return self._arguments[0]

    def _written(self, parts: list[str]) -> str:
        written = []
        for (name, default), value in zip(self.fields, self._arguments, strict=True):
            if value != default:
                written.append(repr(value) if name == self.fields[0][0] or default is REQUIRED else f"{name}={value!r}")
        return f"{self.name}({', '.join(written)})"


def between(end: float, start: float, share: Array) -> Array:
    """`start` where share is 1, `end` where it is 0, a straight line between."""
    return end * (1.0 - share) + start * share


class Constant(Shape):
    """f(t) = factor."""

    __slots__ = ()
    name, fields = "constant", (("factor", 1.0), ("total_steps", None))

    def _length(self) -> int | None:
        return self._arguments[1]

    def _settles(self, parts: list[int]) -> int:
        return 0

    def _ends(self) -> tuple[float, float]:
        return self._arguments[0], self._arguments[0]

    def _formula(self, steps: Array) -> Array:
        return np.full(steps.shape, self._arguments[0])


def constant(factor: float = 1.0, total_steps: int | None = None) -> Schedule:
    """The same factor at every step; endless unless `total_steps` is given (which `.then` needs).

    Example:
        >>> constant(0.5)(1000)
        0.5
    """
    total = None if total_steps is None else _checks.count("total_steps", total_steps)
    return Constant((_checks.factor("factor", factor), total))


class Linear(Shape):
    """f(t) = start + (end - start) t/T."""

    __slots__ = ()
    name, fields = "linear", (("total_steps", REQUIRED), ("start", 1.0), ("end", 0.0))

    def _ends(self) -> tuple[float, float]:
        return self._arguments[1], self._arguments[2]

    def _formula(self, steps: Array) -> Array:
        total_steps, start, end = self._arguments
        return between(end, start, 1.0 - steps / total_steps)


def linear(total_steps: int, start: float = 1.0, end: float = 0.0) -> Schedule:
    """A straight line from `start` at step 0 to `end` at step T = total_steps.

    Example:
        >>> linear(10)(np.array([0, 5, 10, 99]))
        array([1. , 0.5, 0. , 0. ])
    """
    total = _checks.count("total_steps", total_steps)
    return Linear((total, _checks.factor("start", start), _checks.factor("end", end)))


class Warmup(Shape):
    """f(t) = start + (1 - start) p with p = t/W, or p = (t+1)/W."""

    __slots__ = ()
    name, fields = "warmup", (("steps", REQUIRED), ("start", 0.0), ("first_step", "zero"))

    def _ends(self) -> tuple[float, float]:
        steps, start, first_step = self._arguments
        return (start if first_step == "zero" else float(between(start, 1.0, np.array(1.0 / max(steps, 1))))), 1.0

    def _settles(self, parts: list[int]) -> int:
        return self._arguments[0] if self._arguments[2] == "zero" else max(self._arguments[0] - 1, 0)

    def _formula(self, steps: Array) -> Array:
        total, start, first_step = self._arguments
        progress = (steps if first_step == "zero" else steps + 1) / total
        return between(start, 1.0, progress)


def warmup(steps: int, start: float = 0.0, first_step: str = "zero") -> Schedule:
    """A straight line from `start` up to the whole base rate.

    Args:
        steps: W, the length of the warm-up; with 0 there is none.
        start: the factor at progress zero (above 1, the line falls).
        first_step: the progress of step 0. "zero": t/W, as in the article and transformers; with start 0 the first
            step does nothing, and the base rate is reached at step W. "1/W": (t+1)/W, the first step already moves,
            and the base rate is reached at step W-1.

    Example:
        >>> warmup(4)(np.arange(5))
        array([0.  , 0.25, 0.5 , 0.75, 1.  ])
        >>> warmup(4, first_step="1/W")(np.arange(5))
        array([0.25, 0.5 , 0.75, 1.  , 1.  ])
    """
    convention = _checks.one_of("first_step", first_step, ("zero", "1/W"))
    return Warmup((_checks.count("steps", steps), _checks.factor("start", start), convention))


class Piecewise(Shape):
    """f(t) = values[number of milestones <= t]."""

    __slots__ = ()
    name, fields = "piecewise", (("milestones", REQUIRED), ("values", REQUIRED), ("total_steps", None))

    def _length(self) -> int | None:
        return self._arguments[2]

    def _settles(self, parts: list[int]) -> int:
        return self._arguments[0][-1] if self._arguments[0] else 0

    def _ends(self) -> tuple[float, float]:
        return self._arguments[1][0], self._arguments[1][-1]

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return min(self._arguments[1]), max(self._arguments[1])

    def _formula(self, steps: Array) -> Array:
        milestones, values, _ = self._arguments
        return np.array(values)[np.searchsorted(np.array(milestones, dtype=np.int64), steps, side="right")]


def piecewise(milestones: Iterable[int], values: Iterable[float], total_steps: int | None = None) -> Schedule:
    """Steps between constants: values[0] before the first milestone, the next value from each milestone on.

    A milestone of 0 means that values[0] is never used. Endless unless `total_steps` (at least the last milestone).

    Example:
        >>> piecewise([30, 60], [1.0, 0.1, 0.01])(np.array([29, 30, 59, 60]))
        array([1.  , 0.1 , 0.1 , 0.01])
    """
    marks = tuple(_checks.count("a milestone", milestone) for milestone in milestones)
    factors = tuple(_checks.factor("a value", value) for value in values)
    if any(later <= earlier for earlier, later in zip(marks, marks[1:], strict=False)):
        raise ValueError(f"milestones must increase strictly, got {marks}")
    if len(factors) != len(marks) + 1:
        raise ValueError(f"{len(marks)} milestones need {len(marks) + 1} values, got {len(factors)}")
    total = None if total_steps is None else _checks.count("total_steps", total_steps)
    if total is not None and marks and marks[-1] > total:
        raise ValueError(f"the last milestone, {marks[-1]}, lies past total_steps={total}")
    return Piecewise((marks, factors, total))
