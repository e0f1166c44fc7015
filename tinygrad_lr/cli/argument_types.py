"""Types of arguments on the command line: argparse's form of the kinds in training/tables/kinds.py."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from tinygrad_lr.training.tables.kinds import LARGEST, Kind, Names, Number, Text, Whole, Widths, shown

__all__ = ["LARGEST", "names", "number", "of_kind", "shown", "text", "whole_number", "widths"]


def of_kind(kind: Kind) -> Callable[[str], Any]:
    """An argument type that reads a text as a kind does.

    Example:
        >>> of_kind(Whole(1))("3")
        3
    """

    def convert(given: str) -> Any:
        try:
            return kind.read(given)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def number(least: float) -> Callable[[str], float]:
    """An argument type: a finite number of at least `least`."""
    return of_kind(Number(least))


def whole_number(least: int) -> Callable[[str], int]:
    """An argument type: an integer of at least `least` and at most 2**53."""
    return of_kind(Whole(least))


text = of_kind(Text())  # not empty, such as a name or a path
widths = of_kind(Widths())  # positive integers with commas between
names = of_kind(Names())  # names with commas between, none of them empty
