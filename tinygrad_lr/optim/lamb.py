"""LAMB. Kernel: kernels/updates/lamb.py."""

from collections.abc import Mapping
from math import inf
from typing import Annotated, Any

from .common import moments
from .hyperparameters import Hyperparameter, Maximize, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rates, flag, non_negative, one_of


class LAMB(Optimizer, dialects=("paper", "optax", "keras", "timm", "torch_optimizer")):
    """LAMB: Adam's direction, scaled to the length of the parameter; theta <- theta - lr |theta| / |r| r.

    r = m^ / (sqrt(v^) + eps) + weight_decay theta, and |.| the Euclidean norm of a whole parameter; the ratio is 1
    where either norm is 0. Source: You et al., ICLR 2020, arXiv:1904.00962, Algorithm 2, with phi the identity.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([4.0], requires_grad=True)
        >>> optimizer = optim.LAMB([w], lr=0.25, eps=0.0)
        >>> w.grad = [2.0]
        >>> optimizer.step(); w.data.tolist()
        [3.0]
    """

    kernels = "lamb"
    examined = [
        {},
        {"weight_decay": 0.1, "betas": (0.5, 0.6), "maximize": True},
        {"bias_correction": False, "size_limit": 0.5, "trust_clip": True},
        {"always_adapt": False, "weight_decay": 0.0},
        {"weight_decay": 0.1, "decay_placement": "outside"},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-3)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.9, 0.999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-6, keras=1e-7)] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("lambda, added to the direction, at least 0", non_negative, 0.0, timm=0.01)
        ] = None,
        *,
        maximize: Maximize = None,
        decay_placement: Annotated[
            str | None,
            Hyperparameter(
                'weight decay "inside" of what is scaled, or "outside": theta shrinks by 1 - lr lambda first',
                one_of("inside", "outside"),
                "inside",
                keras="outside",
            ),
        ] = None,
        bias_correction: Annotated[
            bool | None, Hyperparameter("divide m and v by 1 - beta^t", flag, True, torch_optimizer=False)
        ] = None,
        size_limit: Annotated[
            float | None,
            Hyperparameter("above 0: |theta| counts as that at most", non_negative, 0.0, torch_optimizer=10.0),
        ] = None,
        trust_clip: Annotated[bool | None, Hyperparameter("a ratio of 1 at most", flag, False)] = None,
        always_adapt: Annotated[
            bool | None, Hyperparameter("False: without weight decay the ratio is 1", flag, True, timm=False)
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        outside = group["decay_placement"] == "outside"
        return {
            **moments(group["betas"]),
            "eps": group["eps"],
            "sign": -1.0 if group["maximize"] else 1.0,
            "decay": 0.0 if outside else group["weight_decay"],
            "shrink": 1.0,
            "size_limit": group["size_limit"] or inf,
            "most": 1.0 if group["trust_clip"] else inf,
            "adapts": 1.0 if group["always_adapt"] or group["weight_decay"] else 0.0,
            "inverse1": 1.0,
            "inverse2": 1.0,
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        found = {"lr": group["lr"]}
        if group["decay_placement"] == "outside":
            found["shrink"] = 1.0 - group["lr"] * group["weight_decay"]
        if group["bias_correction"]:
            beta1, beta2 = group["betas"]
            found["inverse1"], found["inverse2"] = 1.0 / (1.0 - beta1**step), 1.0 / (1.0 - beta2**step)
        return found
