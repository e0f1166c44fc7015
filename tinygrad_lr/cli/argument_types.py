"""Types of arguments on the command line: numbers in a range, lists with commas. Errors say what was expected."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

__all__ = ["names", "number", "whole_number", "widths"]


def number(least: float, most: float = math.inf, at_most: str = "at most") -> Callable[[str], float]:
    """An argument type: a finite number of at least `least` and at most (or "below") `most`."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
        fits = least <= value and (value < most if at_most == "below" else value <= most)
        if not (fits and math.isfinite(value)):
            limit = "" if most == math.inf else f" and {at_most} {most:g}"
            raise argparse.ArgumentTypeError(f"expected a finite number of at least {least:g}{limit}, got {text!r}")
        return value

    return convert


def whole_number(least: int) -> Callable[[str], int]:
    """An argument type: an integer of at least `least`."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
        return value

    return convert


def widths(text: str) -> list[int]:
    """An argument type: comma-separated positive integers; an empty text means none.

    Example:
        >>> widths("32,16"), widths("")
        ([32, 16], [])
    """
    return [whole_number(1)(part) for part in text.split(",")] if text.strip() else []


def names(text: str) -> list[str]:
    """An argument type: comma-separated column names."""
    return [part.strip() for part in text.split(",") if part.strip()]
