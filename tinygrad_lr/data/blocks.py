"""`read_large_csv` reads a large CSV file block by block in threads, to the table that csv_files.py makes of it.

The file is never held whole. A parser makes columns of a block's bytes: pyarrow's, in arrow.py, or NumPy's, in
plain_cells.py. What is irregular in the file (a row of another length, a line break inside a field, blank lines) is
left to csv_files.py, which knows what to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Protocol

import numpy as np

from tinygrad_lr.reading import MiB

from .columns import Lines, Table, TableError
from .csv_files import SAMPLED, WHITE, Layout, TextOptions, finished, found_layout
from .gathering import Gathering, gathered_columns
from .parallel import threads
from .sources import Source, encoding_of

__all__ = ["PIECE", "Block", "Given", "Irregular", "Parser", "read_large_csv"]

FIRST = MiB // 4  # bytes of the first block, which shows the columns' kinds
LONGEST = 64 * MiB  # bytes of a line
PIECE = 2**16  # bytes that are looked at at a time: what that needs stays in the processor's cache
BOM = b"\xef\xbb\xbf"

Given = Callable[[Gathering], None]  # gives a block's cells of one column to it


class Irregular(Exception):
    """A file that csv_files.py must read."""


class Block:
    """The bytes of some whole lines.

    Attributes:
        content: the bytes.
        data: the same as an array, uint8.
        quotes: the places of all quotation marks. They stand around whole fields, and no line ends between them.

    Raises:
        Irregular: a NUL byte, a line that ends in CR alone, other quotation marks.
        UnicodeDecodeError: bytes that are not UTF-8.
    """

    def __init__(self, content: bytes, delimiter: str) -> None:
        if b"\0" in content or b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
            raise Irregular("line ends")
        if content.startswith(BOM):
            raise Irregular("a byte-order mark inside")
        if not content.isascii():
            content.decode()
        self.content = content
        self.data = np.frombuffer(content, np.uint8)
        self.quotes = np.nonzero(self.data == 34)[0] if b'"' in content else np.zeros(0, np.int64)
        if len(self.quotes):
            self._check_quotes(ord(delimiter))

    @property
    def lines(self) -> int:
        """How many lines there are."""
        pieces = (self.data[start : start + PIECE] for start in range(0, len(self.data), PIECE))
        return sum(int(np.count_nonzero(piece == 10)) for piece in pieces) + (self.data[-1] != 10)

    def _check_quotes(self, delimiter: int) -> None:
        data, quotes = self.data, self.quotes
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


class Parser(Protocol):
    """Makes columns of blocks; several threads call it at a time."""

    size: int  # of a block in bytes
    most_fields: int  # of more, a block has so few rows that Python's csv module is faster

    def parsed(self, block: Block, places: list[int], numbers: list[int]) -> dict[int, Given]:
        """The cells of these places of the records; `numbers` are those that were all numbers in earlier blocks.

        Raises:
            Irregular: what csv_files.py must read.
        """

    def finish(self) -> None:
        """Called when the file was read, or left."""


def read_large_csv(
    source: Source, options: TextOptions, make_parser: Callable[[Layout, TextOptions], Parser]
) -> Table | None:
    """The table of a CSV file as `csv_files.read_csv` reads it, or None for a file that is left to that reader.

    Raises:
        TableError: what `finished` refuses.
    """
    with source.open() as file:
        start = file.read(SAMPLED) + file.readline()
    encoding = encoding_of(start[:4], options.encoding)
    if encoding not in ("utf-8", "utf-8-sig"):
        return None
    try:
        layout = found_layout(start.decode(encoding), source.name, options)
    except (TableError, UnicodeDecodeError):
        return None
    if layout.delimiter == WHITE or not layout.delimiter.isascii() or len(layout.names) < 2:
        return None
    parser = make_parser(layout, options)
    if len(layout.names) > parser.most_fields:
        return None
    try:
        columns = gathered_columns(
            lambda gathered: _read(source, layout, parser, gathered),
            layout.kept,
            layout.delimiter,
            options.decimal,
            options.missing,
        )
    except (Irregular, UnicodeDecodeError):
        return None
    finally:
        parser.finish()
    return finished(columns, Lines(layout.first_line + layout.skipped), layout, source.name, options.missing)


def _read(source: Source, layout: Layout, parser: Parser, columns: dict[int, Gathering]) -> None:
    """Give the cells of all rows to the columns."""
    places = list(columns)
    numbers: list[int] = []

    def parsed(content: bytes) -> dict[int, Given]:
        return parser.parsed(Block(content, layout.delimiter), places, numbers)

    def take(found: dict[int, Given]) -> None:
        nonlocal numbers
        for place, give in found.items():
            give(columns[place])
        numbers = [place for place, column in columns.items() if not column.is_text]

    with source.open() as file, ThreadPoolExecutor(threads()) as pool:
        blocks = _blocks(file, layout, parser.size)
        first = next(blocks, b"")
        if not first:
            raise Irregular("no rows")
        rows = max(first.count(b"\n"), 1)
        guess = int(source.size / len(first) * rows * (5 if source.compression else 1.1))
        for column in columns.values():
            column.expect(guess)
        take(parsed(first))
        waiting: deque[Future[dict[int, Given]]] = deque()
        for block in blocks:
            waiting.append(pool.submit(parsed, block))
            if len(waiting) > threads():
                take(waiting.popleft().result())
        while waiting:
            take(waiting.popleft().result())


def _blocks(file: IO[bytes], layout: Layout, size: int) -> Iterator[bytes]:
    """The bytes of the rows, in blocks of whole lines."""
    # What is read lies here first, behind the begun line that is left of the block before.
    room, left = _without_header(file, layout.first_line - 1 + layout.skipped)
    while True:
        if left > LONGEST:
            raise Irregular("a line without end")
        end = room.rfind(b"\n", 0, left) + 1
        if end:
            with memoryview(room) as view:
                yield bytes(view[:end])
                view[: left - end] = view[end:left]
            left -= end
        room.extend(bytes(max(left + size - len(room), 0)))
        with memoryview(room) as view:
            read = file.readinto(view[left : left + size])  # type: ignore[attr-defined]
        if not read:
            break
        left += read
    if left:
        yield bytes(room[:left])


def _without_header(file: IO[bytes], lines: int) -> tuple[bytearray, int]:
    """The first bytes of a file behind some lines, and how many they are."""
    start = b""
    while read := file.read(FIRST):
        start += read
        if start.count(b"\n") >= lines:
            break
    start = start.removeprefix(BOM)
    for _ in range(lines):
        line, _, start = start.partition(b"\n")
        line.decode()
        if line.count(b'"') % 2 or not line.strip() or b"\r" in line.removesuffix(b"\r") or b"\0" in line:
            raise Irregular("a header of several lines")
    return bytearray(start), len(start)
