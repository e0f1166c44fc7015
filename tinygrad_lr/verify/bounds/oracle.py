"""Evaluates a specification in fifty digits: the oracle of float64. Needs mpmath (extra `verify`).

Hyperparameters, states and gradients are exactly the float64 numbers that they are. enclosure.py gives how far correct
arithmetic in a dtype may be from this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..formulas import State
from ..specification import Specification


class Oracle:
    """A specification evaluated with mpmath numbers, elementwise in object arrays.

    Example:
        >>> from tinygrad_lr.verify.specification import spec
        >>> oracle = Oracle(spec("adam", lr=0.1))
        >>> theta, state = oracle.free_run(np.array([1.0]), [np.array([0.5]), np.array([0.25])])
        >>> oracle.nearest(theta)
        array([0.80678204])
    """

    def __init__(self, spec: Specification, digits: int = 50) -> None:
        try:
            import mpmath
        except ImportError as error:
            raise ImportError("the oracle of float64 needs mpmath: pip install 'tinygrad_lr[verify]'") from error
        self.context = mpmath.mp.clone()
        self.context.dps = digits
        self.spec = spec
        self._precise = spec.having(**{key: self._constant(spec[key]) for key in spec.all_names})

    def _constant(self, value: Any) -> Any:
        whole = self.spec.family.own and isinstance(value, int)  # `t % k` and `range(k)` in a rule of one's own
        if value is None or whole or isinstance(value, (bool, str)):
            return value
        return tuple(map(self.context.mpf, value)) if isinstance(value, (tuple, list)) else self.context.mpf(value)

    def lift(self, values: Any) -> np.ndarray:
        """An array of exact numbers (one that holds them already passes through)."""
        values = np.asarray(values)
        if values.dtype == object:
            return values
        return np.array([self.context.mpf(float(x)) for x in values.ravel()], object).reshape(values.shape)

    def step(self, theta: Any, g: Any, state: State, t: int) -> tuple[np.ndarray, State]:
        """One step from a given parameter, gradient and state."""
        lifted = {key: self.lift(value) for key, value in state.items()}
        theta, state = self._precise.step(self.lift(theta), self.lift(g), lifted, t)
        return np.asarray(theta), {key: np.asarray(value) for key, value in state.items()}

    def free_run(self, theta: Any, gradients: Sequence[Any]) -> tuple[np.ndarray, State]:
        """The parameter and the state after all of the gradients from a fresh state."""
        state = (
            self._precise.initial_state(self.lift(theta))
            if self.spec.family.initial
            else (self.spec.initial_state(np.zeros(np.shape(theta))))
        )
        for t, g in enumerate(gradients, start=1):
            theta, state = self.step(theta, g, state, t)
        return theta, state

    def nearest(self, values: Any) -> np.ndarray:
        """The float64 numbers nearest to exact ones."""
        return np.asarray(values).astype(np.float64)
