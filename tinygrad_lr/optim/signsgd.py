"""SignSGD: steps of one size along the sign of the gradient, or of its average. Kernel: kernels/updates/signsgd.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants
from .hyperparameters import DECOUPLED, Hyperparameter, Maximize, Params, TorchOptions, WeightDecay
from .optimizer import Optimizer
from .validation import decay_rate, non_negative


class SignSGD(Optimizer, dialects=("paper", "optax")):
    """signSGD: theta <- theta - lr sign(g); with momentum, Signum: m <- mu m + (1 - mu) g, theta <- theta - lr sign(m).

    Source: Bernstein et al., arXiv:1802.04434, Algorithms 1 and 2.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0, -1.0], requires_grad=True)
        >>> optimizer = optim.SignSGD([w], lr=0.5)
        >>> w.grad = [4.0, 0.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5, -1.0]
    """

    kernels = "signsgd"
    counts_steps = False
    examined = [
        {},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"maximize": True, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-4)] = None,
        momentum: Annotated[
            float | None, Hyperparameter("decay rate of the average, in [0, 1); 0 is none", decay_rate, 0.0)
        ] = None,
        weight_decay: WeightDecay = None,
        *,
        maximize: Maximize = None,
        decoupled_weight_decay: Annotated[bool | None, DECOUPLED] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def variant(self, group: Mapping[str, Any]) -> str:
        return "momentum" if group["momentum"] else "plain"

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        momentum = group["momentum"]
        return {**common_constants(group), "momentum": momentum, "one_minus_momentum": 1.0 - momentum, "zero": 0.0}
