"""`WeightAveraging` keeps the mean of the parameters after the last epochs of a training (Polyak and Ruppert).

Averages of weights often predict better than the last ones where the rate stays high, and need no second training. With
a cosine that ends at 0 they differ little from the last ones. Izmailov et al., 2018, arXiv:1803.05407.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lr.integers import whole_number

from .callbacks import Callback, Training

__all__ = ["WeightAveraging"]


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
                self._mean[name] += (value - self._mean[name]) / self.epochs

    def state_dict(self) -> dict[str, Any]:
        """The mean so far, for a checkpoint."""
        return {"epochs": self.epochs, "mean": dict(self._mean), "dtypes": dict(self._dtypes)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the mean from a checkpoint."""
        self.epochs = int(state["epochs"])
        self._mean = {name: np.array(values) for name, values in state["mean"].items()}
        self._dtypes = dict(state["dtypes"])
