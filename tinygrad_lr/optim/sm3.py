"""SM3. Kernel: kernels/updates/sm3.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rate, non_negative


class SM3(Optimizer, dialects=("paper", "optax")):
    """SM3: AdaGrad whose sums are kept for the rows and columns of a matrix alone.

    v = min(R, C) + g^2, R and C being those of the element's row and column;  m <- mu m + (1 - mu) g / sqrt(v), 0 where
    v is 0;  theta <- theta - lr m;  R, C <- the largest v of each row and column. The last two dimensions of a
    parameter are a matrix; a vector keeps v itself. Source: Anil, Gupta, Koren and Singer, arXiv:1901.11150, SM3-II.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([[1.0, 1.0]], requires_grad=True)
        >>> optimizer = optim.SM3([w], lr=0.5, momentum=0.5)
        >>> w.grad = [[4.0, -2.0]]
        >>> optimizer.step(); w.data.tolist()
        [[0.75, 1.25]]
    """

    kernels = "sm3"
    counts_steps = False
    examined = [{}, {"momentum": 0.5, "eps": 0.1}, {"momentum": 0.0}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 0.1)] = None,
        momentum: Annotated[float | None, Hyperparameter("mu, in [0, 1)", decay_rate, 0.9)] = None,
        eps: Annotated[
            float | None, Hyperparameter("added to v under the root, at least 0", non_negative, 0.0, optax=1e-8)
        ] = None,
        *,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        momentum = group["momentum"]
        found = {"sign": 1.0, "eps": group["eps"], "zero": 0.0, "one": 1.0}
        return {**found, "momentum": momentum, "one_minus_momentum": 1.0 - momentum}
