"""A specification evaluated on enclosures: what a step, or a whole run, can give in a dtype. Next: protocol.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..formulas import State, hyperparameter_names
from ..specification import Specification
from .enclosure import Enclosure


def enclosed(spec: Specification, dtype: Any, roundings: float = 1.0) -> EnclosedSpecification:
    """The specification evaluated on enclosures: `enclosed(spec, np.float32).step(theta, g, state, t)`.

    Example:
        >>> spec = enclosed(Specification("sgd", {"lr": 0.1}), np.float32)
        >>> theta, state = spec.step(np.float32(1), np.float32(2), {}, 1)
        >>> bool(theta.contains(np.float32(1) - np.float32(0.1) * np.float32(2)))
        True
    """
    return EnclosedSpecification(spec, np.dtype(dtype), roundings)


class EnclosedSpecification:
    """A specification whose hyperparameters are host enclosures and whose arrays are enclosures in `dtype`."""

    def __init__(self, spec: Specification, dtype: np.dtype, roundings: float = 1.0) -> None:
        self.spec, self.dtype, self.roundings = spec, dtype, roundings
        on_host = {key: _host(spec[key], spec.scalars) for key in hyperparameter_names(spec.name)}
        self._on_host = Specification(spec.name, on_host)

    def lift(self, value: Any) -> Enclosure:
        """An array of the dtype as an enclosure (an enclosure passes through)."""
        if isinstance(value, Enclosure):
            return value
        value = np.asarray(value)
        if value.dtype != self.dtype:
            raise TypeError(f"expected an array of {self.dtype}, got {value.dtype}")
        return Enclosure.exact(value, self.dtype, self.roundings)

    def initial_state(self, theta: Any) -> State:
        """The state before the first step, as enclosures."""
        if self.spec.family.initial:
            return self._on_host.initial_state(self.lift(theta))
        zero = np.zeros(np.shape(theta if not isinstance(theta, Enclosure) else theta.low), self.dtype)
        return {key: self.lift(np.asarray(value, self.dtype)) for key, value in self.spec.initial_state(zero).items()}

    def step(self, theta: Any, g: Any, state: State, t: int) -> tuple[Enclosure, State]:
        """Enclosures of the parameter and the state after one step, from given arrays or from enclosures."""
        lifted = {key: self.lift(value) for key, value in state.items()}
        return self._on_host.step(self.lift(theta), self.lift(g), lifted, t)

    def free_run(self, theta: Any, gradients: Sequence[Any]) -> tuple[Enclosure, State]:
        """Enclosures after following all of the given gradients from a fresh state: rounding errors accumulate."""
        state = self.initial_state(theta)
        theta = self.lift(theta)
        for t, g in enumerate(gradients, start=1):
            theta, state = self.step(theta, g, state, t)
        return theta, state


def _host(value: Any, dtype: str) -> Any:
    """A hyperparameter as an enclosure without a shape; names and switches stay as they are."""
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, (tuple, list)):
        return tuple(_host(v, dtype) for v in value)
    return Enclosure.of_host(float(value), dtype)
