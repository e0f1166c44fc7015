"""Where in a recorded run the two numbers of a comparison stand. Next: programs.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..report import plain
from .recording import Recorder, entries_of


class Reading(NamedTuple):
    """A number in a run: an element of a parameter, of a state, of a saved state or of a gradient.

    `event` is the call after which it is read. `since` is an earlier one, where the number is what was moved between.
    """

    kind: str
    subject: int
    place: int
    element: int
    event: int
    name: str = ""
    since: int | None = None


def same(value: Any, text: str) -> bool:
    """Whether a text is this number."""
    return text in (plain(repr(value)), plain(repr(float(value))), str(value))


def _hint(where: str) -> tuple[int, int]:
    index, element = re.search(r"parameter (\d+)|state (\d+)", where), re.search(r"element (\d+)", where)
    return int(next(filter(None, index.groups()))) if index else 0, int(element.group(1)) if element else 0


def _elements(arrays: list[Any], where: str) -> Iterator[tuple[int, int, Any]]:
    """(parameter, element, value), first those that the comparison speaks of."""
    index, element = _hint(where)
    rows = [(i, k, x) for i, array in enumerate(arrays) if array is not None for k, x in enumerate(np.ravel(array))]
    yield from sorted(rows, key=lambda row: ((row[0], row[1]) != (index, element), row[1] != element))


def readings(recorder: Recorder, where: str, text: str) -> Iterator[Reading]:
    """All places where a number stands, the latest first."""
    events = recorder.events
    for number in reversed(range(len(events))):
        event = events[number]
        for i, k, x in _elements(event.after, where):
            if same(x, text):
                yield Reading("param", event.subject, i, k, number)
        yield from _in_states(recorder, number, text)
        for i, k, x in _elements(event.handed, where) if event.kind == "step" else ():
            if same(x, text) and not same(np.ravel(np.asarray(event.grads[i]))[k], text):
                yield Reading("gradient", event.subject, i, k, number)
    for number in reversed(range(len(events))):
        yield from _moved(recorder, number, where, text)


def _in_states(recorder: Recorder, number: int, text: str) -> Iterator[Reading]:
    """In a saved state, as it was or as it is now; and in the present state of an optimizer, at its last call."""
    event, events = recorder.events[number], recorder.events
    if event.kind == "get_state":
        for state, at in ((event.state, len(events) - 1), (event.then, number)):
            for index, name, values in entries_of(state):
                for k, x in enumerate(values.ravel()):
                    if same(x, text):
                        yield Reading("saved", event.subject, index, k, at, f"{number}:{name}")
    if number == max(i for i, each in enumerate(events) if each.subject == event.subject):
        optimizer = getattr(recorder.subjects[event.subject], "optimizer", None)
        tensors, states = getattr(recorder.subjects[event.subject], "_subject", None), getattr(optimizer, "state", None)
        of = getattr(tensors, "_tensors", None)
        for i, tensor in enumerate(of or ()):
            entry = states.get(tensor, {}) if isinstance(states, Mapping) else {}
            for name, value in entry.items() if hasattr(entry, "items") else ():
                try:
                    values = np.ravel(np.asarray(value.detach() if hasattr(value, "detach") else value))
                except Exception:  # a state may hold anything
                    continue
                for k, x in enumerate(values if values.dtype.kind in "fiu" else ()):
                    if same(x, text):
                        yield Reading("state", event.subject, i, k, number, str(name))


def _moved(recorder: Recorder, number: int, where: str, text: str) -> Iterator[Reading]:
    """A difference of one parameter at two calls: since the last, or since the first."""
    event = recorder.events[number]
    before = [i for i in range(number) if recorder.events[i].subject == event.subject and recorder.events[i].after]
    for since in dict.fromkeys([*before[-1:], *before[:1]]):
        then = recorder.events[since].after
        for i, k, x in _elements(event.after[: len(then)], where):
            if then[i].shape == event.after[i].shape:
                moved = float(x) - float(np.ravel(then[i])[k])
                if same(moved, text) or same(abs(moved), text):
                    yield Reading("moved", event.subject, i, k, number, "abs" if not same(moved, text) else "", since)
