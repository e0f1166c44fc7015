"""Averages of the parameters of a training: `WeightAveraging`, the mean after its last epochs (Polyak and Ruppert), and
`ModelAveraging`, which keeps an `AveragedModel` and has it measured.

Averages of weights often predict better than the last ones where the rate stays high, and need no second training. With
a cosine that ends at 0 they differ little from the last ones. Izmailov et al., 2018, arXiv:1803.05407. The formula of
the mean stands in optim/swa_utils.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.integers import whole_number
from tinygrad_lr.optim.swa_utils import AveragedModel, get_swa_avg_fn

from .callbacks import Callback, Stop, Training

__all__ = ["ModelAveraging", "WeightAveraging"]

_mean = get_swa_avg_fn()


class WeightAveraging(Callback):
    """Keeps the mean of the parameters after each epoch from one on; the model itself is left as it is.

    Means are taken in float64 and given in the parameters' own dtype. Values that are no floats are those of the last
    epoch.

    Args:
        first_epoch: the first epoch whose parameters count, from 0.

    Attributes:
        epochs: how many epochs are in the mean.

    Raises:
        TypeError, ValueError: an epoch that is no whole number of at least 0; in `fit`: a training that goes on, whose
            earlier epochs belong to the mean and are not in it.

    Example:
        >>> from tinygrad_lr import nn, ones, optim
        >>> from tinygrad_lr.data import DataLoader, TensorDataset
        >>> from tinygrad_lr.training import fit
        >>> loader = DataLoader(TensorDataset(ones(4, 1), ones(4, 1)), batch_size=4)
        >>> model, average = nn.Linear(1, 1), WeightAveraging(first_epoch=3)
        >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
        >>> _ = fit(model, nn.MSELoss(), optimizer, loader, epochs=5, callbacks=[average])
        >>> average.epochs, sorted(average.parameters)
        (2, ['bias', 'weight'])
    """

    def __init__(self, first_epoch: int = 0) -> None:
        self.first_epoch = whole_number("first_epoch", first_epoch, least=0)
        self._forget()

    def _forget(self) -> None:
        self.epochs = 0
        self._mean: dict[str, np.ndarray] = {}
        self._dtypes: dict[str, str] = {}

    @property
    def parameters(self) -> dict[str, np.ndarray] | None:
        """The means, by the names of `model.state_dict()`; None before there are any."""
        if not self.epochs:
            return None
        return {name: mean.astype(self._dtypes[name]) for name, mean in self._mean.items()}

    def on_begin(self, training: Training) -> None:
        """Begin anew with a new training; one that goes on must have brought its mean."""
        if not training.step:
            self._forget()
        there = max(0, training.epoch - self.first_epoch)
        if self.epochs != there:
            raise ValueError(
                f"the training goes on after epoch {training.epoch}, of which {there} belong to the mean, and this "
                f"{type(self).__name__} has {self.epochs}; go on with the object that was there, or from a Checkpoint "
                f"(fit(..., checkpoint=)), or average the epochs that come: WeightAveraging({training.epoch})"
            )

    def on_epoch(self, training: Training) -> None:
        """Take the parameters of an epoch into the mean."""
        if training.epoch <= self.first_epoch:
            return
        self.epochs += 1
        for name, value in training.model.state_dict().items():
            value = np.asarray(value)
            if name not in self._mean or value.dtype.kind != "f":
                self._mean[name] = value.astype(np.float64 if value.dtype.kind == "f" else value.dtype)
                self._dtypes[name] = value.dtype.str
            else:
                self._mean[name] = _mean(self._mean[name], value, self.epochs - 1)

    def state_dict(self) -> dict[str, Any]:
        """The mean so far, for a checkpoint."""
        return {"epochs": self.epochs, "mean": dict(self._mean), "dtypes": dict(self._dtypes)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the mean from a checkpoint."""
        self.epochs = int(state["epochs"])
        self._mean = {name: np.array(values) for name, values in state["mean"].items()}
        self._dtypes = dict(state["dtypes"])


class ModelAveraging(Callback):
    """Updates an `AveragedModel` after each epoch or step from an epoch on; `fit` measures its held-out loss.

    Args:
        averaged: an `AveragedModel` of the model that is trained: a mean, or a moving average.
        first_epoch: the first epoch whose parameters count, from 0.
        every_step: take the parameters of every step, and not of every epoch, as moving averages do. Compiled training
            then makes a call of machine code for each step.
        measure: measure the held-out loss with the averaged model, and not with the one that is trained. Before
            `first_epoch` is over, it is the trained model's.

    A `Checkpoint` keeps the averages: a training that goes on has the bits of one that was never stopped.

    Raises:
        TypeError, ValueError: an argument that cannot be used; in `fit`: an average of another number of steps or
            epochs than were made.

    Example:
        >>> from tinygrad_lr import nn, ones, optim
        >>> from tinygrad_lr.data import DataLoader, TensorDataset
        >>> from tinygrad_lr.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
        >>> from tinygrad_lr.training import evaluate, fit
        >>> data = TensorDataset(ones(4, 1), ones(4, 1))
        >>> model = nn.Linear(1, 1)
        >>> averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
        >>> options = {"held_out": data, "callbacks": [ModelAveraging(averaged, every_step=True)]}
        >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
        >>> history = fit(model, nn.MSELoss(), optimizer, DataLoader(data, batch_size=2), epochs=3, **options)
        >>> averaged.n_averaged.item(), float(history.held_out_loss[-1]) == evaluate(averaged, nn.MSELoss(), data)
        (6, True)
    """

    def __init__(
        self, averaged: AveragedModel, *, first_epoch: int = 0, every_step: bool = False, measure: bool = True
    ) -> None:
        if not isinstance(averaged, AveragedModel):
            raise TypeError(f"averaged must be an AveragedModel(model), got {type(averaged).__name__}")
        self.averaged = averaged
        self.first_epoch = whole_number("first_epoch", first_epoch, least=0)
        self.every_step, self.measure = true_or_false("every_step", every_step), true_or_false("measure", measure)
        if self.every_step:
            self.on_step = self._after_step  # type: ignore[method-assign]

    def _count(self, training: Training) -> int:
        """How many times the average was to be updated so far."""
        every = training.steps_in_epoch
        return (
            max(0, training.step - self.first_epoch * every)
            if self.every_step
            else max(0, training.epoch - self.first_epoch)
        )

    def on_begin(self, training: Training) -> None:
        """Refuse an average that is not that of the steps or epochs that were made."""
        there, found = self._count(training), int(self.averaged.n_averaged.item())
        if there != found:
            what = "steps" if self.every_step else "epochs"
            raise ValueError(
                f"the training begins after epoch {training.epoch}, where the average is to be of {there} {what}, and "
                f"this one is of {found}; make a new AveragedModel(model), go on with the one that was there or from a "
                f"Checkpoint, or average what comes: first_epoch={training.epoch}"
            )

    def _after_step(self, training: Training) -> Stop | None:
        if self._count(training):
            self.averaged.update_parameters(training.model)
        return None

    def on_measure(self, training: Training) -> Any:
        """Take the parameters of an epoch; give the averaged model to be measured."""
        if not self.every_step and self._count(training):
            self.averaged.update_parameters(training.model)
        return self.averaged if self.measure and self._count(training) else None

    def state_dict(self) -> dict[str, Any]:
        """The averages so far, for a checkpoint."""
        return {"averaged": self.averaged.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the averages from a checkpoint."""
        self.averaged.load_state_dict(state["averaged"])
