"""Adam, AMSGrad and AdamW. Kernel: kernels/updates/adam.py; moments in fewer bytes: state_dtypes.py."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any

from . import state_dtypes
from .common import COMMON_DEFAULTS, COMMON_VALIDATORS, common_constants, common_moving, placed_eps
from .optimizer import Optimizer
from .validation import decay_rates, flag, non_negative, one_of

if TYPE_CHECKING:
    from .arena import Segment


class Adam(Optimizer):
    """Adam: moving averages m of g and v of g^2, bias-corrected; theta <- theta - lr m^ / sqrt(v^ + eps).

    Sources: Kingma and Ba, arXiv:1412.6980, Algorithm 1, with the article's epsilon; AMSGrad: Reddi, Kale and Kumar,
    arXiv:1904.09237, Algorithm 2.

    Args:
        params: Tensors, (name, Tensor) pairs or groups (see `Optimizer`), float32 or float64, of any shape.
        lr: learning rate, at least 0 (0.001).
        betas: decay rates of m and v, each in [0, 1) ((0.9, 0.999)).
        eps: at least 0 (1e-8; keras 1e-7).
        weight_decay: at least 0; see `decoupled_weight_decay` (0).
        amsgrad: divide by the root of the largest v so far (False).
        maximize: ascend (False).
        eps_placement: "inside" the root of v^ (article), "outside" (the paper, torch, optax), or "hat": added to the
            root of the uncorrected v, the paper's "epsilon hat" (keras).
        amsgrad_form: "paper": the largest v, and no bias corrections at all (article); "torch": the largest v, then
            corrected (torch, keras); "optax": the largest corrected v.
        decoupled_weight_decay: False adds weight_decay * theta to the gradient (article, torch, optax); True multiplies
            theta by 1 - lr * weight_decay (keras, and AdamW everywhere).
        dialect: "article", "torch", "optax" or "keras": whose defaults are taken for what is None.
        state_dtype: how m and v are kept, in every group. None or "float32": in the parameter's dtype. "bfloat16": 4
            bytes an element. "int8": codes in blocks of 256 elements (Dettmers et al., arXiv:2110.02861), 2 bytes an
            element and 8 a block, and in memory 8 more for where it begins: 2.03 a parameter saved and 2.06 in memory
            where parameters are large, 10 and 18 for one of a single element, whose block is its own (float32: 8);
            one infinite or NaN moment loses its block. Both round stochastically, with a hash of step and moment
            (kernels/updates/_bits.py), so that small changes are not lost and equal runs have equal bits. The moments
            have float32's range, for float64 parameters too.

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
    validators = {
        **COMMON_VALIDATORS,
        "betas": decay_rates,
        "eps": non_negative,
        "amsgrad": flag,
        "eps_placement": one_of("inside", "outside", "hat"),
        "amsgrad_form": one_of("paper", "torch", "optax"),
    }
    _article = {
        **COMMON_DEFAULTS,
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "amsgrad": False,
        "eps_placement": "inside",
        "amsgrad_form": "paper",
    }
    dialects = {
        "article": _article,
        "torch": {**_article, "eps_placement": "outside", "amsgrad_form": "torch"},
        "optax": {**_article, "eps_placement": "outside", "amsgrad_form": "optax"},
        "keras": {
            **_article,
            "eps": 1e-7,
            "eps_placement": "hat",
            "amsgrad_form": "torch",
            "decoupled_weight_decay": True,
        },
    }

    def __init__(
        self,
        params: Any,
        lr: float | None = None,
        betas: tuple[float, float] | None = None,
        eps: float | None = None,
        weight_decay: float | None = None,
        amsgrad: bool | None = None,
        *,
        maximize: bool | None = None,
        eps_placement: str | None = None,
        amsgrad_form: str | None = None,
        decoupled_weight_decay: bool | None = None,
        dialect: str = "article",
        state_dtype: str | None = None,
    ) -> None:
        self.state_dtype = state_dtypes.chosen(state_dtype)
        if self.state_dtype != "float32":
            self.kernels = f"adam_{self.state_dtype}"
        super().__init__(
            params,
            dialect,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
            eps_placement=eps_placement,
            amsgrad_form=amsgrad_form,
            decoupled_weight_decay=decoupled_weight_decay,
        )

    def variant(self, group: Mapping[str, Any]) -> str:
        return "amsgrad" if group["amsgrad"] else "plain"

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        beta1, beta2 = group["betas"]
        return {
            **common_constants(group),
            **placed_eps(group),
            "beta1": beta1,
            "one_minus_beta1": 1.0 - beta1,
            "beta2": beta2,
            "one_minus_beta2": 1.0 - beta2,
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
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
        if self.state_dtype != "float32":
            found["noise"] = state_dtypes.noise_of(step)
        return found

    def saved(self, state: Mapping[str, Any]) -> dict[str, Any]:
        if self.state_dtype == "float32":
            return super().saved(state)
        return state_dtypes.saved(self.state_dtype, state)

    def kept(self, segment: Segment, i: int, saved: Mapping[str, Any]) -> dict[str, Any]:
        if self.state_dtype == "float32":
            return super().kept(segment, i, saved)
        return state_dtypes.packed(self.state_dtype, segment.names[i], segment.shapes[i], saved)

    def _chosen(self) -> dict[str, Any]:
        short = {} if self.state_dtype == "float32" else {"state_dtype": self.state_dtype}
        return {**super()._chosen(), **short}

    def constraints(self, group: Mapping[str, Any]) -> None:
        state_dtypes.refuse_amsgrad(self.state_dtype, group["amsgrad"])

    def _prepared(self, group: dict[str, Any]) -> tuple[dict[str, Any], list[str | None]]:
        values, names = super()._prepared(group)
        state_dtypes.refuse_device(self.state_dtype, {param.device for param in values["params"]})
        return values, names


class AdamW(Adam):
    """Adam with decoupled weight decay: theta shrinks by 1 - lr * weight_decay, the moments never see the decay.

    Source: Loshchilov and Hutter, arXiv:1711.05101, Algorithm 2. The paper multiplies the decay by the schedule's
    factor alone; here, as in torch, optax and keras, it is multiplied by the full learning rate, so that the paper's
    lambda is lr * weight_decay at the base rate.

    Args, dialects and errors are those of `Adam`; weight_decay defaults to 0.01 (optax 1e-4, keras 0.004), and
    decoupled_weight_decay to True.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.AdamW([w], lr=0.5, weight_decay=0.5)
        >>> w.grad = [0.0]
        >>> optimizer.step(); w.data.tolist()
        [0.75]
    """

    _decays = {"article": 1e-2, "torch": 1e-2, "optax": 1e-4, "keras": 4e-3}
    dialects = {
        name: {**Adam.dialects[name], "decoupled_weight_decay": True, "weight_decay": decay}
        for name, decay in _decays.items()
    }
