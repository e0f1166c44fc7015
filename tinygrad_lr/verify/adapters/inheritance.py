"""From which class of a library an optimizer has a behaviour: that class has the methods that decide, and does so too.

`ancestors_of` lists the classes that can be asked, with a maker of each, for torch. The base class alone computes no
step: `Plain` gives it one, which keeps states of the same names, shapes and dtypes as the optimizer under check.
Next: ../search/search.py, which runs a broken property on them.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..protocol import Array, Maker

BASE = "torch.optim.Optimizer"
OF_SAVING = ("P8", "P9", "P9.whole")


class Ancestor(NamedTuple):
    """A class of the library from which another derives.

    Attributes:
        name: its public name.
        make: a maker of it, which takes what the maker of the derived class takes.
        decides: whether what a property (its id) looks at is done by this class's own methods.
    """

    name: str
    make: Maker
    decides: Callable[[str], bool]


def ancestors_of(cls: Any, make: Maker, adapt: Callable[[Any], Maker], subject: Callable[..., Any]) -> list[Ancestor]:
    """torch's own classes from which a class derives, the nearest first; the base class last.

    Args:
        cls: a subclass of torch.optim.Optimizer.
        make: its maker.
        adapt: the maker of another such class, with the same names.
        subject: builds the subject of a class from (class, params, settings).
    """
    own = [each for each in cls.__mro__[1:] if each.__module__.startswith("torch.optim")]
    found = [
        Ancestor(f"torch.optim.{each.__name__}", adapt(each), _decides(cls, each))
        for each in own
        if f"torch.optim.{each.__name__}" != BASE
    ]
    if own:
        for in_place in (True, False):
            found.append(Ancestor(BASE, _plain_maker(make, own[-1], in_place, subject), OF_SAVING.__contains__))
    return found


def _decides(cls: Any, ancestor: Any) -> Callable[[str], bool]:
    """Whether the step is the ancestor's, on which all but saving depends; torch wraps it at the first use."""
    same = inspect.unwrap(cls.step) is inspect.unwrap(ancestor.step)
    return lambda property_id: same and property_id not in OF_SAVING


def _plain_maker(make: Maker, base: Any, in_place: bool, subject: Callable[..., Any]) -> Maker:
    class Plain(base):  # type: ignore[misc]
        """The base class with a step that changes the states, in place or by new tensors, and theta by them."""

        def __init__(self, params: Any, kept: list[dict[str, Any]]) -> None:
            self.kept = kept
            super().__init__(params, {"lr": 1.0})

        def step(self) -> None:
            tensors = [tensor for group in self.param_groups for tensor in group["params"]]
            for tensor, kept in zip(tensors, self.kept, strict=True):
                if tensor.grad is not None:
                    state = self.state[tensor]
                    if not state:
                        state.update(copy.deepcopy(kept))
                    _advance(tensor, state, in_place)

    def build(params: list[Array], **hyperparameters: Any) -> Any:
        template = make(params, **hyperparameters)
        template.step([np.full_like(np.asarray(p), 0.5) for p in params])
        optimizer = template.optimizer
        tensors = [tensor for group in optimizer.param_groups for tensor in group["params"]]
        return subject(Plain, params, {"kept": [copy.deepcopy(dict(optimizer.state.get(t, {}))) for t in tensors]})

    build.takes = getattr(make, "takes", None)  # type: ignore[attr-defined]
    return build


def _advance(tensor: Any, state: dict[Any, Any], in_place: bool) -> None:
    """One step: moments take in the gradient, counts count, and theta follows the moments."""
    for key, value in state.items():
        if isinstance(value, list):
            parts = dict(enumerate(value))
            _advance(tensor, parts, in_place)
            value[:] = parts.values()
        elif isinstance(value, dict):
            _advance(tensor, value, in_place)
        elif not hasattr(value, "numel"):
            state[key] = value + 1 if isinstance(value, (int, float)) and not isinstance(value, bool) else value
        elif value.numel() == tensor.numel() and value.is_floating_point() and value.dim():
            gradient = tensor.grad.reshape(value.shape).to(value.dtype)
            state[key] = value.mul_(0.5).add_(gradient) if in_place else value * 0.5 + gradient
            tensor.data.sub_(state[key].reshape(tensor.shape).to(tensor.dtype), alpha=0.01)
        elif not value.is_complex():
            state[key] = value.add_(1) if in_place else value + 1
