"""Adamax: Adam with the largest decayed |g| below the fraction. Kernel: kernels/updates/adamax.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants, common_moving, moments, placed_eps
from .hyperparameters import DecoupledInKeras, Hyperparameter, Maximize, Params, TorchOptions, WeightDecay
from .optimizer import Optimizer
from .validation import decay_rates, non_negative, one_of


class Adamax(Optimizer, dialects=("paper", "torch", "optax", "keras")):
    """Adamax: m as Adam's; u <- max(beta2 u, |g|); theta <- theta - lr m^ / (u + eps).

    Source: Kingma and Ba, arXiv:1412.6980, section 7.1, Algorithm 2. The paper has no epsilon: eps=0 is its form.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Adamax([w], lr=0.5, eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "adamax"
    examined = [{}, {"betas": (0.5, 0.6), "weight_decay": 0.1}, {"maximize": True, "eps": 0.1}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 2e-3, keras=1e-3)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and u, each in [0, 1)", decay_rates, (0.9, 0.999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8, keras=1e-7)] = None,
        weight_decay: WeightDecay = None,
        *,
        maximize: Maximize = None,
        eps_placement: Annotated[
            str | None,
            Hyperparameter(
                '"inside" the maximum, max(beta2 u, |g| + eps), or "outside", u + eps',
                one_of("inside", "outside"),
                "outside",
                torch="inside",
                optax="inside",
            ),
        ] = None,
        decoupled_weight_decay: DecoupledInKeras = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), **placed_eps(group), **moments(group["betas"]), "zero": 0.0}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {**common_moving(group), "rate": group["lr"] / (1.0 - group["betas"][0] ** step)}
