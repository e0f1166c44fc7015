"""docs/optimizers.png: the paths of all optimizers on Beale's function, and their losses, each at its best rate.

    python -m tinygrad_lr.race.paths docs/optimizers.png   (needs matplotlib, the extra `plot`; takes some 20 seconds)

The rates are those of a logarithmic grid (`rate_grid`), and the best one is that with the least loss after the last
step. The runs are those of `race`. An optimizer that needs more than gradients is left out.
"""

from __future__ import annotations

import sys
from textwrap import wrap
from typing import Any

import numpy as np

from tinygrad_lr.optim import OPTIMIZERS
from tinygrad_lr.verify.documents.pictures import GREY, write

from .drawing import HOW_TO_GET_IT, is_available
from .problems import function_of, problem
from .racing import RATES, race, rate_grid
from .running import Outcome

__all__ = ["COMMAND", "PROBLEM", "STEPS", "best_runs", "drawn", "figure", "raced"]

COMMAND = "python -m tinygrad_lr.race.paths docs/optimizers.png"
PROBLEM, STEPS = "beale", 300
COLUMNS = 7
LEAST = 1e-16  # below it, a loss is rounding
EARLY = 10  # the step at which `drawn` looks: later, roundings differ between machines
COLOURS = ("#1f5fa8", "#d95f02", "#2a7f4f", "#b0307a", "#7a5195", "#8c6d1f", "#17808a", "#666666")


def raced() -> list[str]:
    """The optimizers of the picture, family by family."""
    rows = {name: row for name, row in OPTIMIZERS.rows.items() if not row.needs}
    families = list(dict.fromkeys(row.family for row in rows.values()))
    return sorted(rows, key=lambda name: families.index(rows[name].family))


def best_runs() -> dict[str, Outcome]:
    """Each optimizer's run at its best rate."""
    names = raced()
    found = race(PROBLEM, optimizers=names, schedules=["constant"], rates=rate_grid(*RATES), seeds=1, steps=STEPS)
    best = {row.optimizer: row.best_rate for row in found.table() if row.best_rate is not None}
    there = {(each.run.optimizer, each.run.rate): each for each in found.outcomes}
    return {name: there[name, best[name]] for name in names if name in best}


def drawn(runs: dict[str, Outcome]) -> dict[str, dict[str, Any]]:
    """What the picture shows, in short: of each optimizer the rate, and where it was in an early step."""
    return {
        name: {"rate": each.run.rate, "early": [float(f"{x:.5g}") for x in each.path[EARLY]]}
        for name, each in runs.items()
    }


def figure(runs: dict[str, Outcome]) -> Any:
    """The picture, as a figure of matplotlib: the path of each optimizer, and below the losses of each family.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the message says how to get it.
    """
    if not is_available():
        raise ModuleNotFoundError(f"drawing needs matplotlib: {HOW_TO_GET_IT}", name="matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = -(-len(runs) // COLUMNS)
    families = list(dict.fromkeys(OPTIMIZERS.rows[name].family for name in runs))
    found = Figure(figsize=(12, 1.5 * lines + 3), dpi=100, layout="constrained")
    FigureCanvasAgg(found)
    halves: Any = found.subfigures(2, 1, height_ratios=[1.5 * lines, 3])
    panels = list(halves[0].subplots(lines, COLUMNS, sharex=True, sharey=True, squeeze=False).flat)
    for panel, (name, outcome) in zip(panels, runs.items(), strict=False):
        _path(panel, outcome, COLOURS[families.index(OPTIMIZERS.rows[name].family) % len(COLOURS)])
    for panel in panels[len(runs) :]:
        panel.set_axis_off()
    parts = [{name: runs[name] for name in runs if OPTIMIZERS.rows[name].family == family} for family in families]
    widths = [4 + len(part) for part in parts]
    for place, panel in enumerate(
        halves[1].subplots(1, len(parts), sharey=True, squeeze=False, width_ratios=widths)[0]
    ):
        _losses(panel, families[place], parts[place], COLOURS[place % len(COLOURS)])
    return found


def _path(panel: Any, outcome: Outcome, colour: str) -> None:
    function = function_of(problem(PROBLEM))
    (left, right), (low, high) = function.seen
    x, y = np.meshgrid(np.linspace(left, right, 120), np.linspace(low, high, 120))
    values = np.log10(np.vectorize(function.value)(x, y) + 1e-6)
    panel.contourf(x, y, values, levels=8, cmap="Greys_r", alpha=0.35, antialiased=False)
    panel.plot(*np.array(outcome.path).T, color=colour, linewidth=1.3)
    panel.plot(*function.start, "o", color="black", markersize=3)
    panel.plot(*function.minimum, "*", color="black", markersize=6)
    panel.set_xlim(left, right)
    panel.set_ylim(low, high)
    panel.set_xticks([])
    panel.set_yticks([])
    title = f"{outcome.run.optimizer}, {outcome.run.rate:.2g}"
    panel.set_title(title, fontsize=7.5, color=colour, loc="left", pad=2)
    panel.spines[:].set_visible(False)


def _losses(panel: Any, family: str, runs: dict[str, Outcome], colour: str) -> None:
    """The least loss so far: oscillations would hide each other."""
    for place, (name, outcome) in enumerate(runs.items()):
        steps, losses = np.array(outcome.curve).T
        least = np.maximum(np.minimum.accumulate(losses), LEAST)
        style = "-" if place < len(COLOURS) else "--"
        panel.plot(steps, least, color=COLOURS[place % len(COLOURS)], linewidth=1.3, linestyle=style, label=name)
    panel.set_yscale("log")
    panel.set_title("\n".join(wrap(family, 25)), fontsize=7.5, color=colour, loc="left", pad=3)
    panel.tick_params(labelsize=6, length=2, colors=GREY)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=6, loc="lower left", frameon=False, handlelength=1.5, labelspacing=0.25)


if __name__ == "__main__":
    made = best_runs()
    write(figure(made), sys.argv[1], COMMAND, drawn(made))
