"""RMSprop, plain, centred and with momentum. Kernel: kernels/updates/rmsprop.py. Read adam.py next."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants, common_moving, placed_eps, placed_lr
from .hyperparameters import DecoupledInKeras, Hyperparameter, Maximize, Params, TorchOptions, WeightDecay
from .optimizer import Optimizer
from .validation import decay_rate, flag, fraction, non_negative, one_of


class RMSprop(Optimizer, dialects=("article", "torch", "optax", "keras")):
    """RMSprop: s <- alpha s + (1 - alpha) g^2, theta <- theta - lr g / sqrt(s + eps).

    Sources: Hinton, Neural Networks for Machine Learning, lecture 6e (2012); centred: Graves, arXiv:1308.0850.
    The centred variance s - a^2 is clamped at 0, where torch and optax (0.2.8) take the root of a negative number.

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
    examined = [
        {},
        {"centered": True, "weight_decay": 0.1},
        {"momentum": 0.9, "maximize": True},
        {"centered": True, "momentum": 0.5, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[
            float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-2, optax=1e-3, keras=1e-3)
        ] = None,
        alpha: Annotated[
            float | None,
            Hyperparameter(
                "decay rate of the mean of squares, the article's rho, in [0, 1)",
                decay_rate,
                0.99,
                optax=0.9,
                keras=0.9,
            ),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8, keras=1e-7)] = None,
        weight_decay: WeightDecay = None,
        momentum: Annotated[float | None, Hyperparameter("in [0, 1]; 0 is none", fraction, 0.0)] = None,
        centered: Annotated[
            bool | None,
            Hyperparameter("divide by the root of the variance instead of the mean of squares", flag, False),
        ] = None,
        *,
        maximize: Maximize = None,
        eps_placement: Annotated[
            str | None,
            Hyperparameter('"inside" the root or "outside"', one_of("inside", "outside"), "inside", torch="outside"),
        ] = None,
        lr_placement: Annotated[
            str | None,
            Hyperparameter(
                '"inside" the momentum buffer or "outside"; see `SGD`',
                one_of("inside", "outside"),
                "inside",
                torch="outside",
            ),
        ] = None,
        decoupled_weight_decay: DecoupledInKeras = None,
        dialect: str = "article",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

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
