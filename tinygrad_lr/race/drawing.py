"""Pictures of a race: `as_lines` in plain text, `figure_of` with matplotlib (the extra `plot`).

The latter has the losses over the rate, and of a function of two numbers the paths of the best rates over its level
lines. Next: leaving.py.
"""

from __future__ import annotations

import importlib.util
import math
from statistics import median
from typing import Any

import numpy as np

from .problems import function_of
from .racing import Race
from .summary import by_rate

__all__ = ["HOW_TO_GET_IT", "as_lines", "figure_of", "is_available"]

HOW_TO_GET_IT = "pip install 'tinygrad_lr[plot]'"
CELL = 3  # characters of a rate
BEST, GOOD, WORSE, MIXED, DIVERGED, ABSENT = "@", "#", "-", "!", "x", " "
LEGEND = (
    f"{BEST} best, {GOOD} within %s times the best, {WORSE} worse, {MIXED} a seed diverged, {DIVERGED} most seeds did"
)


def is_available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def as_lines(race: Race) -> list[str]:
    """A line for each row of the table, with a mark for each rate: how good it is beside the row's best.

    Example:
        >>> from tinygrad_lr.race import race
        >>> found = race("quadratic(10)", optimizers=["sgd"], schedules=["constant"], rates=[0.01, 0.1, 1], steps=50)
        >>> as_lines(found)[0]
        'sgd, constant | -  @  x |'
    """
    there, rows = by_rate(race.outcomes), race.table()
    names = [f"{row.optimizer}, {row.schedule}" for row in rows]
    width = max(map(len, names))
    said = []
    for name, row in zip(names, rows, strict=True):
        cells = []
        for rate in race.rates:
            outcomes = there[row.optimizer, row.schedule].get(rate, [])
            loss = median(each.loss for each in outcomes) if outcomes else math.nan
            if not outcomes:
                mark = ABSENT
            elif not math.isfinite(loss):
                mark = DIVERGED
            elif rate == row.best_rate:
                mark = BEST
            elif any(each.diverged for each in outcomes):
                mark = MIXED
            else:
                mark = GOOD if loss <= race.within * row.loss else WORSE
            cells.append(f"{mark:^{CELL}}")
        said.append(f"{name:<{width}} |{''.join(cells)}|")
    first, last = f"{race.rates[0]:g}", f"{race.rates[-1]:g}"
    room = max(CELL * len(race.rates) - len(first), len(last) + 1)
    said.append(
        f"{'learning rate':<{width}}  {first}{last:>{room}}" if len(race.rates) > 1 else f"{'':<{width}}  {first}"
    )
    return [*said, LEGEND % f"{race.within:g}"]


def figure_of(race: Race) -> Any:
    """The picture as a figure of matplotlib.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the message says how to get it.
    """
    if not is_available():
        raise ModuleNotFoundError(f"drawing needs matplotlib: {HOW_TO_GET_IT}", name="matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    paths = race.problem.is_function
    figure = Figure(figsize=(13 if paths else 8, 5.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2 if paths else 1, squeeze=False)[0]
    colours = {(row.optimizer, row.schedule): f"C{place % 10}" for place, row in enumerate(race.table())}
    styles = {key: ("-", "--", ":", "-.")[place // 10 % 4] for place, key in enumerate(colours)}
    _losses(race, axes[0], colours, styles)
    if paths:
        _paths(race, axes[1], colours, styles)
    title = f"{race.problem.name}: {race.steps} steps, {race.seeds} seeds"
    figure.suptitle(title, fontsize=11, parse_math=False)  # a file's name may hold $
    return figure


def _losses(race: Race, axes: Any, colours: Any, styles: Any) -> None:
    """The median loss over the rate, and from the smallest to the largest of the seeds."""
    there = by_rate(race.outcomes)
    if all(each.diverged for each in race.outcomes):
        axes.set_title("every run diverged", fontsize=9)
        return
    starts = [each.start_loss for each in race.outcomes if math.isfinite(each.start_loss)]
    tiny = 1e-30  # below it, a logarithm's scale shows nothing but rounding
    for key, colour in colours.items():
        rates = [rate for rate, outcomes in there[key].items() if math.isfinite(median(each.loss for each in outcomes))]
        losses = [[each.loss for each in there[key][rate]] for rate in rates]
        label = ", ".join(key)
        middle = [max(median(each), tiny) for each in losses]
        axes.plot(rates, middle, color=colour, linestyle=styles[key], marker="o", markersize=3, label=label)
        top = max(starts, default=1.0)
        low, high = [max(min(each), tiny) for each in losses], [max(min(max(each), top), tiny) for each in losses]
        axes.fill_between(rates, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(race.rates[0] * 0.8, race.rates[-1] * 1.25)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss (median; shaded: all seeds)")
    axes.set_title("where a line ends, runs diverged", fontsize=9)
    axes.grid(alpha=0.3)
    for text in axes.legend(fontsize=7).get_texts():
        text.set_parse_math(False)


def _paths(race: Race, axes: Any, colours: Any, styles: Any) -> None:
    """The paths of seed 0 at each row's best rate, over the function's level lines."""
    function = function_of(race.problem)
    (left, right), (below, above) = function.seen
    x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(below, above, 200))
    values = np.vectorize(function.value)(x, y)
    axes.contour(x, y, np.log10(values + 1e-6), levels=20, colors="#999999", linewidths=0.5)
    best = {(row.optimizer, row.schedule): row.best_rate for row in race.table()}
    there = by_rate(race.outcomes)
    for key, colour in colours.items():
        rate = best[key]
        if rate is not None:
            each = there[key][rate][0]
            axes.plot(*np.array(each.path).T, color=colour, linestyle=styles[key], linewidth=1.2)
    axes.plot(*function.minimum, "k*", markersize=9)
    axes.plot(*function.start, "ko", markersize=4)
    axes.set_xlim(left, right)
    axes.set_ylim(below, above)
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    axes.set_title("paths at the best rates, from the dot to the star", fontsize=9)
