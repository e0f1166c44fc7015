"""Scalars that the rules of several optimizers share, from the hyperparameters of a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def moments(betas: Sequence[float]) -> dict[str, float]:
    """beta_i, and 1 - beta_i, of moving averages."""
    found: dict[str, float] = {}
    for i, beta in enumerate(betas, start=1):
        found |= {f"beta{i}": beta, f"one_minus_beta{i}": 1.0 - beta}
    return found


def corrected_rates(group: Mapping[str, Any], step: int) -> dict[str, float]:
    """lr / (1 - beta1^t) and 1 / (1 - beta2^t), by which Adam's two moments are corrected."""
    beta1, beta2 = group["betas"]
    return {"rate": group["lr"] / (1.0 - beta1**step), "inverse2": 1.0 / (1.0 - beta2**step)}


def always_decoupled(group: Mapping[str, Any]) -> dict[str, float]:
    """The learning rate, and what theta is multiplied by where the weight decay can be nothing but decoupled."""
    return {"lr": group["lr"], "shrink": 1.0 - group["lr"] * group["weight_decay"]}
