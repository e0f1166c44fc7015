"""Whether operations are recorded, and who is notified of what the graph does not show.

`no_grad` switches recording off. A watcher is an object that compiled training installs while it traces a step.

Next: `tensor.py`, which records and notifies.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any, Protocol, TypeVar

from .graph import Node, Variable

__all__ = ["Watcher", "no_grad", "notify", "switch"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Tensor = TypeVar("_Tensor", bound=Variable)


class Watcher(Protocol[_Tensor]):
    """Receives events that the graph does not record. Install it by setting `switch.watcher`."""

    def touched(self, tensor: _Tensor, how: str) -> None:
        """Python is about to read or to change the values of `tensor`; `how` names the access, for messages."""

    def unrecorded(self, node: Node[_Tensor], out: _Tensor) -> None:
        """An op ran without being recorded. `node` is what would have been recorded, and asks for no gradient."""

    def detached(self, out: _Tensor, tensor: _Tensor) -> None:
        """`out` was made from `tensor`: it has the same memory and no history."""

    def drawing(self) -> None:
        """tinygrad_lr's generator of random numbers is about to be used or seeded."""


class _Switch(threading.local):
    """What holds for a thread: whether operations are recorded, and the watcher."""

    recording = True
    watcher: Watcher[Any] | None = None


switch = _Switch()


def notify(tensor: Variable, how: str) -> None:
    """Notify the watcher, if there is one, that Python is about to read or to change a Tensor's values."""
    if switch.watcher is not None:
        switch.watcher.touched(tensor, how)


class no_grad(ContextDecorator):
    """Switch recording off inside a `with` block, or in a decorated function. It acts on its own thread only.

    Raises:
        TypeError: a generator function is decorated (its body would run outside the block).

    Example:
        >>> from tinygrad_lr import no_grad, tensor
        >>> w = tensor([2.0], requires_grad=True)
        >>> with no_grad():
        ...     (w * w).requires_grad
        False
    """

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> no_grad:
        self._before.append(switch.recording)
        switch.recording = False
        return self

    def __exit__(self, *exception: object) -> None:
        switch.recording = self._before.pop()

    def _recreate_cm(self) -> no_grad:
        return no_grad()  # recursive and threaded calls of a decorated function each remember their own `_before`

    def __call__(self, function: _Function) -> _Function:
        if inspect.isgeneratorfunction(function):
            raise TypeError(
                f"no_grad cannot decorate the generator {function.__name__}: its body runs after the call returns; "
                "write `with no_grad():` inside it"
            )
        return super().__call__(function)
