"""The error of what cannot be compiled. Next: watching.py."""

from __future__ import annotations

__all__ = ["REMEDY", "CannotCompile"]

REMEDY = "Without compiling it trains with fit(..., compiled=False), or tinygrad-lr train --eager"


class CannotCompile(NotImplementedError):
    """The step cannot be compiled; the message says which op or value and why, and what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}. {REMEDY}")
