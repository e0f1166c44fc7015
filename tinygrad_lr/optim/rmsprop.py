"""RMSprop, plain, centred and with momentum. Kernel: kernels/updates/rmsprop.py. Read adam.py next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .common import COMMON_DEFAULTS, COMMON_VALIDATORS, common_constants, common_moving, placed_eps
from .optimizer import Optimizer
from .sgd import placed_lr
from .validation import decay_rate, flag, fraction, non_negative, one_of


class RMSprop(Optimizer):
    """RMSprop: s <- alpha s + (1 - alpha) g^2, theta <- theta - lr g / sqrt(s + eps).

    Sources: Hinton, Neural Networks for Machine Learning, lecture 6e (2012); centred: Graves, arXiv:1308.0850.
    The centred variance s - a^2 is clamped at 0, where torch and optax (0.2.8) take the root of a negative number.

    Args:
        params: Tensors, (name, Tensor) pairs or groups (see `Optimizer`), float32 or float64, of any shape.
        lr: learning rate, at least 0 (0.01; optax, keras 0.001).
        alpha: decay rate of the mean of squares, the article's rho, in [0, 1) (0.99; optax, keras 0.9).
        eps: at least 0 (1e-8; keras 1e-7).
        weight_decay: at least 0; see `decoupled_weight_decay` (0).
        momentum: in [0, 1] (0: none).
        centered: divide by the root of the variance instead of the mean of squares (False).
        maximize: ascend (False).
        eps_placement: "inside" the root (article, optax, keras) or "outside" (torch).
        lr_placement: "inside" the momentum buffer (article, optax, keras) or "outside" (torch); see `SGD`.
        decoupled_weight_decay: False adds weight_decay * theta to the gradient; True (keras) multiplies theta by
            1 - lr * weight_decay.
        dialect: "article", "torch", "optax" or "keras": whose defaults are taken for what is None.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.RMSprop([w], lr=0.5, alpha=0.75, eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.0]
    """

    kernels = "rmsprop"
    validators = {
        **COMMON_VALIDATORS,
        "alpha": decay_rate,
        "eps": non_negative,
        "momentum": fraction,
        "centered": flag,
        "eps_placement": one_of("inside", "outside"),
        "lr_placement": one_of("inside", "outside"),
    }
    _article = {
        **COMMON_DEFAULTS,
        "lr": 1e-2,
        "alpha": 0.99,
        "eps": 1e-8,
        "momentum": 0.0,
        "centered": False,
        "eps_placement": "inside",
        "lr_placement": "inside",
    }
    dialects = {
        "article": _article,
        "torch": {**_article, "eps_placement": "outside", "lr_placement": "outside"},
        "optax": {**_article, "lr": 1e-3, "alpha": 0.9},
        "keras": {**_article, "lr": 1e-3, "alpha": 0.9, "eps": 1e-7, "decoupled_weight_decay": True},
    }

    def __init__(
        self,
        params: Any,
        lr: float | None = None,
        alpha: float | None = None,
        eps: float | None = None,
        weight_decay: float | None = None,
        momentum: float | None = None,
        centered: bool | None = None,
        *,
        maximize: bool | None = None,
        eps_placement: str | None = None,
        lr_placement: str | None = None,
        decoupled_weight_decay: bool | None = None,
        dialect: str = "article",
    ) -> None:
        super().__init__(
            params,
            dialect,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
            maximize=maximize,
            eps_placement=eps_placement,
            lr_placement=lr_placement,
            decoupled_weight_decay=decoupled_weight_decay,
        )

    def variant(self, group: Mapping[str, Any]) -> str:
        if group["momentum"] == 0:
            return "centered" if group["centered"] else "plain"
        return "centered_momentum" if group["centered"] else "momentum"

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        alpha = group["alpha"]
        return {
            **common_constants(group),
            **placed_eps(group),
            "momentum": group["momentum"],
            "alpha": alpha,
            "one_minus_alpha": 1.0 - alpha,
            "floor": 0.0,
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {**common_moving(group), **placed_lr(group)}
