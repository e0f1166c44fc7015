"""What `.then`, `*`, `.clip`, `.repeat` and `.shift` build: schedules made of other schedules.

Each class turns the steps it is asked for into local steps of its parts (`base.evaluate` fetches their factors).
Phase boundaries are compared in integers. `base.py` has the methods that users call.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np

from . import _checks
from .base import Array, Phase, Requests, Schedule


class Sequence(Schedule):
    """Schedules one after another; nested sequences count as one flat sequence, so `.then` is associative."""

    __slots__ = ("_flat", "_starts")
    _flat: tuple[Schedule, ...] | None
    _starts: Array | None

    def __init__(self, arguments: tuple[Any, ...], parts: tuple[Schedule, ...]) -> None:
        object.__setattr__(self, "_flat", None)
        object.__setattr__(self, "_starts", None)
        super().__init__(arguments, parts)

    def _length(self) -> int | None:
        for part in self._parts[:-1]:
            if part.total_steps is None:
                raise ValueError("an endless schedule cannot be followed by another one; give it a total_steps")
        last = self._parts[-1].total_steps
        return None if last is None else last + sum(part.total_steps or 0 for part in self._parts[:-1])

    @property
    def parts(self) -> tuple[Schedule, ...]:
        """All parts in order. Flattened at the first use: a loop of n `.then` costs n, not n squared."""
        if self._flat is None:
            flat: list[Schedule] = []
            waiting: list[Schedule] = [self]
            while waiting:
                node = waiting.pop()
                if not isinstance(node, Sequence):
                    flat.append(node)
                elif node._flat is not None:
                    flat.extend(node._flat)
                else:
                    waiting.extend(reversed(node._parts))
            object.__setattr__(self, "_flat", tuple(flat))
            object.__setattr__(self, "_parts", self._flat)
        return self._parts

    @property
    def starts(self) -> Array:
        """The step at which each part starts, int64."""
        if self._starts is None:
            starts = [0, *accumulate(part.total_steps or 0 for part in self.parts[:-1])]
            object.__setattr__(self, "_starts", np.array(starts, dtype=np.int64))
        assert self._starts is not None
        return self._starts

    def _combine(self, steps: Array) -> Requests:
        which = np.searchsorted(self.starts, steps, side="right") - 1
        if steps.size == 1:
            return (yield self.parts[which[0]], steps - self.starts[which[0]])
        order = np.argsort(which, kind="stable")
        changes = np.flatnonzero(np.diff(which[order])) + 1
        values = np.empty(steps.shape)
        for members in np.split(order, changes):
            if members.size:
                index = which[members[0]]
                values[members] = yield self.parts[index], steps[members] - self.starts[index]
        return values

    def _locate(self, step: int | float) -> tuple[str, Schedule, int | float]:
        index = int(np.searchsorted(self.starts, step, side="right")) - 1
        part, start = self.parts[index], int(self.starts[index])
        until = "on" if part.total_steps is None else f"to {start + part.total_steps - 1}"
        return f"phase {index + 1} of {len(self.parts)}, steps {start} {until}: {part._label}", part, step - start

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return min(low for low, _ in parts), max(high for _, high in parts)

    def _settles(self, parts: list[int]) -> int:
        return int(self.starts[-1]) + parts[-1]

    def _written(self, parts: list[str]) -> str:
        written = [_operand(parts[0], self.parts[0]), *(f".then({text})" for text in parts[1:])]
        return "".join(written)


class _Wrapper(Schedule):
    """A schedule around one part, with the part's length unless said otherwise."""

    __slots__ = ()

    def _length(self) -> int | None:
        return self._parts[0].total_steps

    def _settles(self, parts: list[int]) -> int:
        return parts[0]

    def _locate(self, step: int | float) -> tuple[str, Schedule, int | float] | None:
        return "", self._parts[0], step


class Scaled(_Wrapper):
    """A schedule times a number."""

    __slots__ = ()

    def _combine(self, steps: Array) -> Requests:
        values = yield self._parts[0], steps
        return values * self._arguments[0]

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        (low, high), factor = parts[0], self._arguments[0]
        return low * factor, high * factor

    def _written(self, parts: list[str]) -> str:
        return f"{parts[0]} * {self._arguments[0]!r}"


class Product(Schedule):
    """The product of two schedules; it is as long as the longer one (an endless one counts only if both are)."""

    __slots__ = ()

    def _length(self) -> int | None:
        return max((part.total_steps for part in self._parts if part.total_steps is not None), default=None)

    def _combine(self, steps: Array) -> Requests:
        first = yield self._parts[0], steps
        second = yield self._parts[1], steps
        return first * second

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return parts[0][0] * parts[1][0], parts[0][1] * parts[1][1]

    def _settles(self, parts: list[int]) -> int:
        return max(parts)

    def _written(self, parts: list[str]) -> str:
        return f"{parts[0]} * {_operand(parts[1], self._parts[1])}"


class Clipped(_Wrapper):
    """A schedule held between two numbers (either may be None)."""

    __slots__ = ()

    def _combine(self, steps: Array) -> Requests:
        values = yield self._parts[0], steps
        return np.clip(values, *self._arguments)

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        low, high = (float(np.clip(bound, *self._arguments)) for bound in parts[0])
        return low, high

    def _written(self, parts: list[str]) -> str:
        names = (("min", self._arguments[0]), ("max", self._arguments[1]))
        given = ", ".join(f"{name}={value!r}" for name, value in names if value is not None)
        return f"{_operand(parts[0], self._parts[0])}.clip({given})"


class Repeated(_Wrapper):
    """A schedule several times over."""

    __slots__ = ()

    def _length(self) -> int | None:
        cycle = self._parts[0].total_steps
        if cycle is None:
            raise ValueError("an endless schedule cannot be repeated; give it a total_steps")
        return cycle * self._arguments[0]

    def _combine(self, steps: Array) -> Requests:
        cycle = self._parts[0].total_steps or 0
        local = np.where(steps < self._total_steps, steps % max(cycle, 1), cycle)
        return (yield self._parts[0], local)

    def _locate(self, step: int | float) -> tuple[str, Schedule, int | float]:
        part, times = self._parts[0], self._arguments[0]
        cycle = part.total_steps or 0
        if step >= cycle * times:
            return f"past the last of {times} cycles: {part._label}", part, cycle
        return f"cycle {int(step // cycle) + 1} of {times}: {part._label}", part, step % cycle

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return parts[0]

    def _settles(self, parts: list[int]) -> int:
        return (self._arguments[0] - 1) * (self._parts[0].total_steps or 0) + parts[0]

    def _written(self, parts: list[str]) -> str:
        return f"{_operand(parts[0], self._parts[0])}.repeat({self._arguments[0]})"


class Shifted(_Wrapper):
    """A schedule that starts later, or further in."""

    __slots__ = ()

    def _length(self) -> int | None:
        total_steps = self._parts[0].total_steps
        return None if total_steps is None else max(total_steps + self._arguments[0], 0)

    def _combine(self, steps: Array) -> Requests:
        # The minimum keeps int64 from overflowing; a step that it lowers is past the end before and after.
        later = self._arguments[0]
        return (yield self._parts[0], np.maximum(np.minimum(steps, _checks.MAX_STEPS + min(later, 0)) - later, 0))

    def _locate(self, step: int | float) -> tuple[str, Schedule, int | float]:
        later = self._arguments[0]
        waiting = ", waiting at its first value" if step < later else ""
        return f"shifted by {later}{waiting}: {self._parts[0]._label}", self._parts[0], max(step - later, 0)

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return parts[0]

    def _settles(self, parts: list[int]) -> int:
        return max(parts[0] + self._arguments[0], 0)

    def _written(self, parts: list[str]) -> str:
        return f"{_operand(parts[0], self._parts[0])}.shift({self._arguments[0]})"


def clipped(schedule: Schedule, low: Any, high: Any) -> Schedule:
    """Check the bounds of `.clip` and build it."""
    if low is None and high is None:
        raise ValueError(".clip needs min, max or both")
    low = None if low is None else _checks.factor("min", low)
    high = None if high is None else _checks.factor("max", high)
    if low is not None and high is not None and low > high:
        raise ValueError(f"min must not be above max, got min={low} and max={high}")
    return Clipped((low, high), (schedule,))


def phases(schedule: Schedule) -> tuple[Phase, ...]:
    """The phases of a schedule; see `Schedule.phases`."""
    around: list[Schedule] = []
    while isinstance(schedule, (Scaled, Clipped)):
        around.append(schedule)
        schedule = schedule.parts[0]
    sequence = isinstance(schedule, Sequence)
    parts = schedule.parts if sequence else (schedule,)
    found: list[Phase] = []
    start = 0
    for part in parts:
        stop = None if part.total_steps is None else start + part.total_steps
        for wrapper in reversed(around):
            part = type(wrapper)(wrapper._arguments, (part,))
        found.append(Phase(start, stop, part))
        start = stop or 0
    return tuple(found)


def _operand(text: str, schedule: Schedule) -> str:
    """Text of a schedule where a method call or a right-hand factor follows or surrounds it."""
    return f"({text})" if isinstance(schedule, (Scaled, Product)) else text
