"""Saving and loading an optimizer's state in torch's layout, matched by name, checked by shape, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from tinygrad_lr.engine.dtypes import copy_into

from .arena import Segment
from .groups import EXTRA_KEYS, ParamGroup, check_extra, refuse_unrepresentable, unknown_key
from .validation import Validator

# Entries of torch's groups that choose among its implementations and change no result.
TORCH_ONLY = ("foreach", "capturable", "differentiable", "fused")


class Stored(Protocol):
    """A kernel, as far as saving needs it."""

    def stored(self, key: str) -> tuple[str, int]:
        """The dtype of a state's entries (empty: the parameter's), and how many elements share one."""


class Saves(Protocol):
    """An optimizer, as far as saving needs it; what each of these is: optimizer.py."""

    param_groups: list[ParamGroup]
    _segments: list[list[Segment]]
    _names: dict[int, str]

    @property
    def validators(self) -> Mapping[str, Validator]: ...

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]: ...

    def kernel(self, group: Mapping[str, Any]) -> Stored: ...

    def initial_state(self, group: Mapping[str, Any], key: str) -> float: ...

    def saved(self, state: Mapping[str, Any]) -> dict[str, Any]: ...

    def kept(self, segment: Segment, i: int, saved: Mapping[str, Any]) -> dict[str, Any]: ...


def on_host(array: Any) -> np.ndarray[Any, Any]:
    """A copy on the host."""
    return array.copy_to_host() if hasattr(array, "copy_to_host") else np.array(array)


def _places(optimizer: Saves) -> dict[int, tuple[Segment, int]]:
    """Where each parameter's state lies: its segment and its place in it, by id."""
    return {
        id(param): (segment, i)
        for segments in optimizer._segments
        for segment in segments
        for i, param in enumerate(segment.params)
    }


def dump(optimizer: Saves) -> dict[str, Any]:
    """See `Optimizer.state_dict`."""
    places = _places(optimizer)
    state: dict[int, dict[str, Any]] = {}
    groups: list[dict[str, Any]] = []
    index = 0
    for group in optimizer.param_groups:
        indices = []
        for param in group["params"]:
            segment, i = places[id(param)]
            if segment.steps[i] > 0:
                views = segment.state_of(i)
                state[index] = {"step": views.pop("step"), **optimizer.saved(views)}
            indices.append(index)
            index += 1
        names = [optimizer._names[id(param)] for param in group["params"]]
        values = {key: value for key, value in group.items() if key != "params"}
        groups.append({**values, "params": indices, "param_names": names})
    return {"state": state, "param_groups": groups}


def load(optimizer: Saves, saved: Mapping[str, Any]) -> None:
    """See `Optimizer.load_state_dict`. First everything is checked and converted, then everything is written."""
    if not isinstance(saved, Mapping) or not {"state", "param_groups"} <= set(saved):
        found = sorted(map(str, saved)) if isinstance(saved, Mapping) else type(saved).__name__
        raise TypeError(f"expected a state_dict with the keys 'state' and 'param_groups', got {found}")
    if len(saved["param_groups"]) != len(optimizer.param_groups):
        raise ValueError(
            f"the state_dict has {len(saved['param_groups'])} parameter groups, "
            f"this optimizer {len(optimizer.param_groups)}; build it with the same groups first"
        )
    places = _places(optimizer)
    new_values = []
    new_states: list[tuple[ParamGroup, Segment, int, int, dict[str, Any]]] = []
    for number, (group, old) in enumerate(zip(optimizer.param_groups, saved["param_groups"], strict=True)):
        new_values.append(_group_values(optimizer, group, old))
        for param, index in zip(group["params"], _matched(optimizer, group, old, number), strict=True):
            segment, i = places[id(param)]
            entry = saved["state"].get(index) or {}
            step = _step(segment.names[i], entry)
            given = {key: value for key, value in entry.items() if key != "step" and value is not None}
            arrays = optimizer.kept(segment, i, given)
            new_states.append((group, segment, i, step, arrays))
    for group, values in zip(optimizer.param_groups, new_values, strict=True):
        group.put(values)
    for _, segment, *_ in new_states:
        segment.forget()
    for group, segment, i, step, arrays in new_states:
        segment.steps[i] = step
        for key, array in arrays.items():
            segment.need(key, optimizer.initial_state(group, key), *optimizer.kernel(group).stored(key))
            low, high = segment.place(key, i)
            copy_into(segment.states[key][low:high], array.reshape(-1))


def _group_values(optimizer: Saves, group: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters that a saved group asks for, checked as a whole; dialect options it lacks stay."""
    values = {key: value for key, value in old.items() if key not in ("params", "param_names", *TORCH_ONLY)}
    extra = {key: check_extra(key, values.pop(key)) for key in EXTRA_KEYS if values.get(key) is not None}
    for key in values:
        if key not in optimizer.validators:
            raise unknown_key(key, optimizer.validators, type(optimizer).__name__)
    hyperparameters = optimizer.checked({key: values.get(key, group[key]) for key in optimizer.validators})
    for key, value in hyperparameters.items():
        refuse_unrepresentable(key, value, group["params"])
    return {**hyperparameters, **extra}


def _matched(optimizer: Saves, group: Mapping[str, Any], old: Mapping[str, Any], number: int) -> list[Any]:
    """The saved index of each of the group's parameters: by name, or by position where no names were saved."""
    names = [optimizer._names[id(param)] for param in group["params"]]
    indices, saved_names = list(old["params"]), old.get("param_names")
    if saved_names is None:
        if len(indices) != len(names):
            raise ValueError(f"group {number} has {len(names)} parameters, the state_dict {len(indices)}")
        return indices
    by_name = dict(zip(saved_names, indices, strict=True))
    missing = [name for name in names if name not in by_name]
    unexpected = [name for name in by_name if name not in names]
    if missing or unexpected:
        raise ValueError(
            f"group {number}: the state_dict does not fit these parameters; missing in it: {missing or 'none'}, "
            f"unknown here: {unexpected or 'none'}"
        )
    return [by_name[name] for name in names]


def _step(name: str, saved: Mapping[str, Any]) -> int:
    """The saved count of steps of one parameter."""
    if not saved:
        return 0
    # torch keeps no step for SGD, which only needs to know that the first one was made.
    step = int(saved.get("step", 1))
    if step < 0 or step != float(saved.get("step", 1)):
        raise ValueError(f"parameter {name!r}: step must be a whole number of at least 0, got {saved['step']}")
    return step


def converted(segment: Segment, i: int, saved: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    """The saved arrays of one parameter, as new arrays of its shape and dtype."""
    name, shape = segment.names[i], segment.shapes[i]
    arrays = {}
    for key, value in saved.items():
        array = np.array(on_host(value))
        if array.dtype in (np.uint8, np.uint16):
            raise ValueError(
                f"state {key!r} of parameter {name!r} is {array.dtype}: codes, kept with another state_dtype; build "
                "the optimizer with that one, or load optim.decoded_state(state_dict)"
            )
        if key not in known:
            raise ValueError(f"parameter {name!r} has an unknown state {key!r}; known are {sorted(known)}")
        if array.shape != shape or array.dtype.kind != "f":
            raise ValueError(
                f"state {key!r} of parameter {name!r} must be floating-point of shape {shape}, "
                f"got {array.dtype} {array.shape}"
            )
        arrays[key] = array.astype(segment.dtype)
    return arrays
