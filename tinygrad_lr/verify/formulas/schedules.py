"""`REFERENCES`: one row per schedule, with its printed formula and its oracle, written from the articles and papers.

A row is one half of a schedule; the other half is its row in `tinygrad_lr/schedules/table.py`. Nothing here imports
that room, so neither half can hide a mistake of the other.

The printed formula is in the language of notation.py: s is the step, counted from 0, and f the factor of the base rate.
The oracle computes with exact fractions and 50 digits. `REFERENCES[name].enclosure(step, **arguments)` gives the two
numbers between which a correct float64 implementation lies. Tests hold the one to the other.

Where next: `properties/schedules.py` checks any schedule against the oracle. It needs mpmath (extra `verify`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from ..language.notation import evaluate, parse

Curve = Callable[[Any], Any]
Enclosure = tuple[Any, Any]


@dataclass(frozen=True)
class Reference:
    """A schedule's printed form and its oracle.

    Attributes:
        title, source: what it is called and where it was published.
        lines: the formula.
        symbols: the constructor's arguments and their symbols in the lines.
        example: arguments for a table that fits a screen.
        enclosure: the oracle, a function of the step and of the constructor's arguments.
        ends: what happens at the ends, in words.
    """

    title: str
    source: str
    lines: tuple[str, ...]
    symbols: Mapping[str, Any]
    example: Mapping[str, Any]
    enclosure: Callable[..., Enclosure]
    ends: str = "From step T on it stays at f_end."

    def worked_steps(self, steps: Sequence[int], /, **arguments: Any) -> list[dict[str, float]]:
        """Every quantity of the lines at the given steps.

        Example:
            >>> [values["f"] for values in REFERENCES["cosine"].worked_steps([0, 2, 4], total_steps=4, end=0.0)]
            [1.0, 0.5, 0.0]
        """
        values: dict[str, Any] = {"pi": np.pi}
        for name, symbol in self.symbols.items():
            value = arguments[name]
            values |= dict(zip(symbol, value, strict=True)) if isinstance(symbol, tuple) else {symbol: value}
        history = []
        for step in steps:
            found: dict[str, float] = {"s": float(step)}
            with np.errstate(all="ignore"):
                for line in map(parse, self.lines):
                    found[line.name] = float(evaluate(line.expression, values | found))
            history.append(found)
        return history


def reference_of(name: str) -> Reference:
    """The row of a schedule.

    Raises:
        LookupError: there is none; the message says where to add it.

    Example:
        >>> reference_of("cosine").title
        'Cosine decay'
    """
    if name not in REFERENCES:
        raise LookupError(
            f"the schedule {name!r} has no reference (formula and oracle): add its row to REFERENCES in "
            "tinygrad_lr/verify/formulas/schedules.py"
        )
    return REFERENCES[name]


# --- enclosures: where a correct implementation may lie ---------------------------------------------------------------

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


# --- oracles ----------------------------------------------------------------------------------------------------------


def _towards(end: Any, share: Any) -> Any:
    return exact(end) + (1 - exact(end)) * share


def constant(step: Any, factor: float, total_steps: int | None = None) -> Enclosure:
    """f = c."""
    return held(factor)


def linear(step: Any, total_steps: int, start: float, end: float) -> Enclosure:
    """f = f_0 + (f_end - f_0) p."""
    return enclose(lambda p: exact(start) + (exact(end) - exact(start)) * p, step, total_steps, start, end)


def warmup(step: Any, steps: int, start: float, first_step: str) -> Enclosure:
    """f = f_0 + (1 - f_0) p."""
    later = Fraction(step) + (1 if first_step == "1/W" else 0)
    return enclose(lambda p: exact(start) + (1 - exact(start)) * p, later, steps, start, 1)


def polynomial(step: Any, total_steps: int, power: float, end: float) -> Enclosure:
    """f = f_end + (1 - f_end) (1 - p)^k: the article, `decay_lr_poly`."""
    return enclose(lambda p: _towards(end, (1 - p) ** exact(power)), step, total_steps, 1, end)


def cosine(step: Any, total_steps: int, end: float) -> Enclosure:
    """f = f_end + (1 - f_end) (1 + cos(pi p)) / 2: arXiv:1608.03983, equation 5; the article."""
    mp = _mp()
    return enclose(lambda p: _towards(end, (1 + mp.cos(mp.pi * p)) / 2), step, total_steps, 1, end)


def one_minus_sqrt(step: Any, total_steps: int, end: float) -> Enclosure:
    """f = f_end + (1 - f_end) (1 - sqrt(p)): arXiv:2405.18392."""
    return enclose(lambda p: _towards(end, 1 - _mp().sqrt(p)), step, total_steps, 1, end)


def exponential(step: Any, total_steps: int, end: float) -> Enclosure:
    """f = f_end^p: arXiv:2404.06395, section 4 (their f, ended at f_end)."""
    return enclose(lambda p: exact(end) ** p, step, total_steps, 1, end)


def inverse_square_root(step: Any, timescale: int) -> Enclosure:
    """f = sqrt(T_0 / (T_0 + s)): arXiv:1706.03762, equation 3, from the end of the warm-up on, divided by its peak."""
    value = _mp().sqrt(exact(Fraction(timescale) / (timescale + Fraction(step))))
    slack = value * exact(VALUE_ROUNDINGS * _unit.get())
    return value - slack, value + slack


def piecewise(step: Any, milestones: list[int], values: list[float]) -> Enclosure:
    """f = the value of the last milestone that is not above s."""
    return held(values[sum(milestone <= step for milestone in milestones)])


def warmup_stable_decay(decay: str) -> Callable[..., Enclosure]:
    """The oracle of Warmup-Stable-Decay with one of four decays: s/W; 1; the decay (arXiv:2404.06395, equation 1)."""
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


# --- the rows ---------------------------------------------------------------------------------------------------------

_WSD = "Hu et al., 2024, arXiv:2404.06395, equation 1"
_decays = {
    "cosine": (
        "f_decay = f_end + (1 - f_end) (1 + cos(pi p)) / 2",
        "Loshchilov & Hutter, ICLR 2017, arXiv:1608.03983, eq. 5",
    ),
    "linear": ("f_decay = 1 - (1 - f_end) p", "a straight line"),
    "1-sqrt": ("f_decay = f_end + (1 - f_end) (1 - sqrt(p))", "Haegele et al., 2024, arXiv:2405.18392"),
    "exponential": ("f_decay = f_end^p", "Hu et al., 2024, arXiv:2404.06395, section 4"),
}
_to_end = {"total_steps": "T", "end": "f_end"}
_progress = "p = min(s / T, 1)"

REFERENCES: dict[str, Reference] = {
    "constant": Reference(
        "A constant factor",
        "none",
        ("f = c",),
        {"factor": "c"},
        {"factor": 0.5, "total_steps": 4},
        constant,
        "It never ends.",
    ),
    "linear": Reference(
        "A straight line",
        "none",
        (_progress, "f = f_0 + (f_end - f_0) p"),
        {"total_steps": "T", "start": "f_0", "end": "f_end"},
        {"total_steps": 8, "start": 1.0, "end": 0.0},
        linear,
    ),
    "warmup": Reference(
        "Linear warm-up",
        "Goyal et al., 2017, arXiv:1706.02677, section 2.2",
        ("p = min(s / W, 1)", "f = f_0 + (1 - f_0) p"),
        {"steps": "W", "start": "f_0"},
        {"steps": 5, "start": 0.0, "first_step": "zero"},
        warmup,
        'From step W on it stays at 1. first_step="1/W" counts s from 1: the first step is not wasted.',
    ),
    "polynomial": Reference(
        "Polynomial decay",
        "the article, decay_lr_poly",
        (_progress, "f = f_end + (1 - f_end) (1 - p)^k"),
        {**_to_end, "power": "k"},
        {"total_steps": 8, "power": 2.0, "end": 0.0},
        polynomial,
    ),
    "cosine": Reference(
        "Cosine decay",
        _decays["cosine"][1],
        (_progress, _decays["cosine"][0].replace("f_decay", "f")),
        _to_end,
        {"total_steps": 8, "end": 0.0},
        cosine,
        "From step T on it stays at f_end (torch's rises again).",
    ),
    "one_minus_sqrt": Reference(
        "1 - sqrt cool-down",
        _decays["1-sqrt"][1],
        (_progress, _decays["1-sqrt"][0].replace("f_decay", "f")),
        _to_end,
        {"total_steps": 8, "end": 0.0},
        one_minus_sqrt,
    ),
    "exponential": Reference(
        "Exponential decay",
        _decays["exponential"][1],
        (_progress, "f = f_end^p"),
        _to_end,
        {"total_steps": 8, "end": 0.01},
        exponential,
    ),
    "inverse_square_root": Reference(
        "Inverse square root decay",
        "Vaswani et al., 2017, arXiv:1706.03762, section 5.3, equation 3",
        ("f = sqrt(T_0 / (T_0 + s))",),
        {"timescale": "T_0"},
        {"timescale": 4},
        inverse_square_root,
        "It never ends. After a warm-up of T_0 steps it is the paper's decay, divided by its peak.",
    ),
    "piecewise": Reference(
        "Piecewise constant",
        "none",
        ("f = (v1 if s < m1 else (v2 if s < m2 else v3))",),
        {"milestones": ("m1", "m2"), "values": ("v1", "v2", "v3")},
        {"milestones": [3, 6], "values": [1.0, 0.1, 0.01]},
        piecewise,
        "A milestone belongs to what follows it (keras: to what precedes). Any number of milestones; here two.",
    ),
    **{
        f"warmup_stable_decay, {name}": Reference(
            f"Warm-up, stable, decay ({name})",
            f"{_WSD}; decay: {source}",
            (
                "p = max(min((s - W - S) / D, 1), 0)",
                line,
                "f = (f_0 + (1 - f_0) s / W if s < W else (1 if s < W + S else f_decay))",
            ),
            {"warmup_steps": "W", "stable_steps": "S", "decay_steps": "D", "end": "f_end", "start": "f_0"},
            {
                "warmup_steps": 3,
                "stable_steps": 3,
                "decay_steps": 4,
                "end": 0.01 if name == "exponential" else 0.0,
                "start": 0.0,
            },
            warmup_stable_decay(name),
            "From step W + S + D on it stays at f_end.",
        )
        for name, (line, source) in _decays.items()
    },
}
