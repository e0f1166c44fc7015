"""Where in a recorded run the two numbers of a comparison stand. Next: programs.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..report import plain
from ..report.differences import number as number_of
from .recording import Recorder
from .states_shown import present, saved


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
    shape: tuple[int, ...] | None = None
    """Of an array of a state; None: it is a number."""


def same(value: Any, text: str) -> bool:
    """Whether a text is this number."""
    if text.lstrip("-").isdigit() and np.isfinite(value):
        return float(value) == int(text)
    return text in (plain(repr(value)), plain(repr(float(value))), str(value))


def _hint(where: str) -> tuple[int, int]:
    index, element = re.search(r"parameter (\d+)|state (\d+)", where), re.search(r"element (\d+)", where)
    return int(next(filter(None, index.groups()))) if index else 0, int(element.group(1)) if element else 0


def place_told(where: str) -> tuple[int, int] | None:
    """The parameter and the element that a comparison speaks of; None: it does not say both."""
    return _hint(where) if re.search(r"parameter \d+.*element \d+", where) else None


def kinds_told(where: str, states: Sequence[str] = ()) -> tuple[str, ...]:
    """The kinds of readings that a comparison can speak of, the likeliest first.

    Args:
        where: what was compared, in words.
        states: the formula's names of its states.

    Example:
        >>> kinds_told("exp_avg after step 1 of parameter 0", ["exp_avg"]), kinds_told("parameter 0, negated")
        (('state', 'saved'), ('param', 'moved'))
    """
    if where.startswith("the caller's gradient"):
        return ("gradient",)
    if where.partition(", element")[0].endswith("in saved"):
        return ("saved",)
    if where.startswith(("state ", "the step after", "the step count")) or where.partition(" ")[0] in states:
        return ("state", "saved")
    return ("param", "moved")


def _elements(arrays: list[Any], where: str, text: str) -> Iterator[tuple[int, int, Any]]:
    """(parameter, element, value) of what may be the number, first those that the comparison speaks of."""
    index, element = _hint(where)
    rows = [
        (i, int(k), np.ravel(array)[k])
        for i, array in enumerate(arrays)
        if array is not None
        for k in _near(np.ravel(array), text)
    ]
    yield from sorted(rows, key=lambda row: ((row[0], row[1]) != (index, element), row[1] != element))


def _near(values: Any, text: str) -> Any:
    """The places of the numbers that may be written so."""
    wanted = number_of(text)
    if wanted is None or np.asarray(values).dtype.kind not in "fiu":
        return range(len(values))
    with np.errstate(all="ignore"):
        return np.flatnonzero(np.isclose(values.astype(float), wanted, rtol=1e-5, atol=0.0, equal_nan=True))


def readings(recorder: Recorder, where: str, text: str) -> Iterator[Reading]:
    """All places where a number stands, the latest first."""
    events = recorder.events
    for number in reversed(range(len(events))):
        event = events[number]
        for i, k, x in _elements(event.after, where, text):
            if same(x, text):
                yield Reading("param", event.subject, i, k, number)
        yield from _in_states(recorder, number, text)
        for i, k, x in _elements(event.handed, where, text) if event.kind == "step" else ():
            if same(x, text) and not same(np.ravel(np.asarray(event.grads[i]))[k], text):
                yield Reading("gradient", event.subject, i, k, number)
    for number in reversed(range(len(events))):
        yield from _moved(recorder, number, where, text)


def _in_states(recorder: Recorder, number: int, text: str) -> Iterator[Reading]:
    """In a saved state, as it was or as it is now; and in the present state of an optimizer, at its last call."""
    event, events = recorder.events[number], recorder.events
    if event.kind == "get_state":
        for state, at in ((event.state, len(events) - 1), (event.then, number)):
            for place, way, values, plain_number in saved(recorder, event.subject, state):
                shape = None if plain_number else np.shape(values)
                for k in _near(values.ravel(), text):
                    if same(values.ravel()[k], text):
                        yield Reading("saved", event.subject, place, int(k), at, f"{number}:{way}", shape=shape)
    if number == max(i for i, each in enumerate(events) if each.subject == event.subject):
        for place, way, values, plain_number in present(recorder, event.subject):
            shape = None if plain_number else np.shape(values)
            for k in _near(values.ravel(), text):
                if same(values.ravel()[k], text):
                    yield Reading("state", event.subject, place, int(k), number, way, shape=shape)


def _moved(recorder: Recorder, number: int, where: str, text: str) -> Iterator[Reading]:
    """A difference of one parameter at two calls: since the last, or since the first."""
    event = recorder.events[number]
    before = [i for i in range(number) if recorder.events[i].subject == event.subject and recorder.events[i].after]
    for since in dict.fromkeys([*before[-1:], *before[:1]]):
        then = recorder.events[since].after
        for i, (earlier, after) in enumerate(zip(then, event.after, strict=False)):
            if earlier.shape != after.shape:
                continue
            moved = np.ravel(after).astype(float) - np.ravel(earlier).astype(float)
            for k in dict.fromkeys([*_near(moved, text), *_near(np.abs(moved), text)]):
                value = float(moved[k])
                if same(value, text) or same(abs(value), text):
                    way = "abs" if not same(value, text) else ""
                    yield Reading("moved", event.subject, i, int(k), number, way, since)
