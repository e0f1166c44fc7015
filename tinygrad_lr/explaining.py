"""Where an optimizer finds the function that explains its next step.

The function is verify's, whose formulas nothing in optim imports. The package itself, which is imported before any of
its rooms, gives it here (`tinygrad_lr/__init__.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["explain", "explained_by"]

_given: list[Callable[[Any, str, Any], Any]] = []


def explained_by(function: Callable[[Any, str, Any], Any]) -> None:
    """Have `explain` call this function of an optimizer, a parameter's name and an index."""
    _given[:] = [function]


def explain(optimizer: Any, name: str, index: Any) -> Any:
    """What the next step of an optimizer will do to one element."""
    return _given[0](optimizer, name, index)
