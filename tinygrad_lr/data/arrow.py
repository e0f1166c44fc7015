"""pyarrow's parser of CSV blocks, for large files, and its readers of Parquet and Feather files.

blocks.py calls the parser. Next: excel.py.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np

from tinygrad_lr.reading import MiB

from .blocks import PIECE, Block, Given, Irregular
from .columns import Lines, Table, TableError, rounded
from .csv_files import Layout, TextOptions
from .frames import EXTRA, columns_of_frame
from .gathering import SPREADSHEETS, Gathering
from .sources import Source

__all__ = ["ArrowParser", "is_available", "read_parquet_or_feather"]

_FAILED = re.compile(r"In CSV column #([0-9]+): .*CSV conversion error to double", re.DOTALL)
_CODE = r"^\s*[+-]?0[0-9]"


def is_available() -> bool:
    """Whether pyarrow can be imported."""
    try:
        import pyarrow.csv  # noqa: F401
    except ImportError:
        return False
    return True


# --- CSV ------------------------------------------------------------------------------------------------------------


def may_have_codes(data: np.ndarray, delimiter: str) -> bool:
    """Whether the bytes of some lines, uint8, could hold a code such as 007 in a field of its own.

    Example:
        >>> [may_have_codes(np.frombuffer(line, np.uint8), ",") for line in (b"1,007", b"0.5,1e-05", b"-05")]
        [True, False, True]
    """
    if len(data) > 1 and data[0] == 48 and 48 <= data[1] < 58:
        return True
    found, mark = [np.zeros(0, np.int64)], ord(delimiter)
    room = (np.empty(PIECE, np.uint8), np.empty(PIECE, bool), np.empty(PIECE, bool))
    for start in range(0, len(data) - 2, PIECE):
        piece = data[start : start + PIECE + 2]
        digit, are, other = (each[: len(piece) - 2] for each in room)
        np.subtract(piece[2:], 48, out=digit)
        np.less(digit, 10, out=are)
        are &= np.equal(piece[1:-1], 48, out=other)
        starts = np.less(piece[:-2], 46, out=other)  # , - + " blank, tab, line end: all that can stand before a number
        if mark > 45:
            starts |= piece[:-2] == mark
        are &= starts
        if are.any():
            found.append(np.nonzero(are)[0] + start)
    before = np.concatenate(found)
    signed = (data[before] == 43) | (data[before] == 45)
    places = np.where(signed, before - 1, before)
    preceding = data[np.maximum(places, 0)]
    alone = (preceding == mark) | (preceding < 14) | (preceding == 34) | (preceding == 32) | (places < 0)
    return bool(alone.any())


class ArrowParser:
    """pyarrow's parser; see `blocks.Parser`."""

    size = 2 * MiB
    most_fields = 2_000

    def __init__(self, layout: Layout, options: TextOptions) -> None:
        import pyarrow

        self._layout, self._decimal, missing = layout, options.decimal, options.missing
        self._slow: set[int] = set()  # columns of numbers that are read as texts, since some of them are missing
        spellings = {spelt for mark in missing for spelt in (mark, mark.upper(), mark.title(), mark.capitalize())}
        self._marks = pyarrow.array(sorted(spellings | ({"NaN", "-NaN"} if "nan" in missing else set())))

    def finish(self) -> None:
        """Give the memory of the blocks back to the system."""
        import pyarrow

        pyarrow.default_memory_pool().release_unused()

    def parsed(self, block: Block, places: list[int], numbers: list[int]) -> dict[int, Given]:
        codes = bool(numbers) and may_have_codes(block.data, self._layout.delimiter)
        texts = set(numbers) if codes or self._decimal == "," else self._slow & set(numbers)
        while True:
            try:
                table = self._parsed(block, places, [place for place in numbers if place not in texts], texts)
                break
            except _Invalid as error:
                failed = _FAILED.search(str(error))
                if failed is None or int(failed.group(1)) not in numbers:
                    raise Irregular(str(error)) from error
                texts.add(int(failed.group(1)))
                self._slow.add(int(failed.group(1)))
        points = self._layout.delimiter in SPREADSHEETS and b"." in block.content  # otherwise nobody asks for them
        found: dict[int, Given] = {}
        for place in places:
            column = table.column(str(place)).combine_chunks()
            if place not in numbers:
                found[place] = _coded(column)
                continue
            given = None
            if place not in texts:
                values = column.to_numpy(zero_copy_only=False)
                (special,) = np.nonzero(~np.isfinite(values))
                if len(special) == column.null_count and not points:
                    given = partial(Gathering.add_numbers, values=values, cell=lambda row: "", special=special)
                else:  # written nan or inf, or with a point that may be of thousands
                    column = self._parsed(block, [place], [], {place}).column(str(place)).combine_chunks()
            found[place] = given or self._cast(column)
        return found

    def _parsed(self, block: Block, places: list[int], numbers: list[int], texts: set[int]) -> Any:
        import pyarrow
        import pyarrow.csv as csv

        coded = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        of_number, of_text = pyarrow.float64(), pyarrow.string()
        types = {str(place): coded for place in places}
        types.update({str(place): of_number for place in numbers})
        types.update({str(place): of_text for place in texts})
        names = [str(place) for place in range(len(self._layout.names))]
        try:
            found = csv.read_csv(
                pyarrow.BufferReader(block.content),
                csv.ReadOptions(column_names=names, use_threads=False, block_size=len(block.content) + 1),
                csv.ParseOptions(delimiter=self._layout.delimiter, ignore_empty_lines=True),
                csv.ConvertOptions(
                    column_types=types,
                    include_columns=[str(place) for place in places],
                    null_values=[""],
                    strings_can_be_null=False,
                ),
            )
        except pyarrow.ArrowInvalid as error:
            raise _Invalid(str(error)) from error
        if found.num_rows != block.lines:
            raise Irregular("a blank line")
        return found

    def _cast(self, column: Any) -> Given:
        """A column of texts as numbers, or as codes where one is no plain number."""
        import pyarrow
        import pyarrow.compute as compute

        absent = compute.is_in(column, self._marks)
        pointed = compute.any(compute.match_substring(column, ".")).as_py()
        is_code = compute.any(compute.match_substring_regex(column, _CODE)).as_py()
        if not is_code and not (pointed and self._decimal == ","):
            try:
                cast = compute.cast(compute.if_else(absent, None, column), pyarrow.float64())
            except pyarrow.ArrowInvalid:
                return _coded(compute.dictionary_encode(column))
            values = cast.to_numpy(zero_copy_only=False)
            (special,) = np.nonzero(~np.isfinite(values))
            if len(special) == cast.null_count:
                return partial(
                    Gathering.add_numbers,
                    values=values,
                    cell=lambda row: column[row].as_py(),
                    special=special,
                    pointed=pointed,
                )
        return _coded(compute.dictionary_encode(column))


def _coded(column: Any) -> Given:
    return partial(Gathering.add_coded, codes=column.indices.to_numpy(), distinct=column.dictionary.to_pylist())


class _Invalid(Exception):
    """pyarrow.ArrowInvalid, which cannot be named before pyarrow is imported."""


# --- Parquet and Feather --------------------------------------------------------------------------------------------


def read_parquet_or_feather(source: Source, *, missing: Collection[str]) -> Table:
    """The table of a Parquet file, or of a Feather file, which is Arrow's own format.

    Raises:
        TableError: a damaged file, or columns that `frames.columns_of_frame` refuses.
        ImportError: pyarrow or Narwhals is not there.
    """
    kind = {"parquet": "a Parquet", "arrow": "a Feather"}[source.kind]
    if not is_available():
        raise ImportError(f"{source.name} is {kind} file, and pyarrow is not installed: {EXTRA}")
    import pyarrow

    try:
        if source.kind == "parquet":
            import pyarrow.parquet as parquet

            found = parquet.ParquetFile(_seekable(source)).read()
        else:
            import pyarrow.ipc as ipc

            found = ipc.open_file(_seekable(source)).read_all()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        what = f"{kind} file that is damaged or cut off, or that pyarrow does not read ({error})"
        raise TableError(f"{source.name} is {what}; write it again") from error
    index = [name for name in found.column_names if name.startswith("__index_level_")]
    notes = [f"{', '.join(index)}: the row names that pandas wrote, left out"] if index else []
    columns = columns_of_frame(found.drop_columns(index), missing, source.name, notes)
    if not columns or not found.num_rows:
        raise TableError(f"{source.name} has {len(columns)} columns and {found.num_rows} rows; nothing to read")
    return Table(columns, Lines(1, word="row"), source.name, missing, "", notes + rounded(columns))


def _seekable(source: Source) -> Any:
    import pyarrow

    if source.is_streamed and not source.compression:
        return pyarrow.memory_map(str(source.path))
    return pyarrow.BufferReader(source.content())
