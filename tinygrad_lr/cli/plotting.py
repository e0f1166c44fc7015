"""Draws curves.png, a picture of a run's history (training/curves.py)."""

from __future__ import annotations

import os
import warnings

from tinygrad_lr.files import write_bytes
from tinygrad_lr.training.curves import GREY, HOW_TO_GET_IT, curves, is_available
from tinygrad_lr.training.history import History

from .printing import printable

__all__ = ["HOW_TO_GET_IT", "draw_curves", "is_available"]


def draw_curves(
    history: History, path: str | os.PathLike[str], title: str = "", loss_label: str = "loss (mean squared error)"
) -> None:
    """Draw the loss and the learning rates of a history, and write them as a PNG file.

    Args:
        title: one line above the picture.
        loss_label: what the loss is, with its unit.

    Raises:
        ValueError: the history has no rows.
        ModuleNotFoundError: matplotlib is not installed; the message says how to get it.
        OSError: the file cannot be written.
    """
    if not len(history):
        raise ValueError("an empty history has no curves to draw")
    if not is_available():
        raise ModuleNotFoundError(f"drawing needs matplotlib: {HOW_TO_GET_IT}")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), dpi=120, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    curves(history, above, below, loss_label)
    figure.align_ylabels()
    figure.suptitle(printable(title), fontsize=11, color=GREY, parse_math=False)  # a name may hold $
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a letter that no font has is drawn as a box
        write_bytes(path, FigureCanvasAgg(figure).print_png)  # the bytes of savefig, which lays out and draws twice
