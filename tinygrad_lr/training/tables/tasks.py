"""The tasks, a row each: which losses there are, what outputs mean, how good they are, and what they must beat.

`TASKS["regression"]` predicts numbers, `TASKS["binary"]` one of two classes, `TASKS["multiclass"]` one of several. A
target is what `TableEncoder.targets` gives: numbers, standardised, float32 of shape (rows, targets); 0 and 1, float32
of shape (rows, 1); the number of a class, int64 of shape (rows,). Next: arrays.py, which trains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lr import nn

from . import baselines, metrics

__all__ = ["TASKS", "Task", "class_numbers", "task_of"]


def class_numbers(targets: np.ndarray) -> np.ndarray:
    """The number of each row's class, int64, shape (rows,), from targets of either form."""
    return np.asarray(targets).reshape(len(targets)).astype(np.int64)


def _sigmoid(outputs: np.ndarray) -> np.ndarray:
    """Probabilities of both classes from the logit of the second, float64, shape (rows, 2)."""
    logit = np.asarray(outputs, np.float64).reshape(len(outputs))
    small = np.exp(-np.abs(logit))
    larger, smaller = 1 / (1 + small), small / (1 + small)  # not 1 - larger, which is 0 long before it need be
    return np.column_stack([np.where(logit >= 0, smaller, larger), np.where(logit >= 0, larger, smaller)])


def _softmax(outputs: np.ndarray) -> np.ndarray:
    """Probabilities of each class from their logits, float64, shape (rows, classes)."""
    logits = np.asarray(outputs, np.float64)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return found


IN_WORDS = {
    "mse": "mean squared error",
    "l1": "mean absolute error",
    "huber": "Huber loss",
    "smooth_l1": "smooth absolute error",
    "cross_entropy": "cross-entropy",
}


@dataclass(frozen=True, repr=False)
class Task:
    """What a kind of target asks of a training.

    Attributes:
        name: how `--task` calls it.
        losses: those that `--loss` can choose, by name; the first is the default. Each takes `reduction`.
        outputs: how many outputs a model needs, of the targets and the number of classes.
        probabilities: of each class from a model's outputs, shape (rows, classes); None where there are no classes.
        measure: the metrics of predictions, by name. Numbers: (targets, predictions, weights), a column each. Classes:
            (numbers of classes, probabilities, weights).
        decisive: the metric by which a model is compared with the baseline.
        margin: by how much it may lie below the baseline and still be called as good.
        baseline: (inputs, targets, classes, other inputs, weights) -> predictions or probabilities for the others.
        baseline_name: what it is called.
    """

    name: str
    losses: Mapping[str, Callable[..., nn.Module]]
    outputs: Callable[[np.ndarray, int], int]
    probabilities: Callable[[np.ndarray], np.ndarray] | None
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray | None], dict[str, float | None]]
    decisive: str
    margin: float
    baseline: Callable[[np.ndarray, np.ndarray, int, np.ndarray, np.ndarray | None], np.ndarray]
    baseline_name: str

    def __repr__(self) -> str:
        return f"Task({self.name}: {' or '.join(self.losses)}; {self.decisive}, beside {self.baseline_name})"

    def __reduce__(self) -> tuple[Callable[[str], Task], tuple[str]]:
        """A pickle holds the name: it is a row of the table."""
        return task_of, (self.name,)

    @property
    def is_classification(self) -> bool:
        """Whether the target is a class."""
        return self.probabilities is not None

    def loss(self, name: str | None = None, **options: Any) -> nn.Module:
        """A loss by its name, or the default one.

        Raises:
            ValueError: no loss of this task has the name.
        """
        chosen = name or next(iter(self.losses))
        if chosen not in self.losses:
            owners = " and ".join(each.name for each in TASKS.values() if chosen in each.losses)
            raise ValueError(
                f"--loss: {self.name} has the losses {', '.join(self.losses)}; got {chosen!r}"
                + (f", which belongs to {owners}" if owners else "")
            )
        return self.losses[chosen](**options)

    def loss_in_words(self, name: str | None = None) -> str:
        """What a loss is, with its unit; None: the default one.

        Example:
            >>> task_of("regression").loss_in_words("l1"), task_of("binary").loss_in_words()
            ('mean absolute error (target standardised)', 'cross-entropy')
        """
        said = IN_WORDS[name or next(iter(self.losses))]
        return said if self.is_classification else f"{said} (target standardised)"


def _of_numbers(
    target: np.ndarray, prediction: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, float | None]:
    return {
        "r2": metrics.r_squared(target, prediction, weights),
        "rmse": metrics.rmse(target, prediction, weights),
        "mae": metrics.mae(target, prediction, weights),
    }


def _of_classes(
    classes: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, float | None]:
    found: dict[str, float | None] = {
        "accuracy": metrics.accuracy(classes, probabilities.argmax(axis=1), weights),
        "log_loss": metrics.log_loss(classes, probabilities, weights),
    }
    if probabilities.shape[1] == 2:
        found["auc"] = metrics.auc(classes == 1, probabilities[:, 1], weights)
    return found


def _least_squares(
    inputs: np.ndarray, targets: np.ndarray, classes: int, others: np.ndarray, weights: np.ndarray | None
) -> np.ndarray:
    return baselines.least_squares(inputs, targets, others, weights)


def _logistic_regression(
    inputs: np.ndarray, targets: np.ndarray, classes: int, others: np.ndarray, weights: np.ndarray | None
) -> np.ndarray:
    return baselines.logistic_regression(inputs, class_numbers(targets), classes, others, weights)


_CLASSES: dict[str, Any] = {
    "measure": _of_classes,
    "decisive": "accuracy",
    "margin": 0.01,
    "baseline": _logistic_regression,
    "baseline_name": "logistic regression",
}
TASKS = {
    each.name: each
    for each in (
        Task(
            "regression",
            losses={"mse": nn.MSELoss, "l1": nn.L1Loss, "huber": nn.HuberLoss, "smooth_l1": nn.SmoothL1Loss},
            outputs=lambda targets, classes: targets.shape[1],
            probabilities=None,
            measure=_of_numbers,
            decisive="r2",
            margin=0.01,
            baseline=_least_squares,
            baseline_name="least squares",
        ),
        Task(
            "binary",
            losses={"cross_entropy": nn.BCEWithLogitsLoss},
            outputs=lambda targets, classes: 1,
            probabilities=_sigmoid,
            **_CLASSES,
        ),
        Task(
            "multiclass",
            losses={"cross_entropy": nn.CrossEntropyLoss},
            outputs=lambda targets, classes: classes,
            probabilities=_softmax,
            **_CLASSES,
        ),
    )
}


def task_of(name: str) -> Task:
    """The row of a task.

    Raises:
        ValueError: no task has the name.
    """
    if name not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {name!r}")
    return TASKS[name]
