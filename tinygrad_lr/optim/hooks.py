"""Hooks of optimizers, with torch's names, arguments and order: functions that run around `step` and `state_dict`.

`Optimizer.register_step_pre_hook` and its kin register a hook of one optimizer; `register_optimizer_step_pre_hook` and
`register_optimizer_step_post_hook` register one of all optimizers. Compiled training makes many steps in one call of
machine code: it refuses an optimizer that has step hooks (compiled/updates.py).
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol

from .validation import flag

__all__ = [
    "EVERYWHERE",
    "STEP_HOOKS",
    "Hooks",
    "RemovableHandle",
    "around",
    "are_running",
    "hooked",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
]

BEFORE, AFTER = "before", "after"
STEP_HOOKS: dict[int, None] = {}
"""The numbers of all step hooks that there are, of any optimizer: where there are none, a step looks here alone."""
_numbers = itertools.count()


class RemovableHandle:
    """What registering a hook returns: `remove()` removes the hook. As a context manager it does so at the end.

    Example:
        >>> from tinygrad_lr import optim, ones
        >>> w = ones(2, requires_grad=True)
        >>> optimizer = optim.SGD([w], lr=0.1)
        >>> handle = optimizer.register_step_post_hook(lambda optimizer, args, kwargs: print("stepped"))
        >>> optimizer.step()
        stepped
        >>> handle.remove()
        >>> optimizer.step()
    """

    def __init__(self, hooks: Hooks) -> None:
        self.id = next(_numbers)
        self._hooks = weakref.ref(hooks)

    def remove(self) -> None:
        """Remove the hook. A hook that was removed already stays so."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self.id, None)
        STEP_HOOKS.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Hooks(dict[int, tuple[str, Callable[..., Any]]]):
    """Hooks by the number of their handle, in the order of their calls: each with the event that it belongs to.

    Args:
        of_steps: whether they run around steps, and so count in `STEP_HOOKS`.
    """

    def __init__(self, of_steps: bool = False) -> None:
        super().__init__()
        self.of_steps = of_steps

    def __del__(self, known: dict[int, None] = STEP_HOOKS) -> None:
        for number in self:
            known.pop(number, None)

    def register(self, event: str, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Add a hook as the last one, or the first one.

        Raises:
            TypeError: the hook cannot be called, or `prepend` is not True or False.
        """
        if not callable(hook):
            raise TypeError(f"a hook must be callable, got {type(hook).__name__}")
        first = flag("prepend", prepend)
        handle = RemovableHandle(self)
        after = dict(self) if first else {}
        if first:
            self.clear()
        self[handle.id] = event, hook
        self.update(after)
        if self.of_steps:
            STEP_HOOKS[handle.id] = None
        return handle

    def of(self, event: str) -> list[Callable[..., Any]]:
        """The hooks of an event: a list, which a hook that removes itself does not change."""
        return [hook for each, hook in list(self.values()) if each == event]


EVERYWHERE = Hooks(of_steps=True)
"""The step hooks of all optimizers."""


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Register a hook that runs before the steps of all optimizers, and before their own hooks.

    Args:
        hook: as for `Optimizer.register_step_pre_hook`.

    Raises:
        TypeError: the hook cannot be called.

    Example:
        >>> from tinygrad_lr import optim, ones
        >>> optimizer = optim.SGD([ones(2, requires_grad=True)], lr=0.1)
        >>> with register_optimizer_step_pre_hook(lambda optimizer, args, kwargs: print(type(optimizer).__name__)):
        ...     optimizer.step()
        SGD
    """
    return EVERYWHERE.register(BEFORE, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Register a hook that runs after the steps of all optimizers, and after their own hooks.

    Args:
        hook: as for `Optimizer.register_step_post_hook`.

    Raises:
        TypeError: the hook cannot be called.

    Example:
        >>> from tinygrad_lr import optim, ones
        >>> optimizer = optim.SGD([ones(2, requires_grad=True)], lr=0.1)
        >>> with register_optimizer_step_post_hook(lambda optimizer, args, kwargs: print(kwargs)):
        ...     optimizer.step(max_norm=1.0)
        {'max_norm': 1.0}
    """
    return EVERYWHERE.register(AFTER, hook)


class Hooked(Protocol):
    """An optimizer, as far as its hooks need it; what each of these is: optimizer.py."""

    _lock: Any
    _step_hooks: Hooks
    _hooks_run_in: int | None


def are_running(optimizer: Hooked) -> bool:
    """Whether this thread is in a step whose hooks run: a step inside it, by `super().step()`, runs none again."""
    return optimizer._hooks_run_in == threading.get_ident()


def around(step: Callable[..., Any], optimizer: Hooked, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make a step with its hooks before and after.

    Args:
        step: a function whose first argument is the optimizer.
        optimizer, args, kwargs: its arguments.

    Raises:
        TypeError: a hook returns neither None nor new arguments.
    """
    args = (optimizer, *args)
    with optimizer._lock:
        optimizer._hooks_run_in = threading.get_ident()
        try:
            for hook in [*EVERYWHERE.of(BEFORE), *optimizer._step_hooks.of(BEFORE)]:
                said = hook(optimizer, args, kwargs)
                if said is not None:
                    args, kwargs = _new_arguments(optimizer, said)
            found = step(*args, **kwargs)
            for hook in [*optimizer._step_hooks.of(AFTER), *EVERYWHERE.of(AFTER)]:
                hook(optimizer, args, kwargs)
            return found
        finally:
            optimizer._hooks_run_in = None


def _new_arguments(optimizer: Hooked, said: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a hook before a step returned, checked."""
    fits = isinstance(said, tuple) and len(said) == 2 and isinstance(said[0], tuple) and isinstance(said[1], dict)
    if not fits or not said[0] or said[0][0] is not optimizer:
        raise TypeError(
            "a hook before a step returns None, or (args, kwargs) with the new arguments of the step, where args[0] is "
            f"the optimizer; got {said!r}"
        )
    return said


def hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step that a class wrote itself, with the hooks around it."""

    @wraps(step)
    def with_hooks(self: Any, *args: Any, **kwargs: Any) -> Any:
        if STEP_HOOKS and (self._step_hooks or EVERYWHERE) and not are_running(self):
            return around(step, self, args, kwargs)
        return step(self, *args, **kwargs)

    return with_hooks
