"""`CSVLog`: a history's CSV file that grows while the training runs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import IO

from tinygrad_lr.files import write_bytes

from .callbacks import Callback, Training
from .history import History

__all__ = ["CSVLog"]

CSV_EVERY = 1.0  # seconds


class CSVLog(Callback):
    """Writes the history into a CSV file while the training runs, at most once a second.

    The file is what `history.to_csv` writes, also of a training that goes on. Compiled epochs still run together.
    Where the disk fails while the training runs, there is one warning and the training goes on.

    Args:
        path: the file. A history that is there is replaced; its folder must be there.
        warn: called with a sentence where the file cannot be written any more; by default `warnings.warn`.

    Attributes:
        rows: how many rows the file holds.
        is_whole: whether they are whole: nothing failed on the way.

    Raises:
        FileExistsError: in `fit`: the file is there and is no history. OSError: in `fit`: it cannot be written.

    Example:
        >>> import tempfile
        >>> from tinygrad_lr import nn, ones, optim
        >>> from tinygrad_lr.training import fit
        >>> model = nn.Linear(1, 1)
        >>> sgd, batches = optim.SGD(model.parameters(), lr=0.1), [(ones(1, 1), ones(1, 1))]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "history.csv")
        ...     history = fit(model, nn.MSELoss(), sgd, batches, epochs=2, callbacks=[CSVLog(path)])
        ...     path.read_text() == history.to_csv()
        True
    """

    def __init__(self, path: str | os.PathLike[str], *, warn: Callable[[str], object] | None = None) -> None:
        self.path = Path(path)
        self.warn = warn or _warn
        self.is_whole = False
        self._file: IO[bytes] | None = None
        self.rows, self.due = 0, float("inf")

    def on_begin(self, training: Training) -> None:
        """Write the rows that there are."""
        self._refuse_others(training.history)
        self.open(training.history)

    def on_progress(self, training: Training) -> None:
        """Add the rows that are new, once a second."""
        if perf_counter() >= self.due:
            self.grow(training.history)

    def on_end(self, training: Training) -> None:
        """Add the last rows."""
        try:
            self.grow(training.history)
        finally:
            self.close()

    def _refuse_others(self, history: History) -> None:
        """Raise where the file is there and does not begin as a history does."""
        with suppress(FileNotFoundError), open(self.path, "rb") as file:
            first = file.readline(1_000)
            if first and not first.startswith(b"step,epoch,"):
                raise FileExistsError(
                    f"{self.path} is there and is no history; nothing of it was changed: take another name"
                )

    def open(self, history: History) -> None:
        """Write the rows that there are, which a process that was killed may have left in part, and stay open.

        Raises:
            OSError: the file cannot be written.
        """
        write_bytes(self.path, lambda file: file.write(history.header().encode() + history.rows().encode()))
        self._file = open(self.path, "ab")  # noqa: SIM115 (it grows until `close`)
        self.rows, self.is_whole, self.due = len(history), True, perf_counter() + CSV_EVERY

    def grow(self, history: History) -> None:
        """Add the rows that are new."""
        if self._file is not None:
            try:
                self._file.write(history.rows(self.rows).encode())
                self._file.flush()
            except OSError as error:  # part of a row may be there
                self.give_up(error)
        self.rows = len(history)
        self.is_whole = self._file is not None
        self.due = perf_counter() + CSV_EVERY

    def give_up(self, error: OSError) -> None:
        """Say that the file cannot be written, and leave it."""
        file, self._file = self._file, None
        self.is_whole = False
        if file is not None:
            with suppress(OSError):
                file.close()
        self.warn(f"{self.path} could not be written ({error.strerror or error}); the training goes on")

    def close(self) -> None:
        """Let the file go, once it is on the disk."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                with file:
                    os.fsync(file.fileno())
            except OSError:
                self.is_whole = False


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)
