"""Whether operations are recorded, and who is notified of what the graph does not show.

`no_grad` switches recording off, `enable_grad` on, `set_grad_enabled` either. A watcher is an object that compiled
training installs while it traces a step.

Next: `tensor.py`, which records and notifies.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Generator
from contextlib import ContextDecorator
from functools import partial, wraps
from typing import Any, Protocol, TypeVar, overload

from tinygrad_lr.booleans import true_or_false

from .graph import Node, Variable

__all__ = ["Watcher", "enable_grad", "is_grad_enabled", "no_grad", "notify", "set_grad_enabled", "switch"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Tensor = TypeVar("_Tensor", bound=Variable)
_Self = TypeVar("_Self", bound="_Recording")


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

    def masked(self) -> int:
        """A mask of dropout is about to be drawn; returns its key."""


class _Switch(threading.local):
    """What holds for a thread: whether operations are recorded, and the watcher."""

    recording = True
    watcher: Watcher[Any] | None = None


switch = _Switch()


def notify(tensor: Variable, how: str) -> None:
    """Notify the watcher, if there is one, that Python is about to read or to change a Tensor's values."""
    if switch.watcher is not None:
        switch.watcher.touched(tensor, how)


class _Recording(ContextDecorator):
    """A `with` block or a decorated function in which recording is on or off, on its own thread only."""

    _mode: bool

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self: _Self) -> _Self:
        self._before.append(switch.recording)
        switch.recording = self._mode
        return self

    def __exit__(self, *exception: object) -> None:
        switch.recording = self._before.pop()

    def _recreate_cm(self) -> _Recording:
        return type(self)()  # recursive and threaded calls of a decorated function each remember their own `_before`

    def __call__(self, function: _Function) -> _Function:
        name = type(self).__name__
        if inspect.isclass(function) or not callable(function):
            raise TypeError(f"{name} decorates functions, got {function!r}; for a block write `with {name}...:`")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{name} cannot decorate the asynchronous function {function.__name__}: other tasks would run inside "
                f"it while it waits; write `with {name}...:` around what runs between two awaits"
            )
        if inspect.isgeneratorfunction(function):
            return _stepwise(function, self._recreate_cm)
        return super().__call__(function)


def _stepwise(function: Callable[..., Generator[Any, Any, Any]], block: Callable[[], _Recording]) -> Any:
    """A generator function whose body runs inside a block, and whose caller does not."""

    @wraps(function)
    def decorated(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        running = function(*args, **kwargs)
        resume: Callable[[], Any] = partial(next, running)
        try:
            while True:
                with block():
                    given = resume()
                try:
                    sent = yield given
                except GeneratorExit:
                    with block():
                        running.close()
                    raise
                except BaseException as error:
                    resume = partial(running.throw, error)
                else:
                    resume = partial(running.send, sent)
        except StopIteration as end:
            return end.value

    return decorated


class no_grad(_Recording):
    """Switch recording off inside a `with` block, or in a decorated function. It acts on its own thread only.

    `@no_grad` and `@no_grad()` mean the same. Of a decorated generator, the body runs without recording, and not what
    its caller does between two values.

    Raises:
        TypeError: what is decorated is no function, or asynchronous.

    Example:
        >>> from tinygrad_lr import no_grad, tensor
        >>> w = tensor([2.0], requires_grad=True)
        >>> with no_grad():
        ...     (w * w).requires_grad
        False
        >>> @no_grad
        ... def square(x):
        ...     return x * x
        >>> square(w).requires_grad
        False
    """

    _mode = False

    @overload
    def __new__(cls) -> no_grad: ...

    @overload
    def __new__(cls, function: _Function) -> _Function: ...  # type: ignore[misc]

    def __new__(cls, function: Any = None) -> Any:
        return object.__new__(cls) if function is None else cls()(function)


class enable_grad(_Recording):
    """Switch recording on, inside `no_grad`; used as `no_grad` is.

    Example:
        >>> from tinygrad_lr import enable_grad, no_grad, tensor
        >>> w = tensor([2.0], requires_grad=True)
        >>> with no_grad(), enable_grad():
        ...     (w * w).requires_grad
        True
    """

    _mode = True

    @overload
    def __new__(cls) -> enable_grad: ...

    @overload
    def __new__(cls, function: _Function) -> _Function: ...  # type: ignore[misc]

    def __new__(cls, function: Any = None) -> Any:
        return object.__new__(cls) if function is None else cls()(function)


class set_grad_enabled(_Recording):
    """Switch recording on or off: from now on, or inside a `with` block or a decorated function, as in torch.

    Args:
        mode: True or False.

    Raises:
        TypeError: `mode` is neither.

    Example:
        >>> from tinygrad_lr import is_grad_enabled, set_grad_enabled
        >>> with set_grad_enabled(False):
        ...     is_grad_enabled()
        False
        >>> is_grad_enabled()
        True
    """

    def __init__(self, mode: bool) -> None:
        self._mode = true_or_false("mode", mode)
        self._before = [switch.recording]
        self._entered = False
        switch.recording = self._mode

    def __enter__(self) -> set_grad_enabled:
        if self._entered:
            self._before.append(switch.recording)
        self._entered = True
        switch.recording = self._mode
        return self

    def _recreate_cm(self) -> set_grad_enabled:
        return set_grad_enabled(self._mode)

    def __call__(self, function: _Function) -> _Function:
        switch.recording = self._before[0]  # only the calls shall run in this mode
        return super().__call__(function)


def is_grad_enabled() -> bool:
    """Whether operations are recorded on this thread."""
    return switch.recording
