"""Pictures of a schedule: `as_lines` in plain text, `as_svg` for notebooks, `draw` with matplotlib (the extra `plot`).

All read the schedule as a training does: they call it. Each column of the text shows every step that falls into it, or
a spread of very many, so a jump is a vertical line and a short dip is seen.
"""

from __future__ import annotations

import html
import importlib.util
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinygrad_lr.pages.svg import Curve, Panel, drawing
from tinygrad_lr.reals import real_number

from . import _checks

__all__ = ["HOW_TO_GET_IT", "as_lines", "as_svg", "draw", "phases_as_lines"]

HOW_TO_GET_IT = "pip install 'tinygrad_lr[plot]'"
IN_A_COLUMN = 64  # steps that are read, at most
POINTS = 4096  # of matplotlib's line
IN_NOTEBOOKS = 400  # of that in a notebook
BLUE, GREY = "#1f5fa8", "#555555"


Array = NDArray[Any]


class Schedule(Protocol):
    """What is asked of a schedule (base.py), which draws itself by these functions."""

    @property
    def total_steps(self) -> int | None: ...
    @property
    def _label(self) -> str: ...
    @property
    def _shown_steps(self) -> int: ...
    def phases(self) -> Sequence[Any]: ...
    def __call__(self, step: Any, /) -> Any: ...


def _last(schedule: Schedule, until: int | None) -> int:
    return schedule._shown_steps if until is None else _checks.count("until", until)


def as_lines(
    schedule: Schedule, base_lr: float = 1.0, until: int | None = None, width: int = 72, height: int = 12
) -> list[str]:
    """The rates as a drawing of characters, with the rates at the left and the steps below.

    Args:
        base_lr: what the factors are multiplied with.
        until: the last step; None: the schedule's end, or of an endless one a step some way into its last phase.
        width, height: of the drawing without its margins, in characters, at least 16 and 4.

    Example:
        >>> from tinygrad_lr.schedules import linear
        >>> print("\\n".join(as_lines(linear(15), base_lr=0.1, width=16, height=4)))
           0.1 |***
               |   *****
               |        *****
             0 |             ***
               +----------------
                0             15
    """
    width, height = _checks.count("width", width, least=16), _checks.count("height", height, least=4)
    last = _last(schedule, until)
    edges = [last * column // (width - 1) for column in range(width)]
    columns = [_steps_between(first, after) for first, after in zip(edges, [*edges[1:], last + 1], strict=True)]
    values = _rates(schedule, np.concatenate(columns), real_number("base_lr", base_lr, least=0))
    parts = np.split(values, np.cumsum([column.size for column in columns])[:-1])
    lows, highs = [float(part.min()) for part in parts], [float(part.max()) for part in parts]
    top = max(highs)
    span = top or 1.0
    rows = [[" "] * width for _ in range(height)]
    for column, (low, high) in enumerate(zip(lows, highs, strict=True)):
        first, after = (round(each / span * (height - 1)) for each in (low, high))
        for row in range(first, after + 1):
            rows[height - 1 - row][column] = "*"
    labels = {0: f"{top:.4g}", height - 1: "0"}
    if height % 2:
        labels[height // 2] = f"{top / 2:.4g}"
    margin = max(6, *map(len, labels.values()))
    lines = [f"{labels.get(row, ''):>{margin}} |{''.join(cells)}".rstrip() for row, cells in enumerate(rows)]
    lines.append(f"{'':>{margin}} +{'-' * width}")
    lines.append(f"{'':>{margin}}  0{last:>{width - 1}}" if last else f"{'':>{margin}}  0")
    return lines


def _rates(schedule: Schedule, steps: Array, base: float) -> Array:
    """The rates of some steps.

    Raises:
        OverflowError: one is beyond float64.
    """
    with np.errstate(over="ignore"):
        found: Array = schedule(steps) * base
    if not np.isfinite(found).all():
        raise OverflowError(f"a rate is beyond the range of float64 with base_lr={base:g}; take a smaller one")
    return found


def _steps_between(first: int, after: int) -> Array:
    """The steps of a column, at least one, or a spread of very many."""
    count = max(after - first, 1)
    if count <= IN_A_COLUMN:
        return np.arange(first, first + count, dtype=np.int64)
    return np.array(sorted({first + count * part // IN_A_COLUMN for part in range(IN_A_COLUMN)}), dtype=np.int64)


def phases_as_lines(schedule: Schedule, base_lr: float = 1.0) -> list[str]:
    """A line for each phase: its steps, the rates that it begins and ends with, and its code.

    Example:
        >>> from tinygrad_lr.schedules import cosine, warmup
        >>> for line in phases_as_lines(warmup(5).then(cosine(95)), base_lr=0.1):
        ...     print(line)
        phase 1, steps 0 to 4: 0 -> 0.1, warmup(5)
        phase 2, steps 5 to 99: 0.1 -> 0, cosine(95)
        from step 100 on: 0
    """
    base, lines = real_number("base_lr", base_lr, least=0), []
    for number, (start, stop, part) in enumerate(schedule.phases(), 1):
        steps = f"step {start} on" if stop is None else f"steps {start} to {stop - 1}" if stop > start else "no steps"
        ends = f"{part(0) * base:.4g} -> {part(part.total_steps) * base:.4g}" if part.total_steps else ""
        first = ends or (f"{part(0) * base:.4g}" + (" at first" if stop is None else ""))
        lines.append(f"phase {number}, {steps}: {first}, {part!r}")
    if schedule.total_steps is not None:
        lines.append(f"from step {schedule.total_steps} on: {schedule(schedule.total_steps) * base:.4g}")
    return lines


def as_svg(schedule: Schedule) -> str:
    """The factors as the text of an SVG, with its code below; whatever it is called, HTML reads it as text.

    Example:
        >>> from tinygrad_lr.schedules import cosine, warmup
        >>> as_svg(warmup(5).then(cosine(95))).startswith("<div><svg ")
        True
    """
    steps, starts = _chosen(schedule, schedule._shown_steps, IN_NOTEBOOKS)
    curve = Curve("factor", steps.astype(float), _rates(schedule, steps, 1.0))
    label = schedule._label
    picture = drawing(f"Factors of {label}", "step", [Panel("factor of the rate", [curve], marks=starts)])
    return f"<div>{picture}<div>{html.escape(label)}</div></div>"


def _chosen(schedule: Schedule, last: int, points: int) -> tuple[Array, list[int]]:
    """The steps that a line goes through, and the first steps of phases but the first; none where they are many."""
    starts = [phase.start for phase in schedule.phases()[:points] if 0 < phase.start <= last]
    steps = {last * part // points for part in range(points + 1)} | {0, *starts, *(start - 1 for start in starts)}
    return np.array(sorted(steps), dtype=np.int64), starts if len(starts) <= 50 else []


def draw(schedule: Schedule, axes: Any = None, base_lr: float = 1.0, until: int | None = None) -> Any:
    """Draw the rates with matplotlib, and return the figure. Arguments and errors are those of `Schedule.plot`."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ModuleNotFoundError(f"drawing needs matplotlib: {HOW_TO_GET_IT}", name="matplotlib")
    base, last = real_number("base_lr", base_lr, least=0), _last(schedule, until)
    if axes is None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
    chosen, starts = _chosen(schedule, last, POINTS)
    axes.plot(chosen, _rates(schedule, chosen, base), color=BLUE, linewidth=2)
    for start in starts:
        axes.axvline(start, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("step")
    axes.set_ylabel("learning rate")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    return axes.figure
