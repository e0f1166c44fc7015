"""Adapter of optax's optimizers: a transformation is initialised once, and its updates are applied to JAX arrays."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..protocol import Array, Gradients, NotApplicable
from .translation import PeerMaker, arguments_of, imported, takes

NAMES: dict[str, str | tuple[str, ...]] = {
    "lr": "learning_rate",
    "betas": ("b1", "b2"),
    "eps": "eps",
    "eps_root": "eps_root",
    "weight_decay": "weight_decay",
    "momentum": "momentum",
    "nesterov": "nesterov",
    "centered": "centered",
    "alpha": "decay",
    "rho": "rho",
    "initial_accumulator_value": "initial_accumulator_value",
    "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("min_step_size", "max_step_size"),
    "trust_coefficient": "trust_coefficient",
    "min_norm": "min_norm",
    "clip_threshold": "clipping_threshold",
    "coefficients": "ns_coeffs",
    "iterations": "ns_steps",
    "initial_distance": "estim_lr0",
}


class OptaxSubject:
    """A transformation with its parameters and its state."""

    def __init__(self, factory: Any, params: list[Array], settings: dict[str, Any], jit: bool) -> None:
        self._jax, self._optax = imported("jax", "jax"), imported("optax", "optax")
        self._wide = any(np.asarray(p).dtype == np.float64 for p in params)
        with self._precision():
            self._params = [self._jax.numpy.asarray(np.asarray(p)) for p in params]
            initialise, self._update = _transformation(factory, settings, jit)
            self._state = initialise(self._params)

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
            updates, self._state = self._update(arrays, self._state, self._params)
            self._params = self._optax.apply_updates(self._params, updates)


def _transformation(factory: Any, settings: dict[str, Any], jit: bool) -> Any:
    chosen = tuple(settings.items())
    try:
        hash(chosen)
    except TypeError:  # a mask, say: a tree of lists and dicts
        return _built.__wrapped__(factory, chosen, jit)
    return _built(factory, chosen, jit)


@lru_cache(maxsize=1000)
def _built(factory: Any, settings: tuple[tuple[str, Any], ...], jit: bool) -> Any:
    """A transformation's two pure functions; JAX compiles the branches in them again for every new transformation."""
    initialise, update = factory(**dict(settings))
    return initialise, imported("jax", "jax").jit(update) if jit else update


def optax(factory: Any, jit: bool = False, **fixed: Any) -> PeerMaker:
    """A maker of one of optax's optimizers: `optax(optax.adam)`.

    Args:
        factory: a function that returns a GradientTransformation.
        jit: compile an update as a whole, as training does; needed where an update traces loops anew at every step.
        fixed: arguments that every one is built with.

    Raises:
        ImportError: optax or JAX is missing; the message names the remedy.
        TypeError: `factory` is not callable.
    """
    imported("optax", "optax")
    if not callable(factory):
        raise TypeError(f"expected a function such as optax.adam, got {factory!r}")
    names, known = dict(NAMES), arguments_of(factory)
    if "b3" in known:
        names["betas"] = ("b1", "b2", "b3")
    elif "betas" in known:
        names["betas"] = "betas"
    elif "b1" in known and "b2" not in known:
        names["beta"] = "b1"
    if "alpha" in known:
        names |= {"alpha": "alpha", "beta": "beta"}
    elif "beta" in known:
        names["momentum"] = "beta"
    if "weight_decay_rate" in known:
        names["weight_decay"] = "weight_decay_rate"
    title = f"optax.{getattr(factory, '__name__', 'transformation')}"
    return PeerMaker(
        lambda params, settings: OptaxSubject(factory, params, settings, jit),
        title,
        names,
        takes(factory, names),
        fixed,
        missing_gradients=False,
        mixes_dtypes=False,
    )
