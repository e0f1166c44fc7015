"""`for_torch`: a saved state as torch's optimizers take it. `Optimizer.load_state_dict` takes theirs as it is."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lr.engine import zeros

from .short_moments import decoded_state
from .table import OPTIMIZERS

__all__ = ["for_torch"]

STEPS = range(1, 11)  # whose scalars are compared; every option of a dialect changes one of them


def for_torch(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """A state_dict with torch's tensors in place of arrays, which torch's `load_state_dict` refuses.

    The state is of an optimizer in dialect "torch", over the same parameters in the same order as torch's optimizer:
    `theirs.load_state_dict(optim.for_torch(ours.state_dict()))`. Steps of other dialects would not go on in torch as
    they began; such a state is refused.

    Args:
        state_dict: what `state_dict()` gave; moments in fewer bytes are decoded.

    Returns:
        A new dict in the same layout, whose tensors lie on the CPU. torch moves them to its parameters.

    Raises:
        ImportError: torch is not installed.
        ValueError: torch's optimizer makes other steps than the dialect of the state.
    """
    import torch

    def entry(values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {k: torch.tensor(v) if isinstance(v, (np.ndarray, np.generic)) else v for k, v in values.items()}

    for number, group in enumerate(state_dict["param_groups"]):
        _refuse_others(number, group)
    groups = [_named_by_torch(group) for group in state_dict["param_groups"]]
    return {
        **state_dict,
        "param_groups": groups,
        "state": {key: entry(values) for key, values in decoded_state(state_dict)["state"].items()},
    }


def _refuse_others(number: int, group: Mapping[str, Any]) -> None:
    """Raise a ValueError where an option that torch does not have changes the group's steps."""
    import torch

    alike = [cls for cls in OPTIMIZERS.values() if "torch" in cls.dialects and set(cls.hyperparameters) <= set(group)]
    cls = max(alike, key=lambda each: len(each.hyperparameters), default=None)
    if cls is None or not hasattr(torch.optim, cls.__name__):
        return
    known = inspect.signature(getattr(torch.optim, cls.__name__)).parameters
    own = [key for key in cls.hyperparameters if key not in known and key not in cls.torch_names.values()]
    probe = cls([zeros((1, 1), requires_grad=True)], dialect="torch")

    def steps(values: Mapping[str, Any]) -> Any:
        kernel, scalars = probe.kernel(values), [probe.scalars(values, step) for step in STEPS]
        return kernel, [[each[name] for name in kernel.scalars] for each in scalars]

    differ = [key for key in own if steps(group) != steps({**group, key: cls.dialects["torch"][key]})]
    if differ:
        said = ", ".join(f"{key}={group[key]!r}" for key in differ)
        raise ValueError(
            f"group {number} has {said}, which torch does not have: its steps would be others; build "
            'the optimizer with dialect="torch" before its first step'
        )


def _named_by_torch(group: Mapping[str, Any]) -> dict[str, Any]:
    """A group whose hyperparameters have torch's names where those are others."""
    for cls in OPTIMIZERS.values():
        if cls.torch_names and set(cls.torch_names.values()) <= set(group):
            theirs = {ours: name for name, ours in cls.torch_names.items()}
            return {theirs.get(key, key): value for key, value in group.items()}
    return dict(group)
