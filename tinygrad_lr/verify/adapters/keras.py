"""Adapter of keras's optimizers, on the backend that keras runs on.

If no backend was chosen (KERAS_BACKEND) and TensorFlow is not installed, NumPy is chosen before keras is imported.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..protocol import Array, Gradients, NotApplicable
from .translation import PeerMaker, imported, takes

NAMES: dict[str, str | tuple[str, ...]] = {
    "lr": "learning_rate",
    "betas": ("beta_1", "beta_2"),
    "eps": "epsilon",
    "weight_decay": "weight_decay",
    "amsgrad": "amsgrad",
    "momentum": "momentum",
    "nesterov": "nesterov",
    "centered": "centered",
    "alpha": "rho",
    "rho": "rho",
    "initial_accumulator_value": "initial_accumulator_value",
    "beta2_decay": "beta_2_decay",
    "epsilons": ("epsilon_1", "epsilon_2"),
    "clip_threshold": "clip_threshold",
    "beta": "beta",
    "l1": "l1_regularization_strength",
    "l2": "l2_regularization_strength",
    "iterations": "ns_steps",
    "coefficients": ("muon_a", "muon_b", "muon_c"),
}


class KerasSubject:
    """One of keras's optimizers with its variables."""

    def __init__(self, cls: Any, params: list[Array], settings: dict[str, Any]) -> None:
        self._keras = keras_library()
        self._floatx = "float64" if any(np.asarray(p).dtype == np.float64 for p in params) else "float32"
        with self._precision():
            self._variables = [self._keras.Variable(np.array(p), dtype=str(np.asarray(p).dtype)) for p in params]
            self._new = lambda **more: cls(**settings, **more)
            self.optimizer = self._new()
            self.optimizer.build(self._variables)

    @contextmanager
    def _precision(self) -> Iterator[None]:
        """keras computes in its global floatx, whatever the variables' dtype."""
        before = self._keras.config.floatx()
        self._keras.config.set_floatx(self._floatx)
        try:
            yield
        finally:
            self._keras.config.set_floatx(before)

    @property
    def params(self) -> list[Array]:
        """The variables' values, copied."""
        return [np.array(self._keras.ops.convert_to_numpy(variable.value)) for variable in self._variables]

    def accumulate_every(self, micro_steps: int) -> None:
        """Update at every `micro_steps`-th step only, with the mean of the gradients since the last update."""
        with self._precision():
            self.optimizer = self._new(gradient_accumulation_steps=micro_steps)
            self.optimizer.build(self._variables)

    def step(self, grads: Gradients) -> None:
        """Apply the gradients."""
        if any(g is None for g in grads):
            raise NotApplicable("keras's apply() knows no missing gradients")
        arrays = [np.array(g) for g in grads]
        with self._precision():
            tensors = [self._keras.ops.convert_to_tensor(g, dtype=str(g.dtype)) for g in arrays]
            self.optimizer.apply(tensors, self._variables)


def keras_library() -> Any:
    """Import keras, after a backend is chosen."""
    if "keras" not in sys.modules and importlib.util.find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "numpy")
    return imported("keras", "keras")


def keras(cls: Any, **fixed: Any) -> PeerMaker:
    """A maker of one of keras's optimizers: `keras(keras.optimizers.Adam)`.

    Args:
        cls: a subclass of keras.optimizers.Optimizer.
        fixed: arguments that every one is built with.

    Raises:
        ImportError: keras is missing; the message names the remedy.
        TypeError: not an optimizer class of keras.
    """
    library = keras_library()
    if not (isinstance(cls, type) and issubclass(cls, library.optimizers.Optimizer)):
        raise TypeError(f"expected a class such as keras.optimizers.Adam, got {cls!r}")
    return PeerMaker(
        lambda params, settings: KerasSubject(cls, params, settings),
        f"keras.optimizers.{cls.__name__}",
        NAMES,
        takes(cls, NAMES),
        fixed,
        missing_gradients=False,
    )
