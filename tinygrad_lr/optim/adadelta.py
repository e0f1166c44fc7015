"""Adadelta: a rate that is made of the steps before. Kernel: kernels/updates/adadelta.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants
from .hyperparameters import DecoupledInKeras, Hyperparameter, Maximize, Params, TorchOptions, WeightDecay
from .optimizer import Optimizer
from .validation import decay_rate, non_negative


class Adadelta(Optimizer, dialects=("paper", "torch", "optax", "keras")):
    """Adadelta: d = sqrt(u + eps) / sqrt(s + eps) g, theta <- theta - lr d; s and u average g^2 and d^2.

    The paper has no rate: lr = 1. Source: Zeiler, arXiv:1212.5701, Algorithm 1.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Adadelta([w], rho=0.75, eps=1.0)
        >>> w.grad = [-2.0]
        >>> optimizer.step(); round(w.item(), 4)
        2.4142
    """

    kernels = "adadelta"
    counts_steps = False
    examined = [
        {},
        {"rho": 0.5, "eps": 0.1, "weight_decay": 0.1},
        {"maximize": True, "weight_decay": 0.1, "decoupled_weight_decay": True, "eps": 1e-3},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1.0, keras=1e-3)] = None,
        rho: Annotated[
            float | None,
            Hyperparameter("decay rate of both averages, in [0, 1)", decay_rate, 0.95, torch=0.9, optax=0.9),
        ] = None,
        eps: Annotated[
            float | None,
            Hyperparameter(
                "at least 0; the first steps are as large as it lets them be", non_negative, 1e-6, keras=1e-7
            ),
        ] = None,
        weight_decay: WeightDecay = None,
        *,
        maximize: Maximize = None,
        decoupled_weight_decay: DecoupledInKeras = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        rho = group["rho"]
        return {**common_constants(group), "rho": rho, "one_minus_rho": 1.0 - rho, "eps": group["eps"]}
