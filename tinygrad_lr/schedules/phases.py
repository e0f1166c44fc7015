"""Single phases: constant, linear, warmup, piecewise, the decays, the cycles, and what joins several phases.

A phase of T steps covers the steps 0 ... T-1 and holds its end value from step T on; with T = 0 it is its end value.
A small class has the formula. The function beside it checks the arguments; users call the function.
In formulas t is the step and p = t/T. `between(end, start, share)` is end + share (start - end), exact at both ends.
Where next: `base.py` has the methods that join phases, `table.py` lists the schedules.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.reals import real_number

from . import _checks
from .base import Array, Schedule
from .elementary import exponentials, powers
from .half_cosine import half_cosine

__all__ = [
    "CYCLIC_MODES",
    "DECAYS",
    "constant",
    "cosine",
    "cosine_hard_restarts",
    "cosine_restarts",
    "cyclic",
    "exponential",
    "exponential_decay",
    "interpolated",
    "inverse_linear",
    "inverse_square_root",
    "inverse_time_decay",
    "linear",
    "mirror_cosine",
    "multi_step",
    "noam",
    "one_cycle",
    "one_minus_sqrt",
    "one_minus_square",
    "piecewise",
    "polynomial",
    "power",
    "step",
    "tanh",
    "trapezoid",
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


def between(end: Any, start: Any, share: Array) -> Any:
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

    @cached_property
    def _factors(self) -> tuple[float, ...]:
        factors: tuple[float, ...] = self._arguments[1]
        return factors

    def _ends(self) -> tuple[float, float]:
        return self._factors[0], self._factors[-1]

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return min(self._factors), max(self._factors)

    def _formula(self, steps: Array) -> Array:
        milestones = np.array(self._arguments[0], dtype=np.int64)
        return np.array(self._factors)[np.searchsorted(milestones, steps, side="right")]


def piecewise(milestones: Iterable[int], values: Iterable[float], total_steps: int | None = None) -> Schedule:
    """Steps between constants: values[0] before the first milestone, the next value from each milestone on.

    A milestone of 0 means that values[0] is never used. Endless unless `total_steps` (at least the last milestone).

    Example:
        >>> piecewise([30, 60], [1.0, 0.1, 0.01])(np.array([29, 30, 59, 60]))
        array([1.  , 0.1 , 0.1 , 0.01])
    """
    marks, factors = _table(milestones, values)
    return Piecewise((marks, factors, _past(marks, total_steps)))


def _milestones(milestones: Iterable[int]) -> tuple[int, ...]:
    return tuple(_checks.count("a milestone", each) for each in _checks.several("milestones", milestones))


def _table(milestones: Iterable[int], values: Iterable[float]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Milestones that increase strictly, and one more value than these."""
    marks = _milestones(milestones)
    factors = tuple(_checks.factor("a value", value) for value in _checks.several("values", values))
    if any(later <= earlier for earlier, later in zip(marks, marks[1:], strict=False)):
        raise ValueError(f"milestones must increase strictly, got {marks}")
    if len(factors) != len(marks) + 1:
        raise ValueError(f"{len(marks)} milestones need {len(marks) + 1} values, got {len(factors)}")
    return marks, factors


def _past(marks: tuple[int, ...], total_steps: int | None) -> int | None:
    """A length that no milestone lies past, or None."""
    total = _until(total_steps)
    if total is not None and marks and marks[-1] > total:
        raise ValueError(f"the last milestone, {marks[-1]}, lies past total_steps={total}")
    return total


def _until(total_steps: int | None) -> int | None:
    """The length of a phase, or None where it is endless."""
    return None if total_steps is None else _checks.count("total_steps", total_steps)


def _positive(name: str, value: float) -> float:
    return real_number(name, value, above=0)


class Polynomial(Shape):
    """f(t) = end + (1 - end) (1 - t/T)^power."""

    name, fields = "polynomial", (("total_steps", REQUIRED), ("power", 1.0), ("end", 0.0))

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[2]

    def _formula(self, steps: Array) -> Array:
        total_steps, power, end = self._arguments
        return between(end, 1.0, powers(1.0 - steps / total_steps, power))


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
        return between(end, 1.0, half_cosine(steps, total_steps))


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


class OneMinusSquare(Shape):
    """f(t) = end + (1 - end) (1 - (t/T)^2)."""

    name, fields = "one_minus_square", (("total_steps", REQUIRED), ("end", 0.0))

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[1]

    def _formula(self, steps: Array) -> Array:
        total_steps, end = self._arguments
        return between(end, 1.0, 1.0 - np.square(steps / total_steps))


def one_minus_square(total_steps: int, end: float = 0.0) -> Schedule:
    """From 1 to `end` along 1 - (t/T)^2, the slowest beginning of the cool-downs of Haegele et al. (arXiv:2405.18392).

    Example:
        >>> one_minus_square(10)(5)
        0.75
    """
    return OneMinusSquare((_checks.count("total_steps", total_steps), _checks.factor("end", end)))


class MirrorCosine(Shape):
    """f(t) = end + (1 - end) (2 (1 - t/T) - (1 + cos(pi t/T)) / 2)."""

    name, fields = "mirror_cosine", (("total_steps", REQUIRED), ("end", 0.0))

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[1]

    def _formula(self, steps: Array) -> Array:
        total_steps, end = self._arguments
        progress = steps / total_steps
        return between(end, 1.0, 2.0 * (1.0 - progress) - half_cosine(steps, total_steps))


def mirror_cosine(total_steps: int, end: float = 0.0) -> Schedule:
    """From 1 to `end`, as far below a straight line as the cosine is above it (Haegele et al., arXiv:2405.18392).

    Example:
        >>> mirror_cosine(4)(1) + cosine(4)(1) == 2 * linear(4)(1)
        True
    """
    return MirrorCosine((_checks.count("total_steps", total_steps), _checks.factor("end", end)))


class InverseLinear(Shape):
    """f(t) = 1 / (1 - t/T + t/(T end))."""

    name, fields = "inverse_linear", (("total_steps", REQUIRED), ("end", REQUIRED))

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[1]

    def _formula(self, steps: Array) -> Array:
        total_steps, end = self._arguments
        progress = steps / total_steps
        return 1.0 / (1.0 - progress + progress / end)


def inverse_linear(total_steps: int, end: float) -> Schedule:
    """From 1 to `end` as one over a straight line, the decay of WSD-S (Wen et al., arXiv:2410.05192).

    Args:
        total_steps: T. end: the factor from step T on, above 0.

    Example:
        >>> inverse_linear(10, end=0.25)(5)
        0.4
    """
    return InverseLinear((_checks.count("total_steps", total_steps), _positive("end", end)))


class Exponential(Shape):
    """f(t) = end^(t/T)."""

    name, fields = "exponential", (("total_steps", REQUIRED), ("end", REQUIRED))

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[1]

    def _formula(self, steps: Array) -> Array:
        total_steps, end = self._arguments
        return powers(end, steps / total_steps)


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


class Interpolated(Shape):
    """f(t) = the curve through values[0] at step 0 and values[i] at milestones[i - 1]."""

    name, fields = "interpolated", (("milestones", REQUIRED), ("values", REQUIRED), ("anneal", "linear"))

    @cached_property
    def _points(self) -> tuple[Array, Array]:
        """The steps that the curve has a value at, and these values; a milestone of 0 takes the place of step 0."""
        milestones, values, _ = self._arguments
        first = 1 if milestones[:1] == (0,) else 0
        return np.array([0, *milestones][first:], dtype=np.int64), np.array(values[first:])

    def _length(self) -> int | None:
        return self._arguments[0][-1] if self._arguments[0] else 0

    def _holds_from(self, parts: list[int | None]) -> int | None:
        return self._length()

    def _ends(self) -> tuple[float, float]:
        return float(self._points[1][0]), float(self._points[1][-1])

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return float(self._points[1].min()), float(self._points[1].max())

    def _formula(self, steps: Array) -> Array:
        return through(*self._points, steps, self._arguments[2])


def through(places: Array, values: Array, steps: Array, anneal: str) -> Array:
    """The values at some steps of a curve through points, by straight lines or half cosines between them."""
    left = np.searchsorted(places, steps, side="right") - 1
    place, length = steps - places[left], places[left + 1] - places[left]
    share = 1.0 - place / length if anneal == "linear" else half_cosine(place, length)
    first, then = values[left], values[left + 1]
    return np.clip(between(then, first, share), np.minimum(first, then), np.maximum(first, then))


def interpolated(milestones: Iterable[int], values: Iterable[float], anneal: str = "linear") -> Schedule:
    """From values[0] at step 0 through the next value at each milestone; the last value is held.

    Args:
        milestones: steps that increase strictly; with a milestone of 0, values[0] is never used.
        values: factors, one more than there are milestones.
        anneal: "linear" or "cosine", the curve between two values.

    Example:
        >>> interpolated([10, 20], [0.0, 1.0, 0.5])(np.array([0, 5, 10, 15, 99]))
        array([0.  , 0.5 , 1.  , 0.75, 0.5 ])
    """
    marks, factors = _table(milestones, values)
    return Interpolated((marks, factors, _checks.one_of("anneal", anneal, ("linear", "cosine"))))


class Tanh(Shape):
    """f(t) = end + (1 - end) (1 - tanh(x)) / 2 with x = lower (1 - p) + upper p.

    (1 - tanh(x)) / 2 is 1 / (1 + e^(2 x)), in which nothing cancels where the tangent is near 1.
    """

    name = "tanh"
    fields = (("total_steps", REQUIRED), ("lower", -6.0), ("upper", 3.0), ("end", 0.0))

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[3]

    def _formula(self, steps: Array) -> Array:
        total_steps, lower, upper, end = self._arguments
        progress = steps / total_steps
        return between(end, 1.0, 1.0 / (1.0 + exponentials(2.0 * (lower * (1.0 - progress) + upper * progress))))


def tanh(total_steps: int, lower: float = -6.0, upper: float = 3.0, end: float = 0.0) -> Schedule:
    """A piece of a hyperbolic tangent (Hsueh et al., arXiv:1806.01593), and `end` from step T on.

    It begins a little below 1 and comes a little above `end`: at step T there is a small jump.

    Args:
        total_steps: T, at least 1.
        lower, upper: the tangent's argument at step 0 and at step T.
        end: the factor from step T on.

    Example:
        >>> tanh(9)(np.array([0, 6, 9])).round(6)
        array([0.999994, 0.5     , 0.      ])
    """
    total = _checks.count("total_steps", total_steps, least=1)
    lower, upper = real_number("lower", lower), real_number("upper", upper)
    return Tanh((total, lower, upper, _checks.factor("end", end)))


class Endless(Shape):
    """A phase without an end of its own; its last argument, total_steps, may give it one: its value there is held."""

    def _length(self) -> int | None:
        return self._arguments[-1]

    def _holds_from(self, parts: list[int | None]) -> int | None:
        return self._total_steps

    def _values(self, steps: Array, parts: list[Array]) -> Array:
        low, high = self._bounds([])
        until = steps if self._total_steps is None else np.minimum(steps, self._total_steps)
        return np.clip(self._formula(until), low, high)


def _powers_of(base: float) -> tuple[float, float]:
    """Two numbers that no power of `base` with an exponent of at least 0 lies outside of."""
    return (0.0, 1.0) if base < 1 else (1.0, 1.0 if base == 1 else np.inf)


class Step(Endless):
    """f(t) = gamma^floor(t/S)."""

    name, fields = "step", (("step_size", REQUIRED), ("gamma", 0.1), ("total_steps", None))

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return _powers_of(self._arguments[1])

    def _formula(self, steps: Array) -> Array:
        step_size, gamma, _ = self._arguments
        return powers(gamma, (steps // step_size).astype(np.float64))


def step(step_size: int, gamma: float = 0.1, total_steps: int | None = None) -> Schedule:
    """Times `gamma`, at least 0, every `step_size` steps, as torch's StepLR; endless unless `total_steps`.

    Example:
        >>> step(30, gamma=0.5)(np.array([0, 29, 30, 60]))
        array([1.  , 1.  , 0.5 , 0.25])
    """
    return Step((_checks.count("step_size", step_size, least=1), _checks.factor("gamma", gamma), _until(total_steps)))


class MultiStep(Piecewise):
    """f(t) = gamma^(number of milestones <= t)."""

    name, fields = "multi_step", (("milestones", REQUIRED), ("gamma", 0.1), ("total_steps", None))

    @cached_property
    def _factors(self) -> tuple[float, ...]:
        gamma = self._arguments[1]
        return tuple(float(each) for each in powers(gamma, np.array(range(len(self._arguments[0]) + 1))))


def multi_step(milestones: Iterable[int], gamma: float = 0.1, total_steps: int | None = None) -> Schedule:
    """Times `gamma` at each milestone (He et al., arXiv:1512.03385, section 4.2), as torch's MultiStepLR.

    Args:
        milestones: steps in ascending order; one that stands twice counts twice.
        gamma: at least 0; 0 ends at the first milestone.
        total_steps: None: endless. Otherwise at least the last milestone.

    Example:
        >>> multi_step([30, 60], gamma=0.5)(np.array([29, 30, 59, 60]))
        array([1.  , 0.5 , 0.5 , 0.25])
    """
    marks = _milestones(milestones)
    if list(marks) != sorted(marks):
        raise ValueError(f"milestones must be in ascending order, got {marks}")
    return MultiStep((marks, _checks.factor("gamma", gamma), _past(marks, total_steps)))


class ExponentialDecay(Endless):
    """f(t) = rate^(t/D), or rate^floor(t/D)."""

    name = "exponential_decay"
    fields = (("decay_rate", REQUIRED), ("decay_steps", 1), ("staircase", False), ("total_steps", None))

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return _powers_of(self._arguments[0])

    def _formula(self, steps: Array) -> Array:
        rate, decay_steps, staircase, _ = self._arguments
        return powers(rate, _passed(steps, decay_steps, staircase))


def _passed(steps: Array, decay_steps: int, staircase: bool) -> Array:
    return (steps // decay_steps).astype(np.float64) if staircase else steps / decay_steps


def exponential_decay(
    decay_rate: float, decay_steps: int = 1, staircase: bool = False, total_steps: int | None = None
) -> Schedule:
    """Times `decay_rate` over every `decay_steps` steps: torch's ExponentialLR, keras's ExponentialDecay.

    Args:
        decay_rate: at least 0; above 1 the rate grows, and a factor beyond float64 raises OverflowError. With 0 the
            factor is 1 at step 0 (with staircase below step D), and then 0.
        decay_steps: D, at least 1.
        staircase: whether the rate changes only every D steps.
        total_steps: None: endless. Otherwise the factor of this step is held from there on.

    Example:
        >>> exponential_decay(0.25, decay_steps=10)(np.array([0, 5, 10]))
        array([1.  , 0.5 , 0.25])
    """
    stairs = true_or_false("staircase", staircase)
    count = _checks.count("decay_steps", decay_steps, least=1)
    return ExponentialDecay((_checks.factor("decay_rate", decay_rate), count, stairs, _until(total_steps)))


class InverseTimeDecay(Endless):
    """f(t) = 1 / (1 + rate t/D), or 1 / (1 + rate floor(t/D))."""

    name = "inverse_time_decay"
    fields = (("decay_rate", REQUIRED), ("decay_steps", 1), ("staircase", False), ("total_steps", None))

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return 0.0, 1.0

    def _formula(self, steps: Array) -> Array:
        rate, decay_steps, staircase, _ = self._arguments
        return 1.0 / (1.0 + rate * _passed(steps, decay_steps, staircase))


def inverse_time_decay(
    decay_rate: float, decay_steps: int = 1, staircase: bool = False, total_steps: int | None = None
) -> Schedule:
    """1 / (1 + rate t/D): keras's InverseTimeDecay. Arguments as for `exponential_decay`.

    Its sum has no bound and that of its squares has one, as Robbins & Monro (1951) want.

    Example:
        >>> inverse_time_decay(0.5, decay_steps=10)(np.array([0, 20, 60]))
        array([1.  , 0.5 , 0.25])
    """
    stairs = true_or_false("staircase", staircase)
    count = _checks.count("decay_steps", decay_steps, least=1)
    return InverseTimeDecay((_positive("decay_rate", decay_rate), count, stairs, _until(total_steps)))


class Noam(Endless):
    """f(t) = min(n^-0.5, n W^-1.5) / sqrt(d) with n = t + 1."""

    name, fields = "noam", (("warmup_steps", REQUIRED), ("dimension", REQUIRED), ("total_steps", None))

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return 0.0, float(self._formula(np.array([self._arguments[0] - 1]))[0])

    def _formula(self, steps: Array) -> Array:
        warmup_steps, dimension, _ = self._arguments
        count = steps + 1
        rising = count / (warmup_steps * np.sqrt(float(warmup_steps)))
        return np.minimum(1.0 / np.sqrt(count), rising) / np.sqrt(float(dimension))


def noam(warmup_steps: int, dimension: int, total_steps: int | None = None) -> Schedule:
    """The Transformer's schedule with the paper's own scale (Vaswani et al., arXiv:1706.03762, equation 3).

    The base rate is 1 with it, since the factor is the paper's rate: d^-0.5 min(n^-0.5, n W^-1.5), n = step + 1. Its
    peak, at step W - 1, is (d W)^-0.5. `warmup(W).then(inverse_square_root(W))` is the shape alone, with the peak 1.

    Args:
        warmup_steps: W, at least 1. dimension: d, the width of the model, at least 1.
        total_steps: None: endless. Otherwise the factor of this step is held from there on.

    Example:
        >>> noam(4, dimension=16)(np.array([0, 3, 15]))
        array([0.03125, 0.125  , 0.0625 ])
    """
    width = _checks.count("dimension", dimension, least=1)
    return Noam((_checks.count("warmup_steps", warmup_steps, least=1), width, _until(total_steps)))


class Power(Endless):
    """f(t) = 1 up to step T0, then (T0/t)^exponent."""

    name, fields = "power", (("timescale", REQUIRED), ("exponent", 0.51), ("total_steps", None))

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return 0.0, 1.0

    def _formula(self, steps: Array) -> Array:
        timescale, exponent, _ = self._arguments
        return powers(timescale / np.maximum(steps, timescale), exponent)


def power(timescale: int, exponent: float = 0.51, total_steps: int | None = None) -> Schedule:
    """The Power scheduler: min(base rate, c n^-exponent) at step n (Shen et al., arXiv:2408.13359).

    The paper's rate falls as a power of the tokens seen, from the point on where it comes below the base rate, whatever
    the length of the run. T0 is that point in steps. With a warm-up, which n counts too, and a decay from step N on:
    `(warmup(W) * power(T0, total_steps=N)).then(linear(D) * power(T0)(N))`.

    Args:
        timescale: T0, at least 1: up to this step the rate is the base rate.
        exponent: above 0; 0.51 is the paper's, fitted to language models.
        total_steps: None: it never ends and never reaches 0. Otherwise the factor of this step is held from there on.

    Example:
        >>> power(100, exponent=0.5)(np.array([0, 100, 400, 10_000]))
        array([1. , 1. , 0.5, 0.1])
    """
    scale, exponent = _checks.count("timescale", timescale, least=1), _positive("exponent", exponent)
    return Power((scale, exponent, _until(total_steps)))


# --- cycles -----------------------------------------------------------------------------------------------------------


class OneCycle(Shape):
    """f(t) = the curve through 1/div_factor, 1, with three phases 1/div_factor again, and the end."""

    name = "one_cycle"
    fields = (
        ("total_steps", REQUIRED),
        ("peak_at", 0.3),
        ("div_factor", 25.0),
        ("final_div_factor", 1e4),
        ("anneal", "cosine"),
        ("three_phase", False),
    )

    @cached_property
    def _points(self) -> tuple[Array, Array]:
        """Where phases meet, as fractions of a step, and the values there; a phase of no steps is at its end.

        A phase that goes on to step T - 1 or beyond it leaves no step to those after it.
        """
        total_steps, peak_at, div_factor, final_div_factor, _, three_phase = self._arguments
        first, last = 1.0 / div_factor, Fraction(total_steps - 1)
        share = Fraction(peak_at) * total_steps
        again = [(2 * share - 2, first)] if three_phase else []
        points = [(Fraction(0), first), (share - 1, 1.0), *again]
        kept = [each for i, each in enumerate(points) if all(later[0] > each[0] for later in points[i + 1 :])]
        within = sum(place < last for place, _ in kept)
        kept = [*kept[: within + 1], (last, first / final_div_factor)][: within + 1]
        return np.array([float(place) for place, _ in kept]), np.array([value for _, value in kept])

    @cached_property
    def _last(self) -> float:
        """The factor at step T - 1."""
        (places, values), end = self._points, self._arguments[0] - 1
        if places[-1] == end:
            return float(values[-1])
        return float(through(places, values, np.array([end]), self._arguments[4])[0])

    def _holds_from(self, parts: list[int | None]) -> int | None:
        return self._arguments[0] - 1

    def _ends(self) -> tuple[float, float]:
        return 1.0 / self._arguments[2], self._last

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return min(*self._ends(), 1.0), max(*self._ends(), 1.0)

    def _formula(self, steps: Array) -> Array:
        values = np.full(steps.shape, self._ends()[1])
        inside = steps < self._arguments[0] - 1
        values[inside] = through(*self._points, steps[inside], self._arguments[4])
        return values


def one_cycle(
    total_steps: int,
    peak_at: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal: str = "cosine",
    three_phase: bool = False,
) -> Schedule:
    """Up to the base rate and down again: 1cycle (Smith & Topin, arXiv:1708.07120, section 2), as torch's OneCycleLR.

    The base rate is torch's max_lr. The T steps are 0 ... T-1. The rate is at its end at step T-1 and stays there:
    there is no step beyond it, where torch's linear form comes below 0. A phase of no steps is its end. Where phases
    are longer than the run, they are cut at step T-1: with peak_at=1 the rate rises to the last step.

    Args:
        total_steps: T, at least 1.
        peak_at: the share of the steps up to the peak, at peak_at T - 1, which may lie between two steps.
        div_factor: the first factor is 1/div_factor.
        final_div_factor: the last factor is that divided by final_div_factor.
        anneal: "cosine" or "linear", the curve between two of these.
        three_phase: whether the rate comes down to the first factor, as slowly as it rose, before it goes to the last
            (the paper's form); otherwise it goes there at once.

    Example:
        >>> one_cycle(11, peak_at=6 / 11, div_factor=5, anneal="linear")(np.array([0, 5, 10, 11])).round(6)
        array([2.e-01, 1.e+00, 2.e-05, 2.e-05])
    """
    shape = _checks.one_of("anneal", anneal, ("cosine", "linear"))
    total, share = _checks.count("total_steps", total_steps, least=1), real_number("peak_at", peak_at, least=0, most=1)
    divisors = _positive("div_factor", div_factor), _positive("final_div_factor", final_div_factor)
    return OneCycle((total, share, *divisors, shape, true_or_false("three_phase", three_phase)))


CYCLIC_MODES = ("triangular", "triangular2", "exp_range")


class Cyclic(Endless):
    """f(t) = low + (1 - low) h m: h rises from 0 to 1 in U steps and falls in D; m is 1, 2^-cycle or gamma^t."""

    name = "cyclic"
    fields = (
        ("low", REQUIRED),
        ("up", REQUIRED),
        ("down", REQUIRED),
        ("mode", "triangular"),
        ("gamma", 1.0),
        ("total_steps", None),
    )

    def _bounds(self, parts: list[tuple[float, float]]) -> tuple[float, float]:
        return min(self._arguments[0], 1.0), max(self._arguments[0], 1.0)

    def _formula(self, steps: Array) -> Array:
        low, up, down, mode, gamma, _ = self._arguments
        cycle, place = np.divmod(steps, up + down)
        height = np.where(place <= up, place / up, (up + down - place) / down)
        if mode == "triangular2":
            height = height * powers(0.5, cycle.astype(np.float64))
        elif mode == "exp_range":
            height = height * powers(gamma, steps.astype(np.float64))
        return between(low, 1.0, height)


def cyclic(
    low: float, up: int, down: int, mode: str = "triangular", gamma: float = 1.0, total_steps: int | None = None
) -> Schedule:
    """Up and down again and again (Smith, arXiv:1506.01186, section 3.2), as torch's CyclicLR.

    The base rate is torch's max_lr, and `low` is torch's base_lr divided by it.

    Args:
        low: the factor at the start of each cycle.
        up, down: steps of the rise and of the fall, at least 1 each.
        mode: "triangular": each peak is 1; "triangular2": half as far above `low` in each cycle; "exp_range":
            gamma^step as far above `low`.
        gamma: from 0 to 1, of "exp_range" alone.
        total_steps: None: endless. Otherwise the factor of this step is held from there on.

    Example:
        >>> cyclic(0.2, up=4, down=4, mode="triangular2")(np.array([0, 4, 8, 12, 16]))
        array([0.2, 1. , 0.2, 0.6, 0.2])
    """
    kind = _checks.one_of("mode", mode, CYCLIC_MODES)
    rise, fall = _checks.count("up", up, least=1), _checks.count("down", down, least=1)
    _checks.count("the cycle up + down", rise + fall)
    shrinks = real_number("gamma", gamma, least=0, most=1) + 0.0  # -0.0 becomes 0.0
    if kind != "exp_range" and shrinks != 1:
        raise ValueError(f"gamma belongs to mode='exp_range', not to mode={kind!r}; leave it out")
    return Cyclic((_checks.factor("low", low), rise, fall, kind, shrinks, _until(total_steps)))


MOST_CYCLES = 100_000


class CosineRestarts(Shape):
    """f(t) = end + (1 - end) decay^i (1 + cos(pi p)) / 2 in cycle i, with p the share of that cycle."""

    name = "cosine_restarts"
    fields = (("first_steps", REQUIRED), ("cycle_mul", 1), ("end", 0.0), ("cycle_decay", 1.0), ("num_cycles", None))

    @cached_property
    def _cycles(self) -> tuple[list[int], list[float], list[float], int]:
        """Of the cycles up to step 2^62: the first whole steps, the exact starts, the lengths; and the end of the last.

        Fixed point with 256 binary digits after the point: sums of whole lengths are exact, however many there are.
        """
        first_steps, cycle_mul, _, _, num_cycles = self._arguments
        multiplier, divisor = Fraction(cycle_mul).as_integer_ratio()
        one, start, length = 1 << 256, 0, first_steps << 256
        starts: list[int] = []
        lengths: list[float] = []
        while start <= _checks.MAX_STEPS * one and (num_cycles is None or len(starts) < num_cycles):
            if len(starts) == MOST_CYCLES:
                raise ValueError(
                    f"cycle_mul={cycle_mul} is so near to 1 that there are more than {MOST_CYCLES:,} cycles before "
                    "step 2**62; give 1 or a larger number"
                )
            starts.append(start)
            lengths.append(length / one)
            start, length = start + length, length * multiplier // divisor
        return [-(-each // one) for each in starts], [each / one for each in starts], lengths, -(-start // one)

    def _length(self) -> int | None:
        first_steps, cycle_mul, _, _, num_cycles = self._arguments
        if cycle_mul == 1:
            return None if num_cycles is None else first_steps * num_cycles
        starts, _, _, end_of_all = self._cycles
        if num_cycles is None:
            return None
        return end_of_all if len(starts) == num_cycles else _checks.MAX_STEPS + 1

    def _holds_from(self, parts: list[int | None]) -> int | None:
        return self._total_steps

    def _ends(self) -> tuple[float, float]:
        return 1.0, self._arguments[2]

    def _formula(self, steps: Array) -> Array:
        first_steps, cycle_mul, end, decay, _ = self._arguments
        if cycle_mul == 1:
            index, place = np.divmod(steps, first_steps)
            length: Any = first_steps
        else:
            whole, exact, lengths, _ = self._cycles
            starts = np.array(whole if steps.dtype.kind == "i" else exact)
            index = np.searchsorted(starts, steps, side="right") - 1
            place = steps - np.array(whole if whole == exact else exact)[index]
            length = np.array(lengths)[index]
        share = half_cosine(np.minimum(place, length), length)
        peak = between(end, 1.0, powers(decay, index.astype(np.float64)))
        return between(end, peak, share)


def cosine_restarts(
    first_steps: int, cycle_mul: float = 1, end: float = 0.0, cycle_decay: float = 1.0, num_cycles: int | None = None
) -> Schedule:
    """From 1 to `end` along half a cosine, again and again: SGDR (Loshchilov & Hutter, arXiv:1608.03983, equation 5).

    A cycle begins at the sum of the lengths before it, in whole numbers: no logarithm is rounded.

    Args:
        first_steps: T_0, the length of the first cycle, at least 1.
        cycle_mul: each cycle is so many times as long as the one before it, at least 1. Where it is no whole number, a
            cycle may begin between two steps.
        end: the factor at the end of each cycle; a whole step there is the first of the next cycle.
        cycle_decay: the height of each cycle above `end` is so many times that of the one before; above 0, at most 1.
        num_cycles: None: endless. Otherwise `end` is held after so many cycles.

    Example:
        >>> cosine_restarts(1, cycle_mul=3)(np.array([0, 1, 4, 13, 40, 121]))
        array([1., 1., 1., 1., 1., 1.])
        >>> cosine_restarts(4, cycle_mul=2, num_cycles=2)(np.array([2, 4, 8, 12]))
        array([0.5, 1. , 0.5, 0. ])
    """
    multiple: float = real_number("cycle_mul", cycle_mul, least=1)
    if multiple > _checks.MAX_STEPS:
        raise ValueError(f"cycle_mul must be at most 2**62 in size, got {multiple}")
    multiple = int(multiple) if multiple.is_integer() else multiple
    shrinks = real_number("cycle_decay", cycle_decay, above=0, most=1)
    cycles = None if num_cycles is None else _checks.count("num_cycles", num_cycles, least=1)
    first = _checks.count("first_steps", first_steps, least=1)
    return CosineRestarts((first, multiple, _checks.factor("end", end), shrinks, cycles))


class CosineHardRestarts(Shape):
    """f(t) = (1 + cos(pi q)) / 2, with q what C t/T is more than a whole number."""

    name, fields = "cosine_hard_restarts", (("total_steps", REQUIRED), ("num_cycles", 1))

    def _ends(self) -> tuple[float, float]:
        return 1.0, 0.0

    def _formula(self, steps: Array) -> Array:
        total_steps, num_cycles = self._arguments
        if steps.dtype.kind == "i" and total_steps * num_cycles > _checks.MAX_STEPS:
            steps = steps.astype(object)  # Python's whole numbers have no bound
        return half_cosine(steps * num_cycles % total_steps, total_steps)


def cosine_hard_restarts(total_steps: int, num_cycles: int = 1) -> Schedule:
    """`num_cycles` cosines from 1 to 0 over T steps, then 0: transformers' schedule with hard restarts.

    A cycle has T / num_cycles steps, which need not be a whole number.

    Args:
        total_steps: T, at least 1. num_cycles: at least 1.

    Example:
        >>> cosine_hard_restarts(8, num_cycles=2)(np.array([0, 2, 4, 6, 8]))
        array([1. , 0.5, 1. , 0.5, 0. ])
    """
    cycles = _checks.count("num_cycles", num_cycles, least=1)
    return CosineHardRestarts((_checks.count("total_steps", total_steps, least=1), cycles))


# --- several phases ---------------------------------------------------------------------------------------------------

DECAYS = ("cosine", "linear", "1-sqrt", "exponential", "1-square", "mirror-cosine", "inverse-linear")


def warmup_stable_decay(
    warmup_steps: int, stable_steps: int, decay_steps: int, decay: str = "cosine", end: float = 0.0, start: float = 0.0
) -> Schedule:
    """Warm-up, a plateau at the base rate, and a decay to `end`: WSD (Hu et al., arXiv:2404.06395, section 4).

    A decay can branch off a checkpoint of the plateau: restore it, and call `fit` with this schedule and another
    folder.

    Args:
        warmup_steps, stable_steps, decay_steps: lengths of the three phases, each 0 or more; their sum is T.
        decay: "cosine" (the article), "linear", "1-sqrt", "1-square", "mirror-cosine"; with an end above 0 also
            "exponential" (the paper) and "inverse-linear".
        end: the factor at step T and past it.
        start: the factor at step 0.

    Example:
        >>> warmup_stable_decay(10, 20, 30)
        warmup(10).then(constant(total_steps=20)).then(cosine(30))
        >>> warmup_stable_decay(10, 20, 30, decay="exponential", end=0.25)(45)
        0.5
    """
    shape = _checks.one_of("decay", decay, DECAYS)
    shapes = (cosine, linear, one_minus_sqrt, exponential, one_minus_square, mirror_cosine, inverse_linear)
    build = dict(zip(DECAYS, shapes, strict=True))[shape]
    plateau = constant(1.0, _checks.count("stable_steps", stable_steps))
    last = build(_checks.count("decay_steps", decay_steps), end=end)  # type: ignore[operator]
    return warmup(_checks.count("warmup_steps", warmup_steps), start).then(plateau).then(last)


def trapezoid(warmup_steps: int, stable_steps: int, decay_steps: int, end: float = 0.0, start: float = 0.0) -> Schedule:
    """Up along a straight line, flat at the base rate, and down along a straight line (Xing et al., arXiv:1802.08770).

    The same as `warmup_stable_decay` with decay="linear", which has the arguments.

    Example:
        >>> trapezoid(10, 20, 10)(np.array([0, 5, 10, 29, 35, 40]))
        array([0. , 0.5, 1. , 1. , 0.5, 0. ])
    """
    return warmup_stable_decay(warmup_steps, stable_steps, decay_steps, "linear", end, start)
