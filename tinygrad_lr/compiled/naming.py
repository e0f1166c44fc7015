"""The names in a generated file: ASCII identifiers, each for one array only, the same for the same step.

Next: source.py, which writes the calls with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from .lowering import View

__all__ = ["Names", "quoted"]


class Names:
    """The arrays that a generated function takes: each view of memory once, in the order of its first use."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.arguments: dict[str, np.ndarray] = {}
        self.taken = set(reserved)
        self.memory: dict[Any, tuple[str, np.ndarray]] = {}  # a buffer's name and its flat array
        self.views: dict[Any, str] = {}

    def array(self, view: View) -> str:
        """The name of a view of a buffer; one with several axes shows its shape: value1_32x64."""
        buffer = view.buffer
        key: Any = id(buffer)
        if buffer.array is not None and buffer.size:  # full and short batches use the same parameters
            key = (buffer.array.ctypes.data, buffer.size)
        if key not in self.memory:
            memory = np.zeros(buffer.size, buffer.dtype) if buffer.array is None else buffer.array.reshape(-1)
            self.memory[key] = self.unique(buffer.name), memory
        if (key, view.shape) not in self.views:
            name, memory = self.memory[key]
            if len(view.shape) > 1:
                name = self.unique(name + "_" + "x".join(map(str, view.shape)))
            self.views[key, view.shape] = name
            self.arguments[name] = memory.reshape(view.shape)
        return self.views[key, view.shape]

    def plain(self, name: str, array: np.ndarray) -> str:
        """An array under one of the reserved names."""
        self.arguments.setdefault(name, array)
        return name

    def unique(self, wanted: str) -> str:
        """An identifier like this one that nothing else has."""
        plain = re.sub(r"[^0-9A-Za-z_]", "_", wanted)
        name, copies = plain, 1
        while name in self.taken:
            copies += 1
            name = f"{plain}_{copies}"
        self.taken.add(name)
        return name


def quoted(text: str) -> str:
    r"""A text as it stands between the quotes of a docstring, in ASCII.

    Example:
        >>> print(quoted('a "model" \\ é'))
        a \"model\" \\ \xe9
    """
    return text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
