"""`recognise` says what the texts of a column are: numbers, true and false, dates, or texts; all cells must agree.

written_numbers.py and written_dates.py read them. A column of numbers with a few other texts is an error that shows the
first of these. Next: encoding.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .written_dates import looks_like_date, read_dates, read_hours
from .written_numbers import Ambiguous, CellError, disagreement, looks_like_number, read_numbers, tidied

__all__ = ["TRUE_OR_FALSE", "Ambiguous", "CellError", "Conventions", "Mixture", "Recognised", "recognise"]

# The words for false and true that a column may have, in lower case.
PAIRS = [
    ("false", "true"),
    ("no", "yes"),
    ("f", "t"),
    ("n", "y"),
    ("off", "on"),
    ("nein", "ja"),
    ("falsch", "wahr"),
    ("faux", "vrai"),
    ("non", "oui"),
    ("no", "sí"),
    ("no", "si"),
]
TRUE_OR_FALSE = {word: truth for pair in PAIRS for word, truth in zip(pair, (False, True), strict=True)}
MOST_SPELLINGS = 16  # of two words, in small and large letters
# A column of numbers with faults has few different other texts. One with these many has codes, such as numbers of
# tickets or houses, of which some are numbers.
MANY, SOME = 10, 0.25
FEW = 0.1  # of the texts: with fewer numbers, a column of texts is no column of numbers with faults


@dataclass(frozen=True)
class Conventions:
    """How a table is written, where one of its columns alone does not say.

    Attributes:
        decimal: the decimal mark that the user named, "." or ",".
        dates: the order of dates that the user named, "d/m/y" or "m/d/y".
        likely_decimal, likely_dates: the same, of other columns of the table or of the training table.
    """

    decimal: str | None = None
    dates: str | None = None
    likely_decimal: str | None = None
    likely_dates: str | None = None


@dataclass(frozen=True)
class Recognised:
    """What the texts of a column are.

    Attributes:
        kind: "number", "boolean", "date" or "text".
        values: one for each text: float64, bool or datetime64[us]; empty where the kind is "text".
        words: what was recognised beyond the kind, such as ["decimal comma"].
        decimal, dates: the table's conventions that the texts show, or None.
        unit: "%", a currency or another unit of numbers; "" where they have none.
    """

    kind: str
    values: np.ndarray
    words: list[str] = field(default_factory=list)
    decimal: str | None = None
    dates: str | None = None
    unit: str = ""


class Mixture(CellError):
    """A text in a column whose other texts are numbers or dates."""


def recognise(
    texts: Sequence[str], conventions: Conventions | None = None, counts: Sequence[int] | np.ndarray | None = None
) -> Recognised:
    """What the different texts of a column are.

    Args:
        texts: stripped texts, each once; no missing ones, and at least one.
        counts: how many cells have each text, for messages; by default one.

    Raises:
        Ambiguous: numbers or dates that can be read in two ways; the conventions say in which.
        Mixture: a tenth of the texts or more are numbers or dates, few are not, and this is one of these.
        CellError: numbers or dates that are written in different ways, or that do not exist.

    Example:
        >>> found = recognise(["1,5", "2"])
        >>> found.kind, found.values.tolist(), found.words
        ('number', [1.5, 2.0], ['decimal comma'])
        >>> recognise(["yes", "No"]).values.tolist(), recognise(["red", "blue"]).kind
        ([True, False], 'text')
        >>> recognise(["00501", "10001"]).words
        ['codes with leading zeros']
        >>> recognise(["1", "2", "ten"])
        Traceback (most recent call last):
            ...
        tinygrad_lr.data.recognition.Mixture: 'ten' is not a number, but 2 other cells of the column are
    """
    conventions = Conventions() if conventions is None else conventions
    tidy = tidied(texts)
    if all(map(_DIGITS, tidy)) and any(map(_LEADING_ZERO, tidy)):
        return Recognised("text", np.zeros(0), ["codes with leading zeros"])
    numbers = read_numbers(texts, conventions.decimal, conventions.likely_decimal)
    if numbers is not None:
        return Recognised("number", numbers.values, numbers.words, decimal=numbers.decimal, unit=numbers.unit)
    lower = {text.lower() for text in tidy} if len(tidy) <= MOST_SPELLINGS else set()
    for false, true in PAIRS:
        if lower == {false, true}:
            return Recognised("boolean", np.array([text.lower() == true for text in tidy]), [f"{false} is 0, {true} 1"])
    dates = read_dates(texts, conventions.dates, conventions.likely_dates)
    if dates is not None:
        return Recognised("date", dates.values, dates.words, dates=dates.order)
    hours = read_hours(texts)
    if hours is not None:
        return Recognised("number", hours, ["time in hours"], unit="hours")
    return _as_texts(texts, tidy, conventions, np.ones(len(tidy), int) if counts is None else np.asarray(counts))


_DIGITS = re.compile("[0-9]+").fullmatch
_LEADING_ZERO = re.compile("0[0-9]+").fullmatch


def _as_texts(texts: Sequence[str], tidy: list[str], conventions: Conventions, counts: np.ndarray) -> Recognised:
    """Texts, unless too many of them are numbers or dates."""
    for kind, is_one in (("number", looks_like_number), ("date", looks_like_date)):
        are = np.array([is_one(text) for text in tidy])
        if are.all():
            found = disagreement(texts, conventions.decimal) if kind == "number" else None
            if found is not None:
                raise found
            index = next((i for i, text in enumerate(tidy) if read_dates([tidy[0], text], "d/m/y") is None), 0)
            what = f"{texts[index]!r} and {texts[0]!r} are {kind}s that are written differently; write them alike"
            raise CellError(index, what)
        others_count = len(tidy) - are.sum()
        if are.sum() >= FEW * len(tidy) and (others_count < MANY or others_count < SOME * len(tidy)):
            index, cells = int(np.argmin(are)), int(counts[are].sum())
            others = f"{cells:,} other cell{'s' if cells > 1 else ''} of the column {'are' if cells > 1 else 'is'}"
            raise Mixture(index, f"{texts[index]!r} is not a {kind}, but {others}{_hint(tidy[index])}")
        if are.any():
            return Recognised("text", np.zeros(0), [f"{are.sum():,} of {len(tidy):,} kinds look like {kind}s"])
    return Recognised("text", np.zeros(0))


def _hint(text: str) -> str:
    if re.fullmatch("[-+]?0[0-9]+(?:[.,][0-9]+)?", text):
        return " (a number has no leading zeros)"
    if re.fullmatch("[0-9]+(?:_[0-9]+)+", text):
        return " (digits are written without underscores)"
    return ""
