"""Guards against changes in place: `backward` uses the values that an op has read, or says that they have changed.

There is one mechanism: versions. The version of a Tensor is the number of changes of its values. A node notes the
versions of the values that it needs, and compares them before it uses these values.

- A write through a Tensor (`t += 1`, `t[0] = 1`, `t.data = ...`, an optimizer's step) is counted when it happens.
- A write through a raw array (`t.data[0] = 1`, `t.numpy()[0] = 1`) cannot be counted when it happens. A Tensor whose
  array was handed out is exposed: its bytes are kept, and whenever its version is asked for, different bytes are
  counted as a change.
- Views share memory. A write through a view counts for its base, and a write through the base for all its views.

Next: `graph.py`, which notes and compares versions.
"""

from __future__ import annotations

from typing import Any, Protocol
from weakref import WeakValueDictionary

from .dtypes import Array, to_host

__all__ = ["Guarded", "changed", "current_version", "expose", "version_to_save"]


class Seen:
    """The bytes of an array when its version was last asked for, and how often they had changed until then."""

    __slots__ = ("changes", "content")

    def __init__(self, content: bytes) -> None:
        self.content, self.changes = content, 0


class Guarded(Protocol):
    """What the guards need of a Tensor."""

    _data: Array
    _version: int  # how many writes through Tensors were counted
    _exposed: bool  # the raw array was handed out
    _seen: Seen | None  # the bytes of an exposed Tensor whose values a node needed
    _saved: bool  # a node needed its values

    _views: WeakValueDictionary[int, Any] | None  # of a base: its views that nodes needed, by id

    @property
    def _base(self) -> Guarded | None:
        """The Tensor whose memory this one shows; None where it has its own."""


def changed(tensor: Guarded) -> None:
    """Count a change of a Tensor's values, also for its base."""
    tensor._version += 1
    if tensor._base is not None:
        tensor._base._version += 1


def version_to_save(tensor: Guarded, array: Array) -> int:
    """The version of a Tensor, whose values in `array` a node needs from now on."""
    base = tensor._base
    if base is None:
        tensor._saved = True
    else:
        if base._views is None:
            base._views = WeakValueDictionary()
        base._views[id(tensor)] = tensor
    return current_version(tensor, array)


def current_version(tensor: Guarded, array: Array) -> int:
    """How often a Tensor's values, which are in `array`, have changed."""
    base = tensor._base
    if base is None:
        return tensor._version + _seen_changes(tensor, array) if tensor._exposed else tensor._version
    counted = tensor._version + base._version
    return counted + _seen_changes(tensor, array) if base._exposed else counted


def _seen_changes(tensor: Guarded, array: Array) -> int:
    """How often the bytes of an exposed array have changed between two looks at them; this is a look."""
    content = to_host(array).tobytes()
    seen = tensor._seen
    if seen is None:
        seen = tensor._seen = Seen(content)
    elif content != seen.content:
        seen.content = content
        seen.changes += 1
    return seen.changes


def expose(tensor: Guarded) -> None:
    """Note that a Tensor's array is about to be handed out: from now on it can change without being counted."""
    base = tensor if tensor._base is None else tensor._base
    if base._exposed:
        return
    base._exposed = True
    if base._saved:
        _seen_changes(base, base._data)
    if base._views is not None:
        for view in list(base._views.values()):
            _seen_changes(view, view._data)
