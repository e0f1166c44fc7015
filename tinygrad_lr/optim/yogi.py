"""Yogi and AdaBelief: Adam with another second moment. Kernels: kernels/updates/yogi.py and adabelief.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants, common_moving, corrected_rates, moments
from .hyperparameters import DECOUPLED, Hyperparameter, Maximize, Params, TorchOptions, WeightDecay
from .optimizer import Optimizer
from .validation import decay_rates, flag, non_negative


class Yogi(Optimizer, dialects=("paper", "optax")):
    """Yogi: v moves towards g^2 by a share of g^2, not of the difference; theta <- theta - lr m / (sqrt(v) + eps).

    v <- v - (1 - beta2) sign(v - g^2) g^2: after large gradients it falls slower than Adam's.
    Source: Zaheer et al., NeurIPS 2018, Algorithm 2.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Yogi([w], lr=0.5, betas=(0.0, 0.0), eps=0.0, initial_accumulator_value=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "yogi"
    examined = [
        {},
        {"betas": (0.5, 0.6), "weight_decay": 0.1, "initial_accumulator_value": 0.5},
        {"maximize": True, "weight_decay": 0.1, "decoupled_weight_decay": True, "eps": 0.1},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-2)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.9, 0.999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-3)] = None,
        weight_decay: WeightDecay = None,
        initial_accumulator_value: Annotated[
            float | None, Hyperparameter("v before the first step, at least 0", non_negative, 1e-6)
        ] = None,
        *,
        maximize: Maximize = None,
        bias_correction: Annotated[
            bool | None, Hyperparameter("divide m and v by 1 - beta^t, as Adam does", flag, False, optax=True)
        ] = None,
        decoupled_weight_decay: Annotated[bool | None, DECOUPLED] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        return float(group["initial_accumulator_value"]) if key == "exp_avg_sq" else 0.0

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), **moments(group["betas"]), "eps": group["eps"]}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        if group["bias_correction"]:
            return {**common_moving(group), **corrected_rates(group, step)}
        return {**common_moving(group), "rate": group["lr"], "inverse2": 1.0}


class AdaBelief(Optimizer, dialects=("paper", "optax")):
    """AdaBelief: m as Adam's, and s, a moving average of (g - m)^2; theta <- theta - lr m^ / (sqrt(s^) + eps).

    Where gradients are as the momentum foresees, its steps are large. Source: Zhuang et al., arXiv:2010.07468,
    Algorithm 2, whose two epsilons are `eps` and `eps_root` here.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.AdaBelief([w], lr=0.5, betas=(0.5, 0.0), eps=0.0, eps_root=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.0]
    """

    kernels = "adabelief"
    examined = [
        {},
        {"betas": (0.5, 0.6), "weight_decay": 0.1, "eps_root": 0.1},
        {"maximize": True, "weight_decay": 0.1, "decoupled_weight_decay": True, "eps": 1e-3},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-3)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and s, each in [0, 1)", decay_rates, (0.9, 0.999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8, optax=1e-16)] = None,
        eps_root: Annotated[
            float | None, Hyperparameter("what every step adds to s, at least 0", non_negative, 1e-8, optax=1e-16)
        ] = None,
        weight_decay: WeightDecay = None,
        *,
        maximize: Maximize = None,
        decoupled_weight_decay: Annotated[bool | None, DECOUPLED] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        more = {"eps": group["eps"], "eps_root": group["eps_root"]}
        return {**common_constants(group), **moments(group["betas"]), **more}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {**common_moving(group), **corrected_rates(group, step)}
