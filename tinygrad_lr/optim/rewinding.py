"""`Memory`: remembers values, models and optimizers, and puts them back bit for bit after steps were made.

A `state_dict` is for other processes: it runs hooks, has no gradients, and gives a parameter's state new arrays. What
is put back here lies where it lay: arrays get their old contents, dicts, lists and sets their old entries. It is used
by training/range_test.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import copy_into, to_host
from tinygrad_lr.nn import Module

from .around import Around
from .groups import ParamGroup
from .optimizer import TRANSIENT, Optimizer

__all__ = ["Memory"]

FOR_STEPS = frozenset(TRANSIENT) - {"_kept"}  # attributes of an optimizer that are no state, or are kept one by one
OF_A_SEGMENT = ("steps", "states", "numbers", "_forms")


class Memory:
    """What was remembered, until `put_back`.

    Args:
        contents: whether the contents of arrays and Tensors are remembered too, and not only which ones stood where.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0], requires_grad=True)
        >>> optimizer = optim.Adam([w], lr=0.5)
        >>> memory = Memory()
        >>> memory.optimizer(optimizer)
        >>> w.grad = [4.0]
        >>> optimizer.step()
        >>> memory.put_back()
        >>> w.data.tolist(), w.grad, len(optimizer.state)
        ([1.0], None, 0)
    """

    def __init__(self, contents: bool = True) -> None:
        self._contents = contents
        self._seen: dict[int, Any] = {}
        self._undo: list[Callable[[], object]] = []

    def put_back(self) -> None:
        """Make everything what it was. It may be called again, after further changes."""
        for each in self._undo:
            each()

    def value(self, value: Any) -> None:
        """Remember an array, a Tensor with its gradient, a Module, or a collection of such; anything else is left."""
        if id(value) in self._seen:
            return
        if isinstance(value, Tensor) or hasattr(value, "copy_to_host") or isinstance(value, np.ndarray):
            if self._contents:
                self._seen[id(value)] = value
                self._tensor(value) if isinstance(value, Tensor) else self._array(value)
        elif isinstance(value, Module):
            self.attributes(value)
        elif isinstance(value, (dict, list, set, deque, tuple)):
            self._seen[id(value)] = value
            self._collection(value)

    def attributes(self, owner: Any, besides: Collection[str] = ()) -> None:
        """Remember the attributes of an object, but for those of these names."""
        own = getattr(owner, "__dict__", None)
        if not isinstance(own, dict) or id(owner) in self._seen:
            return
        self._seen[id(owner)] = owner
        before = {name: value for name, value in own.items() if name not in besides}
        for value in before.values():
            self.value(value)

        def undo() -> None:
            for name in [each for each in own if each not in before and each not in besides]:
                del own[name]
            own.update(before)

        self._undo.append(undo)

    def optimizer(self, optimizer: Optimizer | Around) -> None:
        """Remember an optimizer: parameters and their gradients, state, counts of steps, groups and mode."""
        if isinstance(optimizer, Around):
            self.attributes(optimizer, ("optimizer",))
            self.optimizer(optimizer.optimizer)
            return
        for group in optimizer.param_groups:
            self.value(group)
        self.attributes(optimizer, FOR_STEPS)
        for segment in [each for segments in optimizer._segments for each in segments]:
            for name in OF_A_SEGMENT:
                self.value(getattr(segment, name))

        def undo() -> None:
            for segment in [each for segments in optimizer._segments for each in segments]:
                segment._views.clear()  # of states that are new
            optimizer._plans[:] = [None] * len(optimizer._plans)

        self._undo.append(undo)

    def _tensor(self, tensor: Tensor) -> None:
        values, grad = np.array(to_host(tensor._data)), tensor._grad
        if grad is not None:
            self._array(grad)

        def undo() -> None:
            if np.asarray(to_host(tensor._data)).tobytes() != values.tobytes():
                copy_into(tensor._data, values)
                tensor._version += 1
            tensor._grad = grad

        self._undo.append(undo)

    def _array(self, array: Any) -> None:
        if isinstance(array, np.ndarray) and not array.flags.writeable:
            return
        before = np.array(to_host(array))
        self._undo.append(lambda: copy_into(array, before))

    def _collection(self, value: Any) -> None:
        entries = list(value.items()) if isinstance(value, dict) else list(value)
        for each in entries:
            self.value(each)

        def undo() -> None:
            if isinstance(value, dict):
                dict.clear(value)  # a group refuses to be cleared
                dict.update(value, entries)
                if isinstance(value, ParamGroup):
                    value.changes += 1
            elif isinstance(value, list):
                list.__setitem__(value, slice(None), entries)
            else:
                value.clear()
                value.extend(entries) if isinstance(value, deque) else value.update(entries)

        if not isinstance(value, tuple):
            self._undo.append(undo)
