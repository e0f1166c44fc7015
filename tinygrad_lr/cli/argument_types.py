"""Types of arguments on the command line: numbers in a range, texts, lists with commas. Errors say what is expected."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

__all__ = ["LARGEST", "names", "number", "shown", "text", "whole_number", "widths"]

LARGEST = 2**53  # up to here, float64 tells each whole number from the next


def shown(given: str) -> str:
    """What was given, quoted, and cut where it is long."""
    return repr(given) if len(given) <= 60 else f"{given[:40]!r}... ({len(given)} characters)"


def number(least: float, most: float = math.inf, at_most: str = "at most") -> Callable[[str], float]:
    """An argument type: a finite number of at least `least` and at most (or "below") `most`."""

    def convert(given: str) -> float:
        try:
            value = float(given)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a number, got {shown(given)}") from None
        fits = least <= value and (value < most if at_most == "below" else value <= most)
        if not (fits and math.isfinite(value)):
            limit = "" if most == math.inf else f" and {at_most} {most:g}"
            raise argparse.ArgumentTypeError(
                f"expected a finite number of at least {least:g}{limit}, got {shown(given)}"
            )
        return value

    return convert


def whole_number(least: int) -> Callable[[str], int]:
    """An argument type: an integer of at least `least` and at most 2**53."""

    def convert(given: str) -> int:
        try:
            value = int(given) if len(given) <= 1000 else LARGEST + 1
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, got {shown(given)}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {shown(given)}")
        if value > LARGEST:
            raise argparse.ArgumentTypeError(f"expected a whole number of at most {LARGEST}, got {shown(given)}")
        return value

    return convert


def text(given: str) -> str:
    """An argument type: a text that is not empty, such as a name or a path.

    Example:
        >>> text("houses.csv")
        'houses.csv'
    """
    if not given.strip() or "\0" in given:
        raise argparse.ArgumentTypeError(f"expected a text that is not empty and holds no NUL, got {shown(given)}")
    return given


def widths(given: str) -> list[int]:
    """An argument type: comma-separated positive integers.

    Example:
        >>> widths("32,16")
        [32, 16]
    """
    return [whole_number(1)(part) for part in given.split(",")]


def names(given: str) -> list[str]:
    """An argument type: comma-separated names, none of them empty.

    Example:
        >>> names("dose, colour")
        ['dose', 'colour']
    """
    found = [part.strip() for part in given.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(
            f"expected names with commas between, got {shown(given)}; one of them is empty"
        )
    return found
