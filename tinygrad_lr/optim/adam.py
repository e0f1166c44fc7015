"""Adam, AMSGrad and AdamW. Kernel: kernels/updates/adam.py; moments in fewer bytes: short_moments.py."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Annotated, Any

from . import short_moments
from .arena import Segment
from .common import common_constants, common_moving, moments, placed_eps
from .groups import Named
from .hyperparameters import DecoupledInKeras, Hyperparameter, Maximize, Params, TorchOptions, WeightDecay
from .optimizer import Optimizer
from .validation import decay_rates, flag, non_negative, one_of


def constants_of_adam(group: Mapping[str, Any]) -> dict[str, float]:
    """The scalars of Adam's rule that stay, from the hyperparameters of a group."""
    return {**common_constants(group), **placed_eps(group), **moments(group["betas"])}


def moving_of_adam(group: Mapping[str, Any], step: int) -> dict[str, float]:
    """The other scalars of Adam's rule, at step t = 1, 2, ..."""
    beta1, beta2 = group["betas"]
    correction1, correction2, max_correction = 1.0 - beta1**step, 1.0 - beta2**step, 1.0
    if group["amsgrad"]:
        if group["amsgrad_form"] == "paper":
            correction1 = correction2 = 1.0
        elif group["amsgrad_form"] == "optax":
            correction2, max_correction = 1.0, correction2
    found = common_moving(group)
    if group["eps_placement"] == "hat":
        # lr m^ / (sqrt(v^) + eps / sqrt(correction2)) is keras's lr sqrt(c2) / c1 * m / (sqrt(v) + eps).
        found["eps_out"] = group["eps"] / sqrt(correction2 * max_correction)
    found["rate"] = group["lr"] / correction1
    found["inverse2"] = 1.0 / correction2
    found["max_correction"] = max_correction
    return found


class Adam(Optimizer, dialects=("article", "torch", "optax", "keras")):
    """Adam: moving averages m of g and v of g^2, bias-corrected; theta <- theta - lr m^ / sqrt(v^ + eps).

    Sources: Kingma and Ba, arXiv:1412.6980, Algorithm 1, with the article's epsilon; AMSGrad: Reddi, Kale and Kumar,
    arXiv:1904.09237, Algorithm 2.

    Raises:
        TypeError, ValueError: see `Optimizer`; amsgrad with a short state.
        NotImplementedError: a short state for parameters on a GPU.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Adam([w], lr=0.5, eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "adam"
    examined = [{}, {"amsgrad": True, "weight_decay": 0.1}, {"betas": (0.5, 0.6), "maximize": True, "eps": 1e-3}]
    state_dtypes = short_moments.STATE_DTYPES

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-3)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter("decay rates of m and v, each in [0, 1)", decay_rates, (0.9, 0.999)),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8, keras=1e-7)] = None,
        weight_decay: WeightDecay = None,
        amsgrad: Annotated[
            bool | None, Hyperparameter("divide by the root of the largest v so far", flag, False)
        ] = None,
        *,
        maximize: Maximize = None,
        eps_placement: Annotated[
            str | None,
            Hyperparameter(
                '"inside" the root of v^, "outside" (the paper), or "hat": added to the root of the uncorrected v, the '
                'paper\'s "epsilon hat"',
                one_of("inside", "outside", "hat"),
                "inside",
                torch="outside",
                optax="outside",
                keras="hat",
            ),
        ] = None,
        amsgrad_form: Annotated[
            str | None,
            Hyperparameter(
                '"paper": the largest v, and no bias corrections at all; "torch": the largest v, then corrected; '
                '"optax": the largest corrected v',
                one_of("paper", "torch", "optax"),
                "paper",
                torch="torch",
                optax="optax",
                keras="torch",
            ),
        ] = None,
        decoupled_weight_decay: DecoupledInKeras = None,
        dialect: str = "article",
        state_dtype: Annotated[str | None, short_moments.ABOUT] = None,
        **torch_options: TorchOptions,
    ) -> None:
        self.state_dtype = short_moments.chosen(state_dtype)
        self.kernels = self.kernels_for(self.state_dtype)
        super().__init__(params, dialect, locals())

    def variant(self, group: Mapping[str, Any]) -> str:
        return "amsgrad" if group["amsgrad"] else "plain"

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return constants_of_adam(group)

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        found = moving_of_adam(group, step)
        if self.state_dtype != "float32":
            found["noise"] = short_moments.noise_of(step)
        return found

    def saved(self, state: Mapping[str, Any]) -> dict[str, Any]:
        if self.state_dtype == "float32":
            return super().saved(state)
        return short_moments.saved(self.state_dtype, state)

    def kept(self, segment: Segment, i: int, saved: Mapping[str, Any]) -> dict[str, Any]:
        if self.state_dtype == "float32":
            return super().kept(segment, i, saved)
        return short_moments.packed(self.state_dtype, segment.names[i], segment.shapes[i], saved)

    def _chosen(self) -> dict[str, Any]:
        short = {} if self.state_dtype == "float32" else {"state_dtype": self.state_dtype}
        return {**super()._chosen(), **short}

    def constraints(self, group: Mapping[str, Any]) -> None:
        short_moments.refuse_amsgrad(self.state_dtype, group["amsgrad"])

    def _prepared(self, group: dict[str, Any]) -> tuple[dict[str, Any], list[Named]]:
        values, members = super()._prepared(group)
        short_moments.refuse_device(self.state_dtype, {each.param.device for each in members})
        return values, members

    def needed(self, group: Mapping[str, Any]) -> Sequence[str]:
        return super().needed(group) if self.state_dtype == "float32" else short_moments.MOMENTS


class AdamW(Adam):
    """Adam with decoupled weight decay: theta shrinks by 1 - lr * weight_decay, the moments never see the decay.

    Source: Loshchilov and Hutter, arXiv:1711.05101, Algorithm 2. The paper multiplies the decay by the schedule's
    factor alone; here, as in torch, optax and keras, it is multiplied by the full learning rate, so that the paper's
    lambda is lr * weight_decay at the base rate.

    Errors are those of `Adam`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.AdamW([w], lr=0.5, weight_decay=0.5)
        >>> w.grad = [0.0]
        >>> optimizer.step(); w.data.tolist()
        [0.75]
    """

    examined = [{}, {"amsgrad": True, "weight_decay": 0.1, "betas": (0.5, 0.6)}]
    hyperparameters = {
        "weight_decay": Adam.hyperparameters["weight_decay"].having(1e-2, optax=1e-4, keras=4e-3),
        "decoupled_weight_decay": Adam.hyperparameters["decoupled_weight_decay"].having(True),
    }
