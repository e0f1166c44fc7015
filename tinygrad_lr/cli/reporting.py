"""What a training came to, in lines: the model, how good it is beside what it must beat, the files, and what to try."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_lr.data.columns import some
from tinygrad_lr.training.tables import runs
from tinygrad_lr.training.tables.metrics import accuracy, label, r_squared, shown_metric
from tinygrad_lr.training.tables.trained import Predictions, TrainedTable
from tinygrad_lr.training.tables.training import in_words

from . import plotting

__all__ = ["of_known_targets", "of_training"]

MEANS = {"r2": "1 is perfect, 0 is no better than the mean"}
WHERE = {"held out": "Held-out", "training": "Training", "test": "Test"}


def of_training(trained: TrainedTable) -> Iterator[str]:
    """The lines that `train` ends with."""
    assert trained.prepared is not None and trained.folder is not None
    yield in_words(trained.prepared)
    yield from _unseen(trained)
    yield from _metrics(trained)
    yield from trained.notes
    yield f"In {trained.folder}:"
    written = [name for name in runs.FILES if (trained.folder / name).exists()]
    for name in written:
        yield f"  {name:<16} {runs.FILES[name]}"
    if "curves.png" not in written and not plotting.is_available():
        yield f"  no curves.png, for want of matplotlib: {plotting.HOW_TO_GET_IT}"
    if trained.below:
        yield trained.below


def _unseen(trained: TrainedTable) -> Iterator[str]:
    """The columns that never varied in the training rows, and the categories that no training row has."""
    encoder = trained.encoder
    if encoder.unvarying:
        yield f"These columns never varied in the training rows and have no effect: {', '.join(encoder.unvarying)}"
    for name, categories in encoder.unseen.items():
        it = "it" if len(categories) == 1 else "them"
        yield f"Only held-out rows have {name} = {some(categories, 10)}; the model has no weight for {it}"


def _metrics(trained: TrainedTable) -> Iterator[str]:
    metrics, task = trained.metrics, trained.task
    where = WHERE[metrics["measured_on"]]
    if "folds" in metrics:
        yield from _folds(trained, metrics["folds"])
    target = trained.encoder.target_encoder
    units = {} if target is None else dict(zip(target.names, target.units, strict=True))
    if metrics.get("targets"):
        for name, values in metrics["targets"].items():
            yield from _lines(trained, f"{where}, {name}:", values, units.get(name, ""))
        yield from _lines(trained, f"{where}, mean of the targets:", metrics)
    else:
        yield from _lines(trained, where, metrics, units.get(trained.encoder.target, ""))
    if task.is_classification and len(trained.classes) == 2 and metrics.get("auc") is None:
        yield "AUC is undefined: all measured rows are of one class"


def _lines(trained: TrainedTable, where: str, metrics: dict[str, Any], unit: str = "") -> Iterator[str]:
    """The metric that decides beside what it must beat, and the others in a line of their own, in the target's unit."""
    task, suffix = trained.task, f"_{trained.task.baseline_name.replace(' ', '_')}"
    first = task.decisive
    beside = f"{task.baseline_name}: {shown_metric(metrics[first + suffix])}"
    if f"{first}_base_rate" in metrics:
        beside += f"; base rate: {shown_metric(metrics[f'{first}_base_rate'])}"
    means = f"; {MEANS[first]}" if first in MEANS else ""
    yield f"{where} {label(first)}: {shown_metric(metrics[first])} ({beside}{means})"
    others = [name for name in ("rmse", "mae", "log_loss", "auc") if name in metrics and metrics[name] is not None]
    if others:
        said = ", ".join(
            f"{label(name)}: {shown_metric(metrics[name], name)} ({shown_metric(metrics.get(name + suffix), name)})"
            for name in others
        )
        yield f"{where} {said}{f', in {unit}' if unit and not task.is_classification else ''}"


def _folds(trained: TrainedTable, folds: dict[str, Any], of: str = "") -> Iterator[str]:
    for name, values in folds.get("targets", {}).items():
        yield from _folds(trained, values, f"{name}, ")
    of = of or ("mean of the targets, " if "targets" in folds else "")
    task, suffix = trained.task, f"_{trained.task.baseline_name.replace(' ', '_')}"
    for name in (task.decisive, *(each for each in ("rmse", "mae", "log_loss", "auc") if each in folds)):
        ours, theirs = (
            f"{shown_metric(each['mean'], name)} ± {shown_metric(each['deviation'], name)}"
            for each in (folds[name], folds[name + suffix])
        )
        yield f"{len(folds[name]['values'])} folds, {of}{label(name)}: {ours} ({task.baseline_name}: {theirs})"


def of_known_targets(trained: TrainedTable, found: Predictions) -> Iterator[str]:
    """How good predictions are, where the table has the targets."""
    names = trained.encoder.target_names
    if any(name not in found.table.columns for name in names):
        return
    (usable,) = np.nonzero(~np.any([found.table.missing_in(name) for name in names], axis=0))
    if not len(usable):
        return
    rows = "" if len(usable) == len(found.table) else f" of the {len(usable):,} rows that have one"
    targets = trained.encoder.targets(found.table, **found.written)[usable]
    if found.probabilities is not None:
        classes = np.asarray(targets).reshape(len(targets)).astype(np.int64)
        yield f"accuracy{rows}: {accuracy(classes, found.probabilities[usable].argmax(axis=1)):.4f}"
        return
    scale = trained.encoder.target_scale
    for place, name in enumerate(names):
        value = r_squared(targets[:, place], scale(found.values[usable])[:, place])
        of = f" of {name}" if len(names) > 1 else ""
        yield f"R2{of}{rows}: " + ("undefined, the target is constant" if value is None else shown_metric(value))
