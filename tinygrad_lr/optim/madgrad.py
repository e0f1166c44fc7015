"""MADGRAD: dual averaging from where theta began, under a cube root. Kernel: kernels/updates/madgrad.py."""

from collections.abc import Mapping
from math import sqrt
from typing import Annotated, Any

from .common import common_constants
from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rate, flag, non_negative


class MADGRAD(Optimizer, dialects=("paper", "optax")):
    """MADGRAD: s and v sum rate g and rate g^2, rate = lr sqrt(t); theta goes towards theta_0 - s / (cbrt(v) + eps).

    theta <- momentum theta + (1 - momentum) (theta_0 - s / (cbrt(v) + eps)). Its state keeps theta_0, "p0".
    Source: Defazio and Jelassi, arXiv:2101.11075, Algorithm 1.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.MADGRAD([w], lr=0.125, momentum=0.0, eps=0.0)
        >>> w.grad = [8.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "madgrad"
    examined = [{}, {"momentum": 0.0, "weight_decay": 0.1}, {"momentum": 0.5, "eps": 0.1, "eps_in_rate": True}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-2)] = None,
        momentum: Annotated[
            float | None, Hyperparameter("the share of theta that stays, the paper's 1 - c, in [0, 1)", decay_rate, 0.9)
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-6)] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; it is added to the gradient", non_negative, 0.0)
        ] = None,
        *,
        eps_in_rate: Annotated[
            bool | None, Hyperparameter("lr + eps in the place of lr", flag, False, optax=True)
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        momentum = group["momentum"]
        return {
            **common_constants(group),
            "momentum": momentum,
            "one_minus_momentum": 1.0 - momentum,
            "eps": group["eps"],
            "zero": 0.0,
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        lr = group["lr"] + group["eps"] if group["eps_in_rate"] else group["lr"]
        return {"rate": lr * sqrt(step), "first": 0.0 if step > 1 else 1.0}
