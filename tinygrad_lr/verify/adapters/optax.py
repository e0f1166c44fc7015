"""optax's optimizers as subjects: a transformation is initialised once and its updates are applied to JAX arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..check import Array, Gradients, NotApplicable
from .translation import PeerMaker, arguments_of, imported, takes

NAMES: dict[str, str | tuple[str, ...]] = {
    "lr": "learning_rate", "betas": ("b1", "b2"), "eps": "eps", "eps_root": "eps_root", "weight_decay": "weight_decay",
    "momentum": "momentum", "nesterov": "nesterov", "centered": "centered", "alpha": "decay", "rho": "rho",
    "initial_accumulator_value": "initial_accumulator_value", "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("min_step_size", "max_step_size"), "trust_coefficient": "trust_coefficient",
}  # fmt: skip


class OptaxSubject:
    """A transformation with its parameters and its state."""

    def __init__(self, factory: Any, params: list[Array], settings: dict[str, Any]) -> None:
        self._jax, self._optax = imported("jax", "jax"), imported("optax", "optax")
        self._wide = any(np.asarray(p).dtype == np.float64 for p in params)
        with self._precision():
            self._params = [self._jax.numpy.asarray(np.asarray(p)) for p in params]
            self._transformation = factory(**settings)
            self._state = self._transformation.init(self._params)

    def _precision(self) -> Any:
        return self._jax.enable_x64(self._wide)

    @property
    def params(self) -> list[Array]:
        """The parameters, copied to NumPy."""
        return [np.array(p) for p in self._params]

    def step(self, grads: Gradients) -> None:
        """Compute the updates and apply them."""
        if any(g is None for g in grads):
            raise NotApplicable("optax knows no missing gradients")
        with self._precision():
            arrays = [self._jax.numpy.asarray(np.asarray(g)) for g in grads]
            updates, self._state = self._transformation.update(arrays, self._state, self._params)
            self._params = self._optax.apply_updates(self._params, updates)


def optax(factory: Any, **fixed: Any) -> PeerMaker:
    """A maker of one of optax's optimizers: `optax(optax.adam)`.

    Args:
        factory: a function that returns a GradientTransformation.
        fixed: arguments that every one is built with.

    Raises:
        ImportError: optax or JAX is missing; the message names the remedy.
        TypeError: `factory` is not callable.
    """
    imported("optax", "optax")
    if not callable(factory):
        raise TypeError(f"expected a function such as optax.adam, got {factory!r}")
    names = dict(NAMES)
    if "b3" in arguments_of(factory):
        names["betas"] = ("b1", "b2", "b3")
    if "beta" in arguments_of(factory):
        names["momentum"] = "beta"
    title = f"optax.{getattr(factory, '__name__', 'transformation')}"
    return PeerMaker(lambda params, settings: OptaxSubject(factory, params, settings), title, names,
                     takes(factory, names), fixed, missing_gradients=False)  # fmt: skip
