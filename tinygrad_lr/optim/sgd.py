"""SGD: gradient descent, with momentum and Nesterov's momentum. Kernel: kernels/updates/sgd.py. Read adam.py next."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants, common_moving, placed_lr
from .hyperparameters import DecoupledInKeras, Hyperparameter, Maximize, Params, TorchOptions, WeightDecay
from .optimizer import Optimizer
from .validation import flag, fraction, non_negative, one_of


class SGD(Optimizer, dialects=("article", "torch", "optax", "keras")):
    """Gradient descent: theta <- theta - lr g, with momentum b <- mu b + lr g, theta <- theta - b.

    Batch, mini-batch or stochastic is a matter of which rows the gradient was computed from, not of this class.
    Sources: Polyak (1964) and Nesterov (1983), in the form of Sutskever et al. (ICML 2013).

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.SGD([w], lr=0.5)
        >>> w.grad = [1.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "sgd"
    counts_steps = False  # only the first step is another one
    examined = [
        {},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"momentum": 0.8, "dampening": 0.25, "maximize": True},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-3, keras=1e-2)] = None,
        momentum: Annotated[float | None, Hyperparameter("mu, in [0, 1]; 0 is none", fraction, 0.0)] = None,
        dampening: Annotated[
            float | None, Hyperparameter("in [0, 1]; the gradient enters the buffer times 1 - dampening", fraction, 0.0)
        ] = None,
        weight_decay: WeightDecay = None,
        nesterov: Annotated[
            bool | None,
            Hyperparameter(
                "step along the gradient plus mu times the new buffer; needs momentum and no dampening", flag, False
            ),
        ] = None,
        *,
        maximize: Maximize = None,
        lr_placement: Annotated[
            str | None,
            Hyperparameter(
                '"inside" the momentum buffer or "outside". The same trajectory while lr is constant; inside, a '
                "changed lr reaches only what enters the buffer from then on",
                one_of("inside", "outside"),
                "inside",
                torch="outside",
                optax="outside",
            ),
        ] = None,
        dampen_first_step: Annotated[
            bool | None,
            Hyperparameter("False leaves out the dampening of a parameter's first step", flag, True, torch=False),
        ] = None,
        decoupled_weight_decay: DecoupledInKeras = None,
        dialect: str = "article",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constraints(self, group: Mapping[str, Any]) -> None:
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(
                f"nesterov needs momentum above 0 and dampening 0, "
                f"got momentum={group['momentum']}, dampening={group['dampening']}"
            )

    def variant(self, group: Mapping[str, Any]) -> str:
        if group["momentum"] == 0:
            return "plain"
        return "nesterov" if group["nesterov"] else "momentum"

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), "momentum": group["momentum"]}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        dampened = step > 1 or group["dampen_first_step"]
        share = 1.0 - group["dampening"] if dampened else 1.0
        return {**common_moving(group), **placed_lr(group, share)}
