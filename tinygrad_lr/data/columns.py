"""`Table`, and its columns: `Numbers`, `Texts`, `Booleans`, `Dates`. A `TableError` names the file, line and column.

A column says what its cells are, not what they mean: encoding.py, which learns from a table, decides that. tables.py
reads tables.
"""

from __future__ import annotations

import bisect
import datetime
import decimal
import fractions
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_lr.suggesting import near

__all__ = [
    "MISSING",
    "Booleans",
    "Column",
    "Dates",
    "Lines",
    "Numbers",
    "Table",
    "TableError",
    "Texts",
    "column_of_texts",
    "column_of_values",
    "is_number",
    "is_plain_number",
    "number_text",
    "rounded",
    "some",
]

# What people write where a value is missing, in lower case: what pandas.read_csv takes as missing, and "?".
MISSING = frozenset(
    ["", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "<na>", "n/a", "na", "nan"]
    + ["none", "null", "?"]
)
EXACT = 2**53  # below this, float64 tells each whole number from the next
# A number as programs write it. Neither 00501, which is a code, nor 1_000 or 1,000. Infinity is one too: it is refused
# later, with its line.
PLAIN = re.compile(
    r"[+-]?(?:(?!0[0-9])[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?inf(?:inity)?", re.ASCII | re.IGNORECASE
)


NUMBER, TEXT, BOOLEAN, DATE, HOURS, ABSENT = "number", "text", "True or False", "date", "time", ""
_KIND_OF: dict[type, str] = {
    bool: BOOLEAN,
    np.bool_: BOOLEAN,
    int: NUMBER,
    float: NUMBER,
    np.integer: NUMBER,
    np.floating: NUMBER,
    decimal.Decimal: NUMBER,
    fractions.Fraction: NUMBER,
    str: TEXT,
    datetime.date: DATE,  # and datetime, and pandas.Timestamp
    np.datetime64: DATE,
    datetime.time: HOURS,
    datetime.timedelta: HOURS,
    np.timedelta64: HOURS,
    type(None): ABSENT,
}


class TableError(ValueError):
    """A table that cannot be used; the message names the file, the line and the column."""


class Column:
    """The cells of a table's column, row by row. Its kinds: `Numbers`, `Texts`, `Booleans`, `Dates`."""

    def __len__(self) -> int:
        raise NotImplementedError

    def missing(self, marks: Collection[str] = MISSING) -> np.ndarray:
        """Which cells have no value, bool, shape (rows,).

        Args:
            marks: texts that stand for a missing value, in lower case; only `Texts` asks for them.
        """
        raise NotImplementedError

    def cell(self, row: int) -> str:
        """A cell as a text, as it was written where that is known; empty where nothing was."""
        raise NotImplementedError

    def cells(self) -> list[str]:
        """All cells as texts."""
        return [self.cell(row) for row in range(len(self))]

    def take(self, rows: np.ndarray) -> Column:
        """A column of these rows, in this order; `rows` holds their numbers, or True for each one wanted."""
        raise NotImplementedError


class Numbers(Column):
    """Numbers.

    Args:
        values: float64, shape (rows,); NaN where a value is missing. Infinities are possible.
        written: row -> its text, for cells whose text does not follow from the value: NA, an infinity written 1e999.
            A pair (rows in ascending order, a `Texts` of as many) says the same in less memory.

    Example:
        >>> column = Numbers(np.array([1.0, np.nan, 2.5]), {1: "NA"})
        >>> column.cells(), column.missing().tolist()
        (['1', 'NA', '2.5'], [False, True, False])
    """

    def __init__(self, values: ArrayLike, written: Mapping[int, str] | tuple[np.ndarray, Texts] | None = None) -> None:
        self.values = np.asarray(values, np.float64)
        if isinstance(written, tuple):
            self.written_rows, self.written = written
        else:
            ordered = sorted((written or {}).items())
            self.written_rows = np.array([row for row, _ in ordered], np.int64)
            self.written = Texts.of([text for _, text in ordered])

    def __len__(self) -> int:
        return len(self.values)

    @property
    def maybe_thousands(self) -> bool:
        """Whether points could be thousands marks: every number that is not whole is one like 1.234 or 12.500.

        Example:
            >>> Numbers([1.234, 7]).maybe_thousands, Numbers([1.2345]).maybe_thousands, Numbers([7]).maybe_thousands
            (True, False, False)
        """
        some = False
        for start in range(0, len(self.values), 2**15):  # decimals that are none are found in the first of these
            sizes = np.abs(self.values[start : start + 2**15])
            sizes = sizes[np.isfinite(sizes) & (np.floor(sizes) != sizes)]
            if not ((sizes >= 1) & (sizes < 1000) & (np.round(sizes * 1000) / 1000 == sizes)).all():
                return False
            some = some or len(sizes) > 0
        return some

    def missing(self, marks: Collection[str] = MISSING) -> np.ndarray:
        return np.isnan(self.values)

    def cell(self, row: int) -> str:
        place = int(np.searchsorted(self.written_rows, row))
        if place < len(self.written_rows) and self.written_rows[place] == row:
            return self.written.cell(place)
        return number_text(float(self.values[row]))

    def cells(self) -> list[str]:
        texts = list(map(number_text, self.values.tolist()))
        for place, row in enumerate(self.written_rows.tolist()):
            texts[row] = self.written.cell(place)
        return texts

    def take(self, rows: np.ndarray) -> Numbers:
        rows = np.arange(len(self))[rows]
        if not len(self.written_rows):
            return Numbers(self.values[rows])
        place = np.minimum(np.searchsorted(self.written_rows, rows), len(self.written_rows) - 1)
        (found,) = np.nonzero(self.written_rows[place] == rows)
        return Numbers(self.values[rows], (found, self.written.take(place[found])))

    def texts(self) -> Texts:
        """The same cells as texts: 7 for 7.0, and a missing cell as it was written."""
        distinct, codes = np.unique(self.values, return_inverse=True)
        known: dict[str, int] = {}
        of_distinct = np.array(
            [known.setdefault(number_text(each), len(known)) for each in distinct.tolist()], np.int32
        )
        found = of_distinct[codes.reshape(-1)] if len(codes) else np.zeros(0, np.int32)
        for place, row in enumerate(self.written_rows.tolist()):
            found[row] = known.setdefault(self.written.cell(place), len(known))
        return Texts(found, list(known)).compact()


class Texts(Column):
    """Texts, each distinct one kept once.

    Args:
        codes: int32, shape (rows,): the place of each row's text in `distinct`.
        distinct: the texts without blanks around them, in the order of their first row.
        categorical: whether they were declared as categories (a categorical column of a frame).

    Which texts stand for a missing value is known to the table (`Table.missing`).

    Example:
        >>> column = Texts.of(["red", "blue", "red"])
        >>> column.codes.tolist(), column.distinct
        ([0, 1, 0], ['red', 'blue'])
    """

    def __init__(self, codes: ArrayLike, distinct: list[str], categorical: bool = False) -> None:
        self.codes = np.asarray(codes, np.int32)
        self.distinct = distinct
        self.categorical = categorical

    @classmethod
    def of(cls, cells: Iterable[str], categorical: bool = False) -> Texts:
        """The column of these texts, from which blanks around them are taken."""
        known: dict[str, int] = {}
        stripped: dict[str, int] = {}
        codes = []
        for cell in cells:
            code = known.get(cell)
            if code is None:
                code = known[cell] = stripped.setdefault(cell.strip(), len(stripped))
            codes.append(code)
        return cls(np.array(codes, np.int32), list(stripped), categorical)

    def __len__(self) -> int:
        return len(self.codes)

    def missing(self, marks: Collection[str] = MISSING) -> np.ndarray:
        if not self.distinct:
            return np.zeros(len(self), bool)
        return np.fromiter(map(marks.__contains__, map(str.lower, self.distinct)), bool, len(self.distinct))[self.codes]

    def where(self, holds: Callable[[str], bool]) -> np.ndarray:
        """Of which rows this holds, bool, shape (rows,). Each distinct text is asked once."""
        if not self.distinct:
            return np.zeros(len(self), bool)
        return np.array([holds(text) for text in self.distinct], bool)[self.codes]

    def cell(self, row: int) -> str:
        return self.distinct[self.codes[row]]

    def cells(self) -> list[str]:
        return [self.distinct[code] for code in self.codes.tolist()]

    def take(self, rows: np.ndarray) -> Texts:
        return Texts(self.codes[rows], self.distinct, self.categorical).compact()

    def compact(self) -> Texts:
        """The same with the distinct texts that rows have, in the order of their first row."""
        used, first = np.unique(self.codes, return_index=True)
        used = used[np.argsort(first)]
        if len(used) == len(self.distinct) and (used == np.arange(len(used))).all():
            return self
        place = np.zeros(len(self.distinct), np.int32)
        place[used] = np.arange(len(used), dtype=np.int32)
        return Texts(place[self.codes], [self.distinct[code] for code in used.tolist()], self.categorical)


class Booleans(Column):
    """True and False, of a frame or a spreadsheet; a CSV file has texts there.

    Args:
        values: bool, shape (rows,).
        absent: bool, shape (rows,): which cells have no value; by default none.

    Example:
        >>> Booleans([True, False], [False, True]).cells()
        ['true', '']
    """

    def __init__(self, values: ArrayLike, absent: ArrayLike | None = None) -> None:
        self.values = np.asarray(values, bool)
        self.absent = np.zeros(len(self.values), bool) if absent is None else np.asarray(absent, bool)

    def __len__(self) -> int:
        return len(self.values)

    def missing(self, marks: Collection[str] = MISSING) -> np.ndarray:
        return self.absent

    def cell(self, row: int) -> str:
        return "" if self.absent[row] else "true" if self.values[row] else "false"

    def take(self, rows: np.ndarray) -> Booleans:
        return Booleans(self.values[rows], self.absent[rows])


class Dates(Column):
    """Dates and times, of a frame, a spreadsheet or a database file; a CSV file has texts there.

    Args:
        values: datetime64[us], shape (rows,); NaT where a value is missing. Times with a zone are in UTC.
        zone: the zone that the times had before they were turned to UTC; None where they had none.

    Example:
        >>> Dates(np.array(["2024-05-01", "NaT"], "datetime64[us]")).cells()
        ['2024-05-01', '']
    """

    def __init__(self, values: ArrayLike, zone: str | None = None) -> None:
        self.values = np.asarray(values, "datetime64[us]")
        self.zone = zone

    def __len__(self) -> int:
        return len(self.values)

    def missing(self, marks: Collection[str] = MISSING) -> np.ndarray:
        return np.isnat(self.values)

    def cell(self, row: int) -> str:
        value = self.values[row]
        if np.isnat(value):
            return ""
        is_day = value == value.astype("datetime64[D]")
        text = str(value.astype("datetime64[D]") if is_day else value).replace("T", " ").removesuffix(".000000")
        return text if self.zone is None or is_day else f"{text} UTC"

    def take(self, rows: np.ndarray) -> Dates:
        return Dates(self.values[rows], self.zone)


class Lines:
    """The line of the file on which each row of a table begins, in the memory that its irregularities need.

    Args:
        first: the line of the first row, counted from 1.
        jumps: (row, line) of each row whose line does not follow that of the row before.
        word: what a line is called: "line" of a text, "row" of a spreadsheet or a frame.

    Example:
        >>> lines = Lines(2, [(3, 9)])
        >>> [lines[row] for row in range(5)]
        [2, 3, 4, 9, 10]
    """

    def __init__(self, first: int = 2, jumps: Iterable[tuple[int, int]] = (), word: str = "line") -> None:
        self.jumps = [(0, first), *jumps]
        self.word = word

    @classmethod
    def of(cls, lines: Sequence[int]) -> Lines:
        """The same lines as a list of them."""
        numbers = np.asarray(lines, np.int64)
        (places,) = np.nonzero(np.diff(numbers) != 1)
        return cls(int(numbers[0]) if len(numbers) else 2, [(int(at) + 1, int(numbers[at + 1])) for at in places])

    def __getitem__(self, row: int) -> int:
        begun, line = self.jumps[bisect.bisect_right(self.jumps, (row, float("inf"))) - 1]
        return line + row - begun

    def of_row(self, row: int) -> str:
        """What messages call a row: "line 7", or "row 3 (counted from 0)" of a frame."""
        return f"{self.word} {self[row]}{' (counted from 0)' if self.jumps[0][1] == 0 else ''}"


class Table:
    """Named columns of one length.

    Args:
        columns: column name -> a `Column`, or its cells: texts, numbers, True and False, dates, None where a value is
            missing (see `column_of_values`). Texts become `Numbers` where all of them are numbers, as in a CSV file.
        lines: the line of the file on which each row begins, counted from 1; by default as in a file with a header.
        source: what error messages call the table.
        missing: texts that stand for a missing value, in lower case.
        sha256: of the bytes that the table was read from, in hexadecimal; empty where it was made otherwise.
        notes: what was made of the source, a sentence each, for the user to read: columns that were left out, say.

        typed: whether the source says what is a number and what a text: a CSV file does not.

    Attributes:
        read_as: the options of `read_table` by which it was read; for JSON.
        piped: the bytes that it was read from, where they cannot be had again; a training keeps them until it is over.
        points_are_clear: whether columns in which points may stand between thousands are texts and not numbers.

    Raises:
        ValueError: columns of different lengths. TableError: cells of another kind.

    Example:
        >>> table = Table({"dose": ["1", "2"], "colour": ["red", "blue"]})
        >>> table.names, len(table)
        (['dose', 'colour'], 2)
        >>> table.column("dose").values.tolist(), table.column("colour").distinct
        ([1.0, 2.0], ['red', 'blue'])
    """

    def __init__(
        self,
        columns: Mapping[str, Column | Sequence[Any]],
        lines: Sequence[int] | Lines | None = None,
        source: str = "the table",
        missing: Collection[str] = MISSING,
        sha256: str = "",
        notes: Iterable[str] = (),
        typed: bool = True,
    ) -> None:
        lengths = {name: len(cells) for name, cells in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of a table must have one length, got {lengths}")
        self.source = source
        self.missing = missing
        self.sha256 = sha256
        self.notes = list(notes)
        self.typed = typed
        self.read_as: dict[str, Any] = {}
        self.piped: bytes | None = None
        self.points_are_clear = False
        self.lines = lines if isinstance(lines, Lines) else Lines() if lines is None else Lines.of(lines)
        self._rows = max(lengths.values(), default=0)
        self.columns: dict[str, Column] = {
            name: cells if isinstance(cells, Column) else column_of_values(cells, missing, self._at_in(name))
            for name, cells in columns.items()
        }

    @property
    def names(self) -> list[str]:
        """The column names in the order of the file."""
        return list(self.columns)

    def __len__(self) -> int:
        return self._rows

    def __repr__(self) -> str:
        return (
            f"Table of {len(self)} rows: {', '.join(f'{name} {_KINDS[type(c)]}' for name, c in self.columns.items())}"
        )

    def column(self, name: str) -> Column:
        """One column.

        Raises:
            TableError: no such column; the nearest names are suggested.

        Example:
            >>> Table({"target": ["1"]}).column("taget")
            Traceback (most recent call last):
                ...
            tinygrad_lr.data.columns.TableError: the table: no column 'taget'; did you mean 'target'? It has target
        """
        if name not in self.columns:
            alike = near(name, self.names, alike=0.5)
            shown = [f"""{each!r} (in a list of names: '"{each}"')""" if "," in each else repr(each) for each in alike]
            hint = f"did you mean {' or '.join(shown)}? It" if alike else "it"
            raise TableError(f"{self.source}: no column {name!r}; {hint} has {some(self.names)}")
        return self.columns[name]

    def take(self, rows: np.ndarray) -> Table:
        """A table of these rows, in this order; an error in it still names the line of the file."""
        chosen = np.arange(len(self))[rows]
        lines = Lines.of([self.lines[row] for row in chosen.tolist()])
        lines.word = self.lines.word
        columns = {name: column.take(chosen) for name, column in self.columns.items()}
        taken = Table(columns, lines, self.source, self.missing, self.sha256, self.notes, self.typed)
        taken.points_are_clear = self.points_are_clear
        return taken

    def missing_in(self, name: str) -> np.ndarray:
        """Which cells of a column have no value, bool, shape (rows,)."""
        return self.column(name).missing(self.missing)

    def numbers(self, name: str) -> np.ndarray:
        """One column as float64 numbers, shape (rows,); 0 and 1 for False and True.

        Raises:
            TableError: no such column, or a cell that is missing, infinite or no number.

        Example:
            >>> Table({"dose": ["1", "2.5"]}).numbers("dose").tolist()
            [1.0, 2.5]
        """
        column = self.column(name)
        self.refuse_missing(name)
        if isinstance(column, Dates):
            raise TableError(f"{self.source}: column {name!r} has dates, where numbers are needed")
        if isinstance(column, Texts):
            (wrong,) = np.nonzero(~column.where(is_number))
            if len(wrong):
                cell = column.cell(int(wrong[0]))
                raise self.at(int(wrong[0]), name, f"{cell!r} is not a number{_decimal_comma(cell)}")
            values = np.array(list(map(float, column.distinct)), np.float64)[column.codes]
        else:
            values = column.values.astype(np.float64, copy=False)  # type: ignore[attr-defined]
        (wrong,) = np.nonzero(~np.isfinite(values))
        if len(wrong):
            what = f"{column.cell(int(wrong[0]))!r} is not finite; leave out the row or write a finite number"
            raise self.at(int(wrong[0]), name, what)
        return values

    def refuse_missing(self, name: str) -> None:
        """Raise a TableError at the first missing value of a column."""
        (rows,) = np.nonzero(self.missing_in(name))
        if len(rows):
            cell = self.columns[name].cell(int(rows[0]))
            shown = f"{cell!r}" if cell else "an empty cell"
            more = f" ({len(rows)} in this column)" if len(rows) > 1 else ""
            last = f"ignore the column, or keep {cell!r} as a text (--keep-na)" if cell else "or ignore the column"
            what = f"missing value, {shown}{more}; fill it in, leave out the row, {last}"
            raise self.at(int(rows[0]), name, what)

    def _at_in(self, name: str) -> Callable[[int, str], TableError]:
        return lambda row, what: self.at(row, name, what)

    def at(self, row: int, name: str, what: str) -> TableError:
        """The error to raise for a row, counted from 0, and a column of the table.

        Example:
            >>> print(Table({"dose": ["1"]}, source="doses.csv").at(0, "dose", "too much"))
            doses.csv, line 2, column 'dose': too much
        """
        return TableError(f"{self.source}, {self.lines.of_row(row)}, column {name!r}: {_shortened(what)}")


_KINDS: dict[type, str] = {Numbers: "numbers", Texts: "texts", Booleans: "booleans", Dates: "dates"}


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number (underscores, which Python allows, are no part of one)."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def is_plain_number(cell: str) -> bool:
    """Whether a cell is a number as programs write it: neither a code such as 00501 nor 1,000, 1_000 or NaN.

    Example:
        >>> [is_plain_number(cell) for cell in ("0.5", "-1e-3", "inf", "007", "1,5", "nan")]
        [True, True, True, False, False, False]
    """
    return PLAIN.fullmatch(cell) is not None


def number_text(value: float) -> str:
    """A number as people write it: 7 for 7.0; empty for NaN.

    Example:
        >>> number_text(7.0), number_text(0.1), number_text(float("nan"))
        ('7', '0.1', '')
    """
    if value != value:
        return ""
    return str(int(value)) if value == value // 1 and abs(value) < 1e16 else repr(value)


def column_of_texts(cells: Iterable[str], missing: Collection[str] = MISSING) -> Numbers | Texts:
    """The column of cells as a CSV file has them: `Numbers` where every cell that is not missing is a plain number.

    Example:
        >>> column_of_texts(["1", "NA", " 2.5"]).values.tolist(), column_of_texts(["007", "1"]).distinct
        ([1.0, nan, 2.5], ['007', '1'])
    """
    texts = Texts.of(cells)
    absent = [text.lower() in missing for text in texts.distinct]
    if all(absent) or not all(gone or is_plain_number(text) for text, gone in zip(texts.distinct, absent, strict=True)):
        return texts
    numbers = np.array(
        [np.nan if gone else float(text) for text, gone in zip(texts.distinct, absent, strict=True)], np.float64
    )
    (special,) = np.nonzero(~np.isfinite(numbers)[texts.codes])
    return Numbers(numbers[texts.codes], (special, texts.take(special)))


def column_of_values(
    values: Sequence[Any],
    missing: Collection[str] = MISSING,
    at: Callable[[int, str], TableError] | None = None,
    numbers_are_texts: bool = False,
) -> Column:
    """The column of these values; times and durations are taken in hours, as those in the texts of a file are.

    Numbers or dates among texts are taken as the texts that a file would have. Texts that stand for a missing value are
    none.

    Args:
        missing: these texts, in lower case.
        at: makes the error to raise of a row and of what is wrong.
        numbers_are_texts: whether all become texts: of a column of categories.

    Raises:
        TableError: values of another kind, or kinds that do not go together.

    Example:
        >>> column_of_values([1, None, 2.5]).values.tolist(), column_of_values(["a", 7]).cells()
        ([1.0, nan, 2.5], ['a', '7'])
    """
    at = at or (lambda row, what: TableError(f"row {row} (counted from 0): {what}"))
    kind_of: dict[type, str] = {}
    kinds = []
    for row, value in enumerate(values):
        kind = kind_of.get(type(value))
        if kind is None:
            kind = kind_of[type(value)] = _kind(value, row, at)
        if (
            kind == NUMBER
            and not math.isfinite(_float(value, row, at))
            and value != value
            or kind == DATE
            and _is_nat(value)
        ):
            kind = ABSENT
        kinds.append(kind)
    found = set(kinds) - {ABSENT}
    if found == {TEXT} or numbers_are_texts or not found:
        texts = [_text(value, kind) for value, kind in zip(values, kinds, strict=True)]
        return Texts.of(texts) if numbers_are_texts else column_of_texts(texts, missing)
    if TEXT in found:  # those that stand for a missing value are no texts
        marks = [kind == TEXT and value.strip().lower() in missing for value, kind in zip(values, kinds, strict=True)]
        if found != {TEXT, NUMBER} and all(mark or kind != TEXT for mark, kind in zip(marks, kinds, strict=True)):
            kinds = [ABSENT if mark else kind for mark, kind in zip(marks, kinds, strict=True)]
            found = found - {TEXT}
    if len(found) == 1:
        return _of_one_kind(values, kinds, found.pop(), at)
    if found <= {TEXT, NUMBER, DATE}:
        return column_of_texts([_text(value, kind) for value, kind in zip(values, kinds, strict=True)], missing)
    first = {kind: kinds.index(kind) for kind in sorted(found)}
    shown = " and ".join(f"{values[row]!r:.40} (row {row})" for row in first.values())
    raise at(max(first.values()), f"values of different kinds in one column: {shown}; make them one kind, or all texts")


def _kind(value: Any, row: int, at: Callable[[int, str], TableError]) -> str:
    if type(value).__name__ in ("NAType", "NaTType"):  # of pandas
        return ABSENT
    for kind, name in _KIND_OF.items():
        if isinstance(value, kind):
            return name
    what = "a cell holds one number, text, True or False, date or time"
    raise at(row, f"{what}, got {type(value).__name__}: {value!r:.60}")


def _float(value: Any, row: int, at: Callable[[int, str], TableError]) -> float:
    try:
        return float(value)
    except (OverflowError, ValueError) as error:
        raise at(row, f"a number beyond float64 ({error}); leave out the row, or write the column as text") from error


def _is_nat(value: Any) -> bool:
    return isinstance(value, np.datetime64) and bool(np.isnat(value))


def _text(value: Any, kind: str) -> str:
    if kind == ABSENT:
        return ""
    if kind == NUMBER:
        return str(value) if isinstance(value, int) else number_text(float(value))
    if kind == DATE:
        return Dates([_instant(value)]).cell(0)
    return str(value).lower() if kind == BOOLEAN else str(value)


def _of_one_kind(values: Sequence[Any], kinds: list[str], kind: str, at: Callable[[int, str], TableError]) -> Column:
    there = [each == kind for each in kinds]
    if kind == NUMBER:
        return Numbers([_float(value, row, at) if there[row] else math.nan for row, value in enumerate(values)])
    if kind == BOOLEAN:
        return Booleans([bool(value) if there[row] else False for row, value in enumerate(values)], ~np.array(there))
    if kind == HOURS:
        return Numbers([_hours(value) if there[row] else math.nan for row, value in enumerate(values)])
    zones = {getattr(value, "tzinfo", None) is not None for value, here in zip(values, there, strict=True) if here}
    if len(zones) > 1:
        raise at(
            there.index(True), "times with and without a time zone in one column; give all of them a zone, or none"
        )
    zone = (
        next((str(value.tzinfo) for value, here in zip(values, there, strict=True) if here), None)
        if True in zones
        else None
    )
    instants = [_instant(value) if there[row] else np.datetime64("NaT", "us") for row, value in enumerate(values)]
    return Dates(np.array(instants, "datetime64[us]"), zone)


def _instant(value: Any) -> np.datetime64:
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]")
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    return np.datetime64(value, "us")


def hours(durations: Any) -> Any:
    """Durations of NumPy in hours, float64; NaT is NaN.

    Example:
        >>> hours(np.array([5400, "NaT"], "timedelta64[s]")).tolist()
        [1.5, nan]
    """
    return durations.astype("timedelta64[us]") / np.timedelta64(1, "h")


def _hours(value: Any) -> float:
    if isinstance(value, datetime.time):  # the same operations as for texts, so that the bits are the same
        return value.hour + value.minute / 60 + (value.second + value.microsecond / 1e6) / 3600
    if isinstance(value, np.timedelta64):
        return float(hours(value))
    return float(value.total_seconds()) / 3600


def rounded(columns: Mapping[str, Column]) -> list[str]:
    """What is to be said of columns of whole numbers of which float64 does not know each."""

    def beyond(column: Column) -> bool:
        if not isinstance(column, Numbers) or not len(column):
            return False
        if max(column.values.max(), -column.values.min()) < EXACT:
            return False
        sizes = np.abs(column.values[np.isfinite(column.values)])
        return bool((sizes >= EXACT).any() and (sizes % 1 == 0).all())

    return [
        f"column {name!r} has whole numbers beyond 2**53, which are rounded: where they are names of something, have "
        "them as texts, or ignore the column"
        for name, column in columns.items()
        if beyond(column)
    ]


def _decimal_comma(cell: str) -> str:
    return "; write decimals with a point" if is_number(cell.replace(",", ".", 1)) else ""


def some(names: Sequence[str], most: int = 40) -> str:
    """Names with commas between, of many the first ones.

    Example:
        >>> some(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


_LONG = re.compile(r"(['\"])([^'\"]{60})[^'\"]{60,}\1")


def _shortened(what: str) -> str:
    """A message without the most of a quoted cell that is very long."""
    return _LONG.sub(lambda found: f"{found[1]}{found[2]}...{found[1]} ({len(found[0]) - 2:,} characters)", what)
