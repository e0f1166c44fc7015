"""Where the numbers of a state stand, as a program in the library's own API reads them. Next: readings.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..protocol import Array
from .recording import Recorder, entries_of


class Shown(NamedTuple):
    """An array or a count of a state: of which parameter, the way to it (`["exp_avg"]`, `[0].mu[0]`), its values.

    `place` is 0 where the state does not say whose it is.
    """

    place: Any
    way: str
    values: Array
    plain: bool = False
    """Whether it is no array, but a number."""


def saved(recorder: Recorder, subject: int, state: Any) -> list[Shown]:
    """What stands in a state that was saved."""
    if getattr(recorder.make, "language", "") == "keras":
        return _of_keras(_inner(recorder, subject), state)
    if getattr(recorder.make, "language", "") == "optax":
        return _of_a_tree(state)
    entries = entries_of(state)
    if entries:
        return [
            Shown(i, f'["state"][{i!r}]["{name}"]', values, _is_plain(state["state"][i][name]))
            for i, name, values in entries
        ]
    return [Shown(0, way, values) for way, values in _nested(state)]


def present(recorder: Recorder, subject: int) -> list[Shown]:
    """What stands in the present state of an optimizer."""
    inner, language = _inner(recorder, subject), getattr(recorder.make, "language", "")
    try:
        if language == "optax":
            return _of_a_tree(inner._state)
        if language == "keras":
            return [
                Shown(0, f"[{i}]", np.atleast_1d(np.asarray(inner._value(variable))))
                for i, variable in enumerate(inner.optimizer.variables)
            ]
        if language in ("torch", "tinygrad_lr"):
            return list(_of_tensors(inner))
        return saved(recorder, subject, inner.get_state())
    except Exception:  # a state may hold anything, or there is none
        return []


def _inner(recorder: Recorder, subject: int) -> Any:
    """The adapter's own object, behind what guards it."""
    found = recorder.subjects[subject]
    return getattr(found, "_subject", found)


def _of_tensors(inner: Any) -> Iterator[Shown]:
    optimizer = getattr(inner, "optimizer", None)
    tensors = getattr(inner, "_tensors", None) or ()
    states = getattr(optimizer, "state", None)
    for i, tensor in enumerate(tensors):
        entry = states.get(tensor, {}) if isinstance(states, Mapping) else {}
        for name, value in entry.items() if hasattr(entry, "items") else ():
            try:
                values = np.atleast_1d(np.asarray(value.detach() if hasattr(value, "detach") else value))
            except Exception:  # no numbers
                continue
            if values.dtype.kind in "fiu":
                yield Shown(i, f'["{name}"]', values, _is_plain(value))


def _of_a_tree(state: Any) -> list[Shown]:
    from importlib import import_module

    tree = import_module("jax").tree_util
    found = []
    for path, leaf in tree.tree_flatten_with_path(state)[0]:
        values = np.asarray(leaf)
        if values.dtype.kind in "fiu":
            found.append(Shown(0, tree.keystr(path), values))
    return found


def _of_keras(inner: Any, state: Any) -> list[Shown]:
    order = {id(variable): i for i, variable in enumerate(inner.optimizer.variables)}
    places = {name: order[id(variable)] for name, variable in inner._own().items()}
    given = state.get("variables", {})
    return [Shown(0, f"[{places[name]}]", np.asarray(value)) for name, value in given.items() if name in places]


def _nested(value: Any, way: str = "") -> Iterator[tuple[str, Array]]:
    """The arrays and numbers in nested dicts, lists and tuples."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _nested(each, f"{way}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for i, each in enumerate(value):
            yield from _nested(each, f"{way}[{i}]")
    elif isinstance(value, (int, float, np.number, np.ndarray)) and not isinstance(value, bool):
        values = np.asarray(value)
        if values.dtype.kind in "fiu":
            yield way, np.atleast_1d(values)


def _is_plain(value: Any) -> bool:
    return isinstance(value, np.generic) or not hasattr(value, "shape")
