"""Draws curves.png: the loss above, the learning rate below. Only this file imports matplotlib (the extra `plot`)."""

from __future__ import annotations

import importlib.util
import os
import warnings
from typing import Any

import numpy as np

from tinygrad_lr.files import write_bytes
from tinygrad_lr.training.history import History

from .printing import printable

__all__ = ["HOW_TO_GET_IT", "draw_curves", "is_available"]

HOW_TO_GET_IT = "pip install 'tinygrad_lr[plot]'"
BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#d95f02", "#2a7f4f", "#555555"


def is_available() -> bool:
    """Whether pictures can be drawn here."""
    return importlib.util.find_spec("matplotlib") is not None


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
    _losses(above, history, loss_label)
    _rates(below, history)
    below.set_xlabel("epoch")
    figure.align_ylabels()
    figure.suptitle(printable(title), fontsize=11, color=GREY, parse_math=False)  # a name may hold $
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a letter that no font has is drawn as a box
        write_bytes(path, FigureCanvasAgg(figure).print_png)  # the bytes of savefig, which lays out and draws twice


def _places(history: History) -> np.ndarray:
    """Where each step begins on the axis of epochs: step i of the n in epoch e begins at e + i / n."""
    epoch = history.epoch
    first = np.searchsorted(epoch, epoch)
    return epoch + (np.arange(len(epoch)) - first) / np.bincount(epoch).max()


def _losses(axes: Any, history: History, label: str) -> None:
    loss, held_out = history.loss, history.held_out_loss
    epochs, means = history.epoch_means()
    measured = np.flatnonzero(np.isfinite(held_out))
    if len(loss) > len(means):
        axes.plot(_places(history), loss, color=BLUE, alpha=0.3, linewidth=0.9, label="training, each step")
    axes.plot(
        epochs + 0.5,
        means,
        color=BLUE,
        linewidth=2,
        marker=_marker(means),
        markersize=4,
        label="training, mean of the epoch",
    )
    if len(measured):
        axes.plot(
            history.epoch[measured] + 1,
            held_out[measured],
            color=ORANGE,
            linewidth=2,
            marker=_marker(measured),
            markersize=4,
            label="held out, after the epoch",
        )
    shown = np.concatenate([loss, held_out[measured]])
    if shown.min() > 0 and shown.max() > 30 * shown.min():
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=min(0.0, shown.min()))
    axes.set_ylabel(label)
    axes.legend(frameon=False)
    _quiet(axes)


def _rates(axes: Any, history: History) -> None:
    places = np.append(_places(history), _places(history)[-1] + 1 / np.bincount(history.epoch).max())
    for group, rates in zip(history.groups, history.lr.T, strict=True):
        axes.plot(
            places,
            np.append(rates, rates[-1]),
            drawstyle="steps-post",
            linewidth=1.8,
            color=GREEN if len(history.groups) == 1 else None,
            label=group,
        )
    if len(history.groups) > 1:
        axes.legend(frameon=False)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, places[-1] * 1.01)
    axes.set_ylabel("learning rate")
    axes.locator_params(axis="x", integer=True)
    _quiet(axes)


def _marker(points: np.ndarray) -> str:
    return "o" if len(points) <= 40 else ""


def _quiet(axes: Any) -> None:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=GREY)
