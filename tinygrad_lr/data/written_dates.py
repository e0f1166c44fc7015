"""`read_dates` reads the dates that people and programs write: ISO, 31.12.2020, 12/31/2020, 3 May 2020, 2020-05.

All cells of a column must have one form. Whether 03/04/2020 is in March or in April is decided by the rest of the
column, or by what is known of the table, or it is an error. Times with a zone are turned to UTC. Next: recognition.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .written_numbers import Ambiguous, CellError, tidied

__all__ = ["WrittenDates", "looks_like_date", "read_dates", "read_hours"]


@dataclass(frozen=True)
class WrittenDates:
    """Dates that were read, and how they were written.

    Attributes:
        values: datetime64[us], one for each text.
        words: what was recognised, such as ["d/m/y", "turned to UTC"].
        order: "d/m/y" or "m/d/y" where the texts have one of these forms and show which; else None.
    """

    values: np.ndarray
    words: list[str]
    order: str | None


# --- forms ------------------------------------------------------------------------------------------------------------

# English and German names, by their first letters.
_NAMES = [
    "jan jän january januar jänner",
    "feb february februar",
    "mar mär mrz march märz",
    "apr april",
    "may mai",
    "jun june juni",
    "jul july juli",
    "aug august",
    "sep sept september",
    "oct okt october oktober",
    "nov november",
    "dec dez december dezember",
]
_MONTHS = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
_MONTH = rf"(?P<name>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_WEEKDAY = r"(?:(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun|mo|di|mi|do|fr|sa|so)[a-z]{0,7}\.?,? )?"
_YEAR = r"(?P<y>[0-9]{4}|[0-9]{2})"
_ZONE = r"(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?|[A-Z]{2,5}(?:[+-][0-9]{1,2}(?::?[0-9]{2})?)?)(?: ?\[[\w/+-]+\])?"
_TIME = (
    r"(?:(?:T|,? )(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?)?"
    rf"(?: ?(?P<half>[ap])\.?m\.?)?(?: ?{_ZONE})?)?"
)

# What messages call a form -> its pattern. Groups: y, m or name or q, d; a and b where the order is open.
_FORMS = {
    "y-m-d": r"(?P<y>[0-9]{4})(?P<s>[-/.])(?P<m>[0-9]{1,2})(?P=s)(?P<d>[0-9]{1,2})" + _TIME,
    "d.m.y": rf"(?P<d>[0-9]{{1,2}})\. ?(?P<m>[0-9]{{1,2}})\. ?{_YEAR}" + _TIME,
    "day and month": rf"(?P<a>[0-9]{{1,2}})(?P<s>[-/])(?P<b>[0-9]{{1,2}})(?P=s){_YEAR}" + _TIME,
    "day, month's name, year": rf"{_WEEKDAY}(?P<d>[0-9]{{1,2}})(?:\.|st|nd|rd|th)?[ -]?{_MONTH},?[ -]?{_YEAR}" + _TIME,
    "month's name, day, year": rf"{_WEEKDAY}{_MONTH} (?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?,? (?P<y>[0-9]{{4}})" + _TIME,
    "y-m": r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})",
    "yMm": r"(?P<y>[0-9]{4})M(?P<m>[0-9]{2})",
    "month's name, year": rf"{_MONTH}[ -](?P<y>[0-9]{{4}})",
    "year, month's name": rf"(?P<y>[0-9]{{4}})[ -]?{_MONTH}",
    "year, quarter": r"(?P<y>[0-9]{4})[ -]?Q(?P<q>[1-4])",
    "quarter, year": r"Q(?P<q>[1-4])[ /-]?(?P<y>[0-9]{4})",
}
_MAY_BE = re.compile(  # of the first characters, to tell sooner that a text is no date
    r"[0-9]{1,4}(?:[-/. ]|[a-zä]{3}|M[0-9]{2}$|Q[1-4]$)|Q[1-4][ /-]?[0-9]"
    rf"|{_WEEKDAY}[0-9]|{_WEEKDAY}{_MONTH}[ -]",
    re.IGNORECASE,
)
_PATTERNS = {form: re.compile(pattern, re.IGNORECASE) for form, pattern in _FORMS.items()}
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?")
_UTC = ("Z", "UTC", "GMT")


def looks_like_date(text: str) -> bool:
    """Whether a tidied text has the form of a date that exists.

    Example:
        >>> [looks_like_date(text) for text in ("2020-02-29", "31.12.99", "May 3, 2020", "2020-02-30", "1/2")]
        [True, True, True, False, False]
    """
    if not _MAY_BE.match(text):
        return False
    try:
        return read_dates([text], order="d/m/y") is not None
    except CellError:
        try:
            return read_dates([text], order="m/d/y") is not None
        except CellError:
            return False


def read_dates(texts: Sequence[str], order: str | None = None, likely: str | None = None) -> WrittenDates | None:
    """The dates that a column's texts mean, or None where not all of them have one form of date.

    Args:
        texts: the different texts of a column; no missing ones, and at least one.
        order: "d/m/y" or "m/d/y", where the user said so.
        likely: the same of the rest of the table. It decides where the column does not.

    Raises:
        Ambiguous: days and months that could be swapped in all cells, and nothing that says which is which.
        CellError: a day that does not exist, a time zone without a known offset, times with and without a zone, or
            years of two digits of which the century is unclear.

    Example:
        >>> read_dates(["31.12.2020", "1.2.2021"]).values.astype("datetime64[D]").astype(str).tolist()
        ['2020-12-31', '2021-02-01']
        >>> found = read_dates(["12/31/2020", "1/2/2021"])
        >>> found.values[1].astype("datetime64[D]").astype(str).item(), found.words
        ('2021-01-02', ['m/d/y'])
        >>> read_dates(["2020-01-01 12:00+02:00"]).values.astype(str).tolist()
        ['2020-01-01T10:00:00.000000']
        >>> read_dates(["1/2/2021"])
        Traceback (most recent call last):
            ...
        tinygrad_lr.data.written_numbers.Ambiguous: '1/2/2021' can mean 2021-02-01 or 2021-01-02
    """
    tidy = tidied(texts)
    for form, pattern in _PATTERNS.items():
        if not pattern.fullmatch(tidy[0]):
            continue
        alike = _alike(tidy) if "q" not in pattern.groupindex else [np.array([row]) for row in range(len(tidy))]
        if form == "y-m-d" and all(_ISO.fullmatch(tidy[rows[0]]) for rows in alike):
            return WrittenDates(_iso(texts, tidy), [], None)
        matches = [pattern.fullmatch(tidy[rows[0]]) for rows in alike]
        if None not in matches and not (form == "y-m" and _are_seasons(tidy)):
            fields = _Fields(tidy, list(zip(matches, alike, strict=True)))  # type: ignore[arg-type]
            return _read(texts, form, fields, order, likely)
    return None


def _iso(texts: Sequence[str], tidy: list[str]) -> np.ndarray:
    """The same as `_read` gives, sooner, of texts that NumPy reads."""
    try:
        return np.array(tidy, "datetime64[us]")
    except ValueError:
        index = next(i for i, text in enumerate(tidy) if not _exists(text))
        raise _no_such_day(texts, index) from None


def _exists(day: str) -> bool:
    try:
        np.datetime64(day, "us")
    except ValueError:
        return False
    return True


def _are_seasons(texts: list[str]) -> bool:
    """Whether texts such as 2009-10 are seasons and not months: the second year follows the first in all."""
    return all(int(text[5:]) == (int(text[2:4]) + 1) % 100 for text in texts)


_DIGITS = bytes.maketrans(b"123456789", b"000000000")


def _alike(texts: list[str]) -> list[np.ndarray]:
    """The rows of texts that differ in their digits only, those of row 0 first: patterns without q take all or none."""
    whole = "\n".join(texts).encode("utf-8", "surrogatepass").translate(_DIGITS)
    if whole.count(b"\n") != len(texts) - 1:
        return [np.array([row]) for row in range(len(texts))]
    forms = whole.split(b"\n")
    place = {form: number for number, form in enumerate(dict.fromkeys(forms))}
    codes = np.fromiter(map(place.__getitem__, forms), np.int64, len(forms))
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.nonzero(np.diff(codes[order]))[0] + 1)


class _Fields:
    """The parts of texts that a pattern found.

    Args:
        texts: as they were matched.
        found: a match of the first of some rows, and these rows, whose texts differ in their digits only.
    """

    def __init__(self, texts: list[str], found: list[tuple[re.Match[str], np.ndarray]]) -> None:
        self._texts, self._found = texts, found
        self.first = found[0][0]
        self._characters = [
            np.array([texts[row] for row in rows.tolist()]).view(np.uint32).reshape(len(rows), -1) for _, rows in found
        ]

    def __contains__(self, part: str) -> bool:
        return part in self.first.re.groupindex

    def length(self, part: str) -> np.ndarray:
        """How many characters it has in each text, 0 where it is absent."""
        lengths = np.zeros(len(self._texts), np.int64)
        for match, rows in self._found:
            lengths[rows] = match.end(part) - match.start(part)
        return lengths

    def number(self, part: str, most: int = 9) -> np.ndarray:
        """The number that its first digits are, int64, 0 where it is absent."""
        numbers = np.zeros(len(self._texts), np.int64)
        for (match, rows), characters in zip(self._found, self._characters, strict=True):
            start, end = match.span(part)
            number = np.zeros(len(rows), np.int64)
            for place in range(max(start, 0), min(end, start + most)):
                number = 10 * number + characters[:, place] - 48
            numbers[rows] = number
        return numbers

    def text(self, part: str) -> list[str | None]:
        """It in each text; None where it is absent."""
        found: list[str | None] = [None] * len(self._texts)
        for match, rows in self._found:
            start, end = match.span(part)
            for row in rows.tolist() if start >= 0 else ():
                found[row] = self._texts[row][start:end]
        return found


def _read(texts: Sequence[str], form: str, fields: _Fields, order: str | None, likely: str | None) -> WrittenDates:
    words, shown = [form] if form != "y-m-d" else [], None
    year = _years(texts, fields, words)
    day = np.ones(len(texts), np.int64)
    if "name" in fields:
        month = np.array([_MONTHS[str(name).lower()] for name in fields.text("name")])
    elif "q" in fields:
        month = 3 * fields.number("q") - 2
    elif "m" in fields:
        month = fields.number("m")
    if "d" in fields:
        day = fields.number("d")
    if "a" in fields:
        first, second = fields.number("a"), fields.number("b")
        shown = _order(texts, first, second)
        chosen = order or shown or likely or ("d/m/y" if (first == second).all() else None)
        if chosen is None:
            place = int(np.argmax(first != second))  # 1/1/2020 is the same in both
            one, other = first[place], second[place]
            dates = " or ".join(f"{year[place]}-{m:02}-{d:02}" for m, d in ((other, one), (one, other)))
            raise Ambiguous(place, f"{texts[place]!r} can mean {dates}")
        day, month = (first, second) if chosen == "d/m/y" else (second, first)
        words[0] = chosen.replace("/", str(fields.first["s"]))
    values = _days(texts, year, month, day)
    if "hour" in fields and fields.length("hour").any():
        values = values + _times(texts, fields, words)
    return WrittenDates(values.astype("datetime64[us]"), words, shown)


def _years(texts: Sequence[str], fields: _Fields, words: list[str]) -> np.ndarray:
    """The years. Of two digits, 00 to 29 are 20.., 70 to 99 are 19..; programs differ on those between."""
    years, short = fields.number("y"), fields.length("y") == 2
    if short.any():
        unclear = short & (years > 29) & (years < 70)
        if unclear.any():
            index = int(np.argmax(unclear))
            raise CellError(index, f"{texts[index]!r}: the century is unclear; write years with four digits")
        years = years + np.where(short, np.where(years < 30, 2000, 1900), 0)
        words.append("years 00 to 29 are 20.., 70 to 99 are 19..")
    return years


def _order(texts: Sequence[str], first: np.ndarray, second: np.ndarray) -> str | None:
    """Which of two columns holds the days, where one has a number above 12; None where neither has."""
    day_first, month_first = first > 12, second > 12
    if day_first.any() and month_first.any():
        one, other = int(np.argmax(day_first)), int(np.argmax(month_first))
        what = f"{texts[one]!r} has no month in second place, and {texts[other]!r} none in first; write dates alike"
        raise CellError(max(one, other), what)
    return "d/m/y" if day_first.any() else "m/d/y" if month_first.any() else None


def _days(texts: Sequence[str], year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    good = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (year >= 1)
    start = (np.where(good, year, 1970) - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (
        np.where(good, month, 1) - 1
    )
    days = start.astype("datetime64[D]") + (np.where(good, day, 1) - 1)
    good &= days.astype("datetime64[M]") == start
    if not good.all():
        raise _no_such_day(texts, int(np.argmin(good)))
    return days.astype("datetime64[us]")


def _no_such_day(texts: Sequence[str], index: int) -> CellError:
    return CellError(index, f"{texts[index]!r} has the form of a date, and there is no such day or time; correct it")


def _times(texts: Sequence[str], fields: _Fields, words: list[str]) -> np.ndarray:
    """The times of day less the zones' offsets, timedelta64[us]. A date without a time begins at midnight."""
    hour, minute, second = (fields.number(part) for part in ("hour", "minute", "second"))
    half = np.full(len(texts), "")
    if fields.length("half").any():
        half = np.array([(each or "").lower() for each in fields.text("half")])
    wrong = (minute > 59) | (second > 59) | (hour > 23) | ((half != "") & ((hour < 1) | (hour > 12)))
    if wrong.any():
        index = int(np.argmax(wrong))
        raise CellError(index, f"{texts[index]!r} has the form of a time, and there is no such time; correct it")
    hour = np.where(half == "", hour, hour % 12 + 12 * (half == "p"))
    part = fields.number("part", most=6) * 10 ** (6 - np.minimum(fields.length("part"), 6))
    zoned = fields.length("zone") > 0
    lacking = ~zoned & (fields.length("hour") > 0)
    if lacking.any() and zoned.any():
        index, having = int(np.argmax(lacking)), int(np.argmax(zoned))
        what = f"{texts[index]!r} has no time zone, and {texts[having]!r} has one; write all with one, or all without"
        raise CellError(index, what)
    offset = np.zeros(len(texts), np.int64)
    if zoned.any():
        zones = fields.text("zone")
        known = {zone: _offset(zone) for zone in set(zones) if zone is not None}
        for index, zone in enumerate(zones):
            if zone is not None and known[zone] is None:
                what = f"{texts[index]!r}: the offset of the time zone {zone} is not known; write it, such as +01:00"
                raise CellError(index, what)
        offset = np.array([0 if zone is None else known[zone] or 0 for zone in zones])
        words.append("turned to UTC" if offset.any() else "UTC")
    seconds = hour * 3600 + (minute - offset) * 60 + second
    return (seconds * 1_000_000 + part).astype("timedelta64[us]")


def _offset(zone: str) -> int | None:
    """The minutes that a zone's clock is ahead of UTC; None for a zone of which only the name is given."""
    found = re.fullmatch(r"(?:UTC|GMT)?(?:([+-])([0-9]{1,2}):?([0-9]{2})?)?", zone.upper())
    if zone.upper() in _UTC:
        return 0
    if found is None or found[1] is None or int(found[2]) > 14 or int(found[3] or 0) > 59:
        return None
    return (-1 if found[1] == "-" else 1) * (60 * int(found[2]) + int(found[3] or 0))


_HOURS = re.compile(r"([0-9]{1,3}):([0-5][0-9])(?::([0-5][0-9](?:[.,][0-9]{1,6})?))?(?: ?([apAP])\.?[mM]\.?)?")


def read_hours(texts: Sequence[str]) -> np.ndarray | None:
    """Times without a date in hours, float64, or None where not all texts are times.

    Example:
        >>> read_hours(["12:30", "8:15:36"]).tolist(), read_hours(["12:30 am"]).tolist()
        ([12.5, 8.26], [0.5])
    """
    matches = list(map(_HOURS.fullmatch, tidied(texts)))
    if None in matches:
        return None
    found = []
    for hour, minute, second, half in (match.groups() for match in matches if match):
        whole = int(hour)
        if half:
            if not 1 <= whole <= 12:
                return None
            whole = whole % 12 + 12 * (half in "pP")
        found.append(whole + int(minute) / 60 + float((second or "0").replace(",", ".")) / 3600)
    return np.array(found, np.float64)
