"""`History`: what happened at every step of a training, in columns. Its CSV file reads back exactly."""

from __future__ import annotations

import csv
import html
import importlib.util
import io
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.files import write_text
from tinygrad_lr.integers import shown, whole_number

from .curves import HOW_TO_GET_IT, curves, drawn, is_available

__all__ = ["History"]

FRAMES = ("pandas", "polars", "pyarrow")
FIRST, LAST = ["step", "epoch", "samples"], ["loss", "held_out_loss"]
NORM, RATIO = "gradient_norm", "update_ratio"


class History:
    """One row for each step: step, epoch, samples, the learning rate of every group, the loss, the held-out loss.

    Steps and epochs are counted from 0, as in the article's loops. The samples are those of the batch. The rates of a
    row are those its update used, the loss is that of its batch before the update. The held-out loss is measured after
    the last step of an epoch; other rows have NaN.

    With `norms`, the last row of each epoch also has the norm of its gradient and the size of its update over that of
    the weights, for each group: columns "gradient_norm", and "update_ratio" or "update_ratio_<name>".

    Args:
        groups: names of the parameter groups; the rate's columns are "lr" for a single group, else "lr_<name>".
        norms: whether there are columns for norms (`fit(..., norms=True)`).

    Attributes:
        interrupted: whether training ended before its last epoch was complete, by Ctrl-C or another signal.
        stopped: why a callback ended the training, one line; None where none did.
        skipped: the steps that changed nothing, because a gradient was not finite: `fit(..., skip_nonfinite=True)`.
        steps_in_epoch: how many steps an epoch has, as `fit` knows it; None: as many as the longest here.

    Example:
        >>> history = History(["all"])
        >>> history.append(0, (0.1,), 2.5)
        >>> history.append(0, (0.2,), 1.5, held_out_loss=1.75)
        >>> history.loss.tolist(), history.lr.shape, history[-1]["held_out_loss"]
        ([2.5, 1.5], (2, 1), 1.75)
    """

    def __init__(self, groups: Sequence[str] = ("all",), norms: bool = False) -> None:
        self.groups = list(groups)
        self.has_norms = true_or_false("norms", norms)
        self.interrupted = False
        self.stopped: str | None = None
        self.skipped: list[int] = []
        self.steps_in_epoch: int | None = None
        self._epochs = array("q")
        self._samples = array("q")
        self._rates = array("d")  # those of a row side by side
        self._losses = array("d")
        self._held_out: dict[int, float] = {}
        self._norms: dict[int, tuple[float, ...]] = {}  # that of the gradient, and a ratio for each group

    def append(
        self, epoch: int, rates: tuple[float, ...], loss: float, held_out_loss: float | None = None, samples: int = 1
    ) -> None:
        """Add the row of the next step."""
        self._epochs.append(epoch)
        self._samples.append(samples)
        self._rates.extend(rates)
        self._losses.append(loss)
        if held_out_loss is not None:
            self.set_held_out(held_out_loss)

    def extend(self, epochs: np.ndarray, samples: np.ndarray, rates: np.ndarray, losses: np.ndarray) -> None:
        """Add the rows of the next steps: two int64 and two float64 arrays; `rates` has shape (steps, groups)."""
        self._epochs.frombytes(np.ascontiguousarray(epochs, np.int64).tobytes())
        self._samples.frombytes(np.ascontiguousarray(samples, np.int64).tobytes())
        self._rates.frombytes(np.ascontiguousarray(rates, np.float64).tobytes())
        self._losses.frombytes(np.ascontiguousarray(losses, np.float64).tobytes())

    def held_out_by_epoch(self) -> tuple[np.ndarray, np.ndarray]:
        """The epochs after which the held-out loss was measured, int64, and these losses, float64.

        Example:
            >>> history = History()
            >>> history.append(0, (0.1,), 2.5)
            >>> history.append(0, (0.1,), 1.5, held_out_loss=1.75)
            >>> [each.tolist() for each in history.held_out_by_epoch()]
            [[0], [1.75]]
        """
        return self.epoch[list(self._held_out)], np.array(list(self._held_out.values()), np.float64)

    def set_held_out(self, loss: float) -> None:
        """Give the last row its held-out loss."""
        self._held_out[len(self) - 1] = loss

    def set_norms(self, gradient: float, ratios: Sequence[float]) -> None:
        """Give the last row the norm of its gradient, and for each group the size of its update over the weights'."""
        self._norms[len(self) - 1] = (gradient, *ratios)

    def copy(self) -> History:
        """Another history with the same rows."""
        other = History(self.groups, self.has_norms)
        other._epochs, other._samples, other._rates = self._epochs[:], self._samples[:], self._rates[:]
        other._losses, other._held_out, other._norms = self._losses[:], self._held_out.copy(), self._norms.copy()
        other.interrupted, other.stopped, other.skipped = self.interrupted, self.stopped, self.skipped[:]
        other.steps_in_epoch = self.steps_in_epoch
        return other

    def __len__(self) -> int:
        return len(self._losses)

    def __repr__(self) -> str:
        ending = ", interrupted" if self.interrupted else ", stopped" if self.stopped else ""
        steps, epochs = len(self), self.completed_epochs()
        counted = f"{steps} step{'s' * (steps != 1)}, {epochs} epoch{'s' * (epochs != 1)}"
        return f"History({counted}{ending})"

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in the order of the CSV file."""
        return [*FIRST, *self._per_group("lr"), *LAST, *self._norm_names()]

    def _per_group(self, name: str) -> list[str]:
        """The names of a column that each group has."""
        return [name] if len(self.groups) == 1 else [f"{name}_{group}" for group in self.groups]

    def _norm_names(self) -> list[str]:
        return [NORM, *self._per_group(RATIO)] if self.has_norms else []

    @property
    def step(self) -> np.ndarray:
        """The step of each row, int64, shape (rows,)."""
        return np.arange(len(self))

    @property
    def epoch(self) -> np.ndarray:
        """The epoch of each row, int64, shape (rows,)."""
        return np.array(self._epochs, np.int64)

    @property
    def samples(self) -> np.ndarray:
        """The number of samples in the batch of each row, int64, shape (rows,)."""
        return np.array(self._samples, np.int64)

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

    @property
    def gradient_norm(self) -> np.ndarray:
        """The norm of all gradients of each row's step, before clipping, float64, shape (rows,); NaN: not measured."""
        return self._all_norms()[:, 0]

    @property
    def update_ratio(self) -> np.ndarray:
        """The norm of each row's update over that of the weights before it, float64, shape (rows, groups).

        NaN where it was not measured. Infinite where the weights were all 0.
        """
        return self._all_norms()[:, 1:]

    def _all_norms(self) -> np.ndarray:
        found = np.full((len(self), 1 + len(self.groups)), np.nan)
        if self._norms:
            found[list(self._norms)] = list(self._norms.values())
        return found

    def norms_by_epoch(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The epochs whose last step was measured, int64, the norms of its gradient, and its update ratios.

        Returns:
            Shapes (measured,), (measured,) and (measured, groups); without `norms` nothing was measured.

        Example:
            >>> history = History(norms=True)
            >>> history.append(0, (0.1,), 2.5)
            >>> history.set_norms(3.0, [0.25])
            >>> [each.tolist() for each in history.norms_by_epoch()]
            [[0], [3.0], [[0.25]]]
        """
        found = np.array(list(self._norms.values()), np.float64).reshape(-1, 1 + len(self.groups))
        return self.epoch[list(self._norms)], found[:, 0], found[:, 1:]

    def __getitem__(self, which: int | str | slice) -> Any:
        """A column by its name, a row by its number, or several rows by a slice.

        Args:
            which: a name among `column_names`: the column as an array. A number, from the end where it is negative: the
                row as a dict. A slice: a list of such rows.

        Raises:
            KeyError: there is no column of that name. IndexError: no row of that number. TypeError: none of the three.

        Example:
            >>> history = History()
            >>> history.append(0, (0.1,), 2.5)
            >>> history.append(0, (0.1,), 1.5)
            >>> history["loss"].tolist(), history[-1]["loss"], [row["step"] for row in history[:5]]
            ([2.5, 1.5], 1.5, [0, 1])
        """
        if isinstance(which, str):
            return self._column(which)
        if isinstance(which, slice):
            return [self._row(row) for row in range(*which.indices(len(self)))]
        try:
            row = whole_number("row", which)
        except TypeError as error:
            raise TypeError(
                f"a history takes the number of a row, a slice of rows, or the name of a column, got {shown(which)}"
            ) from error
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of a history with {len(self)} rows")
        return self._row(row % len(self))

    def _row(self, row: int) -> dict[str, Any]:
        held_out = self._held_out.get(row, float("nan"))
        rates = self._rates[row * len(self.groups) : (row + 1) * len(self.groups)]
        values = [row, self._epochs[row], self._samples[row], *rates, self._losses[row], held_out]
        if self.has_norms:
            values += self._norms.get(row, (float("nan"),) * (1 + len(self.groups)))
        return dict(zip(self.column_names, values, strict=True))

    def _column(self, name: str) -> np.ndarray:
        names = self.column_names
        if name not in names:
            raise KeyError(f"a history has no column {name!r}; it has {', '.join(names)}")
        if name in FIRST or name in LAST:
            column: np.ndarray = getattr(self, name)
            return column
        if name in (norms := self._norm_names()):
            return self._all_norms()[:, norms.index(name)]
        return self.lr[:, names.index(name) - len(FIRST)]

    def __contains__(self, what: object) -> bool:
        """Whether there is a column of that name, or a row like that dict."""
        return what in self.column_names if isinstance(what, str) else any(row == what for row in self)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows, each as a dict."""
        return (self._row(row) for row in range(len(self)))

    def epoch_means(self) -> tuple[np.ndarray, np.ndarray]:
        """The epochs, int64, and the mean training loss of each, float64; a batch counts as often as it has samples.

        Example:
            >>> history = History()
            >>> for epoch, loss, samples in [(0, 4.0, 3), (0, 2.0, 1), (1, 1.0, 3)]:
            ...     history.append(epoch, (0.1,), loss, samples=samples)
            >>> [each.tolist() for each in history.epoch_means()]
            [[0, 1], [3.5, 1.0]]
        """
        epochs, place = np.unique(self.epoch, return_inverse=True)
        shares = self.samples / np.bincount(place, self.samples)[place]
        return epochs, np.bincount(place, self.loss * shares)

    def completed_epochs(self) -> int:
        """How many epochs were completed: all but a last one that has fewer steps than an epoch has.

        Example:
            >>> history = History()
            >>> for epoch in (0, 0, 1):
            ...     history.append(epoch, (0.1,), 1.0)
            >>> history.completed_epochs(), history
            (1, History(3 steps, 1 epoch))
        """
        if not len(self):
            return 0
        counts = np.unique(self.epoch, return_counts=True)[1]
        return len(counts) - int(counts[-1] < (self.steps_in_epoch or counts.max()))

    def longest_epoch(self) -> int:
        """How many steps an epoch has: `steps_in_epoch`, or more where one has more; at least 1."""
        longest = int(np.bincount(self.epoch).max()) if len(self) else 1
        return max(longest, self.steps_in_epoch or 1)

    def places_in_epoch(self) -> np.ndarray:
        """How many rows of its epoch are before each row, int64, shape (rows,).

        Example:
            >>> history = History()
            >>> for epoch in (0, 0, 0, 1, 1):
            ...     history.append(epoch, (0.1,), 1.0)
            >>> history.places_in_epoch().tolist()
            [0, 1, 2, 0, 1]
        """
        return self.step - np.searchsorted(self.epoch, self.epoch)

    def last_rates(self) -> list[float]:
        """The learning rates of the last row, one for each group."""
        return self._rates[-len(self.groups) :].tolist()

    def last_mean(self) -> float:
        """The mean training loss of the last row's epoch, as `epoch_means` has it.

        Raises:
            ValueError: the history has no rows.
        """
        if not len(self):
            raise ValueError("an empty history has no last epoch; there is one when `fit` has made a step")
        rows = slice(bisect_left(self._epochs, self._epochs[-1]), None)
        samples = np.array(self._samples[rows])
        return float(np.array(self._losses[rows]) @ (samples / samples.sum()))

    def to_dict(self) -> dict[str, list[Any]]:
        """The columns as lists of plain numbers, by name; None where the held-out loss or a norm was not measured.

        Example:
            >>> history = History()
            >>> history.append(0, (0.1,), 2.5, samples=8)
            >>> history.to_dict()
            {'step': [0], 'epoch': [0], 'samples': [8], 'lr': [0.1], 'loss': [2.5], 'held_out_loss': [None]}
        """
        found: dict[str, list[Any]] = {name: self._column(name).tolist() for name in self.column_names}
        found[LAST[-1]] = [self._held_out.get(row) for row in range(len(self))]
        for place, name in enumerate(self._norm_names()):
            measured = {row: norms[place] for row, norms in self._norms.items()}
            found[name] = [measured.get(row) for row in range(len(self))]
        return found

    def to_frame(self, backend: str = "pandas") -> Any:
        """The history as a frame: int64 and float64 columns, missing where something was not measured.

        Args:
            backend: "pandas", "polars" or "pyarrow", which must be installed, and Narwhals (the extra `tables`).

        Raises:
            ValueError: another backend. ModuleNotFoundError: it, or Narwhals, is not installed.
        """
        kinds = {name: int if name in FIRST else float for name in self.column_names}
        return frame_of(self.to_dict(), kinds, backend)

    def plot(self, axes: Any = None, *, loss_label: str = "loss") -> Any:
        """Draw the loss and the learning rates, and return matplotlib's figure.

        Args:
            axes: two axes of matplotlib to draw on, for the loss and the rates; None: those of a new figure.
            loss_label: what the loss is, with its unit.

        Raises:
            ValueError: the history has no rows, or `axes` are not two. ModuleNotFoundError: matplotlib is not there.
        """
        if not is_available():
            raise ModuleNotFoundError(f"drawing needs matplotlib: {HOW_TO_GET_IT}", name="matplotlib")
        if not len(self):
            raise ValueError("an empty history has no curves to draw")
        if axes is None:
            from matplotlib import pyplot

            _, axes = pyplot.subplots(2, 1, sharex=True, height_ratios=[2, 1], figsize=(8, 6), layout="constrained")
        both = list(np.ravel(axes))
        if len(both) != 2 or not all(hasattr(each, "plot") for each in both):
            raise ValueError(f"axes must be two axes of matplotlib, for the loss and for the rates, got {shown(axes)}")
        curves(self, both[0], both[1], loss_label)
        return both[0].figure

    def _repr_html_(self) -> str:
        """The loss and the rates as a picture, for notebooks; of very many steps those with extreme losses."""
        return f"<div>{drawn(self)}<div>{html.escape(repr(self))}</div></div>"

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The history as CSV text, written to `path` where one is given; every number reads back exactly.

        Example:
            >>> history = History()
            >>> history.append(0, (0.1,), 2.5, samples=8)
            >>> print(history.to_csv())
            step,epoch,samples,lr,loss,held_out_loss
            0,0,8,0.1,2.5,
            <BLANKLINE>
        """
        text = self.header() + self.rows()
        if path is not None:
            write_text(path, text)
        return text

    def header(self) -> str:
        """The first line of the CSV text."""
        return _line(self.column_names)

    def rows(self, first: int = 0) -> str:
        """The lines of the rows from `first` on."""
        groups = len(self.groups)
        held_out = [""] * (len(self) - first)
        for row, loss in self._held_out.items():
            if row >= first:
                held_out[row - first] = repr(loss)
        norms = [[""] * (len(self) - first) for _ in self._norm_names()]
        for row, values in self._norms.items():
            if row >= first:
                for column, value in zip(norms, values, strict=True):
                    column[row - first] = repr(value)
        rates = [map(repr, self._rates[first * groups + group :: groups]) for group in range(groups)]
        counts = [map(str, each) for each in (range(first, len(self)), self._epochs[first:], self._samples[first:])]
        fields = zip(*counts, *rates, map(repr, self._losses[first:]), held_out, *norms, strict=True)
        return "".join([",".join(each) + "\n" for each in fields])

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values and arrays, for a checkpoint. Of counts, it has how often each is repeated."""
        rows, losses = np.array(list(self._held_out), np.int64), np.array(list(self._held_out.values()), np.float64)
        found: dict[str, Any] = {"groups": self.groups, "held_out": (rows, losses)}
        found["skipped"] = np.array(self.skipped, np.int64)
        if self.has_norms:
            found["norms"] = (np.array(list(self._norms), np.int64), self._all_norms()[list(self._norms)])
        for name, column in self._columns():
            values = np.array(column, column.typecode)
            found[name] = _repeats(values) if column.typecode == "q" else values
        return found

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> History:
        """The history that `as_dict` described.

        Raises:
            ValueError: it describes none.
        """
        history = cls(found["groups"], "norms" in found)
        for name, column in history._columns():
            values = np.repeat(*found[name]) if column.typecode == "q" else found[name]
            column.frombytes(np.ascontiguousarray(values, column.typecode).tobytes())
        lengths = {len(history._epochs), len(history._samples), len(history._rates) / len(history.groups)}
        if lengths != {len(history)}:
            raise ValueError("the columns of the history differ in length")
        history.skipped = np.asarray(found.get("skipped", ()), np.int64).tolist()
        history._held_out = dict(zip(*(each.tolist() for each in found["held_out"]), strict=True))
        if history.has_norms:
            rows, norms = found["norms"]
            history._norms = dict(zip(rows.tolist(), map(tuple, norms.tolist()), strict=True))
        return history

    def _columns(self) -> list[tuple[str, array[Any]]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, array)]

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> History:
        """The history that `to_csv` wrote. In a file without the column "samples" each row counts 1.

        Raises:
            ValueError: the file is no history; the message names the line.
            OSError: it cannot be read.
        """
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            names = next(reader, [])
            first = FIRST if "samples" in names else FIRST[:-1]
            rates = [name for name in names[len(first) :] if name == "lr" or name.startswith("lr_")]
            groups = ["all"] if rates == ["lr"] else [name[len("lr_") :] for name in rates]
            history = cls(groups, NORM in names)
            if not rates or names != [*first, *history.column_names[len(FIRST) :]]:
                raise ValueError(f"{path}, line 1: not a history; expected step,epoch,samples,lr...,loss,held_out_loss")
            for row in reader:
                try:
                    history._read(row, len(first))
                except ValueError as error:
                    raise ValueError(f"{path}, line {reader.line_num}: not a row of a history: {error}") from error
        return history

    def _read(self, row: Sequence[str], counted: int) -> None:
        """Add the row of a CSV file.

        Args:
            counted: how many of its fields are counts; the third, the samples, may be missing.
        """
        step, epoch, samples = map(int, [*row[:counted], "1"][:3])
        groups = len(self.groups)
        *lrs, loss, held_out = row[counted : counted + groups + 2]
        norms = row[counted + groups + 2 :]
        if step != len(self) or len(lrs) != groups or len(norms) != len(self._norm_names()):
            raise ValueError("not the row that should come next")
        self.append(epoch, tuple(map(float, lrs)), float(loss), samples=samples)
        if held_out:
            self.set_held_out(float(held_out))
        if any(norms):
            self.set_norms(float(norms[0]), list(map(float, norms[1:])))


def _repeats(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values without those that equal the one before, and how often each is there: the arguments of np.repeat."""
    first = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    return values[first], np.diff(first, append=len(values))


def _line(fields: Sequence[str]) -> str:
    """A line of CSV text: fields with a comma, a quote or the end of a line in them are quoted."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()


def frame_of(columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, type], backend: str) -> Any:
    """Columns as a frame of pandas, polars or pyarrow, through Narwhals.

    Args:
        kinds: what each column holds: int, float or str.

    Raises:
        ValueError: another backend. ModuleNotFoundError: it, or Narwhals, is not installed.
    """
    if not isinstance(backend, str) or backend not in FRAMES:
        raise ValueError(f"backend must be one of {', '.join(FRAMES)}, got {shown(backend)}")
    for needed, remedy in (("narwhals", "'tinygrad_lr[tables]'"), (backend, backend)):
        if importlib.util.find_spec(needed) is None:
            raise ModuleNotFoundError(f"to_frame needs {needed}: pip install {remedy}", name=needed)
    import narwhals as nw

    types = {int: nw.Int64(), float: nw.Float64(), str: nw.String()}
    schema = {name: types[kind] for name, kind in kinds.items()}
    known: Any = backend
    return nw.from_dict(dict(columns), schema=schema, backend=known).to_native()
