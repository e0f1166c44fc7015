"""torch's `swa_utils`: averages of a model's parameters, and the rate that goes with them.

Sources: Izmailov et al., UAI 2018, arXiv:1803.05407 (SWA, the mean of parameters); Polyak and Juditsky, SIAM J. Control
Optim. 30(4), 1992 (averages of iterates). The formula of the mean stands here once; `training.WeightAveraging`, which
keeps it in float64, calls it too. `training.ModelAveraging` updates an `AveragedModel` as `fit` goes on.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import copy_into, to_host
from tinygrad_lr.integers import whole_number
from tinygrad_lr.nn import Module

from .validation import fraction, non_negative, one_of

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Array = np.ndarray[Any, Any]
Average = Callable[[Array, Array, int], Array]
Averages = Callable[[Sequence[Array], Sequence[Array], int], object]


def get_swa_avg_fn() -> Average:
    """Return the function of a running mean: averaged + (current - averaged) / (num_averaged + 1).

    Example:
        >>> get_swa_avg_fn()(np.array([2.0]), np.array([5.0]), 2)
        array([3.])
    """

    def swa_update(averaged_param: Array, current_param: Array, num_averaged: int) -> Array:
        found: Array = averaged_param + (current_param - averaged_param) / (num_averaged + 1)
        return found

    return swa_update


def get_swa_multi_avg_fn() -> Averages:
    """Return the function of a running mean that writes into lists of arrays: `get_swa_avg_fn` for each."""
    return _for_each(get_swa_avg_fn())


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return the function of an exponential moving average: decay averaged + (1 - decay) current.

    Args:
        decay: in [0, 1].

    Raises:
        ValueError: `decay` is outside [0, 1].

    Example:
        >>> get_ema_avg_fn(0.75)(np.array([2.0]), np.array([6.0]), 3)
        array([3.])
    """
    decay = fraction("decay", decay)

    def ema_update(averaged_param: Array, current_param: Array, num_averaged: int) -> Array:
        found: Array = decay * averaged_param + (1.0 - decay) * current_param
        return found

    return ema_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """Return the function of an exponential moving average that writes into lists of arrays.

    Args:
        decay: as for `get_ema_avg_fn`, which is called for each.

    Raises:
        ValueError: `decay` is outside [0, 1].
    """
    return _for_each(get_ema_avg_fn(decay))


def _for_each(average: Average) -> Averages:
    def update(averaged: Sequence[Array], current: Sequence[Array], num_averaged: int) -> None:
        for mean, value in zip(averaged, current, strict=True):
            mean[...] = average(mean, value, num_averaged)

    return update


class AveragedModel(Module):
    """A copy of a model whose parameters are an average of the model's: call it as the model.

    `update_parameters(model)` takes the model's parameters into the average. The first call copies them. Buffers are
    those of the model at the last call, unless they are averaged too.

    Args:
        model: a Module; it is copied, and its gradients are not.
        device: "cpu" or "cuda"; None: where the model is.
        avg_fn: `avg_fn(averaged, current, num_averaged)` gives the new average of one parameter. It is called with
            arrays on the host and a whole number, where torch has Tensors. Without both functions: the mean.
        multi_avg_fn: `multi_avg_fn(averaged, current, num_averaged)` writes the new averages into a list of arrays.
        use_buffers: average the buffers too.

    Attributes:
        module: the copy.
        n_averaged: how many times `update_parameters` was called, a Tensor; it is a buffer, and saved.

    The functions are no part of `state_dict()`, as in torch.

    Raises:
        TypeError: no Module, or a function that cannot be called.
        ValueError: both functions; in `update_parameters`, a model with other parameters.

    Example:
        >>> from tinygrad_lr import nn
        >>> model = nn.Linear(1, 1)
        >>> averaged = AveragedModel(model, avg_fn=get_ema_avg_fn(0.5))
        >>> for value in (1.0, 2.0, 4.0):
        ...     model.weight.data = [[value]]
        ...     averaged.update_parameters(model)
        >>> averaged.module.weight.data, averaged.n_averaged.item()
        (array([[2.75]], dtype=float32), 3)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: str | None = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"AveragedModel takes a Module, got {type(model).__name__}")
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("give one of avg_fn and multi_avg_fn; both say what an average is")
        for name, given in (("avg_fn", avg_fn), ("multi_avg_fn", multi_avg_fn)):
            if given is not None and not callable(given):
                raise TypeError(f"{name} must be a function such as get_ema_{name}(0.999), got {type(given).__name__}")
        self.use_buffers = true_or_false("use_buffers", use_buffers)
        self.module = copy.deepcopy(model)
        self.module.zero_grad()
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", Tensor(0))
        self.avg_fn, self.multi_avg_fn = avg_fn, multi_avg_fn

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the model with the averaged parameters gives."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the parameters of a model into the average."""
        count = int(self.n_averaged.item())
        shapes = [[each.shape for each in (*m.parameters(), *m.buffers())] for m in (self.module, model)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"the model has parameters and buffers of the shapes {shapes[1]}, and the averaged one {shapes[0]}; "
                "average the model that it is a copy of"
            )
        ours, theirs = self._tensors(self.module), self._tensors(model)
        current = [to_host(each._data) for each in theirs]
        if count:
            averaged = [np.array(to_host(each._data)) for each in ours]
            average = self.multi_avg_fn or _for_each(self.avg_fn or get_swa_avg_fn())
            average(averaged, current, count)
            current = averaged
        for tensor, values in zip(ours, current, strict=True):
            _write(tensor, values)
        if not self.use_buffers:
            for buffer, other in zip(self.module.buffers(), model.buffers(), strict=True):
                _write(buffer, to_host(other._data))
        self.n_averaged += 1

    def _tensors(self, model: Module) -> list[Tensor]:
        return [*model.parameters(), *(model.buffers() if self.use_buffers else ())]


def _write(tensor: Tensor, values: Array) -> None:
    copy_into(tensor._data, values)
    tensor._version += 1


def update_bn(loader: Iterable[Any], model: Module, device: str | None = None) -> None:
    """Do nothing, as torch's function does for a model without BatchNorm: there is no BatchNorm here.

    LayerNorm, which is here, keeps no statistics of the data that an average of weights would make stale.

    Args:
        loader: batches, which are not read.
        model: a Module.
        device: torch's argument.

    Raises:
        TypeError: no Module.
    """
    if not isinstance(model, Module):
        raise TypeError(f"update_bn takes a loader and a Module, got {type(model).__name__}")


class SWALR:
    """Leads the rates of all groups from where they are to fixed ones, for weight averaging; by steps of its own.

        lr = alpha swa_lr + (1 - alpha) start, alpha = anneal(min(1, t / anneal_epochs)), after the t-th step

    `start` is the rate that a group has at the first `step()`: another scheduler may have led it there. anneal(x) is x,
    or (1 - cos(pi x)) / 2. torch computes each rate from the one before it, and so follows a rate that you assign in
    the middle; here it is closed-form, and such a rate lasts until the next step.

    Args:
        optimizer: anything with `param_groups`, a list of dicts with "lr". Each group gets the key "swa_lr".
        swa_lr: the rate at the end, or a list of one for each group.
        anneal_epochs: the length of the way; with 0 the rates are `swa_lr` from the start.
        anneal_strategy: "cos" or "linear".
        last_epoch: -1; to go on, load the `state_dict()`.

    Raises:
        TypeError, ValueError: an argument that cannot be used.

    Example:
        >>> from types import SimpleNamespace
        >>> optimizer = SimpleNamespace(param_groups=[{"lr": 0.5}])
        >>> scheduler = SWALR(optimizer, swa_lr=0.1, anneal_epochs=4, anneal_strategy="linear")
        >>> for _ in range(5):
        ...     scheduler.step()
        ...     print(round(scheduler.get_last_lr()[0], 3))
        0.4
        0.3
        0.2
        0.1
        0.1
    """

    def __init__(
        self,
        optimizer: Any,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        groups = getattr(optimizer, "param_groups", None)
        if not isinstance(groups, (list, tuple)) or not groups:
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer: it needs param_groups, a list of dicts")
        given = list(swa_lr) if isinstance(swa_lr, (list, tuple)) else [swa_lr] * len(groups)
        if len(given) != len(groups):
            raise ValueError(f"swa_lr must be a number, or one for each of {len(groups)} groups; got {len(given)}")
        rates = [non_negative("swa_lr", rate) for rate in given]
        self.anneal_epochs = whole_number("anneal_epochs", anneal_epochs, least=0)
        self.anneal_strategy = one_of("cos", "linear")("anneal_strategy", anneal_strategy)
        if last_epoch != -1:
            raise ValueError(f"last_epoch must be -1, got {last_epoch!r}; to go on, load the scheduler's state_dict()")
        self.optimizer = optimizer
        self.last_epoch = 0
        self.start: list[float] | None = None
        for group, rate in zip(groups, rates, strict=True):
            group["swa_lr"] = rate
        if self.anneal_epochs == 0:
            self._write()

    def alpha(self, step: int) -> float:
        """How much of the way is behind after so many steps, from 0 to 1."""
        x = min(1.0, step / self.anneal_epochs) if self.anneal_epochs else 1.0
        return x if self.anneal_strategy == "linear" else (1.0 - math.cos(math.pi * x)) / 2.0

    def step(self) -> None:
        """Go on by one epoch, and write the rates into the groups."""
        if self.start is None:
            self.start = self.get_last_lr()
        self.last_epoch += 1
        self._write()

    def _write(self) -> None:
        alpha, start = self.alpha(self.last_epoch), self.start or self.get_last_lr()
        for group, begun in zip(self.optimizer.param_groups, start, strict=True):
            group["lr"] = float(group["swa_lr"] * alpha + begun * (1.0 - alpha))

    def get_last_lr(self) -> list[float]:
        """The rate of each group now."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The number of steps, and the rates at the first one. The groups, with "swa_lr", are the optimizer's."""
        return {"last_epoch": self.last_epoch, "start": None if self.start is None else list(self.start)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where a scheduler was, and write its rates into the groups.

        Raises:
            ValueError: a state of another scheduler, or for another number of groups; nothing is changed.
        """
        if not isinstance(state_dict, Mapping) or set(state_dict) != {"last_epoch", "start"}:
            found = sorted(map(str, state_dict)) if isinstance(state_dict, Mapping) else type(state_dict).__name__
            raise ValueError(f"the state of SWALR has the keys 'last_epoch' and 'start', got {found}")
        epoch = whole_number("last_epoch", state_dict["last_epoch"], least=0)
        start = state_dict["start"]
        if (start is None) != (epoch == 0) or (start is not None and len(start) != len(self.optimizer.param_groups)):
            raise ValueError(f"the state of SWALR does not fit {len(self.optimizer.param_groups)} groups: {state_dict}")
        self.start = None if start is None else [non_negative("start", rate) for rate in start]
        self.last_epoch = epoch
        if self.start is not None:
            self._write()
