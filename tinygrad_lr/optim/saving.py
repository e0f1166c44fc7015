"""Saving and loading an optimizer's state in torch's layout, checked by shape, all or nothing; and its copies.

Parameters are matched by position, as in torch, and by name where both sides have names.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import refuse_masked

from .arena import Form, Segment, shape_in
from .groups import EXTRA_KEYS, TORCH_ONLY, Named, ParamGroup, refuse_unrepresentable
from .validation import Validator, one_element

IN_ORDER = (
    "give the parameters in the order in which they were saved, or as model.named_parameters() when saving and loading"
)
MOST_STEPS = 2**63


class Stored(Protocol):
    """A kernel, as far as saving needs it."""

    @property
    def states(self) -> tuple[str, ...]: ...

    def stored(self, key: str) -> tuple[str, Form]:
        """The dtype of a state's entries (empty: the parameter's), and its form."""


class Saves(Protocol):
    """An optimizer, as far as saving needs it; what each of these is: optimizer.py."""

    numbers: ClassVar[Mapping[str, float]]
    dialects: ClassVar[Mapping[str, dict[str, Any]]]
    validators: Mapping[str, Validator]
    _segments: list[list[Segment]]
    _places: dict[int, tuple[int, Segment, int]]
    _named: dict[int, Named]
    _own_state: MutableMapping[Any, Any] | None

    @property
    def param_groups(self) -> list[ParamGroup]: ...

    def from_torch(self, values: Mapping[str, Any], params: Sequence[Tensor]) -> dict[str, Any]: ...

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]: ...

    def checked_item(self, key: str, value: Any) -> Any: ...

    def is_of_torch(self, saved: Mapping[str, Any]) -> bool: ...

    def refuse_change(self, group: Mapping[str, Any], values: Mapping[str, Any]) -> None: ...

    def kernel(self, group: Mapping[str, Any]) -> Stored: ...

    def needs_step(self, group: Mapping[str, Any]) -> bool: ...

    def needed(self, group: Mapping[str, Any]) -> Sequence[str]: ...

    def initial_state(self, group: Mapping[str, Any], key: str) -> float: ...

    def has_entry(self, segment: Segment, i: int) -> bool: ...

    def saved(self, state: Mapping[str, Any]) -> dict[str, Any]: ...

    def kept(self, segment: Segment, i: int, saved: Mapping[str, Any]) -> dict[str, Any]: ...

    def _planned(self, i: int) -> Any: ...

    def _adopt(self, values: dict[str, Any], members: Sequence[Named]) -> None: ...


def on_host(array: Any) -> np.ndarray[Any, Any]:
    """A copy on the host, also of a tensor, ours or torch's; in float32 where NumPy lacks its dtype, as bfloat16."""
    if isinstance(array, Tensor):
        array = array._data
    elif hasattr(array, "detach"):
        theirs = array.detach().cpu()
        try:
            array = theirs.numpy()
        except TypeError:
            array = theirs.float().numpy()
    return array.copy_to_host() if hasattr(array, "copy_to_host") else np.array(array)


# --- names ------------------------------------------------------------------------------------------------------------


def names_of(optimizer: Saves) -> list[list[str] | None]:
    """The names of each group's parameters; None where one has no name, or shares it with another parameter."""
    groups = [[optimizer._named[id(param)].name for param in group["params"]] for group in optimizer.param_groups]
    times = Counter(name for names in groups for name in names)
    alone = {name for name, count in times.items() if name is not None and count == 1}
    return [[str(name) for name in names] if alone.issuperset(names) else None for names in groups]


def _matched(optimizer: Saves, number: int, names: list[str] | None, old: Mapping[str, Any]) -> list[Any]:
    """The saved index of each parameter of group `number`.

    By name where both sides have names, and the same ones; otherwise by position, unless names contradict it.
    """
    params = optimizer.param_groups[number]["params"]
    indices, saved_names = _indices(number, old), _saved_names(number, old)
    if names is not None and saved_names is not None:
        if set(names) == set(saved_names):
            by_name = dict(zip(saved_names, indices, strict=True))
            return [by_name[name] for name in names]
        missing = [name for name in names if name not in saved_names]
        unexpected = [name for name in saved_names if name not in names]
        remedy = f"to match by position, remove 'param_names' from state_dict['param_groups'][{number}]"
        if all(optimizer._named[id(param)].given for param in params):
            raise ValueError(
                f"group {number}: the state_dict does not fit these parameters; missing in it: {missing or 'none'}, "
                f"unknown here: {unexpected or 'none'}; {remedy}"
            )
        moved = [name for i, name in enumerate(names) if name in saved_names and saved_names.index(name) != i]
        if moved:
            raise ValueError(
                f"group {number}: the state_dict has {moved[0]!r} at another position, and other names "
                f"({unexpected or 'none'} unknown here, {missing or 'none'} missing in it), so that neither names nor "
                f"positions tell which entry belongs to which parameter; {remedy}"
            )
    if len(indices) != len(params):
        raise ValueError(
            f"group {number} has {len(params)} parameters, the state_dict {len(indices)}; "
            "build the optimizer with the same groups of parameters"
        )
    return indices


def _saved_names(number: int, old: Mapping[str, Any]) -> list[str] | None:
    """The names that a saved group has for its parameters; None where they are no help."""
    names = old.get("param_names")
    if names is None:
        return None
    if not isinstance(names, (list, tuple)) or len(names) != len(old["params"]):
        raise ValueError(
            f"'param_names' of saved group {number} must be a list of {len(old['params'])} names, got {names!r}; "
            "without this key parameters are matched by position"
        )
    return list(names) if len(set(map(str, names))) == len(names) else None


def _indices(number: int, old: Mapping[str, Any]) -> list[Any]:
    params = old["params"]
    if not isinstance(params, (list, tuple)):
        raise TypeError(f"'params' of saved group {number} must be a list of numbers, got {type(params).__name__}")
    indices = [_key(index) for index in params]
    wrong = [index for index in indices if not isinstance(index, int)]
    if wrong or len(set(indices)) < len(indices):
        raise ValueError(f"'params' of saved group {number} must be different whole numbers, got {params!r}")
    return indices


def _key(key: Any) -> Any:
    """A key of the saved state: the number of a parameter, which JSON turns into a string."""
    if isinstance(key, str) and key.isdecimal():
        return int(key)
    return int(key) if isinstance(key, np.integer) else key


# --- saving -----------------------------------------------------------------------------------------------------------


def dump(optimizer: Saves) -> dict[str, Any]:
    """See `Optimizer.state_dict`."""
    for number, segments in enumerate(optimizer._segments):  # a moment that a changed hyperparameter needs from now on
        if any(step > 0 for segment in segments for step in segment.steps):
            optimizer._planned(number)
    numbers: dict[int, int] = {}
    groups: list[dict[str, Any]] = []
    for group, names in zip(optimizer.param_groups, names_of(optimizer), strict=True):
        indices = [numbers.setdefault(id(param), len(numbers)) for param in group["params"]]
        values = {key: copy.deepcopy(value) for key, value in group.items() if key != "params"}
        groups.append({**values, "params": indices, **({} if names is None else {"param_names": names})})
    if optimizer._own_state is not None:
        return {"state": _own_entries(optimizer._own_state, numbers), "param_groups": groups}
    state: dict[int, dict[str, Any]] = {}
    for key, index in numbers.items():
        _, segment, i = optimizer._places[key]
        if optimizer.has_entry(segment, i):
            views, alone = segment.state_of(i), segment.numbers[i]
            arrays = {name: view for name, view in views.items() if name != "step" and name not in alone}
            state[index] = {"step": views["step"], **optimizer.saved(arrays), **alone}
    return {"state": state, "param_groups": groups}


def _own_entries(state: Mapping[Any, Any], numbers: Mapping[int, int]) -> dict[Any, Any]:
    """Copies of what a class's own step keeps: the entries of parameters by their numbers, others as they are."""
    found = {}
    for key, entry in state.items():
        if isinstance(key, Tensor) and id(key) not in numbers:
            raise ValueError(f"the state has an entry for a Tensor of shape {key.shape} that is in no group")
        found[numbers[id(key)] if isinstance(key, Tensor) else key] = copy.deepcopy(entry)
    return found


# --- loading ----------------------------------------------------------------------------------------------------------


def load(optimizer: Saves, saved: Mapping[str, Any]) -> None:
    """See `Optimizer.load_state_dict`. First everything is checked and converted, then everything is written."""
    entries, old_groups = _parts(optimizer, saved)
    new_values, indices = [], []
    for number, (names, old) in enumerate(zip(names_of(optimizer), old_groups, strict=True)):
        new_values.append(_group_values(optimizer, optimizer.param_groups[number], old))
        indices.append(_matched(optimizer, number, names, old))
    known = {index for each in indices for index in each}
    if sum(map(len, indices)) != len(known):
        raise ValueError("two parameters have one number in the groups of the state_dict")
    unknown = [key for key in entries if key not in known and (isinstance(key, int) or optimizer._own_state is None)]
    if unknown:
        raise ValueError(
            f"the state_dict has state for the parameters {unknown}, which none of its groups names; "
            f"they name {sorted(known)}"
        )
    if optimizer._own_state is not None:
        _load_own(optimizer, entries, new_values, indices)
        return
    new_states: list[tuple[ParamGroup, Segment, int, int, dict[str, Any]]] = []
    for group, values, places in zip(optimizer.param_groups, new_values, indices, strict=True):
        for param, index in zip(group["params"], places, strict=True):
            _, segment, i = optimizer._places[id(param)]
            step, arrays = prepared(optimizer, {**group, **values}, segment, i, entries.get(index, {}))
            new_states.append((group, segment, i, step, arrays))
    for group, values in zip(optimizer.param_groups, new_values, strict=True):
        group.put(values)
    for _, segment, *_ in new_states:
        segment.forget()
    for each in new_states:
        write(optimizer, *each)


def places(optimizer: Saves, saved: Any) -> list[int]:
    """Where each parameter, in the order of the groups, stood among those of a state_dict."""
    _, old_groups = _parts(optimizer, saved)
    indices = [_matched(optimizer, i, names, old_groups[i]) for i, names in enumerate(names_of(optimizer))]
    saved_order = [index for number, old in enumerate(old_groups) for index in _indices(number, old)]
    return [saved_order.index(index) for each in indices for index in each]


def _parts(optimizer: Saves, saved: Any) -> tuple[dict[Any, Any], list[Mapping[str, Any]]]:
    """The entries by number and the groups of a state_dict of the right layout."""
    if not isinstance(saved, Mapping) or not {"state", "param_groups"} <= set(saved):
        found = sorted(map(str, saved)) if isinstance(saved, Mapping) else type(saved).__name__
        raise TypeError(f"expected a state_dict with the keys 'state' and 'param_groups', got {found}")
    state, groups = saved["state"], saved["param_groups"]
    if not isinstance(state, Mapping) or not isinstance(groups, (list, tuple)):
        raise TypeError(
            "a state_dict has a dict 'state' and a list 'param_groups', "
            f"got {type(state).__name__} and {type(groups).__name__}"
        )
    for number, group in enumerate(groups):
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(f"saved group {number} must be a dict with the key 'params', got {group!r}")
    if len(groups) != len(optimizer.param_groups):
        raise ValueError(
            f"the state_dict has {len(groups)} parameter groups, "
            f"this optimizer {len(optimizer.param_groups)}; build it with the same groups first"
        )
    entries = {_key(key): entry for key, entry in state.items()}
    if len(entries) != len(state):
        raise ValueError("the state_dict has the state of a parameter twice, under a number and under a string")
    return entries, list(groups)


def _group_values(optimizer: Saves, group: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a saved group asks for, checked as a whole.

    Options that it lacks stay; but in a group of torch's, which has none of our options, they are torch's.
    """
    left_out = ("params", "param_names", *(key for key in TORCH_ONLY if key not in optimizer.validators))
    values = optimizer.from_torch({k: value for k, value in old.items() if k not in left_out}, group["params"])
    values = {key: value for key, value in values.items() if value is not None or key not in EXTRA_KEYS}
    others = {
        key: copy.deepcopy(optimizer.checked_item(key, value))
        for key, value in values.items()
        if key not in optimizer.validators
    }
    told = optimizer.dialects.get("torch", {}) if optimizer.is_of_torch(old) else {}
    found = {key: values.get(key, told.get(key, group[key])) for key in optimizer.validators}
    hyperparameters = optimizer.checked(copy.deepcopy(found))
    for key, value in hyperparameters.items():
        refuse_unrepresentable(key, value, group["params"])
    optimizer.refuse_change(group, others)
    return {**hyperparameters, **others}


def prepared(
    optimizer: Saves, values: Mapping[str, Any], segment: Segment, i: int, entry: Any
) -> tuple[int, dict[str, Any]]:
    """The count of steps, and the arrays and numbers that an entry asks for, checked, for parameter i of a segment.

    Args:
        values: the hyperparameters of its group.
        entry: a dict; empty, or with torch's None in every place, where no step was made.
    """
    name = segment.names[i]
    if not isinstance(entry, Mapping):
        raise TypeError(f"the state of parameter {name!r} must be a dict, got {entry!r}; leave it out if there is none")
    given = {key: value for key, value in entry.items() if value is not None}
    if not given:
        if entry and "step" in entry:
            raise ValueError(f"the state of parameter {name!r} has None for every value")
        return 0, {}
    if "step" not in given and optimizer.needs_step(values):
        raise ValueError(f"the state of parameter {name!r} lacks 'step'; it has {sorted(map(str, given))}")
    # torch keeps no step for SGD, which only needs to know that the first one was made.
    step = step_of(name, given.pop("step", 1))
    wanted = [key for key in optimizer.needed(values) if has_state(optimizer, values, key, segment.shapes[i])]
    missing = [key for key in wanted if key not in given] if step else []
    if missing:
        raise ValueError(
            f"the state of parameter {name!r} lacks {', '.join(missing)}, which a run of {step} steps has; "
            f"it has {sorted(map(str, entry))}"
        )
    numbers = {key: number_of(name, key, given.pop(key)) for key in optimizer.numbers if key in given}
    return step, {**optimizer.kept(segment, i, given), **numbers}


def has_state(optimizer: Saves, values: Mapping[str, Any], key: str, shape: tuple[int, ...]) -> bool:
    """Whether a parameter of some shape has a state: one for the rows of a matrix is nothing to a vector."""
    return shape_in(optimizer.kernel(values).stored(key)[1], shape) is not None


def write(optimizer: Saves, group: ParamGroup, segment: Segment, i: int, step: int, values: Mapping[str, Any]) -> None:
    """Write what `prepared` gave."""
    segment.steps[i] = step
    segment.numbers[i] = {**segment.numbers[i], **{key: values[key] for key in optimizer.numbers if key in values}}
    arrays = {key: array for key, array in values.items() if key not in optimizer.numbers}
    kernel = optimizer.kernel(group)
    for key in (*kernel.states, *arrays) if arrays else ():  # in the order that a run's own states have
        segment.need(key, optimizer.initial_state(group, key), *kernel.stored(key))
    for key, array in arrays.items():
        segment.write(key, i, array)


def step_of(name: str, value: Any) -> int:
    """A saved count of steps, checked: torch has it as a tensor of one float."""
    try:
        plain = one_element(value)
        step = int(plain)
        whole = step == plain and 0 <= step < MOST_STEPS
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise ValueError(f"parameter {name!r}: step must be a whole number from 0 to 2**63 - 1, got {value!r}")
    return step


def number_of(name: str, key: str, value: Any) -> float:
    """A number of the state, checked: torch has it as a tensor of one element."""
    try:
        return float(one_element(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"state {key!r} of parameter {name!r} must be one number, got {value!r}") from error


def converted(
    segment: Segment, i: int, saved: Mapping[str, Any], known: Mapping[str, tuple[str, Form]]
) -> dict[str, Any]:
    """The saved arrays of one parameter, as new arrays of the shapes and dtypes in which its states are kept.

    Args:
        known: for each state the dtype and the form that kernels give it.
    """
    name = segment.names[i]
    arrays = {}
    for key, value in saved.items():
        if key not in known:
            raise ValueError(f"parameter {name!r} has an unknown state {key!r}; known are {sorted(known)}")
        dtype, form = known[key]
        shape = shape_in(form, segment.shapes[i])
        if shape is None:
            raise ValueError(f"parameter {name!r} of shape {segment.shapes[i]} has no state {key!r}; {IN_ORDER}")
        array = as_array(f"state {key!r} of parameter {name!r}", value)
        if array.dtype in (np.uint8, np.uint16):
            raise ValueError(
                f"state {key!r} of parameter {name!r} is {array.dtype}: codes, kept with another state_dtype; build "
                "the optimizer with that one, or load optim.decoded_state(state_dict)"
            )
        if isinstance(value, (list, tuple, int)):  # of JSON, which may write 0 for 0.0
            array = array.astype(np.float64) if array.dtype.kind in "iu" else array
            array = array.reshape(shape) if array.size == 0 and 0 in shape else array
        if array.shape != shape or array.dtype.kind != "f":
            raise ValueError(
                f"state {key!r} of parameter {name!r} must be floating-point of shape {shape}, "
                f"got {array.dtype} {array.shape}; {IN_ORDER}"
            )
        arrays[key] = held(f"state {key!r} of parameter {name!r}", array, np.dtype(dtype) if dtype else segment.dtype)
    return arrays


def held(what: str, array: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """A copy in another dtype, in which what is finite stays finite.

    Raises:
        ValueError: the dtype cannot hold a value.
    """
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    lost = np.isfinite(array) & ~np.isfinite(cast)
    if lost.any():
        raise ValueError(f"{what} is {dtype} here, which cannot hold {array[lost][0]}")
    return cast


def as_array(what: str, value: Any) -> np.ndarray[Any, Any]:
    """A new array of what was saved: an array, a tensor of torch, or nested lists."""
    refuse_masked(value, what)
    try:
        return np.array(on_host(value))
    except ValueError as error:
        raise ValueError(f"{what} is no array: {error}") from error


def _load_own(
    optimizer: Saves, entries: Mapping[Any, Any], new_values: list[dict[str, Any]], indices: list[list[Any]]
) -> None:
    """Load the state that a class's own step keeps: arrays in the parameter's dtype, all else as it is, copied."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    by_index = dict(zip([index for each in indices for index in each], params, strict=True))
    found: dict[Any, Any] = {}
    for key, entry in entries.items():
        param = by_index.get(key) if isinstance(key, int) else None
        if param is not None and not isinstance(entry, Mapping):
            name = optimizer._named[id(param)].name or key
            raise TypeError(f"the state of parameter {name!r} must be a dict, got {entry!r}")
        found[key if param is None else param] = copy.deepcopy(entry) if param is None else _own_entry(param, entry)
    for group, values in zip(optimizer.param_groups, new_values, strict=True):
        group.put(values)
    assert optimizer._own_state is not None
    optimizer._own_state.clear()
    optimizer._own_state.update(found)


def _own_entry(param: Tensor, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _in_dtype_of(param, value) if key != "step" else copy.deepcopy(value) for key, value in entry.items()}


def _in_dtype_of(param: Tensor, value: Any) -> Any:
    """A copy; floating-point arrays and torch's tensors in the parameter's dtype, as torch loads them."""
    if hasattr(value, "detach") and not isinstance(value, Tensor):
        value = on_host(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(param.dtype)
    return copy.deepcopy(value)


# --- copies -----------------------------------------------------------------------------------------------------------


def pack(optimizer: Saves) -> list[dict[str, Any]]:
    """Groups, parameters and state, for `pickle` and `copy.deepcopy`."""
    return [
        {
            "values": {key: value for key, value in group.items() if key != "params"},
            "members": [tuple(optimizer._named[id(param)]) for param in group["params"]],
            "segments": [segment.packed() for segment in segments],
        }
        for group, segments in zip(optimizer.param_groups, optimizer._segments, strict=True)
    ]


def unpack(optimizer: Saves, packed: list[dict[str, Any]]) -> None:
    """The reverse of `pack`, for an optimizer without groups. The parameters move into new arenas."""
    for each in packed:
        optimizer._adopt(each["values"], [Named(*member) for member in each["members"]])
        for segment, values in zip(optimizer._segments[-1], each["segments"], strict=True):
            segment.unpack(*values)
