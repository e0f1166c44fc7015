"""Parameter groups: what a user passes becomes named parameters and a dict that validates what is assigned to it.

As in torch, `optimizer.param_groups` is a list of dicts with the key "params". What would change nothing is refused:
the list and each group's parameters grow by `add_param_group` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NoReturn, Protocol, SupportsIndex

import numpy as np

from tinygrad_lr.engine import Tensor
from tinygrad_lr.suggesting import near

from .table import OPTIMIZERS
from .validation import flag, non_negative

# Between these float32 holds a number to full relative precision: most hyperparameters, checked at no cost.
LEAST_FLOAT32, LARGEST_FLOAT32 = 1.2e-38, 3.4e38

# Keys with a meaning that a group may carry besides its hyperparameters.
EXTRA_KEYS = ("name", "initial_lr")
# What is chosen for all groups at once.
OF_ALL_GROUPS = ("dialect", "state_dtype")
# Options of torch that choose among its implementations and change no result.
TORCH_ONLY = ("foreach", "capturable", "differentiable", "fused")
# What other libraries call a hyperparameter.
ELSEWHERE = {
    "learning_rate": "lr",
    "epsilon": "eps",
    "b1": "betas",
    "b2": "betas",
    "beta_1": "betas",
    "beta_2": "betas",
    "mu": "momentum",
    "wd": "weight_decay",
    "decay": "weight_decay",
    "rho": "alpha",
}
NEAR = 0.75  # of difflib's ratio: "weight_decy", "beta1" and "lrr" are typos, "lr_scale" is a key of the user's
ADD = "use optimizer.add_param_group({'params': ...}) for more parameters, and build a new optimizer for fewer"


class Named(NamedTuple):
    """A parameter with the name that it came with; `given`: a person gave the name, as a pair (name, Tensor)."""

    param: Tensor
    name: str | None
    given: bool


class Parameters(tuple[Tensor, ...]):
    """The parameters of a group. They cannot be changed: a step would not see it.

    Example:
        >>> from tinygrad_lr import optim, zeros
        >>> optimizer = optim.SGD([zeros(3, requires_grad=True)])
        >>> optimizer.param_groups[0]["params"].pop()
        Traceback (most recent call last):
            ...
        AttributeError: a group's parameters have no 'pop': they cannot be changed; use \
optimizer.add_param_group({'params': ...}) for more parameters, and build a new optimizer for fewer
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> NoReturn:
        if hasattr(list, name):
            raise AttributeError(f"a group's parameters have no {name!r}: they cannot be changed; {ADD}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError(f"a group's parameters cannot be changed; {ADD}")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __radd__(self, other: Any) -> list[Any]:  # sum((group["params"] for group in groups), [])
        if not isinstance(other, list):
            return NotImplemented
        return [*other, *self]

    def __add__(self, other: Any) -> Any:
        return [*self, *other] if isinstance(other, list) else tuple(self) + tuple(other)


class ParamGroups(list["ParamGroup"]):
    """The groups of an optimizer: a list that `add_param_group` alone makes longer.

    Example:
        >>> from tinygrad_lr import optim, zeros
        >>> optimizer = optim.SGD([zeros(3, requires_grad=True)])
        >>> optimizer.param_groups.append({"params": [zeros(2, requires_grad=True)]})
        Traceback (most recent call last):
            ...
        TypeError: param_groups cannot be changed; use optimizer.add_param_group({'params': ...}) for more parameters, \
and build a new optimizer for fewer
    """

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"param_groups cannot be changed; {ADD}")

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse  # type: ignore[assignment]
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return list, (list(self),)


class Rules(Protocol):
    """What a group must know of its optimizer; the optimizer itself would live as long as the group."""

    validators: Mapping[str, Any]

    def checked_items(self, group: Mapping[str, Any], items: Mapping[str, Any]) -> dict[str, Any]:
        """What `group.update(items)` stores."""


class ParamGroup(dict[str, Any]):
    """One group's parameters and hyperparameters: a dict, as in torch, whose hyperparameters are checked on assignment.

    A wrong value is refused where it is written, and the group keeps what it had. Every way of writing is checked:
    `group[key] = value`, `update`, `|=`, `setdefault`. A hyperparameter cannot be removed. Copies, and `group | other`,
    are plain dicts. Keys of your own are kept, and saved with the state.

    Example:
        >>> from tinygrad_lr import optim, zeros
        >>> group = optim.SGD([zeros(3, requires_grad=True)], lr=0.1).param_groups[0]
        >>> group["lr"] = 0.05
        >>> group |= {"momentum": 0.9, "nesterov": True, "layer": 3}
        >>> group["lr"] = float("nan")
        Traceback (most recent call last):
            ...
        ValueError: lr must be a finite number, got nan; look at what computed it
    """

    __slots__ = ("_rules", "changes")

    def __init__(self, values: Mapping[str, Any], rules: Rules) -> None:
        super().__init__(values)
        self._rules = rules
        self.changes = 0  # of anything but the rate

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "lr" and type(value) is float and LEAST_FLOAT32 < value < LARGEST_FLOAT32:  # one comes at every step
            dict.__setitem__(self, key, value)
        else:
            self.put(self._rules.checked_items(self, {key: value}))

    def put(self, checked: Mapping[str, Any]) -> None:
        """Store values that were checked already."""
        super().update(checked)
        self.changes += 1

    def update(self, *others: Any, **values: Any) -> None:
        self.put(self._rules.checked_items(self, dict(*others, **values)))

    def __ior__(self, other: Any) -> ParamGroup:  # type: ignore[override,misc]
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __delitem__(self, key: str) -> None:
        if key == "params" or key in self._rules.validators:
            raise KeyError(f"{key!r} cannot be removed from a parameter group; assign another value to it")
        super().__delitem__(key)
        self.changes += 1

    def pop(self, key: str, *default: Any) -> Any:
        if key not in self:
            return super().pop(key, *default)
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        raise KeyError("a parameter group cannot be emptied, as a step needs its hyperparameters; assign other values")

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return dict, (dict(self),)


def check_extra(key: str, value: Any) -> Any:
    """Check a key with a meaning that is no hyperparameter."""
    if key == "initial_lr":
        return non_negative(key, value)
    if key == "name" and not isinstance(value, str):
        raise TypeError(f"a group's name must be a string, got {value!r}")
    return value


def refuse_torch_options(options: Mapping[str, Any]) -> None:
    """Options that choose among torch's implementations are accepted where they choose nothing: None or False."""
    for key, value in options.items():
        if value is not None and flag(key, value):
            raise ValueError(
                f"{key}=True chooses among torch's implementations and changes no result; there is one here: "
                "leave it out, or pass None or False"
            )


def refuse_typo(key: Any, known: Iterable[str], what: str, open_to_others: bool = False) -> None:
    """A key of the user's own is kept, unless it looks like a hyperparameter that would have no effect.

    Raises:
        TypeError: it is close to the name of a hyperparameter in `known`, or, unless `open_to_others`, it is one of
            another optimizer or in another library.
    """
    known = sorted(known)
    if not isinstance(key, str):
        raise TypeError(f"the keys of a parameter group are strings, got {key!r}")
    if key.removeprefix("initial_") in known and key not in known:
        return  # where lr_scheduler.HyperparameterScheduler keeps a base value
    found = near(key, [*known, *EXTRA_KEYS], 1, NEAR)
    if key in OF_ALL_GROUPS and not open_to_others:
        raise TypeError(f"{what} has one {key} for all groups: it is an argument of the constructor, not of a group")
    meant = found[0] if found else "" if open_to_others else ELSEWHERE.get(key.lower(), "")
    if key in EXTRA_KEYS:
        raise TypeError(f"{what} is a key of a group: {{'params': ..., {key!r}: ...}}")
    if meant in known or meant in EXTRA_KEYS:
        raise TypeError(f"{what} has no hyperparameter {key!r}; did you mean {meant!r}?")
    if not open_to_others and any(key in cls.hyperparameters for cls in OPTIMIZERS.values()):
        raise TypeError(f"{what} has no hyperparameter {key!r}; it has {', '.join(known)}")


def refuse_unrepresentable(key: str, value: Any, params: Iterable[Tensor]) -> None:
    """A hyperparameter that float32 turns into infinity, or a positive epsilon into zero, is an error."""
    if not isinstance(value, float) or LEAST_FLOAT32 < value < LARGEST_FLOAT32 or value == 0:
        return
    for dtype in {param.dtype for param in params}:
        with np.errstate(over="ignore", under="ignore"):
            cast = float(dtype.type(value))
        if not np.isfinite(cast) or (key == "eps" and cast == 0):
            raise ValueError(
                f"{key}={value} becomes {cast} in the parameters' dtype {dtype}; "
                "choose a value that it can hold, or float64 parameters"
            )


def refuse_shared_memory(params: Iterable[Tensor]) -> None:
    """Parameters over the same memory would be parted: an optimizer moves each one into a buffer."""
    on_host = [param for param in params if isinstance(param._data, np.ndarray) and param._data.size]
    spans = [(*np.lib.array_utils.byte_bounds(param._data), param) for param in on_host]
    before: list[tuple[int, Tensor]] = []  # those that end behind the place reached, and where
    for low, high, param in sorted(spans, key=lambda span: span[0]):
        before = [(end, other) for end, other in before if end > low]
        for _, other in before:
            if np.shares_memory(param._data, other._data):
                raise ValueError(
                    f"parameters {other.name or ''} of shape {other.shape} and {param.name or ''} of shape "
                    f"{param.shape} share memory, as views and .detach() do, and an optimizer would part them; give "
                    "it one of them, or a copy, .detach().clone()"
                )
        before.append((high, param))


def named_groups(params: Any) -> list[dict[str, Any]]:
    """Bring what a user passes as parameters into a list of dicts with a key `params`: a list of `Named`."""
    refuse_module(params)
    if isinstance(params, (Tensor, str, bytes)) or not isinstance(params, Iterable):
        raise TypeError(
            f"parameters must be an iterable of Tensors, of (name, Tensor) pairs or of dicts with a key 'params', "
            f"got {type(params).__name__}; wrap a single Tensor in a list"
        )
    refuse_set(params)
    entries = [params] if isinstance(params, Mapping) else list(params)
    if not entries:
        raise ValueError("the optimizer got an empty list of parameters; was model.parameters() already consumed?")
    groups = entries if any(isinstance(entry, Mapping) for entry in entries) else [{"params": entries}]
    return [_named_group(group) for group in groups]


def refuse_module(given: Any) -> None:
    """A module in place of its parameters is an error that says how to get them."""
    if callable(getattr(given, "parameters", None)):
        raise TypeError(
            f"an optimizer updates parameters, got the module {type(given).__name__}; "
            "pass module.parameters(), or module.named_parameters()"
        )


def refuse_set(given: Any) -> None:
    """A set has another order in every process, and saved states are matched by order."""
    if isinstance(given, (set, frozenset)):
        raise TypeError("parameters need an order, which a set does not have; pass a list")


def _named_group(group: Any) -> dict[str, Any]:
    if not isinstance(group, Mapping):
        raise TypeError(f"either every entry or none is a dict with a key 'params'; one is a {type(group).__name__}")
    if "params" not in group:
        raise ValueError(f"a parameter group needs the key 'params'; this one has {sorted(map(str, group))}")
    if "param_names" in group:
        raise ValueError("a group's parameters get their names as pairs, {'params': [(name, Tensor), ...]}")
    params = group["params"]
    refuse_module(params)
    refuse_set(params)
    if isinstance(params, (str, bytes)) or not isinstance(params, Iterable):
        raise TypeError(f"a group's 'params' must be a Tensor or an iterable of Tensors, got {type(params).__name__}")
    if isinstance(params, Mapping):
        raise TypeError("a group's 'params' must be Tensors or (name, Tensor) pairs, got a dict; pass its .items()")
    entries = [params] if isinstance(params, Tensor) else list(params)
    return {**group, "params": [_named(entry) for entry in entries]}


def _named(entry: Any) -> Named:
    given = isinstance(entry, tuple) and len(entry) == 2
    name, param = entry if given else (getattr(entry, "name", None), entry)
    refuse_module(param)
    if given and isinstance(name, Tensor):
        raise TypeError(f"a pair is (name, Tensor), in this order; got a Tensor of shape {name.shape} first")
    if not isinstance(param, Tensor):
        raise TypeError(
            f"an optimizer updates Tensors, got {type(param).__name__}; "
            "wrap your array: tinygrad_lr.tensor(array, requires_grad=True)"
        )
    if given and not isinstance(name, str):
        raise TypeError(f"a parameter's name is a string, as in (name, Tensor), got {name!r}")
    if not param.is_leaf:
        raise ValueError(
            f"parameter {name or ''} of shape {param.shape} is the result of an operation; "
            "only leaves can be optimized: pass the Tensor it was computed from, or its .detach()"
        )
    if param.dtype.kind != "f":
        raise TypeError(f"parameter {name or ''} has dtype {param.dtype}; only float32 and float64 can be optimized")
    return Named(param, name, given)
