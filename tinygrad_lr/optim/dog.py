"""DoG and DoWG: the rate is the distance from where theta began, over the gradients so far.

Kernels: kernels/updates/dog.py and dowg.py.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from .coupled import CoupledOptimizer
from .hyperparameters import Hyperparameter, Params, TorchOptions
from .validation import non_negative, positive


class DoG(CoupledOptimizer, dialects=("paper", "optax")):
    """DoG, distance over gradients: theta <- theta - lr d / sqrt(G + eps) g.

    d is the largest distance from theta_0 so far, of all parameters of all groups together, G the sum of |g|^2 so far;
    d starts from r (1 + |theta_0|), r being `initial_distance`. Its state keeps theta_0, "p0".
    Source: Ivgi, Hinder and Carmon, arXiv:2302.12022, equation 2.

    Raises:
        TypeError, ValueError: see `CoupledOptimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.DoG([w], eps=0.0, initial_distance=0.25)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "dog"
    together = ("eps", "initial_distance")
    examined = [{}, {"weight_decay": 0.1, "eps": 0.1}, {"initial_distance": 0.1}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[
            float | None, Hyperparameter("a factor of the rate that is found, at least 0", non_negative, 1.0)
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8)] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; it is added to the gradient", non_negative, 0.0)
        ] = None,
        *,
        initial_distance: Annotated[float | None, Hyperparameter("r, above 0", positive, 1e-6)] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        found = {"sign": 1.0, "eps": group["eps"], "weight_decay": group["weight_decay"], "zero": 0.0}
        return {**found, "initial_distance": group["initial_distance"]}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"lr": group["lr"], "first": 0.0 if step > 1 else 1.0}


class DoWG(CoupledOptimizer, dialects=("paper", "optax")):
    """DoWG, distance over weighted gradients: theta <- theta - lr D / (sqrt(G) + eps) g.

    D is the largest squared distance from theta_0 so far, of all parameters of all groups together, G the sum of D
    |g|^2 so far; D starts from eps. Its state keeps theta_0, "p0".
    Source: Khaled, Mishchenko and Jin, arXiv:2305.16284, Algorithm 1.

    Raises:
        TypeError, ValueError: see `CoupledOptimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.DoWG([w], lr=2.0, eps=1.0)
        >>> w.grad = [3.0]
        >>> optimizer.step(); w.data.tolist()
        [-0.5]
    """

    kernels = "dowg"
    together = ("eps",)
    examined = [{}, {"weight_decay": 0.1, "eps": 0.1}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[
            float | None, Hyperparameter("a factor of the rate that is found, at least 0", non_negative, 1.0)
        ] = None,
        eps: Annotated[
            float | None, Hyperparameter("the first D, and added to the root, above 0", positive, 1e-4)
        ] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; it is added to the gradient", non_negative, 0.0)
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {"sign": 1.0, "eps": group["eps"], "weight_decay": group["weight_decay"], "zero": 0.0}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"lr": group["lr"], "first": 0.0 if step > 1 else 1.0}

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        return float(group["eps"]) if key == "D" else 0.0
