"""pyarrow reads large CSV files, to the table that csv_files.py makes of them, and Parquet and Feather files.

A CSV file is read block by block in several threads, and never held whole. What is irregular in it (a row of another
length, a line break inside a field, blank lines) is left to csv_files.py, which knows what to say. Next: excel.py.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

import numpy as np

from tinygrad_lr.reading import MiB

from .columns import Lines, Table, TableError, rounded
from .csv_files import SAMPLED, WHITE, Gathering, Layout, cleared, finished, found_layout, unclear_points
from .frames import EXTRA, columns_of_frame
from .parallel import threads
from .sources import Source, encoding_of

__all__ = ["is_available", "read_large_csv", "read_parquet_or_feather"]

FIRST, BLOCK = MiB // 4, 4 * MiB  # bytes of the first block, which shows the columns' kinds, and of the others
_FAILED = re.compile(r"In CSV column #([0-9]+): .*CSV conversion error to double", re.DOTALL)
_CODE = r"^\s*[+-]?0[0-9]"

# One column of a block: numbers, the text of one that is not finite, and the rows of these; or codes of distinct texts.
Block = tuple[np.ndarray, Callable[[int], str], np.ndarray] | tuple[np.ndarray, list[str], None]


class Irregular(Exception):
    """A file that csv_files.py must read."""


def is_available() -> bool:
    """Whether pyarrow can be imported."""
    try:
        import pyarrow.csv  # noqa: F401
    except ImportError:
        return False
    return True


def read_large_csv(
    source: Source,
    *,
    delimiter: str | None,
    encoding: str | None,
    header: bool | None,
    decimal: str | None,
    missing: Collection[str],
) -> Table | None:
    """The table of a CSV file as `csv_files.read_csv` reads it, or None for a file that is left to that reader.

    Raises:
        TableError: what `finished` refuses.
    """
    try:
        with source.open() as file:
            start = file.read(SAMPLED) + file.readline()
        found = encoding_of(start[:4], encoding)
        if found not in ("utf-8", "utf-8-sig"):
            return None
        try:
            layout = found_layout(start.decode(found), source.name, delimiter, header is not False)
        except TableError:
            return None
        if layout.delimiter == WHITE or not layout.delimiter.isascii() or len(layout.names) < 2:
            return None
        reading = _Reading(source, layout, decimal, missing)
        columns = reading.gathered(None)
        lost = [place for place, column in columns.items() if column.lost]
        if again := [*lost, *unclear_points(columns, layout, decimal)]:
            columns.update(cleared(reading.gathered(again), columns, missing))
        done = {place: column.column() for place, column in columns.items()}
        return finished(done, Lines(layout.first_line + layout.skipped), layout, source.name, missing)
    except (Irregular, UnicodeDecodeError):
        return None
    finally:
        _release()


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


class _Reading:
    """The passes over a file."""

    def __init__(self, source: Source, layout: Layout, decimal: str | None, missing: Collection[str]) -> None:
        import pyarrow

        self._source, self._layout, self._decimal, self._missing = source, layout, decimal, missing
        self._kept = [place for place, name in enumerate(layout.names) if name is not None or place in layout.blank]
        self._slow: set[int] = set()  # columns of numbers that are read as texts, since some of them are missing
        spellings = {spelt for mark in missing for spelt in (mark, mark.upper(), mark.title(), mark.capitalize())}
        self._marks = pyarrow.array(sorted(spellings | ({"NaN", "-NaN"} if "nan" in missing else set())))

    def gathered(self, as_texts: list[int] | None) -> dict[int, Gathering]:
        """All columns, or those that are to be texts."""
        kept = self._kept if as_texts is None else as_texts
        columns: dict[int, Gathering] = {}
        with self._source.open() as file, ThreadPoolExecutor(threads()) as pool:
            blocks = self._blocks(file)
            first = next(blocks, b"")
            if not first:
                raise Irregular("no rows")
            rows = max(first.count(b"\n"), 1)
            guess = int(self._source.size / len(first) * rows * (1.1 if not self._source.compression else 5))
            columns = {
                place: Gathering(self._missing, self._decimal, as_texts is not None, rows=guess) for place in kept
            }
            waiting: deque[Future[dict[int, Block]]] = deque([pool.submit(self._block, first, kept, [])])
            _take(columns, waiting.popleft())
            numbers = [place for place, column in columns.items() if not column.is_text]
            for block in blocks:
                waiting.append(pool.submit(self._block, block, kept, numbers))
                if len(waiting) > threads():
                    _take(columns, waiting.popleft())
                    numbers = [place for place in numbers if not columns[place].is_text]
            while waiting:
                _take(columns, waiting.popleft())
        return columns

    def _blocks(self, file: IO[bytes]) -> Iterator[bytes]:
        """The bytes of the rows, in blocks of whole lines."""
        for _ in range(self._layout.first_line - 1 + self._layout.skipped):
            line = file.readline()
            if line.count(b'"') % 2 or not line.strip() or b"\r" in line.rstrip(b"\r\n"):
                raise Irregular("a header of several lines")
        size, rest = FIRST, b""
        while True:
            read = file.read(size)
            if not read:
                if rest:
                    yield rest
                return
            block = rest + read
            end = block.rfind(b"\n") + 1
            if not end and len(block) > 16 * BLOCK:
                raise Irregular("a line without end")
            rest = block[end:]
            if end:
                yield block[:end]
            size = BLOCK

    def _block(self, block: bytes, kept: list[int], numbers: list[int]) -> dict[int, Block]:
        """The columns of some lines."""
        codes = self._check(block)
        texts = set(numbers) if codes or self._decimal == "," else self._slow & set(numbers)
        while True:
            try:
                table = self._parsed(block, kept, [place for place in numbers if place not in texts], texts)
                break
            except _Invalid as error:
                failed = _FAILED.search(str(error))
                if failed is None or int(failed.group(1)) not in numbers:
                    raise Irregular(str(error)) from error
                texts.add(int(failed.group(1)))
                self._slow.add(int(failed.group(1)))
        found: dict[int, Block] = {}
        for place in kept:
            column = table.column(str(place)).combine_chunks()
            if place in texts:
                found[place] = self._cast(column)
            elif place in numbers:
                values = column.to_numpy(zero_copy_only=False)
                (special,) = np.nonzero(~np.isfinite(values))
                if len(special) > column.null_count:  # written nan or inf
                    again = self._parsed(block, [place], [], {place})
                    found[place] = self._cast(again.column(str(place)).combine_chunks())
                else:
                    found[place] = (values, lambda row: "", special)
            else:
                found[place] = (column.indices.to_numpy(), column.dictionary.to_pylist(), None)
        return found

    def _check(self, block: bytes) -> bool:
        """Refuse what pyarrow reads otherwise; whether there could be codes such as 007."""
        delimiter = ord(self._layout.delimiter)
        if b"\0" in block or b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
            raise Irregular("line ends")
        data = np.frombuffer(block, np.uint8)
        if b'"' in block:
            self._check_quotes(data, delimiter)
        before, zero, after = data[:-2], data[1:-1], data[2:]
        starts = before < 46  # all that can stand before a number but ; and |: , - + " blank, tab, line end
        if delimiter > 45:
            starts |= before == delimiter
        (found,) = np.nonzero((zero == 48) & (after - np.uint8(48) < 10) & starts)
        if data[0] == 48 and len(data) > 1 and 48 <= data[1] < 58:
            return True
        signed = (data[found] == 43) | (data[found] == 45)
        places = np.where(signed, found - 1, found)
        preceding = data[np.maximum(places, 0)]
        alone = (preceding == delimiter) | (preceding < 14) | (preceding == 34) | (preceding == 32) | (places < 0)
        return bool(alone.any())

    def _check_quotes(self, data: np.ndarray, delimiter: int) -> None:
        """Refuse quotation marks that do not stand around whole fields, and line ends between them."""
        (quotes,) = np.nonzero(data == 34)
        if len(quotes) % 2:
            raise Irregular("a line end between quotation marks")
        opening, closing = quotes[::2], quotes[1::2]
        before = data[opening - 1]
        good = (before == delimiter) | (before == 10) | (before == 34) | (opening == 0)
        after = data[np.minimum(closing + 1, len(data) - 1)]
        good &= (after == delimiter) | (after == 10) | (after == 13) | (after == 34) | (closing == len(data) - 1)
        if not good.all():
            raise Irregular("quotation marks inside a field")
        (ends,) = np.nonzero(data == 10)
        if (np.searchsorted(quotes, ends) % 2).any():
            raise Irregular("a line end between quotation marks")

    def _parsed(self, block: bytes, kept: list[int], numbers: list[int], texts: set[int]) -> Any:
        import pyarrow
        import pyarrow.csv as csv

        coded = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        of_number, of_text = pyarrow.float64(), pyarrow.string()
        types = {str(place): coded for place in kept}
        types.update({str(place): of_number for place in numbers})
        types.update({str(place): of_text for place in texts})
        names = [str(place) for place in range(len(self._layout.names))]
        try:
            return csv.read_csv(
                pyarrow.BufferReader(block),
                csv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
                csv.ParseOptions(delimiter=self._layout.delimiter, ignore_empty_lines=False),
                csv.ConvertOptions(
                    column_types=types,
                    include_columns=[str(place) for place in kept],
                    null_values=[""],
                    strings_can_be_null=False,
                ),
            )
        except pyarrow.ArrowInvalid as error:
            raise _Invalid(str(error)) from error

    def _cast(self, column: Any) -> Block:
        """A column of texts as numbers, or as codes where one is no plain number."""
        import pyarrow
        import pyarrow.compute as compute

        absent = compute.is_in(column, self._marks)
        point = self._decimal == "," and compute.any(compute.match_substring(column, ".")).as_py()
        if not point and not compute.any(compute.match_substring_regex(column, _CODE)).as_py():
            try:
                cast = compute.cast(compute.if_else(absent, None, column), pyarrow.float64())
            except pyarrow.ArrowInvalid:
                cast = None
            if cast is not None:
                values = cast.to_numpy(zero_copy_only=False)
                (special,) = np.nonzero(~np.isfinite(values))
                if len(special) == cast.null_count:
                    return values, lambda row: column[row].as_py(), special
        coded = compute.dictionary_encode(column)
        return coded.indices.to_numpy(), coded.dictionary.to_pylist(), None


class _Invalid(Exception):
    """pyarrow.ArrowInvalid, which cannot be named before pyarrow is imported."""


def _take(columns: dict[int, Gathering], block: Future[dict[int, Block]]) -> None:
    for place, (found, texts, special) in block.result().items():
        if isinstance(texts, list):
            columns[place].add_coded(found, texts)
        else:
            columns[place].add_numbers(found, texts, special)


def _release() -> None:
    """Give the memory of the blocks back to the system."""
    import pyarrow

    pyarrow.default_memory_pool().release_unused()
