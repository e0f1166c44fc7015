"""ADOPT: Adam whose second moment is that of the steps before. Kernel: kernels/updates/adopt.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants, common_moving, moments
from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rates, non_negative


class ADOPT(Optimizer, dialects=("paper", "optax")):
    """ADOPT: m averages g / max(sqrt(v), eps), clipped to (t - 1)^(1/4); theta <- theta - lr m; only then v sees g.

    The first step only sets v to g^2. Source: Taniguchi et al., arXiv:2411.02853, Algorithm 2.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.ADOPT([w], lr=0.5, betas=(0.0, 0.0))
        >>> for g in (4.0, -2.0):
        ...     w.grad = [g]
        ...     optimizer.step()
        >>> w.data.tolist()
        [1.25]
    """

    kernels = "adopt"
    examined = [{}, {"betas": (0.5, 0.6), "weight_decay": 0.1, "eps": 0.1}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-3)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.9, 0.9999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("the least divisor, at least 0", non_negative, 1e-6)] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; it is added to the gradient", non_negative, 0.0)
        ] = None,
        *,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), **moments(group["betas"]), "eps": group["eps"], "zero": 0.0}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        bound = (float(step) - 1.0) ** 0.25
        return {**common_moving(group), "bound": bound, "first": 0.0 if step > 1 else 1.0}
