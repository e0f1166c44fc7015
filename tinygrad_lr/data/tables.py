"""`read_table` reads a CSV file with a header into a `Table`; an error names the line.

columns.py has the `Table` and its columns. encoding.py, which comes next, decides what a column is: numbers, categories
or the target.
"""

from __future__ import annotations

import csv
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

from .columns import MISSING, Table, TableError, column_of_texts, is_number

__all__ = ["Table", "TableError", "read_table", "split_rows"]

DELIMITERS = ",;\t|"


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
    columns = {
        name: column_of_texts(cells, missing) for name, cells in zip(names, zip(*rows, strict=True), strict=True)
    }
    return Table(columns, lines, source, missing)


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
