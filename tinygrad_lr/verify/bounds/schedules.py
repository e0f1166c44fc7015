"""Reference values of schedules, per phase in textbook form, with exact fractions and 50-digit arithmetic: the oracle.

Written from the article and the papers, apart from the package: `ENCLOSURES[name](step, **arguments)` gives the two
numbers between which a correct float64 implementation lies. A phase is a curve of its progress p = t/T:

    linear          s + (e - s) p
    polynomial      e + (1 - e) (1 - p)^k                      the article, `decay_lr_poly`
    cosine          e + (1 - e) (1 + cos(pi p)) / 2            arXiv:1608.03983, equation 5; the article
    1-sqrt          e + (1 - e) (1 - sqrt(p))                  arXiv:2405.18392
    exponential     e^p                                        arXiv:2404.06395, section 4 (their f, ended at e)
    WSD             s/W; 1; one of the above                   arXiv:2404.06395, equation 1

Where next: `properties/schedules.py` checks any schedule against them. Needs mpmath (extra `verify`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from functools import lru_cache
from typing import Any

Curve = Callable[[Any], Any]
Enclosure = tuple[Any, Any]

UNIT = Fraction(1, 2**53)
# Backward: p = t/T is rounded once, or pi t/T three times with the rounding of pi; 1 - p once more. Relative to p <= 1.
PROGRESS_ROUNDINGS = 4
# Forward, in units of the largest term: a cosine, power or root within 4 ulp of float64 is 8 units; joining it to the
# end value (1 - share, two products, a sum, the 1 + cos of the cosine) adds 6.
VALUE_ROUNDINGS = 14
_unit = ContextVar("unit", default=UNIT)


@contextmanager
def in_units_of(unit: Fraction) -> Iterator[None]:
    """Enclose what another precision gives: 2^-24 for float32."""
    token = _unit.set(unit)
    try:
        yield
    finally:
        _unit.reset(token)


@lru_cache
def _mp() -> Any:
    try:
        import mpmath
    except ImportError as error:
        raise ImportError("reference schedules need mpmath: pip install 'tinygrad_lr[verify]'") from error
    context = mpmath.mp.clone()
    context.dps = 50
    return context


def exact(value: Any) -> Any:
    """An exact 50-digit number of a fraction, integer or float."""
    fraction = Fraction(value)
    return _mp().mpf(fraction.numerator) / fraction.denominator


def held(value: Any) -> Enclosure:
    """A number of float64, exactly, or rounded once to another precision."""
    slack = 0 if _unit.get() == UNIT else _unit.get()
    return exact(Fraction(value) * (1 - slack)), exact(Fraction(value) * (1 + slack))


def enclose(curve: Curve, step: Any, total_steps: int, first: Any, last: Any) -> Enclosure:
    """Where a monotone curve of the progress may lie, its end value held exactly from step T on."""
    if step >= total_steps:
        return held(last)
    progress, error = Fraction(step) / total_steps, PROGRESS_ROUNDINGS * _unit.get()
    around = [curve(exact(min(max(progress + shift, 0), 1))) for shift in (-error, error)]
    slack = exact(VALUE_ROUNDINGS * _unit.get() * (Fraction(first) + Fraction(last)))
    return min(around) - slack, max(around) + slack


def _towards(end: Any, share: Any) -> Any:
    return exact(end) + (1 - exact(end)) * share


def constant(step: Any, factor: float, total_steps: int | None = None) -> Enclosure:
    return held(factor)


def linear(step: Any, total_steps: int, start: float, end: float) -> Enclosure:
    return enclose(lambda p: exact(start) + (exact(end) - exact(start)) * p, step, total_steps, start, end)


def warmup(step: Any, steps: int, start: float, first_step: str) -> Enclosure:
    later = Fraction(step) + (1 if first_step == "1/W" else 0)
    return enclose(lambda p: exact(start) + (1 - exact(start)) * p, later, steps, start, 1)


def polynomial(step: Any, total_steps: int, power: float, end: float) -> Enclosure:
    return enclose(lambda p: _towards(end, (1 - p) ** exact(power)), step, total_steps, 1, end)


def cosine(step: Any, total_steps: int, end: float) -> Enclosure:
    mp = _mp()
    return enclose(lambda p: _towards(end, (1 + mp.cos(mp.pi * p)) / 2), step, total_steps, 1, end)


def one_minus_sqrt(step: Any, total_steps: int, end: float) -> Enclosure:
    return enclose(lambda p: _towards(end, 1 - _mp().sqrt(p)), step, total_steps, 1, end)


def exponential(step: Any, total_steps: int, end: float) -> Enclosure:
    return enclose(lambda p: exact(end) ** p, step, total_steps, 1, end)


def piecewise(step: Any, milestones: list[int], values: list[float]) -> Enclosure:
    return held(values[sum(milestone <= step for milestone in milestones)])


def warmup_stable_decay(decay: str) -> Callable[..., Enclosure]:
    """The reference of Warmup-Stable-Decay with one of the four decay shapes."""
    shapes: dict[str, Callable[..., Enclosure]] = {
        "cosine": cosine,
        "linear": lambda step, total_steps, end: linear(step, total_steps, 1.0, end),
        "1-sqrt": one_minus_sqrt,
        "exponential": exponential,
    }

    def reference(
        step: Any, warmup_steps: int, stable_steps: int, decay_steps: int, end: float, start: float
    ) -> Enclosure:
        if step < warmup_steps:
            return warmup(step, warmup_steps, start, "zero")
        if step < warmup_steps + stable_steps:
            return exact(1), exact(1)
        return shapes[decay](Fraction(step) - warmup_steps - stable_steps, decay_steps, end)

    return reference


ENCLOSURES: dict[str, Callable[..., Enclosure]] = {
    "constant": constant,
    "linear": linear,
    "warmup": warmup,
    "polynomial": polynomial,
    "cosine": cosine,
    "one_minus_sqrt": one_minus_sqrt,
    "exponential": exponential,
    "piecewise": piecewise,
    **{
        f"warmup_stable_decay, {decay}": warmup_stable_decay(decay)
        for decay in ("cosine", "linear", "1-sqrt", "exponential")
    },
}
