"""`read_csv` makes a `Table` of CSV as people have it: any usual delimiter, with row names or not, in any encoding.

What stands in the file decides: `found_layout` looks at its first lines. This reader, Python's csv module, reads every
file and makes all messages; blocks.py reads large regular files faster, to the same table.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import IO

import numpy as np

from .columns import MISSING, Column, Lines, Table, TableError, Texts, is_plain_number, rounded
from .gathering import BLOCK, SPREADSHEETS, Gathering, gathered_columns
from .sources import Source, decoded, is_utf_8_too, undecodable

__all__ = ["DELIMITERS", "Layout", "TextOptions", "finished", "found_layout", "laid_out", "read_csv"]

DELIMITERS = ",;\t|"
WHITE = " "  # as a delimiter: any number of blanks and tabs
LONGEST = 2**24  # characters of a cell
SAMPLE, SAMPLED = 100, 2**16  # records and characters by which the delimiter is found
# Names that programs give to a column without one, if it is the first: pandas, readr.
NAMELESS = ("", "Unnamed: 0", "...1")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[ ,;\t]*\r?\n?', re.IGNORECASE)  # of Excel


@dataclass(frozen=True)
class TextOptions:
    """What the user said of a text file, as checked by `tables.read_table`, whose arguments these are.

    Attributes:
        delimiter: one character, or None: found in the first lines.
        encoding: a name of Python's, or None: UTF-8, or what a byte-order mark says.
        header: False where the first line is a row.
        decimal: "," or ".", or None.
        missing: texts that stand for a missing value, in lower case.
    """

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    decimal: str | None = None
    missing: Collection[str] = MISSING


@dataclass
class Layout:
    """How the records of a CSV file become columns.

    Attributes:
        delimiter: one character; a blank means any number of blanks and tabs.
        first_line: of the file that is read, counted from 1; Excel's line sep=; stands before it.
        names: one for each field of a record; None for one that is left out.
        blank: places of fields without a name, which must be empty in every record.
        skipped: how many records stand before the first row: the header, where there is one.
        counted: what has as many fields as `names`, for messages.
        notes: what is to be said of it.
        expected_rows: how many rows the first line promises; None where it promises nothing.
        classes: names for the whole numbers of the last column.
    """

    delimiter: str
    first_line: int
    names: list[str | None]
    blank: list[int] = field(default_factory=list)
    skipped: int = 1
    counted: str = "the header has"
    notes: list[str] = field(default_factory=list)
    expected_rows: int | None = None
    classes: list[str] = field(default_factory=list)

    @property
    def kept(self) -> list[int]:
        """The places of the fields that are read."""
        return [place for place, name in enumerate(self.names) if name is not None or place in self.blank]


# --- what the first lines say -------------------------------------------------------------------------------------


def found_layout(start: str, source: str, options: TextOptions) -> Layout:
    """The layout of a file that starts with these lines.

    Raises:
        TableError: no header, no rows, a column name that is empty or there twice, or a first row of another length
            than the header.
    """
    first_line, delimiter = 1, options.delimiter
    if match := _SEPARATOR_LINE.match(start):
        delimiter, first_line, start = delimiter or match.group(1), 2, start[match.end() :]
    if delimiter is None:
        delimiter = _best_delimiter(start)
    records: list[tuple[int, list[str]]] = []
    try:
        for record in islice(_records(io.StringIO(start, newline=""), source, delimiter, first_line), SAMPLE):
            records.append(record)
    except TableError:
        if len(start) < SAMPLED or len(records) < 2:  # else the sample ends in a field
            raise
    if not records:
        raise TableError(f"{source}: the file is empty; its first line must name the columns")
    line, names = records[0]
    if options.header is False:
        names = [f"column_{number}" for number in range(1, len(names) + 1)]
        return Layout(delimiter, first_line, list(names), skipped=0, counted="the first line has")
    if len(records) == 1:
        if all(map(_reads_as_number, names)):
            raise _numbers_as_header(source, line, names)
        _check_names(names, list(names), source, line)
        raise TableError(f"{source}: a header and no rows")
    layout = _counting(names, records, delimiter, first_line) or _named(names, records, delimiter, first_line, source)
    if all(map(_reads_as_number, names)) and layout.expected_rows is None:
        raise _numbers_as_header(source, line, names)
    _check_names(names, layout.names, source, line)
    return layout


def _best_delimiter(start: str) -> str:
    """The delimiter by which most of the first records have as many fields as the header, and more than one."""

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            rows = islice(
                csv.reader(io.StringIO(start, newline=""), delimiter=delimiter, skipinitialspace=True), SAMPLE
            )
            lengths = [len(row) for row in rows if any(map(str.strip, row))]
        except csv.Error:
            lengths = []
        if not lengths or max(lengths[0], lengths[-1]) < 2:
            return (0.0, 0)
        most = max(lengths[0], max(set(lengths[1:]), key=lengths[1:].count, default=0))
        agreeing = sum(length == lengths[0] for length in lengths[1:]) / max(len(lengths) - 1, 1)
        # R's row names, and delimiters at the ends of lines: all rows agree, with one field more or less.
        off_by_one = sum(abs(length - lengths[0]) == 1 and length == most for length in lengths[1:])
        near = 0.9 * off_by_one / max(len(lengths) - 1, 1) if lengths[0] > 1 else 0.0
        # Of two that agree, the comma is that of decimals or of texts.
        return (max(agreeing, near), -"\t;|,".index(delimiter))

    header, second, *_ = [*islice((line for line in start.splitlines() if line.strip()), 2), "", ""]
    if not any(mark in _unquoted(header) for mark in DELIMITERS):
        return WHITE if all(len(_unquoted(line).split()) > 1 for line in (header, second or header)) else ","
    best = max(DELIMITERS, key=fit)
    return best if fit(best)[0] else max(DELIMITERS, key=header.count)


def _unquoted(line: str) -> str:
    return re.sub(r'"[^"]*"', "x", line)


def _named(
    names: list[str], records: list[tuple[int, list[str]]], delimiter: str, first_line: int, source: str
) -> Layout:
    """The layout of a file with a header: with row names, trailing delimiters, or as it should be."""
    line, row = records[1]
    rest = [record for _, record in records[1:]]
    layout = Layout(delimiter, first_line, list(names))
    if len(row) != len(names):
        layout.counted = "the first row has"
    one_more = len(row) == len(names) + 1 and all(len(each) == len(row) for each in rest)
    if one_more and (len(names) == 1 or _is_header(rest)) and any(each[-1] for each in rest):
        layout.names = [names[0]]  # for the message: what stands above the header is a title
        raise _ragged(source, line, row, f"the header has {len(names)}", layout, records[0][0])
    if one_more:
        if all(each[-1] == "" for each in rest):
            layout.names.append(None)
            layout.blank.append(len(names))
            layout.notes.append("the delimiters at the ends of the rows are passed over")
        else:
            layout.names.insert(0, None)
            layout.notes.append("the rows have one field more than the header: the first one holds row names, left out")
            return layout
    elif len(row) < len(names) and not any(names[len(row) :]) and all(len(each) == len(row) for each in rest):
        del layout.names[len(row) :]
        layout.notes.append("the delimiters at the end of the header are passed over")
    elif len(row) != len(names):
        raise _ragged(source, line, row, f"the header has {len(names)}", layout, records[0][0])
    for place, name in enumerate(names[: len(layout.names)]):
        if place == 0 and name in NAMELESS and len(names) > 1:
            layout.names[0] = None
            called = f"is called {name!r}, as by a program" if name else "has no name"
            layout.notes.append(f"column 1 {called}: it holds row names, left out")
        elif not name:
            layout.names[place] = None
            layout.blank.append(place)
    return layout


def _is_header(records: list[list[str]]) -> bool:
    """Whether the first of these records holds names for the others: texts, where all others have numbers."""
    first, *others = records
    if not others or not all(first) or any(map(_reads_as_number, first)) or len(set(first)) < len(first):
        return False
    return any(all(_reads_as_number(other[place]) for other in others) for place in range(1, len(first)))


def laid_out(names: list[str], source: str, line: int, header: bool) -> Layout:
    """The layout of rows that all have as many cells as the first: those of a spreadsheet.

    Raises:
        TableError: see `found_layout`.
    """
    if not header:
        return Layout("", 1, [f"column_{place}" for place in range(1, len(names) + 1)], skipped=0)
    layout = _named(names, [(line, names), (line, names)], "", line, source)
    if all(map(_reads_as_number, names)):
        raise _numbers_as_header(source, line, names)
    _check_names(names, layout.names, source, line)
    return layout


def _counting(names: list[str], records: list[tuple[int, list[str]]], delimiter: str, first_line: int) -> Layout | None:
    """The layout of scikit-learn's files: the first line counts rows and inputs, and names the classes."""
    if len(names) < 3 or not all(re.fullmatch("[0-9]{1,9}", name) for name in names[:2]):
        return None
    inputs, classes = int(names[1]), names[2:]
    if any(map(_reads_as_number, classes)) or any(len(record) != inputs + 1 for _, record in records[1:]):
        return None
    if any(record[-1] not in map(str, range(len(classes))) for _, record in records[1:]):
        return None
    columns: list[str | None] = [f"column_{number}" for number in range(1, inputs + 1)]
    note = (
        f"the first line counts {names[0]} rows and {inputs} inputs and names the classes {', '.join(classes)}, as "
        f"scikit-learn's files do; the columns are called column_1 to column_{inputs} and target"
    )
    return Layout(
        delimiter, first_line, [*columns, "target"], counted="line 1 promises", notes=[note],
        expected_rows=int(names[0]), classes=classes,
    )  # fmt: skip


def _check_names(names: list[str], kept: Sequence[str | None], source: str, line: int) -> None:
    used = [name for name in kept if name is not None]
    if not used:
        raise TableError(f"{source}, line {line}: no column has a name; the first line must name the columns")
    for position, name in enumerate(names, 1):
        if name and names.index(name) != position - 1:
            first = names.index(name) + 1
            raise TableError(
                f"{source}, line {line}: columns {first} and {position} are both named {name!r}; rename one"
            )


def _reads_as_number(name: str) -> bool:
    return is_plain_number(name) or is_plain_number(name.replace(",", "."))


def _numbers_as_header(source: str, line: int, names: list[str]) -> TableError:
    return TableError(
        f"{source}, line {line}: the first line must name the columns, got numbers: {', '.join(names[:5])}; write "
        "names there, or say that there are none (header=False, --no-header)"
    )


def _ragged(source: str, line: int, row: list[str], wanted: str, layout: Layout, header_line: int) -> TableError:
    shown = {"\t": "tabs", WHITE: "blanks"}.get(layout.delimiter, repr(layout.delimiter))
    text = layout.delimiter.join(cell.strip() for cell in row)
    text = text if len(text) <= 60 else text[:57] + "..."
    what = f"{source}, line {line}: {len(row)} field{'s' * (len(row) != 1)} where {wanted}"
    if row[0].lstrip().startswith("#"):
        return TableError(f"{what}; remove comments from the file: {text!r}")
    first = next((name for name in layout.names if name), "")
    if len(layout.names) == 1 and layout.skipped or first.startswith("#"):
        return TableError(
            f"{what} (line {header_line}: {first!r:.60}); the first line must name the columns. Remove a title or "
            "comments above them, or name the delimiter (--delimiter)"
        )
    if len(row) < len(layout.names):
        return TableError(f"{what}, separated by {shown}; write an empty field where there is no value: {text!r}")
    return TableError(f"{what}, separated by {shown}; put a field that holds the delimiter in quotes: {text!r}")


# --- the records --------------------------------------------------------------------------------------------------


def _records(file: Iterable[str], source: str, delimiter: str, line: int = 1) -> Iterator[tuple[int, list[str]]]:
    """The line on which each record begins, and its stripped fields; blank lines are passed over."""
    for begun, row in _raw_records(file, source, delimiter, line):
        yield begun, [cell.strip() for cell in row]


def _raw_records(
    file: Iterable[str], source: str, delimiter: str, line: int, one_column: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """The same, not stripped. A line of blanks is an empty cell where there is one column, else a blank line."""
    if delimiter == WHITE:
        file = (each.replace("\t", " ").rstrip() + "\n" for each in file)
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    before = line - 1
    try:
        for row in reader:
            if len(row) > 1 or row and (one_column or row[0].strip()):
                yield line, row
            line = reader.line_num + before + 1
    except csv.Error as error:
        raise TableError(f"{source}, line {line}: {_explained(str(error))}") from error


def _explained(error: str) -> str:
    if "unexpected end" in error:
        return f'{error}; a field begins with " here and has no second one at its end'
    if "expected after" in error:
        return f'{error}; a " inside a field in quotes is written twice'
    if "field limit" in error:
        return f'{error}; most likely a " that begins a field here has no second one'
    return error


# --- the table ----------------------------------------------------------------------------------------------------


def read_csv(source: Source, options: TextOptions) -> Table:
    """The table of a CSV file.

    Raises:
        TableError: see `tables.read_table`.
    """
    content = source.content()
    before = csv.field_size_limit(LONGEST)
    try:
        table = _read(content, source.name, options)
    except UnicodeError as error:
        raise undecodable(content, options.encoding, source.name) from error
    finally:
        csv.field_size_limit(before)
    if is_utf_8_too(content, options.encoding):
        what = f"read as {options.encoding}, as was said, but the bytes are UTF-8"
        table.notes.append(f"{what}: where letters look wrong, leave the encoding out")
    return table


def _read(content: bytes, name: str, options: TextOptions) -> Table:
    def file() -> IO[str]:
        return decoded(content, options.encoding, name)

    start = first_lines(file())
    try:
        layout = found_layout(start, name, options)
    except TableError:
        if len(start) < SAMPLED:
            raise
        layout = found_layout(file().read(), name, options)
    lines = Lines()

    def read(gathered: dict[int, Gathering]) -> None:
        nonlocal lines
        lines = _gather(file(), layout, name, gathered)

    columns = gathered_columns(read, layout.kept, layout.delimiter, options.decimal, options.missing)
    return finished(columns, lines, layout, name, options.missing)


def first_lines(file: IO[str]) -> str:
    """What stands in the first 64 KiB, in whole lines; more only where a line is longer."""
    start = file.read(SAMPLED)
    return start + file.readline() if start else start


def _gather(file: IO[str], layout: Layout, source: str, gathered: dict[int, Gathering]) -> Lines:
    """Give the cells of each record to the columns, and return the lines of the rows."""
    for _ in range(layout.first_line - 1):
        file.readline()
    fields = len(layout.names)
    records = _raw_records(file, source, layout.delimiter, layout.first_line, one_column=fields == 1)
    header_line = layout.first_line
    for _ in range(layout.skipped):
        header_line, _ = next(records)
    jumps: list[tuple[int, int]] = []
    row, expected = 0, header_line + layout.skipped
    first = expected
    while block := list(islice(records, BLOCK)):
        for at, (line, cells) in enumerate(block, row):
            if line != expected:
                jumps.append((at, line))
                expected = line
            expected += 1
            if len(cells) != fields:
                raise _ragged(source, line, cells, f"{layout.counted} {fields}", layout, header_line)
        row += len(block)
        columns = list(zip(*(cells for _, cells in block), strict=True))
        for place, column in gathered.items():
            column.add(columns[place])
    return Lines(first, jumps)


def finished(columns: dict[int, Column], lines: Lines, layout: Layout, source: str, missing: Collection[str]) -> Table:
    """The table of the columns by their places, without what is left out."""
    rows = found = len(next(iter(columns.values())))
    if not rows:
        raise TableError(f"{source}: a header and no rows")
    while rows > 1 and len(columns) > 1 and not any(column.cell(rows - 1) for column in columns.values()):
        rows -= 1
    if rows < found:
        layout.notes.append(f"{found - rows} empty rows at the end: left out")
        columns = {place: column.take(np.arange(rows)) for place, column in columns.items()}
    if nameless := _without_blank(columns, lines, layout, source):
        layout.notes.append(f"columns without name and values: left out ({', '.join(map(str, nameless))})")
    named = {str(layout.names[place]): column for place, column in columns.items()}
    if layout.expected_rows is not None:
        if layout.expected_rows != rows:
            raise TableError(
                f"{source}: line 1 counts {layout.expected_rows} rows, and there are {rows}; write the names of "
                "the columns in line 1 instead"
            )
        named["target"] = _classes(named["target"], lines, layout, source)
    notes = [*layout.notes, *rounded(named)]
    table = Table(named, lines, source, missing, "", notes, typed=lines.word != "line")
    table.points_are_clear = layout.delimiter in SPREADSHEETS
    return table


def _without_blank(columns: dict[int, Column], lines: Lines, layout: Layout, source: str) -> list[int]:
    """Take out the columns that have no name and must have no values; return the numbers of those to be said."""
    said = []
    for place in layout.blank:
        column = columns.pop(place)
        if not isinstance(column, Texts) or any(column.distinct):
            row = next(row for row in range(len(column)) if column.cell(row))
            what = f"column {place + 1} has no name, but {column.cell(row)!r:.60} stands in it"
            raise TableError(
                f"{source}, {lines.of_row(row)}: {what}; write its name in {lines.word} {layout.first_line}, remove a "
                "title that stands above the names, or empty the cell"
            )
        if not (place == len(layout.names) - 1 and layout.counted != "the header has"):
            said.append(place + 1)
    return said


def _classes(target: Column, lines: Lines, layout: Layout, source: str) -> Texts:
    place = {str(number): number for number in range(len(layout.classes))}
    codes = []
    for row, cell in enumerate(target.cells()):
        if cell not in place:
            raise TableError(
                f"{source}, {lines.of_row(row)}: class {cell!r:.60}, where line 1 names "
                f"{len(layout.classes)} classes, 0 to {len(layout.classes) - 1}"
            )
        codes.append(place[cell])
    return Texts(np.array(codes, np.int32), layout.classes).compact()
