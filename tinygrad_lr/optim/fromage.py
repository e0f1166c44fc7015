"""Fromage. Kernel: kernels/updates/fromage.py."""

from collections.abc import Mapping
from math import sqrt
from typing import Annotated, Any

from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer
from .validation import non_negative


class Fromage(Optimizer, dialects=("paper", "optax")):
    """Fromage: a step as long as lr times the parameter, and then theta shrinks by 1 / sqrt(1 + lr^2).

    theta <- (theta - lr |theta| / |g| g) / sqrt(1 + lr^2), with Euclidean norms of the whole parameter; the quotient is
    1 where either is 0. Source: Bernstein, Vahdat, Yue and Liu, arXiv:2002.03432, Algorithm 1.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([5.0, 0.0], requires_grad=True)
        >>> optimizer = optim.Fromage([w], lr=0.75)
        >>> w.grad = [2.0, 0.0]
        >>> optimizer.step(); w.data.tolist()
        [1.0, 0.0]
    """

    kernels = "fromage"
    counts_steps = False
    examined = [{}, {"min_norm": 0.5}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 0.01)] = None,
        *,
        min_norm: Annotated[
            float | None, Hyperparameter("what a norm is at least, at least 0", non_negative, 0.0, optax=1e-6)
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {"sign": 1.0, "min_norm": group["min_norm"]}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"lr": group["lr"], "shrink": 1.0 / sqrt(1.0 + group["lr"] * group["lr"])}
