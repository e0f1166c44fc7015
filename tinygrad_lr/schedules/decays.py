"""The phases that decay along a curve: polynomial, cosine, one_minus_sqrt, exponential; and Warmup-Stable-Decay.

Conventions (T, the end value, p = t/T, `between`) stand in `shapes.py`. Where next: `article.py` has the same curves as
the article's functions of epoch and batch.
"""

from __future__ import annotations

import numpy as np

from . import _checks
from .base import Array, Schedule
from .shapes import REQUIRED, Shape, between, constant, linear, warmup


class Polynomial(Shape):
    """f(t) = end + (1 - end) (1 - t/T)^power."""

    __slots__ = ()
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
    total, power = _checks.count("total_steps", total_steps), _checks.number("power", power)
    if power <= 0:
        raise ValueError(f"power must be above 0 (otherwise the end is never reached), got {power}")
    return Polynomial((total, power, _checks.factor("end", end)))


class Cosine(Shape):
    """f(t) = end + (1 - end) (1 + cos(pi t/T)) / 2."""

    __slots__ = ()
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

    __slots__ = ()
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

    __slots__ = ()
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
