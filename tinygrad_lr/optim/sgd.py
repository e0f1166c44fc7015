"""SGD: gradient descent, with momentum and Nesterov's momentum. Kernel: kernels/updates/sgd.py. Read adam.py next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .common import COMMON_DEFAULTS, COMMON_VALIDATORS, common_constants, common_moving
from .optimizer import Optimizer
from .validation import flag, fraction, one_of


class SGD(Optimizer):
    """Gradient descent: theta <- theta - lr g, with momentum b <- mu b + lr g, theta <- theta - b.

    Batch, mini-batch or stochastic is a matter of which rows the gradient was computed from, not of this class.
    Sources: Polyak (1964) and Nesterov (1983), in the form of Sutskever et al. (ICML 2013).

    Args:
        params: Tensors, (name, Tensor) pairs or groups (see `Optimizer`), float32 or float64, of any shape.
        lr: learning rate, at least 0 (0.001).
        momentum: mu, in [0, 1] (0: none).
        dampening: in [0, 1]; the gradient enters the buffer times 1 - dampening (0).
        weight_decay: at least 0; see `decoupled_weight_decay` (0).
        nesterov: step along the gradient plus mu times the new buffer; needs momentum and no dampening (False).
        maximize: ascend (False).
        lr_placement: "inside" the momentum buffer (article, keras) or "outside" (torch, optax). The same trajectory
            while lr is constant; inside, a changed lr reaches only what enters the buffer from then on.
        dampen_first_step: False (torch) leaves out the dampening of a parameter's first step (article: True).
        decoupled_weight_decay: False adds weight_decay * theta to the gradient (article, torch, optax); True multiplies
            theta by 1 - lr * weight_decay (keras).
        dialect: "article", "torch", "optax" or "keras": whose defaults are taken for what is None.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.SGD([w], lr=0.5)
        >>> w.grad = [1.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "sgd"
    validators = {
        **COMMON_VALIDATORS,
        "momentum": fraction,
        "dampening": fraction,
        "nesterov": flag,
        "lr_placement": one_of("inside", "outside"),
        "dampen_first_step": flag,
    }
    _article = {
        **COMMON_DEFAULTS,
        "lr": 1e-3,
        "momentum": 0.0,
        "dampening": 0.0,
        "nesterov": False,
        "lr_placement": "inside",
        "dampen_first_step": True,
    }
    dialects = {
        "article": _article,
        "torch": {**_article, "lr_placement": "outside", "dampen_first_step": False},
        "optax": {**_article, "lr_placement": "outside"},
        "keras": {**_article, "lr": 1e-2, "decoupled_weight_decay": True},
    }

    def __init__(
        self,
        params: Any,
        lr: float | None = None,
        momentum: float | None = None,
        dampening: float | None = None,
        weight_decay: float | None = None,
        nesterov: bool | None = None,
        *,
        maximize: bool | None = None,
        lr_placement: str | None = None,
        dampen_first_step: bool | None = None,
        decoupled_weight_decay: bool | None = None,
        dialect: str = "article",
    ) -> None:
        super().__init__(
            params,
            dialect,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
            lr_placement=lr_placement,
            dampen_first_step=dampen_first_step,
            decoupled_weight_decay=decoupled_weight_decay,
        )

    def constraints(self, group: Mapping[str, Any]) -> None:
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(
                f"nesterov needs momentum above 0 and dampening 0, "
                f"got momentum={group['momentum']}, dampening={group['dampening']}"
            )

    def variant(self, group: Mapping[str, Any]) -> str:
        if group["momentum"] == 0:
            return "plain"
        return "nesterov" if group["nesterov"] else "momentum"

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), "momentum": group["momentum"]}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        dampened = step > 1 or group["dampen_first_step"]
        share = 1.0 - group["dampening"] if dampened else 1.0
        return {**common_moving(group), **placed_lr(group, share)}


def placed_lr(group: Mapping[str, Any], share: float = 1.0) -> dict[str, float]:
    """The learning rate inside or outside a momentum buffer: `gain` multiplies what enters it, `rate` what leaves."""
    lr = group["lr"]
    if group["lr_placement"] == "inside":
        return {"rate": 1.0, "gain": lr * share, "fresh": lr}
    return {"rate": lr, "gain": share, "fresh": 1.0}
