"""`EpochLines` prints what a training does: the article's line for an epoch, with the mean and the watched loss.

Of many epochs it prints about thirty lines, and says so; on a terminal there is a bar below them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from tinygrad_lr.training.callbacks import Callback, Training
from tinygrad_lr.training.fitting import in_line
from tinygrad_lr.training.history import History
from tinygrad_lr.training.progress import Bar, progress_bar

__all__ = ["EpochLines", "epoch_line", "lines_every"]

ALL_UP_TO = 40  # epochs of which each has a line
ABOUT = 30  # lines of more epochs


def lines_every(epochs: int) -> int:
    """Every how many epochs there is a line: 1, 2 or 5, or these with zeros.

    Example:
        >>> [lines_every(epochs) for epochs in (10, 40, 41, 400, 1000, 4000)]
        [1, 1, 2, 20, 50, 200]
    """
    if epochs <= ALL_UP_TO:
        return 1
    power = 1
    while True:
        for step in (1, 2, 5):
            if epochs <= step * power * ABOUT:
                return step * power
        power *= 10


def epoch_line(history: History, watched: str) -> str:
    """The article's line of the last epoch, with the mean of its losses and the watched one.

    Args:
        watched: what the loss measured after an epoch is called, such as "Validation".

    Example:
        >>> history = History()
        >>> history.append(0, (0.0018,), 2.0, samples=3)
        >>> history.append(0, (0.0018,), 1.0, held_out_loss=1.5, samples=1)
        >>> epoch_line(history, "Held-out")
        'Epoch 1, Learning Rate: 0.001800, Loss Value: 1.000000, Mean Loss: 1.750000, Held-out Loss: 1.500000'
    """
    row = history[-1]
    rates = ", ".join(in_line(rate) for rate in history.last_rates())
    said = f"Epoch {row['epoch'] + 1}, Learning Rate: {rates}, Loss Value: {in_line(row['loss'])}"
    said += f", Mean Loss: {in_line(history.last_mean())}"
    measured = row["held_out_loss"]
    return said if measured != measured else f"{said}, {watched} Loss: {in_line(measured)}"


class EpochLines(Callback):
    """Prints lines, and a bar where there is a terminal.

    Args:
        say: prints a line where there is no bar.
        watched: see `epoch_line`.
    """

    def __init__(self, say: Callable[[str], object], watched: str) -> None:
        self.say, self.watched = say, watched
        self._stack = ExitStack()
        self._bar: Bar | None = None
        self._shown = 0

    def on_begin(self, training: Training) -> None:
        """Say how often there will be a line, and draw the bar."""
        self.every = lines_every(training.epochs)
        if self.every > 1:
            self.say(f"{training.epochs:,} epochs at most, a line for every {self.every} of them:")
        total = training.epochs * training.steps_in_epoch
        self._bar = self._stack.enter_context(progress_bar(True, total, training.step))
        self._step = training.step

    def on_epoch(self, training: Training) -> None:
        """Print the line of an epoch whose turn it is."""
        assert self._bar is not None
        self._bar.update(training.step - self._step)
        self._step = training.step
        if training.epoch == 1 or training.epoch % self.every == 0 or training.epoch == training.epochs:
            self._show(training)

    def on_end(self, training: Training) -> None:
        """Print the line of the last epoch, where it was not its turn, and remove the bar."""
        if training.epoch > self._shown and training.step and training.step % training.steps_in_epoch == 0:
            self._show(training)
        self._stack.close()

    def _show(self, training: Training) -> None:
        self._shown = training.epoch
        text = epoch_line(training.history, self.watched)
        bar: Any = self._bar
        if hasattr(bar, "bar"):  # a terminal: above the bar
            bar.write(text)
        else:
            self.say(text)
