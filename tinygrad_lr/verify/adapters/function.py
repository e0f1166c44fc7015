"""A plain function of (params, grads, state) as an optimizer."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..protocol import Array, Gradients, Maker
from .described import described
from .translation import Names


class Functional:
    """An optimizer whose step calls a function; parameters and state are what it returned last."""

    def __init__(self, step: Callable[..., Any], params: list[Array], state: Any, settings: dict[str, Any]) -> None:
        self._step, self._params, self._state, self._settings = step, list(params), state, settings

    @property
    def params(self) -> list[Array]:
        """The parameters; a step replaces them."""
        return self._params

    def step(self, grads: Gradients) -> None:
        """Call the function."""
        answer = self._step(self._params, list(grads), self._state, **self._settings)
        if not (isinstance(answer, tuple) and len(answer) == 2):
            raise TypeError(f"step must return (params, state), got {type(answer).__name__}")
        params, self._state = answer
        self._params = [np.asarray(p) for p in params]

    def get_state(self) -> Any:
        """A copy of what the function returned as its state."""
        return copy.deepcopy(self._state)

    def set_state(self, state: Any) -> None:
        """Continue from a state."""
        self._state = copy.deepcopy(state)


def function(
    step: Callable[..., Any],
    init: Callable[[list[Array]], Any] | None = None,
    *,
    names: Names | None = None,
    without: Iterable[str] = (),
    state_names: Mapping[str, str | None] | None = None,
    prepare: Callable[[Any], Any] | None = None,
) -> Maker:
    """A maker of `step(params, grads, state, **hyperparameters) -> (params, state)`, on lists of arrays.

    Args:
        step: a gradient may be None; the arrays may be returned new or updated in place.
        init: `init(params)` gives the first state; None: the first state is None.
        names, without, state_names: as in `verify.adapters.torch`.
        prepare: called with the subject after it is built.

    Raises:
        TypeError, ValueError: `step` or `init` is not callable, or has no argument that `names` speaks of.

    Example:
        >>> def descend(params, grads, state, lr=0.1):
        ...     return [p if g is None else p - p.dtype.type(lr) * g for p, g in zip(params, grads)], state
        >>> subject = function(descend)([np.array([1.0])], lr=0.5)
        >>> subject.step([np.array([2.0])]); subject.params
        [array([0.])]
    """
    if not callable(step) or not (init is None or callable(init)):
        raise TypeError(f"expected step(params, grads, state) and init(params), got {step!r} and {init!r}")

    def make(params: list[Array], **hyperparameters: Any) -> Functional:
        return Functional(step, params, None if init is None else init(params), hyperparameters)

    parameters = list(inspect.signature(step).parameters.values())[3:]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        make.takes = frozenset(p.name for p in parameters)  # type: ignore[attr-defined]
    make.title = getattr(step, "__name__", "a function")  # type: ignore[attr-defined]
    return described(make, names=names, without=without, state_names=state_names, prepare=prepare)
