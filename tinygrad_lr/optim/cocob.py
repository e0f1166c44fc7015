"""COCOB: a coin that is bet on, element by element, in the place of a rate. Kernel: kernels/updates/cocob.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants, common_moving
from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer
from .validation import non_negative


class COCOB(Optimizer, dialects=("paper", "optax")):
    """COCOB: theta <- theta_0 + C / (L max(G + L, alpha L)) (L + R), from sums of the gradients: no rate to choose.

    L is the largest |g| so far, G their sum, C the sum of -g, R the reward, the sum of -g (theta - theta_0). The
    gradients are multiplied by lr, whose default is 1: a schedule can lower it. Its state keeps theta_0, "p0".
    Source: Orabona and Tommasi, arXiv:1705.07795, Algorithm 2.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.COCOB([w], alpha=4.0)
        >>> w.grad = [8.0]
        >>> optimizer.step(); w.data.tolist()
        [0.75]
    """

    kernels = "cocob"
    examined = [{}, {"alpha": 4.0, "weight_decay": 0.1}, {"eps": 0.1, "alpha": 1.0}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[
            float | None, Hyperparameter("what multiplies the gradients, at least 0", non_negative, 1.0)
        ] = None,
        alpha: Annotated[
            float | None, Hyperparameter("how careful the first bets are, at least 0", non_negative, 100.0)
        ] = None,
        eps: Annotated[float | None, Hyperparameter("L before the first step, at least 0", non_negative, 1e-8)] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; it is added to the gradient", non_negative, 0.0)
        ] = None,
        *,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        return float(group["eps"]) if key == "L" else 0.0

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), "alpha": group["alpha"], "zero": 0.0}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {**common_moving(group), "first": 0.0 if step > 1 else 1.0}
