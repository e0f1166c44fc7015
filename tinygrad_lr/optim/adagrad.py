"""AdaGrad. Kernel: kernels/updates/adagrad.py. Read rmsprop.py next."""

from collections.abc import Mapping
from typing import Annotated, Any

from .common import common_constants, common_moving, placed_eps
from .hyperparameters import DecoupledInKeras, Hyperparameter, Maximize, Params, TorchOptions, WeightDecay
from .optimizer import Optimizer
from .validation import non_negative, one_of


class Adagrad(Optimizer, dialects=("article", "torch", "optax", "keras")):
    """AdaGrad: G <- G + g^2, theta <- theta - lr g / sqrt(G + eps).

    Source: Duchi, Hazan and Singer, Journal of Machine Learning Research 12 (2011); epsilon as in the article.

    Raises:
        TypeError, ValueError: see `Optimizer`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Adagrad([w], lr=0.5, eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "adagrad"
    examined = [{}, {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.3}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[
            float | None, Hyperparameter("learning rate, at least 0", non_negative, 1e-2, optax=1e-3, keras=1e-3)
        ] = None,
        lr_decay: Annotated[
            float | None,
            Hyperparameter("at least 0; the rate of step t is lr / (1 + (t - 1) lr_decay)", non_negative, 0.0),
        ] = None,
        weight_decay: WeightDecay = None,
        initial_accumulator_value: Annotated[
            float | None, Hyperparameter("what G starts from, at least 0", non_negative, 0.0, optax=0.1, keras=0.1)
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-10, optax=1e-7, keras=1e-7)] = None,
        *,
        maximize: Maximize = None,
        eps_placement: Annotated[
            str | None,
            Hyperparameter('"inside" the root or "outside"', one_of("inside", "outside"), "inside", torch="outside"),
        ] = None,
        decoupled_weight_decay: DecoupledInKeras = None,
        dialect: str = "article",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def initial_state(self, group: Mapping[str, Any], key: str) -> float:
        return float(group["initial_accumulator_value"])

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        return {**common_constants(group), **placed_eps(group)}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {**common_moving(group), "lr": group["lr"] / (1.0 + (step - 1) * group["lr_decay"])}
