"""AdEMAMix, and its simplified form: Adam with a second, slower average.

Kernels: kernels/updates/ademamix.py and simplified_ademamix.py.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import always_decoupled, moments
from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rates, non_negative, three_decay_rates

_Decay = Annotated[
    float | None, Hyperparameter("at least 0; theta is multiplied by 1 - lr * weight_decay", non_negative, 0.0)
]
_Root = Annotated[float | None, Hyperparameter("added to v^ inside the root, at least 0", non_negative, 0.0)]
_Eps = Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8)]
_Rate = Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-3)]


class AdEMAMix(Optimizer, dialects=("paper", "optax")):
    """AdEMAMix: Adam with a slow average m2 beside m1; theta <- theta - lr (m1^ + alpha m2) / (sqrt(v^) + eps).

    m2 is not corrected. Source: Pagliardini, Ablin and Grangier, arXiv:2409.03137, section 3. The paper lets alpha and
    beta3 grow in the first steps; assign them to the group for that.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.AdEMAMix([w], lr=0.5, betas=(0.0, 0.0, 0.0), alpha=1.0, eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.0]
    """

    kernels = "ademamix"
    examined = [{}, {"betas": (0.5, 0.6, 0.7), "weight_decay": 0.1, "alpha": 2.0, "eps_root": 0.1}]

    def __init__(
        self,
        params: Params,
        lr: _Rate = None,
        betas: Annotated[
            tuple[float, float, float] | None,
            Hyperparameter("decay rates of m1, v and m2, each in [0, 1)", three_decay_rates, (0.9, 0.999, 0.9999)),
        ] = None,
        eps: _Eps = None,
        weight_decay: _Decay = None,
        alpha: Annotated[float | None, Hyperparameter("weight of m2, at least 0", non_negative, 5.0)] = None,
        *,
        eps_root: _Root = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**moments(group["betas"]), "eps": group["eps"], "eps_root": group["eps_root"], "sign": 1.0}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        beta1, beta2, _ = group["betas"]
        return {
            **always_decoupled(group),
            "rate": group["lr"] / (1.0 - beta1**step),
            "rate_slow": group["lr"] * group["alpha"],
            "inverse2": 1.0 / (1.0 - beta2**step),
        }


class SimplifiedAdEMAMix(Optimizer, dialects=("paper", "optax")):
    """Simplified AdEMAMix: m <- beta1 m + g; theta <- theta - lr (m + alpha g) / (sqrt(v^) + eps).

    m is a sum, about 1 / (1 - beta1) gradients large, so that lr is much smaller than Adam's. Source: Morwani et al.,
    arXiv:2502.02431, Algorithm 2.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.SimplifiedAdEMAMix([w], lr=0.25, alpha=1.0, eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "simplified_ademamix"
    examined = [{}, {"betas": (0.5, 0.6), "weight_decay": 0.1, "alpha": 2.0, "eps_root": 0.1}]

    def __init__(
        self,
        params: Params,
        lr: _Rate = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.99, 0.95)),
        ] = None,
        eps: _Eps = None,
        weight_decay: _Decay = None,
        alpha: Annotated[
            float | None, Hyperparameter("weight of the newest gradient, at least 0", non_negative, 0.0)
        ] = None,
        *,
        eps_root: _Root = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        more = {name: group[name] for name in ("alpha", "eps", "eps_root")}
        return {**moments(group["betas"]), **more, "sign": 1.0}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {**always_decoupled(group), "inverse2": 1.0 / (1.0 - group["betas"][1] ** step)}
