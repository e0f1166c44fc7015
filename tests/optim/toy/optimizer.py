from typing import Annotated

from tinygrad_lr.optim import Hyperparameter, Optimizer
from tinygrad_lr.optim.validation import decay_rate, non_negative


class Toy(Optimizer, dialects=("own", "quick")):
    """An average of past gradients."""

    kernels = "toy.kernel"

    def __init__(
        self,
        params,
        lr: Annotated[float | None, Hyperparameter("rate, at least 0", non_negative, 1e-3, quick=0.1)] = None,
        momentum: Annotated[float | None, Hyperparameter("mu, in [0, 1)", decay_rate, 0.9)] = None,
        dialect: str = "own",
    ):
        super().__init__(params, dialect, locals())

    def constants(self, group):
        return {**super().constants(group), "momentum": group["momentum"], "rest": 1 - group["momentum"]}
