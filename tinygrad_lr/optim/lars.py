"""LARS. Kernel: kernels/updates/lars.py."""

from collections.abc import Mapping
from math import inf
from typing import Annotated, Any

from .hyperparameters import Hyperparameter, Maximize, Params, TorchOptions
from .optimizer import Optimizer
from .validation import flag, fraction, non_negative, one_of


class LARS(Optimizer, dialects=("paper", "optax", "timm", "torch_optimizer")):
    """LARS: momentum, with a rate for each parameter that is a share of its length.

    rate = kappa |theta| / (|g| + weight_decay |theta|);  b <- mu b + lr rate (g + weight_decay theta);
    theta <- theta - b, with Euclidean norms of the whole parameter: one that is 0 stays 0. kappa is
    `trust_coefficient`. Source: You, Gitman and Ginsburg, arXiv:1708.03888, Algorithm 1.

    Raises:
        TypeError, ValueError: see `Optimizer`; nesterov without momentum.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = optim.LARS([w], lr=1.0, trust_coefficient=0.5)
        >>> w.grad = [0.0, 2.0]
        >>> optimizer.step(); w.data.tolist()
        [3.0, 1.5]
    """

    kernels = "lars"
    counts_steps = False  # only the first step is another one
    examined = [
        {},
        {"weight_decay": 0.1, "momentum": 0.0, "maximize": True},
        {"weight_decay": 0.1, "nesterov": True, "momentum": 0.8, "dampening": 0.25},
        {"trust_coefficient": 1.0, "trust_clip": True, "weight_decay": 0.1, "momentum": 0.5},
        {"always_adapt": False, "momentum": 0.5, "dampening": 0.25, "dampen_first_step": False},
        {"trust_form": "library", "weight_decay": 0.1, "eps": 0.1},
        {"trust_form": "skipping", "weight_decay": 0.1, "lr_placement": "outside"},
        {"trust_form": "optax", "weight_decay": 0.1, "eps": 0.1},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[
            float | None, Hyperparameter("learning rate, at least 0", non_negative, 0.1, timm=1.0, torch_optimizer=0.01)
        ] = None,
        momentum: Annotated[
            float | None, Hyperparameter("mu, in [0, 1]; 0 is none", fraction, 0.9, timm=0.0, torch_optimizer=0.0)
        ] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; it is added to the gradient", non_negative, 0.0)
        ] = None,
        trust_coefficient: Annotated[
            float | None, Hyperparameter("kappa, at least 0", non_negative, 0.001, torch_optimizer=0.01)
        ] = None,
        *,
        maximize: Maximize = None,
        trust_form: Annotated[
            str | None,
            Hyperparameter(
                '"paper"; "optax": kappa |theta| / |g + weight_decay theta|, and 1 where either norm is 0; "library": '
                'the paper\'s, and 1 where |theta| or |g| is 0; "skipping": that, and no weight decay there',
                one_of("paper", "optax", "library", "skipping"),
                "paper",
                optax="optax",
                timm="library",
                torch_optimizer="skipping",
            ),
        ] = None,
        lr_placement: Annotated[
            str | None,
            Hyperparameter(
                '"inside" the momentum buffer or "outside"',
                one_of("inside", "outside"),
                "inside",
                timm="outside",
                torch_optimizer="outside",
            ),
        ] = None,
        dampening: Annotated[
            float | None, Hyperparameter("in [0, 1]; a step enters the buffer times 1 - dampening", fraction, 0.0)
        ] = None,
        nesterov: Annotated[
            bool | None, Hyperparameter("step along the step plus mu times the new buffer", flag, False)
        ] = None,
        eps: Annotated[
            float | None,
            Hyperparameter("added to the divisor, at least 0", non_negative, 0.0, timm=1e-8, torch_optimizer=1e-8),
        ] = None,
        trust_clip: Annotated[bool | None, Hyperparameter("LARC: min(rate / lr, 1) for the rate", flag, False)] = None,
        always_adapt: Annotated[
            bool | None,
            Hyperparameter("False: without weight decay the rate is 1", flag, True, timm=False, torch_optimizer=False),
        ] = None,
        dampen_first_step: Annotated[
            bool | None,
            Hyperparameter(
                "False leaves out the dampening of a parameter's first step",
                flag,
                True,
                timm=False,
                torch_optimizer=False,
            ),
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def variant(self, group: Mapping[str, Any]) -> str:
        if group["momentum"] == 0:
            return "plain"
        return "nesterov" if group["nesterov"] else "momentum"

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        form, decay = group["trust_form"], group["weight_decay"]
        measured = form == "optax"
        return {
            "sign": -1.0 if group["maximize"] else 1.0,
            "kappa": group["trust_coefficient"],
            "momentum": group["momentum"],
            "eps": group["eps"],
            "decay": decay,
            "in_norm": decay if measured else 0.0,
            "below": 0.0 if measured else decay,
            "otherwise": 0.0 if form == "paper" else 1.0,
            "needs_gradient": 1.0 if form in ("library", "skipping") else 0.0,
            "skips": 1.0 if form == "skipping" else 0.0,
            "adapts": 1.0 if group["always_adapt"] or decay else 0.0,
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        lr, inside = group["lr"], group["lr_placement"] == "inside"
        dampened = step > 1 or group["dampen_first_step"]
        found = {
            "gain": lr if inside else 1.0,
            "rate": 1.0 if inside else lr,
            "kept": 1.0 - group["dampening"] if dampened else 1.0,
            "per_lr": 1.0,
            "most": inf,
        }
        if group["trust_clip"]:
            found["most"] = 1.0
            found["per_lr"] = 1.0 / lr if lr else inf
        return found
