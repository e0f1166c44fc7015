"""How good a trained model is on rows, in the target's units, beside its baseline and the base rate.

Next: trained.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lr.data.encoding import TableEncoder

from .arrays import Rows
from .baselines import base_rate
from .tasks import Task, class_numbers

__all__ = ["Measured", "Metrics", "compared", "measure", "spread", "telling"]

Metrics = dict[str, float | None]


@dataclass
class Measured:
    """The metrics of a model and of what it must beat.

    Attributes:
        model, baseline, base: metrics by name; `base` is the base rate's, empty for numbers.
        targets: for several targets the metrics of each; `model` has the mean of their R2 then, which has no unit.
        baselines: the same of the baseline.
    """

    model: Metrics
    baseline: Metrics
    base: Metrics
    targets: dict[str, Metrics]
    baselines: dict[str, Metrics]


FEWEST_TO_TELL = 20  # rows; of fewer, two columns can agree by chance
ALIKE = 1 - 1e-8  # a correlation that is 1 but for the rounding of float32


def measure(
    task: Task, encoder: TableEncoder, outputs: np.ndarray, known: Rows, rows: Rows, weights: np.ndarray | None
) -> Measured:
    """The metrics of some rows.

    Args:
        outputs: the network's for these rows.
        known: what the baseline learns from.
        rows: to measure on.
        weights: the sample weights of these rows.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        other = task.baseline(known.inputs, known.targets, len(encoder.classes), rows.inputs, known.weights)
        if task.probabilities is None:
            found = _of_targets(task, encoder, rows.targets, outputs, weights)
            baselines = _of_targets(task, encoder, rows.targets, other, weights)
            several = len(found) > 1
            return Measured(_mean(found), _mean(baselines), {}, found if several else {}, baselines if several else {})
        classes = class_numbers(rows.targets)
        base = base_rate(class_numbers(known.targets), len(encoder.classes), len(rows), known.weights)
        return Measured(
            _finite(task.measure(classes, task.probabilities(outputs), weights)),
            _finite(task.measure(classes, other, weights)),
            _finite(task.measure(classes, base, weights)),
            {},
            {},
        )


def _of_targets(
    task: Task, encoder: TableEncoder, targets: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None
) -> dict[str, Metrics]:
    """The metrics of each target. R2 is of standardised numbers, whose squares do not overflow; the rest in units."""
    true, found = encoder.target_in_units(targets), encoder.target_in_units(predictions)
    standard, standard_found = encoder.target_scale(true), encoder.target_scale(found)
    measured = {}
    for place, name in enumerate(encoder.target_names):
        in_units = task.measure(true[:, place], found[:, place], weights)
        in_units["r2"] = task.measure(standard[:, place], standard_found[:, place], weights)["r2"]
        measured[name] = _finite(in_units)
    return measured


def _finite(metrics: Metrics) -> Metrics:
    """None in place of what is not finite, which JSON does not know."""
    return {name: value if value is not None and np.isfinite(value) else None for name, value in metrics.items()}


def _mean(of: dict[str, Metrics]) -> Metrics:
    """The metrics of one target; of several the mean of R2, the one without a unit. None where one is undefined."""
    (first, *_) = of.values()
    if len(of) == 1:
        return dict(first)
    values = [metrics["r2"] for metrics in of.values()]
    return {"r2": None if None in values else float(np.mean([value for value in values if value is not None]))}


def telling(
    inputs: np.ndarray, targets: np.ndarray, rows: np.ndarray, classes: int, columns: Sequence[str]
) -> list[str]:
    """The columns of which each alone is one of the targets in another unit, or names every class.

    Args:
        inputs, targets: of all rows, as trained with. rows: the training rows. classes: how many there are, or 0.
        columns: the column of each input.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(20, 2))
        >>> telling(x, 3 * x[:, 1:] + 1, np.arange(20), 0, ["age", "dose"])
        ['dose']
    """
    if len(rows) < FEWEST_TO_TELL:
        return []
    wanted = targets[rows]
    if classes > 2:
        codes = class_numbers(wanted)
        wanted = np.equal.outer(codes, np.unique(codes))
    few = slice(0, 50 * FEWEST_TO_TELL)
    (near,) = np.nonzero(_are_alike(inputs[rows[few]], wanted[few]).any(axis=1))
    if not len(near):
        return []
    found = _are_alike(inputs[np.ix_(rows, near)], wanted)
    told: dict[str, np.ndarray] = {}
    for place, of in zip(near.tolist(), found, strict=True):
        told[columns[place]] = told.get(columns[place], False) | of
    return [name for name, of in told.items() if (of.all() if classes else of.any())]


def _are_alike(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Whether the correlation of each column with each is 1 or -1, bool, shape (inputs, targets)."""
    parts = []
    for given in (inputs, targets):
        values = np.asarray(given, np.float64)
        values = values - values.mean(axis=0)
        length = np.sqrt((values**2).sum(axis=0))
        parts.append(values / np.where(length > 0, length, np.inf))
    return np.asarray(np.abs(parts[0].T @ parts[1]) >= ALIKE)


def spread(measured: Sequence[Metrics]) -> dict[str, dict[str, Any]]:
    """Mean, standard deviation (division by n - 1) and values of each metric over folds.

    Example:
        >>> spread([{"r2": 0.5}, {"r2": 0.7}])["r2"]["mean"]
        0.6
    """
    found: dict[str, dict[str, Any]] = {}
    for name in measured[0]:
        values = [metrics.get(name) for metrics in measured]
        there = [value for value in values if value is not None]
        found[name] = {
            "mean": float(np.mean(there)) if there else None,
            "deviation": float(np.std(there, ddof=1)) if len(there) > 1 else None,
            "values": values,
        }
    return found


def compared(task: Task, model: Metrics, baseline: Metrics) -> float | None:
    """By how much the model lies below the baseline in the metric that decides; None where it does not.

    Example:
        >>> from tinygrad_lr.training.tables.tasks import TASKS
        >>> compared(TASKS["regression"], {"r2": 0.25}, {"r2": 0.5})
        0.25
    """
    ours, theirs = model[task.decisive], baseline[task.decisive]
    if theirs is None or (ours is not None and ours >= theirs - task.margin):
        return None
    return float("inf") if ours is None else theirs - ours
