"""`train_table`: from a table to a trained model, as `tinygrad-lr train` does it, which calls this.

It opens the table, prepares it (preparing.py), trains the folds and the model (arrays.py), measures both
(measuring.py), and leaves a run's folder where one is asked for (unfinished.py).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lr import backend
from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.data.columns import some
from tinygrad_lr.data.targets import shown_class
from tinygrad_lr.optim.table import OPTIMIZERS
from tinygrad_lr.training.progress import STOPPING, Interruption

from . import models
from .arrays import STEPS, TrainedArrays
from .coefficients import coefficients_of
from .kinds import Name, Names, as_list
from .lines import EpochLines
from .measuring import Measured, Metrics, compared, measure, spread, telling
from .metrics import label, shown_metric
from .opening import opened, path_of
from .options import Options, as_flag, known_options
from .preparing import Data, PreparedRun, fold_of, prepared
from .provenance import command_line, versions
from .reported import page_of, reported
from .speaking import in_python, spoken
from .tasks import class_numbers
from .trained import TrainedTable
from .unfinished import Run, storable

__all__ = ["begun", "described", "in_words", "prepare", "train_table"]

Say = Callable[[str], object]
MOST_TELLING = 3  # columns that are named
READING = ("delimiter", "encoding", "decimal", "na_values", "keep_na", "sheet")


@in_python
def train_table(
    table: Any,
    target: str | int | list[Any] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: bool | Say = False,
    take: Callable[[PreparedRun], Run] | None = None,
    **options: Any,
) -> TrainedTable:
    """Train a linear model or a small network on a table.

    Args:
        table: the path of a file, a frame of pandas, polars or pyarrow, a dict of columns, a list of dicts, an array,
            or a `data.Table`.
        target: the column to predict, or a list of several columns of numbers. Where an option names columns, a whole
            number is the name of a frame's column, and of an array without names the place of one, from 0 or, where it
            is negative, from the end.
        out: a folder for the run, as `tinygrad-lr train --out` leaves it; by default nothing is written.
        force: replace the run that lies in this folder.
        progress: True prints what each column became and a line for each epoch (of many epochs, for some); or a
            function that is called with each line.
        take: makes the `Run` that keeps the training on disk, in place of `out`; the command line gives it.
        options: those of `tinygrad-lr train`, by their names with underscores; see `Options`. `test` is a table of any
            form.

    Returns:
        The run: `.model`, `.history`, `.metrics`, `.predict(table)`, `.predict_proba(table)`, `.explain()`, `.encoder`,
        `.save(folder)`. After Ctrl-C its status is "interrupted", and it has what was learnt until then. Where the loss
        became infinite its status is "diverged".

    Raises:
        TypeError: a name that is no option. ValueError: options that cannot be used, or a table that cannot.
        RunError: the folder holds another run, or cannot be written to.

    Example:
        >>> run = train_table({"x": [0.0, 1, 2, 3] * 9, "kind": ["low", "low", "high", "high"] * 9}, "kind", steps=900)
        >>> run.predict({"x": [0.2, 2.7]}).tolist(), run.metrics["accuracy"]
        (['low', 'high'], 1.0)
    """
    force = true_or_false("force", force)
    if not callable(progress):
        progress = true_or_false("progress", progress)
    printed: Say = progress if callable(progress) else print if progress else lambda line: None

    def say(line: str) -> object:
        return printed(spoken(line))

    if force and out is None and take is None:
        raise ValueError("--force replaces the run in the folder of --out, which is not given; leave it out")
    made = prepare(table, {**options, "target": target})
    if take is None and out is not None:
        folder = Path(out)

        def take(made: PreparedRun) -> Run:
            return Run.begin(folder, force, begun(made), piped=made.data.take_piped())

    run = None
    if take is None:
        made.data.take_piped()  # which nothing will ask for
    try:
        run = None if take is None else take(made)
        return _trained(made, run, say, bool(progress))
    finally:
        if run is not None:
            run.leave()


def prepare(table: Any, options: Mapping[str, Any] | Options) -> PreparedRun:
    """A table opened, divided, encoded and its training planned.

    Args:
        table: see `train_table`.
        options: by name, or checked.
    """
    if table is None:
        raise TypeError("a table is needed: a path, a frame, an array, a dict of columns or a list of dicts; got None")
    chosen = options if isinstance(options, Options) else Options.of(_with_names(options, table))
    reading: dict[str, Any] = {
        name: value for name in READING if (value := getattr(chosen, name)) not in (None, [], False)
    }
    if chosen.no_header:
        reading["header"] = False
    there = opened(table, reading)
    test = None if chosen.test is None else opened(chosen.test, reading, there.read_as, "the test table")
    return prepared(there, chosen, path_of(table), test, path_of(chosen.test))


def _with_names(options: Mapping[str, Any], table: Any) -> dict[str, Any]:
    """The options, with names for the numbers by which Python may call columns."""
    known = known_options()
    count = table.shape[1] if isinstance(table, np.ndarray) and table.dtype.names is None and table.ndim == 2 else None

    def named(option: str, column: Any) -> Any:
        if isinstance(column, bool) or not isinstance(column, (int, np.integer)):
            return column
        if count is None:
            return str(column)
        if not -count <= column < count:
            raise ValueError(f"{as_flag(option)}: the array has {count} columns, 0 to {count - 1}; got {column}")
        return f"column_{column % count + 1}"

    found = dict(options)
    for option, value in options.items():
        kind = known[option].kind if option in known else None
        value = as_list(value) if isinstance(kind, Names) else value
        if isinstance(kind, Names) and isinstance(value, (list, tuple, set)):
            found[option] = [named(option, each) for each in value]
        elif isinstance(kind, (Name, Names)):
            found[option] = named(option, value)
    return found


def begun(made: PreparedRun) -> dict[str, Any]:
    """What a run's folder says of a training that is under way, so that it can go on."""
    return {"command": storable(command_of(made)), "data": made.data.origin, "compiled": made.plan.compiled}


def command_of(made: PreparedRun) -> list[str]:
    """The command that repeats a run; of a frame, which has no path, it names no table."""
    return command_line(made.options, made.data.path)


@dataclass
class _Result:
    """A trained model and its metrics."""

    trained: TrainedArrays
    measured: Measured
    measured_on: str
    rows: int


def _trained(made: PreparedRun, run: Run | None, say: Say, lines: bool) -> TrainedTable:
    """Train the folds and the model, measure, and make the run complete."""
    data, plan = made.data, made.plan
    started = time.perf_counter()
    with Interruption(*(STOPPING if run is not None else ())) as stop:
        stop.tolerate(0)
        earlier = None if run is None else run.restore(made)
        for each in described(data, made):
            say(each)
        folds = [_fold(made, place, say) for place in range(len(data.folds))]
        stop.tolerate(1)
        watched = "Validation" if plan.has_validation else "Held-out"
        trained = plan.run(
            checkpoint=None if run is None else run.checkpoint,
            resume=earlier,
            callbacks=[EpochLines(say, watched)] if lines else [],
            norms=True,
        )
        stop.tolerate(math.inf)  # what is written now is written whole
        history = trained.history
        if history.interrupted and not len(history):
            raise KeyboardInterrupt
        status = "diverged" if trained.diverged else "interrupted" if history.interrupted else "finished"
        result = _measured(data, plan.task.probabilities is not None, trained)
        metrics = _metrics(made, result, folds)
        metrics |= {"steps": len(history), "seconds": round(time.perf_counter() - started, 3)}
        files, chosen = _files(trained, data)
        description = _description(made, status, metrics, chosen)
        if trained.diverged is not None:
            description["diverged"] = str(trained.diverged)
        files["report.html"] = page_of([reported(description, history)])
        notes = [spoken(each) for each in _notes(made, trained, metrics)]
        found = TrainedTable(
            trained.network,
            data.encoder,
            history,
            metrics,
            description,
            None,
            files,
            status,
            notes,
            device=made.options.device,
        )
        found.below = spoken(lies_below(made, metrics, status))
        found.prepared, found.diverged, found.signal = made, trained.diverged, stop.received
        if run is not None:
            run.commit(description, files, history)
            found.folder = run.folder
    return found


def _fold(made: PreparedRun, place: int, say: Say) -> Measured:
    """Train and measure one fold of the cross-validation."""
    fold = fold_of(made.data, made.options, made.data.folds[place])
    trained = fold.plan.run()
    if trained.history.interrupted:
        raise KeyboardInterrupt
    if trained.diverged is not None:
        raise trained.diverged
    measured = _measured(fold.data, True, trained).measured
    name = fold.plan.task.decisive
    values = [each[name] for each in (measured.model, measured.baseline)]
    shown = [shown_metric(value, name) for value in values]
    rows = len(fold.data.division.held_out)
    said = f"Fold {place + 1} of {len(made.data.folds)}: {label(name)} {shown[0]} on {rows:,} rows"
    say(f"{said} ({fold.plan.task.baseline_name}: {shown[1]})")
    return measured


# --- how good it is -------------------------------------------------------------------------------------------------


def _measured(data: Data, is_class: bool, trained: TrainedArrays) -> _Result:
    """The metrics on the table of its own, on the held-out rows, or on the training rows, whichever are there."""
    task, division = trained.plan.task, data.division
    known = data.rows(division.known)
    if data.test is not None:
        assert data.test_rows is not None
        (rows, weights), on = data.test_rows, "test"
    else:
        which = division.held_out if len(division.held_out) else division.known
        rows = data.rows(which)
        weights = None if data.sample_weights is None else data.sample_weights[which]
        on = "held out" if len(division.held_out) else "training"
    outputs = trained.outputs(rows.inputs)
    return _Result(trained, measure(task, data.encoder, outputs, known, rows, weights), on, len(rows))


def _metrics(made: PreparedRun, result: _Result, folds: list[Measured]) -> dict[str, Any]:
    """All that is known of how good the model is, for run.json and `.metrics`."""
    task, measured = made.plan.task, result.measured
    suffix = f"_{task.baseline_name.replace(' ', '_')}"
    found: dict[str, Any] = {"measured_on": result.measured_on, "rows": result.rows, "baseline": task.baseline_name}
    found |= measured.model
    found |= {f"{name}{suffix}": value for name, value in measured.baseline.items()}
    found |= {f"{name}_base_rate": value for name, value in measured.base.items()}
    if measured.targets:
        found["targets"] = {
            name: {**values, **{f"{each}{suffix}": value for each, value in measured.baselines[name].items()}}
            for name, values in measured.targets.items()
        }
    if folds:
        found["folds"] = _over_folds([(each.model, each.baseline) for each in folds], suffix)
        if measured.targets:
            found["folds"]["targets"] = {
                name: _over_folds([(each.targets[name], each.baselines[name]) for each in folds], suffix)
                for name in measured.targets
            }
    best = result.trained.best
    found["epochs"] = result.trained.history.completed_epochs()
    if best is not None:
        found |= {"best_epoch": best.epoch + 1, "best_validation_loss": best.loss}
    if result.trained.history.stopped:
        found["stopped"] = result.trained.history.stopped.replace("held-out loss", "validation loss", 1)
    return found


def _over_folds(measured: list[tuple[Metrics, Metrics]], suffix: str) -> dict[str, Any]:
    """The metrics of a model and of its baseline over folds."""
    models, baselines = (list(each) for each in zip(*measured, strict=True))
    return {**spread(models), **{f"{name}{suffix}": value for name, value in spread(baselines).items()}}


# --- what a run leaves ----------------------------------------------------------------------------------------------


def _files(trained: TrainedArrays, data: Data) -> tuple[dict[str, str | Mapping[str, np.ndarray]], str]:
    """The files of a run besides run.json and history.csv, and which of them `predict` takes its parameters from."""
    files: dict[str, str | Mapping[str, np.ndarray]] = {"model.npz": trained.last}
    chosen = "model.npz"
    if trained.best is not None:
        files["best.npz"], chosen = trained.best.parameters, "best.npz"
    if trained.averaged is not None:
        files["average.npz"], chosen = trained.averaged, "average.npz"
    if len(trained.plan.layers) == 2 and trained.diverged is None:
        files["coefficients.csv"] = coefficients_of(trained.network, data.encoder).to_csv()
    return files, chosen


def _description(made: PreparedRun, status: str, metrics: dict[str, Any], chosen: str) -> dict[str, Any]:
    """The content of run.json: everything that repeating the run needs, and the results."""
    data, plan, options = made.data, made.plan, made.options
    division = data.division
    return {
        "status": status,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": storable(command_of(made)),
        "arguments": {**vars(options), "test": None if data.test_path is None else str(data.test_path)},
        "seed": options.seed,
        "metrics": metrics,
        "data": data.origin,
        "reading": _reading(data),
        "task": data.encoder.task,
        "split": {
            "training": division.training.tolist(),
            "validation": division.validation.tolist(),
            "held_out": division.held_out.tolist(),
        },
        "encoder": data.encoder.to_json(),
        "model": {"layers": plan.layers, "activation": "relu", "device": options.device, "parameters": chosen},
        "loss": repr(plan.loss),
        "optimizer": dict(plan.optimizer.defaults),
        "schedule": repr(plan.schedule),
        "epochs": plan.epochs,
        "batch_size": plan.loader.batch_size,
        "patience": plan.patience,
        "versions": versions(),
        "backend": backend.get(),
        "compiled": plan.compiled,
    }


def _reading(data: Data) -> dict[str, Any]:
    """How the table was read, so that another one is read alike: with its decimal comma, too, where it has one."""
    known = data.encoder.conventions
    comma = "," in (known.decimal, known.likely_decimal)
    return {**({"decimal": ","} if comma else {}), **data.table.read_as}


# --- in words -------------------------------------------------------------------------------------------------------


def described(data: Data, made: PreparedRun) -> list[str]:
    """What is known before the training: what each column became, how the rows are divided, how long it will take."""
    said = [*data.table.notes, *data.encoder.describe()]
    options, plan, division = made.options, made.plan, data.division
    for name, what in ((options.weights, "how much each row counts"), (options.split_by, "its rows stay together")):
        if name is not None:
            said.append(f"{name} left out: {what}")
    steps, per_epoch = plan.steps, len(plan.loader)
    validation = f", {_rows(len(division.validation), 'validation ')}" if plan.has_validation else ""
    said.append(
        f"{_rows(len(division.training), 'training ')}{validation} in batches of {plan.loader.batch_size}: "
        f"{per_epoch:,} step{'s' * (per_epoch > 1)} an epoch, {plan.epochs:,} epoch{'s' * (plan.epochs > 1)}, "
        f"{steps:,} step{'s' * (steps > 1)}{_budget(options)}"
    )
    said += filter(None, [plan.optimizer.in_words()])
    needs = OPTIMIZERS.rows[options.optimizer].needs
    return [*said, f"{options.optimizer} needs {needs}, which this training does not give"] if needs else said


def _budget(options: Options) -> str:
    return " (a budget; --steps or --epochs change it)" if options.steps is None and options.epochs is None else ""


def _notes(made: PreparedRun, trained: TrainedArrays, metrics: dict[str, Any]) -> list[str]:
    """What people should know of a training: how it ended, and whether something simpler is better."""
    said = []
    history, plan = trained.history, made.plan
    data = made.data
    if data.test is not None and data.test.sha256 and data.test.sha256 == data.table.sha256:
        said.append("The table to measure on is the training table: how good the model is on other rows is not known")
    if made.data.classes:
        codes = class_numbers(made.data.targets[made.data.division.known])
        absent = sorted(set(range(made.data.classes)) - set(codes.tolist()))
        if absent:
            names = [shown_class(made.data.encoder.classes[each]) for each in absent]
            said.append(f"No training row has the class {some(names, 10)}: the model cannot tell it from the others")
    for name in _telling(data):
        said.append(
            f"{name} alone tells {some(data.encoder.target_names, 3)} exactly in the training rows: if it is not known "
            "before, leave it out (--ignore)"
        )
    if trained.averaged is not None:
        said.append("The mean of the weights of the last quarter of the epochs predicts (average.npz)")
    elif trained.best is not None:
        ended = f"Stopped after epoch {metrics['epochs']:,} of {plan.epochs:,}: " if history.stopped else ""
        said.append(
            f"{ended}{'the' if ended else 'The'} parameters of epoch {trained.best.epoch + 1:,} are kept and predict "
            f"(best.npz): its validation loss, {trained.best.loss:.6g}, is the lowest"
        )
    return said


def _telling(data: Data) -> list[str]:
    """The columns of which one input is the target or a class in another unit."""
    columns = [each.name for each in data.encoder.inputs for _ in each.features]
    return telling(data.inputs, data.targets, data.division.known, data.classes, columns)[:MOST_TELLING]


def lies_below(made: PreparedRun, metrics: dict[str, Any], status: str = "finished") -> str:
    """A sentence where the baseline is better than the model, with what to try; empty where it is not."""
    task, options = made.plan.task, made.options
    suffix = f"_{task.baseline_name.replace(' ', '_')}"
    if "folds" in metrics and metrics["measured_on"] == "training":
        found = {name: metrics["folds"][name]["mean"] for name in (task.decisive, f"{task.decisive}{suffix}")}
    else:
        found = metrics
    by = compared(task, {task.decisive: found[task.decisive]}, {task.decisive: found[f"{task.decisive}{suffix}"]})
    if by is None:
        return _below_base_rate(made, found.get(task.decisive), metrics.get(f"{task.decisive}_base_rate"), status)
    much = f"{shown_metric(by)} below" if math.isfinite(by) else "below"
    if status == "interrupted":
        tries = f"the training was interrupted after {metrics['steps']:,} of {made.plan.steps:,} steps"
    elif status == "diverged":
        tries = _slower(options)
    elif options.hidden:
        tries = "leave out --hidden, or try fewer units, --weight-decay 0.01 with --optimizer adamw, or more --steps"
    else:
        tries = f"try --steps {max(4 * made.plan.steps, 2 * STEPS)}, or another --lr than {options.lr:g}"
    return f"{label(task.decisive)} lies {much} {task.baseline_name}: {tries}"


def _slower(options: Options) -> str:
    """What to try where a training diverged: more steps would diverge, too."""
    return f"the training diverged: try a smaller --lr than {options.lr:g}"


def _below_base_rate(made: PreparedRun, ours: float | None, base: float | None, status: str) -> str:
    """A sentence where naming the most frequent class would be better. Weights of classes trade accuracy for others."""
    task = made.plan.task
    if base is None or ours is None or ours >= base - task.margin or made.options.class_weights is not None:
        return ""
    much = shown_metric(base - ours)
    said = f"{label(task.decisive)} lies {much} below the base rate, as that of {task.baseline_name} does"
    if status == "diverged":
        return f"{said}; {_slower(made.options)}"
    return f"{said}: these columns say little of the classes; try more rows, or fewer columns (--ignore)"


def in_words(made: PreparedRun) -> str:
    """The model and the rows it was trained on."""
    division, data = made.data.division, made.data
    said = (
        f"{models.in_words(made.plan.layers)}, trained on {_rows(len(division.training))} of {data.name} in batches of "
        f"{made.plan.loader.batch_size}"
    )
    if len(division.validation):
        said += f"; {_rows(len(division.validation), 'validation ')}"
    return f"{said}; {_rows(len(division.held_out))} held out" if data.test is None else said


def _rows(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}row{'s' * (count != 1)}"
