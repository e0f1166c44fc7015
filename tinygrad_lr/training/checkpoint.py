"""`Checkpoint`: keeps a training on disk while it runs, so that it can go on after a crash as if never stopped.

A checkpoint is one file, which is there whole or not at all (files.py) and whose SHA-256 is checked before anything of
it is used (snapshot.py). The last two are kept: where the newest one is damaged, the one before it serves. `fit` calls
`begin`, `look` after every step or call of machine code, and `end`. Next: loops.py.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.files import FolderLock
from tinygrad_lr.integers import whole_number
from tinygrad_lr.optim import Optimizer
from tinygrad_lr.optim.around import Around
from tinygrad_lr.reals import real_number

from . import snapshot
from .callbacks import Callbacks
from .csv_log import CSV_EVERY, CSVLog
from .history import History

__all__ = ["Checkpoint"]

KEPT = 2
FIRST_AFTER = 1.0  # seconds
SHARE = 0.02  # of the time, at most, that checkpoints may take
HISTORY = "history.csv"
_NAME = re.compile(r"checkpoint-([0-9]{1,18})\.npz")
_TEMPORARY = re.compile(r"\.checkpoint-[0-9]{1,18}\.npz\.[0-9a-f]{12}\.tmp")


class Checkpoint:
    """Keeps a training in a folder while `fit` runs it, and gives it back after a crash.

    A training that goes on from a checkpoint has the bits of one that was never stopped, eager and compiled, also from
    the middle of an epoch and with orders that have no seed. Kept are: what the model's and the optimizer's
    `state_dict` hold, the history, the state of tinygrad_lr's random generator, the order of the epoch that was begun,
    and the `state_dict` of each callback that has one. Not kept is what your own code holds besides, such as
    generators of its own.

    Args:
        folder: where the files `checkpoint-STEP.npz` go; it is made where it is absent. The last two are kept.
        every_seconds: how long the training may run until the next checkpoint, 30 by default. The first is written
            after a second, and then one whenever the time has doubled; but for the first and the last, never so often
            that they take more than 2 % of the time.
        every_steps: write one after exactly so many steps, and by the clock only where `every_seconds` is given too.
        history_csv: also let FOLDER/history.csv grow, at most once a second, for people who want to look.
        warn: called with a sentence where a file cannot be written or is damaged; by default `warnings.warn`.

    Raises:
        TypeError, ValueError: a number that is none, or not above 0.

    Example:
        >>> import tempfile
        >>> from tinygrad_lr import nn, optim, zeros
        >>> from tinygrad_lr.data import DataLoader, TensorDataset
        >>> from tinygrad_lr.training import fit
        >>> loader = DataLoader(TensorDataset(zeros(8, 3), zeros(8, 1)), batch_size=2, shuffle=True)
        >>> def train(folder, epochs):  # the same program, whether it starts or goes on
        ...     model = nn.Linear(3, 1)
        ...     optimizer = optim.Adam(model.parameters())
        ...     checkpoint = Checkpoint(folder)
        ...     history = checkpoint.restore(model, optimizer, loader)
        ...     begun = 0 if history is None else len(history)
        ...     options = {"epochs": epochs, "resume": history, "checkpoint": checkpoint}
        ...     history = fit(model, nn.MSELoss(), optimizer, loader, **options)
        ...     return begun, len(history)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     train(folder, epochs=2), train(folder, epochs=5)
        ((0, 8), (8, 20))
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        every_seconds: float | None = None,
        every_steps: int | None = None,
        history_csv: bool = False,
        warn: Callable[[str], object] | None = None,
    ) -> None:
        if every_seconds not in (None, float("inf")):
            every_seconds = real_number("every_seconds", every_seconds, above=0)
        self.folder = Path(folder)
        self.every_steps = None if every_steps is None else whole_number("every_steps", every_steps, least=1)
        by_clock = every_seconds is not None or every_steps is None
        self.every_seconds = float(30 if every_seconds is None else every_seconds) if by_clock else float("inf")
        self.history_csv = true_or_false("history_csv", history_csv)
        self.warn = warn or _warn
        self._at: int | None = None  # the step of the newest checkpoint that is known to be whole
        self._settings: Mapping[str, Any] | None = None  # with which that one was made
        self._damaged: list[Path] = []
        self._states: list[Any] | None = None  # of callbacks, as restored, until `fit` begins
        self._calls = Callbacks([])
        self._lock: FolderLock | None = None
        self._log = CSVLog(self.folder / HISTORY, warn=self.warn)

    @property
    def csv_is_whole(self) -> bool:
        """Whether history.csv holds every row; it lacks the last ones of a training that an error ended."""
        return self._log.is_whole and self._log.rows == len(self._training[3])

    # --- going on -----------------------------------------------------------------------------------------------------

    def restore(self, model: Any, optimizer: Optimizer | Around, loader: Any) -> History | None:
        """Make a training what it was at the newest checkpoint, and return the history for `fit(..., resume=history)`.

        Args:
            model, optimizer, loader: made as they were for the run that is to go on.

        Returns:
            The history up to the checkpoint, or None where the folder has no checkpoint.

        Raises:
            ValueError: all checkpoints are damaged, or the newest one belongs to another model, optimizer or loader;
                nothing was changed.
            OSError: a file cannot be read.
        """
        _check_optimizer(optimizer)
        damaged: list[tuple[Path, str]] = []
        for _, path in reversed(self._there()):
            try:
                found = snapshot.read(path)
            except snapshot.Unreadable as error:
                damaged.append((path, str(error)))
                continue
            history = snapshot.put_back(found, model, optimizer, loader)
            for each, why in damaged:
                self.warn(f"{each} is damaged ({why}); going on from {path.name} instead")
            self._at, self._settings = len(history), found["settings"]
            self._states = found.get("callbacks", [])
            self._damaged = [each for each, _ in damaged]
            return history
        if damaged:
            why = "; ".join(f"{each.name}: {reason}" for each, reason in damaged)
            raise ValueError(f"every checkpoint in {self.folder} is damaged ({why}); remove them to begin anew")
        return None

    def newest(self) -> Path | None:
        """The file of the newest checkpoint that this object wrote or restored; None where there is none."""
        return None if self._at is None else self.folder / f"checkpoint-{self._at}.npz"

    def _there(self) -> list[tuple[int, Path]]:
        """The files with names of checkpoints, by step."""
        with suppress(FileNotFoundError, NotADirectoryError):
            found = [(_NAME.fullmatch(each.name), each) for each in self.folder.iterdir()]
            return sorted((int(match[1]), path) for match, path in found if match)
        return []

    # --- what fit calls -----------------------------------------------------------------------------------------------

    def begin(
        self,
        model: Any,
        optimizer: Any,
        loader: Any,
        history: History,
        between: bool,
        settings: Mapping[str, Any],
        calls: Callbacks | None = None,
        per_epoch: int | None = None,
    ) -> None:
        """Take the folder for a training.

        Args:
            model, optimizer, loader, history: as `fit` has them; they are read when a checkpoint is written.
            between: whether `fit` does something at the end of an epoch, after the steps, that belongs to it.
            settings: what a training must share with the one that it continues.
            calls: the callbacks, whose states are kept; they get those that were restored.
            per_epoch: how many steps an epoch has; None: as many as the loader has batches.

        Raises:
            TypeError: no optimizer of tinygrad_lr, or a group or a callback holds what a checkpoint cannot keep.
            ValueError: the folder belongs to another training, or the callbacks are others than those restored.
            OSError: another process trains in this folder, or it cannot be written to.
        """
        _check_optimizer(optimizer)
        snapshot.packed([{key: group[key] for key in group if key != "params"} for group in optimizer.param_groups])
        self._refuse_others(history, settings)
        calls = calls or Callbacks([])
        if self._states is not None:
            calls.load(self._states)
        snapshot.packed(calls.states())
        self._states, self._calls = None, calls
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FolderLock(self.folder)
        try:
            self._tidy()
        except OSError:
            self.close()
            raise
        self._training = model, optimizer, loader, history
        self._per_epoch = len(loader) if per_epoch is None else per_epoch
        self._between, self._settings = between, dict(settings)
        self._begun = perf_counter()
        self._due = self._begun + min(FIRST_AFTER, self.every_seconds)
        self._due_csv = self._begun + CSV_EVERY if self.history_csv else float("inf")
        self._next_look = min(self._due, self._due_csv)
        self._due_step = len(history) + self.every_steps if self.every_steps else sys.maxsize
        self._written, self._failed = self._at, False
        self._log.is_whole = False
        if self.history_csv:
            try:
                self._log.open(history)
            except OSError as error:
                self._log.give_up(error)

    def _tidy(self) -> None:
        """Put damaged checkpoints aside, and remove what a process that was killed was writing."""
        for path in self._damaged:
            path.replace(path.with_name(path.name + ".damaged"))
        self._damaged = []
        for path in self.folder.iterdir():
            if _TEMPORARY.fullmatch(path.name):
                path.unlink()

    def _refuse_others(self, history: History, settings: Mapping[str, Any]) -> None:
        there = self._there()
        if self._at is None and there:
            raise ValueError(
                f"{self.folder} holds {there[-1][1].name} of an earlier training; go on from it (history = "
                "checkpoint.restore(model, optimizer, loader), then fit(..., resume=history)), or take another folder"
            )
        if self._at is not None and len(history) < self._at:
            raise ValueError(
                f"the checkpoint in {self.folder} is of step {self._at}, and fit begins at step {len(history)}; give "
                "the history that restore returned: fit(..., resume=history)"
            )
        for name, value in (self._settings or {}).items():
            if name in settings and settings[name] != value:
                raise ValueError(
                    f"the training in {self.folder} ran with {name}={value}, and fit was called with {name}="
                    f"{settings[name]}; call it as before, or take another folder"
                )

    def room(self) -> int:
        """How many steps may be made until a checkpoint is due by their number; at least 1."""
        return max(1, self._due_step - len(self._training[3]))

    def look(self, closed: bool = False) -> None:
        """Write what is due. Called between two steps; it takes a tenth of a microsecond where nothing is due.

        Args:
            closed: whether what belongs to an epoch after its steps is done.
        """
        step = len(self._training[3])
        now = perf_counter()
        if now < self._next_look and step < self._due_step:
            return
        if self._between and not closed and step % self._per_epoch == 0:
            return  # fit looks again when the epoch is closed
        if now >= self._due or step >= self._due_step:
            self._write()
        if now >= self._due_csv:
            self._log.grow(self._training[3])
            self._due_csv = perf_counter() + CSV_EVERY
        self._next_look = min(self._due, self._due_csv)

    def end(self, exact: bool = True) -> None:
        """Write the last checkpoint and the last rows, and let the folder go.

        Args:
            exact: whether all is as a step, or the end of an epoch, left it; otherwise the last checkpoint stays as is.
        """
        try:
            if exact and self._written != len(self._training[3]):
                self._write()
            if self.history_csv:
                self._log.grow(self._training[3])
        finally:
            self.close()

    def close(self) -> None:
        """Let the folder go without writing anything."""
        self._log.close()
        if self._lock is not None:
            self._lock.release()
        self._lock = None

    def _write(self) -> None:
        """Write a checkpoint, remove all but the last two, and say when the next is due."""
        began = perf_counter()
        model, optimizer, loader, history = self._training
        step = len(history)
        self._due_step = step + self.every_steps if self.every_steps else sys.maxsize
        path = self.folder / f"checkpoint-{step}.npz"
        try:
            more = {"settings": self._settings, "callbacks": self._calls.states()}
            snapshot.write(path, {**snapshot.taken(model, optimizer, loader, history, self._per_epoch), **more})
            self._at = self._written = step
            self._failed = False
            for _, old in self._there()[:-KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            if not self._failed:
                self.warn(f"{path} could not be written ({error.strerror or error}); the training goes on")
            self._failed = True
        now = perf_counter()
        wait = min(self.every_seconds, max(FIRST_AFTER, now - self._begun))
        self._due = now + max(wait, (now - began) / SHARE)


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)


def _check_optimizer(optimizer: object) -> None:
    if not isinstance(optimizer, (Optimizer, Around)):
        raise TypeError(
            f"a Checkpoint keeps the state of an optimizer of tinygrad_lr, got {type(optimizer).__name__}; save its "
            "state yourself in on_epoch"
        )
