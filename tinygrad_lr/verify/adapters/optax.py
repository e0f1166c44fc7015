"""Adapter of optax's optimizers: a transformation is initialised once, and its updates are applied to JAX arrays."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from ..protocol import Array, Gradients, NotApplicable
from .translation import (
    Names,
    PeerMaker,
    Theirs,
    arguments_of,
    checked_prepare,
    checked_without,
    imported,
    said,
    speaks_of,
    target_of,
    title_of,
)

NAMES: dict[str, Theirs] = {
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
    "ns_coefficients": "ns_coeffs",
    "ns_steps": "ns_steps",
    "initial_distance": "estim_lr0",
}


class OptaxSubject:
    """A transformation with its parameters and its state."""

    def __init__(
        self,
        factory: Any,
        params: list[Array],
        settings: dict[str, Any],
        jit: bool,
        prepare: Callable[[Any], Any] | None = None,
    ) -> None:
        self._jax, self._optax = imported("jax", "jax"), imported("optax", "optax")
        self._wide = any(np.asarray(p).dtype == np.float64 for p in params)
        with self._precision():
            self._params = [self._jax.numpy.asarray(np.asarray(p)) for p in params]
            initialise, self._update = _transformation(factory, settings, jit, prepare)
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

    def get_state(self) -> Any:
        """The transformation's state, its arrays copied to NumPy."""
        return self._jax.tree.map(np.array, self._state)

    def set_state(self, state: Any) -> None:
        """Continue from a state, in the form of `get_state`."""
        with self._precision():
            self._state = self._jax.tree.map(self._jax.numpy.array, state)


def _transformation(factory: Any, settings: dict[str, Any], jit: bool, prepare: Any) -> Any:
    chosen = tuple(settings.items())
    try:
        hash((chosen, prepare))
    except TypeError:  # a mask, say: a tree of lists and dicts
        return _built.__wrapped__(factory, chosen, jit, prepare)
    return _built(factory, chosen, jit, prepare)


@lru_cache(maxsize=1000)
def _built(factory: Any, settings: tuple[tuple[str, Any], ...], jit: bool, prepare: Any) -> Any:
    """A transformation's two pure functions; JAX compiles the branches in them again for every new transformation."""
    transformation = factory(**dict(settings))
    answer = None if prepare is None else prepare(transformation)
    initialise, update = transformation if answer is None else answer
    return initialise, imported("jax", "jax").jit(update) if jit else update


def optax(
    factory: Any,
    jit: bool = False,
    *,
    names: Names | None = None,
    without: Iterable[str] = (),
    state_names: Mapping[str, str | None] | None = None,
    prepare: Callable[[Any], Any] | None = None,
    **fixed: Any,
) -> PeerMaker:
    """A maker of one of optax's optimizers: `optax(optax.adam)`.

    Args:
        factory: a function that returns a GradientTransformation.
        jit: compile an update as a whole, as training does; needed where an update traces loops anew at every step.
        names, without, state_names: as in `verify.adapters.torch`.
        prepare: called with the transformation; one that it returns takes its place.
        fixed: arguments that every one is built with.

    Raises:
        ImportError: optax or JAX is missing; the message names the remedy.
        TypeError, ValueError: `factory` is not callable, or has no argument that `names` speaks of.
    """
    imported("optax", "optax")
    if not callable(factory):
        raise TypeError(f"expected a function such as optax.adam, got {factory!r}")
    usual, known, title = dict(NAMES), arguments_of(factory), title_of(factory)
    if "b3" in known:
        usual["betas"] = ("b1", "b2", "b3")
    elif "betas" in known:
        usual["betas"] = "betas"
    elif {"beta1", "beta2"} <= known:
        usual["betas"] = ("beta1", "beta2")
    elif "b1" in known and "b2" not in known:
        usual["beta"] = "b1"
    if "lr" in known and "learning_rate" not in known:
        usual["lr"] = "lr"
    if "alpha" in known:
        usual |= {"alpha": "alpha", "beta": "beta"}
    elif "beta" in known:
        usual["momentum"] = "beta"
    if "weight_decay_rate" in known:
        usual["weight_decay"] = "weight_decay_rate"
    without, prepare = checked_without(without), checked_prepare(prepare)
    renamed, taken = said(factory, usual, names, without, title)
    return PeerMaker(
        lambda params, settings: OptaxSubject(factory, params, settings, jit, prepare),
        title,
        renamed,
        taken,
        fixed,
        missing_gradients=False,
        mixes_dtypes=False,
        without=without,
        spoken_of=names or (),
        state_names=state_names,
        language="optax",
        prepare=prepare,
        target=target_of(factory),
    )


def returns_transformation(function: Any) -> bool:
    """Whether a function returns a transformation of optax. It is called only where its code speaks of optax.

    Example:
        >>> returns_transformation(lambda learning_rate=0.1: None)
        False
    """
    library = sys.modules.get("optax")
    if library is None or not inspect.isfunction(function) or not speaks_of(function, "optax"):
        return False
    needed = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    if not {"learning_rate", "lr"} >= set(needed):
        return False
    try:
        made = function(**dict.fromkeys(needed, 1e-3))
    except Exception:  # it is no such function, and what it is shows when it is examined
        return False
    return isinstance(made, library.GradientTransformation)
