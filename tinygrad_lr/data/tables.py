"""`read_table` reads a CSV file with a header into a `Table`; an error names the line.

A `Table` holds the text of the file and says nothing about its meaning. encoding.py, which comes next, decides what a
column is: numbers, categories or the target.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import numbers
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.integers import shown, whole_number

__all__ = ["Table", "TableError", "read_table", "split_rows"]

# What people write where a value is missing, in lower case: what pandas.read_csv takes as missing, and "?".
MISSING = frozenset(
    [
        "",
        "#n/a",
        "#n/a n/a",
        "#na",
        "-1.#ind",
        "-1.#qnan",
        "-nan",
        "1.#ind",
        "1.#qnan",
        "<na>",
        "n/a",
        "na",
        "nan",
        "none",
    ]
    + ["null", "?"]
)
DELIMITERS = ",;\t|"


class TableError(ValueError):
    """A table that cannot be used; the message names the file, the line and the column."""


class Table:
    """Named columns of text, all of one length.

    Args:
        columns: column name -> the text of its cells, row by row.
        lines: the line of the file on which each row begins, counted from 1; by default as in a file with a header.
        source: what error messages call the table.
        missing: cells that stand for a missing value, in lower case.
        sha256: of the bytes that the table was read from, in hexadecimal; empty where it was made otherwise.

    Raises:
        ValueError: columns of different lengths.

    Example:
        >>> table = Table({"dose": ["1", "2"], "colour": ["red", "blue"]})
        >>> table.names, len(table)
        (['dose', 'colour'], 2)
    """

    def __init__(
        self,
        columns: dict[str, list[str]],
        lines: list[int] | None = None,
        source: str = "the table",
        missing: Collection[str] = MISSING,
        sha256: str = "",
    ) -> None:
        lengths = {name: len(cells) for name, cells in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of a table must have one length, got {lengths}")
        self.columns = columns
        self.lines = list(range(2, 2 + max(lengths.values(), default=0))) if lines is None else lines
        self.source = source
        self.missing = missing
        self.sha256 = sha256

    @property
    def names(self) -> list[str]:
        """The column names in the order of the file."""
        return list(self.columns)

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> list[str]:
        """The text of one column.

        Raises:
            TableError: no such column; the nearest names are suggested.

        Example:
            >>> Table({"target": ["1"]}).column("taget")
            Traceback (most recent call last):
                ...
            tinygrad_lr.data.tables.TableError: the table: no column 'taget'; did you mean 'target'? It has: target
        """
        if name not in self.columns:
            near = difflib.get_close_matches(name, self.names, n=3, cutoff=0.5)
            near = near or [known for known in self.names if known.lower() == name.lower()]
            hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
            raise TableError(f"{self.source}: no column {name!r}; {hint}It has: {', '.join(self.names)}")
        return self.columns[name]

    def numbers(self, name: str) -> np.ndarray:
        """One column as float64 numbers, shape (rows,).

        Raises:
            TableError: no such column, or a cell that is missing, infinite or no number.

        Example:
            >>> Table({"dose": ["1", "2.5"]}).numbers("dose").tolist()
            [1.0, 2.5]
        """
        cells = self.column(name)
        try:
            values = np.array(list(map(float, cells)), dtype=np.float64)
        except ValueError:
            values = None
        if values is not None and np.isfinite(values).all() and not any("_" in cell for cell in cells):
            return values
        self.refuse_missing(name)
        for cell, line in zip(cells, self.lines, strict=True):
            if not is_number(cell):
                raise self.at(line, name, f"{cell!r} is not a number{_decimal_comma(cell)}")
            if not np.isfinite(float(cell)):
                raise self.at(line, name, f"{cell!r} is not finite; leave out the row or write a finite number")
        raise AssertionError(f"column {name!r} was refused without a reason")

    def refuse_missing(self, name: str) -> None:
        """Raise a TableError at the first missing value of a column."""
        for cell, line in zip(self.column(name), self.lines, strict=True):
            if cell.lower() in self.missing:
                shown = f"{cell!r}" if cell else "an empty cell"
                count = sum(other.lower() in self.missing for other in self.columns[name])
                more = f" ({count} in this column)" if count > 1 else ""
                kept = f", or keep {cell!r} as a text (keep_na)" if cell else ""
                what = f"missing value, {shown}{more}; fill it in, leave out the row, or ignore the column{kept}"
                raise self.at(line, name, what)

    def at(self, line: int, name: str, what: str) -> TableError:
        """The error to raise for a line and a column of the table."""
        return TableError(f"{self.source}, line {line}, column {name!r}: {what}")


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number (underscores, which Python allows, are no part of one)."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _decimal_comma(cell: str) -> str:
    return "; write decimals with a point" if is_number(cell.replace(",", ".", 1)) else ""


def read_table(
    path: str | os.PathLike[str], delimiter: str | None = None, *, na_values: Iterable[str] = (), keep_na: bool = False
) -> Table:
    """Read a CSV file with a header line.

    Args:
        path: a UTF-8 file, with or without a byte-order mark; fields may be quoted with ".
        delimiter: one character; by default whichever of , ; tab | stands most often in the header.
        na_values: further texts that stand for a missing value, in any case of letters.
        keep_na: whether texts such as NA, null and None are values and not missing. An empty cell is always missing.

    Raises:
        TableError: not UTF-8, no header, no rows, a column name that is empty or there twice, a row of another length
            than the header, a broken quotation. Line numbers count the lines of the file from 1.
        OSError: the file cannot be opened.
        ValueError: a delimiter that is not one character. TypeError: `keep_na` is no bool.

    Example:
        >>> from tinygrad_lr.data.datasets import DIABETES
        >>> table = read_table(DIABETES)
        >>> len(table), table.names[:3]
        (442, ['age', 'sex', 'bmi'])
    """
    path, keep_na = Path(path), true_or_false("keep_na", keep_na)
    missing = ({""} if keep_na else MISSING) | {each.strip().lower() for each in na_values}
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\0\r\n"'):
        raise ValueError(f"a delimiter is one character, and no quotation mark or line break; got {delimiter!r}")
    content = _content(path)
    try:
        table = _parse(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""), str(path), delimiter, missing)
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: not UTF-8 ({error.reason}); save the table as UTF-8") from error
    table.sha256 = hashlib.sha256(content).hexdigest()
    return table


def _content(path: Path) -> bytes:
    """The bytes of a file or a pipe, read once: what is hashed is what was read."""
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISCHR(mode) and not file.isatty() or stat.S_ISBLK(mode):
            raise TableError(f"{path} is a device, which may have no end; name a file")
        return file.read()


def _parse(file: IO[str], source: str, delimiter: str | None, missing: Collection[str]) -> Table:
    if delimiter is None:
        header = file.readline()
        delimiter = max(DELIMITERS, key=header.count)
        file.seek(0)
    records = _records(file, source, delimiter)
    _, names = next(records, (0, []))
    if not names:
        raise TableError(f"{source}: the file is empty; its first line must name the columns")
    _check_names(names, source)
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, row in records:
        if len(row) != len(names):
            raise TableError(f"{source}, line {line}: {len(row)} fields where the header has {len(names)}")
        lines.append(line)
        rows.append(row)
    if not rows:
        raise TableError(f"{source}: a header and no rows")
    return Table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), lines, source, missing)


def _records(file: Iterable[str], source: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The line on which each record begins, and its stripped fields; blank lines are passed over."""
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, [field.strip() for field in row]
            line = reader.line_num + 1
    except csv.Error as error:
        raise TableError(f"{source}, line {line}: {error}") from error


def _check_names(names: list[str], source: str) -> None:
    for position, name in enumerate(names, 1):
        if not name:
            raise TableError(f"{source}, line 1: column {position} has no name")
        if names.index(name) != position - 1:
            first = names.index(name) + 1
            raise TableError(f"{source}, line 1: columns {first} and {position} are both named {name!r}; rename one")
    if all(map(is_number, names)):
        raise TableError(f"{source}, line 1: the first line must name the columns, got numbers: {', '.join(names[:5])}")


def split_rows(rows: int, held_out: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of a training part and of a held-out part, each in ascending order.

    Which rows these are depends on the three arguments alone.

    Args:
        rows: number of rows, at least 1.
        held_out: fraction of the rows to hold out, in [0, 1), rounded to whole rows. Both parts get at least one row
            where held_out > 0.
        seed: a non-negative integer.

    Raises:
        TypeError: rows or a seed that are no whole numbers, or a fraction that is no number.
        ValueError: a fraction outside [0, 1), or too few rows to divide.

    Example:
        >>> training, held_out = split_rows(442, 0.3, seed=0)
        >>> len(training), len(held_out)
        (309, 133)
    """
    rows, seed = whole_number("rows", rows, least=0, most=2**53), whole_number("seed", seed, least=0)
    if not isinstance(held_out, numbers.Real) or isinstance(held_out, bool):
        raise TypeError(f"the held-out fraction must be a number, got {shown(held_out)}")
    if not 0 <= held_out < 1:
        raise ValueError(f"the held-out fraction must lie in [0, 1), got {shown(held_out)}")
    if rows < (2 if held_out else 1):
        raise ValueError(f"{rows} row(s) cannot be divided into a training and a held-out part; more rows are needed")
    count = min(max(round(rows * held_out), 1), rows - 1) if held_out else 0
    order = np.random.default_rng([seed, rows, 2]).permutation(rows)
    return np.sort(order[count:]), np.sort(order[:count])
