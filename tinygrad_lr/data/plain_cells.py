"""NumPy's parser of CSV blocks: numbers are read many at a time, to the bits that Python's float() gives.

It reads large files where pyarrow is not installed. blocks.py calls it.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from tinygrad_lr.reading import MiB

from .blocks import Block, Given, Irregular
from .csv_files import Layout, TextOptions
from .gathering import Gathering, as_number

__all__ = ["PlainParser", "plain_numbers"]

# Whole numbers of so many digits, and these powers of ten, are exact in float64. So their quotient is rounded once, as
# float() rounds the decimal number.
DIGITS = 15
POWERS = 10.0 ** np.arange(DIGITS + 1)
MANY = 0.25  # of a column's cells that are not plain: they are left to Python then


def plain_numbers(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers such as -12.5 in the bytes of a text.

    Args:
        data: uint8. starts, ends: int64, where each cell begins and ends.

    Returns:
        The numbers, float64; which cells hold one, bool; which have a point, bool. The number of another cell means
        nothing. A number of more than 15 digits, an exponent, a zero before another digit, a blank: another cell.

    Example:
        >>> text = np.frombuffer(b"-12.5;7;007;x", np.uint8)
        >>> values, plain, pointed = plain_numbers(text, np.array([0, 6, 8, 12]), np.array([5, 7, 11, 13]))
        >>> values[plain].tolist(), plain.tolist()
        ([-12.5, 7.0], [True, True, False, False])
    """

    def bytes_at(places: np.ndarray) -> np.ndarray:
        return data.take(places, mode="clip")

    first = bytes_at(starts)
    negative = first == 45
    at = starts + (negative | (first == 43))
    length = ends - at
    is_code = (length > 1) & (bytes_at(at) == 48) & (bytes_at(at + 1) - np.uint8(48) < 10)
    whole = np.zeros(len(at), np.int64)
    digits, decimals, points = (np.zeros(len(at), np.int8) for _ in range(3))
    for _ in range(min(int(length.max(initial=0)), DIGITS + 1)):
        byte = bytes_at(at)
        there = at < ends
        digit = byte - np.uint8(48)
        is_digit = (digit < 10) & there
        whole *= np.where(is_digit, 10, 1)
        whole += digit * is_digit
        digits += is_digit
        decimals += is_digit & (points > 0)
        points += (byte == 46) & there
        at += 1
    plain = (digits + points == length) & (digits > 0) & (digits <= DIGITS) & (points <= 1) & ~is_code
    values = whole / POWERS.take(decimals, mode="clip")
    np.negative(values, out=values, where=negative)
    return values, plain, points > 0


class PlainParser:
    """NumPy's parser; see `blocks.Parser`."""

    size = MiB  # what a block's columns need stays in the processor's cache
    most_fields = 300

    def __init__(self, layout: Layout, options: TextOptions) -> None:
        self._delimiter, self._fields, self._options = ord(layout.delimiter), len(layout.names), options

    def finish(self) -> None:
        pass

    def parsed(self, block: Block, places: list[int], numbers: list[int]) -> dict[int, Given]:
        starts, ends = self._bounds(block)
        text = block.content.decode() if block.content.isascii() else None

        def cells_of(starts: np.ndarray, ends: np.ndarray) -> list[str]:
            bounds = zip(starts.tolist(), ends.tolist(), strict=True)
            if text is not None:
                cells = [text[start:end] for start, end in bounds]
            else:
                cells = [block.content[start:end].decode() for start, end in bounds]
            return [cell.replace('""', '"') for cell in cells] if len(block.quotes) else cells

        found: dict[int, Given] = {}
        for place in places:
            begun, ended = starts[:, place].copy(), ends[:, place].copy()
            given = None
            if place in numbers:
                values, plain, pointed = plain_numbers(block.data, begun, ended)
                if self._options.decimal == ",":
                    plain &= ~pointed
                (others,) = np.nonzero(~plain)
                if len(others) <= MANY * len(values):
                    given = self._numbers(values, pointed, others, cells_of(begun[others], ended[others]))
            found[place] = given or partial(Gathering.add, cells=cells_of(begun, ended))
        return found

    def _numbers(self, values: np.ndarray, pointed: np.ndarray, others: np.ndarray, cells: list[str]) -> Given | None:
        """The numbers, with those of other cells; None where one of these is no number."""
        read = [as_number(cell, self._options.missing, self._options.decimal) for cell in cells]
        if None in read:
            return None
        values[others] = read
        cell = dict(zip(others.tolist(), cells, strict=True)).__getitem__
        special = others[~np.isfinite(values[others])]
        has_point = bool(pointed.any()) or any("." in each for each in cells)
        return partial(Gathering.add_numbers, values=values, cell=cell, special=special, pointed=has_point)

    def _bounds(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Where the fields of each record begin and end, int64, shape (rows, fields), without quotation marks."""
        data, fields = block.data, self._fields
        (marks,) = np.nonzero((data == self._delimiter) | (data == 10))
        if len(block.quotes):
            marks = marks[np.searchsorted(block.quotes, marks) % 2 == 0]
        if data[-1] != 10:
            marks = np.append(marks, len(data))
        if len(marks) % fields:
            raise Irregular("a row of another length")
        starts = np.concatenate([[0], marks[:-1] + 1]).reshape(-1, fields)
        ends = marks.reshape(-1, fields)
        line_ends = data.take(ends, mode="clip") == 10
        line_ends[-1, -1] = True
        if not line_ends[:, -1].all() or line_ends[:, :-1].any():
            raise Irregular("a row of another length")
        last = ends[:, -1]
        last -= (data[last - 1] == 13) & (last > starts[:, -1])
        quoted = data.take(starts, mode="clip") == 34 if len(block.quotes) else False
        return starts + quoted, ends - quoted
