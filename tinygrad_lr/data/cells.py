"""`read_cells` reads the columns of a table as numbers, true and false, dates or texts, and says what it recognised.

columns.py says how a column is stored, recognition.py what its texts are. `read_as` reads a column of a later table as
the same column was read before, and `as_numbers` any column as numbers. Next: inputs.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import numpy as np

from .columns import Booleans, Dates, Numbers, Table, TableError, Texts
from .recognition import TRUE_OR_FALSE, Ambiguous, CellError, Conventions, Mixture, Recognised, recognise
from .written_numbers import tidied

__all__ = ["Cells", "as_numbers", "conventions_of", "read_as", "read_cells"]


CATEGORICAL = "declare the column categorical (--categorical)"
POINT = ["point as decimal mark"]  # said of a column that a spreadsheet could have written with thousands points


@dataclass(frozen=True)
class Cells:
    """The cells of a column, read.

    Attributes:
        kind: "number", "boolean", "date", "text", or "empty" where no cell has a value.
        missing: bool, shape (rows,).
        values: float64 numbers, with NaN where a value is missing; bool; datetime64[us]; of texts nothing.
        codes: int32, the place in `texts` of each row, -1 where a value is missing; only of texts, and of what was
            written as texts.
        texts: the different texts without the missing ones, in the order of their first row.
        words: what was recognised, to be said: ["decimal comma"].
        unit: "%", a currency or another unit of numbers.
        zoned: whether dates had a time zone.
        numeric: whether texts are those of a column of numbers that was declared categorical.
    """

    kind: str
    missing: np.ndarray
    values: np.ndarray = field(default_factory=lambda: np.zeros(0))
    codes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    texts: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    unit: str = ""
    zoned: bool = False
    numeric: bool = False

    def __len__(self) -> int:
        return len(self.missing)


def read_cells(
    table: Table,
    names: Iterable[str],
    conventions: Conventions | None = None,
    categorical: Collection[str] = (),
    targets: Collection[str] = (),
) -> tuple[dict[str, Cells], Conventions]:
    """The cells of these columns, and the conventions of the table with what its columns show.

    A column that can be read in two ways is read as the others show: 1,234 in a table with 0,5 is 1.234.

    Args:
        categorical: columns whose cells are texts, whatever they look like; of numbers, only those that are inputs.
        targets: columns that are to be predicted.

    Raises:
        TableError: an unknown column, cells that are no numbers among numbers, cells that can be read in two ways.

    Example:
        >>> table = Table({"a": ["1,234", "5,678"], "b": ["0,5", "7"], "c": ["yes", "no"]})
        >>> cells, conventions = read_cells(table, table.names)
        >>> cells["a"].values.tolist(), cells["a"].words, conventions.likely_decimal
        ([1.234, 5.678], ['decimal comma, as in column b'], ',')
        >>> cells["c"].kind
        'boolean'
    """
    found: dict[str, Cells] = {}
    later: list[str] = []
    shown: dict[str, dict[str, str]] = {"decimal": {}, "dates": {}}  # a convention -> its form -> a column that has it
    conventions = Conventions() if conventions is None else conventions
    names = list(names)
    for name in names:
        column = table.column(name)
        if not isinstance(column, Texts) or column.categorical or name in categorical:
            found[name] = _typed(
                table, name, name in categorical and (name not in targets or isinstance(column, Texts))
            )
            continue
        try:
            found[name], recognised = _recognised(table, name, column, conventions, name in targets)
        except _Undecided:
            later.append(name)
            continue
        for convention, column_of in shown.items():
            if form := getattr(recognised, convention):
                column_of.setdefault(form, name)
    _add_numbers(table, names, found, shown["decimal"])
    if later:
        _add_others(table, names, conventions, shown)
    forms = {convention: next(iter(of), None) if len(of) == 1 else None for convention, of in shown.items()}
    known = replace(
        conventions,
        likely_decimal=forms["decimal"] or conventions.likely_decimal,
        likely_dates=forms["dates"] or conventions.likely_dates,
    )
    for name in later:
        column = table.columns[name]
        assert isinstance(column, Texts)
        try:
            cells, recognised = _recognised(table, name, column, known, name in targets)
        except _Undecided as error:
            raise error.refusal from None
        by = shown["dates" if recognised.kind == "date" else "decimal"]
        words = cells.words or ["decimal point"]
        said = f"{', '.join(words)}, as in column {next(iter(by.values()))}" if by else ", ".join(words)
        found[name] = replace(cells, words=[said])
    return {name: found[name] for name in names}, known


class _Undecided(Exception):
    """A column that can be read in two ways; `refusal` is the error, if nothing decides."""

    def __init__(self, refusal: TableError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def _typed(table: Table, name: str, categorical: bool) -> Cells:
    """The cells of a column whose kind is known without reading texts."""
    column = table.columns[name]
    missing = table.missing_in(name)
    if isinstance(column, Numbers) and not categorical:
        values = column.values
        infinite = np.isinf(values)
        if infinite.any():
            row = int(np.argmax(infinite))
            what = f"{column.cell(row)!r} is not finite; leave out the row or write a finite number"
            raise table.at(row, name, what)
        clear = table.typed or table.points_are_clear or not _looks_like_thousands(column)
        words = [] if clear else POINT
        return Cells("empty" if missing.all() else "number", missing, values, words=words)
    if missing.all():
        return Cells("empty", missing)
    numeric = isinstance(column, Numbers)
    if isinstance(column, Numbers):
        column = column.texts()
    elif isinstance(column, Booleans) and not categorical:
        return Cells("boolean", missing, column.values)
    elif isinstance(column, Dates) and not categorical:
        return Cells("date", missing, column.values, zoned=column.zone is not None)
    elif not isinstance(column, Texts):
        column = Texts.of(column.cells())
    codes, texts = _coded(column, table.missing)
    return Cells("text", missing, codes=codes, texts=texts, numeric=numeric)


def _coded(column: Texts, marks: Collection[str]) -> tuple[np.ndarray, list[str]]:
    """The codes of a column and its texts, without those that mark a missing value: these have the code -1."""
    if not any(map(marks.__contains__, map(str.lower, column.distinct))):
        return column.codes, column.distinct
    place = np.full(len(column.distinct) + 1, -1, np.int32)
    texts: list[str] = []
    for code, text in enumerate(column.distinct):
        if text.lower() not in marks:
            place[code] = len(texts)
            texts.append(text)
    return (column.codes if len(texts) == len(column.distinct) else place[column.codes]), texts


# What the texts of a column were recognised as by themselves: an encoder that learns from a table then reads it again.
_KNOWN: WeakKeyDictionary[Texts, dict[tuple[object, ...], Recognised]] = WeakKeyDictionary()


def _counts(codes: np.ndarray, missing: np.ndarray, texts: list[str]) -> np.ndarray:
    return np.bincount(codes[~missing], minlength=len(texts))


def _recognised(
    table: Table, name: str, column: Texts, conventions: Conventions, is_target: bool = False, is_later: bool = False
) -> tuple[Cells, Recognised]:
    """The cells of a column of texts, and what they were recognised as; of a later table than the first one, or not."""
    codes, texts = _coded(column, table.missing)
    missing = codes < 0
    if not texts:
        return Cells("empty", missing), Recognised("text", np.zeros(0))
    key = (conventions.decimal, conventions.dates, frozenset(table.missing))
    try:
        found = _KNOWN.get(column, {}).get(key) or recognise(texts, conventions, _counts(codes, missing, texts))
    except CellError as error:
        what, first = error.what, int(np.argmax(codes == error.index))
        if isinstance(error, Ambiguous):
            remedy = "name the decimal mark (--decimal . or --decimal ,)"
            if "-" in what.partition(" can mean ")[2]:
                remedy = "say which comes first (--dates d/m/y or --dates m/d/y)"
            elif " has a decimal " in what:
                remedy = f"correct it, or {remedy}"
            raise _Undecided(table.at(first, name, f"{what}; {remedy}")) from None
        if isinstance(error, Mixture):
            remedies = ["correct it", f"count {texts[error.index]!r} as missing (--na-values)"]
            if not is_later:
                remedies.append("take the texts as classes (--task classification)" if is_target else CATEGORICAL)
            what = f"{what}; {', '.join(remedies[:-1])}{',' * (len(remedies) > 2)} or {remedies[-1]}"
        raise table.at(first, name, what) from None
    if conventions.likely_decimal is None and conventions.likely_dates is None:
        _KNOWN.setdefault(column, {})[key] = found
    words, unit = found.words, found.unit
    if found.kind == "text":
        return Cells("text", missing, codes=codes, texts=texts, words=words), found
    absent = {"number": np.nan, "boolean": False, "date": np.datetime64("NaT", "us")}[found.kind]
    values = np.append(found.values, np.array([absent], found.values.dtype))[codes]
    zoned = any("UTC" in word for word in words)
    return Cells(found.kind, missing, values, codes, texts, words, unit, zoned), found


def _maybe_thousands(table: Table, name: str, column: Numbers, other: str) -> TableError:
    """The error for numbers such as 1.234 in a table whose column `other` has a decimal comma."""
    row = int(np.argmax(column.values % 1 > 0))
    cell = column.cell(row)
    what = f"{cell!r} has a point, and column {other!r} has a decimal comma"
    return table.at(row, name, f"{what}; write all alike, or say --decimal , where the point is a thousands mark")


def _looks_like_thousands(column: Numbers) -> bool:
    """Whether a spreadsheet could have written thousands: of three numbers or more, nine of ten have three decimals."""
    parts = column.values[:10_000]
    parts = parts[parts % 1 > 0]
    if len(parts) < 3 or np.mean(np.round(parts * 100) / 100 != parts) < 0.9:
        return False
    return column.maybe_thousands


def _add_numbers(table: Table, names: Iterable[str], found: dict[str, Cells], shown: dict[str, str]) -> None:
    """What columns of plain numbers show of the decimal mark.

    Raises:
        TableError: a point that may be a thousands mark, in a table with a decimal comma.
    """
    numbers = {name: column for name in names if isinstance(column := table.columns[name], Numbers)}
    for name, column in numbers.items():
        if "," in shown and not (table.typed or table.points_are_clear) and column.maybe_thousands:
            raise _maybe_thousands(table, name, column, shown[","])
        if "." not in shown and _has_decimals(table, column):
            shown["."] = name
    if "." in shown:
        for name in numbers:
            if name in found and found[name].words == POINT:
                found[name] = replace(found[name], words=[])


def _add_others(
    table: Table, names: Collection[str], conventions: Conventions, shown: dict[str, dict[str, str]]
) -> bool:
    """What the other columns of the table show, where these do not decide. Whether one of the others is open, too."""
    is_open = False
    others = [name for name in table.names if name not in names]
    for name in others:
        column = table.columns[name]
        if isinstance(column, Texts) and not column.categorical:
            try:
                _, recognised = _recognised(table, name, column, conventions)
            except _Undecided:
                is_open = True
                continue
            except TableError:
                continue
            for convention, column_of in shown.items():
                if form := getattr(recognised, convention):
                    column_of.setdefault(form, name)
        elif isinstance(column, Numbers) and "." not in shown["decimal"] and _has_decimals(table, column):
            shown["decimal"]["."] = name
    return is_open


def _has_decimals(table: Table, column: Numbers) -> bool:
    """Whether numbers show that their point is a decimal mark, by the first of them: they are not whole, and not all
    could be thousands."""
    values = column.values[:10_000]
    start = Numbers(values[np.isfinite(values)])
    return bool((start.values % 1 > 0).any()) and (table.points_are_clear or not start.maybe_thousands)


def conventions_of(table: Table, names: Iterable[str], conventions: Conventions) -> Conventions:
    """What columns of a later table show of its conventions; those of the earlier table where they show nothing."""
    shown: dict[str, dict[str, str]] = {"decimal": {}, "dates": {}}
    plain = Conventions(conventions.decimal, conventions.dates)
    names = set(names)
    if _add_others(table, [name for name in table.names if name not in names], plain, shown):
        _add_others(table, names, plain, shown)
    forms = {convention: next(iter(of)) if len(of) == 1 else None for convention, of in shown.items()}
    return replace(
        conventions,
        likely_decimal=forms["decimal"] or conventions.likely_decimal,
        likely_dates=forms["dates"] or conventions.likely_dates,
    )


# --- a later table ----------------------------------------------------------------------------------------------------


def read_as(table: Table, name: str, kind: str, unit: str, zoned: bool, conventions: Conventions) -> Cells:
    """The cells of a column that was read as a `kind` before.

    Args:
        kind: "number", "boolean", "date" or "text".
        unit: what numbers were written in. A plain number is one too, except where percent were written.
        zoned: whether dates had a time zone.
        conventions: those of the table that was read before decide what can be read in two ways.

    Raises:
        TableError: an unknown column, or a cell of another kind.

    Example:
        >>> table = Table({"a": ["1,234", "2"], "b": ["true", "Yes"]})
        >>> read_as(table, "a", "number", "", False, Conventions(likely_decimal=",")).values.tolist()
        [1.234, 2.0]
        >>> read_as(table, "b", "boolean", "", False, Conventions()).values.tolist()
        [True, True]
    """
    column = table.column(name)
    missing = table.missing_in(name)
    if missing.all():
        return Cells("empty", missing)
    if kind == "text":
        return _typed(table, name, True)
    if kind == "boolean":
        return _as_booleans(table, name)
    if isinstance(column, Texts):
        try:
            cells, _ = _recognised(table, name, column, conventions, is_later=True)
        except _Undecided as error:
            raise error.refusal from None
    else:
        cells = _typed(table, name, False)
    if kind == "number" and cells.kind == "boolean":
        values = np.where(missing, np.nan, cells.values.astype(np.float64))
        return replace(cells, kind="number", values=values)
    row = int(np.argmin(missing))
    cell = column.cell(row)
    if cells.kind != kind:
        raise table.at(row, name, f"{cell!r} is not a {kind}, as the cells of the training table are")
    if cells.unit != unit and (cells.unit or unit == "%"):
        had = f"in {unit}" if unit else "without a unit"
        what = f"{cell!r} has another unit than the training table, which was written {had}; write it so"
        hint = " (a spreadsheet's cell of 12 % is the number 0.12)" if unit == "%" else ""
        raise table.at(row, name, f"{what}{hint}")
    if kind == "date" and zoned != cells.zoned and _has_times(cells):
        has = (
            "a time zone, and the training table had none"
            if cells.zoned
            else "no time zone, and the training table had"
        )
        raise table.at(row, name, f"{cell!r} has {has}; write times as there")
    return cells


def _as_booleans(table: Table, name: str) -> Cells:
    """Cells as true and false: of texts the words for them, of numbers 0 and 1."""
    column, missing = table.columns[name], table.missing_in(name)
    if isinstance(column, Booleans):
        return Cells("boolean", missing, column.values)
    if isinstance(column, Dates):
        row = int(np.argmin(missing))
        raise table.at(row, name, f"{column.cell(row)!r} is neither true nor false, as the cells of the training table")
    texts = column.texts() if isinstance(column, Numbers) else column
    assert isinstance(texts, Texts)
    codes, words = _coded(texts, table.missing)
    truth = {**TRUE_OR_FALSE, "0": False, "1": True}
    for place, word in enumerate(tidied(words)):
        if word.lower() not in truth:
            row = int(np.argmax(codes == place))
            what = f"{words[place]!r} is neither true nor false, as the cells of the training table are"
            raise table.at(row, name, f"{what}; write yes or no")
    values = np.array([truth[word.lower()] for word in tidied(words)] + [False])
    return Cells("boolean", missing, values[codes], codes, words)


def _has_times(cells: Cells) -> bool:
    there = cells.values[~cells.missing]
    return bool((there != there.astype("datetime64[D]")).any())


def as_numbers(table: Table, name: str, conventions: Conventions | None = None, dates_too: bool = True) -> np.ndarray:
    """A column as float64 numbers that can be ordered, shape (rows,), NaN where a value is missing.

    Dates are days since 1970-01-01, false and true are 0 and 1. Texts are read as in `read_cells`.

    Args:
        dates_too: whether dates may be taken as numbers.

    Raises:
        TableError: an unknown column, or one of texts, or of dates where these are none.

    Example:
        >>> table = Table({"day": ["1.2.2024", "NA"], "weight": ["1,5", "2"]})
        >>> as_numbers(table, "day").tolist(), as_numbers(table, "weight").tolist()
        ([19754.0, nan], [1.5, 2.0])
    """
    found, _ = read_cells(table, [name], conventions)
    cells = found[name]
    if cells.kind == "text" or cells.kind == "date" and not dates_too:
        row = int(np.argmin(cells.missing))
        what = "is neither a number nor a date" if dates_too else "is not a number"
        raise table.at(row, name, f"{table.columns[name].cell(row)!r} {what}")
    if cells.kind == "empty":
        return np.full(len(cells), np.nan)
    values = cells.values
    if cells.kind == "date":
        values = (values - np.datetime64(0, "us")) / np.timedelta64(1, "D")
    return np.where(cells.missing, np.nan, values.astype(np.float64))
