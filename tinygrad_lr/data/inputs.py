"""What a column of a table becomes as inputs of a model: `learn` looks at the training rows and decides.

Numbers and dates are standardised, true and false are 1 and 0, categories become one-hot columns. A missing value
becomes the mean of the training rows, and an indicator says where it was. Each kind of input is a class with its JSON
form and its line for the user. Next: targets.py, encoding.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np

from .cells import Cells
from .columns import EXACT
from .learnt import Learnt
from .standardising import LOST, Standardiser, lost_in_float32, standardised

__all__ = [
    "INPUTS",
    "BooleanInput",
    "CategoryInput",
    "DateInput",
    "Input",
    "LeftOut",
    "NumberInput",
    "Report",
    "ZeroInput",
    "brief",
    "learn",
    "read_input",
]

Writer = Callable[[slice, np.ndarray], None]
Rows = np.ndarray | slice  # numbers of rows; a slice of all of them copies nothing

SHORT = 30  # characters of all categories of a column, up to which they are listed
FEW_ROWS = 10  # with fewer values, a column whose values all differ is no identifier
FEW_KINDS = 20  # more different texts than this, in more than half of the rows, are names and not categories
MOST_KINDS = 100  # that become a column each; the rarer ones share one
MOST_DECLARED = 1_000  # the same, of a column that was declared categorical


@dataclass
class Report:
    """What an encoder found in a table that its training rows did not have.

    Attributes:
        rows: the rows of the table.
        unseen: column -> category without a weight -> its rows.
        imputed: column -> how many values were missing.
    """

    rows: int = 0
    unseen: dict[str, dict[str, int]] = field(default_factory=dict)
    imputed: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """What to say of it; empty where there is nothing to say.

        Example:
            >>> str(Report(9, {"colour": {"pink": 2, "teal": 1}}, {"age": 3}))
            "3 cells of unseen categories (colour: 'pink' 2, 'teal' 1); 3 missing values (age 3)"
        """
        said = []
        if self.unseen:
            count = sum(sum(kinds.values()) for kinds in self.unseen.values())
            which = [
                f"{name}: " + _some([f"{kind!r} {rows}" for kind, rows in kinds.items()], 3)
                for name, kinds in self.unseen.items()
            ]
            said.append(f"{count:,} cell{'s' * (count > 1)} of unseen categories ({_some(which, 3, '; ')})")
        if self.imputed:
            count = sum(self.imputed.values())
            which = [f"{name} {rows}" for name, rows in self.imputed.items()]
            said.append(f"{count:,} missing value{'s' * (count > 1)} ({_some(which, 5)})")
        return "; ".join(said)


@dataclass(frozen=True)
class Input:
    """A column of the table as columns of the model's inputs.

    Attributes:
        name: of the column.
        missing: how many cells of the table had no value.
        indicator: whether the training rows had missing values, so that the last of its columns says where they are.
        words: what was recognised in its texts.
    """

    kind: ClassVar[str]
    name: str
    missing: int = 0
    indicator: bool = False
    words: tuple[str, ...] = ()

    @property
    def features(self) -> list[str]:
        """A name for each of its columns."""
        return self._features() + [f"{self.name} missing"] * self.indicator

    @property
    def scales(self) -> list[tuple[float, float]]:
        """The mean and the deviation of each of its columns: a value is feature * deviation + mean."""
        return self._scales() + [(0.0, 1.0)] * self.indicator

    @property
    def unit(self) -> str:
        """What its numbers were written in."""
        return ""

    @property
    def zoned(self) -> bool:
        """Whether its dates had a time zone."""
        return False

    def writer(self, cells: Cells, report: Report) -> Writer:
        """A function that fills its columns for a slice of the rows; they hold zeros.

        Args:
            cells: of the column, in a table of any number of rows.
            report: takes what the training rows did not have.
        """
        count = int(cells.missing.sum())
        if count:
            report.imputed[self.name] = count
        write = self._writer(cells, report) if cells.kind != "empty" else self._of_nothing()

        def fill(rows: slice, out: np.ndarray) -> None:
            write(rows, out)
            if self.indicator:
                out[:, -1] = cells.missing[rows]

        return fill

    def describe(self) -> str:
        """What became of the column, in words."""
        said = [self._describe(), *self.words]
        if self.missing:
            said.append(f"{self.missing:,} missing -> {self._imputed(self.indicator)}")
        return ", ".join(filter(None, said))

    def to_json(self) -> dict[str, Any]:
        """What was learnt, as plain lists, numbers and texts."""
        return {"kind": self.kind, **_plain(asdict(self))}

    @classmethod
    def read(cls, learnt: Learnt) -> dict[str, Any]:
        """The attributes that a kind of input has beyond those of all kinds, out of its JSON form."""
        raise NotImplementedError

    def _features(self) -> list[str]:
        raise NotImplementedError

    def _scales(self) -> list[tuple[float, float]]:
        return [(0.0, 1.0)] * len(self._features())

    def _writer(self, cells: Cells, report: Report) -> Writer:
        raise NotImplementedError

    def _of_nothing(self) -> Writer:
        """The same for a column without any value: standardised means and categories are zeros."""
        return _nothing

    def _describe(self) -> str:
        raise NotImplementedError

    def _imputed(self, indicator: bool) -> str:
        return "mean + indicator" if indicator else "mean"


@dataclass(frozen=True)
class NumberInput(Input):
    """A column of numbers, standardised.

    Example:
        >>> values = np.array([1.0, np.nan, 3.0])
        >>> made = learn("dose", Cells("number", np.isnan(values), values), np.arange(3))
        >>> made.features, made.describe()
        (['dose', 'dose missing'], 'number, mean 2, 1 missing -> mean + indicator')
    """

    kind = "number"
    mean: float = 0.0
    deviation: float = 1.0
    varies: bool = True
    written_in: str = ""

    @property
    def unit(self) -> str:
        return self.written_in

    @classmethod
    def read(cls, learnt: Learnt) -> dict[str, Any]:
        return {
            "mean": learnt.number("mean"),
            "deviation": learnt.positive("deviation"),
            "varies": learnt.flag("varies"),
            "written_in": learnt.text("written_in"),
        }

    def _features(self) -> list[str]:
        return [self.name] * self.varies

    def _scales(self) -> list[tuple[float, float]]:
        return [(self.mean, self.deviation)] * self.varies

    def _writer(self, cells: Cells, report: Report) -> Writer:
        def write(rows: slice, out: np.ndarray) -> None:
            if self.varies:
                out[:, 0] = _standard(cells.values[rows], self.mean, self.deviation, cells.missing[rows])

        return write

    def _describe(self) -> str:
        return f"number, mean {brief(self.mean)}" if self.varies else f"number, always {brief(self.mean)}"

    def _imputed(self, indicator: bool) -> str:
        return super()._imputed(indicator) if self.varies else "indicator"


@dataclass(frozen=True)
class BooleanInput(Input):
    """A column of true and false: 1 and 0."""

    kind = "boolean"
    share: float = 0.5  # of true among the training rows
    varies: bool = True

    @classmethod
    def read(cls, learnt: Learnt) -> dict[str, Any]:
        return {"share": learnt.number("share"), "varies": learnt.flag("varies")}

    def _features(self) -> list[str]:
        return [self.name] * self.varies

    def _writer(self, cells: Cells, report: Report) -> Writer:
        def write(rows: slice, out: np.ndarray) -> None:
            if self.varies:
                out[:, 0] = np.where(cells.missing[rows], self.share, cells.values[rows])

        return write

    def _of_nothing(self) -> Writer:
        def write(rows: slice, out: np.ndarray) -> None:
            if self.varies:
                out[:, 0] = self.share

        return write

    def _describe(self) -> str:
        return f"boolean, {100 * self.share:.3g} % true"

    def _imputed(self, indicator: bool) -> str:
        return super()._imputed(indicator) if self.varies else "indicator"


@dataclass(frozen=True)
class CategoryInput(Input):
    """A column of categories: a column of 0 and 1 for each, in sorted order.

    Attributes:
        kinds: the categories of the training rows.
        rare: those that share a column, where there are very many.
        numeric: whether they are numbers, so that 7 and 7.0 are one.
        unseen: those that only other rows of the table have; they have no weight.
    """

    kind = "text"
    kinds: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    numeric: bool = False
    unseen: tuple[str, ...] = ()

    @classmethod
    def read(cls, learnt: Learnt) -> dict[str, Any]:
        found: dict[str, Any] = {part: learnt.kinds(part) for part in ("kinds", "rare", "unseen")}
        if len({kind for kinds in found.values() for kind in kinds}) < sum(map(len, found.values())):
            raise ValueError(f"a category of {learnt.what} is there twice")
        return {**found, "numeric": learnt.flag("numeric")}

    def _features(self) -> list[str]:
        return [f"{self.name}={kind}" for kind in self.kinds] + [f"{self.name} other"] * bool(self.rare)

    def _writer(self, cells: Cells, report: Report) -> Writer:
        key = _same_number if self.numeric else str
        place = {key(kind): number for number, kind in enumerate(self.kinds)}
        place.update((key(kind), len(self.kinds)) for kind in self.rare)
        of_text = np.array([place.get(key(text), -1) for text in cells.texts] + [-1])
        if (of_text[:-1] < 0).any():
            counts = np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.texts))
            unseen = (int(each) for each in np.nonzero(of_text[:-1] < 0)[0])
            report.unseen[self.name] = {cells.texts[code]: int(counts[code]) for code in unseen}

        def write(rows: slice, out: np.ndarray) -> None:
            column = of_text[cells.codes[rows]]
            (there,) = np.nonzero(column >= 0)
            out[there, column[there]] = 1

        return write

    def _describe(self) -> str:
        count = len(self.kinds) + len(self.rare)
        said = f"category, {count:,} kind{'s' * (count > 1)}"
        if not self.rare and sum(map(len, self.kinds)) <= SHORT:
            said += f" ({', '.join(self.kinds)})"
        if self.rare:
            said += f", of which the {len(self.rare):,} rarest share an input"
        if self.unseen:
            said += f", {len(self.unseen):,} more only outside the training rows"
        return said

    def _imputed(self, indicator: bool) -> str:
        return "a kind of its own" if indicator else "none of the kinds"


@dataclass(frozen=True)
class DateInput(Input):
    """A column of dates: days since the first of the training rows and, where they vary, year, month, weekday, hour.

    Attributes:
        first, last: of the training rows, as texts.
        parts: name -> mean and deviation.
        with_zone: whether they had a time zone; they are in UTC then.

    Example:
        >>> days = np.array(["2024-05-01", "2024-06-03"], "datetime64[us]")
        >>> learn("day", Cells("date", np.isnat(days), days), np.arange(2)).describe()
        'date -> 3 numbers: days, month, weekday; 2024-05-01 to 2024-06-03'
    """

    kind = "date"
    first: str = ""
    last: str = ""
    parts: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    with_zone: bool = False

    @property
    def zoned(self) -> bool:
        return self.with_zone

    @classmethod
    def read(cls, learnt: Learnt) -> dict[str, Any]:
        parts = Learnt(learnt.found.get("parts"), f"'parts' of {learnt.what}")
        found = {}
        for part in parts.found:
            scale = parts.numbers(part)
            if part not in PARTS or len(scale) != 2 or scale[1] <= 0:
                raise parts.refuse(part, f"a mean and a positive deviation of {', '.join(PARTS)}")
            found[part] = (scale[0], scale[1])
        dates = {name: learnt.text(name) for name in ("first", "last")}
        for name, date in dates.items():
            if not re.fullmatch("[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])", date):
                raise learnt.refuse(name, "a date")
        return {**dates, "parts": found, "with_zone": learnt.flag("with_zone")}

    def _features(self) -> list[str]:
        return [f"{self.name} {part}" for part in self.parts]

    def _scales(self) -> list[tuple[float, float]]:
        return list(self.parts.values())

    def _writer(self, cells: Cells, report: Report) -> Writer:
        def write(rows: slice, out: np.ndarray) -> None:
            for place, (part, (mean, deviation)) in enumerate(self.parts.items()):
                values = part_of_date(part, cells.values[rows], self.first)
                out[:, place] = _standard(values, mean, deviation, cells.missing[rows])

        return write

    def _describe(self) -> str:
        count = len(self.parts)
        names = f"date -> {count} number{'s' * (count > 1)}: {', '.join(self.parts)}" if count else "date"
        return f"{names}; {self.first} to {self.last}" if self.first != self.last else f"{names}, always {self.first}"


@dataclass(frozen=True)
class ZeroInput(Input):
    """An input that is 0 in every row, as runs of version 1 have it for a column that never varied."""

    kind = "zero"
    known_as: str = ""

    @classmethod
    def read(cls, learnt: Learnt) -> dict[str, Any]:
        return {"known_as": learnt.text("known_as")}

    def _features(self) -> list[str]:
        return [self.known_as or self.name]

    def writer(self, cells: Cells, report: Report) -> Writer:
        return _nothing

    def _describe(self) -> str:
        return "never varied: no effect"


@dataclass(frozen=True)
class LeftOut(Input):
    """A column that is no input of the model, and why.

    Attributes:
        constant: whether that is because it never varied in the training rows.
    """

    kind = "left out"
    why: str = ""
    constant: bool = False

    @classmethod
    def read(cls, learnt: Learnt) -> dict[str, Any]:
        return {"why": learnt.text("why"), "constant": learnt.flag("constant")}

    def _features(self) -> list[str]:
        return []

    def writer(self, cells: Cells, report: Report) -> Writer:
        return _nothing

    def describe(self) -> str:
        return f"left out: {self.why}"


INPUTS: dict[str, type[Input]] = {
    made.kind: made for made in (NumberInput, BooleanInput, CategoryInput, DateInput, ZeroInput, LeftOut)
}


def read_input(found: Any) -> Input:
    """The input that `to_json` described, made again.

    Raises:
        ValueError: something is absent or has another form.

    Example:
        >>> made = NumberInput("dose", mean=2.5)
        >>> read_input(made.to_json()) == made
        True
    """
    learnt = Learnt(found, "an input")
    learnt.what = f"the input {learnt.text('name', 1)!r:.60}"
    made = INPUTS[learnt.choice("kind", tuple(INPUTS))]
    common = (learnt.text("name"), learnt.count("missing"), learnt.flag("indicator"), learnt.texts("words"))
    return made(*common, **made.read(learnt))


# --- learning ---------------------------------------------------------------------------------------------------------


def learn(name: str, cells: Cells, rows: Rows, *, categorical: bool = False, numeric: bool = False) -> Input:
    """What a column becomes.

    Args:
        cells: of all rows of the table. Whether a column identifies rows depends on all of them.
        rows: the training rows, of which means, deviations and categories are taken: their numbers, or a slice.
        categorical: keep all its categories, although there are as many as rows.
        numeric: keep its numbers, although they look like the rows' numbers.
    """
    absent = cells.missing[rows]
    if cells.kind == "empty" or absent.all():
        return LeftOut(name, why="no values" if cells.kind == "empty" else "no values in the training rows")
    if why := None if numeric else _identifier(name, cells, categorical):
        return LeftOut(name, why=why)
    common = {"name": name, "missing": int(cells.missing.sum()), "indicator": bool(absent.any())}
    there = np.arange(len(cells))[rows][~absent] if absent.any() else rows
    made = _LEARN[cells.kind](cells, there, {**common, "words": tuple(cells.words)}, categorical)
    if made.features:
        return made
    return LeftOut(name, why=f"{_always(cells, there)} in all training rows", constant=True)


def _identifier(name: str, cells: Cells, categorical: bool) -> str | None:
    """Why a column is taken for the names of the rows, or None."""
    there = ~cells.missing
    count = int(there.sum())
    if count < FEW_ROWS or categorical:
        return None
    if cells.kind == "text":
        kinds, besides = len(cells.texts), "".join(f", {word}" for word in cells.words)
        if kinds == count:
            return f"as many kinds as {'rows' if count == len(cells) else 'values'}{besides}"
        return f"{kinds:,} kinds in {count:,} rows{besides}" if kinds > max(FEW_KINDS, count / 2) else None
    if cells.kind != "number" or not _ID.search(name.strip()) or count < len(cells):
        return None
    values = cells.values
    is_whole = bool((values == np.floor(values)).all())
    return "as many kinds as rows" if is_whole and len(np.unique(values)) == count else None


# Names that people give to a column that numbers or identifies the rows: id, customer_id, customerId, index, Lfd. Nr.
_ID = re.compile(
    r"(?i:(?:^|[\s_.-])(?:ids?|key|uuid|guid|nr\.?|no\.?)$)|[a-z]I[Dd]$"
    r"|(?i:^(?:index|idx|rows?|rownames?|row[ _.]?(?:id|number)|obs|observation|unnamed: ?\d+)$)"
)


def _always(cells: Cells, rows: Rows) -> str:
    if cells.kind == "text":
        return f"always {cells.texts[cells.codes[rows][0]]!r:.40}"
    if cells.kind == "number":
        value = float(cells.values[rows][0])
        if abs(value) >= EXACT:
            return f"always about {value:g} (rounded, beyond 2**53)"
        return f"always {value:g}"
    if cells.kind == "date":
        return f"always {str(cells.values[rows][0]).removesuffix('.000000').removesuffix('T00:00:00')}"
    return f"always {bool(cells.values[rows][0])}".lower()


def _number(cells: Cells, rows: Rows, common: dict[str, Any], _: bool) -> Input:
    values = cells.values[rows][:, None]
    scale = Standardiser.fit(values)
    varies = not bool(scale.constant[0])
    if lost_in_float32(values, scale)[0]:
        common = {**common, "words": (*common["words"], LOST)}
    return NumberInput(
        **common, mean=float(scale.mean[0]), deviation=float(scale.deviation[0]), varies=varies, written_in=cells.unit
    )


def _boolean(cells: Cells, rows: Rows, common: dict[str, Any], _: bool) -> Input:
    share = float(np.mean(cells.values[rows]))
    return BooleanInput(**common, share=share, varies=0 < share < 1)


def _category(cells: Cells, rows: Rows, common: dict[str, Any], declared: bool) -> Input:
    counts = np.bincount(cells.codes[rows], minlength=len(cells.texts)).tolist()
    seen = {text: count for text, count in zip(cells.texts, counts, strict=True) if count}
    order = _by_number if cells.numeric else str
    if len(seen) == 1 and not common["indicator"]:
        return CategoryInput(**common)
    most = MOST_DECLARED if declared else MOST_KINDS
    frequent = sorted(seen, key=lambda text: (-seen[text], text))[: most if len(seen) > most else None]
    kept = set(frequent)
    return CategoryInput(
        **common,
        kinds=tuple(sorted(frequent, key=order)),
        rare=tuple(sorted((text for text in seen if text not in kept), key=order)),
        numeric=cells.numeric,
        unseen=tuple(sorted((text for text in cells.texts if text not in seen), key=order)),
    )


def _date(cells: Cells, rows: Rows, common: dict[str, Any], _: bool) -> Input:
    dates = cells.values[rows]
    first, last = (str(each.astype("datetime64[D]")) for each in (dates.min(), dates.max()))
    parts = {}
    for part in PARTS:
        if part == "weekday" and _is_one(dates.astype("datetime64[D]") - dates.astype("datetime64[M]")):
            continue  # of monthly or yearly data, the weekday of the first of the month says nothing
        scale = Standardiser.fit(part_of_date(part, dates, first)[:, None])
        if not scale.constant[0]:
            parts[part] = (float(scale.mean[0]), float(scale.deviation[0]))
    return DateInput(**common, first=first, last=last, parts=parts, with_zone=cells.zoned)


_LEARN = {"number": _number, "boolean": _boolean, "text": _category, "date": _date}
PARTS = ("days", "year", "month", "weekday", "hour")


def part_of_date(part: str, dates: np.ndarray, first: str) -> np.ndarray:
    """A part of dates as float64 numbers: days since `first`, the year, the month (January is 1), the weekday (Monday
    is 0), the hour with its fraction. NaT gives some number.

    Example:
        >>> day = np.array(["2024-05-01T06:30"], "datetime64[us]")
        >>> [part_of_date(part, day, "2024-04-30").item() for part in PARTS]
        [1.2708333333333333, 2024.0, 5.0, 2.0, 6.5]
    """
    day = dates.astype("datetime64[D]")
    if part == "days":
        return (dates - np.datetime64(first, "us")) / np.timedelta64(1, "D")
    if part == "year":
        return dates.astype("datetime64[Y]").astype(np.int64) + 1970.0
    if part == "month":
        return dates.astype("datetime64[M]").astype(np.int64) % 12 + 1.0
    if part == "weekday":
        return (day.astype(np.int64) + 3) % 7 + 0.0
    return (dates - day) / np.timedelta64(1, "h")


def _standard(values: np.ndarray, mean: float, deviation: float, missing: np.ndarray) -> np.ndarray:
    """(values - mean) / deviation, and 0 where a value is missing."""
    standard = standardised(values, mean, deviation)
    if missing.any():
        standard[missing] = 0
    return standard


def brief(value: float) -> str:
    """A number in four digits or more, without an exponent where people write none.

    Example:
        >>> brief(48.51234), brief(502_923.4), brief(1.5e-7)
        ('48.51', '502923', '1.5e-07')
    """
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def _nothing(rows: slice, out: np.ndarray) -> None:
    """Writes nothing."""


def _is_one(values: np.ndarray) -> bool:
    return bool((values == values[0]).all())


def _plain(value: Any) -> Any:
    """The same with lists for tuples."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _same_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _by_number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return np.inf, text


def _some(parts: Sequence[str], most: int, between: str = ", ") -> str:
    return between.join(parts[:most]) + (f" and {len(parts) - most} more" if len(parts) > most else "")
