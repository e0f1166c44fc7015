"""`REFERENCES`: one row per schedule, with its printed formula and its oracle, written from the articles and papers.

Of a schedule that tinygrad_lr has, a row is one half; the other half is its row in `tinygrad_lr/schedules/table.py`.
Nothing here imports that room, so neither half can hide a mistake of the other. The other rows are what torch, optax,
timm, transformers and keras have; `check_schedule` checks against them too. Where libraries differ, the difference is
an option of the row. A schedule that looks at the loss (reduce on plateau) is no function of the step, and has no row.

The printed formula is in the language of notation.py: s is the step, counted from 0, and f the factor of the base rate.
The oracle computes with exact fractions and 50 digits. `REFERENCES[name].enclosure(step, **arguments)` gives the two
numbers between which a correct float64 implementation lies. Tests hold the one to the other.

Where next: `properties/schedules.py` checks any schedule against the oracle. It needs mpmath (extra `verify`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial, wraps
from itertools import accumulate
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.integers import whole_number
from tinygrad_lr.reals import real_number

from ..language.notation import evaluate, parse

DIALECTS = ("torch", "optax", "keras", "timm", "transformers")
Curve = Callable[[Any], Any]
Enclosure = tuple[Any, Any]


# --- what arguments may be --------------------------------------------------------------------------------------------


def _numbers(check: Callable[[str, Any], Any]) -> Callable[[str, Any], list[Any]]:
    def checked(name: str, value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{name} must be a list of numbers, got {value!r}")
        return [check(f"{name}[{index}]", each) for index, each in enumerate(value)]

    return checked


def _milestones(name: str, value: Any) -> list[int]:
    found = _numbers(_kinds["steps"])(name, value)
    if found != sorted(found):
        raise ValueError(f"{name} must be in ascending order, got {value!r}")
    return found


_kinds: dict[str, Callable[[str, Any], Any]] = {
    "steps": lambda name, value: whole_number(name, value, 0),
    "timescale": lambda name, value: whole_number(name, value, 1),
    "factor": lambda name, value: real_number(name, value, least=0),
    "positive": lambda name, value: real_number(name, value, above=0),
    "power": lambda name, value: real_number(name, value, above=0),
    "decay": lambda name, value: real_number(name, value, above=0, most=1),
    "share": lambda name, value: real_number(name, value, least=0, most=1),
    "multiple": lambda name, value: real_number(name, value, least=1),
    "real": lambda name, value: real_number(name, value),
    "switch": true_or_false,
    "milestones": _milestones,
    "values": lambda name, value: _numbers(_kinds["factor"])(name, value),
}
Kind = str | tuple[str, ...]  # a key of `_kinds`, or the words that it may be


def checked(name: str, kind: Kind, value: Any, default: Any = 0) -> Any:
    """An argument of a kind; None where that is the default.

    Raises:
        TypeError, ValueError: it is of another kind.
    """
    if value is None and default is None:
        return None
    if isinstance(kind, tuple):
        if value not in kind:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, kind))}; got {value!r}")
        return value
    return _kinds[kind](name, value)


@dataclass(frozen=True)
class Reference:
    """A schedule's printed form and its oracle.

    Attributes:
        title, source: what it is called and where it was published.
        lines: the formula.
        symbols: the constructor's arguments and their symbols in the lines.
        example: arguments for a table that fits a screen.
        enclosure: the oracle, a function of the step, of the arguments and of the options.
        ends: what happens at the ends, in words.
        arguments: the kind of each argument.
        edges: the first steps of its phases and the step from which the end value is held, as a function of the
            arguments and the options; of an endless schedule those where something begins.
        endless: whether it holds no end value.
        defaults: values of arguments that may be left out.
        options: what libraries do differently: name -> kind and default, under which the lines hold.
        lines_of: the lines under options, where they change them.
        variants: options worth showing, each with the library that has them.
        option_symbols: the options' symbols in the lines.
        restarts: the first steps of the cycles that begin before a step, where it has cycles.
        dialects: a library of DIALECTS -> the options that it has, where they are not the defaults.
    """

    title: str
    source: str
    lines: tuple[str, ...]
    symbols: Mapping[str, Any]
    example: Mapping[str, Any]
    enclosure: Callable[..., Enclosure]
    ends: str = "From step T on it stays at f_end."
    arguments: Mapping[str, Kind] | None = None
    edges: Callable[..., Sequence[int]] | None = None
    endless: bool = False
    defaults: Mapping[str, Any] | None = None
    options: Mapping[str, tuple[Kind, Any]] | None = None
    lines_of: Callable[..., tuple[str, ...]] | None = None
    variants: Mapping[str, Mapping[str, Any]] | None = None
    option_symbols: Mapping[str, str] | None = None
    restarts: Callable[..., list[int]] | None = None
    dialects: Mapping[str, Mapping[str, Any]] | None = None

    @property
    def option_defaults(self) -> dict[str, Any]:
        """The options under which the lines hold."""
        return {name: default for name, (_, default) in (self.options or {}).items()}

    def of_dialect(self, dialect: str | None) -> Mapping[str, Any]:
        """The options that a library has, where they are not the defaults.

        Raises:
            ValueError: no library that is known.

        Example:
            >>> REFERENCES["cosine"].of_dialect("torch"), REFERENCES["linear"].of_dialect("torch")
            ({'past_end': 'rises'}, {})
        """
        if dialect not in (None, *DIALECTS):
            raise ValueError(f"the dialect of a schedule is one of {', '.join(DIALECTS)}, got {dialect!r}")
        return (self.dialects or {}).get(dialect or "", {})

    def checked(self, given: Mapping[str, Any], name: str = "") -> dict[str, Any]:
        """All arguments and options, with defaults.

        Raises:
            TypeError, ValueError: one is missing, unknown or of another kind.
        """
        kinds, options = self.arguments or {}, self.options or {}
        found = {**(self.defaults or {}), **self.option_defaults, **given}
        if wrong := sorted({*found, *kinds} - ({*kinds, *options} & found.keys())):
            optional = f"; options: {', '.join(options)}" if options else ""
            raise ValueError(
                f"{name or self.title} takes {', '.join(kinds)}{optional}; missing or unknown: {', '.join(wrong)}"
            )
        default = {**self.option_defaults, **(self.defaults or {})}
        kinds = {**kinds, **{name: kind for name, (kind, _) in options.items()}}
        chosen = {name: checked(name, kinds[name], value, default.get(name, 0)) for name, value in found.items()}
        if "milestones" in chosen and "values" in chosen and len(chosen["values"]) != len(chosen["milestones"]) + 1:
            marks, values = len(chosen["milestones"]), len(chosen["values"])
            raise ValueError(f"{marks} milestones need {marks + 1} values, got {values}")
        return chosen

    def lines_with(self, **options: Any) -> tuple[str, ...]:
        """The lines under options: those of the row, those of a warm-up before it, or both."""
        own = {key: value for key, value in {**self.option_defaults, **options}.items() if key not in _WARMUP}
        lines = self.lines_of(**own) if self.lines_of else self.lines
        return _after_warmup(lines, options) if options.get("warmup_steps") else lines

    def worked_steps(self, steps: Sequence[int], /, **arguments: Any) -> list[dict[str, float]]:
        """Every quantity of the lines at the given steps.

        Example:
            >>> [values["f"] for values in REFERENCES["cosine"].worked_steps([0, 2, 4], total_steps=4, end=0.0)]
            [1.0, 0.5, 0.0]
        """
        return [dict(self._worked(float(step), arguments)) for step in steps]

    def worked_values(self, steps: np.ndarray, /, **arguments: Any) -> np.ndarray:
        """The factors by the printed lines at an array of steps."""
        with np.errstate(all="ignore"):
            return np.asarray(self._worked(steps, arguments)["f"])

    def _worked(self, steps: Any, arguments: dict[str, Any]) -> dict[str, Any]:
        options = {**self.option_defaults, **{k: v for k, v in arguments.items() if k in (self.options or {})}}
        arguments = {**options, **arguments}
        values: dict[str, Any] = {"pi": np.pi}
        for name, symbol in {**self.symbols, **(self.option_symbols or {}), **_WARMUP}.items():
            if name in arguments and isinstance(symbol, tuple):
                values |= dict(zip(symbol, arguments[name], strict=True))
            elif symbol and isinstance(arguments.get(name), (int, float)):
                values[symbol] = arguments[name]
        found: dict[str, Any] = {"s": steps}
        with np.errstate(all="ignore"):
            for line in map(parse, self.lines_with(**options)):
                value = evaluate(line.expression, values | found)
                found[line.name] = value if np.ndim(value) else float(value)
        return found


WARMUP_SYMBOLS = {"warmup_steps": "W", "warmup_start": "f_w"}
_WARMUP = {**WARMUP_SYMBOLS, "clock": ""}


def _after_warmup(lines: Sequence[str], options: Mapping[str, Any]) -> tuple[str, ...]:
    """A formula's lines after a warm-up: their step is u, counted from its end or from the start."""
    clock = () if options.get("clock") == "from zero" else ("u = max(s - W, 0)",)
    step = r"u" if clock else "s"
    renamed = [re.sub(r"\bs\b", step, re.sub(r"^f =", "f_after =", line)) for line in lines]
    return (*clock, *renamed, "f = (f_w + (1 - f_w) s / W if s < W else f_after)")


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


def spread(value: Any, slack: Any) -> Enclosure:
    """Where a number may lie that is off by at most `slack`."""
    return value - slack, value + slack


def hull(enclosures: Sequence[Enclosure]) -> Enclosure:
    """Where a number lies of which each of these may be right."""
    return min(low for low, _ in enclosures), max(high for _, high in enclosures)


def floors(quotient: Fraction, step: Any) -> set[int]:
    """The whole part of step / T: one number, or two where the step is too large for the precision to tell."""
    unit = _unit.get()
    if step < 1 / (4 * unit):
        return {int(quotient // 1)}
    return {int(quotient * (1 - 4 * unit) // 1), int(quotient * (1 + 4 * unit) // 1)}


def told_apart(step: Any, end: int | None = None) -> list[Fraction]:
    """A step, or those that the precision cannot tell from it; a step beyond the end may be taken for that."""
    unit, step = _unit.get(), Fraction(step)
    found = [step] if step < 1 / unit else [step * (1 - unit), step, step * (1 + unit)]
    return found if end is None or step < end or end < 1 / unit else [*found, end * (1 - unit)]


def to_the(base: float, exponent: Any, exact_exponent: bool = True) -> Enclosure:
    """base^exponent: a power within 4 ulp or a product of the factors, of an exponent that was rounded.

    In float32 the base is rounded too, which the exponent multiplies.
    """
    mp, unit, exponent = _mp(), exact(_unit.get()), exact(exponent)
    if base == 0 or exponent == 0:
        return held(1 if exponent == 0 else 0)
    value, size = exact(base) ** exponent, abs(exponent)
    rounded = (0 if exact_exponent else PROGRESS_ROUNDINGS * size * abs(mp.log(exact(base)))) + VALUE_ROUNDINGS
    if _unit.get() != UNIT:
        rounded += size
    least = exact(Fraction(1, 2**1022) if _unit.get() == UNIT else Fraction(1, 2**126))
    return spread(value, value * mp.expm1(min(rounded * unit, exact(40))) + least)


def times(factor: Any, enclosure: Enclosure) -> Enclosure:
    """A product with a number of at least 0, rounded once."""
    low, high = (exact(factor) * end for end in enclosure)
    return low - exact(_unit.get()) * abs(low), high + exact(_unit.get()) * abs(high)


# The recursion of a chainable scheduler multiplies the rate before it by a quotient of two values, each with a cosine,
# a power or a product in it: so many roundings a step, and all of them stay.
CHAIN_ROUNDINGS = 16


def chained(enclosure: Enclosure, step: Any, high: float, rising_from: float = 0.0) -> Enclosure:
    """Where a rate may lie that is computed from the rate before it, n steps long.

    Past the end of a cosine the distance to its end value grows again, and so does its rounding: `rising_from` is that
    end value times the squared number of steps of the fall.
    """
    slack = exact(CHAIN_ROUNDINGS * _unit.get()) * (exact(step) * exact(high) + exact(rising_from))
    return enclosure[0] - slack, enclosure[1] + slack


def after_warmup(oracle: Callable[..., Enclosure]) -> Callable[..., Enclosure]:
    """An oracle with a linear warm-up before it: s/W from `warmup_start` to the base rate.

    The decay then counts its steps from the end of the warm-up; with clock="from zero" it ran all the time.
    """

    @wraps(oracle)
    def enclosure(
        step: Any, *, warmup_steps: int = 0, warmup_start: float = 0.0, clock: str = "after warm-up", **arguments: Any
    ) -> Enclosure:
        if step < warmup_steps:
            return warmup(step, warmup_steps, warmup_start, "zero")
        length = arguments.get("total_steps")
        near = told_apart(step, None if length is None else warmup_steps + length)
        passed = [step] if clock == "from zero" else [each - warmup_steps for each in near]
        return hull([oracle(max(each, Fraction(0)), **arguments) for each in passed])

    return enclosure


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


def polynomial(
    step: Any, total_steps: int, power: float, end: float, k_decay: float = 1.0, cycle: bool = False
) -> Enclosure:
    """f = f_end + (1 - f_end) (1 - p^a)^k: the article, `decay_lr_poly`; a: arXiv:2004.05909.

    With `cycle` T is the first multiple of T that is not below s (and T at s = 0).
    """
    if cycle and step > 0:
        quotient = Fraction(step) / max(total_steps, 1)
        multiples = {max(-whole, 1) for whole in floors(-quotient, step)}
        lengths = [total_steps * multiple for multiple in multiples]
    else:
        lengths = [total_steps]
    curve = lambda p: _towards(end, (1 - p ** exact(k_decay)) ** exact(power))  # noqa: E731
    return hull([enclose(curve, step, length, 1, end) for length in lengths])


def cosine(
    step: Any, total_steps: int, end: float, past_end: str = "holds", exponent: float = 1.0, k_decay: float = 1.0
) -> Enclosure:
    """f = f_end + (1 - f_end) ((1 + cos(pi p^k)) / 2)^e: arXiv:1608.03983, equation 5; the article.

    e is optax's, k timm's (arXiv:2004.05909). past_end="rises" lets p go on beyond 1, as torch does.
    """
    mp = _mp()

    def curve(p: Any, shift: Any = 0) -> Any:
        share = (1 + mp.cos(mp.pi * p ** exact(k_decay))) / 2
        return _towards(end, share if exponent == 1 else max(share + shift, 0) ** exact(exponent))

    if past_end == "rises" and total_steps and step > total_steps:
        progress = exact(Fraction(step) / total_steps)
        slack = 2 * progress * exact(PROGRESS_ROUNDINGS * _unit.get()) + exact(VALUE_ROUNDINGS * _unit.get())
        return spread(curve(progress), slack * (1 + exact(end)))
    if exponent == 1:
        return enclose(curve, step, total_steps, 1, end)
    # The sum 1 + cos is off by a few units, however small it is, and a root of it by more.
    few = exact(VALUE_ROUNDINGS * _unit.get())
    return hull([enclose(partial(curve, shift=shift), step, total_steps, 1, end) for shift in (-few, few)])


def one_minus_sqrt(step: Any, total_steps: int, end: float) -> Enclosure:
    """f = f_end + (1 - f_end) (1 - sqrt(p)): arXiv:2405.18392."""
    return enclose(lambda p: _towards(end, 1 - _mp().sqrt(p)), step, total_steps, 1, end)


def one_minus_square(step: Any, total_steps: int, end: float) -> Enclosure:
    """f = f_end + (1 - f_end) (1 - p^2): arXiv:2405.18392 and the authors' code."""
    return enclose(lambda p: _towards(end, 1 - p * p), step, total_steps, 1, end)


def mirror_cosine(step: Any, total_steps: int, end: float) -> Enclosure:
    """f = f_end + (1 - f_end) (2 (1 - p) - (1 + cos(pi p)) / 2): the authors' code of arXiv:2405.18392."""
    mp = _mp()
    low, high = enclose(lambda p: _towards(end, 2 * (1 - p) - (1 + mp.cos(mp.pi * p)) / 2), step, total_steps, 1, end)
    slack = exact(VALUE_ROUNDINGS * _unit.get()) if step < total_steps else 0  # terms of up to 2 are subtracted
    return low - slack, high + slack


def inverse_linear(step: Any, total_steps: int, end: float) -> Enclosure:
    """f = 1 / (1 - p + p / f_end): arXiv:2410.05192; deepmd-kit."""
    return enclose(lambda p: 1 / (1 - p + p / exact(end)), step, total_steps, 1, end)


def exponential(step: Any, total_steps: int, end: float) -> Enclosure:
    """f = f_end^p: arXiv:2404.06395, section 4 (their f, ended at f_end)."""
    return enclose(lambda p: exact(end) ** p, step, total_steps, 1, end)


def inverse_square_root(step: Any, timescale: int) -> Enclosure:
    """f = sqrt(T_0 / (T_0 + s)): arXiv:1706.03762, equation 3, from the end of the warm-up on, divided by its peak."""
    value = _mp().sqrt(exact(Fraction(timescale) / (timescale + Fraction(step))))
    slack = value * exact(VALUE_ROUNDINGS * _unit.get())
    return value - slack, value + slack


def piecewise(step: Any, milestones: list[int], values: list[float], switches: str = "at") -> Enclosure:
    """f = the value of the last milestone that is not above s; "after" it: below s (keras)."""
    later = switches == "after"
    value = held(values[sum(milestone < step if later else milestone <= step for milestone in milestones)])
    if _unit.get() == UNIT:
        return value
    few = 2 * len(milestones) * _unit.get()  # optax's: products of the quotients of values
    return value[0] * exact(1 - few), value[1] * exact(1 + few)


def step_decay(step: Any, gamma: float, step_size: int) -> Enclosure:
    """f = gamma^floor(s / S)."""
    return hull([to_the(gamma, count) for count in floors(Fraction(step) / Fraction(step_size), step)])


def multi_step(step: Any, milestones: list[int], gamma: float, switches: str = "at") -> Enclosure:
    """f = gamma^n, n milestones being passed; "before": one step early (timm)."""
    return to_the(gamma, sum(milestone <= step + (switches == "before") for milestone in milestones))


def exponential_decay(
    step: Any, decay_rate: float, decay_steps: int, staircase: bool = False, begin: int = 0, limit: float | None = None
) -> Enclosure:
    """f = r^(s / D), from step `begin` on; with `limit` not beyond it."""
    passed = max(Fraction(step) - begin, Fraction(0)) / decay_steps
    if staircase:
        found = hull([to_the(decay_rate, count) for count in floors(passed, step)])
    else:
        found = to_the(decay_rate, passed, exact_exponent=False)
    if limit is None:
        return found
    choose = max if decay_rate < 1 else min
    low, high = held(limit)
    return choose(found[0], low), choose(found[1], high)


def inverse_time_decay(step: Any, decay_rate: float, decay_steps: int, staircase: bool = False) -> Enclosure:
    """f = 1 / (1 + r s / D)."""
    passed = Fraction(step) / decay_steps
    shares = [Fraction(each) for each in floors(passed, step)] if staircase else [passed]
    slack = exact(VALUE_ROUNDINGS * _unit.get())
    values = [1 / (1 + exact(decay_rate) * exact(share)) for share in shares]
    return hull([spread(value, value * slack) for value in values])


def noam(step: Any, warmup_steps: int, dimension: int) -> Enclosure:
    """f = d^(-1/2) min(n^(-1/2), n W^(-3/2)) with n = s + 1: arXiv:1706.03762, equation 3."""
    mp, count = _mp(), exact(Fraction(step) + 1)
    rising = count / exact(max(warmup_steps, 1)) ** exact(Fraction(3, 2))
    value = min(1 / mp.sqrt(count), rising) / mp.sqrt(exact(dimension))
    return spread(value, value * exact(2 * VALUE_ROUNDINGS * _unit.get()))


def through(points: Sequence[tuple[Any, Any]], step: Any, anneal: str) -> Enclosure:
    """A curve through (step, value) points, by straight lines or half cosines; after the last it is held."""
    mp, last = _mp(), points[-1]
    if step >= last[0]:
        size = sum(abs(Fraction(value)) for _, value in points[-2:])  # it may be what the last phase comes to
        return spread(exact(last[1]), exact(VALUE_ROUNDINGS * _unit.get() * size))
    (a, first), (b, then) = next(pair for pair in zip(points, points[1:], strict=False) if step < pair[1][0])
    progress = (Fraction(step) - a) / (b - a)
    # a and b may be real numbers that were rounded, and the distances to them are differences
    error = PROGRESS_ROUNDINGS * _unit.get() * (1 + abs(b) / (b - a))

    def curve(p: Any) -> Any:
        share = p if anneal == "linear" else (1 - mp.cos(mp.pi * p)) / 2
        return exact(first) + (exact(then) - exact(first)) * share

    around = [curve(exact(min(max(progress + shift, 0), 1))) for shift in (-error, error)]
    slack = exact((VALUE_ROUNDINGS + len(points)) * _unit.get()) * (abs(exact(first)) + abs(exact(then)))
    return min(around) - slack, max(around) + slack


def interpolated(step: Any, milestones: list[int], values: list[float], anneal: str) -> Enclosure:
    """Through values[0] at step 0 and values[i] at milestones[i - 1]."""
    return through(_ahead(list(zip([0, *milestones], values, strict=True))), step, anneal)


def trapezoid(step: Any, warmup_steps: int, stable_steps: int, decay_steps: int, end: float, start: float) -> Enclosure:
    """f = the lowest of three lines: up, level, and down (arXiv:1802.08770); W or D = 0: the line is a jump."""
    total = warmup_steps + stable_steps + decay_steps
    if step >= total:
        return held(end)
    if step < warmup_steps:
        line, slack = exact(start) + (1 - exact(start)) * exact(Fraction(step) / warmup_steps), 1 + exact(start)
    elif step < warmup_steps + stable_steps:
        return held(1)
    else:
        line, slack = exact(end) + (1 - exact(end)) * exact(Fraction(total - step) / decay_steps), 1 + exact(end)
    few = (VALUE_ROUNDINGS + PROGRESS_ROUNDINGS * (1 + Fraction(total) / max(decay_steps, 1))) * _unit.get()
    return spread(line, slack * exact(few))


def power(step: Any, timescale: int, exponent: float) -> Enclosure:
    """f = min(1, (T_0 / s)^k): arXiv:2408.13359, in units of its eta_max, which it leaves at step T_0."""
    if step <= timescale:
        return held(1)
    value = exact(Fraction(timescale) / Fraction(step)) ** exact(exponent)
    few = VALUE_ROUNDINGS + PROGRESS_ROUNDINGS * Fraction(exponent)
    return spread(value, value * exact(few * _unit.get()) + exact(Fraction(1, 2**1022)))


def one_cycle_points(
    total_steps: int,
    peak_at: float,
    div_factor: float,
    final_div_factor: float,
    three_phase: bool = False,
    ends_at: str = "T-1",
    falls_to: float = 0.85,
) -> list[tuple[Fraction, Fraction]]:
    """The points of one cycle in units of the peak: first rate, peak, with three phases the first again, end."""
    first = 1 / Fraction(div_factor)
    last = first / Fraction(final_div_factor)
    share = Fraction(peak_at) * total_steps
    if ends_at == "T-1":
        between = [(2 * share - 2, first)] if three_phase else []
        return [(Fraction(0), first), (share - 1, Fraction(1)), *between, (Fraction(total_steps - 1), last)]

    def whole(share: Fraction) -> Fraction:  # a product that is whole but for the rounding of the share is whole
        return Fraction((share * (1 + 2 * UNIT)) // 1)

    between = [(whole(Fraction(falls_to) * total_steps), first)] if three_phase else []
    return [(Fraction(0), first), (whole(share), Fraction(1)), *between, (Fraction(total_steps), last)]


def one_cycle(step: Any, anneal: str = "cosine", **arguments: Any) -> Enclosure:
    """Up to the peak and down: arXiv:1708.07120, section 2; two phases: fast.ai's."""
    *points, end = one_cycle_points(**arguments)
    if arguments.get("ends_at", "T-1") == "T":  # in optax's dict by step, the last point of a step counts
        return through(_ahead([*points, end]), step, anneal)
    # torch's step T - 1 is within the first phase that goes on to it; here it is held from there on
    points = _ahead(points)
    before = sum(point[0] < end[0] for point in points)
    return through([*points[: before + 1], end][: before + 1], min(Fraction(step), end[0]), anneal)


def _ahead(points: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The points that no later one lies before or at: a phase of no steps is at its end."""
    return [p for i, p in enumerate(points) if all(q[0] > p[0] for q in points[i + 1 :])]


def cyclic(step: Any, low: float, up: int, down: int, mode: str, gamma: float = 1.0) -> Enclosure:
    """f = f_low + (1 - f_low) h m: up in U steps, down in D; m: 1, halved each cycle, or gamma^s: arXiv:1506.01186."""
    unit, total = _unit.get(), up + down
    found = []
    for cycle in floors(Fraction(step) / total, step):
        place = min(max(Fraction(step) - cycle * total, Fraction(0)), Fraction(total))
        height = place / up if place <= up else (total - place) / Fraction(down)
        scale = {"triangular": held(1), "triangular2": held(Fraction(1, 2 ** min(cycle, 4000)))}.get(mode)
        scale = to_the(gamma, step) if scale is None else scale
        # 1 + s / (U + D) - cycle is a difference, which is divided by U / (U + D) or D / (U + D)
        error = PROGRESS_ROUNDINGS * unit * (1 + Fraction(step) / total) * total / min(up, down)
        rise = exact(1) - exact(low)
        ends = [rise * exact(height) * end for end in scale]
        slack = exact(error) * abs(rise) * max(map(abs, scale)) + exact(VALUE_ROUNDINGS * unit)
        found.append((exact(low) + min(ends) - slack, exact(low) + max(ends) + slack))
    return hull(found)


def cycle_at(step: Any, first_steps: int, cycle_mul: float) -> tuple[int, Fraction, Fraction]:
    """The cycle of a step, its first step and its length, exactly: cycles of T_0, T_0 m, T_0 m^2, ... steps."""
    length, start, index = Fraction(first_steps), Fraction(0), 0
    if cycle_mul == 1:
        index = int(Fraction(step) // length)
        return index, index * length, length
    while step >= start + length:
        start, length, index = start + length, length * Fraction(cycle_mul), index + 1
    return index, start, length


def cosine_restarts(
    step: Any,
    first_steps: int,
    cycle_mul: float,
    end: float,
    cycle_decay: float = 1.0,
    decays: str = "amplitude",
    num_cycles: int | None = None,
    k_decay: float = 1.0,
) -> Enclosure:
    """f = f_end + (1 - f_end) (1 + cos(pi p)) / 2 in each cycle: arXiv:1608.03983, equation 5."""
    mp, unit = _mp(), _unit.get()
    index, start, length = cycle_at(step, first_steps, cycle_mul)
    if num_cycles is not None and index >= num_cycles:
        return held(end)
    progress = (Fraction(step) - start) / length
    # s / T_0 less the cycles before it is a difference; at the first step of a cycle all of it is exact
    error = PROGRESS_ROUNDINGS * unit * (1 + Fraction(step) / length) if progress else Fraction(0)
    peak = exact(cycle_decay) ** index
    top = exact(end) + (1 - exact(end)) * peak if decays == "amplitude" else peak
    if step >= 1 / (4 * unit) and cycle_mul == 1 and error * length > Fraction(1, 4):
        error = Fraction(1)  # the precision cannot tell this step from its neighbours
    curve = lambda p: exact(end) + (top - exact(end)) * (1 + mp.cos(mp.pi * p ** exact(k_decay))) / 2  # noqa: E731
    around = [curve(exact(min(max(progress + shift, 0), 1))) for shift in (-error, error)]
    slack = exact((VALUE_ROUNDINGS + 2 * index * (cycle_decay != 1)) * unit) * (1 + exact(end))
    return min(around) - slack, max(around) + slack


def restarts_of(before: int, first_steps: int, cycle_mul: float, num_cycles: int | None = None, **_: Any) -> list[int]:
    """The first whole steps of the cycles that begin before a step, and of what comes after the last."""
    found: list[int] = []
    start, length = Fraction(0), Fraction(first_steps)
    while start < before and len(found) < 500 and (num_cycles is None or len(found) <= num_cycles):
        found.append(-int(-start // 1))
        start, length = start + length, length * Fraction(cycle_mul)
    return found


def cosine_hard_restarts(step: Any, total_steps: int, num_cycles: int) -> Enclosure:
    """f = (1 + cos(pi q)) / 2 with q the fraction of C s / T after its whole part; 0 from T on."""
    if step >= total_steps:
        return held(0)
    mp, unit = _mp(), _unit.get()
    turns = Fraction(step) * num_cycles / total_steps
    progress = turns % 1
    error = PROGRESS_ROUNDINGS * unit * (1 + turns) if progress else Fraction(0)
    around = [(1 + mp.cos(mp.pi * exact(min(max(progress + shift, 0), 1)))) / 2 for shift in (-error, error)]
    slack = exact(VALUE_ROUNDINGS * unit)
    return max(min(around) - slack, exact(0)), max(around) + slack


def tanh(step: Any, total_steps: int, lower: float, upper: float, end: float) -> Enclosure:
    """f = f_end + (1 - f_end) (1 - tanh(L (1 - p) + U p)) / 2: arXiv:1806.01593."""
    if step >= total_steps:
        return held(end)
    mp = _mp()
    curve = lambda p: _towards(end, (1 - mp.tanh(exact(lower) * (1 - p) + exact(upper) * p)) / 2)  # noqa: E731
    low, high = enclose(curve, step, total_steps, 1, end)
    slack = exact(PROGRESS_ROUNDINGS * _unit.get()) * (abs(exact(lower)) + abs(exact(upper)))
    return low - slack, high + slack


def warmup_stable_decay(decay: str) -> Callable[..., Enclosure]:
    """The oracle of Warmup-Stable-Decay with one of its decays: s/W; 1; the decay (arXiv:2404.06395, equation 1)."""
    shapes: dict[str, Callable[..., Enclosure]] = {
        "cosine": cosine,
        "linear": lambda step, total_steps, end: linear(step, total_steps, 1.0, end),
        "1-sqrt": one_minus_sqrt,
        "exponential": exponential,
        "1-square": one_minus_square,
        "mirror-cosine": mirror_cosine,
        "inverse-linear": inverse_linear,
    }

    def reference(
        step: Any, warmup_steps: int, stable_steps: int, decay_steps: int, end: float, start: float
    ) -> Enclosure:
        if step < warmup_steps:
            return warmup(step, warmup_steps, start, "zero")
        if step < warmup_steps + stable_steps:
            return exact(1), exact(1)
        before = warmup_steps + stable_steps
        end_of_all = before + decay_steps
        return hull(
            [shapes[decay](max(near - before, Fraction(0)), decay_steps, end) for near in told_apart(step, end_of_all)]
        )

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
    "1-square": ("f_decay = f_end + (1 - f_end) (1 - p^2)", "Haegele et al., 2024, arXiv:2405.18392"),
    "mirror-cosine": (
        "f_decay = f_end + (1 - f_end) (2 (1 - p) - (1 + cos(pi p)) / 2)",
        "Haegele et al., 2024, arXiv:2405.18392",
    ),
    "inverse-linear": ("f_decay = 1 / (1 - p + p / f_end)", "Wen et al., 2024, arXiv:2410.05192 (WSD-S)"),
}
_ABOVE_ZERO = ("exponential", "inverse-linear")  # decays whose end is above 0
_to_end = {"total_steps": "T", "end": "f_end"}
_progress = "p = min(s / T, 1)"

# --- a warm-up before a decay: options of every row that has them ---
_warmup_options: dict[str, tuple[Kind, Any]] = {
    "warmup_steps": ("steps", 0),
    "warmup_start": ("factor", 0.0),
    "clock": (("after warm-up", "from zero"), "after warm-up"),
}


def _edges(own: Callable[..., Sequence[int]]) -> Callable[..., list[int]]:
    """The edges of a decay, moved by the warm-up before it."""

    def edges(
        warmup_steps: int = 0, warmup_start: float = 0.0, clock: str = "after warm-up", **arguments: Any
    ) -> list[int]:
        shift = 0 if clock == "from zero" else warmup_steps
        return sorted({0, warmup_steps, *(shift + edge for edge in own(**arguments))})

    return edges


def _row(
    title: str,
    source: str,
    lines: tuple[str, ...],
    symbols: Mapping[str, Any],
    example: Mapping[str, Any],
    oracle: Callable[..., Enclosure],
    edges: Callable[..., Sequence[int]],
    *,
    options: Mapping[str, tuple[Kind, Any]] | None = None,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    warms_up: bool = True,
    **more: Any,
) -> Reference:
    """A row, with a warm-up among its options."""
    options = {**(options or {}), **(_warmup_options if warms_up else {})}
    after = {"a warm-up before it": {"warmup_steps": 3}} if warms_up else {}
    wrapped, moved = (after_warmup(oracle), _edges(edges)) if warms_up else (oracle, edges)
    variants = {**(variants or {}), **after}
    return Reference(
        title, source, lines, symbols, example, wrapped, edges=moved, options=options, variants=variants, **more
    )


def _to(total_steps: int, **_: Any) -> list[int]:
    return [0, total_steps]


def _at_milestones(milestones: list[int], **_: Any) -> list[int]:
    return [0, *milestones]


def _some_restarts(**arguments: Any) -> list[int]:
    return restarts_of(2**31, **arguments)[:40]


def _cosine_lines(past_end: str, exponent: float, k_decay: float) -> tuple[str, ...]:
    share, power = "(1 + cos(pi p)) / 2", "p^k" if k_decay != 1 else "p"
    share = share.replace("pi p", f"pi {power}")
    share = share if exponent == 1 else f"({share})^e"
    return ("p = s / T" if past_end == "rises" else _progress, f"f = f_end + (1 - f_end) {share}")


def _polynomial_lines(k_decay: float, cycle: bool) -> tuple[str, ...]:
    length = ("n = max(ceil(s / T), 1)", "p = s / (n T)") if cycle else (_progress,)
    return (*length, f"f = f_end + (1 - f_end) (1 - {'p^a' if k_decay != 1 else 'p'})^k")


def _piecewise_lines(switches: str) -> tuple[str, ...]:
    sign = "<=" if switches == "after" else "<"
    return (f"f = (v1 if s {sign} m1 else (v2 if s {sign} m2 else v3))",)


def _multi_step_lines(switches: str) -> tuple[str, ...]:
    step = "s + 1" if switches == "before" else "s"
    return (f"f = (1 if {step} < m1 else (gamma if {step} < m2 else gamma^2))",)


def _exponential_decay_lines(staircase: bool, begin: int, limit: float | None) -> tuple[str, ...]:
    passed = "max(s - b, 0) / D" if begin else "s / D"
    value = f"r^{'floor' if staircase else ''}({passed})"
    return (f"f = {value}" if limit is None else f"f = max({value}, f_lim)",)


def _inverse_time_lines(staircase: bool) -> tuple[str, ...]:
    return (f"f = 1 / (1 + r {'floor(s / D)' if staircase else 's / D'})",)


def _one_cycle_lines(anneal: str, three_phase: bool, ends_at: str, falls_to: float) -> tuple[str, ...]:
    share = {"cosine": "(1 - cos(pi {})) / 2", "linear": "{}"}[anneal]
    first, last = ("P T - 1", "T - 1") if ends_at == "T-1" else ("floor(P T)", "T")
    second = ("2 P T - 2" if ends_at == "T-1" else "floor(Q T)") if three_phase else ""
    begins, level = ("s2", "f_0") if three_phase else ("s1", "1")
    lines = [f"s1 = {first}", *([f"s2 = {second}"] if three_phase else []), "f_0 = 1 / c", "f_end = f_0 / d"]
    lines.append("p1 = min(s / s1, 1)")
    if three_phase:
        lines.append("p2 = max(min((s - s1) / (s2 - s1), 1), 0)")
    lines.append(f"p3 = max(min((s - {begins}) / ({last} - {begins}), 1), 0)")
    third = f"{level} + (f_end - {level}) {share.format('p3')}"
    second_phase = f"(1 + (f_0 - 1) {share.format('p2')} if s < s2 else {third})" if three_phase else third
    lines.append(f"f = (f_0 + (1 - f_0) {share.format('p1')} if s < s1 else {second_phase})")
    return tuple(lines)


def _cyclic_lines(mode: str) -> str:
    return {"triangular": "m = 1", "triangular2": "m = 0.5^i", "exp_range": "m = gamma^s"}[mode]


def _restart_lines(cycle_decay: float, decays: str, num_cycles: int | None, k_decay: float) -> tuple[str, ...]:
    """With cycles of one length; the general case is in words."""
    peak = "" if cycle_decay == 1 else "h^i "
    share = f"(1 + cos(pi {'p^k' if k_decay != 1 else 'p'})) / 2"
    top = "(1 - f_end) " + peak if decays == "amplitude" or not peak else "(h^i - f_end) "
    value = f"f_end + {top}{share}"
    return (
        "i = floor(s / T_0)",
        "p = s / T_0 - i",
        f"f = {value}" if num_cycles is None else f"f = ({value} if i < C else f_end)",
    )


def _interpolated_lines(anneal: str) -> tuple[str, ...]:
    share = {"cosine": "(1 - cos(pi {})) / 2", "linear": "{}"}[anneal]
    return (
        "p1 = min(s / m1, 1)",
        "p2 = max(min((s - m1) / (m2 - m1), 1), 0)",
        f"f = (v1 + (v2 - v1) {share.format('p1')} if s < m1 else v2 + (v3 - v2) {share.format('p2')})",
    )


REFERENCES: dict[str, Reference] = {
    "constant": Reference(
        "A constant factor",
        "none",
        ("f = c",),
        {"factor": "c"},
        {"factor": 0.5, "total_steps": 4},
        constant,
        "It never ends.",
        arguments={"factor": "factor", "total_steps": "steps"},
        edges=lambda factor, total_steps: [0],
        endless=True,
        defaults={"factor": 1.0, "total_steps": None},
    ),
    "linear": _row(
        "A straight line",
        "none",
        (_progress, "f = f_0 + (f_end - f_0) p"),
        {"total_steps": "T", "start": "f_0", "end": "f_end"},
        {"total_steps": 8, "start": 1.0, "end": 0.0},
        linear,
        _to,
        arguments={"total_steps": "steps", "start": "factor", "end": "factor"},
        defaults={"start": 1.0, "end": 0.0},
    ),
    "warmup": Reference(
        "Linear warm-up",
        "Goyal et al., 2017, arXiv:1706.02677, section 2.2",
        ("p = min(s / W, 1)", "f = f_0 + (1 - f_0) p"),
        {"steps": "W", "start": "f_0"},
        {"steps": 5, "start": 0.0, "first_step": "zero"},
        warmup,
        'From step W on it stays at 1. first_step="1/W" counts s from 1: the first step is not wasted.',
        arguments={"steps": "steps", "start": "factor", "first_step": ("zero", "1/W")},
        edges=lambda steps, **_: [0, steps],
        defaults={"start": 0.0, "first_step": "zero"},
    ),
    "polynomial": _row(
        "Polynomial decay",
        "the article, decay_lr_poly",
        (_progress, "f = f_end + (1 - f_end) (1 - p)^k"),
        {**_to_end, "power": "k"},
        {"total_steps": 8, "power": 2.0, "end": 0.0},
        polynomial,
        lambda total_steps, cycle=False, **_: [total_steps * n for n in range(30 if cycle else 2)],
        arguments={"total_steps": "steps", "power": "power", "end": "factor"},
        defaults={"power": 1.0, "end": 0.0},
        options={"k_decay": ("power", 1.0), "cycle": ("switch", False)},
        option_symbols={"k_decay": "a"},
        variants={"keras, cycle=True": {"cycle": True}, "timm": {"k_decay": 1.5}},
        lines_of=_polynomial_lines,
    ),
    "cosine": _row(
        "Cosine decay",
        _decays["cosine"][1],
        (_progress, _decays["cosine"][0].replace("f_decay", "f")),
        _to_end,
        {"total_steps": 8, "end": 0.0},
        cosine,
        _to,
        ends="From step T on it stays at f_end (torch's rises again).",
        arguments={"total_steps": "steps", "end": "factor"},
        defaults={"end": 0.0},
        options={"past_end": (("holds", "rises"), "holds"), "exponent": ("power", 1.0), "k_decay": ("power", 1.0)},
        option_symbols={"exponent": "e", "k_decay": "k"},
        variants={"torch, transformers": {"past_end": "rises"}, "optax": {"exponent": 2.0}, "timm": {"k_decay": 1.5}},
        lines_of=_cosine_lines,
        dialects={"torch": {"past_end": "rises"}, "transformers": {"past_end": "rises"}},
    ),
    "one_minus_sqrt": _row(
        "1 - sqrt cool-down",
        _decays["1-sqrt"][1],
        (_progress, _decays["1-sqrt"][0].replace("f_decay", "f")),
        _to_end,
        {"total_steps": 8, "end": 0.0},
        one_minus_sqrt,
        _to,
        arguments={"total_steps": "steps", "end": "factor"},
        defaults={"end": 0.0},
    ),
    "one_minus_square": _row(
        "1 - square cool-down",
        _decays["1-square"][1],
        (_progress, _decays["1-square"][0].replace("f_decay", "f")),
        _to_end,
        {"total_steps": 8, "end": 0.0},
        one_minus_square,
        _to,
        arguments={"total_steps": "steps", "end": "factor"},
        defaults={"end": 0.0},
    ),
    "mirror_cosine": _row(
        "Mirrored cosine cool-down",
        _decays["mirror-cosine"][1],
        (_progress, _decays["mirror-cosine"][0].replace("f_decay", "f")),
        _to_end,
        {"total_steps": 8, "end": 0.0},
        mirror_cosine,
        _to,
        arguments={"total_steps": "steps", "end": "factor"},
        defaults={"end": 0.0},
    ),
    "inverse_linear": _row(
        "Inverse linear decay",
        _decays["inverse-linear"][1],
        (_progress, _decays["inverse-linear"][0].replace("f_decay", "f")),
        _to_end,
        {"total_steps": 8, "end": 0.01},
        inverse_linear,
        _to,
        arguments={"total_steps": "steps", "end": "positive"},
    ),
    "exponential": _row(
        "Exponential decay",
        _decays["exponential"][1],
        (_progress, "f = f_end^p"),
        _to_end,
        {"total_steps": 8, "end": 0.01},
        exponential,
        _to,
        arguments={"total_steps": "steps", "end": "positive"},
    ),
    "inverse_square_root": _row(
        "Inverse square root decay",
        "Vaswani et al., 2017, arXiv:1706.03762, section 5.3, equation 3",
        ("f = sqrt(T_0 / (T_0 + s))",),
        {"timescale": "T_0"},
        {"timescale": 4},
        inverse_square_root,
        lambda timescale: [0],
        ends="It never ends. After a warm-up of T_0 steps it is the paper's decay, divided by its peak.",
        arguments={"timescale": "timescale"},
        endless=True,
    ),
    "piecewise": _row(
        "Piecewise constant",
        "none",
        _piecewise_lines("at"),
        {"milestones": ("m1", "m2"), "values": ("v1", "v2", "v3")},
        {"milestones": [3, 6], "values": [1.0, 0.1, 0.01]},
        piecewise,
        _at_milestones,
        ends="A milestone belongs to what follows it (keras: to what precedes). Any number of milestones; here two.",
        arguments={"milestones": "milestones", "values": "values"},
        options={"switches": (("at", "after"), "at")},
        variants={"keras": {"switches": "after"}},
        lines_of=_piecewise_lines,
        dialects={"keras": {"switches": "after"}},
        warms_up=False,
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
                "end": 0.01 if name in _ABOVE_ZERO else 0.0,
                "start": 0.0,
            },
            warmup_stable_decay(name),
            "From step W + S + D on it stays at f_end.",
            arguments={
                "warmup_steps": "steps",
                "stable_steps": "steps",
                "decay_steps": "steps",
                "end": "positive" if name in _ABOVE_ZERO else "factor",
                "start": "factor",
            },
            edges=lambda warmup_steps, stable_steps, decay_steps, **_: list(
                accumulate([0, warmup_steps, stable_steps, decay_steps])
            ),
            defaults={"start": 0.0, **({} if name in _ABOVE_ZERO else {"end": 0.0})},
        )
        for name, (line, source) in _decays.items()
    },
    "step": _row(
        "Step decay",
        "torch, StepLR; timm, StepLRScheduler",
        ("f = gamma^floor(s / S)",),
        {"gamma": "gamma", "step_size": "S"},
        {"gamma": 0.5, "step_size": 3},
        step_decay,
        lambda step_size, **_: [step_size * n for n in range(30)],
        ends="It never ends.",
        arguments={"gamma": "factor", "step_size": "timescale"},
        endless=True,
    ),
    "multi_step": _row(
        "Multi-step decay",
        "torch, MultiStepLR; He et al., 2016, arXiv:1512.03385, section 4.2",
        _multi_step_lines("at"),
        {"milestones": ("m1", "m2"), "gamma": "gamma"},
        {"milestones": [3, 6], "gamma": 0.1},
        multi_step,
        _at_milestones,
        ends="A milestone belongs to what follows it; timm's are passed one step early. Any number of milestones, also "
        "one twice.",
        arguments={"milestones": "milestones", "gamma": "factor"},
        defaults={"gamma": 0.1},
        options={"switches": (("at", "before"), "at")},
        variants={"timm": {"switches": "before"}},
        lines_of=_multi_step_lines,
        dialects={"timm": {"switches": "before"}},
    ),
    "exponential_decay": _row(
        "Exponential decay at a rate",
        "keras, ExponentialDecay; torch, ExponentialLR (D = 1); optax, exponential_decay",
        ("f = r^(s / D)",),
        {"decay_rate": "r", "decay_steps": "D"},
        {"decay_rate": 0.5, "decay_steps": 4},
        exponential_decay,
        lambda decay_steps, begin=0, **_: [0, begin, *(begin + decay_steps * n for n in range(1, 30))],
        ends="It never ends.",
        arguments={"decay_rate": "factor", "decay_steps": "timescale"},
        defaults={"decay_steps": 1},
        endless=True,
        options={"staircase": ("switch", False), "begin": ("steps", 0), "limit": ("factor", None)},
        option_symbols={"begin": "b", "limit": "f_lim"},
        variants={"keras, optax, staircase=True": {"staircase": True}, "optax": {"begin": 2, "limit": 0.25}},
        lines_of=_exponential_decay_lines,
    ),
    "inverse_time_decay": _row(
        "Inverse time decay",
        "keras, InverseTimeDecay; Robbins & Monro, 1951",
        _inverse_time_lines(False),
        {"decay_rate": "r", "decay_steps": "D"},
        {"decay_rate": 0.5, "decay_steps": 4},
        inverse_time_decay,
        lambda decay_steps, **_: [decay_steps * n for n in range(30)],
        ends="It never ends.",
        arguments={"decay_rate": "positive", "decay_steps": "timescale"},
        defaults={"decay_steps": 1},
        endless=True,
        options={"staircase": ("switch", False)},
        variants={"keras, staircase=True": {"staircase": True}},
        lines_of=_inverse_time_lines,
    ),
    "noam": _row(
        "The Transformer's schedule (Noam)",
        "Vaswani et al., 2017, arXiv:1706.03762, section 5.3, equation 3",
        ("n = s + 1", "f = min(1 / sqrt(n), n / (W sqrt(W))) / sqrt(d)"),
        {"warmup_steps": "W", "dimension": "d"},
        {"warmup_steps": 4, "dimension": 16},
        noam,
        lambda warmup_steps, **_: [0, warmup_steps],
        ends="It never ends. The paper's first step is 1.",
        arguments={"warmup_steps": "timescale", "dimension": "timescale"},
        endless=True,
        warms_up=False,
    ),
    "one_cycle": _row(
        "One cycle",
        "Smith & Topin, 2018, arXiv:1708.07120, section 2; torch, OneCycleLR; optax, cosine_onecycle_schedule",
        _one_cycle_lines("cosine", False, "T-1", 0.85),
        {"total_steps": "T", "peak_at": "P", "div_factor": "c", "final_div_factor": "d"},
        {"total_steps": 10, "peak_at": 0.3, "div_factor": 25.0, "final_div_factor": 1e4},
        one_cycle,
        lambda total_steps, **rest: [
            -int(-point // 1)
            for point, _ in one_cycle_points(total_steps, **{k: v for k, v in rest.items() if k != "anneal"})
        ],
        ends="f is the factor of the peak. It has T steps, 0 to T - 1; from there on it stays at f_end.",
        arguments={
            "total_steps": "timescale",
            "peak_at": "share",
            "div_factor": "positive",
            "final_div_factor": "positive",
        },
        defaults={"peak_at": 0.3, "div_factor": 25.0, "final_div_factor": 1e4},
        options={
            "anneal": (("cosine", "linear"), "cosine"),
            "three_phase": ("switch", False),
            "ends_at": (("T-1", "T"), "T-1"),
            "falls_to": ("share", 0.85),
        },
        option_symbols={"falls_to": "Q"},
        variants={
            "torch, anneal_strategy='linear'": {"anneal": "linear"},
            "torch, three_phase=True (the paper's)": {"three_phase": True},
            "optax, cosine_onecycle_schedule": {"ends_at": "T"},
            "optax, linear_onecycle_schedule": {"ends_at": "T", "three_phase": True, "anneal": "linear"},
        },
        lines_of=_one_cycle_lines,
        dialects={"optax": {"ends_at": "T"}},
        warms_up=False,
    ),
    **{
        f"cyclic, {mode}": Reference(
            f"Cyclic ({mode})",
            "Smith, 2017, arXiv:1506.01186, section 3.2",
            (
                "i = floor(s / (U + D))",
                "x = s - i (U + D)",
                "h = (x / U if x <= U else (U + D - x) / D)",
                _cyclic_lines(mode),
                "f = f_low + (1 - f_low) h m",
            ),
            {"low": "f_low", "up": "U", "down": "D", **({"gamma": "gamma"} if mode == "exp_range" else {})},
            {"low": 0.1, "up": 3, "down": 4, **({"gamma": 0.9} if mode == "exp_range" else {})},
            partial(cyclic, mode=mode),
            "f is the factor of the highest rate. It never ends.",
            arguments={
                "low": "factor",
                "up": "timescale",
                "down": "timescale",
                **({"gamma": "decay"} if mode == "exp_range" else {}),
            },
            edges=lambda up, down, **_: sorted({n * (up + down) + more for n in range(20) for more in (0, up)}),
            endless=True,
        )
        for mode in ("triangular", "triangular2", "exp_range")
    },
    "cosine_restarts": _row(
        "Cosine decay with warm restarts",
        "Loshchilov & Hutter, ICLR 2017, arXiv:1608.03983, eq. 5",
        _restart_lines(1.0, "amplitude", None, 1.0),
        {"first_steps": "T_0", "end": "f_end"},
        {"first_steps": 4, "cycle_mul": 1.0, "end": 0.0},
        cosine_restarts,
        _some_restarts,
        ends="It never ends, unless `num_cycles` says how many there are. With `cycle_mul` each cycle is so many times "
        "as long as the one before it, and begins at the sum of their lengths; the lines have cycles of one length.",
        arguments={"first_steps": "timescale", "cycle_mul": "multiple", "end": "factor"},
        defaults={"cycle_mul": 1.0, "end": 0.0},
        endless=True,
        options={
            "cycle_decay": ("positive", 1.0),
            "decays": (("amplitude", "peak"), "amplitude"),
            "num_cycles": ("timescale", None),
            "k_decay": ("power", 1.0),
        },
        option_symbols={"cycle_decay": "h", "num_cycles": "C", "k_decay": "k"},
        variants={
            "keras, m_mul": {"cycle_decay": 0.5},
            "timm": {"cycle_decay": 0.5, "decays": "peak", "num_cycles": 2, "k_decay": 1.5},
        },
        lines_of=_restart_lines,
        dialects={"timm": {"decays": "peak"}},
        restarts=restarts_of,
    ),
    "cosine_hard_restarts": _row(
        "Cosine decay with hard restarts",
        "transformers, get_cosine_with_hard_restarts_schedule_with_warmup",
        ("q = C s / T", "f = ((1 + cos(pi (q - floor(q)))) / 2 if s < T else 0)"),
        {"total_steps": "T", "num_cycles": "C"},
        {"total_steps": 12, "num_cycles": 3},
        cosine_hard_restarts,
        lambda total_steps, num_cycles: sorted(
            {-(-total_steps * n // num_cycles) for n in range(min(num_cycles, 40))} | {total_steps}
        ),
        ends="From step T on it is 0.",
        arguments={"total_steps": "timescale", "num_cycles": "timescale"},
        defaults={"num_cycles": 1},
    ),
    "tanh": _row(
        "Hyperbolic tangent decay",
        "Hsueh et al., 2019, arXiv:1806.01593; timm, TanhLRScheduler",
        ("p = s / T", "f = (f_end + (1 - f_end) (1 - tanh(L (1 - p) + U p)) / 2 if s < T else f_end)"),
        {**_to_end, "lower": "L", "upper": "U"},
        {"total_steps": 8, "lower": -6.0, "upper": 3.0, "end": 0.0},
        tanh,
        _to,
        ends="From step T on it stays at f_end (a small jump).",
        arguments={"total_steps": "timescale", "lower": "real", "upper": "real", "end": "factor"},
        defaults={"lower": -6.0, "upper": 3.0, "end": 0.0},
    ),
    "interpolated": _row(
        "Interpolated between milestones",
        "optax, piecewise_interpolate_schedule",
        _interpolated_lines("linear"),
        {"milestones": ("m1", "m2"), "values": ("v1", "v2", "v3")},
        {"milestones": [3, 6], "values": [0.1, 1.0, 0.01], "anneal": "linear"},
        interpolated,
        _at_milestones,
        ends="It passes a value at each milestone, and stays at the last. Any number of milestones; here two.",
        arguments={"milestones": "milestones", "values": "values", "anneal": ("linear", "cosine")},
        defaults={"anneal": "linear"},
        warms_up=False,
    ),
    "trapezoid": Reference(
        "Trapezoid",
        "Xing et al., 2018, arXiv:1802.08770; Haegele et al., 2024, arXiv:2405.18392",
        (
            "f_up = f_0 + (1 - f_0) s / W",
            "f_down = f_end + (1 - f_end) max((W + S + D - s) / D, 0)",
            "f = (f_up if s < W else (1 if s < W + S else f_down))",
        ),
        {"warmup_steps": "W", "stable_steps": "S", "decay_steps": "D", "end": "f_end", "start": "f_0"},
        {"warmup_steps": 3, "stable_steps": 3, "decay_steps": 4, "end": 0.0, "start": 0.0},
        trapezoid,
        "From step W + S + D on it stays at f_end. It is Warmup-Stable-Decay with a straight line.",
        arguments={
            "warmup_steps": "steps",
            "stable_steps": "steps",
            "decay_steps": "steps",
            "end": "factor",
            "start": "factor",
        },
        edges=lambda warmup_steps, stable_steps, decay_steps, **_: list(
            accumulate([0, warmup_steps, stable_steps, decay_steps])
        ),
        defaults={"start": 0.0, "end": 0.0},
    ),
    "power": _row(
        "Power decay",
        "Shen et al., 2024, arXiv:2408.13359",
        ("f = (1 if s <= T_0 else (T_0 / s)^k)",),
        {"timescale": "T_0", "exponent": "k"},
        {"timescale": 4, "exponent": 0.51},
        power,
        lambda timescale, exponent: [0, timescale],
        ends="It never ends. The paper's rate is min(eta_max, beta a n^b) after n tokens, in batches of beta: f "
        "is that rate divided by eta_max, T_0 the step at which both are one, and k = -b.",
        arguments={"timescale": "timescale", "exponent": "power"},
        defaults={"exponent": 0.51},
        endless=True,
    ),
}
