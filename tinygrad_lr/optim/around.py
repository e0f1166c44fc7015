"""`Around`: what Lookahead and SAM share, which move the parameters around the steps of another optimizer.

A wrapper has the groups, the state and the rates of its optimizer, so that schedulers and `fit` take it. Its
`state_dict` is the optimizer's with one key more. Compiled training refuses it. Next: lookahead.py, sam.py.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, ClassVar, NoReturn, TypeAlias

import numpy as np

from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import copy_into, to_host

from .groups import ParamGroups
from .optimizer import Optimizer

__all__ = ["Around", "Inner"]


class Around:
    """What stands around an optimizer of tinygrad_lr: its parameters, groups and state are the optimizer's.

    Args:
        optimizer: an optimizer of tinygrad_lr, or another wrapper.

    Attributes:
        optimizer: the one inside. Hooks are registered there.

    Raises:
        TypeError: not an optimizer.
    """

    key: ClassVar[str]
    """Under which its own state stands in a `state_dict`."""

    def __init__(self, optimizer: Inner) -> None:
        if not isinstance(optimizer, (Optimizer, Around)):
            made = f"; make one: {optimizer.__name__}(...)" if isinstance(optimizer, type) else ""
            name = optimizer.__name__ if isinstance(optimizer, type) else type(optimizer).__name__
            raise TypeError(f"{type(self).__name__} goes around an optimizer of tinygrad_lr, got {name}{made}")
        self.optimizer = optimizer

    # What each wrapper says.

    @abstractmethod
    def step(self, closure: Callable[[], Any] | None = None, **options: Any) -> Any:
        """Make a step; options are those of the optimizer's step."""

    @abstractmethod
    def own_state(self) -> dict[str, Any]:
        """What a state_dict has of the wrapper."""

    @abstractmethod
    def checked_state(self, saved: Mapping[str, Any], places: list[int]) -> Callable[[], None]:
        """A function that takes a state back, which was checked.

        Args:
            saved: what `own_state` gave.
            places: where each parameter stood among those that were saved.
        """

    @abstractmethod
    def described(self) -> str:
        """The arguments, for `repr`."""

    # What follows from the optimizer.

    def train(self) -> None:
        """Have the parameters at which gradients are taken: `Optimizer.train`."""
        self.optimizer.train()

    def eval(self) -> None:
        """Have the parameters that predictions are made with: `Optimizer.eval`."""
        self.optimizer.eval()

    @property
    def param_groups(self) -> ParamGroups:
        """The groups of the optimizer."""
        return self.optimizer.param_groups

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The defaults of the optimizer's hyperparameters."""
        return self.optimizer.defaults

    @property
    def state(self) -> MutableMapping[Any, Any]:
        """The state of the optimizer."""
        return self.optimizer.state

    @property
    def dialect(self) -> str:
        """The dialect of the optimizer."""
        return self.optimizer.dialect

    @property
    def kind(self) -> str:
        """Its class and that of the optimizer, in one word."""
        return f"{type(self).__name__}({getattr(self.optimizer, 'kind', type(self.optimizer).__name__)})"

    @property
    def has_stepped(self) -> bool | None:
        """Whether the optimizer made a step."""
        return self.optimizer.has_stepped

    @property
    def needs_closure(self) -> bool:
        """Whether a step takes a closure, because it needs several gradients."""
        return isinstance(self.optimizer, Around) and self.optimizer.needs_closure

    @property
    def has_own_step(self) -> bool:
        """Whether the optimizer's class wrote its step torch's way."""
        return self.optimizer.has_own_step

    @property
    def _lock(self) -> Any:
        return self.optimizer._lock

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; see `Optimizer.zero_grad`."""
        self.optimizer.zero_grad(set_to_none)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters to the optimizer; see `Optimizer.add_param_group`."""
        self.optimizer.add_param_group(group)

    def state_dict(self) -> dict[str, Any]:
        """The state of the optimizer, which loads it also without the wrapper; and under a key that of the wrapper."""
        with self._lock:
            return {**self.optimizer.state_dict(), self._saved_under: self.own_state()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict()`. Nothing is changed unless everything fits.

        Raises:
            TypeError, ValueError: what `Optimizer.load_state_dict` raises; no state of this wrapper, or one that does
                not fit the parameters.
        """
        with self._lock:
            own = state_dict.get(self._saved_under) if isinstance(state_dict, Mapping) else None
            if not isinstance(own, Mapping):
                raise ValueError(
                    f"the state_dict has no {self._saved_under!r}, which a state of {type(self).__name__} has; load it "
                    "into the optimizer inside: .optimizer.load_state_dict(...)"
                )
            take = self.checked_state(own, self._inner.saved_places(state_dict))
            self.optimizer.load_state_dict(state_dict)
            take()

    @property
    def _saved_under(self) -> str:
        """The key of its state; around another one of its kind it has a number: "lookahead", "lookahead2", ..."""
        count, inside = 1, self.optimizer
        while isinstance(inside, Around):
            count, inside = count + (inside.key == self.key), inside.optimizer
        return self.key if count == 1 else f"{self.key}{count}"

    @property
    def _inner(self) -> Optimizer:
        """The optimizer inside all wrappers."""
        return self.optimizer if isinstance(self.optimizer, Optimizer) else self.optimizer._inner

    @property
    def _params(self) -> list[Tensor]:
        """All parameters, in the order of the groups."""
        return [param for group in self.param_groups for param in group["params"]]

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("register_"):
            raise AttributeError(
                f"{type(self).__name__} has no hooks of its own; those of the optimizer inside run around its steps: "
                f".optimizer.{name}(...)"
            )
        if name == "explain":
            raise AttributeError(
                f"{type(self).__name__} is no part of a formula's lines; explain a step of the optimizer inside: "
                ".optimizer.explain(...)"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.described()}) around {self.optimizer!r}"


Inner: TypeAlias = "Optimizer | Around"


def values_of(param: Tensor) -> np.ndarray[Any, Any]:
    """A copy of a parameter's values, on the host."""
    return np.array(to_host(param._data))


def put(param: Tensor, values: np.ndarray[Any, Any]) -> None:
    """Write values into a parameter, and tell the graph."""
    copy_into(param._data, values)
    param._version += 1
