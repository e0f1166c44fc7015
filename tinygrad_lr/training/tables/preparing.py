"""`prepared` builds what the arguments of `train` name: the data, the model, its optimizer, the batches, the schedule.

commands.py trains it and writes a run; warmup.py compiles what that will call. The data come from data/tables.py and
data/encoding.py, model and schedule from models.py.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lr import backend, cuda, nn, optim, random
from tinygrad_lr.data.batches import DataLoader, TensorDataset
from tinygrad_lr.data.datasets import DIABETES, DIABETES_TARGET
from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.data.tables import Table, TableError, read_table, split_rows
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.optim.clipping import checked_max_norm
from tinygrad_lr.schedules import Schedule
from tinygrad_lr.training.fitting import MOST_STEPS

from . import models, rates
from .provenance import BELONGS_TO, absolute

__all__ = ["COMPILED_FROM", "Data", "PreparedRun", "prepared"]

COMPILED_FROM = 10_000  # steps: a small model's take a second in Python, and compiling takes three to five, once


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
    def origin(self) -> dict[str, Any]:
        """Where the table came from: "path", "sha256", "rows"."""
        path = absolute(self.path).encode("utf-8", "backslashreplace").decode()
        return {"path": path, "sha256": self.table.sha256, "rows": len(self.table)}

    @property
    def measured_rows(self) -> np.ndarray:
        """The rows that R2 is measured on: those held out, or all where none are."""
        return self.held_out_rows if len(self.held_out_rows) else self.training_rows


def load(arguments: Namespace) -> Data:
    """Read and encode the table that the arguments name."""
    path, target = Path(arguments.table or DIABETES), arguments.target
    if arguments.table is None:
        target = target or DIABETES_TARGET
    table = read_table(path, arguments.delimiter, na_values=arguments.na_values, keep_na=arguments.keep_na)
    if target is None:
        raise TableError(
            f"--target is missing: which column of {path} is to be predicted? It has: {', '.join(table.names)}"
        )
    rows, held_out = split_rows(len(table), arguments.held_out, arguments.seed)
    encoder = TableEncoder.fit(
        table,
        target,
        rows,
        task="regression",
        categorical=arguments.categorical,
        ignore=arguments.ignore,
        missing="error",
    )
    return Data(path, table, encoder, rows, held_out, encoder.features(table), encoder.targets(table))


@dataclass
class PreparedRun:
    """What a `train` command needs: the arguments of `fit`, and the rest of what run.json tells."""

    data: Data
    layers: list[int]
    model: nn.Module
    optimizer: optim.Optimizer
    loader: DataLoader
    held_out: TensorDataset | None
    schedule: Schedule
    compiled: bool


def prepared(arguments: Namespace) -> PreparedRun:
    """What the arguments of `train` name, read and built. Defaults are filled in among the arguments.

    Raises:
        ValueError, OSError: an argument that does not fit the others or the table, or a table that cannot be read.
        RuntimeError: a GPU was asked for that is not there.
    """
    complete(arguments)
    if arguments.device == "cuda":
        cuda.require()
    data = load(arguments)
    layers = [data.inputs.shape[1], *arguments.hidden, 1]
    models.count_parameters(layers, copies=4)  # weights, gradients, and the states of most optimizers
    random.manual_seed(arguments.seed)
    model = models.network(layers).to(arguments.device)
    optimizer = make_optimizer(arguments, model)
    dataset, held_out = (
        TensorDataset(*[Tensor(each[rows], device=arguments.device) for each in (data.inputs, data.target)])
        for rows in (data.training_rows, data.held_out_rows)
    )
    loader = DataLoader(dataset, arguments.batch_size, shuffle=True, seed=arguments.seed)
    if arguments.epochs * len(loader) > MOST_STEPS:
        raise ValueError(f"--epochs: {arguments.epochs} epochs of {len(loader)} steps are more than {MOST_STEPS} steps")
    schedule = rates.build_schedule(
        arguments.schedule,
        arguments.epochs,
        len(loader),
        arguments.warmup_epochs,
        arguments.stable_epochs,
        arguments.power,
    )
    compiled = is_compiled(arguments, arguments.epochs * len(loader))
    return PreparedRun(data, layers, model, optimizer, loader, held_out if len(held_out) else None, schedule, compiled)


def is_compiled(arguments: Namespace, steps: int) -> bool:
    """Whether a training of so many steps runs as machine code: as asked for, or where it pays.

    Raises:
        ValueError: --compiled with a GPU. RuntimeError: --compiled where nothing is compiled in this process.
    """
    on_cpu = arguments.device == "cpu"
    if not arguments.compiled:
        return on_cpu and not arguments.eager and steps >= COMPILED_FROM and backend.compiles()
    if not on_cpu:
        raise ValueError(f"--compiled runs on the CPU, got --device {arguments.device}; leave one of them out")
    backend.require_compiler()
    return True


def complete(arguments: Namespace) -> None:
    """Fill in the defaults that depend on other arguments, and refuse what does not belong together."""
    for name, schedule in BELONGS_TO.items():
        if getattr(arguments, name) is not None and arguments.schedule != schedule:
            raise ValueError(
                f"--{name.replace('_', '-')} belongs to --schedule {schedule}, not to {arguments.schedule}"
            )
    dialects = tuple(optim.OPTIMIZERS[arguments.optimizer].dialects)
    if arguments.dialect is None:
        arguments.dialect = dialects[0]
    if arguments.dialect not in dialects:
        raise ValueError(
            f"--dialect: {arguments.optimizer} has the dialects {', '.join(dialects)}; got {arguments.dialect!r}"
        )
    if arguments.max_norm is not None:
        checked_max_norm(arguments.max_norm)
    if arguments.power is None:
        arguments.power = 1.0
    if arguments.warmup_epochs is None:
        arguments.warmup_epochs = min(5, arguments.epochs // 2)
    if arguments.stable_epochs is None:
        left = max(arguments.epochs - arguments.warmup_epochs, 0)
        arguments.stable_epochs = left // 2 if arguments.schedule == BELONGS_TO["stable_epochs"] else 0


def make_optimizer(arguments: Namespace, model: nn.Module) -> optim.Optimizer:
    """The optimizer that the arguments name, over the model's parameters."""
    kind: Any = optim.OPTIMIZERS[arguments.optimizer]
    options = {"momentum": arguments.momentum, "weight_decay": arguments.weight_decay}
    chosen = {name: value for name, value in options.items() if value is not None}
    for name in chosen:
        if name not in kind.validators:
            raise ValueError(f"--{name.replace('_', '-')} is no option of {arguments.optimizer}")
    return kind(model.parameters(), lr=arguments.lr, dialect=arguments.dialect, **chosen)
