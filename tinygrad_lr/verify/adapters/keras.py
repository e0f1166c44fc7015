"""Adapter of keras's optimizers, on the backend that keras runs on.

If no backend was chosen (KERAS_BACKEND) and TensorFlow is not installed, NumPy is chosen before keras is imported.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..protocol import Array, Gradients, NotApplicable
from .translation import Names, PeerMaker, Theirs, checked_prepare, checked_without, imported, said, target_of, title_of

NAMES: dict[str, Theirs] = {
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
    "ns_steps": "ns_steps",
    "ns_coefficients": ("muon_a", "muon_b", "muon_c"),
}

NAMELESS = re.compile(r"variable(_\d+)?")


class KerasSubject:
    """One of keras's optimizers with its variables."""

    def __init__(
        self, cls: Any, params: list[Array], settings: dict[str, Any], prepare: Callable[[Any], Any] | None = None
    ) -> None:
        self._keras, self._prepare = keras_library(), prepare
        self._floatx = "float64" if any(np.asarray(p).dtype == np.float64 for p in params) else "float32"
        with self._precision():
            self._variables = [self._variable(i, np.asarray(p)) for i, p in enumerate(params)]
            self._new = lambda **more: cls(**settings, **more)
            self._built()

    def _variable(self, i: int, array: Array) -> Any:
        return self._keras.Variable(np.array(array), dtype=str(array.dtype), name=f"p{i}")

    def _built(self, **more: Any) -> None:
        self.optimizer = self._new(**more)
        self.optimizer.build(self._variables)
        if self._prepare is not None:
            self._prepare(self.optimizer)

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
        return [np.array(self._value(variable)) for variable in self._variables]

    def accumulate_every(self, micro_steps: int) -> None:
        """Update at every `micro_steps`-th step only, with the mean of the gradients since the last update."""
        with self._precision():
            self._built(gradient_accumulation_steps=micro_steps)

    def step(self, grads: Gradients) -> None:
        """Apply the gradients."""
        if any(g is None for g in grads):
            raise NotApplicable("keras's apply() knows no missing gradients")
        arrays = [np.array(g) for g in grads]
        with self._precision():
            tensors = [self._keras.ops.convert_to_tensor(g, dtype=str(g.dtype)) for g in arrays]
            self.optimizer.apply(tensors, self._variables)

    def get_state(self) -> dict[str, Any]:
        """The values of the optimizer's own variables, copied, by their names; the rate is none of them."""
        return {"variables": {name: np.array(self._value(variable)) for name, variable in self._own().items()}}

    def _value(self, variable: Any) -> Any:
        return self._keras.ops.convert_to_numpy(variable.value)

    def _own(self) -> dict[str, Any]:
        """The variables by their names, without that of the optimizer, which is another for each that is built.

        keras gives a nameless one a number, which grows from optimizer to optimizer: its place stands for it.
        """
        rate, found = getattr(self.optimizer, "_learning_rate", None), {}
        for number, variable in enumerate(self.optimizer.variables):
            name = variable.path.rpartition("/")[2]
            if NAMELESS.fullmatch(name):
                name = f"variable {number}"
            found[name if name not in found else f"{name} ({number})"] = variable
        return {name: variable for name, variable in found.items() if variable is not rate}

    def set_state(self, state: dict[str, Any]) -> None:
        """Assign the values of `get_state`."""
        with self._precision():
            for name, variable in self._own().items():
                variable.assign(np.array(state["variables"][name]))


def keras_library() -> Any:
    """Import keras, after a backend is chosen."""
    if "keras" not in sys.modules and importlib.util.find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "numpy")
    return imported("keras", "keras")


def keras(
    cls: Any,
    *,
    names: Names | None = None,
    without: Iterable[str] = (),
    state_names: Mapping[str, str | None] | None = None,
    prepare: Callable[[Any], Any] | None = None,
    **fixed: Any,
) -> PeerMaker:
    """A maker of one of keras's optimizers: `keras(keras.optimizers.Adam)`.

    Args:
        cls: a subclass of keras.optimizers.Optimizer.
        names, without, state_names: as in `verify.adapters.torch`.
        prepare: called with the optimizer after it is built.
        fixed: arguments that every one is built with.

    Raises:
        ImportError: keras is missing; the message names the remedy.
        TypeError, ValueError: not an optimizer class of keras, or a name that the class does not have.
    """
    library = keras_library()
    if not (isinstance(cls, type) and issubclass(cls, library.optimizers.Optimizer)):
        raise TypeError(f"expected a class such as keras.optimizers.Adam, got {cls!r}")
    title = title_of(cls)
    without, prepare = checked_without(without), checked_prepare(prepare)
    renamed, taken = said(cls, NAMES, names, without, title)
    return PeerMaker(
        lambda params, settings: KerasSubject(cls, params, settings, prepare),
        title,
        renamed,
        taken,
        fixed,
        missing_gradients=False,
        without=without,
        spoken_of=names or (),
        state_names=state_names,
        language="keras",
        prepare=prepare,
        target=target_of(cls),
    )
