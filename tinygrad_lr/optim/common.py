"""Scalars that the rules of several optimizers share, from the hyperparameters of a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def common_constants(group: Mapping[str, Any]) -> dict[str, float]:
    """The sign of the gradient, and the weight decay where it is coupled (added to the gradient)."""
    decay = 0.0 if group.get("decoupled_weight_decay") else group.get("weight_decay", 0.0)
    return {"sign": -1.0 if group.get("maximize") else 1.0, "weight_decay": decay, "shrink": 1.0}


def common_moving(group: Mapping[str, Any]) -> dict[str, float]:
    """The learning rate, and what theta is multiplied by where the weight decay is decoupled."""
    lr = group["lr"]
    if group.get("decoupled_weight_decay"):
        return {"lr": lr, "shrink": 1.0 - lr * group["weight_decay"]}
    return {"lr": lr}


def placed_eps(group: Mapping[str, Any]) -> dict[str, float]:
    """Epsilon inside or outside the root: the other of the two is zero."""
    inside = group["eps_placement"] == "inside"
    return {"eps_in": group["eps"] if inside else 0.0, "eps_out": 0.0 if inside else group["eps"]}


def placed_lr(group: Mapping[str, Any], share: float = 1.0) -> dict[str, float]:
    """The learning rate inside or outside a momentum buffer: `gain` multiplies what enters it, `rate` what leaves."""
    lr = group["lr"]
    if group["lr_placement"] == "inside":
        return {"rate": 1.0, "gain": lr * share, "fresh": lr}
    return {"rate": lr, "gain": share, "fresh": 1.0}
