"""Rprop: step sizes that grow while the gradient keeps its sign. Kernel: kernels/updates/rprop.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .hyperparameters import Hyperparameter, Maximize, Params, TorchOptions
from .optimizer import Optimizer
from .validation import flag, non_negative, positive, several


class Rprop(Optimizer, dialects=("paper", "torch", "optax")):
    """Rprop: theta <- theta - D sign(g), D being a step size for each element, which adapts.

    D grows by eta_plus while g keeps its sign, and shrinks by eta_minus where it changes; then the step before is taken
    back. It is for whole batches: the sign of a gradient of few rows changes by chance. A schedule of lr changes
    nothing: lr is the first D only, and a warm-up that begins at 0 makes it the least step size.
    Source: Riedmiller and Braun, ICNN 1993; without backtracking: Igel and Huesken, 2000, iRprop-.

    Raises:
        TypeError, ValueError: see `Optimizer`; etas that do not lie on both sides of 1, or step sizes out of order.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Rprop([w], lr=0.25, etas=(0.5, 2.0))
        >>> for g in (4.0, 1.0):
        ...     w.grad = [g]
        ...     optimizer.step()
        >>> w.data.tolist()
        [0.25]
    """

    kernels = "rprop"
    examined = [
        {},
        {"backtracking": False, "maximize": True},
        {"etas": (0.25, 1.5), "step_sizes": (0.01, 0.05), "backtracking": True},
        {"etas": (0.25, 1.5), "step_sizes": (0.01, 0.05), "backtracking": False},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[
            float | None, Hyperparameter("the first step size, at least 0", non_negative, 0.1, torch=1e-2, optax=1e-2)
        ] = None,
        etas: Annotated[
            tuple[float, float] | None,
            Hyperparameter(
                "eta_minus in (0, 1) and eta_plus, above 1: the factors of a step size",
                several(positive, (0.5, 1.2)),
                (0.5, 1.2),
            ),
        ] = None,
        step_sizes: Annotated[
            tuple[float, float] | None,
            Hyperparameter("the smallest and the largest step size", several(non_negative, (1e-6, 50.0)), (1e-6, 50.0)),
        ] = None,
        *,
        maximize: Maximize = None,
        backtracking: Annotated[
            bool | None,
            Hyperparameter(
                "where the sign changes, take the step before back; False: stay", flag, True, torch=False, optax=False
            ),
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constraints(self, group: Mapping[str, Any]) -> None:
        (eta_minus, eta_plus), (smallest, largest) = group["etas"], group["step_sizes"]
        if not eta_minus < 1 < eta_plus:
            raise ValueError(f"etas must be below and above 1, such as (0.5, 1.2), got {group['etas']}")
        if smallest > largest:
            raise ValueError(f"step_sizes must be in order, such as (1e-6, 50), got {group['step_sizes']}")

    def variant(self, group: Mapping[str, Any]) -> str:
        return "backtracking" if group["backtracking"] else "plain"

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        (eta_minus, eta_plus), (smallest, largest) = group["etas"], group["step_sizes"]
        return {
            "sign": -1.0 if group["maximize"] else 1.0,
            "eta_minus": eta_minus,
            "eta_plus": eta_plus,
            "smallest": smallest,
            "largest": largest,
            "zero": 0.0,
            "one": 1.0,
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"initial": group["lr"], "first": 0.0 if step > 1 else 1.0}
