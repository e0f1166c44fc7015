"""`History`: what happened at every step of a training, in columns. Its CSV file reads back exactly."""

from __future__ import annotations

import csv
import io
import os
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lr.files import write_text

__all__ = ["History"]

FIRST, LAST = ["step", "epoch"], ["loss", "held_out_loss"]


class History:
    """One row for each step: step, epoch, the learning rate of every group, the loss, the held-out loss.

    Steps and epochs are counted from 0, as in the article's loops. The rates of a row are those its update used, the
    loss is that of its batch before the update. The held-out loss is measured after the last step of an epoch; other
    rows have NaN.

    Args:
        groups: names of the parameter groups; the rate's columns are "lr" for a single group, else "lr_<name>".

    Attributes:
        interrupted: whether training stopped before its last epoch was complete.

    Example:
        >>> history = History(["all"])
        >>> history.append(0, (0.1,), 2.5)
        >>> history.append(0, (0.2,), 1.5, held_out_loss=1.75)
        >>> history.loss.tolist(), history.lr.shape, history[-1]["held_out_loss"]
        ([2.5, 1.5], (2, 1), 1.75)
    """

    def __init__(self, groups: Sequence[str] = ("all",)) -> None:
        self.groups = list(groups)
        self.interrupted = False
        self._epochs = array("q")
        self._rates = array("d")  # those of a row side by side
        self._losses = array("d")
        self._held_out: dict[int, float] = {}

    def append(self, epoch: int, rates: tuple[float, ...], loss: float, held_out_loss: float | None = None) -> None:
        """Add the row of the next step."""
        self._epochs.append(epoch)
        self._rates.extend(rates)
        self._losses.append(loss)
        if held_out_loss is not None:
            self.set_held_out(held_out_loss)

    def extend(self, epochs: np.ndarray, rates: np.ndarray, losses: np.ndarray) -> None:
        """Add the rows of the next steps: int64 and float64 arrays; `rates` has shape (steps, groups)."""
        self._epochs.frombytes(np.ascontiguousarray(epochs, np.int64).tobytes())
        self._rates.frombytes(np.ascontiguousarray(rates, np.float64).tobytes())
        self._losses.frombytes(np.ascontiguousarray(losses, np.float64).tobytes())

    def set_held_out(self, loss: float) -> None:
        """Give the last row its held-out loss."""
        self._held_out[len(self) - 1] = loss

    def copy(self) -> History:
        """Another history with the same rows."""
        other = History(self.groups)
        other._epochs, other._rates = self._epochs[:], self._rates[:]
        other._losses, other._held_out = self._losses[:], self._held_out.copy()
        other.interrupted = self.interrupted
        return other

    def __len__(self) -> int:
        return len(self._losses)

    def __repr__(self) -> str:
        ending = ", interrupted" if self.interrupted else ""
        return f"History({len(self)} steps, {len(set(self._epochs))} epochs{ending})"

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in the order of the CSV file."""
        rates = ["lr"] if len(self.groups) == 1 else [f"lr_{name}" for name in self.groups]
        return [*FIRST, *rates, *LAST]

    @property
    def step(self) -> np.ndarray:
        """The step of each row, int64, shape (rows,)."""
        return np.arange(len(self))

    @property
    def epoch(self) -> np.ndarray:
        """The epoch of each row, int64, shape (rows,)."""
        return np.array(self._epochs, np.int64)

    @property
    def lr(self) -> np.ndarray:
        """The learning rates of each row, float64, shape (rows, groups)."""
        return np.array(self._rates, np.float64).reshape(len(self), len(self.groups))

    @property
    def loss(self) -> np.ndarray:
        """The training loss of each row, float64, shape (rows,)."""
        return np.array(self._losses, np.float64)

    @property
    def held_out_loss(self) -> np.ndarray:
        """The held-out loss of each row, float64, shape (rows,); NaN where it was not measured."""
        column = np.full(len(self), np.nan)
        column[list(self._held_out)] = list(self._held_out.values())
        return column

    def __getitem__(self, row: int) -> dict[str, Any]:
        """One row as a dict; negative numbers count from the end."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of a history with {len(self)} rows")
        row %= len(self)
        held_out = self._held_out.get(row, float("nan"))
        rates = self._rates[row * len(self.groups) : (row + 1) * len(self.groups)]
        values = [row, self._epochs[row], *rates, self._losses[row], held_out]
        return dict(zip(self.column_names, values, strict=True))

    def epoch_means(self) -> tuple[np.ndarray, np.ndarray]:
        """The epochs, int64, and the mean of the training losses of each one's steps, float64.

        Example:
            >>> history = History()
            >>> for epoch, loss in [(0, 4.0), (0, 2.0), (1, 1.0)]:
            ...     history.append(epoch, (0.1,), loss)
            >>> [each.tolist() for each in history.epoch_means()]
            [[0, 1], [3.0, 1.0]]
        """
        epochs, place = np.unique(self.epoch, return_inverse=True)
        return epochs, np.bincount(place, self.loss) / np.bincount(place)

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The history as CSV text, written to `path` where one is given; every number reads back exactly.

        Example:
            >>> history = History()
            >>> history.append(0, (0.1,), 2.5)
            >>> print(history.to_csv())
            step,epoch,lr,loss,held_out_loss
            0,0,0.1,2.5,
            <BLANKLINE>
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.column_names)
        for row, (epoch, rates, loss) in enumerate(zip(self._epochs, self.lr.tolist(), self._losses, strict=True)):
            held_out = self._held_out.get(row)
            writer.writerow([row, epoch, *map(repr, rates), repr(loss), "" if held_out is None else repr(held_out)])
        if path is not None:
            write_text(path, text.getvalue())
        return text.getvalue()

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> History:
        """The history that `to_csv` wrote.

        Raises:
            ValueError: the file is no history; the message names the line.
            OSError: it cannot be read.
        """
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            names = next(reader, [])
            rates = names[2:-2]
            if names[:2] != FIRST or names[-2:] != LAST or not all(name.startswith("lr") for name in rates):
                raise ValueError(f"{path}, line 1: not a history; expected step,epoch,lr...,loss,held_out_loss")
            history = cls(["all"] if rates == ["lr"] else [name[len("lr_") :] for name in rates])
            for row in reader:
                try:
                    step, epoch, *lrs, loss, held_out = row
                    if int(step) != len(history) or len(lrs) != len(rates):
                        raise ValueError("not the row that should come next")
                    history.append(int(epoch), tuple(map(float, lrs)), float(loss))
                    if held_out:
                        history.set_held_out(float(held_out))
                except ValueError as error:
                    raise ValueError(f"{path}, line {reader.line_num}: not a row of a history: {error}") from error
        return history
