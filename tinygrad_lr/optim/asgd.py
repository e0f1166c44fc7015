"""ASGD: gradient descent, and the mean of where it was. Kernel: kernels/updates/asgd.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants
from .hyperparameters import Hyperparameter, Maximize, Params, TorchOptions
from .optimizer import Optimizer
from .validation import non_negative, number


def _rate(group: Mapping[str, Any], step: int) -> float:
    lr: float = group["lr"]
    return lr / (1.0 + group["lambd"] * lr * (float(step) - 1.0)) ** group["alpha"]


def _share(group: Mapping[str, Any], step: int) -> float:
    return 1.0 / max(1.0, float(step) - 1.0 - group["t0"])


class ASGD(Optimizer, dialects=("paper", "torch")):
    """Averaged gradient descent: theta <- (1 - lambd eta) theta - eta g; `state[p]["ax"]` is the mean of all theta.

    eta = lr / (1 + lambd lr (t - 1))^alpha. Copy `ax` into the parameters where training ends.
    Its state has torch's numbers `eta` and `mu` too: the rate, and the weight of theta in the mean, of the next step.
    They are told, not read: a changed lr counts at once, where torch's counts one step later.
    Source: Polyak and Juditsky, SIAM J. Control Optim. 30(4), 1992; torch's hyperparameters, after Bottou.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.ASGD([w], lr=0.5)
        >>> for g in (1.0, 1.0):
        ...     w.grad = [g]
        ...     optimizer.step()
        >>> w.data.tolist(), optimizer.state[w]["ax"].tolist()
        ([0.0], [0.25])
    """

    kernels = "asgd"
    numbers = {"eta": 0.0, "mu": 1.0}
    examined = [
        {},
        {"lambd": 0.1, "alpha": 0.5, "t0": 2.0, "weight_decay": 0.1},
        {"maximize": True, "lambd": 0.5, "t0": 0.0},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-2)] = None,
        lambd: Annotated[
            float | None, Hyperparameter("decay of theta and of the rate, at least 0", non_negative, 0.0, torch=1e-4)
        ] = None,
        alpha: Annotated[
            float | None, Hyperparameter("exponent of the rate's decay, at least 0", non_negative, 0.75)
        ] = None,
        t0: Annotated[
            float | None,
            Hyperparameter("the mean begins after t0 + 1 steps; -1: with the first", number, -1.0, torch=1e6),
        ] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; it is added to the gradient", non_negative, 0.0)
        ] = None,
        *,
        maximize: Maximize = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def next_numbers(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"eta": _rate(group, step + 1), "mu": _share(group, step + 1)}

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return common_constants(group)

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        rate = _rate(group, step)
        return {"rate": rate, "share": _share(group, step), "shrink": 1.0 - group["lambd"] * rate}
