"""`read_table` reads a table from a file into the columns of columns.py; `split_rows` divides its rows.

sources.py has the bytes, csv_files.py reads text. encoding.py, which comes next, decides what a column is: numbers,
categories or the target.
"""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.integers import shown, whole_number
from tinygrad_lr.reading import MiB

from . import arrow
from .columns import MISSING, Table, TableError
from .csv_files import read_csv
from .sources import Source, checked_encoding

__all__ = ["Table", "TableError", "checked_delimiter", "read_table", "split_rows"]

LARGE = 8 * MiB  # files of this size on are read by pyarrow, where that is there
EXTRA = "pip install 'tinygrad_lr[tables]'"
WORDS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
OF_TEXT = ("delimiter", "encoding", "header", "decimal")  # options that only a text file has


def checked_delimiter(delimiter: str | None) -> str | None:
    """A delimiter, or its name, as one character; a blank means any number of blanks and tabs.

    Raises:
        ValueError: anything else.

    Example:
        >>> checked_delimiter("tab"), checked_delimiter("|"), checked_delimiter(None)
        ('\\t', '|', None)
    """
    if delimiter is None:
        return None
    found = WORDS.get(delimiter.lower(), delimiter) if isinstance(delimiter, str) else ""
    if len(found) != 1 or found in '\0\r\n"':
        raise ValueError(
            f"a delimiter is one character, and no quotation mark or line break; got {delimiter!r}. Words for it: "
            "tab, space, comma, semicolon, pipe"
        )
    return found


def read_table(
    path: str | os.PathLike[str],
    delimiter: str | None = None,
    *,
    encoding: str | None = None,
    header: bool | None = None,
    decimal: str | None = None,
    na_values: Iterable[str] = (),
    keep_na: bool = False,
    defaults: Mapping[str, Any] | None = None,
) -> Table:
    """Read a CSV file.

    Args:
        path: a text file; fields may be quoted with ". It may be compressed (.gz, .bz2, .xz, or .zip with one file).
            "-" is standard input.
        delimiter: one character, or its name: tab, space (any number of blanks and tabs), comma, semicolon, pipe. By
            default it is the one of , ; tab | and blanks by which the first lines have as many fields as the header.
        encoding: of the text, by default UTF-8, or what a byte-order mark says.
        header: whether the first line names the columns (the default). Without one they are column_1, column_2 ...
        decimal: "," where numbers have a decimal comma: a cell with a point is then no number, since 1.234 is one
            thousand and more.
        na_values: further texts that stand for a missing value, in any case of letters.
        keep_na: whether texts such as NA, null and None are values and not missing. An empty cell is always missing.
        defaults: options as in `Table.read_as` of an earlier table. They hold where no other is given.

    A first column without a name holds row names, as pandas and R write them, and is left out; `Table.notes` says so.

    Raises:
        TableError: another encoding, no header, no rows, a column name that is empty or there twice, a row of another
            length than the header, a broken quotation; damaged compressed bytes, or more than 200 times the size of
            the file and 64 MiB; a file of another kind. Line numbers count the lines of the file from 1.
        OSError: the file cannot be opened.
        ValueError: a delimiter that is not one character, an unknown encoding. TypeError: `keep_na` is no bool.

    Example:
        >>> from tinygrad_lr.data.datasets import DIABETES
        >>> table = read_table(DIABETES)
        >>> len(table), table.names[:3]
        (442, ['age', 'sex', 'bmi'])
    """
    if isinstance(na_values, str):
        raise TypeError(f"na_values must be a list of texts, got {na_values!r:.60}; write [{na_values!r:.60}]")
    given = {
        "delimiter": checked_delimiter(delimiter),
        "encoding": checked_encoding(encoding),
        "header": None if header is None else true_or_false("header", header),
        "decimal": decimal,
        "na_values": [each.strip().lower() for each in na_values],
        "keep_na": true_or_false("keep_na", keep_na),
    }
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal must be '.' or ',', got {decimal!r:.60}")
    options = {**(defaults or {}), **{name: value for name, value in given.items() if value not in (None, [], False)}}
    if header is False:
        options["header"] = False
    missing = ({""} if options.get("keep_na") else MISSING) | set(options.get("na_values", []))
    source = Source(path)
    table = _read_text(source, missing=missing, **{name: options.get(name) for name in OF_TEXT})
    source.finish()
    table.sha256 = source.sha256
    table.read_as = {name: value for name, value in options.items() if value not in (None, [])}
    return table


def _read_text(source: Source, **options: Any) -> Table:
    """The table of a text file: a large one by pyarrow where that is there, and where it can."""
    if source.size < LARGE:
        return read_csv(source, **options)
    if not arrow.is_available():
        table = read_csv(source, **options)
        table.notes.append(f"files of {LARGE // MiB} MiB and more are read several times faster with pyarrow: {EXTRA}")
        return table
    fast = arrow.read_large_csv(source, **options)
    if fast is None:
        return read_csv(source, **options)
    fast.notes.append(f"read by pyarrow, as files of {LARGE // MiB} MiB and more are")
    return fast


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
