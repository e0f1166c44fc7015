"""`TrainedTable`: a model trained on a table, which predicts other tables; `load_run` reads one from a run's folder.

Both have the same attributes and methods, so a program need not know where a model comes from. Next: training.py.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lr import nn
from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.data.columns import Table
from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.data.inputs import Report
from tinygrad_lr.training.history import History

from . import models, runs
from .coefficients import Coefficients, coefficients_of
from .metrics import shown_metric
from .opening import opened
from .preparing import PreparedRun
from .reported import page_of, reported, steps_in_epoch_of
from .speaking import in_python
from .tasks import Task, task_of

__all__ = ["Predictions", "TrainedTable", "load_run"]


@dataclass
class Predictions:
    """What a model says of the rows of a table.

    Attributes:
        values: of a regression numbers in the target's units, float64, shape (rows, targets); else the most probable
            class of each row, shape (rows, 1), as the table has it.
        probabilities: of each class, float64, shape (rows, classes); None of a regression.
        report: what the training rows did not have.
        table: the table.
        written: how its numbers and dates are written, where that was said: "decimal", "dates".
    """

    values: np.ndarray
    probabilities: np.ndarray | None
    report: Report
    table: Table
    written: dict[str, str | None] = field(default_factory=dict)


@dataclass
class TrainedTable:
    """A model that was trained on a table.

    Attributes:
        model: the trained network: it takes encoded inputs, float32 of shape (rows, inputs), and gives standardised
            targets, or logits of classes.
        encoder: makes the inputs of a table, and units of predictions.
        history: what happened at each step.
        metrics: how good the model is and what it must beat, by name.
        description: all that run.json says; None where nothing was written yet.
        folder: where the run lies, or None.
        files: name -> the arrays or the text of the files of the run, for `save`.
        status: "finished", "interrupted" or "diverged".
        notes: sentences on the training, for people. below: what to try, where the baseline is better; else empty.
        prepared: the options, the divided and encoded rows and the plan; None of a run that was read from a folder.
        diverged: the error that ended the training, or None. signal: that which interrupted it, or None.

    Example:
        >>> from tinygrad_lr.training import train_table
        >>> rows = {"dose": [1.0, 2, 3, 4] * 5, "effect": [3.0, 5, 7, 9] * 5}
        >>> run = train_table(rows, target="effect", steps=500)
        >>> run.predict({"dose": [5.0]}).round(1).tolist()
        [11.0]
        >>> print(run.explain())
        effect = 2 * dose + 1
    """

    model: nn.Module
    encoder: TableEncoder
    history: History
    metrics: dict[str, Any]
    description: dict[str, Any] = field(repr=False)
    folder: Path | None = None
    files: Mapping[str, str | Mapping[str, np.ndarray]] = field(default_factory=dict, repr=False)
    status: str = "finished"
    notes: list[str] = field(default_factory=list, repr=False)
    below: str = ""
    device: str = "cpu"
    prepared: PreparedRun | None = field(default=None, repr=False)
    diverged: BaseException | None = field(default=None, repr=False)
    signal: int | None = field(default=None, repr=False)

    @property
    def task(self) -> Task:
        """The row of the task."""
        return task_of(self.encoder.task)

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes in the order of `predict_proba`'s columns; none of a regression."""
        return tuple(self.encoder.classes)

    def __repr__(self) -> str:
        shown = {name: self.metrics.get(name) for name in ("measured_on", self.task.decisive)}
        what = ", ".join(
            f"{name}={shown_metric(value)}" if isinstance(value, float) else f"{name}={value}"
            for name, value in shown.items()
        )
        return f"TrainedTable({', '.join(self.encoder.target_names)}: {self.encoder.task}, {self.status}, {what})"

    @in_python
    def predictions(
        self, table: Any, *, strict: bool = False, decimal: str | None = None, dates: str | None = None
    ) -> Predictions:
        """What the model says of the rows of a table, with all that is known of it.

        Args:
            table: a frame, a dict of columns, a list of dicts, a Table, or the path of a file, with the columns of the
                training table in any order; the target may be absent.
            strict: refuse categories and missing values that the training rows did not have.
            decimal, dates: "." or ",", "d/m/y" or "m/d/y": of what can be read in two ways. By default as the table's
                columns show, else as the training table was.

        Raises:
            TableError: a column is absent, or has cells of another kind.
        """
        strict = true_or_false("strict", strict)
        there = opened(table, None if decimal is None else {"decimal": decimal}, self.description.get("reading"))
        written: dict[str, str | None] = {"decimal": decimal, "dates": dates}
        inputs, report = self.encoder.encode(there, strict=strict, decimal=decimal, dates=dates)
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = models.apply_network(self.model, inputs, self.device)
            if self.task.probabilities is None:
                return Predictions(self.encoder.target_in_units(outputs), None, report, there, written)
            probabilities = self.task.probabilities(outputs)
        chosen = probabilities.argmax(axis=1)
        values = np.array(self.classes, dtype=object if isinstance(self.classes[0], str) else None)[chosen]
        return Predictions(values[:, None], probabilities, report, there, written)

    @in_python
    def predict(
        self, table: Any, *, strict: bool = False, decimal: str | None = None, dates: str | None = None
    ) -> np.ndarray:
        """The predictions for a table: numbers in the target's units, or classes.

        Args:
            table, strict, decimal, dates: see `predictions`.

        Returns:
            Shape (rows,), or (rows, targets) where there are several. A UserWarning counts the categories that the
            training rows did not have, which count as none.
        """
        found = self.predictions(table, strict=strict, decimal=decimal, dates=dates)
        _warn_of_unseen(found)
        values = found.values
        return values[:, 0] if values.shape[1] == 1 else values

    @in_python
    def predict_proba(
        self, table: Any, *, strict: bool = False, decimal: str | None = None, dates: str | None = None
    ) -> np.ndarray:
        """The probability of each class, float64, shape (rows, classes); see `classes`.

        Raises:
            ValueError: the target is a number.
        """
        made = self.predictions(table, strict=strict, decimal=decimal, dates=dates)
        _warn_of_unseen(made)
        found = made.probabilities
        if found is None:
            raise ValueError(
                f"{self.encoder.target} is a number and has no probabilities; predict gives it, or train with "
                "task='classification'"
            )
        return found

    def explain(self) -> Coefficients:
        """The coefficients of a linear model by name, in the units of the table.

        Raises:
            ValueError: the model has hidden layers.
        """
        return coefficients_of(self.model, self.encoder)

    def report(self, *, language: str = "en") -> str:
        """The text of an HTML file with the curves of the training, and its settings and results: report.html.

        Args:
            language: "en" or "zh", in which the page opens.
        """
        return page_of([reported(self.description, self.history)], language=language)

    @in_python
    def save(self, folder: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the run into a folder, as `tinygrad-lr train --out` does, whole or not at all.

        Args:
            force: replace a run that lies there.

        Raises:
            RunError: the folder holds what must not be replaced, or cannot be written to.
        """
        from .unfinished import Run

        force = true_or_false("force", force)
        run = Run.begin(Path(folder), force, {"command": None, "data": self.description.get("data", {})})
        try:
            run.commit(self.description, self.files, self.history)
        finally:
            run.leave()
        self.folder = Path(folder)
        return self.folder


@in_python
def load_run(folder: str | os.PathLike[str]) -> TrainedTable:
    """The run that `tinygrad-lr train` or `TrainedTable.save` left in a folder. Nothing in it is taken on trust.

    The model has the parameters that `predict` uses: those of the best epoch where there were validation rows.

    Raises:
        RunError: there is no run, a file is absent or damaged, or the files do not fit together.
    """
    folder = Path(folder)
    return runs.unchanged(folder, lambda description: restored(folder, description))


def _warn_of_unseen(found: Predictions) -> None:
    if found.report.unseen:
        said = Report(found.report.rows, found.report.unseen)
        warnings.warn(f"{said}; strict=True refuses them", UserWarning, stacklevel=4)


def restored(folder: Path, description: dict[str, Any]) -> TrainedTable:
    """The run of a folder whose run.json says this.

    Raises:
        RunError: something is absent, has the wrong form, or does not fit the rest.
    """
    try:
        model_of = _part(description, "model", dict)
        layers, name = _part(model_of, "layers", list), runs.parameters_of(model_of)
        parameters = runs.read_parameters(folder, layers, name)
        encoder = TableEncoder.from_json(_part(description, "encoder", dict))
        if encoder.target_encoder is None:
            raise ValueError("the encoder has no target")
        if (len(encoder.feature_names), encoder.outputs) != (layers[0], layers[-1]):
            raise ValueError(
                f"the encoder has {len(encoder.feature_names)} inputs and {encoder.outputs} outputs, the model "
                f"{layers[0]} inputs and {layers[-1]} outputs"
            )
        model = models.network(layers)
        model.load_state_dict(parameters)
        model.eval()
        description = {**description, "reading": _reading(description)}
    except runs.RunError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise runs.RunError(f"run.json and model.npz in {folder} do not fit together: {error}") from error
    files: dict[str, str | Mapping[str, np.ndarray]] = {name: parameters}
    history = runs.read_history(folder)
    history.steps_in_epoch = steps_in_epoch_of(description)
    return TrainedTable(
        model,
        encoder,
        history,
        dict(description.get("metrics") or {}) if isinstance(description.get("metrics"), dict) else {},
        description,
        folder,
        _Files(folder, layers, files),
        str(description.get("status")),
    )


class _Files(Mapping[str, Any]):
    """The files of a run in its folder, read when `save` asks for them."""

    def __init__(self, folder: Path, layers: Any, known: dict[str, Any]) -> None:
        self.folder, self.layers, self.known = folder, layers, known

    def __iter__(self) -> Any:
        return (
            name
            for name in runs.FILES
            if name in self.known or runs.place(self.folder, name).is_file() and name in WRITTEN
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> Any:
        if name in self.known:
            return self.known[name]
        if name in runs.PARAMETERS:
            return runs.read_parameters(self.folder, self.layers, name)
        return runs.place(self.folder, name).read_text("utf-8")


WRITTEN = (*runs.PARAMETERS, "coefficients.csv", "report.html")


def _reading(description: dict[str, Any]) -> dict[str, Any]:
    """How the training table was read, as `read_table` takes it."""
    if "reading" in description:
        found = _part(description, "reading", dict)
    else:  # of version 1
        options = _part(description, "arguments", dict)
        found = {name: options[name] for name in ("na_values", "keep_na") if name in options}
    marks, keep_na = found.get("na_values", []), found.get("keep_na", False)
    if not (isinstance(marks, list) and all(isinstance(each, str) for each in marks)):
        raise ValueError(f"'na_values' of run.json is {marks!r:.60}")
    if not isinstance(keep_na, bool):
        raise ValueError(f"'keep_na' of run.json is {keep_na!r:.60}")
    return found


def _part(of: Any, name: str, kind: type) -> Any:
    found = of.get(name) if isinstance(of, dict) else None
    if not isinstance(found, kind):
        raise ValueError(f"{name!r} of run.json is {found!r:.60}")
    return found
