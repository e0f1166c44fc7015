"""RAdam: Adam that waits until its second moment can be trusted. Kernel: kernels/updates/radam.py."""

from collections.abc import Mapping
from math import sqrt
from typing import Annotated, Any

from .common import common_constants, common_moving, moments
from .hyperparameters import DECOUPLED, Hyperparameter, Maximize, Params, TorchOptions, WeightDecay
from .optimizer import Optimizer
from .validation import decay_rates, non_negative, number, one_of


class RAdam(Optimizer, dialects=("paper", "torch", "optax")):
    """RAdam: m^ and v^ as Adam's; theta <- theta - lr r m^ / (sqrt(v^) + eps), and theta - lr m^ where rho is small.

    rho = rho_inf - 2 t beta2^t / (1 - beta2^t) counts how many gradients v knows, with rho_inf = 2 / (1 - beta2) - 1.
    r = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho)) makes up for what v varies.
    Source: Liu et al., arXiv:1908.03265, Algorithm 2. The paper has no epsilon: eps=0 is its form.

    Raises:
        TypeError, ValueError: see `Optimizer`; beta2 and threshold that let rho reach 4 or less where it is trusted.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.RAdam([w], lr=0.125)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "radam"
    examined = [
        {},
        {"betas": (0.5, 0.9), "weight_decay": 0.1},
        {"betas": (0.9, 0.95), "maximize": True, "eps": 1e-3, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-3)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.9, 0.999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8)] = None,
        weight_decay: WeightDecay = None,
        decoupled_weight_decay: Annotated[bool | None, DECOUPLED] = None,
        *,
        maximize: Maximize = None,
        threshold: Annotated[
            float | None,
            Hyperparameter("v is trusted where rho is above it, at least 4", number, 4.0, torch=5.0, optax=5.0),
        ] = None,
        eps_placement: Annotated[
            str | None,
            Hyperparameter(
                '"outside" the root of v^, or "hat": added to the root of the uncorrected v',
                one_of("outside", "hat"),
                "outside",
                torch="hat",
            ),
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constraints(self, group: Mapping[str, Any]) -> None:
        if group["threshold"] < 4:
            raise ValueError(
                f"threshold must be at least 4: below, r is the root of a negative number; got {group['threshold']}"
            )

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), **moments(group["betas"]), "eps": group["eps"], "zero": 0.0, "one": 1.0}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        beta1, beta2 = group["betas"]
        correction2 = 1.0 - beta2**step
        rho_inf = 2.0 / (1.0 - beta2) - 1.0
        rho = rho_inf - 2.0 * float(step) * beta2**step / correction2
        found = common_moving(group)
        found["rate"] = group["lr"] / (1.0 - beta1**step)
        found["trusted"] = 1.0 if rho > group["threshold"] else 0.0
        found["inverse2"] = 1.0 / correction2
        if rho > group["threshold"]:
            found["rate"] *= sqrt((rho - 4.0) * (rho - 2.0) * rho_inf / ((rho_inf - 4.0) * (rho_inf - 2.0) * rho))
            if group["eps_placement"] == "hat":
                found["rate"] *= sqrt(correction2)
                found["inverse2"] = 1.0
        return found
