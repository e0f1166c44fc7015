"""Schedule-Free SGD and AdamW: an average of the iterates in the place of a schedule. Kernels:
kernels/updates/schedule_free_sgd.py and schedule_free_adamw.py.

Three points: z takes the steps, x averages all z and is for predictions, and y, between the two, is where gradients are
taken. The parameters are y while one trains, and x after `eval()`.
"""

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Annotated, Any

import numpy as np

from tinygrad_lr.engine.dtypes import copy_into, to_host

from .common import moments
from .hyperparameters import Hyperparameter, Params, TorchOptions
from .optimizer import Optimizer
from .validation import decay_rate, decay_rates, non_negative, one_of

_Decay = Annotated[
    float | None, Hyperparameter("at least 0; weight_decay * y is added to the step of z", non_negative, 0.0)
]
_WEIGHT_FORM = Hyperparameter(
    'the weight of a step in x: "step", the square of its rate, or "largest", the square of the largest rate so far',
    one_of("step", "largest"),
    "step",
    authors="largest",
    optax="largest",
)
MODE = "train_mode"  # a group's key, as in the authors' package


class _ScheduleFree(Optimizer):
    """What both share: the weights of the average, and the two modes."""

    numbers = {"weight_sum": 0.0, "lr_max": 0.0}

    def _begin(self) -> None:
        super()._begin()
        self._kept: dict[int, tuple[Any, Any]] = {}  # of each parameter by id: its values now, and in the other mode

    def _beta(self, group: Mapping[str, Any]) -> float:
        """The share of x in y."""
        raise NotImplementedError

    def _gamma(self, group: Mapping[str, Any], step: int) -> float:
        """The rate of a step."""
        return float(group["lr"])

    def next_numbers(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        gamma = self._gamma(group, step)
        largest = max(group["lr_max"], gamma)
        weight = gamma if group["weight_form"] == "step" else largest
        total = group["weight_sum"] + weight * weight
        return {"weight_sum": total, "lr_max": largest, "gamma": gamma, "weight": weight}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        weight, total = group["weight"], group["weight_sum"]
        share = weight * weight / total if total > 0 else 0.0
        return {
            "lr": group["lr"],
            "gamma": group["gamma"],
            "share": share,
            "one_minus_share": 1.0 - share,
            "first": 0.0 if step > 1 else 1.0,
        }

    def check_ready(self) -> None:
        for group in self.param_groups:
            if not group.get(MODE, True):
                raise RuntimeError(
                    "the parameters are x, for predictions, since eval(); call optimizer.train() before the forward "
                    "pass, so that gradients are those at y"
                )

    def eval(self) -> None:
        with self._lock:
            self._exchange(True, lambda y, z, beta: (y - (1 - beta) * z) / beta)

    def train(self) -> None:
        with self._lock:
            self._exchange(False, lambda x, z, beta: beta * x + (1 - beta) * z)
            self._kept = {}

    def _exchange(self, trains: bool, formula: Callable[..., Any]) -> None:
        """Move the parameters of groups in one mode to the other: to what they were, where nobody changed them."""
        for group, segments in zip(self.param_groups, self._segments, strict=True):
            if group.get(MODE, True) is not trains:
                continue
            for segment in segments:
                for i, param in enumerate(segment.params):
                    if segment.steps[i]:
                        values, z = to_host(param._data), to_host(segment.state_of(i)["z"])
                        self._write(param, values, self._other(id(param), values, z, self._beta(group), formula))
            group[MODE] = not trains

    def _other(self, key: int, values: Any, z: Any, beta: float, formula: Callable[..., Any]) -> Any:
        """Its values in the other mode: those that it had, where nobody changed it since, or by the formula."""
        now, before = self._kept.pop(key, (None, None))
        if now is not None and np.array_equal(now, values, equal_nan=True):
            return before
        found = formula(values, z, values.dtype.type(beta))
        self._kept[key] = found.copy(), values.copy()
        return found

    @staticmethod
    def _write(param: Any, values: Any, other: Any) -> None:
        copy_into(param._data, other)
        param._version += 1


class ScheduleFreeSGD(_ScheduleFree, dialects=("paper", "authors", "optax")):
    """Schedule-Free SGD: z <- z - lr g(y), x is the mean of all z, y = beta x + (1 - beta) z: no schedule is needed.

    The parameters are y. `eval()` makes them x, for predictions, and `train()` makes them y again; a step between the
    two is refused. Its state has the numbers `weight_sum`, the sum of all weights, and `lr_max`, the largest rate.
    Source: Defazio et al., arXiv:2405.15682, equations 3 to 5.

    Raises:
        TypeError, ValueError: see `Optimizer`; a beta of 0, from which x could not be told.
        RuntimeError: a step after `eval()`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.ScheduleFreeSGD([w], lr=0.5, beta=0.5)
        >>> for g in (1.0, 1.0):
        ...     w.grad = [g]
        ...     optimizer.step()
        >>> w.data.tolist()  # y, between z = 0 and x = 0.25
        [0.125]
        >>> optimizer.eval(); w.data.tolist()
        [0.25]
    """

    kernels = "schedule_free_sgd"
    examined = [{}, {"beta": 0.5, "weight_decay": 0.1, "weight_form": "largest"}]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 1.0)] = None,
        beta: Annotated[float | None, Hyperparameter("the share of x in y, in (0, 1)", decay_rate, 0.9)] = None,
        weight_decay: _Decay = None,
        *,
        weight_form: Annotated[str | None, _WEIGHT_FORM] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constraints(self, group: Mapping[str, Any]) -> None:
        if not group["beta"]:
            raise ValueError("beta must be above 0: at 0 the parameters are z, and x cannot be told from them")

    def _beta(self, group: Mapping[str, Any]) -> float:
        return float(group["beta"])

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        beta = group["beta"]
        return {
            "beta": beta,
            "one_minus_beta": 1.0 - beta,
            "zero": 0.0,
            "sign": 1.0,
            "weight_decay": group["weight_decay"],
        }


class ScheduleFreeAdamW(_ScheduleFree, dialects=("paper", "authors", "optax", "keras", "pytorch_optimizer")):
    """Schedule-Free AdamW: z takes RMSprop's steps, x is the mean of all z, y = beta1 x + (1 - beta1) z.

    The parameters are y. `eval()` makes them x, for predictions, and `train()` makes them y again; a step between the
    two is refused. Its state has the numbers `weight_sum`, the sum of all weights, and `lr_max`, the largest rate.
    Source: Defazio et al., arXiv:2405.15682, Algorithm 1, without its warm-up: a schedule of lr is one.

    Raises:
        TypeError, ValueError: see `Optimizer`; a beta1 of 0, from which x could not be told.
        RuntimeError: a step after `eval()`.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.ScheduleFreeAdamW([w], lr=0.5, betas=(0.5, 0.0), eps=0.0)
        >>> w.grad = [4.0]
        >>> optimizer.step(); w.data.tolist()
        [0.5]
    """

    kernels = "schedule_free_adamw"
    examined = [
        {},
        {"betas": (0.5, 0.6), "weight_decay": 0.1, "weight_form": "largest", "eps": 0.1},
        {"correction_form": "moment", "eps_root": 0.1, "betas": (0.8, 0.9)},
    ]

    def __init__(
        self,
        params: Params,
        lr: Annotated[float | None, Hyperparameter("learning rate, at least 0", non_negative, 2.5e-3)] = None,
        betas: Annotated[
            tuple[float, float] | None,
            Hyperparameter(
                "the share of x in y, in (0, 1), and the decay rate of v, in [0, 1)", decay_rates, (0.9, 0.999)
            ),
        ] = None,
        eps: Annotated[float | None, Hyperparameter("at least 0", non_negative, 1e-8)] = None,
        weight_decay: _Decay = None,
        *,
        correction_form: Annotated[
            str | None,
            Hyperparameter(
                '"rate": lr sqrt(1 - beta2^t), or "moment": v / (1 - beta2^t) under the root',
                one_of("rate", "moment"),
                "rate",
                authors="moment",
                optax="moment",
                keras="moment",
                pytorch_optimizer="moment",
            ),
        ] = None,
        weight_form: Annotated[
            str | None,
            _WEIGHT_FORM.having("step", **dict.fromkeys(("authors", "optax", "keras", "pytorch_optimizer"), "largest")),
        ] = None,
        eps_root: Annotated[
            float | None,
            Hyperparameter("added inside the root, at least 0", non_negative, 0.0, pytorch_optimizer=1e-15),
        ] = None,
        dialect: str = "paper",
        **torch_options: TorchOptions,
    ) -> None:
        super().__init__(params, dialect, locals())

    def constraints(self, group: Mapping[str, Any]) -> None:
        if not group["betas"][0]:
            raise ValueError("betas[0] must be above 0: at 0 the parameters are z, and x cannot be told from them")

    def _beta(self, group: Mapping[str, Any]) -> float:
        return float(group["betas"][0])

    def _gamma(self, group: Mapping[str, Any], step: int) -> float:
        corrected = group["correction_form"] == "rate"
        return float(group["lr"] * sqrt(1.0 - group["betas"][1] ** step) if corrected else group["lr"])

    def constants(self, group: Mapping[str, Any]) -> dict[str, float]:
        more = {name: group[name] for name in ("eps", "eps_root", "weight_decay")}
        return {**moments(group["betas"]), **more, "zero": 0.0, "sign": 1.0}

    def moving(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        corrected = group["correction_form"] == "rate"
        found = super().moving(group, step)
        found["inverse2"] = 1.0 if corrected else 1.0 / (1.0 - group["betas"][1] ** step)
        return found
