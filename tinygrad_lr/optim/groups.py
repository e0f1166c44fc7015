"""Parameter groups: what a user passes becomes named parameters and a dict that validates what is assigned to it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tinygrad_lr.engine import Tensor

from .validation import non_negative

# Between these float32 holds a number to full relative precision: most hyperparameters, checked at no cost.
LEAST_FLOAT32, LARGEST_FLOAT32 = 1.2e-38, 3.4e38

# Keys that a group may carry besides its hyperparameters.
EXTRA_KEYS = ("name", "initial_lr")


class ParamGroup(dict[str, Any]):
    """One group's parameters and hyperparameters: a dict, as in torch, whose hyperparameters are checked on assignment.

    A wrong value is refused where it is written, and the group keeps what it had.

    Example:
        >>> from tinygrad_lr import optim, zeros
        >>> group = optim.SGD([zeros(3, requires_grad=True)], lr=0.1).param_groups[0]
        >>> group["lr"] = 0.05
        >>> group["lr"] = float("nan")
        Traceback (most recent call last):
            ...
        ValueError: lr must be finite, got nan; look at what computed it
    """

    __slots__ = ("_check", "changes")

    def __init__(self, values: Mapping[str, Any], check: Callable[[ParamGroup, str, Any], Any]) -> None:
        super().__init__(values)
        self._check = check
        self.changes = 0  # of hyperparameters other than the rate

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "lr" and type(value) is float and LEAST_FLOAT32 < value < LARGEST_FLOAT32:  # one comes at every step
            dict.__setitem__(self, key, value)
        else:
            self.put({key: self._check(self, key, value)})

    def put(self, checked: Mapping[str, Any]) -> None:
        """Store values that were checked already."""
        super().update(checked)
        self.changes += 1

    def update(self, *others: Any, **values: Any) -> None:
        for key, value in dict(*others, **values).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __delitem__(self, key: str) -> None:
        if key not in EXTRA_KEYS:
            raise KeyError(f"{key!r} cannot be removed from a parameter group; assign another value to it")
        super().__delitem__(key)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def check_extra(key: str, value: Any) -> Any:
    """Check a key that is no hyperparameter."""
    if key == "initial_lr":
        return non_negative(key, value)
    if not isinstance(value, str):
        raise TypeError(f"a group's name must be a string, got {value!r}")
    return value


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


def unknown_key(key: Any, known: Iterable[str], what: str) -> TypeError:
    """The error for a hyperparameter that does not exist, with the nearest one that does."""
    known = sorted(known)
    near = difflib.get_close_matches(str(key), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
    return TypeError(f"{what} has no hyperparameter {key!r}; {hint}")


def named_groups(params: Any) -> list[dict[str, Any]]:
    """Bring what a user passes as parameters into a list of dicts with a key `params`: a list of (name, Tensor)."""
    refuse_module(params)
    if isinstance(params, (Tensor, str, bytes)) or not isinstance(params, Iterable):
        raise TypeError(
            f"parameters must be an iterable of Tensors, of (name, Tensor) pairs or of dicts with a key 'params', "
            f"got {type(params).__name__}; wrap a single Tensor in a list"
        )
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


def _named_group(group: Any) -> dict[str, Any]:
    if not isinstance(group, Mapping):
        raise TypeError(f"either every entry or none is a dict with a key 'params'; one is a {type(group).__name__}")
    if "params" not in group:
        raise ValueError(f"a parameter group needs the key 'params'; this one has {sorted(map(str, group))}")
    params = group["params"]
    refuse_module(params)
    entries = [params] if isinstance(params, Tensor) else list(params)
    return {**group, "params": [_named(entry) for entry in entries]}


def _named(entry: Any) -> tuple[str | None, Tensor]:
    name, param = entry if isinstance(entry, tuple) and len(entry) == 2 else (getattr(entry, "name", None), entry)
    refuse_module(param)
    if not isinstance(param, Tensor):
        raise TypeError(
            f"an optimizer updates Tensors, got {type(param).__name__}; "
            "wrap your array: tinygrad_lr.tensor(array, requires_grad=True)"
        )
    if not param.is_leaf:
        raise ValueError(
            f"parameter {name or ''} of shape {param.shape} is the result of an operation; "
            "only leaves can be optimized: pass the Tensor it was computed from, or its .detach()"
        )
    if param.dtype.kind != "f":
        raise TypeError(f"parameter {name or ''} has dtype {param.dtype}; only float32 and float64 can be optimized")
    return name, param
