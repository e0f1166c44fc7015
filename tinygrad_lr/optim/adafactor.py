"""Adafactor. Kernel: kernels/updates/adafactor.py."""

from collections.abc import Mapping, Sequence
from math import inf, sqrt
from typing import Annotated, Any

import numpy as np

from tinygrad_lr.engine import Tensor

from .hyperparameters import Hyperparameter, Maximize, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rate, flag, non_negative, number, one_of, positive, several


class Adafactor(Optimizer, dialects=("paper", "torch", "optax", "keras", "transformers", "timm")):
    """Adafactor: a second moment kept for the rows and columns of a matrix alone, and steps relative to its size.

    w = t^-0.8;  R, C <- averages, with weight w, of the row means and column means of g^2 + eps1;  V = R C / mean(R);
    U = g / sqrt(V);  theta <- theta - max(eps2, rms(theta)) min(lr, 1/sqrt(t)) U / max(1, rms(U) / clip_threshold).
    The last two dimensions of a parameter are a matrix; a vector keeps V itself. The means stand for the paper's sums,
    and `lr` for its 1e-2. weight_decay shrinks theta first. torch's names `eps` and `d` are accepted for `epsilons` and
    `clip_threshold`; its eps1 is the dtype's own epsilon, here float32's.
    Source: Shazeer and Stern, arXiv:1804.04235, Algorithms 4 and 5.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([[1.0, 1.0], [1.0, 1.0]], requires_grad=True)
        >>> optimizer = optim.Adafactor([w], lr=0.5)
        >>> w.grad = [[2.0, -2.0], [2.0, 2.0]]
        >>> optimizer.step(); w.data.tolist()
        [[0.5, 1.5], [0.5, 0.5]]
    """

    kernels = "adafactor"
    torch_names = {"eps": "epsilons", "d": "clip_threshold"}
    examined = [
        {},
        {"weight_decay": 0.1, "maximize": True, "momentum": 0.7},
        {"scale_parameter": False, "relative_step": False, "clip_threshold": 0.5},
        {"weight_decay": 0.2, "decay_scale": "step", "epsilons": (1e-3, 0.1), "beta2_decay": -0.5},
        {"floor_form": "clamped", "epsilons": (0.1, 0.5)},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-2, keras=1e-3)] = None,
        beta2_decay: Annotated[
            float | None, Hyperparameter("the power of t that is the weight of new squares", number, -0.8)
        ] = None,
        epsilons: Annotated[
            tuple[float, float] | None,
            Hyperparameter(
                "eps1, added to squares, and eps2, the least rms of theta, at least 0",
                several(non_negative, (1e-30, 1e-3)),
                (1e-30, 1e-3),
                torch=(2.0**-23, 1e-3),
            ),
        ] = None,
        clip_threshold: Annotated[float | None, Hyperparameter("the largest rms of U, above 0", positive, 1.0)] = None,
        weight_decay: Annotated[
            float | None, Hyperparameter("at least 0; see `decay_scale`", non_negative, 0.0)
        ] = None,
        *,
        maximize: Maximize = None,
        floor_form: Annotated[
            str | None,
            Hyperparameter(
                'eps1 is "added" to squares, or "clamped": mean(R) is at least eps1, and V at least eps1^2',
                one_of("added", "clamped"),
                "added",
                torch="clamped",
            ),
        ] = None,
        relative_step: Annotated[
            bool | None, Hyperparameter("min(lr, 1 / sqrt(t)) for lr", flag, True, optax=False)
        ] = None,
        scale_parameter: Annotated[
            bool | None, Hyperparameter("multiply the step by max(eps2, rms(theta))", flag, True)
        ] = None,
        momentum: Annotated[
            float | None, Hyperparameter("of an average of whole steps, in [0, 1); 0 is none", decay_rate, 0.0)
        ] = None,
        decay_scale: Annotated[
            str | None,
            Hyperparameter(
                'theta shrinks by 1 - weight_decay times the "rate" lr, or the "step" max(eps2, rms) min(lr, ...)',
                one_of("rate", "step"),
                "rate",
                transformers="step",
                timm="step",
            ),
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def from_torch(self, values: Mapping[str, Any], params: Sequence[Tensor] = ()) -> dict[str, Any]:
        """The same; where torch has None for eps1, it takes the dtype's own epsilon."""
        found = super().from_torch(values)
        given = values.get("eps")
        if isinstance(given, (tuple, list)) and len(given) == 2 and given[0] is None:
            dtype = params[0].dtype if params else np.float32
            found["epsilons"] = float(np.finfo(dtype).eps), given[1]
        return found

    def variant(self, group: Mapping[str, Any]) -> str:
        return "momentum" if group["momentum"] else "plain"

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        eps1, eps2 = group["epsilons"]
        clamped = group["floor_form"] == "clamped"
        return {
            "sign": -1.0 if group["maximize"] else 1.0,
            "floor": 0.0 if clamped else eps1,
            "least_average": eps1 if clamped else 0.0,
            "least_variance": eps1 * eps1 if clamped else 0.0,
            "most": 1.0 / eps1 if clamped and eps1 else inf,
            "least_scale": eps2,
            "scales": 1.0 if group["scale_parameter"] else 0.0,
            "step_decay": group["weight_decay"] if group["decay_scale"] == "step" else 0.0,
            "threshold": group["clip_threshold"],
            "momentum": group["momentum"],
            "one_minus_momentum": 1.0 - group["momentum"],
        }

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        lr, weight = group["lr"], float(step) ** group["beta2_decay"]
        return {
            "keep": 1.0 - weight,
            "weight": weight,
            "rate": min(lr, 1.0 / sqrt(step)) if group["relative_step"] else lr,
            "lr_decay": lr * group["weight_decay"] if group["decay_scale"] == "rate" else 0.0,
        }
