"""`html_report`: trainings as a page to look into: curves with their values, zoom, and a table of what differs.

The page is one file, which needs nothing else (pages/document.py), and no matplotlib. Its numbers are those of the
history: means of an epoch are named so, and where there are more steps than a screen has dots, those are kept that
have the lowest and the highest loss among their neighbours. Next: tables/reported.py, of runs on tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_lr.pages.document import document
from tinygrad_lr.pages.thinning import thinned

from .history import History

__all__ = ["Reported", "completed_epochs", "html_report"]

MOST = 4000  # points of a curve
STATUSES = ("finished", "interrupted", "diverged")
WATCHED = ("held_out", "validation")


@dataclass(frozen=True)
class Reported:
    """A training as a report shows it.

    Attributes:
        name: its name, any text.
        history: what happened at each step.
        status: "finished", "interrupted" or "diverged".
        diverged: of one that diverged: why, in words.
        watched: whose loss the history's held-out loss is: "held_out" or "validation".
        steps_in_epoch: how many there are; None: as many as the longest epoch of the history has.
        loss: what its loss is, with its unit; empty: `loss_name` of the report. The page warns where losses differ.
        data: a text that is the same for runs of the same rows and targets. The page warns where it differs.
        settings, results: names and texts, in the order in which they are shown.
        lines: what is said of it below its name.
    """

    name: str
    history: History
    status: str = "finished"
    diverged: str = ""
    watched: str = "held_out"
    steps_in_epoch: int | None = None
    loss: str = ""
    data: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[str] = ()


def completed_epochs(history: History, *, is_whole: bool = True, steps_in_epoch: int | None = None) -> int:
    """Return how many epochs of a history were completed: all but a last one that has fewer steps than an epoch has.

    Args:
        is_whole: whether the training came to its end; then the last epoch is whole, too, however long it is.
        steps_in_epoch: as in `Reported`.

    Example:
        >>> history = History()
        >>> for epoch in (0, 0, 1):
        ...     history.append(epoch, (0.1,), 1.0)
        >>> completed_epochs(history), completed_epochs(history, is_whole=False)
        (2, 1)
    """
    if not len(history):
        return 0
    counts = np.unique(history.epoch, return_counts=True)[1]
    return len(counts) - int(not is_whole and counts[-1] < _steps_in_epoch(history, steps_in_epoch))


def html_report(trainings: Sequence[Reported], *, loss_name: str = "", language: str = "en") -> str:
    """Return the text of an HTML file with the curves of one training, or of several over one another.

    Args:
        trainings: at least one.
        loss_name: what the loss is, with its unit, of the trainings that do not say it themselves.
        language: "en" or "zh", in which the page opens; it can be switched there.

    Raises:
        ValueError: no training, another language, or a status or `watched` that is none.

    Example:
        >>> history = History()
        >>> history.append(0, (0.1,), 2.5)
        >>> page = html_report([Reported("adam", history), Reported("sgd", history, settings={"lr": "0.1"})])
        >>> page.splitlines()[0], "<title>adam, sgd</title>" in page
        ('<!DOCTYPE html>', True)
    """
    if not trainings:
        raise ValueError("a report needs at least one training")
    for each in trainings:
        _check(each)
    return document(
        ", ".join(each.name for each in trainings),
        "report",
        {
            "runs": [_of_run(each) | {"loss": each.loss or loss_name} for each in trainings],
            "settings": _table([each.settings for each in trainings]),
            "results": _table([each.results for each in trainings]),
            "summary": list(trainings[0].lines) if len(trainings) == 1 else [],
        },
        language=language,
    )


def _check(training: Reported) -> None:
    for name, value, known in (("status", training.status, STATUSES), ("watched", training.watched, WATCHED)):
        if value not in known:
            raise ValueError(f"{name} of a training must be one of {', '.join(known)}, got {value!r:.60}")


def _table(columns: Sequence[Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    """A row for each name that one of the columns has; an empty text where a column has none."""
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, [column.get(name, "") for column in columns]) for name in names]


def _of_run(training: Reported) -> dict[str, Any]:
    """What the page must know of a training (lab/web/src/report.ts: Run)."""
    history = training.history
    in_epoch = _steps_in_epoch(history, training.steps_in_epoch)
    is_whole = training.status == "finished"
    completed = completed_epochs(history, is_whole=is_whole, steps_in_epoch=training.steps_in_epoch)
    epochs, means = (each[:completed] for each in history.epoch_means())
    places = history.epoch + history.places_in_epoch() / in_epoch
    drawn, drawn_epochs = thinned(history.loss, MOST), thinned(means, MOST)
    return {
        "name": training.name,
        "status": training.status,
        "groups": history.groups,
        "watched": training.watched,
        "data": training.data,
        "steps": len(history),
        "begun": int(history.epoch[-1]) + 1 if len(history) else 0,
        "epochs": completed,
        "stepsInEpoch": in_epoch,
        "each": {"at": places[drawn], "loss": history.loss[drawn], "lr": history.lr[drawn].T},
        "epoch": {"number": epochs[drawn_epochs], "loss": means[drawn_epochs]},
        "heldOut": _held_out(history),
        "measured": _measured(history),
        "diverged": _diverged(training, in_epoch) if training.status == "diverged" else None,
    }


def _steps_in_epoch(history: History, known: int | None) -> int:
    """How many steps an epoch has. Of an epoch that was not completed the history has a part."""
    return max(history.longest_epoch(), known or 1)


def _held_out(history: History) -> dict[str, np.ndarray]:
    epochs, losses = history.held_out_by_epoch()
    drawn = thinned(losses, MOST)
    return {"number": epochs[drawn], "loss": losses[drawn]}


def _measured(history: History) -> dict[str, Any] | None:
    """The norms; None where none were to be measured."""
    if not history.has_norms:
        return None
    epochs, gradients, ratios = history.norms_by_epoch()
    drawn = thinned(gradients, MOST)
    every = int(epochs[0]) + 1 if len(epochs) else 1  # the first that is measured is the last of so many
    return {"every": every, "number": epochs[drawn], "gradientNorm": gradients[drawn], "updateRatio": ratios[drawn].T}


def _diverged(training: Reported, in_epoch: int) -> dict[str, Any]:
    """Where and why: the step that was not made comes after those of the history."""
    step = len(training.history)
    return {"epoch": step // in_epoch, "step": step, "at": step / in_epoch, "why": training.diverged}
