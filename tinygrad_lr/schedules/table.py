"""`SCHEDULES`: one row per schedule. The tests, the documents and `tinygrad-lr train --schedule` follow from the rows.

A row is one half of a schedule. The other half is its reference in `verify/formulas/schedules.py`, which is written
apart from this room: the formula as it is printed, and the values that are right.
This file imports NumPy only when a schedule is built, because `tinygrad-lr --help` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
            endless schedule is its limit.
        directions: for each phase +1 (never falls), -1 (never rises) or 0 (flat).
        continuous: no jump within or between phases.
        constructor: the function in `phases.py`, where it has another name.
        fixed: arguments of the constructor that the row gives.
        aliases: other names. The command line uses the first one, where there is one.
        for_run: the constructor's arguments after the warm-up of a training; None: `train` does not offer it.
        options: the options of `train` that belong to this schedule alone.
    """

    name: str
    arguments: dict[str, str | tuple[str, ...]]
    ends: Callable[..., tuple[float, float]]
    directions: Callable[..., tuple[int, ...]]
    continuous: bool = True
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
                "end": "positive" if decay == "exponential" else "factor",
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
        for decay in ("cosine", "linear", "1-sqrt", "exponential")
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


def for_training() -> dict[str, Row]:
    """The rows that `tinygrad-lr train --schedule` offers, by their names there."""
    return {row.short_name: row for row in SCHEDULES.values() if row.for_run is not None}
