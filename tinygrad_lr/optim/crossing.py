"""`for_torch`: a saved state as torch's optimizers take it. `Optimizer.load_state_dict` takes theirs as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .short_moments import decoded_state
from .table import OPTIMIZERS

__all__ = ["for_torch"]


def for_torch(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """A state_dict with torch's tensors in place of arrays, which torch's `load_state_dict` refuses.

    The state is of an optimizer in dialect "torch", over the same parameters in the same order as torch's optimizer:
    `theirs.load_state_dict(optim.for_torch(ours.state_dict()))`.

    Args:
        state_dict: what `state_dict()` gave; moments in fewer bytes are decoded.

    Returns:
        A new dict in the same layout, whose tensors lie on the CPU. torch moves them to its parameters.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    def entry(values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {k: torch.tensor(v) if isinstance(v, (np.ndarray, np.generic)) else v for k, v in values.items()}

    groups = [_named_by_torch(group) for group in state_dict["param_groups"]]
    return {
        **state_dict,
        "param_groups": groups,
        "state": {key: entry(values) for key, values in decoded_state(state_dict)["state"].items()},
    }


def _named_by_torch(group: Mapping[str, Any]) -> dict[str, Any]:
    """A group whose hyperparameters have torch's names where those are others."""
    for cls in OPTIMIZERS.values():
        if cls.torch_names and set(cls.torch_names.values()) <= set(group):
            theirs = {ours: name for name, ours in cls.torch_names.items()}
            return {theirs.get(key, key): value for key, value in group.items()}
    return dict(group)
