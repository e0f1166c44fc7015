"""What cannot be compiled: the error, and the check of classes that do a part of training in their own way.

Next: fingerprint.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["REMEDY", "CannotCompile", "refuse_overridden"]

REMEDY = "Without compiling it trains with fit(..., compiled=False), or tinygrad-lr train --eager"


class CannotCompile(NotImplementedError):
    """The step cannot be compiled; the message says which op or value and why, and what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}. {REMEDY}")


def refuse_overridden(given: Any, base: type, methods: Iterable[str]) -> None:
    """Raise CannotCompile where an object has one of these methods in a version of its own."""
    for name in methods:
        if getattr(type(given), name) is not getattr(base, name) or name in vars(given):
            raise CannotCompile(
                f"{type(given).__name__} has its own {name}, and machine code calls neither it nor {base.__name__}'s"
            )
