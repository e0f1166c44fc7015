"""What the commands do: `train` on a table, `predict` with a run, `info` on the installation, `warmup`.

arguments.py reads the arguments. The commands use preparing.py (the data, the model, the schedule),
training/fitting.py (the loop), tabular.py (R2) and runs.py (the folder).
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lr import backend, nn, training
from tinygrad_lr.compiled import Runner
from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.data.tables import read_table
from tinygrad_lr.files import write_text

from . import plotting, runs, tabular
from .preparing import Data, PreparedRun, prepared
from .provenance import command_line, info, sha256, versions

__all__ = ["info", "predict", "run", "train"]

LOSS_LABEL = "mean squared error\n(target standardised)"


def run(arguments: Namespace) -> int:
    """Run the chosen command and return the exit code."""
    if arguments.command == "warmup":
        from .warmup import warmup

        return warmup(arguments)
    return {"train": train, "predict": predict, "info": info}[arguments.command](arguments)


def train(arguments: Namespace) -> int:
    """Train, measure, and leave a run folder."""
    made = prepared(arguments)
    if arguments.show_compiled:
        print(Runner(made.model, nn.MSELoss(), made.optimizer, made.loader, arguments.max_norm).source, end="")
        return 0
    data = made.data
    given = Path(arguments.out) if arguments.out else runs.free_folder(data.path.stem or "run")
    is_new = not given.exists()
    folder = runs.prepare(given, arguments.force)

    started, diverged = time.perf_counter(), None
    try:
        history = training.fit(
            made.model,
            nn.MSELoss(),
            made.optimizer,
            made.loader,
            epochs=arguments.epochs,
            schedule=made.schedule,
            held_out=made.held_out,
            progress=True,
            compiled=made.compiled,
            max_norm=arguments.max_norm,
        )
    except training.Diverged as error:
        history, diverged = error.history, error
    except BaseException:
        if is_new:
            folder.rmdir()
        raise
    seconds = time.perf_counter() - started

    status = "diverged" if diverged else "interrupted" if history.interrupted else "finished"
    metrics = measure(made.model, data, arguments.device)
    description = described(arguments, made, status, {**metrics, "steps": len(history), "seconds": round(seconds, 3)})
    title = f"{data.path.name}: {arguments.optimizer}, learning rate {arguments.lr:g}, {arguments.schedule} schedule"
    written = runs.write_run(folder, description, made.model.state_dict(), history, title, LOSS_LABEL)
    print(
        f"{tabular.in_words(made.layers)}, trained on {len(data.training_rows)} rows of {data.path.name} in batches "
        f"of {made.loader.batch_size}; {len(data.held_out_rows)} rows held out"
    )
    say_what_moves_nothing(data)
    report(metrics, folder, written)
    if diverged:
        print(f"tinygrad-lr: error: {diverged}", file=sys.stderr)
        return 1
    if history.interrupted:
        print(
            f"tinygrad-lr: interrupted after {len(history)} of {arguments.epochs * len(made.loader)} steps; "
            f"what was learnt is saved in {folder}",
            file=sys.stderr,
        )
        return 130
    return 0


def described(arguments: Namespace, made: PreparedRun, status: str, metrics: dict[str, Any]) -> dict[str, Any]:
    """The content of run.json: everything that repeating the run needs, and the results."""
    data = made.data
    return {
        "status": status,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": command_line(arguments),
        "arguments": {name: value for name, value in vars(arguments).items() if name != "force"},
        "seed": arguments.seed,
        "metrics": metrics,
        "data": {"path": str(data.path.resolve()), "sha256": sha256(data.path), "rows": len(data.table)},
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
    best = tabular.least_squares(data.inputs[train_rows], data.target[train_rows], data.inputs[rows])
    with np.errstate(over="ignore", invalid="ignore"):
        written = data.encoder.target_in_units(tabular.apply_network(model, data.inputs[rows], device))
        found = r_squared(data.encoder, data.table.numbers(data.encoder.target)[rows, None], written)
    return {
        "measured_on": "held out" if len(data.held_out_rows) else "training",
        "r2": found if found is None or np.isfinite(found) else None,
        "r2_least_squares": tabular.r_squared(data.target[rows], best),
    }


def r_squared(encoder: TableEncoder, target: np.ndarray, predictions: np.ndarray) -> float | None:
    """R2 of predictions as they are written. It is taken of standardised numbers, whose squares do not overflow."""
    return tabular.r_squared(encoder.target_scale(target), encoder.target_scale(predictions))


def say_what_moves_nothing(data: Data) -> None:
    """Name the columns that never varied in the training rows, and the categories that no training row has."""
    if data.encoder.unvarying:
        print(
            f"These columns never varied in the training rows and have no effect: {', '.join(data.encoder.unvarying)}"
        )
    for name, categories in data.encoder.unseen.items():
        print(f"Only held-out rows have {name} = {', '.join(categories)}; the model has no weight for it")


def report(metrics: dict[str, Any], folder: Path, written: list[str]) -> None:
    """Print how good the model is, and which files are in the folder."""
    where = "Held-out" if metrics["measured_on"] == "held out" else "Training"
    shown = ["undefined" if value is None else f"{value:.4f}" for value in (metrics["r2"], metrics["r2_least_squares"])]
    print(f"{where} R2: {shown[0]} (least squares: {shown[1]}; 1 is perfect, 0 is no better than the mean)")
    print(f"In {folder}:")
    for name in written:
        print(f"  {name:<12} {runs.FILES[name]}")
    if "curves.png" not in written and not plotting.is_available():
        print(f"  no curves.png, for want of matplotlib: {plotting.HOW_TO_GET_IT}")


def predict(arguments: Namespace) -> int:
    """Predict the target of a table, in its own units."""
    description, parameters = runs.read_run(arguments.folder)
    try:
        encoder = TableEncoder.from_json(description["encoder"])
        model = tabular.network(description["model"]["layers"])
        model.load_state_dict(parameters)
        as_trained = description["arguments"]
        marks, keep_na = list(map(str, as_trained.get("na_values", []))), bool(as_trained.get("keep_na", False))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise runs.RunError(f"run.json and model.npz in {arguments.folder} do not fit together: {error}") from error
    table = read_table(arguments.table, arguments.delimiter, na_values=marks, keep_na=keep_na)
    outputs = tabular.apply_network(model, encoder.features(table))
    predictions = encoder.target_in_units(outputs)
    lines = [_quoted(f"predicted_{encoder.target}"), *map(str, predictions.ravel().tolist())]
    text = "\n".join(lines) + "\n"
    if arguments.out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))  # data: UTF-8 also where the terminal is not
        sys.stdout.buffer.flush()
        return 0
    out = Path(arguments.out)
    if out.exists() and not arguments.force:
        raise FileExistsError(None, "exists already; choose another file, or replace it with --force", str(out))
    write_text(out, text)
    print(f"{len(table)} predictions in {out}")
    if encoder.target in table.columns:
        found = r_squared(encoder, table.numbers(encoder.target)[:, None], predictions)
        print("R2: " + ("undefined, the target is constant" if found is None else f"{found:.4f}"))
    return 0


def _quoted(name: str) -> str:
    plain = not any(mark in name for mark in ',"\r\n')
    return name if plain else '"' + name.replace('"', '""') + '"'
