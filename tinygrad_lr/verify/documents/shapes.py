"""docs/schedules.png: the shapes of all schedules, each over one run, by the examples of their references.

python -m tinygrad_lr.verify.documents.shapes docs/schedules.png   (needs matplotlib, the extra `plot`)
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np

from tinygrad_lr.schedules.drawing import HOW_TO_GET_IT
from tinygrad_lr.schedules.table import SCHEDULES, Row

from .pictures import BLUE, GREY, write
from .schedules import example_of

__all__ = ["COMMAND", "drawn", "figure"]

COMMAND = "python -m tinygrad_lr.verify.documents.shapes docs/schedules.png"
RUN = 120  # steps
COLUMNS = 6


def drawn() -> dict[str, list[float]]:
    """Of each schedule the factors at some steps: what the picture shows, in short."""
    return {name: [float(f"{x:.6g}") for x in built(row)(np.arange(0, RUN + 1, 15))] for name, row in SCHEDULES.items()}


def built(row: Row) -> Any:
    """The schedule of a row."""
    return row.build(**example_of(row))


def figure() -> Any:
    """The picture, as a figure of matplotlib: a panel for each row of the table, from 0 to its largest factor.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the message says how to get it.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ModuleNotFoundError(f"drawing needs matplotlib: {HOW_TO_GET_IT}", name="matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = -(-len(SCHEDULES) // COLUMNS)
    found = Figure(figsize=(11, 1.2 * lines), dpi=100, layout="constrained")
    FigureCanvasAgg(found)
    panels = list(found.subplots(lines, COLUMNS, sharex=True).flat)
    for panel, (name, row) in zip(panels, SCHEDULES.items(), strict=False):
        _draw(panel, name, built(row))
    for panel in panels[len(SCHEDULES) :]:
        panel.set_axis_off()
    return found


def _draw(panel: Any, name: str, schedule: Any) -> None:
    steps = np.arange(RUN + 1)
    factors = schedule(steps)
    panel.fill_between(steps, factors, color=BLUE, alpha=0.12, linewidth=0)
    panel.plot(steps, factors, color=BLUE, linewidth=1.6)
    for phase in schedule.phases():
        if 0 < phase.start < RUN:
            panel.axvline(phase.start, color=GREY, linewidth=0.6, linestyle=":")
    kind, _, detail = name.partition(", ")
    panel.set_title(kind, fontsize=8, loc="left", pad=3)
    panel.text(0.99, 0.99, detail, transform=panel.transAxes, fontsize=7, color=GREY, ha="right", va="top")
    panel.set_xlim(0, RUN)
    panel.set_ylim(0, (1.3 if detail else 1.08) * factors.max())
    panel.locator_params(axis="y", nbins=3)
    panel.tick_params(labelsize=6, length=2, colors=GREY)
    panel.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    write(figure(), sys.argv[1], COMMAND, drawn())
