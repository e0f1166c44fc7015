"""Prodigy and D-Adapted Adam: the rate is the distance to the solution, estimated on the way.

Kernels: kernels/updates/prodigy.py and dadapt_adam.py.
"""

from collections.abc import Mapping
from math import inf, sqrt
from typing import Annotated, Any

from .common import moments
from .coupled import CoupledOptimizer
from .hyperparameters import Hyperparameter, Params, TorchOptions
from .validation import decay_rates, flag, non_negative, one_of, positive


def _rate(group: Mapping[str, Any], step: int) -> float:
    """The factor of d: lr, with Adam's two corrections where they are wanted."""
    lr: float = group["lr"]
    if not group["bias_correction"]:
        return lr
    beta1, beta2 = group["betas"]
    return lr * (sqrt(1.0 - beta2**step) / (1.0 - beta1**step))


class Prodigy(CoupledOptimizer, dialects=("paper", "authors", "optax")):
    """Prodigy: Adam whose rate is d, an estimate of the distance to the solution that only grows.

    gamma = lr d;  m <- beta1 m + (1 - beta1) d g;  v <- beta2 v + (1 - beta2) d^2 g^2;
    r <- sqrt(beta2) r + gamma d <g, theta_0 - theta>;  s <- sqrt(beta2) s + gamma d g;
    theta <- theta - gamma m / (sqrt(v) + d eps);  d <- max(d, r / |s|_1), with sums over all parameters of all groups.
    r and s are divided by `initial_distance`, which cancels. Decay: theta loses gamma weight_decay theta.
    Source: Mishchenko and Defazio, arXiv:2306.06101, Algorithm 4.

    Raises:
        TypeError, ValueError: see `CoupledOptimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Prodigy([w], betas=(0.5, 0.75), eps=0.0, initial_distance=0.25)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.75]
    """

    kernels = "prodigy"
    together = ("betas", "eps", "initial_distance", "eps_distance")
    examined = [
        {},
        {"weight_decay": 0.1, "betas": (0.5, 0.6), "eps": 0.1},
        {"initial_distance": 0.1, "bias_correction": True, "eps": 0.1, "eps_distance": "after"},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[
            float | None, Hyperparameter("a factor of the rate that is found, at least 0", non_negative, 1.0)
        ] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.9, 0.999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8)] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; theta loses lr d weight_decay theta", non_negative, 0.0)
        ] = None,
        *,
        initial_distance: Annotated[
            float | None, Hyperparameter("d before the first step, above 0", positive, 1e-6)
        ] = None,
        bias_correction: Annotated[
            bool | None,
            Hyperparameter("gamma is multiplied by sqrt(1 - beta2^t) / (1 - beta1^t)", flag, False, optax=True),
        ] = None,
        eps_distance: Annotated[
            str | None,
            Hyperparameter(
                'the d beside eps: that "before" the step, or "after" it',
                one_of("before", "after"),
                "before",
                authors="after",
            ),
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {
            **moments(group["betas"]),
            "kept": sqrt(group["betas"][1]),
            "sign": 1.0,
            "eps": group["eps"],
            "weight_decay": group["weight_decay"],
            "initial_distance": group["initial_distance"],
            "inverse_initial": 1.0 / group["initial_distance"],
            "eps_after": 1.0 if group["eps_distance"] == "after" else 0.0,
            "zero": 0.0,
            "one": 1.0,
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"rate": _rate(group, step), "first": 0.0 if step > 1 else 1.0}

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        return float(group["initial_distance"]) if key == "d" else 0.0


class DAdaptAdam(CoupledOptimizer, dialects=("paper", "authors")):
    """D-Adapted Adam: Adam whose rate is d, an estimate of the distance to the solution that only grows.

    gamma = lr d;  m <- beta1 m + (1 - beta1) gamma g;  v <- beta2 v + (1 - beta2) g^2;  k = sqrt(beta2);
    r <- k r + (1 - k) gamma <g, s / (sqrt(v) + eps)>;  s <- k s + (1 - k) gamma g;
    theta <- theta - m / (sqrt(v) + eps);  d <- max(d, r / ((1 - k) |s|_1)), with sums over all parameters of all
    groups. Source: Defazio and Mishchenko, arXiv:2301.07733, Algorithm 5.

    Raises:
        TypeError, ValueError: see `CoupledOptimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.DAdaptAdam([w], betas=(0.5, 0.75), eps=0.0, initial_distance=0.25)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.75]
    """

    kernels = "dadapt_adam"
    together = ("betas", "growth_rate")
    examined = [
        {},
        {"weight_decay": 0.1, "betas": (0.5, 0.6), "eps": 0.1, "decoupled_weight_decay": True},
        {"initial_distance": 0.1, "bias_correction": True, "eps": 0.1, "growth_rate": 1.02},
        {"initial_distance": 0.1, "weighting": "before", "weight_decay": 0.1, "betas": (0.5, 0.6), "eps": 0.1},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[
            float | None, Hyperparameter("a factor of the rate that is found, at least 0", non_negative, 1.0)
        ] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.9, 0.999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8)] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; see `decoupled_weight_decay`", non_negative, 0.0)
        ] = None,
        *,
        initial_distance: Annotated[
            float | None, Hyperparameter("d before the first step, above 0", positive, 1e-6)
        ] = None,
        growth_rate: Annotated[
            float | None, Hyperparameter("above 0: d grows by that factor at most in a step", non_negative, 0.0)
        ] = None,
        bias_correction: Annotated[
            bool | None, Hyperparameter("gamma is multiplied by sqrt(1 - beta2^t) / (1 - beta1^t)", flag, False)
        ] = None,
        weighting: Annotated[
            str | None,
            Hyperparameter(
                'the v that weighs r: that "before" the step, or "after" it',
                one_of("after", "before"),
                "after",
                authors="before",
            ),
        ] = None,
        decoupled_weight_decay: Annotated[
            bool | None,
            Hyperparameter(
                "False adds weight_decay * theta to the gradient; True: theta loses lr d weight_decay theta",
                flag,
                False,
            ),
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        decay, decoupled, kept = group["weight_decay"], group["decoupled_weight_decay"], sqrt(group["betas"][1])
        return {
            **moments(group["betas"]),
            "kept": kept,
            "one_minus_kept": 1.0 - kept,
            "sign": 1.0,
            "eps": group["eps"],
            "weight_decay": 0.0 if decoupled else decay,
            "decoupled": decay if decoupled else 0.0,
            "growth": group["growth_rate"] or inf,
            "before": 1.0 if group["weighting"] == "before" else 0.0,
            "zero": 0.0,
            "one": 1.0,
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"rate": _rate(group, step)}

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        return float(group["initial_distance"]) if key == "d" else 0.0
