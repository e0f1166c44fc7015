"""`TensorBoard`: the history as an event file, which tensorboard shows. It needs the extra `tensorboard`."""

from __future__ import annotations

import importlib.util
import math
import os
from pathlib import Path
from time import perf_counter, time
from typing import Any

from .callbacks import Callback, Training

__all__ = ["TensorBoard"]

HOW_TO_GET_IT = "pip install 'tinygrad_lr[tensorboard]'"
FLUSH_EVERY = 2.0  # seconds
PER_GROUP = ("lr", "update_ratio")  # columns of a history
COUNTS = ("step", "epoch", "samples")


class TensorBoard(Callback):
    """Writes loss, learning rates and held-out loss of each step into an event file: `tensorboard --logdir FOLDER`.

    The scalars are "loss", "held_out_loss", and "lr", or "lr/NAME" for each of several groups; with `norms` also
    "gradient_norm" and, like the rates, "update_ratio". tensorboard keeps them as float32. A training that goes on
    writes all of them anew into another file, and tells tensorboard to forget those before. Compiled epochs still run
    together.

    Args:
        folder: where the file goes; it is made where it is absent. Take one for each training.

    Raises:
        ModuleNotFoundError: tensorboard is not installed. OSError: in `fit`: the folder cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise ModuleNotFoundError(f"TensorBoard needs tensorboard: {HOW_TO_GET_IT}", name="tensorboard")
        self.folder = Path(folder)
        self._writer: Any = None

    def on_begin(self, training: Training) -> None:
        """Begin a file, with the rows that there are."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.folder.mkdir(parents=True, exist_ok=True)
        self._writer, self._rows, self._due = EventFileWriter(str(self.folder)), 0, 0.0
        start = SessionLog(status=SessionLog.START)
        self._writer.add_event(Event(wall_time=time(), step=0, session_log=start))
        self._write(training)

    def on_progress(self, training: Training) -> None:
        """Add the rows that are new."""
        self._write(training)

    def on_end(self, training: Training) -> None:
        """Add the last rows, and close the file."""
        try:
            self._write(training)
        finally:
            self._writer.close()
            self._writer = None

    def _write(self, training: Training) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        history, now = training.history, time()
        names = [name for name in history.column_names if name not in COUNTS]
        for row in history[self._rows :]:
            values = [(_tag(name), row[name]) for name in names]
            scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values if not math.isnan(value)]
            self._writer.add_event(Event(wall_time=now, step=row["step"], summary=Summary(value=scalars)))
        self._rows = len(history)
        if perf_counter() >= self._due:
            self._writer.flush()
            self._due = perf_counter() + FLUSH_EVERY


def _tag(column: str) -> str:
    """The tag of a column: of one that each group has, its name and that of the group."""
    for each in PER_GROUP:
        if column.startswith(f"{each}_"):
            return f"{each}/{column[len(each) + 1 :]}"
    return column
