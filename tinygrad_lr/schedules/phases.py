"""Single phases: constant, linear, warmup, piecewise, the decays, and Warmup-Stable-Decay, which joins three.

A phase of T steps covers the steps 0 ... T-1 and holds its end value from step T on; with T = 0 it is its end value.
A small class has the formula. The function beside it checks the arguments; users call the function.
In formulas t is the step and p = t/T. `between(end, start, share)` is end + share (start - end), exact at both ends.
Where next: `base.py` has the methods that join phases, `table.py` lists the schedules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_lr.integers import shown
from tinygrad_lr.reals import real_number

from . import _checks
from .base import Array, Schedule

__all__ = [
    "DECAYS",
    "constant",
    "cosine",
    "exponential",
    "inverse_square_root",
    "linear",
    "one_minus_sqrt",
    "piecewise",
    "polynomial",
    "warmup",
    "warmup_stable_decay",
]

REQUIRED = object()


class Shape(Schedule):
    """One phase; its arguments stand in the order of `fields`, each a name and a default."""

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

    def _values(self, steps: Array, parts: list[Array]) -> Array:
        low, high = self._bounds([])
        values = np.full(steps.shape, self._ends()[1])
        inside = np.ones(steps.shape, bool) if self._total_steps is None else steps < self._total_steps
        values[inside] = np.clip(self._formula(steps[inside]), low, high)
        return values

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        first, last = self._ends()
        return min(first, last), max(first, last)

    def _holds_from(self, parts: list[int | None]) -> int | None:
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

    name, fields = "constant", (("factor", 1.0), ("total_steps", None))

    def _length(self) -> int | None:
        return self._arguments[1]

    def _holds_from(self, parts: list[int | None]) -> int | None:
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

    name, fields = "warmup", (("steps", REQUIRED), ("start", 0.0), ("first_step", "zero"))

    def _ends(self) -> tuple[float, float]:
        steps, start, first_step = self._arguments
        return (start if first_step == "zero" else float(between(start, 1.0, np.array(1.0 / max(steps, 1))))), 1.0

    def _holds_from(self, parts: list[int | None]) -> int | None:
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

    name, fields = "piecewise", (("milestones", REQUIRED), ("values", REQUIRED), ("total_steps", None))

    def _length(self) -> int | None:
        return self._arguments[2]

    def _holds_from(self, parts: list[int | None]) -> int | None:
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
    for name, given in (("milestones", milestones), ("values", values)):
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise TypeError(f"{name} must be a list of numbers, got {shown(given)}")
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


class Polynomial(Shape):
    """f(t) = end + (1 - end) (1 - t/T)^power."""

    name, fields = "polynomial", (("total_steps", REQUIRED), ("power", 1.0), ("end", 0.0))

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[2]

    def _formula(self, steps: Array) -> Array:
        total_steps, power, end = self._arguments
        return between(end, 1.0, np.power(1.0 - steps / total_steps, power))


def polynomial(total_steps: int, power: float = 1.0, end: float = 0.0) -> Schedule:
    """From 1 to `end` along (1 - t/T)^power, the decay of the article's `decay_lr_poly`; power must be above 0.

    Example:
        >>> polynomial(10, power=2.0)(5)
        0.25
    """
    total, power = _checks.count("total_steps", total_steps), real_number("power", power)
    if power <= 0:
        raise ValueError(f"power must be above 0 (otherwise the end is never reached), got {power}")
    return Polynomial((total, power, _checks.factor("end", end)))


class Cosine(Shape):
    """f(t) = end + (1 - end) (1 + cos(pi t/T)) / 2."""

    name, fields = "cosine", (("total_steps", REQUIRED), ("end", 0.0))

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[1]

    def _formula(self, steps: Array) -> Array:
        total_steps, end = self._arguments
        return between(end, 1.0, 0.5 * (1.0 + np.cos(np.pi * steps / total_steps)))


def cosine(total_steps: int, end: float = 0.0) -> Schedule:
    """From 1 to `end` along half a cosine (Loshchilov & Hutter, arXiv:1608.03983, equation 5).

    Example:
        >>> cosine(10)(5), cosine(10, end=0.1)(10)
        (0.5, 0.1)
    """
    return Cosine((_checks.count("total_steps", total_steps), _checks.factor("end", end)))


class OneMinusSqrt(Shape):
    """f(t) = end + (1 - end) (1 - sqrt(t/T))."""

    name, fields = "one_minus_sqrt", (("total_steps", REQUIRED), ("end", 0.0))

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[1]

    def _formula(self, steps: Array) -> Array:
        total_steps, end = self._arguments
        return between(end, 1.0, 1.0 - np.sqrt(steps / total_steps))


def one_minus_sqrt(total_steps: int, end: float = 0.0) -> Schedule:
    """From 1 to `end` along 1 - sqrt(t/T), a cool-down (Haegele et al., arXiv:2405.18392).

    Example:
        >>> one_minus_sqrt(100)(25)
        0.5
    """
    return OneMinusSqrt((_checks.count("total_steps", total_steps), _checks.factor("end", end)))


class Exponential(Shape):
    """f(t) = end^(t/T)."""

    name, fields = "exponential", (("total_steps", REQUIRED), ("end", REQUIRED))

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[1]

    def _formula(self, steps: Array) -> Array:
        total_steps, end = self._arguments
        return np.power(end, steps / total_steps)


def exponential(total_steps: int, end: float) -> Schedule:
    """From 1 to `end` by the same factor at every step; `end` must be above 0.

    Example:
        >>> exponential(10, end=0.25)(5)
        0.5
    """
    total, end = _checks.count("total_steps", total_steps), _checks.factor("end", end)
    if end == 0:
        raise ValueError("an exponential decay never reaches 0; give it an end above 0, such as end=0.01")
    return Exponential((total, end))


class InverseSquareRoot(Shape):
    """f(t) = sqrt(T0 / (T0 + t))."""

    name, fields = "inverse_square_root", (("timescale", REQUIRED), ("total_steps", None))

    def _length(self) -> int | None:
        return self._arguments[1]

    def _holds_from(self, parts: list[int | None]) -> int | None:
        return self._arguments[1]

    def _ends(self) -> tuple[float, float]:
        return 1.0, 0.0 if self._total_steps is None else float(self._formula(np.array(self._total_steps)))

    def _formula(self, steps: Array) -> Array:
        timescale = float(self._arguments[0])
        return np.sqrt(timescale / (timescale + steps))


def inverse_square_root(timescale: int, total_steps: int | None = None) -> Schedule:
    """From 1 towards 0 as 1/sqrt(step) (Vaswani et al., arXiv:1706.03762, section 5.3), for after a warm-up.

    `warmup(W).then(inverse_square_root(W))` is the paper's min(s^-0.5, s W^-1.5), divided by its peak W^-0.5, which it
    has at step s = W.

    Args:
        timescale: T0, at least 1, usually the length of the warm-up. At step T0 the factor is sqrt(1/2), at 3 T0 1/2.
        total_steps: None: it never ends and never reaches 0. Otherwise the factor of this step is held from there on
            (`.then` needs it, for a cool-down say).

    Example:
        >>> inverse_square_root(100)(np.array([0, 300, 800, 9900]))
        array([1.        , 0.5       , 0.33333333, 0.1       ])
        >>> inverse_square_root(100, total_steps=300)(10_000)
        0.5
    """
    total = None if total_steps is None else _checks.count("total_steps", total_steps)
    return InverseSquareRoot((_checks.count("timescale", timescale, least=1), total))


DECAYS = ("cosine", "linear", "1-sqrt", "exponential")


def warmup_stable_decay(
    warmup_steps: int, stable_steps: int, decay_steps: int, decay: str = "cosine", end: float = 0.0, start: float = 0.0
) -> Schedule:
    """Warm-up, a plateau at the base rate, and a decay to `end`: WSD (Hu et al., arXiv:2404.06395, section 4).

    Args:
        warmup_steps, stable_steps, decay_steps: lengths of the three phases, each 0 or more; their sum is T.
        decay: "cosine" (the article), "linear", "1-sqrt" or "exponential" (the paper; needs an end above 0).
        end: the factor at step T and past it.
        start: the factor at step 0.

    Example:
        >>> warmup_stable_decay(10, 20, 30)
        warmup(10).then(constant(total_steps=20)).then(cosine(30))
        >>> warmup_stable_decay(10, 20, 30, decay="exponential", end=0.25)(45)
        0.5
    """
    shape = _checks.one_of("decay", decay, DECAYS)
    build = {"cosine": cosine, "linear": linear, "1-sqrt": one_minus_sqrt, "exponential": exponential}[shape]
    plateau = constant(1.0, _checks.count("stable_steps", stable_steps))
    last = build(_checks.count("decay_steps", decay_steps), end=end)  # type: ignore[operator]
    return warmup(_checks.count("warmup_steps", warmup_steps), start).then(plateau).then(last)
