"""What the commands do: train on a table, predict with a run, tell about the installation, compile ahead.

Reading the arguments is in cli.py. The pieces put together here: tables.py and encoding.py (the data), tabular.py (the
model, the schedule, R2), training.py (the loop), runs.py (the folder).
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import backend, cuda, nn, optim, plotting, random, runs, tabular, training
from .compiled import Runner
from .data import DataLoader, TensorDataset
from .datasets import DIABETES, DIABETES_TARGET
from .encoding import TableEncoder
from .engine.tensor import Tensor
from .files import write_text
from .optim.clipping import checked_max_norm
from .provenance import BELONGS_TO, command_line, info, sha256, versions
from .tables import Table, TableError, read_table, split_rows

__all__ = ["info", "predict", "run", "train"]

COMPILED_FROM = 10_000  # steps: a small model's take a second in Python, and compiling takes some three, once
LOSS_LABEL = "mean squared error\n(target standardised)"


def run(arguments: Namespace) -> int:
    """Run the chosen command; returns the exit code."""
    if arguments.command == "warmup":
        from .warmup import warmup

        return warmup(arguments)
    return {"train": train, "predict": predict, "info": info}[arguments.command](arguments)


@dataclass
class Data:
    """A table divided, encoded and standardised by its training rows."""

    path: Path
    table: Table
    encoder: TableEncoder
    training_rows: np.ndarray
    held_out_rows: np.ndarray
    inputs: np.ndarray
    target: np.ndarray

    @property
    def measured_rows(self) -> np.ndarray:
        """The rows that R2 is measured on: those held out, or all where none are."""
        return self.held_out_rows if len(self.held_out_rows) else self.training_rows


def load(arguments: Namespace) -> Data:
    """Read and encode the table that the arguments name."""
    path, target = Path(arguments.table or DIABETES), arguments.target
    if arguments.table is None:
        target = target or DIABETES_TARGET
    table = read_table(path, arguments.delimiter)
    if target is None:
        raise TableError(f"--target is missing: which column of {path} is to be predicted? It has: "
                         f"{', '.join(table.names)}")  # fmt: skip
    rows, held_out = split_rows(len(table), arguments.held_out, arguments.seed)
    encoder = TableEncoder.fit(table, target, rows, categorical=arguments.categorical, ignore=arguments.ignore)
    return Data(path, table, encoder, rows, held_out, encoder.features(table), encoder.targets(table))


def train(arguments: Namespace) -> int:
    """Train, measure, and leave a run folder."""
    complete(arguments)
    if arguments.device == "cuda":
        cuda.require()
    data = load(arguments)
    layers = [data.inputs.shape[1], *arguments.hidden, 1]
    random.manual_seed(arguments.seed)
    model = tabular.network(layers).to(arguments.device)
    optimizer = make_optimizer(arguments, model)
    dataset = TensorDataset(*[on(arguments.device, each[data.training_rows]) for each in (data.inputs, data.target)])
    loader = DataLoader(dataset, arguments.batch_size, shuffle=True, seed=arguments.seed)
    held_out = TensorDataset(*[on(arguments.device, each[data.held_out_rows]) for each in (data.inputs, data.target)])
    schedule = tabular.build_schedule(
        arguments.schedule,
        arguments.epochs,
        len(loader),
        arguments.warmup_epochs,
        arguments.stable_epochs,
        arguments.power,
    )
    if arguments.show_compiled:
        print(Runner(model, nn.MSELoss(), optimizer, loader, arguments.max_norm).source, end="")
        return 0
    compiled = is_compiled(arguments, arguments.epochs * len(loader))
    given = Path(arguments.out) if arguments.out else runs.free_folder(data.path.stem or "run")
    is_new = not given.exists()
    folder = runs.prepare(given, arguments.force)

    started, diverged = time.perf_counter(), None
    try:
        history = training.fit(
            model, nn.MSELoss(), optimizer, loader, epochs=arguments.epochs, schedule=schedule,
            held_out=held_out if len(held_out) else None, progress=True, compiled=compiled,
            max_norm=arguments.max_norm,
        )  # fmt: skip
    except training.Diverged as error:
        history, diverged = error.history, error
    except BaseException:
        if is_new:
            folder.rmdir()
        raise
    seconds = time.perf_counter() - started

    status = "diverged" if diverged else "interrupted" if history.interrupted else "finished"
    metrics = measure(model, data, arguments.device)
    description = {
        "status": status,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": command_line(arguments),
        "arguments": {name: value for name, value in vars(arguments).items() if name != "force"},
        "seed": arguments.seed,
        "metrics": {**metrics, "steps": len(history), "seconds": round(seconds, 3)},
        "data": {"path": str(data.path.resolve()), "sha256": sha256(data.path), "rows": len(data.table)},
        "split": {"training": data.training_rows.tolist(), "held_out": data.held_out_rows.tolist()},
        "encoder": data.encoder.to_json(),
        "model": {"layers": layers, "activation": "relu", "device": arguments.device},
        "optimizer": dict(optimizer.defaults),
        "schedule": repr(schedule),
        "versions": versions(),
        "backend": backend.get(),
        "compiled": compiled,
    }
    title = f"{data.path.name}: {arguments.optimizer}, learning rate {arguments.lr:g}, {arguments.schedule} schedule"
    written = runs.write_run(folder, description, model.state_dict(), history, title, LOSS_LABEL)
    print(f"{describe(layers)}, trained on {len(data.training_rows)} rows of {data.path.name} in batches of "
          f"{loader.batch_size}; {len(data.held_out_rows)} rows held out")  # fmt: skip
    report(metrics, folder, written)
    if diverged:
        print(f"tinygrad-lr: error: {diverged}", file=sys.stderr)
        return 1
    if history.interrupted:
        print(f"tinygrad-lr: interrupted after {len(history)} of {arguments.epochs * len(loader)} steps; "
              f"what was learnt is saved in {folder}", file=sys.stderr)  # fmt: skip
        return 130
    return 0


def is_compiled(arguments: Namespace, steps: int) -> bool:
    """Whether a training of so many steps runs as machine code: as asked for, or where it pays."""
    if arguments.compiled and arguments.device != "cpu":
        raise ValueError(f"--compiled runs on the CPU, got --device {arguments.device}; leave one of them out")
    pays = arguments.device == "cpu" and backend.get() == "numba" and steps >= COMPILED_FROM
    return bool(arguments.compiled or (pays and not arguments.eager))


def complete(arguments: Namespace) -> None:
    """Fill in the defaults that depend on other arguments, and refuse what does not belong together."""
    for name, schedule in BELONGS_TO.items():
        if getattr(arguments, name) is not None and arguments.schedule != schedule:
            raise ValueError(
                f"--{name.replace('_', '-')} belongs to --schedule {schedule}, not to {arguments.schedule}"
            )
    if arguments.max_norm is not None:
        checked_max_norm(arguments.max_norm)
    if arguments.power is None:
        arguments.power = 1.0
    if arguments.warmup_epochs is None:
        arguments.warmup_epochs = min(5, arguments.epochs // 2)
    if arguments.stable_epochs is None:
        left = max(arguments.epochs - arguments.warmup_epochs, 0)
        arguments.stable_epochs = left // 2 if arguments.schedule == "wsd" else 0


def make_optimizer(arguments: Namespace, model: nn.Module) -> optim.Optimizer:
    """The optimizer that the arguments name, over the model's parameters."""
    kind: Any = optim.OPTIMIZERS[arguments.optimizer]
    options = {"momentum": arguments.momentum, "weight_decay": arguments.weight_decay}
    chosen = {name: value for name, value in options.items() if value is not None}
    for name in chosen:
        if name not in kind.validators:
            raise ValueError(f"--{name.replace('_', '-')} is no option of {arguments.optimizer}")
    return kind(model.parameters(), lr=arguments.lr, dialect=arguments.dialect, **chosen)


def on(device: str, array: np.ndarray) -> Tensor:
    """A Tensor of an array, on a device."""
    return Tensor(array, device=device)


def measure(model: nn.Module, data: Data, device: str) -> dict[str, Any]:
    """R2 of the model and of least squares, on the held-out rows (or the training rows where none are held out)."""
    rows, train_rows = data.measured_rows, data.training_rows
    best = tabular.least_squares(data.inputs[train_rows], data.target[train_rows], data.inputs[rows])
    with np.errstate(over="ignore", invalid="ignore"):
        found = tabular.r_squared(data.target[rows], tabular.apply_network(model, data.inputs[rows], device))
    return {
        "measured_on": "held out" if len(data.held_out_rows) else "training",
        "r2": found if found is None or np.isfinite(found) else None,
        "r2_least_squares": tabular.r_squared(data.target[rows], best),
    }


def report(metrics: dict[str, Any], folder: Path, written: list[str]) -> None:
    """The end of a training's output: how good the model is, and what lies where."""
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
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise runs.RunError(f"run.json and model.npz in {arguments.folder} do not fit together: {error}") from error
    table = read_table(arguments.table, arguments.delimiter)
    outputs = tabular.apply_network(model, encoder.features(table))
    predictions = encoder.target_in_units(outputs)
    lines = [_quoted(f"predicted_{encoder.target}"), *[str(value) for value in predictions.astype(np.float32).ravel()]]
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
        found = tabular.r_squared(table.numbers(encoder.target)[:, None], predictions)
        print("R2: " + ("undefined, the target is constant" if found is None else f"{found:.4f}"))
    return 0


def describe(layers: list[int]) -> str:
    """A model in words."""
    if len(layers) == 2:
        return f"Linear({layers[0]}, {layers[1]})"
    return "Layers of " + ", ".join(map(str, layers)) + " with ReLU between"


def _quoted(name: str) -> str:
    plain = not any(mark in name for mark in ',"\r\n')
    return name if plain else '"' + name.replace('"', '""') + '"'
