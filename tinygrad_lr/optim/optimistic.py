"""Optimistic descent: the next gradient is taken to change as the last one did.

Kernels: kernels/updates/optimistic_gd.py and optimistic_adam.py.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_moving, moments
from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rates, non_negative, one_of

_Alpha = Annotated[float | None, Hyperparameter("weight of the newest, at least 0", non_negative, 1.0)]
_Beta = Annotated[float | None, Hyperparameter("weight of its change, at least 0", non_negative, 1.0)]


def _weights(group: Mapping[str, Any]) -> dict[str, float]:
    return {"both": group["alpha"] + group["beta"], "beta": group["beta"], "zero": 0.0, "sign": 1.0}


class OptimisticGD(Optimizer, dialects=("paper", "optax")):
    """Optimistic gradient descent: theta <- theta - lr (alpha g + beta (g - g_before)); it settles where games circle.

    Source: Daskalakis et al., arXiv:1711.00141, equation 4; the weights: Mokhtari et al., 2020.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.OptimisticGD([w], lr=0.5)
        >>> for g in (2.0, 1.0):
        ...     w.grad = [g]
        ...     optimizer.step()
        >>> w.data.tolist()
        [0.0]
    """

    kernels = "optimistic_gd"
    examined = [{}, {"alpha": 0.5, "beta": 0.25}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 0.1)] = None,
        alpha: _Alpha = None,
        beta: _Beta = None,
        *,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return _weights(group)

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {**common_moving(group), "first": 0.0 if step > 1 else 1.0}


class OptimisticAdam(Optimizer, dialects=("paper", "optax")):
    """Optimistic Adam: u = m^ / (sqrt(v^) + eps) as Adam's; theta <- theta - lr (alpha u + beta (u - u_before)).

    Source: Daskalakis et al., arXiv:1711.00141, Algorithm 1.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.OptimisticAdam([w], lr=0.25, eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "optimistic_adam"
    examined = [{}, {"betas": (0.5, 0.6), "eps_root": 0.1, "alpha": 0.5, "beta": 0.25, "first_form": "same"}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-3)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.9, 0.999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8)] = None,
        alpha: _Alpha = None,
        beta: _Beta = None,
        *,
        eps_root: Annotated[
            float | None, Hyperparameter("added to v^ inside the root, at least 0", non_negative, 0.0)
        ] = None,
        first_form: Annotated[
            str | None,
            Hyperparameter(
                'u_before in the first step: "zero", or "same": u itself', one_of("zero", "same"), "zero", optax="same"
            ),
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**moments(group["betas"]), **_weights(group), "eps": group["eps"], "eps_root": group["eps_root"]}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        beta1, beta2 = group["betas"]
        return {
            **common_moving(group),
            "inverse1": 1.0 / (1.0 - beta1**step),
            "inverse2": 1.0 / (1.0 - beta2**step),
            "same": 0.0 if step > 1 or group["first_form"] == "zero" else 1.0,
        }
