"""What the commands do: `train` on a table, `predict` with a run, `info`, `warmup` and `lr-find`.

arguments.py reads the arguments; reporting.py says in words what came of a training. What the commands do, Python can
do too: training/tables/.
"""

from __future__ import annotations

import json
import math
import signal
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinygrad_lr.compiled import Runner
from tinygrad_lr.training.progress import STOPPING, Interruption
from tinygrad_lr.training.tables import runs
from tinygrad_lr.training.tables.preparing import PreparedRun
from tinygrad_lr.training.tables.trained import TrainedTable
from tinygrad_lr.training.tables.training import begun, prepare, train_table
from tinygrad_lr.training.tables.unfinished import Run

from . import plotting, reporting
from .chosen import options_of, table_of
from .info import info
from .inspecting import inspect
from .predicting import predict
from .printing import fail, note, patient_output, say

__all__ = ["info", "inspect", "predict", "run", "train"]

LOSSES = {
    "mse": "mean squared error",
    "l1": "mean absolute error",
    "huber": "Huber loss",
    "smooth_l1": "smooth absolute error",
}


def run(arguments: Namespace, parse: Callable[[list[str]], Namespace]) -> int:
    """Run the chosen command and return the exit code; `parse` makes arguments of the words of another command."""
    if arguments.command == "warmup":
        from .warmup import warmup

        return warmup(arguments)
    if arguments.command == "race":
        from .racing import run_race

        return run_race(arguments)
    if arguments.command == "lab":
        from .laboratory import lab

        return lab(arguments)
    if arguments.command == "train":
        return train(arguments, parse)
    if arguments.command == "lr-find":
        from .finding import lr_find

        return lr_find(arguments)
    return {"predict": predict, "inspect": inspect, "info": info}[arguments.command](arguments)


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
    """Train what the arguments name, or go on with a run."""
    if arguments.json and arguments.quiet:
        raise ValueError("--json and --quiet contradict each other; leave one of them out")
    if arguments.force and arguments.out is None and arguments.resume is None:
        raise ValueError("--force replaces the run in the folder of --out, which is not given; leave it out")
    resumed = None if arguments.resume is None else Run.resume(Path(arguments.resume), warn)
    shown = arguments
    try:
        if resumed is not None:
            arguments = resumed.arguments(arguments, parse)
        if arguments.show_compiled:
            made = prepare(table_of(arguments), options_of(arguments))
            runner = Runner(made.plan.model, made.plan.loss, made.plan.optimizer, made.plan.loader, arguments.max_norm)
            print(runner.source, end="")
            return 0
        silent = shown.json or shown.quiet
        trained = train_table(
            table_of(arguments),
            progress=False if silent else say,
            take=lambda made: resumed or _begin(arguments, made),
            **options_of(arguments),
        )
        return finish(trained, stop, as_json=shown.json, quiet=shown.quiet)
    finally:
        if resumed is not None:
            resumed.leave()


def _begin(arguments: Namespace, made: PreparedRun) -> Run:
    """A new run in the folder that the arguments name, or in a free one."""
    about, piped = begun(made), made.data.take_piped()
    if arguments.out is not None:
        return Run.begin(Path(arguments.out), arguments.force, about, warn=warn, piped=piped)
    while True:
        folder = runs.free_folder((made.data.path.stem if made.data.path else "").strip("-") or "run")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # another process was quicker
            if not folder.exists():
                raise
        except OSError as error:
            raise runs.cannot_write(folder, error) from error
        else:
            return Run.begin(folder, False, about, True, warn, piped)


def finish(trained: TrainedTable, stop: Interruption, as_json: bool, quiet: bool) -> int:
    """Draw the picture, which comes last because it may fail, say what came of the training, and give the exit code."""
    made, folder = trained.prepared, trained.folder
    assert made is not None and folder is not None
    stop.tolerate(math.inf)
    options = made.options
    title = f"{made.data.name}: {options.optimizer}, learning rate {options.lr:g}, {options.schedule} schedule"
    draw(trained, folder, title, stop)
    if as_json:
        print(json.dumps(as_object(trained), allow_nan=False))
    elif not quiet:
        for line in reporting.of_training(trained):
            say(line)
    if trained.diverged is not None:
        return fail(str(trained.diverged), 1)
    if trained.status == "interrupted":
        note(
            f"interrupted after {len(trained.history)} of {made.plan.steps} steps; what was learnt is saved in "
            f"{folder}; go on with `tinygrad-lr train --resume {folder}`"
        )
        return 128 + (stop.received or signal.SIGINT)
    return 0


def warn(text: str) -> None:
    """Say on standard error what is not as it should be."""
    note(f"warning: {text}")


def draw(trained: TrainedTable, folder: Path, title: str, stop: Interruption) -> None:
    """Draw curves.png, where it can be drawn. A signal ends the drawing; whatever fails is one line."""
    if not plotting.is_available() or not len(trained.history):
        return
    label = (
        "cross-entropy" if trained.task.is_classification else f"{LOSSES[loss_name(trained)]}\n(target standardised)"
    )
    try:
        stop.tolerate(0)
        try:
            plotting.draw_curves(trained.history, folder / "curves.png", title, label)
        finally:
            stop.tolerate(math.inf)
    except KeyboardInterrupt:
        note(f"warning: no curves.png: interrupted; all else is in {folder}")
    except Exception as error:  # matplotlib raises many kinds, and the run is complete
        note(f"warning: no curves.png: {type(error).__name__}: {error}; all else is in {folder}")


def loss_name(trained: TrainedTable) -> str:
    """Which loss was made small."""
    assert trained.prepared is not None
    return trained.prepared.options.loss or next(iter(trained.task.losses))


def as_object(trained: TrainedTable) -> dict[str, Any]:
    """The result as one object of JSON: where the run is, how it ended, how good it is, and which files it has."""
    assert trained.folder is not None
    return {
        "folder": str(trained.folder),
        "status": trained.status,
        "task": trained.encoder.task,
        "targets": trained.encoder.target_names,
        "metrics": trained.metrics,
        "notes": trained.notes,
        "command": trained.description["command"],
        "files": [name for name in runs.FILES if (trained.folder / name).exists()],
    }
