"""`SCHEDULES`: one row per schedule. The tests, the documents and `tinygrad-lr train --schedule` follow from the rows.

A row is one half of a schedule. The other half is its reference in `verify/formulas/schedules.py`, which is written
apart from this room: the formula as it is printed, and the values that are right.
This file imports NumPy only when a schedule is built, because `tinygrad-lr --help` reads it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .base import Schedule

KINDS = {
    "steps": "the length of a phase, at least 0",
    "timescale": "a number of steps that is no phase's length, at least 1",
    "factor": "a factor of the base rate, at least 0",
    "positive": "a factor above 0",
    "power": "an exponent above 0",
    "decay": "a factor above 0 and at most 1",
    "share": "a share of the steps, from 0 to 1",
    "multiple": "a number of at least 1",
    "real": "any number",
    "milestones": "steps in ascending order",
    "values": "factors, one more than there are milestones",
}


class RunSteps(NamedTuple):
    """The phases of a training in steps, and the exponent that `--power` gives."""

    warmup: int
    stable: int
    decay: int
    power: float


class Row(NamedTuple):
    """A schedule's name and constructor, and its promises as functions of the constructor's arguments.

    Attributes:
        arguments: the kind of each argument: a key of `KINDS`, or the words that it may be.
        ends: first and last factor (at step 0 and from step T on); for T = 0 the last one holds. The last factor of an
            endless schedule is its limit (infinity where it grows), and one of its cycles' ends where it has none. None
            as first factor: step 0 lies within a curve, and its factor is no number of the arguments.
        directions: for each phase +1 (never falls), -1 (never rises), 0 (flat), or None (it may do both).
        continuous: no jump within or between phases.
        turns: factors where phases meet that lie above or below both ends.
        starts: the first steps of the phases, where these follow from other arguments than "steps" and "milestones". Of
            a schedule with cycles the first few, and one phase (None) for all others.
        holds_from: the step from which the end value is held, with `starts`; None: it is endless.
        exact_ends: the ends are numbers among the arguments, or 0 or 1. False: they are computed, and may be rounded.
        constructor: the function in `phases.py`, where it has another name.
        fixed: arguments of the constructor that the row gives.
        aliases: other names. The command line uses the first one, where there is one.
        for_run: the constructor's arguments after the warm-up of a training; None: `train` does not offer it.
        options: the options of `train` that belong to this schedule alone.
    """

    name: str
    arguments: dict[str, str | tuple[str, ...]]
    ends: Callable[..., tuple[float | None, float]]
    directions: Callable[..., tuple[int | None, ...]]
    continuous: bool = True
    turns: Callable[..., tuple[float, ...]] | None = None
    starts: Callable[..., tuple[int, ...]] | None = None
    holds_from: Callable[..., int] | None = None
    exact_ends: bool = True
    constructor: str = ""
    fixed: Mapping[str, Any] = {}
    aliases: tuple[str, ...] = ()
    for_run: Callable[[RunSteps], dict[str, Any]] | None = None
    options: tuple[str, ...] = ()

    @property
    def build(self) -> Callable[..., Schedule]:
        """The constructor, with the row's fixed arguments in place."""
        from . import phases

        constructor: Callable[..., Schedule] = getattr(phases, self.constructor or self.name)
        return partial(constructor, **self.fixed) if self.fixed else constructor

    @property
    def short_name(self) -> str:
        """The name on the command line."""
        return self.aliases[0] if self.aliases else self.name

    def build_for(self, run: RunSteps) -> Schedule:
        """The schedule of a training, with its warm-up.

        Raises:
            ValueError: a training cannot be built from this row, or the row needs other numbers of steps.

        Example:
            >>> SCHEDULES["cosine"].build_for(RunSteps(warmup=5, stable=0, decay=95, power=1.0))
            warmup(5).then(cosine(95))
        """
        from .phases import warmup

        if self.for_run is None:
            raise ValueError(f"a training cannot be built from the schedule {self.name!r} alone")
        arguments = self.for_run(run)
        schedule = self.build(**arguments)
        if "warmup_steps" in arguments or run.warmup == 0:
            return schedule
        return warmup(run.warmup).then(schedule)


def _sign(first: float, last: float) -> int:
    return (last > first) - (last < first)


def _warmup_ends(steps: int, start: float = 0.0, first_step: str = "zero") -> tuple[float, float]:
    share = 0.0 if first_step == "zero" else 1.0 / max(steps, 1)
    return start * (1.0 - share) + share, 1.0


def _limit_of_powers(base: float) -> float:
    return 0.0 if base < 1 else (1.0 if base == 1 else math.inf)


def _pairs(milestones: list[int], values: list[float]) -> Iterator[tuple[float, float]]:
    return zip(values, values[1:], strict=False)


def _noam_at(count: int, warmup_steps: int, dimension: int) -> float:
    return min(1 / math.sqrt(count), count / (warmup_steps * math.sqrt(warmup_steps))) / math.sqrt(dimension)


def _peak(total_steps: int, peak_at: float) -> int:
    """The first whole step that is not before the peak of one cycle."""
    return math.ceil(Fraction(peak_at) * total_steps - 1)


def _one_cycle_phases(total_steps: int, peak_at: float) -> tuple[int, ...]:
    peak = _peak(total_steps, peak_at)
    return (0, peak) if 0 < peak < total_steps - 1 else (0,)


def _one_cycle_directions(
    total_steps: int, peak_at: float, div_factor: float, final_div_factor: float
) -> tuple[int | None, ...]:
    falls = _sign(1.0, 1 / div_factor / final_div_factor)
    if len(_one_cycle_phases(total_steps, peak_at)) == 2:
        return _sign(1 / div_factor, 1.0), falls
    return (falls if _peak(total_steps, peak_at) <= 0 else None,)


SHOWN = 10  # cycles whose phases are promised one by one; the rest are one phase


def _cyclic_starts(up: int, down: int) -> tuple[int, ...]:
    return tuple(n * (up + down) + more for n in range(SHOWN) for more in (0, up)) + (SHOWN * (up + down),)


def _restarts(first_steps: int, cycle_mul: float) -> tuple[int, ...]:
    """The first whole steps of the first cycles, and of all others together."""
    starts, length = [Fraction(0)], Fraction(first_steps)
    while len(starts) <= SHOWN:
        starts.append(starts[-1] + length)
        length *= Fraction(cycle_mul)
    return tuple(math.ceil(start) for start in starts)


def _hard_restarts(total_steps: int, num_cycles: int) -> tuple[int, ...]:
    return tuple(-(-total_steps * n // num_cycles) for n in range(min(num_cycles, SHOWN + 1)))


def _wsd_run(run: RunSteps) -> dict[str, Any]:
    return {"warmup_steps": run.warmup, "stable_steps": run.stable, "decay_steps": run.decay}


_rows = (
    Row(
        "constant",
        {"factor": "factor", "total_steps": "steps"},
        ends=lambda factor, total_steps: (factor, factor),
        directions=lambda factor, total_steps: (0,),
        for_run=lambda run: {},
    ),
    Row(
        "linear",
        {"total_steps": "steps", "start": "factor", "end": "factor"},
        ends=lambda total_steps, start, end: (start, end),
        directions=lambda total_steps, start, end: (_sign(start, end),),
        for_run=lambda run: {"total_steps": run.decay},
    ),
    Row(
        "warmup",
        {"steps": "steps", "start": "factor", "first_step": ("zero", "1/W")},
        ends=_warmup_ends,
        directions=lambda steps, start, first_step: (_sign(start, 1.0),),
    ),
    Row(
        "polynomial",
        {"total_steps": "steps", "power": "power", "end": "factor"},
        ends=lambda total_steps, power, end: (1.0, end),
        directions=lambda total_steps, power, end: (_sign(1.0, end),),
        for_run=lambda run: {"total_steps": run.decay, "power": run.power},
        options=("power",),
    ),
    Row(
        "cosine",
        {"total_steps": "steps", "end": "factor"},
        ends=lambda total_steps, end: (1.0, end),
        directions=lambda total_steps, end: (_sign(1.0, end),),
        for_run=lambda run: {"total_steps": run.decay},
    ),
    Row(
        "one_minus_sqrt",
        {"total_steps": "steps", "end": "factor"},
        ends=lambda total_steps, end: (1.0, end),
        directions=lambda total_steps, end: (_sign(1.0, end),),
        aliases=("1-sqrt",),
        for_run=lambda run: {"total_steps": run.decay},
    ),
    *(
        Row(
            name,
            {"total_steps": "steps", "end": "positive" if name == "inverse_linear" else "factor"},
            ends=lambda total_steps, end: (1.0, end),
            directions=lambda total_steps, end: (_sign(1.0, end),),
        )
        for name in ("one_minus_square", "mirror_cosine", "inverse_linear")
    ),
    Row(
        "exponential",
        {"total_steps": "steps", "end": "positive"},
        ends=lambda total_steps, end: (1.0, end),
        directions=lambda total_steps, end: (_sign(1.0, end),),
    ),
    Row(
        "inverse_square_root",
        {"timescale": "timescale"},
        ends=lambda timescale: (1.0, 0.0),
        directions=lambda timescale: (-1,),
        for_run=lambda run: {"timescale": run.warmup or run.decay},  # the paper's warm-up; without one, the whole run
    ),
    Row(
        "piecewise",
        {"milestones": "milestones", "values": "values"},
        ends=lambda milestones, values: (values[1] if milestones[:1] == [0] else values[0], values[-1]),
        directions=lambda milestones, values: (0,) * len(values),
        continuous=False,
    ),
    *(
        Row(
            f"warmup_stable_decay, {decay}",
            {
                "warmup_steps": "steps",
                "stable_steps": "steps",
                "decay_steps": "steps",
                "end": "positive" if decay in ("exponential", "inverse-linear") else "factor",
                "start": "factor",
            },
            ends=lambda warmup_steps, stable_steps, decay_steps, end, start: (start if warmup_steps else 1.0, end),
            directions=lambda warmup_steps, stable_steps, decay_steps, end, start: (
                _sign(start, 1.0),
                0,
                _sign(1.0, end),
            ),
            constructor="warmup_stable_decay",
            fixed={"decay": decay},
            aliases=("wsd", "warmup_stable_decay") if decay == "cosine" else (),
            for_run=_wsd_run if decay == "cosine" else None,
            options=("stable_epochs",) if decay == "cosine" else (),
        )
        for decay in ("cosine", "linear", "1-sqrt", "exponential", "1-square", "mirror-cosine", "inverse-linear")
    ),
    Row(
        "trapezoid",
        {"warmup_steps": "steps", "stable_steps": "steps", "decay_steps": "steps", "end": "factor", "start": "factor"},
        ends=lambda warmup_steps, stable_steps, decay_steps, end, start: (start if warmup_steps else 1.0, end),
        directions=lambda warmup_steps, stable_steps, decay_steps, end, start: (_sign(start, 1.0), 0, _sign(1.0, end)),
    ),
    Row(
        "interpolated",
        {"milestones": "milestones", "values": "values", "anneal": ("linear", "cosine")},
        ends=lambda milestones, values, anneal: (values[1] if milestones[:1] == [0] else values[0], values[-1]),
        directions=lambda milestones, values, anneal: (*(_sign(*pair) for pair in _pairs(milestones, values)), 0),
    ),
    Row(
        "step",
        {"step_size": "timescale", "gamma": "factor"},
        ends=lambda step_size, gamma: (1.0, _limit_of_powers(gamma)),
        directions=lambda step_size, gamma: (_sign(1.0, gamma),),
        continuous=False,
        starts=lambda step_size, gamma: (0,),
    ),
    Row(
        "multi_step",
        {"milestones": "milestones", "gamma": "factor"},
        ends=lambda milestones, gamma: (gamma ** milestones.count(0), gamma ** len(milestones)),
        directions=lambda milestones, gamma: (0,) * (len(milestones) + 1),
        continuous=False,
        exact_ends=False,
        # He et al.: a tenth after half of the run, and again after three quarters
        for_run=lambda run: {"milestones": [run.decay // 2, run.decay * 3 // 4]},
    ),
    Row(
        "exponential_decay",
        {"decay_rate": "factor", "decay_steps": "timescale"},
        ends=lambda decay_rate, decay_steps: (1.0, _limit_of_powers(decay_rate)),
        directions=lambda decay_rate, decay_steps: (_sign(1.0, decay_rate),),
        starts=lambda decay_rate, decay_steps: (0,),
    ),
    Row(
        "inverse_time_decay",
        {"decay_rate": "positive", "decay_steps": "timescale"},
        ends=lambda decay_rate, decay_steps: (1.0, 0.0),
        directions=lambda decay_rate, decay_steps: (-1,),
        starts=lambda decay_rate, decay_steps: (0,),
    ),
    Row(
        "power",
        {"timescale": "timescale", "exponent": "power"},
        ends=lambda timescale, exponent: (1.0, 0.0),
        directions=lambda timescale, exponent: (0, -1),
        starts=lambda timescale, exponent: (0, timescale),
    ),
    Row(
        "noam",
        {"warmup_steps": "timescale", "dimension": "timescale"},
        ends=lambda warmup_steps, dimension: (_noam_at(1, warmup_steps, dimension), 0.0),
        directions=lambda warmup_steps, dimension: (1, -1),
        turns=lambda warmup_steps, dimension: (_noam_at(warmup_steps, warmup_steps, dimension),),
        starts=lambda warmup_steps, dimension: (0, warmup_steps - 1),
        exact_ends=False,
    ),
    Row(
        "tanh",
        {"total_steps": "timescale", "lower": "real", "upper": "real", "end": "factor"},
        ends=lambda total_steps, lower, upper, end: (None, end),
        # a curve that rises, or is level, falls at its end
        directions=lambda total_steps, lower, upper, end: (_sign(1.0, end) if upper > lower else None,),
        continuous=False,
        turns=lambda total_steps, lower, upper, end: (1.0,),
        starts=lambda total_steps, lower, upper, end: (0,),
        holds_from=lambda total_steps, lower, upper, end: total_steps,
    ),
    Row(
        "one_cycle",
        {"total_steps": "timescale", "peak_at": "share", "div_factor": "positive", "final_div_factor": "positive"},
        ends=lambda total_steps, peak_at, div_factor, final_div_factor: (
            1 / div_factor if _peak(total_steps, peak_at) > 0 else None,
            1 / div_factor / final_div_factor if peak_at < 1 else 1.0,
        ),
        directions=_one_cycle_directions,
        turns=lambda total_steps, peak_at, div_factor, final_div_factor: (1.0, 1 / div_factor),
        starts=lambda total_steps, peak_at, div_factor, final_div_factor: _one_cycle_phases(total_steps, peak_at),
        holds_from=lambda total_steps, peak_at, div_factor, final_div_factor: total_steps - 1,
        exact_ends=False,
    ),
    *(
        Row(
            f"cyclic, {mode}",
            {
                "low": "factor",
                "up": "timescale",
                "down": "timescale",
                **({"gamma": "decay"} if mode == "exp_range" else {}),
            },
            ends=lambda low, up, down, gamma=1.0: (low, low),
            # with gamma^step in it a rise may bend down
            directions=lambda low, up, down, gamma=1.0: (
                *((_sign(low, 1.0), _sign(1.0, low)) if gamma == 1 else (None, None)) * SHOWN,
                None,
            ),
            turns=lambda low, up, down, gamma=1.0: (1.0,),
            starts=lambda low, up, down, gamma=1.0: _cyclic_starts(up, down),
            constructor="cyclic",
            fixed={"mode": mode},
            aliases=("cyclic",) if mode == "triangular" else (),
        )
        for mode in ("triangular", "triangular2", "exp_range")
    ),
    Row(
        "cosine_restarts",
        {"first_steps": "timescale", "cycle_mul": "multiple", "end": "factor"},
        ends=lambda first_steps, cycle_mul, end: (1.0, end),
        directions=lambda first_steps, cycle_mul, end: (*(_sign(1.0, end),) * SHOWN, None),
        continuous=False,
        starts=lambda first_steps, cycle_mul, end: _restarts(first_steps, cycle_mul),
    ),
    Row(
        "cosine_hard_restarts",
        {"total_steps": "timescale", "num_cycles": "timescale"},
        ends=lambda total_steps, num_cycles: (1.0, 0.0),
        directions=lambda total_steps, num_cycles: (-1,) * min(num_cycles, SHOWN) + (None,) * (num_cycles > SHOWN),
        continuous=False,
        starts=_hard_restarts,
        holds_from=lambda total_steps, num_cycles: total_steps,
        for_run=lambda run: {"total_steps": max(run.decay, 1), "num_cycles": 3},
    ),
)

SCHEDULES: dict[str, Row] = {row.name: row for row in _rows}


def row_of(name: str) -> Row:
    """The row of a name or an alias.

    Raises:
        ValueError: there is no such schedule; the message lists the names.

    Example:
        >>> row_of("wsd").name
        'warmup_stable_decay, cosine'
    """
    for row in SCHEDULES.values():
        if name in (row.name, *row.aliases):
            return row
    names = [each for row in SCHEDULES.values() for each in (row.name, *row.aliases)]
    raise ValueError(f"expected one of {', '.join(map(repr, names))}, got {name!r}")


def is_text(given: str) -> bool:
    """Whether this is the text of a schedule (text.py), and not the name of one.

    Example:
        >>> is_text("warmup(5) then cosine(95)"), is_text("cosine"), is_text("1-sqrt")
        (True, False, False)
    """
    return bool(given.strip()) and not given.isidentifier() and given not in for_training()


def for_training() -> dict[str, Row]:
    """The rows that `tinygrad-lr train --schedule` offers, by their names there."""
    return {row.short_name: row for row in SCHEDULES.values() if row.for_run is not None}
