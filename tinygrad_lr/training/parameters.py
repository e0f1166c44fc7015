"""`Parameters`: copies of all values that a training changes: the model's, and those of the optimizer besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.engine.tensor import Tensor

from .callbacks import Training

__all__ = ["Parameters", "others"]


def others(model: Any, optimizer: Any) -> list[Tensor]:
    """The optimizer's parameters that are not among those of the model, in the optimizer's order."""
    named = {id(each) for each in model.parameters()} if hasattr(model, "state_dict") else set()
    every = [each for group in optimizer.param_groups for each in group.get("params", ())]
    return [each for each in every if isinstance(each, Tensor) and id(each) not in named]


class Parameters:
    """Copies of the parameters and buffers of a training, on the CPU.

    Attributes:
        state: as `model.state_dict()` gave them; empty where the model is a plain function.
        others: the optimizer's parameters besides, in its order.
    """

    def __init__(self, state: Mapping[str, np.ndarray], others: list[np.ndarray]) -> None:
        self.state, self.others = dict(state), others

    @classmethod
    def of(cls, training: Training) -> Parameters:
        """Those of a training as it is now."""
        model = training.model
        state = model.state_dict() if hasattr(model, "state_dict") else {}
        return cls(state, [to_host(each._data).copy() for each in others(model, training.optimizer)])

    def put_into(self, training: Training) -> None:
        """Give a training these values.

        Raises:
            ValueError: the model, or the optimizer, has other parameters.
        """
        if self.state or hasattr(training.model, "load_state_dict"):
            training.model.load_state_dict(self.state)
        for each, values in zip(others(training.model, training.optimizer), self.others, strict=True):
            each.data = values

    def is_in(self, training: Training) -> bool:
        """Whether a training has exactly these values."""
        now = Parameters.of(training)
        if list(now.state) != list(self.state) or len(now.others) != len(self.others):
            return False
        pairs = [*zip(now.state.values(), self.state.values(), strict=True), *zip(now.others, self.others, strict=True)]
        return all(a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values and arrays, for a checkpoint."""
        return {"state": self.state, "others": self.others}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Parameters:
        """What `as_dict` described."""
        return cls(found["state"], list(found["others"]))
