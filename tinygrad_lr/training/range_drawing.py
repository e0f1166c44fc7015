"""Pictures of a range test: `as_lines` draws its curve in plain text, `draw` with matplotlib (the extra `plot`).

The axis of the rates is logarithmic. What lies far above nine tenths of the curve is cut off,
so that its fall can be seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lr.integers import whole_number

from .curves import BLUE, GREY, HOW_TO_GET_IT, ORANGE, is_available

__all__ = ["as_lines", "draw"]

Array = NDArray[np.float64]


def as_lines(rates: Array, smoothed: Array, suggestion: float | None, width: int = 72, height: int = 12) -> list[str]:
    """The smoothed loss over the rate, with losses at the left, rates below, and a mark under the suggestion.

    Example:
        >>> rates = np.geomspace(1e-4, 1.0, 9)
        >>> losses = np.array([4.0, 4.0, 4.0, 3.5, 2.0, 1.0, 1.0, 3.0, 9.0])
        >>> print("\\n".join(as_lines(rates, losses, 0.01, width=16, height=4)))
             7 |               *
               |              *
               |********     *
             1 |        *****
               +----------------
                0.0001         1
                        ^ 0.01
    """
    width, height = whole_number("width", width, least=16), whole_number("height", height, least=4)
    low, top = _shown(smoothed)
    logs = np.log(rates)
    values = np.interp(np.linspace(logs[0], logs[-1], width), logs, np.minimum(smoothed, top))
    at = np.round((values - low) / (top - low) * (height - 1)).astype(int).tolist()
    rows = [[" "] * width for _ in range(height)]
    for column, (before, now) in enumerate(zip([at[0], *at], at, strict=False)):
        for row in {now, *range(before + 1, now), *range(now, before)}:
            rows[height - 1 - row][column] = "*"
    labels = {0: f"{top:.4g}", height - 1: f"{low:.4g}"}
    margin = max(6, *map(len, labels.values()))
    lines = [f"{labels.get(row, ''):>{margin}} |{''.join(cells)}".rstrip() for row, cells in enumerate(rows)]
    left, right = f"{rates[0]:.3g}", f"{rates[-1]:.3g}"
    lines += [f"{'':>{margin}} +{'-' * width}", f"{'':>{margin}}  {left}{right:>{width - len(left)}}"]
    if suggestion is not None:
        place = round(float((np.log(suggestion) - logs[0]) / (logs[-1] - logs[0])) * (width - 1))
        lines.append(f"{'':>{margin}}  {'':{max(0, min(place, width - 1))}}^ {suggestion:.3g}")
    return lines


def _shown(smoothed: Array) -> tuple[float, float]:
    """The lowest and the highest loss of the picture."""
    if len(smoothed) < 2:
        raise ValueError(f"a curve has at least two steps, and this one has {len(smoothed)}; begin at a smaller rate")
    low, most, top = float(smoothed.min()), float(np.quantile(smoothed, 0.9)), float(smoothed.max())
    if most > low:
        top = min(top, most + (most - low) / 2)
    return low, top if top > low else low + (abs(low) or 1.0)


def draw(rates: Array, losses: Array, smoothed: Array, suggestion: float | None, axes: Any = None) -> Any:
    """Draw the curve with matplotlib, and return the figure. Arguments and errors are those of `RangeTest.plot`."""
    if not is_available():
        raise ModuleNotFoundError(f"drawing needs matplotlib: {HOW_TO_GET_IT}", name="matplotlib")
    low, top = _shown(smoothed)
    if axes is None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
    axes.plot(rates, losses, color=BLUE, alpha=0.3, linewidth=0.9, label="loss of each batch")
    axes.plot(rates, smoothed, color=BLUE, linewidth=2, label="smoothed")
    if suggestion is not None:
        axes.axvline(suggestion, color=ORANGE, linewidth=1.5, linestyle="--", label=f"suggested: {suggestion:.3g}")
    axes.set_xscale("log")
    axes.set_ylim(low - 0.1 * (top - low), top + 0.1 * (top - low))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.tick_params(colors=GREY)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return axes.figure
