"""`EarlyStopping` ends a training whose loss no longer falls; `BestParameters` keeps those of its best epoch.

Which epoch was best, and since when the loss has not fallen, follow from the history, so a training that goes on
decides as one that was never stopped. The best parameters are state, and are kept in checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.integers import shown, whole_number
from tinygrad_lr.reals import real_number

from .callbacks import STOP, Callback, Stop, Training
from .parameters import Parameters

__all__ = ["BestParameters", "EarlyStopping"]

MONITORED = {"held_out_loss": "held-out loss", "loss": "mean training loss"}


class BestParameters(Callback):
    """Keeps a copy of the parameters after the epoch with the lowest loss; at the end the model gets them.

    An optimizer's state stays that of the last step. A training that goes on in this process with the same object
    begins where it had ended, at the last parameters; so it does from a `Checkpoint`, which holds both.

    Args:
        monitor: "held_out_loss", for which `fit` needs `held_out`, or "loss", the mean training loss of an epoch.
        restore: whether the model gets the best parameters when the training has ended, also by Ctrl-C or `STOP`.

    Attributes:
        best_epoch: the epoch with the lowest loss, from 0; of equal ones, the first. None before there is one.
        best_loss: its loss; infinite before there is one.
        parameters: the parameters after that epoch, as `model.state_dict()` gives them; None before there are any.

    Raises:
        ValueError: `monitor` is no such name. TypeError: `restore` is neither True nor False.

    Example:
        >>> from tinygrad_lr import manual_seed, nn, ones, optim, randn
        >>> from tinygrad_lr.data import DataLoader, TensorDataset
        >>> from tinygrad_lr.training import fit
        >>> _ = manual_seed(0)
        >>> loader = DataLoader(TensorDataset(randn(8, 3), randn(8, 1)), batch_size=8)
        >>> model, best = nn.Linear(3, 1), BestParameters()
        >>> options = {"held_out": (randn(9, 3), ones(9, 1)), "callbacks": [best]}
        >>> history = fit(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), loader, epochs=20, **options)
        >>> best.best_loss == min(history.held_out_loss.tolist())
        True
    """

    def __init__(self, monitor: str = "held_out_loss", *, restore: bool = True) -> None:
        self.monitor = _checked_monitor(monitor)
        self.restore = true_or_false("restore", restore)
        self._forget()

    def _forget(self) -> None:
        self.best_epoch: int | None = None
        self.best_loss = math.inf
        self._best: Parameters | None = None
        self._at: int | None = None  # the epoch whose parameters are in _best
        self._last: Parameters | None = None  # those of the last step, where the model was given the best ones

    @property
    def parameters(self) -> dict[str, np.ndarray] | None:
        """The parameters after the best epoch; None before there are any."""
        return None if self._best is None else self._best.state

    def on_begin(self, training: Training) -> None:
        """Find the best epoch of a training that goes on, and give the model its last parameters back."""
        check_measured(self, self.monitor, training)
        if not training.step:
            self._forget()
        best, last, at = self._best, self._last, self._at
        self.best_epoch, self.best_loss = None, math.inf
        for epoch, loss in measured(training, self.monitor):
            self._compare(epoch, loss)
        if self.best_epoch is None or (best is not None and at == self.best_epoch):
            pass
        elif training.step == (self.best_epoch + 1) * training.steps_in_epoch:
            self._best, self._at = Parameters.of(training), self.best_epoch
        else:
            raise ValueError(
                f"the training goes on after epoch {training.epoch}, and the lowest {MONITORED[self.monitor]} is that "
                f"of epoch {self.best_epoch + 1}, whose parameters this {type(self).__name__} does not have; go on "
                "with the object that was there, or from a Checkpoint (fit(..., checkpoint=)), or begin anew"
            )
        if last is not None and best is not None and best.is_in(training):
            last.put_into(training)
        self._last = None

    def _compare(self, epoch: int, loss: float) -> bool:
        """Note a loss; returns whether it is the lowest."""
        if not loss < self.best_loss:
            return False
        self.best_epoch, self.best_loss = epoch, loss
        return True

    def on_epoch(self, training: Training) -> None:
        """Keep the parameters where this epoch's loss is the lowest."""
        if self._compare(training.epoch - 1, latest(training, self.monitor)):
            self._best, self._at = Parameters.of(training), self.best_epoch

    def on_end(self, training: Training) -> None:
        """Give the model the best parameters, unless the training failed."""
        if self.restore and self._best is not None and training.ended != "failed" and not self._best.is_in(training):
            self._last = Parameters.of(training)
            self._best.put_into(training)

    def state_dict(self) -> dict[str, Any]:
        """The best parameters, for a checkpoint."""
        return {"epoch": self._at, "best": None if self._best is None else self._best.as_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the best parameters from a checkpoint."""
        self._forget()
        if state["best"] is not None:
            self._best, self._at = Parameters.from_dict(state["best"]), state["epoch"]


class EarlyStopping(Callback):
    """Ends the training when the held-out loss has not fallen for `patience` epochs.

    Args:
        patience: how many epochs in succession may pass without a lower loss, at least 1.
        min_delta: by how much a loss must lie below the lowest before it to count as lower, at least 0.
        restore_best: whether the model gets the parameters of the epoch with the lowest loss at the end, however the
            training ended (see `BestParameters`).
        monitor: "held_out_loss", for which `fit` needs `held_out`, or "loss", the mean training loss of an epoch.

    Attributes:
        best_epoch, best_loss: the epoch with the lowest loss, from 0, and its loss.
        waited: how many epochs have passed since the loss fell last.

    A loss that is not a number does not count as lower. `history.stopped` says when it ended the training. The history
    alone decides, so a training that was stopped stops again when it is resumed with the same patience.

    Raises:
        TypeError, ValueError: an argument that cannot be used; in `fit`: no held-out data.

    Example:
        >>> from tinygrad_lr import manual_seed, nn, ones, optim, randn
        >>> from tinygrad_lr.data import DataLoader, TensorDataset
        >>> from tinygrad_lr.training import fit
        >>> _ = manual_seed(0)
        >>> loader = DataLoader(TensorDataset(randn(8, 3), randn(8, 1)), batch_size=8)
        >>> model = nn.Linear(3, 1)
        >>> options = {"held_out": (randn(9, 3), ones(9, 1)), "callbacks": [EarlyStopping(patience=3)]}
        >>> history = fit(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), loader, epochs=900, **options)
        >>> len(history) < 900, history.stopped[:51]
        (True, 'the held-out loss has not fallen for 3 epochs; its ')
    """

    def __init__(
        self, patience: int = 10, *, min_delta: float = 0.0, restore_best: bool = True, monitor: str = "held_out_loss"
    ) -> None:
        self.patience = whole_number("patience", patience, least=1)
        self.min_delta = real_number("min_delta", min_delta, least=0)
        self.monitor = _checked_monitor(monitor)
        self.restore_best = true_or_false("restore_best", restore_best)
        self.best = BestParameters(monitor, restore=self.restore_best)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lowest, self.waited = math.inf, 0
        self._found: tuple[int | None, float] = (None, math.inf)

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the lowest loss, from 0; None before there is one."""
        return self._found[0]

    @property
    def best_loss(self) -> float:
        """The lowest loss; infinite before there is one."""
        return self._found[1]

    def on_begin(self, training: Training) -> Stop | None:
        """Find out how long a training that goes on has waited; it may have to stop at once."""
        check_measured(self, self.monitor, training)
        if self.restore_best:
            self.best.on_begin(training)
        self._begin_anew()
        for epoch, loss in measured(training, self.monitor):
            self._see(epoch, loss)
        return self._verdict()

    def on_epoch(self, training: Training) -> Stop | None:
        """Note the loss of an epoch, and stop where it has not fallen for long enough."""
        if self.restore_best:
            self.best.on_epoch(training)
        self._see(training.epoch - 1, latest(training, self.monitor))
        return self._verdict()

    def on_end(self, training: Training) -> None:
        """Give the model the best parameters, unless the training failed."""
        if self.restore_best:
            self.best.on_end(training)

    def _see(self, epoch: int, loss: float) -> None:
        if loss < self._found[1]:
            self._found = epoch, loss
        if loss < self._lowest - self.min_delta:
            self._lowest, self.waited = loss, 0
        else:
            self.waited += 1

    def _verdict(self) -> Stop | None:
        if self.waited < self.patience:
            return None
        epochs = "1 epoch" if self.patience == 1 else f"{self.patience} epochs"
        lowest = (
            "it was never a number"
            if self.best_epoch is None
            else (f"its lowest, {self.best_loss:.6g}, is that of epoch {self.best_epoch + 1}")
        )
        by = f" by more than {self.min_delta:g}" if self.min_delta else ""
        return STOP.because(f"the {MONITORED[self.monitor]} has not fallen{by} for {epochs}; {lowest}")

    def state_dict(self) -> dict[str, Any]:
        """The best parameters, for a checkpoint."""
        return self.best.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the best parameters from a checkpoint."""
        self.best.load_state_dict(state)


# --- what is monitored ------------------------------------------------------------------------------------------------


def _checked_monitor(monitor: object) -> str:
    if not isinstance(monitor, str) or monitor not in MONITORED:
        raise ValueError(f"monitor must be one of {', '.join(MONITORED)}, got {shown(monitor)}")
    return monitor


def check_measured(callback: object, monitor: str, training: Training) -> None:
    """Raise where the loss that a callback needs is not measured."""
    if monitor == "held_out_loss" and training.held_out is None:
        raise ValueError(
            f"{type(callback).__name__} needs the held-out loss: give held-out data, fit(..., held_out=(inputs, "
            f'target)), or take the training loss, {type(callback).__name__}(monitor="loss")'
        )


def measured(training: Training, monitor: str) -> list[tuple[int, float]]:
    """The complete epochs so far and their losses."""
    history = training.history
    epochs, losses = history.held_out_by_epoch() if monitor == "held_out_loss" else history.epoch_means()
    pairs = [(int(epoch), float(loss)) for epoch, loss in zip(epochs, losses, strict=True)]
    return pairs if monitor == "held_out_loss" else pairs[: training.epoch]


def latest(training: Training, monitor: str) -> float:
    """The loss of the epoch that has just ended."""
    history = training.history
    return float(history[-1]["held_out_loss"]) if monitor == "held_out_loss" else history.last_mean()
