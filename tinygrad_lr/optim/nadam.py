"""NAdam: Adam that looks one step of momentum ahead. Kernel: kernels/updates/nadam.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants, common_moving, moments
from .hyperparameters import DecoupledInKeras, Hyperparameter, Maximize, Params, TorchOptions, WeightDecay
from .optimizer import Optimizer
from .validation import decay_rates, non_negative, one_of


def _mu(group: Mapping[str, Any], step: int) -> float:
    """beta1 at a step."""
    beta1: float = group["betas"][0]
    if group["mu_form"] == "constant":
        return beta1
    return beta1 * (1.0 - 0.5 * 0.96 ** (group["momentum_decay"] * float(step)))


class NAdam(Optimizer, dialects=("paper", "torch", "optax", "keras")):
    """NAdam: Adam with mu_t in the place of beta1, whose m^ is that of the next step: Nesterov's momentum.

    Its state has the number `mu_product`, mu_1 ... mu_t. Source: Dozat, ICLR 2016 workshop, Algorithm 2.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.NAdam([w], lr=0.5, betas=(0.0, 0.5), dialect="torch", eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "nadam"
    numbers = {"mu_product": 1.0}
    examined = [
        {},
        {"betas": (0.5, 0.6), "weight_decay": 0.1, "momentum_decay": 0.5},
        {"maximize": True, "weight_decay": 0.1, "decoupled_weight_decay": True, "eps": 1e-3},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 2e-3, keras=1e-3)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.9, 0.999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8, keras=1e-7)] = None,
        weight_decay: WeightDecay = None,
        momentum_decay: Annotated[
            float | None,
            Hyperparameter("psi of mu_t = beta1 (1 - 0.96^(psi t) / 2), at least 0", non_negative, 4e-3, keras=1.0),
        ] = None,
        *,
        maximize: Maximize = None,
        mu_form: Annotated[
            str | None,
            Hyperparameter(
                '"paper"; "torch": m keeps beta1 instead of mu_t, and v^ lacks the paper\'s factor beta2; "constant": '
                "moreover mu_t is beta1",
                one_of("paper", "torch", "constant"),
                "paper",
                torch="torch",
                optax="constant",
                keras="torch",
            ),
        ] = None,
        decoupled_weight_decay: DecoupledInKeras = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def next_numbers(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"mu_product": group["mu_product"] * _mu(group, step)}

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), **moments(group["betas"]), "eps": group["eps"]}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        lr, beta2 = group["lr"], group["betas"][1]
        in_paper = group["mu_form"] == "paper"
        mu, ahead, product = _mu(group, step), _mu(group, step + 1), group["mu_product"]
        kept = mu if in_paper else group["betas"][0]
        return {
            **common_moving(group),
            "rate_m": lr * ahead / (1.0 - product * ahead),
            "rate_g": lr * (1.0 - mu) / (1.0 - product),
            "kept": kept,
            "one_minus_kept": 1.0 - kept,
            "inverse2": (beta2 if in_paper else 1.0) / (1.0 - beta2**step),
        }
