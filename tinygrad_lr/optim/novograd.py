"""NovoGrad. Kernel: kernels/updates/novograd.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import moments
from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rates, non_negative


class NovoGrad(Optimizer, dialects=("paper", "optax")):
    """NovoGrad: momentum of gradients that are divided by the norm of the whole parameter's gradient.

    v <- beta2 v + (1 - beta2) |g|^2, at first |g|^2;  m <- beta1 m + g / (sqrt(v) + eps) + weight_decay theta;
    theta <- theta - lr m.  v is one number for a parameter. Source: Ginsburg et al., arXiv:1905.11286, Algorithm 1.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0, 1.0], requires_grad=True)
        >>> optimizer = optim.NovoGrad([w], lr=0.5, eps=0.0)
        >>> w.grad = [0.0, 2.0]
        >>> optimizer.step(); w.data.tolist()
        [1.0, 0.5]
    """

    kernels = "novograd"
    examined = [{}, {"weight_decay": 0.1, "betas": (0.5, 0.6)}, {"eps": 0.1, "eps_root": 0.2}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 0.01)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.95, 0.98), optax=(0.9, 0.25)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8, optax=1e-6)] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; it is added to the scaled gradient", non_negative, 0.0)
        ] = None,
        *,
        eps_root: Annotated[float | None, Hyperparameter("added to v, at least 0", non_negative, 0.0)] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {
            **moments(group["betas"]),
            "sign": 1.0,
            "eps": group["eps"],
            "eps_root": group["eps_root"],
            "weight_decay": group["weight_decay"],
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"lr": group["lr"], "first": 0.0 if step > 1 else 1.0}
