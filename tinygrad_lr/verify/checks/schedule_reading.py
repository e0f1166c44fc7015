"""How a schedule can be read: in which precision, at whole steps only, in arrays, and how far. P0 of check_schedule.

Next: checks/schedules.py.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ..formulas.schedules import UNIT
from ..guard import called
from ..properties.schedules import violated
from ..report import shortened

P0 = "It can be called with a step, an int from 0, and gives a number."


class Reading:
    """A schedule whose answers are Python's floats; what it can be asked is found out where it matters first."""

    def __init__(self, schedule: Callable[[Any], Any], total_steps: int) -> None:
        self._schedule, self._total = schedule, total_steps
        self.unit = UNIT
        """Half the distance from 1 to the next number of its precision."""
        self.note = ""

    def look(self) -> None:
        """P0: raises where a step gives no number."""
        for step in sorted({0, min(1, max(self._total - 1, 0)), self._total // 2}):
            self._number(step)
            dtype = np.asarray(self._schedule(step)).dtype
            if dtype.kind == "f":
                self.unit = max(self.unit, Fraction(float(np.finfo(dtype).eps)) / 2)

    def __call__(self, step: Any) -> Any:
        if not isinstance(step, np.ndarray):
            return self._number(step)
        if self.arrays:
            return np.asarray(self._schedule(step))
        return np.array([self._number(int(s)) for s in step])

    def held(self, value: float) -> float:
        """A number as its precision holds it."""
        return float(np.float32(value)) if self.unit == Fraction(1, 2**24) else value

    def _number(self, step: Any) -> float:
        try:
            answer = called(lambda: self._schedule(step), self._schedule, "schedule(step)")
        except OverflowError:
            if step < 2**31:
                raise
            answer, self.note = self._schedule(2**31 - 1), "not examined: steps from 2^31 on, which it cannot count"
        if np.ndim(answer) == 0 and hasattr(answer, "__float__") and not np.iscomplexobj(answer):
            return float(answer)
        raise violated("P35", step, "a number", shortened(repr(answer), 80))

    @cached_property
    def arrays(self) -> bool:
        """Whether it is read in arrays too: in float64 alone, as XLA rounds an element of an array in another way."""
        if self.unit != UNIT:
            return False
        try:
            return np.shape(self._schedule(np.array([0, 1]))) == (2,)
        except Exception:  # single steps are what was promised
            return False

    @property
    def in_arrays_or_not(self) -> str:
        """What P35 says of array calls."""
        return "" if self.arrays else "not examined: array calls"

    @cached_property
    def whole(self) -> bool:
        """Whether it takes whole steps alone, or gives between them what it gave before."""
        steps = range(min(self._total, 50))
        try:
            between = [self._number(step + 0.25) for step in steps]
        except Exception:  # a list has no place 0.25
            return True
        values = [self._number(step) for step in steps]
        return between == values and len(set(values)) > 1
