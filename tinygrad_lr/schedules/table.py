"""One row per schedule: how it is built, what its arguments are, and what it promises. The table drives the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .base import Schedule
from .phases import (
    constant,
    cosine,
    exponential,
    linear,
    one_minus_sqrt,
    piecewise,
    polynomial,
    warmup,
    warmup_stable_decay,
)


class Row(NamedTuple):
    """A schedule's name and constructor, and its promises as functions of the constructor's arguments.

    Attributes:
        arguments: the kind of each argument: "steps", "factor", "positive" (a factor above 0), "power", "milestones",
            "values" or the words it may be.
        ends: first and last factor (at step 0 and from step T on); for T = 0 the last one holds.
        directions: for each phase +1 (never falls), -1 (never rises) or 0 (flat).
        continuous: no jump within or between phases.
    """

    name: str
    build: Callable[..., Schedule]
    arguments: dict[str, str | tuple[str, ...]]
    ends: Callable[..., tuple[float, float]]
    directions: Callable[..., tuple[int, ...]]
    continuous: bool


def _sign(first: float, last: float) -> int:
    return (last > first) - (last < first)


def _warmup_ends(steps: int, start: float = 0.0, first_step: str = "zero") -> tuple[float, float]:
    share = 0.0 if first_step == "zero" else 1.0 / max(steps, 1)
    return start * (1.0 - share) + share, 1.0


def _to(end: float) -> tuple[int, ...]:
    return (_sign(1.0, end),)


_rows = (
    Row(
        "constant",
        constant,
        {"factor": "factor", "total_steps": "steps"},
        ends=lambda factor, total_steps: (factor, factor),
        directions=lambda factor, total_steps: (0,),
        continuous=True,
    ),
    Row(
        "linear",
        linear,
        {"total_steps": "steps", "start": "factor", "end": "factor"},
        ends=lambda total_steps, start, end: (start, end),
        directions=lambda total_steps, start, end: (_sign(start, end),),
        continuous=True,
    ),
    Row(
        "warmup",
        warmup,
        {"steps": "steps", "start": "factor", "first_step": ("zero", "1/W")},
        ends=_warmup_ends,
        directions=lambda steps, start, first_step: (_sign(start, 1.0),),
        continuous=True,
    ),
    Row(
        "polynomial",
        polynomial,
        {"total_steps": "steps", "power": "power", "end": "factor"},
        ends=lambda total_steps, power, end: (1.0, end),
        directions=lambda total_steps, power, end: _to(end),
        continuous=True,
    ),
    Row(
        "cosine",
        cosine,
        {"total_steps": "steps", "end": "factor"},
        ends=lambda total_steps, end: (1.0, end),
        directions=lambda total_steps, end: _to(end),
        continuous=True,
    ),
    Row(
        "one_minus_sqrt",
        one_minus_sqrt,
        {"total_steps": "steps", "end": "factor"},
        ends=lambda total_steps, end: (1.0, end),
        directions=lambda total_steps, end: _to(end),
        continuous=True,
    ),
    Row(
        "exponential",
        exponential,
        {"total_steps": "steps", "end": "positive"},
        ends=lambda total_steps, end: (1.0, end),
        directions=lambda total_steps, end: _to(end),
        continuous=True,
    ),
    Row(
        "piecewise",
        piecewise,
        {"milestones": "milestones", "values": "values"},
        ends=lambda milestones, values: (values[1] if milestones[:1] == [0] else values[0], values[-1]),
        directions=lambda milestones, values: (0,) * len(values),
        continuous=False,
    ),
    *(
        Row(
            f"warmup_stable_decay, {decay}",
            lambda warmup_steps, stable_steps, decay_steps, end, start, decay=decay: warmup_stable_decay(
                warmup_steps, stable_steps, decay_steps, decay, end, start
            ),
            {
                "warmup_steps": "steps",
                "stable_steps": "steps",
                "decay_steps": "steps",
                "end": "positive" if decay == "exponential" else "factor",
                "start": "factor",
            },
            ends=lambda warmup_steps, stable_steps, decay_steps, end, start: (start if warmup_steps else 1.0, end),
            directions=lambda warmup_steps, stable_steps, decay_steps, end, start: (_sign(start, 1.0), 0, *_to(end)),
            continuous=True,
        )
        for decay in ("cosine", "linear", "1-sqrt", "exponential")
    ),
)

SCHEDULES: dict[str, Row] = {row.name: row for row in _rows}
