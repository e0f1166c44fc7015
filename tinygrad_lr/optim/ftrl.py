"""Ftrl: the least regularised sum of all gradients, element by element. Kernel: kernels/updates/ftrl.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer
from .validation import non_negative, one_of

SMALLEST = {"f4": 2.0**-126, "f8": 2.0**-1022}  # normal numbers: those below have an inverse beyond the dtype


class Ftrl(Optimizer, dialects=("paper", "keras")):
    """FTRL-Proximal: theta is what the sum z of all gradients says, and 0 where |z| is at most l1: sparse models.

    n sums g^2; eta = lr / (beta + sqrt(n)); z <- z + g - (1 / eta - 1 / eta before) theta;
    theta <- (clip(z, -l1, l1) - z) / (1 / eta + l2). Where theta starts is forgotten, so that an element whose gradient
    is 0 becomes 0. The formula divides by lr: at 0, and at a rate whose inverse is beyond the parameters' dtype, a step
    changes nothing. lr may follow a schedule. With `sigma_form="roots"` (keras) a falling one pulls theta to 0.
    Its state has the number `lr_before`.
    Source: McMahan et al., KDD 2013, Algorithm 1 and section 3.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([0.0, 0.0], requires_grad=True)
        >>> optimizer = optim.Ftrl([w], lr=1.0, beta=0.0, l1=1.0)
        >>> w.grad = [2.0, 0.5]
        >>> optimizer.step(); w.data.tolist()
        [-0.5, 0.0]
    """

    kernels = "ftrl"
    numbers = {"lr_before": 0.0}
    examined = [{}, {"beta": 0.5, "l1": 0.3, "l2": 0.2, "initial_accumulator_value": 0.1}, {"l1": 0.1, "l2": 0.1}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 0.1, keras=1e-3)] = None,
        beta: Annotated[
            float | None, Hyperparameter("added to sqrt(n), at least 0", non_negative, 1.0, keras=0.0)
        ] = None,
        l1: Annotated[float | None, Hyperparameter("L1 regularisation, at least 0", non_negative, 0.0)] = None,
        l2: Annotated[float | None, Hyperparameter("L2 regularisation, at least 0", non_negative, 0.0)] = None,
        initial_accumulator_value: Annotated[
            float | None, Hyperparameter("n before the first step, at least 0", non_negative, 0.0, keras=0.1)
        ] = None,
        *,
        l2_form: Annotated[
            str | None,
            Hyperparameter('"paper", or "doubled": 2 * l2', one_of("paper", "doubled"), "paper", keras="doubled"),
        ] = None,
        sigma_form: Annotated[
            str | None,
            Hyperparameter(
                '"rates": what 1 / eta grew by, or "roots": what sqrt(n) grew by, over lr',
                one_of("rates", "roots"),
                "rates",
                keras="roots",
            ),
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        return float(group["initial_accumulator_value"]) if key == "accumulator" else 0.0

    def next_numbers(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        lr, before = group["lr"], group["lr_before"]
        if not usable(group):  # nothing changes
            return {"lr_before": before, "change": 0.0}
        known = before and step > 1 and group["sigma_form"] == "rates"
        return {"lr_before": lr, "change": 1.0 / lr - 1.0 / before if known else 0.0}

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        l2 = group["l2"] * (2.0 if group["l2_form"] == "doubled" else 1.0)
        return {"beta": group["beta"], "l1": group["l1"], "l2": l2, "zero": 0.0, "sign": 1.0}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"inverse": 1.0 / group["lr"] if usable(group) else 0.0, "change": group["change"]}


def usable(group: Mapping[str, Any]) -> bool:
    """Whether the rate's inverse is a number in the dtypes of a group's parameters; each step asks."""
    lr = group["lr"]
    return bool(lr >= SMALLEST["f4"] or lr >= max(SMALLEST[each.dtype.str[1:]] for each in group["params"]))
