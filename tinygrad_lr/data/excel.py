"""`read_excel` makes a `Table` of a sheet of an Excel file (.xlsx), by openpyxl.

The first row that is not empty names the columns; empty rows are passed over. Next: tables.py.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Collection
from typing import Any

from .columns import Column, Lines, Numbers, Table, TableError, Texts, column_of_values
from .csv_files import finished, laid_out
from .frames import EXTRA
from .gathering import points_are_clear
from .sources import ALWAYS, MOST_TIMES, Source

__all__ = ["read_excel"]


def read_excel(source: Source, *, sheet: str | None, header: bool | None, missing: Collection[str]) -> Table:
    """The table of a sheet, by its name; by default of the first that is not hidden.

    Raises:
        TableError: a damaged file, no such sheet, a sheet without a table, or a formula whose value was never computed.
        ImportError: openpyxl is not there.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise ImportError(f"{source.name} is an Excel file, and openpyxl is not installed: {EXTRA}") from error
    content = source.content()
    _refuse_bomb(content, source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what openpyxl does not know: styles, validations
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            chosen = _chosen(book, sheet, source)
            numbers, rows = _rows(book[chosen])
            if any(cell is None for row in rows for cell in row):
                _refuse_formulas(
                    openpyxl.load_workbook(io.BytesIO(content), read_only=True)[chosen], rows, numbers, source
                )
    except TableError:
        raise
    except Exception as error:  # openpyxl raises many kinds for damaged files
        what = f"the Excel file is damaged or of a kind that openpyxl does not read ({type(error).__name__}: {error})"
        raise TableError(f"{source.name}: {what}; save it again as .xlsx, or as CSV") from error
    name = f"{source.name}, sheet {chosen!r}"
    if not rows:
        raise TableError(f"{name}: the sheet is empty; its first row must name the columns")
    if len(rows) < 2 and header is not False:
        raise TableError(f"{name}: a header and no rows")
    texts = ["" if cell is None else str(cell).strip() for cell in rows[0]]
    layout = laid_out(texts, name, numbers[0], header is not False)
    if len(book.sheetnames) > 1 and sheet is None:
        others = ", ".join(map(repr, (each for each in book.sheetnames if each != chosen)))
        layout.notes.insert(0, f"sheet {chosen!r} is read; there are also {others} (--sheet)")
    lines = Lines.of(numbers[layout.skipped :])
    lines.word = "row"
    columns: dict[int, Column] = {}
    for place, named in enumerate(layout.names):
        if named is None and place not in layout.blank:
            continue

        def at(row: int, what: str, named: str | None = named) -> TableError:
            return TableError(f"{name}, {lines.of_row(row)}, column {named!r}: {what}")

        cells = [row[place] for row in rows[layout.skipped :]]
        columns[place] = column_of_values(cells, missing, at)
        if isinstance(columns[place], Numbers) and any(isinstance(cell, str) and "." in cell for cell in cells):
            written = Texts.of(["" if cell is None else str(cell) for cell in cells])  # 1.234, by hand
            columns[place] = columns[place] if points_are_clear(written, missing) else written
    return finished(columns, lines, layout, name, missing)


def _refuse_bomb(content: bytes, source: Source) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(each.file_size for each in archive.infolist())
    most = max(MOST_TIMES * len(content), ALWAYS)
    if size > most:
        raise TableError(
            f"{source.name}: decompressed, it has {size:,} bytes, more than {MOST_TIMES} times its size, as a file "
            "that is made to fill the memory; save the sheet as CSV where you trust it"
        )


def _chosen(book: Any, sheet: str | None, source: Source) -> str:
    sheets = [each.title for each in book.worksheets]
    if sheet is not None:
        if sheet not in sheets:
            raise TableError(f"{source.name}: no sheet {sheet!r}; there are {', '.join(map(repr, sheets)) or 'none'}")
        return sheet
    visible = [each.title for each in book.worksheets if each.sheet_state == "visible"]
    if not visible:
        raise TableError(
            f"{source.name}: no sheet with cells to be seen; there are {', '.join(sheets) or 'none'} (--sheet)"
        )
    return str(visible[0])


def _rows(sheet: Any) -> tuple[list[int], list[list[Any]]]:
    """The numbers and the cells of the rows that are not empty, all of one length."""
    sheet.reset_dimensions()  # what the file says of its size may be wrong
    numbers, rows = [], []
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        if any(cell is not None for cell in row):
            numbers.append(number)
            rows.append(list(row))
    width = max((max(place for place, cell in enumerate(row, 1) if cell is not None) for row in rows), default=0)
    return numbers, [row[:width] + [None] * (width - len(row)) for row in rows]


def _refuse_formulas(sheet: Any, rows: list[list[Any]], numbers: list[int], source: Source) -> None:
    """A file that a program wrote has formulas whose values nobody computed yet."""
    place = {number: row for number, row in zip(numbers, rows, strict=True)}
    sheet.reset_dimensions()
    for number, written in enumerate(sheet.iter_rows(values_only=True), 1):
        values = place.get(number, [None] * len(written))
        for column, (formula, value) in enumerate(zip(written, values, strict=False), 1):
            if value is None and isinstance(formula, str) and formula.startswith("="):
                raise TableError(
                    f"{source.name}, row {number}, column {column}: the value of the formula {formula!r:.60} is not in "
                    "the file; open it in a spreadsheet program and save it"
                )
