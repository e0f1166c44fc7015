"""`read_table` reads a table from a file, `as_table` takes one of Python; `split_rows` divides its rows.

sources.py has the bytes of a file; csv_files.py, blocks.py, arrow.py and excel.py read them; frames.py takes Python's
objects; columns.py has what comes of it. encoding.py, which comes next, decides what a column is: numbers, categories
or the target.
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
from .blocks import read_large_csv
from .columns import MISSING, Table, TableError
from .csv_files import TextOptions, read_csv
from .excel import read_excel
from .frames import EXTRA, table_of
from .plain_cells import PlainParser
from .sources import Source, checked_encoding

__all__ = ["Table", "TableError", "as_table", "checked_delimiter", "read_table", "split_rows"]

LARGE = 8 * MiB  # files of this size on are read by pyarrow, where that is there
WORDS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
OF_TEXT = ("delimiter", "encoding", "header", "decimal")
# Which options a kind of file has, besides the marks of missing values, which all have.
OPTIONS = {"text": OF_TEXT, "excel": ("sheet", "header"), "parquet": (), "arrow": ()}
CALLED = {"text": "a text file", "excel": "an Excel file", "parquet": "a Parquet file", "arrow": "a Feather file"}


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
    sheet: str | None = None,
    na_values: Iterable[str] = (),
    keep_na: bool = False,
    defaults: Mapping[str, Any] | None = None,
) -> Table:
    """Read a table from a CSV file, or, with the extra `tables`, from an Excel (.xlsx), Parquet or Feather file.

    Args:
        path: a file of any of these kinds, which its first bytes tell; "-" is standard input. Fields of a text file may
            be quoted with ". A file may be compressed (.gz, .bz2, .xz, or .zip with one file in it).
        delimiter: one character, or its name: tab, space (any number of blanks and tabs), comma, semicolon, pipe. By
            default it is the one of , ; tab | and blanks by which the first lines have as many fields as the header.
        encoding: of the text, by default UTF-8, or what a byte-order mark says.
        header: whether the first line names the columns (the default). Without one they are column_1, column_2 ...
        decimal: "," where numbers have a decimal comma: a cell with a point is then no number, since 1.234 is one
            thousand and more. Of another kind of file, what reads the texts of its cells later decides.
        sheet: the name of a sheet of an Excel file, by default the first.
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
    given = _checked(
        delimiter=delimiter, encoding=encoding, header=header, decimal=decimal, sheet=sheet, na_values=na_values,
        keep_na=keep_na,
    )  # fmt: skip
    try:
        earlier = _checked(**(defaults or {}))
    except TypeError as error:
        raise ValueError(f"options of an earlier reading: {error}") from error
    source = Source(path)
    for name in given:
        if name not in (*OPTIONS[source.kind], "na_values", "keep_na", "decimal"):
            called = "header (--no-header)" if name == "header" else name
            raise ValueError(f"{called} is no option of {CALLED[source.kind]}, as {source.name} is; leave it out")
    options = {**earlier, **given}
    missing = ({""} if options.get("keep_na") else MISSING) | set(options.get("na_values", []))
    of_kind: dict[str, Any] = {name: options.get(name) for name in OPTIONS[source.kind]}
    if source.kind == "text":
        table = _read_text(source, TextOptions(missing=missing, **of_kind))
    elif source.kind == "excel":
        table = read_excel(source, missing=missing, **of_kind)
    else:
        table = arrow.read_parquet_or_feather(source, missing=missing)
    source.finish()
    table.sha256 = source.sha256
    table.read_as = options
    table.piped = source.piped
    return table


def as_table(
    data: Any,
    *,
    na_values: Iterable[str] = (),
    keep_na: bool = False,
    defaults: Mapping[str, Any] | None = None,
    source: str = "the table",
) -> Table:
    """The table of what a Python program has: the one door for all of it.

    Args:
        data: a frame of pandas, polars or pyarrow (through Narwhals, of the extra `tables`), a NumPy array with two
            axes or with named fields, a list of dicts, a dict of lists, the path of a file, or a `Table`. The index of
            a pandas frame is left out. The columns of an array are column_1, column_2 ...
        na_values, keep_na, defaults: see `read_table`; they concern texts.
        source: what messages call the table.

    Texts are taken as a CSV file's: those that are all numbers are numbers. A categorical column stays one. Durations
    and times of day become hours, times with a zone UTC.

    Raises:
        TypeError: an object of another kind.
        TableError: a column that cannot be used: of lists, bytes, complex numbers.

    Example:
        >>> table = as_table([{"dose": 1, "colour": "red"}, {"dose": 2.5, "colour": None}])
        >>> table.numbers("dose").tolist(), table.missing_in("colour").tolist()
        ([1.0, 2.5], [False, True])
    """
    if isinstance(data, (str, os.PathLike)):
        return read_table(data, na_values=na_values, keep_na=keep_na, defaults=defaults)
    options = {**_checked(**(defaults or {})), **_checked(na_values=na_values, keep_na=keep_na)}
    missing = ({""} if options.get("keep_na") else MISSING) | set(options.get("na_values", []))
    table = table_of(data, missing, source)
    if table is not data:
        table.read_as = {name: options[name] for name in ("na_values", "keep_na") if name in options}
    return table


def _checked(
    delimiter: Any = None,
    encoding: Any = None,
    header: Any = None,
    decimal: Any = None,
    sheet: Any = None,
    na_values: Any = (),
    keep_na: Any = False,
) -> dict[str, Any]:
    """The options that are given, as they go into JSON.

    Raises:
        TypeError, ValueError: a value that an option does not have.
    """
    if isinstance(na_values, str) or not all(isinstance(each, str) for each in na_values):
        raise TypeError(f"na_values must be a list of texts, got {na_values!r:.60}")
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal must be '.' or ',', got {decimal!r:.60}")
    if sheet is not None and not isinstance(sheet, str):
        raise TypeError(f"sheet must be the name of a sheet, got {sheet!r:.60}")
    found = {
        "delimiter": checked_delimiter(delimiter),
        "encoding": checked_encoding(encoding),
        "header": None if header is None else true_or_false("header", header),
        "decimal": decimal,
        "sheet": sheet,
        "na_values": [each.strip().lower() for each in na_values] or None,
        "keep_na": true_or_false("keep_na", keep_na) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _read_text(source: Source, options: TextOptions) -> Table:
    """The table of a text file: a large one by blocks, if it is regular, with pyarrow's parser where that is there."""
    if source.size < LARGE:
        return read_csv(source, options)
    has_arrow = arrow.is_available()
    table = read_large_csv(source, options, arrow.ArrowParser if has_arrow else PlainParser)
    if table is None:
        return read_csv(source, options)
    if has_arrow:
        table.notes.append(f"read by pyarrow, as files of {LARGE // MiB} MiB and more are")
    else:
        table.notes.append(f"files of {LARGE // MiB} MiB and more are read several times faster with pyarrow: {EXTRA}")
    return table


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
        few = "1 row" if rows == 1 else f"{rows} rows"
        raise ValueError(f"{few} cannot be divided into a training and a held-out part; more rows are needed")
    count = min(max(round(rows * held_out), 1), rows - 1) if held_out else 0
    order = np.random.default_rng([seed, rows, 2]).permutation(rows)
    return np.sort(order[count:]), np.sort(order[:count])
