"""Lion: steps of one size, along the sign of an average of gradients. Kernel: kernels/updates/lion.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants, moments
from .hyperparameters import DECOUPLED, Hyperparameter, Maximize, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rates, non_negative


class Lion(Optimizer, dialects=("paper", "optax", "keras")):
    """Lion: c = beta1 m + (1 - beta1) g, theta <- theta - lr sign(c), m <- beta2 m + (1 - beta2) g.

    Every element moves by lr or not at all, so that lr is usually a third to a tenth of Adam's.
    Source: Chen et al., arXiv:2302.06675, Algorithm 2.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0, -1.0], requires_grad=True)
        >>> optimizer = optim.Lion([w], lr=0.5)
        >>> w.grad = [4.0, 0.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5, -1.0]
    """

    kernels = "lion"
    examined = [{}, {"betas": (0.5, 0.6), "weight_decay": 0.1}, {"maximize": True, "decoupled_weight_decay": False}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-4, keras=1e-3)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("weights of m in c, and in the next m, each in [0, 1)", decay_rates, (0.9, 0.99)),
        ] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; see `decoupled_weight_decay`", non_negative, 0.0, optax=1e-3)
        ] = None,
        *,
        maximize: Maximize = None,
        decoupled_weight_decay: Annotated[bool | None, DECOUPLED.having(True)] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), **moments(group["betas"]), "zero": 0.0}
