"""AdaGrad. Kernel: kernels/updates/adagrad.py. Read rmsprop.py next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .common import COMMON_DEFAULTS, COMMON_VALIDATORS, common_constants, common_moving, placed_eps
from .optimizer import Optimizer
from .validation import non_negative, one_of


class Adagrad(Optimizer):
    """AdaGrad: G <- G + g^2, theta <- theta - lr g / sqrt(G + eps).

    Source: Duchi, Hazan and Singer, Journal of Machine Learning Research 12 (2011); epsilon as in the article.

    Args:
        params: Tensors, (name, Tensor) pairs or groups (see `Optimizer`), float32 or float64, of any shape.
        lr: learning rate, at least 0 (0.01).
        lr_decay: at least 0; the rate of step t is lr / (1 + (t - 1) lr_decay) (0).
        weight_decay: at least 0; see `decoupled_weight_decay` (0).
        initial_accumulator_value: what G starts from, at least 0 (article, torch 0; optax, keras 0.1).
        eps: at least 0 (1e-10; optax and keras 1e-7).
        maximize: ascend (False).
        eps_placement: "inside" the root (article, optax, keras) or "outside" (torch).
        decoupled_weight_decay: False adds weight_decay * theta to the gradient; True (keras) multiplies theta by
            1 - lr * weight_decay.
        dialect: "article", "torch", "optax" or "keras": whose defaults are taken for what is None.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Adagrad([w], lr=0.5, eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "adagrad"
    validators = {
        **COMMON_VALIDATORS,
        "lr_decay": non_negative,
        "initial_accumulator_value": non_negative,
        "eps": non_negative,
        "eps_placement": one_of("inside", "outside"),
    }
    _article = {
        **COMMON_DEFAULTS,
        "lr": 1e-2,
        "lr_decay": 0.0,
        "initial_accumulator_value": 0.0,
        "eps": 1e-10,
        "eps_placement": "inside",
    }
    _accumulated = {**_article, "lr": 1e-3, "initial_accumulator_value": 0.1, "eps": 1e-7}
    dialects = {
        "article": _article,
        "torch": {**_article, "eps_placement": "outside"},
        "optax": _accumulated,
        "keras": {**_accumulated, "decoupled_weight_decay": True},
    }

    def __init__(
        self,
        params: Any,
        lr: float | None = None,
        lr_decay: float | None = None,
        weight_decay: float | None = None,
        initial_accumulator_value: float | None = None,
        eps: float | None = None,
        *,
        maximize: bool | None = None,
        eps_placement: str | None = None,
        decoupled_weight_decay: bool | None = None,
        dialect: str = "article",
    ) -> None:
        super().__init__(
            params,
            dialect,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
            maximize=maximize,
            eps_placement=eps_placement,
            decoupled_weight_decay=decoupled_weight_decay,
        )

    def variant(self, group: Mapping[str, Any]) -> str:
        return "plain"

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        return float(group["initial_accumulator_value"])

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), **placed_eps(group)}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {**common_moving(group), "lr": group["lr"] / (1.0 + (step - 1) * group["lr_decay"])}
