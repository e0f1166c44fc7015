"""Records what a check asks of the optimizers that it builds, so that a program can ask the same.

Next: states_shown.py, readings.py.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..execution import copied_alike
from ..guard import ADVERTISED
from ..protocol import Array, Maker, copy_arrays

RECORDED = ("get_state", "set_state", "add_group", "set_hyperparameters", "accumulate_every")


@dataclass
class Event:
    """A call of one of the optimizers: "make", "step", "get_state", ..., with plain copies of what was passed."""

    kind: str
    subject: int
    params: list[Array] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    grads: list[Array | None] = field(default_factory=list)
    handed: list[Any] = field(default_factory=list)
    """The gradient arrays themselves."""
    state: Any = None
    """What get_state() gave, or set_state() got: the object itself."""
    then: Any = None
    """A copy of it, as it was then."""
    after: list[Array] = field(default_factory=list)
    """The parameters after the call."""
    raised: str = ""


class Recorder:
    """A maker whose optimizers tell what is asked of them.

    Attributes:
        events: all calls in order.
        subjects: the optimizers that were built.
    """

    def __init__(self, make: Maker) -> None:
        self.make = make
        self.events: list[Event] = []
        self.subjects: list[Any] = []
        self.found: dict[Any, list[Any]] = {}  # where numbers stand in the run (readings.py)
        for name in ("takes", *ADVERTISED):
            setattr(self, name, getattr(make, name, ADVERTISED.get(name)))

    def __call__(self, params: list[Array], **hyperparameters: Any) -> Any:
        event = Event("make", len(self.subjects), [copied_alike(p) for p in params], dict(hyperparameters))
        self.events.append(event)
        try:
            inner = self.make(params, **hyperparameters)
        except Exception as error:
            event.raised = type(error).__name__
            self.subjects.append(None)
            raise
        self.subjects.append(inner)
        event.after = copy_arrays(inner.params)
        return Recorded(self, event.subject, inner)

    def of(self, subject: int) -> list[Event]:
        """The events of one optimizer."""
        return [event for event in self.events if event.subject == subject]


class Recorded:
    """An optimizer whose calls are recorded; all else is its own."""

    def __init__(self, recorder: Recorder, number: int, inner: Any) -> None:
        self._recorder, self._number, self._inner = recorder, number, inner

    def step(self, grads: Any) -> None:
        copied = [None if g is None else np.array(g) for g in grads]
        self._call(Event("step", self._number, grads=copied, handed=list(grads)), "step", grads)

    def _call(self, event: Event, method: str, *args: Any, **settings: Any) -> Any:
        self._recorder.events.append(event)
        try:
            found = getattr(self._inner, method)(*args, **settings)
        except Exception as error:
            event.raised = type(error).__name__
            raise
        event.after = copy_arrays(self._inner.params)
        return found

    def _get_state(self) -> Any:
        event = Event("get_state", self._number)
        event.state = self._call(event, "get_state")
        event.then = copy.deepcopy(event.state)
        return event.state

    def _set_state(self, state: Any) -> None:
        self._call(Event("set_state", self._number, state=state, then=copy.deepcopy(state)), "set_state", state)

    def _add_group(self, params: list[Array], **settings: Any) -> None:
        event = Event("add_group", self._number, [copied_alike(p) for p in params], dict(settings))
        self._call(event, "add_group", params, **settings)

    def _set_hyperparameters(self, **changes: Any) -> None:
        self._call(Event("change", self._number, settings=dict(changes)), "set_hyperparameters", **changes)

    def _accumulate_every(self, micro_steps: int) -> None:
        event = Event("accumulate_every", self._number, settings={"micro_steps": micro_steps})
        self._call(event, "accumulate_every", micro_steps)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return getattr(self, f"_{name}") if name in RECORDED and callable(found) else found


def entries_of(state: Any) -> list[tuple[Any, str, Array]]:
    """(parameter, name, values) of every array and count in a state in torch's layout; none of another layout.

    Example:
        >>> entries_of({"state": {0: {"step": 2, "exp_avg": np.ones(1)}}})
        [(0, 'step', array([2])), (0, 'exp_avg', array([1.]))]
    """
    inner = state.get("state") if isinstance(state, Mapping) else None
    if not isinstance(inner, Mapping):
        return []
    found = []
    for index, entry in inner.items():
        for name, value in entry.items() if isinstance(entry, Mapping) else ():
            if isinstance(value, (int, float, np.number, np.ndarray)) and not isinstance(value, bool):
                found.append((index, str(name), np.atleast_1d(np.asarray(value))))
    return found
