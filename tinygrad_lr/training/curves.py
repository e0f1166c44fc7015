"""Pictures of a history, the loss above and the learning rates below: `curves` and `drawn`.

`curves` needs matplotlib (the extra `plot`). `drawn` gives notebooks an SVG (pages/svg.py), and needs nothing.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from tinygrad_lr.pages.svg import Curve, Panel, drawing
from tinygrad_lr.pages.thinning import thinned

__all__ = ["GREY", "HOW_TO_GET_IT", "curves", "drawn", "is_available"]

MOST_POINTS = 600  # of a curve in a notebook
HOW_TO_GET_IT = "pip install 'tinygrad_lr[plot]'"
BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#d95f02", "#2a7f4f", "#555555"


def is_available() -> bool:
    """Whether pictures can be drawn here."""
    return importlib.util.find_spec("matplotlib") is not None


def curves(history: Any, above: Any, below: Any, loss_label: str = "loss") -> None:
    """Draw a `History` on two axes of matplotlib.

    Args:
        above, below: for the loss, and for the learning rates.
        loss_label: what the loss is, with its unit.

    Raises:
        ValueError: the history has no rows.
    """
    if not len(history):
        raise ValueError("an empty history has no curves to draw")
    _losses(above, history, loss_label)
    _rates(below, history)
    below.set_xlabel("epoch")


def drawn(history: Any) -> str:
    """A `History` as the text of an SVG; empty where it has no rows."""
    if not len(history):
        return ""
    places, loss = _places(history), history.loss
    (epochs, means), (measured, held_out) = _means(history), history.held_out_by_epoch()
    steps, some, few = (thinned(each, MOST_POINTS) for each in (loss, means, held_out))
    losses = [
        Curve("mean of the epoch", epochs[some] + 0.5, means[some]),
        Curve("held out", measured[few] + 1, held_out[few]),
        Curve("each step", places[steps], loss[steps], is_faint=len(means) > 0),
    ]
    rates = [
        Curve(name, places[steps], column[steps], is_stepped=True)
        for name, column in zip(history.groups, history.lr.T, strict=True)
    ]
    shown = np.concatenate([loss, held_out])
    panels = [
        Panel("loss", [curve for curve in losses if len(curve.x)], _spreads(shown)),
        Panel("learning rate", rates),
    ]
    return drawing(f"Loss and learning rate of {history!r}", "epoch", panels)


def _spreads(values: np.ndarray) -> bool:
    """Whether a log axis shows more: all are positive, over more than a factor of 30."""
    return bool(values.min() > 0 and values.max() > 30 * values.min())


def _places(history: Any) -> np.ndarray:
    """Where each step begins on the axis of epochs: step i of the n in epoch e begins at e + i / n."""
    return history.epoch + history.places_in_epoch() / history.longest_epoch()


def _means(history: Any) -> tuple[np.ndarray, np.ndarray]:
    """The epochs that were completed, and the mean loss of each."""
    epochs, means = history.epoch_means()
    completed = history.completed_epochs()
    return epochs[:completed], means[:completed]


def _losses(axes: Any, history: Any, label: str) -> None:
    loss, held_out = history.loss, history.held_out_loss
    epochs, means = _means(history)
    measured = np.flatnonzero(np.isfinite(held_out))
    if len(loss) > len(means):
        pen: dict[str, Any] = (
            {"alpha": 0.3, "linewidth": 0.9}
            if len(means)
            else {"linewidth": 2, "marker": _marker(loss), "markersize": 4}
        )
        axes.plot(_places(history), loss, color=BLUE, label="training, each step", **pen)
    if len(means):
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
    if _spreads(shown):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=min(0.0, shown.min()))
    axes.set_ylabel(label)
    axes.legend(frameon=False)
    _quiet(axes)


def _rates(axes: Any, history: Any) -> None:
    places = np.append(_places(history), _places(history)[-1] + 1 / history.longest_epoch())
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
