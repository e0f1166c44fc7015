"""`Gathering` is a column that grows by blocks of cells, and finds out whether all of them are numbers.

Every reader of CSV gives its cells to one: csv_files.py, and blocks.py with its parsers.
"""

from __future__ import annotations

import math
import mmap
import re
from collections.abc import Callable, Collection, Sequence
from typing import cast

import numpy as np
from numpy.typing import DTypeLike

from .columns import Column, Numbers, Texts, is_plain_number
from .written_numbers import CellError, read_numbers

__all__ = ["BLOCK", "SPREADSHEETS", "Gathering", "as_number", "gathered_columns", "points_are_clear"]

SPREADSHEETS = ";\t"  # delimiters: what spreadsheets write where the comma is the decimal mark
LARGE = 2**22  # bytes from which NumPy asks for huge pages
BLOCK = 2_000  # rows that are texts at a time: their memory stays in the processor's cache
MANY = 200  # different texts of numbers among some cells; if most of them are new, all are read at once
FEW = 4_000  # different texts of numbers in a column that are looked up; of more, each one is read
_CODE = re.compile(r"\n[+-]?0[0-9]")
_CAREFUL = ("_", "\n ", "\t", "\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\x1f")  # what float() also takes


def as_number(cell: str, missing: Collection[str], decimal: str | None) -> float | None:
    """A cell as a number, NaN where it stands for a missing value; None where it is no plain number.

    Example:
        >>> as_number(" 1.5", {"na"}, None), as_number("NA", {"na"}, None), as_number("1.5", {"na"}, ",")
        (1.5, nan, None)
    """
    text = cell.strip()
    if text.lower() in missing:
        return math.nan
    return float(text) if is_plain_number(text) and not (decimal == "," and "." in text) else None


class _Growing:
    """An array that grows. Room that is not filled yet is no memory yet."""

    def __init__(self, dtype: type, room: int) -> None:
        self.room = room
        self._array = _room_for(room, dtype)
        self._filled = 0

    def add(self, values: np.ndarray) -> None:
        end = self._filled + len(values)
        if end > len(self._array):
            larger = _room_for(max(end, len(self._array) * 3 // 2), self._array.dtype)
            larger[: self._filled] = self._array[: self._filled]
            self._array = larger
        self._array[self._filled : end] = values
        self._filled = end

    def array(self) -> np.ndarray:
        return self._array[: self._filled]


def _room_for(count: int, dtype: DTypeLike) -> np.ndarray:
    """An array that is not filled yet.

    NumPy asks for huge pages for large arrays. Where the memory is fragmented, Linux takes longer to find these than
    pyarrow takes to read the numbers, so that large room is asked for here, without them.
    """
    size = count * np.dtype(dtype).itemsize
    if size < LARGE or not hasattr(mmap, "MAP_ANONYMOUS"):
        return np.empty(count, dtype)
    return np.frombuffer(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), dtype)


class Gathering:
    """A column that grows by blocks of cells: numbers as long as all are numbers, texts from the first that is none.

    Args:
        missing: texts that stand for a missing value, in lower case.
        decimal: "," where a point in a number is no decimal point, so that a cell with one is a text.
        as_texts: whether it is known that the cells are no numbers.

    Attributes:
        lost: whether blocks came as numbers before or after the first text, so that their texts are not known.
    """

    def __init__(self, missing: Collection[str], decimal: str | None = None, as_texts: bool = False) -> None:
        self._missing, self._decimal = missing, decimal
        self._is_text, self.lost = as_texts, False
        self._rows, self._valued = 0, False
        self.expect(BLOCK)
        self._special: list[np.ndarray] = []
        self._pointed = False  # whether a cell had a point
        self._known: dict[str, int] = {}  # text as it stands -> code
        self._distinct: dict[str, int] = {}  # stripped text -> code
        self._memo: dict[str, float] | None = {}  # text -> number

    def expect(self, rows: int) -> None:
        """Make room for so many rows, as far as that can be guessed; nothing was taken yet."""
        self._values = _Growing(np.float64, 0 if self._is_text else rows)
        # Of all rows of texts, of the special ones of numbers.
        self._codes = _Growing(np.int32, rows if self._is_text else 0)

    @property
    def is_text(self) -> bool:
        """Whether a cell was no number."""
        return self._is_text

    @property
    def is_unclear(self) -> bool:
        """Whether the points in these numbers could stand between thousands, by their sizes: 1.234, 12.5 for 12.500."""
        if self._is_text:
            return False
        values = self._values.array()
        sizes = np.abs(values[np.isfinite(values)])
        whole = np.floor(sizes) == sizes
        fits = whole | ((sizes >= 1) & (sizes < 1000) & (np.round(sizes * 1000) / 1000 == sizes))
        return bool(fits.all() and (self._pointed or not whole.all()))

    def add(self, cells: Sequence[str]) -> None:
        """Take the cells of further rows."""
        if not self._is_text:
            found = self._as_numbers(cells)
            if found is not None:
                self.add_numbers(found, cells.__getitem__)
                return
            self._turn_to_texts()
        self._codes.add(self._codes_of(cells))
        self._rows += len(cells)

    def add_numbers(
        self, values: np.ndarray, cell: Callable[[int], str], special: np.ndarray | None = None, pointed: bool = False
    ) -> None:
        """Take numbers that were found to be plain; `cell` gives the text of one that is NaN or infinite.

        Args:
            special: the rows of these, where they are known.
            pointed: whether one of the cells has a point.
        """
        self._rows += len(values)
        self._pointed = self._pointed or pointed
        if self._is_text:
            self.lost = True
            return
        if special is None:
            (special,) = np.nonzero(~np.isfinite(values))
        if len(special):
            self._special.append(special + (self._rows - len(values)))
            self._codes.add(self._codes_of([cell(place) for place in special.tolist()]))
        self._valued = self._valued or len(special) < len(values) or not np.isnan(values).all()
        self._values.add(values)

    def add_coded(self, codes: np.ndarray, distinct: list[str]) -> None:
        """Take texts, each distinct one given once, in the order of their first row."""
        if not self._is_text:
            found = self._as_numbers(distinct)
            if found is not None:
                self.add_numbers(found[codes], lambda place: distinct[codes[place]])
                return
            self._turn_to_texts()
        self._codes.add(self._codes_of(distinct)[codes])
        self._rows += len(codes)

    def _turn_to_texts(self) -> None:
        self._is_text, self.lost = True, self._rows > 0
        self._values, self._codes = _Growing(np.float64, 0), _Growing(np.int32, self._values.room)
        self._special, self._known, self._distinct = [], {}, {}

    def column(self) -> Column:
        """The column of all cells that were taken."""
        texts = Texts(self._codes.array(), list(self._distinct))
        if self._is_text:
            return texts
        if not self._valued:  # nothing but missing values
            return texts if self._rows else Numbers(np.zeros(0))
        return Numbers(self._values.array(), (np.concatenate(self._special), texts) if self._special else None)

    def _codes_of(self, cells: Sequence[str]) -> np.ndarray:
        known, distinct = self._known, self._distinct
        for cell in dict.fromkeys(cells):
            if cell not in known:
                known[cell] = distinct.setdefault(cell.strip(), len(distinct))
        return np.fromiter(map(known.__getitem__, cells), np.int32, len(cells))

    def _as_numbers(self, cells: Sequence[str]) -> np.ndarray | None:
        """The cells as numbers, NaN where a value is missing; None where one is no plain number."""
        memo = self._memo
        if memo is None:
            return self._many_as_numbers(cells)
        new = set(cells).difference(memo)
        if len(new) > max(MANY, len(cells) // 2):
            self._memo = None
            return self._many_as_numbers(cells)
        for cell in new:
            self._pointed = self._pointed or "." in cell
            value = as_number(cell, self._missing, self._decimal)
            if value is None:
                return None
            memo[cell] = value
        values = np.fromiter(map(memo.__getitem__, cells), np.float64, len(cells))
        if len(memo) > FEW:
            self._memo = None
        return values

    def _many_as_numbers(self, cells: Sequence[str]) -> np.ndarray | None:
        """The same for many different cells: what is no plain number is looked for in all of them at once."""
        joined = "\n" + "\n".join(cells)
        self._pointed = self._pointed or "." in joined
        if any(mark in joined for mark in _CAREFUL) or not joined.isascii() or self._decimal is not None:
            if any(as_number(cell, self._missing, self._decimal) is None for cell in set(cells)):
                return None
        elif _CODE.search(joined):
            return None
        try:
            values = np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            marks = {cell for cell in set(cells) if cell.strip().lower() in self._missing}
            if not marks:
                return None
            try:
                texts = ["nan" if cell in marks else cell for cell in cells]
                values = np.fromiter(map(float, texts), np.float64, len(cells))
            except ValueError:
                return None
        if np.isnan(values.sum()):  # NaN among them, or both infinities
            (rows,) = np.nonzero(np.isnan(values))
            if not all(cells[row].strip().lower() in self._missing for row in rows.tolist()):
                return None
        return values


# --- all columns of a file ------------------------------------------------------------------------------------------


def gathered_columns(
    read: Callable[[dict[int, Gathering]], object],
    places: Collection[int],
    delimiter: str,
    decimal: str | None,
    missing: Collection[str],
) -> dict[int, Column]:
    """The columns at some places of a file's records, by place.

    Args:
        read: gives the cells of all rows to the columns. It is called again for columns that turned out to be texts.
        delimiter: of the file.
    """
    gathered = {place: Gathering(missing, decimal) for place in places}
    read(gathered)
    again = [place for place, column in gathered.items() if column.lost]
    again += _unclear_points(gathered, delimiter, decimal)
    if again:
        as_texts = {place: Gathering(missing, decimal, as_texts=True) for place in again}
        read(as_texts)
        gathered.update(_cleared(as_texts, gathered, missing))
    return {place: column.column() for place, column in gathered.items()}


def _unclear_points(gathered: dict[int, Gathering], delimiter: str, decimal: str | None) -> list[int]:
    """The columns of numbers that must be looked at as texts: 1.234 may be one thousand and more.

    A file with ; or tabs may come from a spreadsheet of a country with a decimal comma. Fields with commas or blanks
    between are what programs write, and there the point is the decimal mark.
    """
    if delimiter not in SPREADSHEETS or decimal is not None:
        return []
    return [place for place, column in gathered.items() if column.is_unclear]


def _cleared(
    again: dict[int, Gathering], gathered: dict[int, Gathering], missing: Collection[str]
) -> dict[int, Gathering]:
    """The columns that stay texts, of those that were read again as such: 1.23 among them has a decimal point."""

    return {
        place: column
        for place, column in again.items()
        if gathered[place].is_text or not points_are_clear(cast(Texts, column.column()), missing)
    }


def points_are_clear(texts: Texts, missing: Collection[str]) -> bool:
    """Whether the points in plain numbers are decimal ones, by these numbers alone."""
    there = [text for text in texts.distinct if text.lower() not in missing]
    try:
        found = read_numbers(there)
    except CellError:
        return False
    return found is not None and found.decimal != ","
