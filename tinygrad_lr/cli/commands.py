"""What the commands do: `train` on a table, `predict` with a run, `info` on the installation, `warmup`.

arguments.py reads the arguments. The commands use preparing.py (the data, the model, the schedule),
training/fitting.py (the loop), models.py (R2), unfinished.py and runs.py (the folder).
"""

from __future__ import annotations

import math
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lr import backend, nn, training
from tinygrad_lr.compiled import Runner
from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.data.tables import read_table
from tinygrad_lr.files import write_text
from tinygrad_lr.training.history import History
from tinygrad_lr.training.progress import STOPPING, Interruption
from tinygrad_lr.training.tables import baselines, metrics, models, runs
from tinygrad_lr.training.tables.preparing import Data, PreparedRun, prepared
from tinygrad_lr.training.tables.provenance import NOT_OF_A_RUN, command_line, versions
from tinygrad_lr.training.tables.unfinished import Run, storable

from . import plotting
from .info import info
from .printing import fail, note, patient_output, say

__all__ = ["info", "predict", "run", "train"]

LOSS_LABEL = "mean squared error\n(target standardised)"


def run(arguments: Namespace, parse: Callable[[list[str]], Namespace]) -> int:
    """Run the chosen command and return the exit code; `parse` makes arguments of the words of another command."""
    if arguments.command == "warmup":
        from .warmup import warmup

        return warmup(arguments)
    if arguments.command == "train":
        return train(arguments, parse)
    return {"predict": predict, "info": info}[arguments.command](arguments)


def train(arguments: Namespace, parse: Callable[[list[str]], Namespace]) -> int:
    """Train, measure, and leave a run folder.

    Args:
        parse: makes arguments of the words of a command, for `--resume`.
    """
    with Interruption(*STOPPING) as stop, patient_output():
        stop.tolerate(0)  # until there is something to save
        try:
            return _train(arguments, parse, stop)
        except KeyboardInterrupt:
            return fail("interrupted before there was anything to save", 128 + (stop.received or signal.SIGINT))


def _train(arguments: Namespace, parse: Callable[[list[str]], Namespace], stop: Interruption) -> int:
    """Build what is to be trained, or what a run that goes on was trained with, and train it."""
    run = None
    if arguments.resume is not None:
        run = Run.resume(Path(arguments.resume), warn)
    try:
        if run is not None:
            arguments = run.arguments(arguments, parse)
        made = prepared(arguments)
        if arguments.show_compiled:
            print(Runner(made.model, nn.MSELoss(), made.optimizer, made.loader, arguments.max_norm).source, end="")
            return 0
        if run is None:
            run = _begin(arguments, made)
        return _fit(arguments, made, run, stop)
    finally:
        if run is not None:
            run.leave()


def _begin(arguments: Namespace, made: PreparedRun) -> Run:
    """A new run in the folder that the arguments name, or in a free one."""
    begun = {"command": storable(command_line(arguments)), "data": made.data.origin, "compiled": made.compiled}
    if arguments.out is not None:
        return Run.begin(Path(arguments.out), arguments.force, begun, warn=warn)
    while True:
        folder = runs.free_folder(made.data.path.stem or "run")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # another process was quicker
            if not folder.exists():
                raise
        except OSError as error:
            raise runs.cannot_write(folder, error) from error
        else:
            return Run.begin(folder, False, begun, True, warn)


def _fit(arguments: Namespace, made: PreparedRun, run: Run, stop: Interruption) -> int:
    """Train, and make the run complete. The picture comes last: it may fail."""
    data, folder = made.data, run.folder
    started, diverged = time.perf_counter(), None
    earlier = run.restore(made)
    stop.tolerate(1)
    try:
        history = training.fit(
            made.model,
            nn.MSELoss(),
            made.optimizer,
            made.loader,
            epochs=arguments.epochs,
            schedule=made.schedule,
            held_out=made.held_out,
            resume=earlier,
            progress=True,
            compiled=made.compiled,
            max_norm=arguments.max_norm,
            checkpoint=run.checkpoint,
        )
    except training.Diverged as error:
        history, diverged = error.history, error
    stop.tolerate(math.inf)  # what is written now is written whole
    if history.interrupted and not len(history):
        raise KeyboardInterrupt
    seconds = time.perf_counter() - started

    status = "diverged" if diverged else "interrupted" if history.interrupted else "finished"
    metrics = measure(made.model, data, arguments.device)
    description = described(arguments, made, status, {**metrics, "steps": len(history), "seconds": round(seconds, 3)})
    run.commit(description, made.model.state_dict(), history)
    title = f"{data.path.name}: {arguments.optimizer}, learning rate {arguments.lr:g}, {arguments.schedule} schedule"
    draw(history, folder, title, stop)
    say(
        f"{models.in_words(made.layers)}, trained on {len(data.training_rows)} rows of {data.path.name} in batches "
        f"of {made.loader.batch_size}; {len(data.held_out_rows)} rows held out"
    )
    say_what_moves_nothing(data)
    report(metrics, folder)
    if diverged:
        return fail(str(diverged), 1)
    if history.interrupted:
        note(
            f"interrupted after {len(history)} of {arguments.epochs * len(made.loader)} steps; what was learnt is "
            f"saved in {folder}; go on with `tinygrad-lr train --resume {folder}`"
        )
        return 128 + (stop.received or signal.SIGINT)
    return 0


def warn(text: str) -> None:
    """Say on standard error what is not as it should be."""
    note(f"warning: {text}")


def draw(history: History, folder: Path, title: str, stop: Interruption) -> None:
    """Draw curves.png, where it can be drawn. A signal ends the drawing; whatever fails is one line."""
    if not plotting.is_available() or not len(history):
        return
    try:
        stop.tolerate(0)
        try:
            plotting.draw_curves(history, folder / "curves.png", title, LOSS_LABEL)
        finally:
            stop.tolerate(math.inf)
    except KeyboardInterrupt:
        note(f"warning: no curves.png: interrupted; all else is in {folder}")
    except Exception as error:  # matplotlib raises many kinds, and the run is complete
        note(f"warning: no curves.png: {type(error).__name__}: {error}; all else is in {folder}")


def described(arguments: Namespace, made: PreparedRun, status: str, metrics: dict[str, Any]) -> dict[str, Any]:
    """The content of run.json: everything that repeating the run needs, and the results."""
    data = made.data
    return {
        "status": status,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": storable(command_line(arguments)),
        "arguments": {name: value for name, value in vars(arguments).items() if name not in NOT_OF_A_RUN},
        "seed": arguments.seed,
        "metrics": metrics,
        "data": data.origin,
        "split": {"training": data.training_rows.tolist(), "held_out": data.held_out_rows.tolist()},
        "encoder": data.encoder.to_json(),
        "model": {"layers": made.layers, "activation": "relu", "device": arguments.device},
        "optimizer": dict(made.optimizer.defaults),
        "schedule": repr(made.schedule),
        "versions": versions(),
        "backend": backend.get(),
        "compiled": made.compiled,
    }


def measure(model: nn.Module, data: Data, device: str) -> dict[str, Any]:
    """R2 of the model and of least squares, on the held-out rows (or the training rows where none are held out)."""
    rows, train_rows = data.measured_rows, data.training_rows
    best = baselines.least_squares(data.inputs[train_rows], data.target[train_rows], data.inputs[rows])
    with np.errstate(over="ignore", invalid="ignore"):
        written = data.encoder.target_in_units(models.apply_network(model, data.inputs[rows], device))
        found = r_squared(data.encoder, data.table.numbers(data.encoder.target)[rows, None], written)
    return {
        "measured_on": "held out" if len(data.held_out_rows) else "training",
        "r2": found if found is None or np.isfinite(found) else None,
        "r2_least_squares": metrics.r_squared(data.target[rows], best),
    }


def r_squared(encoder: TableEncoder, target: np.ndarray, predictions: np.ndarray) -> float | None:
    """R2 of predictions as they are written. It is taken of standardised numbers, whose squares do not overflow."""
    return metrics.r_squared(encoder.target_scale(target), encoder.target_scale(predictions))


def say_what_moves_nothing(data: Data) -> None:
    """Name the columns that never varied in the training rows, and the categories that no training row has."""
    if data.encoder.unvarying:
        say(f"These columns never varied in the training rows and have no effect: {', '.join(data.encoder.unvarying)}")
    for name, categories in data.encoder.unseen.items():
        say(f"Only held-out rows have {name} = {', '.join(categories)}; the model has no weight for it")


def report(metrics: dict[str, Any], folder: Path) -> None:
    """Print how good the model is, and which files are in the folder."""
    where = "Held-out" if metrics["measured_on"] == "held out" else "Training"
    shown = ["undefined" if value is None else f"{value:.4f}" for value in (metrics["r2"], metrics["r2_least_squares"])]
    say(f"{where} R2: {shown[0]} (least squares: {shown[1]}; 1 is perfect, 0 is no better than the mean)")
    say(f"In {folder}:")
    written = [name for name in runs.FILES if (folder / name).exists()]
    for name in written:
        say(f"  {name:<14} {runs.FILES[name]}")
    if "curves.png" not in written and not plotting.is_available():
        say(f"  no curves.png, for want of matplotlib: {plotting.HOW_TO_GET_IT}")


def predict(arguments: Namespace) -> int:
    """Predict the target of a table, in its own units."""
    while True:
        description = runs.read_description(arguments.folder)
        if description.get("status") == "diverged" and not arguments.force:
            return fail(
                f"the training that left {arguments.folder} diverged, and what it predicts means nothing; train again "
                "with a lower --lr, or predict all the same with --force",
                1,
            )
        try:
            encoder, model, options = restored(arguments.folder, description)
        except runs.RunError:
            if description == runs.read_description(arguments.folder):
                raise
        if description == runs.read_description(arguments.folder):
            break  # else a training replaced the run meanwhile
    table = read_table(arguments.table, arguments.delimiter, **options)
    with np.errstate(over="ignore", invalid="ignore"):
        predictions = encoder.target_in_units(models.apply_network(model, encoder.features(table)))
    infinite = int((~np.isfinite(predictions)).sum())
    if infinite and not arguments.force:
        return fail(
            f"{infinite} of {len(table)} predictions are not finite; the table's numbers are too far from those of the "
            "training, or its outcome is useless; write them all the same with --force",
            1,
        )
    lines = [_quoted(f"predicted_{encoder.target}"), *map(str, predictions.ravel().tolist())]
    if arguments.out is None:
        write_to_standard_output(lines)
        return 0
    out = Path(arguments.out)
    if out.exists() and not arguments.force:
        raise FileExistsError(None, "exists already; choose another file, or replace it with --force", str(out))
    write_text(out, "\n".join(lines) + "\n")
    say(f"{len(table)} predictions in {out}")
    if encoder.target in table.columns:
        found = r_squared(encoder, table.numbers(encoder.target)[:, None], predictions)
        say("R2: " + ("undefined, the target is constant" if found is None else f"{found:.4f}"))
    return 0


def restored(folder: str, description: dict[str, Any]) -> tuple[TableEncoder, nn.Module, dict[str, Any]]:
    """The encoder and the model of a run, and how its table was read. Nothing in the folder is taken on trust.

    Raises:
        runs.RunError: something is absent, has the wrong form, or does not fit the rest.
    """

    def part(of: Any, name: str, kind: type) -> Any:
        found = of.get(name) if isinstance(of, dict) else None
        if not isinstance(found, kind):
            raise ValueError(f"{name!r} of run.json is {found!r:.60}")
        return found

    try:
        layers = part(part(description, "model", dict), "layers", list)
        parameters = runs.read_parameters(folder, layers)
        encoder = TableEncoder.from_json(part(description, "encoder", dict))
        if (len(encoder.feature_names), 1) != (layers[0], layers[-1]):
            raise ValueError(
                f"the encoder has {len(encoder.feature_names)} inputs and one target, the model {layers[0]} inputs "
                f"and {layers[-1]} outputs"
            )
        model = models.network(layers)
        model.load_state_dict(parameters)
        as_trained = part(description, "arguments", dict)
        marks, keep_na = as_trained.get("na_values", []), as_trained.get("keep_na", False)
        if not (isinstance(marks, list) and all(isinstance(each, str) for each in marks)):
            raise ValueError(f"'na_values' of run.json is {marks!r:.60}")
        if not isinstance(keep_na, bool):
            raise ValueError(f"'keep_na' of run.json is {keep_na!r:.60}")
    except runs.RunError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise runs.RunError(f"run.json and model.npz in {folder} do not fit together: {error}") from error
    return encoder, model, {"na_values": marks, "keep_na": keep_na}


def write_to_standard_output(lines: list[str]) -> None:
    """Write data: UTF-8 also where a terminal is not, and without control characters where it is a terminal."""
    if sys.stdout.isatty():
        for line in lines:
            say(line)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(("\n".join(lines) + "\n").encode("utf-8"))
    sys.stdout.buffer.flush()


def _quoted(name: str) -> str:
    """A field of CSV. Other separators are quoted too: a spreadsheet that splits at ; must not find a second cell."""
    plain = not any(mark in name for mark in ',;\t|"\r\n')
    return name if plain else '"' + name.replace('"', '""') + '"'
