"""What every optimizer has: validators and defaults of the common hyperparameters, and scalars from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .validation import Validator, flag, non_negative

COMMON_VALIDATORS: dict[str, Validator] = {
    "lr": non_negative,
    "weight_decay": non_negative,
    "decoupled_weight_decay": flag,
    "maximize": flag,
}
COMMON_DEFAULTS: dict[str, Any] = {"weight_decay": 0.0, "decoupled_weight_decay": False, "maximize": False}


def common_constants(group: Mapping[str, Any]) -> dict[str, float]:
    """The sign of the gradient, and the weight decay where it is coupled (added to the gradient)."""
    decay = 0.0 if group["decoupled_weight_decay"] else group["weight_decay"]
    return {"sign": -1.0 if group["maximize"] else 1.0, "weight_decay": decay, "shrink": 1.0}


def common_moving(group: Mapping[str, Any]) -> dict[str, float]:
    """The learning rate, and what theta is multiplied by where the weight decay is decoupled."""
    lr = group["lr"]
    if group["decoupled_weight_decay"]:
        return {"lr": lr, "shrink": 1.0 - lr * group["weight_decay"]}
    return {"lr": lr}


def placed_eps(group: Mapping[str, Any]) -> dict[str, float]:
    """Epsilon inside or outside the root: the other of the two is zero."""
    inside = group["eps_placement"] == "inside"
    return {"eps_in": group["eps"] if inside else 0.0, "eps_out": 0.0 if inside else group["eps"]}
