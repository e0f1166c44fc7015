"""`read_numbers` reads the numbers that people and spreadsheets write: 1.234,56 and 1,234.56, 12 %, $5, (3), −4.

All cells of a column must be written alike. What could mean two numbers (1,234) is decided by the rest of the column,
or by what is known of the table, or it is an error. Next: written_dates.py, recognition.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

__all__ = ["Ambiguous", "CellError", "WrittenNumbers", "looks_like_number", "read_numbers", "tidied"]


class CellError(ValueError):
    """A text of a column that does not fit the others.

    Attributes:
        index: its place in the list that was given.
        what: what is wrong with it, and what to write.
    """

    def __init__(self, index: int, what: str) -> None:
        super().__init__(what)
        self.index, self.what = index, what


class Ambiguous(CellError):
    """A text that can be read in two ways, in a column that does not say in which."""


@dataclass(frozen=True)
class WrittenNumbers:
    """Numbers that were read, and how they were written.

    Attributes:
        values: float64, one for each text.
        words: what was recognised besides plain numbers, such as ["decimal comma", "in €"].
        decimal: the decimal mark, "." or ","; None where no text shows it.
        unit: "%", a currency or another unit that all texts have; "" where they have none.
    """

    values: np.ndarray
    words: list[str]
    decimal: str | None
    unit: str


# --- characters -------------------------------------------------------------------------------------------------------

_TIDY = {
    **dict.fromkeys(map(ord, "\t\u00a0\u1680\u202f\u205f\u3000"), " "),
    **dict.fromkeys(range(0x2000, 0x200B), " "),
    **dict.fromkeys(map(ord, "\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d"), "-"),
    **dict.fromkeys(map(ord, "\u2019\u02bc\uff07"), "'"),
    **dict.fromkeys(map(ord, "\u200b\u200e\u200f\u2060\ufeff\u202a\u202c\u202d"), None),
    **{0xFF10 + digit: str(digit) for digit in range(10)},  # full-width digits
    **{0x0660 + digit: str(digit) for digit in range(10)},  # Arabic digits
    ord("\u066b"): ".",
    ord("\u066c"): ",",
    ord("\uff0e"): ".",
    ord("\uff0c"): ",",
    ord("\uff05"): "%",
}


_UNTIDY = re.compile(f"[{''.join(map(chr, _TIDY))}]")


def tidied(texts: Sequence[str]) -> list[str]:
    """The texts with one kind of space, minus, apostrophe and digit, and without invisible marks.

    Example:
        >>> tidied(["\\u22121\\u202f234", "1\\u2019000"])
        ['-1 234', "1'000"]
    """
    if not _UNTIDY.search("\n".join(texts)):
        return list(texts)
    return [text.translate(_TIDY).strip() if _UNTIDY.search(text) else text for text in texts]


# --- units ------------------------------------------------------------------------------------------------------------

_SIGNS = "$€£¥₹₽₩₺₴₦₫₪₱₡₲₵₸₼₾฿¢"
_CODES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR JPY KES KRW MAD MXN MYR NGN NOK "
    "NZD PEN PHP PKR PLN RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR US$ A$ AU$ C$ CA$ NZ$ HK$ S$ R$ MX$ "
    "Fr. SFr. Rs. Rs kr kr. Kč zł Ft lei RM руб. 元 円"
)
_CURRENCIES = [*_CODES.split(), *_SIGNS]
# Units that people write right after a number. Any other word is a unit where all cells have it after a space.
_UNITS = "%|‰|°|°C|°F|kg|g|mg|t|lb|lbs|oz|km|m|cm|mm|mi|ft|in|km/h|mph|l|ml|kWh|kW|W|V|A|h|hrs|min|s|ms|mm2|m2|m²|px|x"
_CURRENCY = "|".join(re.escape(each) for each in sorted(_CURRENCIES, key=len, reverse=True))
_UNIT = "|".join(sorted(_UNITS.split("|"), key=len, reverse=True))
_WORD = r"[^\W\d_]{2,15}\.?"

_BODY = r"[0-9](?:[0-9.,' ]*[0-9])?(?:[.,]-{0,2})?(?:[eE][-+]?[0-9]{1,4})?|[.,][0-9]+(?:[eE][-+]?[0-9]{1,4})?"
_PARTS = re.compile(
    rf"(?P<open>\()?(?:(?P<before>{_CURRENCY}) ?)?(?P<sign>[-+] ?)?(?:(?P<within>{_CURRENCY}) ?)?(?P<body>{_BODY})"
    rf"(?: ?(?P<after>{_CURRENCY}|{_UNIT})| (?P<word>{_WORD}))?(?P<minus>-)?(?P<close>\))?"
)


def _unit_of(text: str) -> str | None:
    """The unit of a number, "" where it has none; None where the text is no number."""
    found = _PARTS.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    units = [each for each in (found["before"], found["within"], found["after"], found["word"]) if each]
    return None if len(units) > 1 else "".join(units)


# --- patterns ---------------------------------------------------------------------------------------------------------

_POINT_AND_COMMA = (".", ",")
_WORDS = {".": "point", ",": "comma", "'": "apostrophe", " ": "space"}


def _body(decimal: str) -> str:
    """The pattern of a number without sign and unit. One that begins with 0 has no other digit before the mark.

    Prices may end in a mark and a dash: 5.- is 5.
    """
    mark, other = re.escape(decimal), re.escape("," if decimal == "." else ".")
    western = rf"[1-9][0-9]{{0,2}}(?:(?:{other}[0-9]{{3}})+|(?:'[0-9]{{3}})+|(?: [0-9]{{3}})+)"
    indian = rf"[1-9][0-9]?(?:{other}[0-9]{{2}})+{other}[0-9]{{3}}"
    return rf"(?:(?:{western}|{indian}|[1-9][0-9]*|0)(?:{mark}(?:[0-9]*|--?))?|{mark}[0-9]+)(?:[eE][-+]?[0-9]{{1,4}})?"


@cache
def _pattern(decimal: str, unit: str) -> re.Pattern[str]:
    """The numbers of a column that has a decimal mark and a unit. A zero may lack the unit."""
    body, sign, mark = _body(decimal), "(?:[-+] ?)?", re.escape(decimal)
    if unit:
        name = re.escape(unit)
        signed = rf"{name} ?{sign}{body}|{sign}{name} ?{body}|{sign}{body} ?{name}|[-+]?0(?:{mark}0*)?"
        plain = rf"{name} ?{body}|{body} ?{name}"
        minus = rf"{name} ?{body}(?<=[0-9])-|{body}(?<=[0-9])- ?{name}"
    else:
        signed, plain, minus = rf"{sign}{body}", body, rf"{body}(?<=[0-9])-"
    return re.compile(rf"{signed}|\((?:{plain})\)|{minus}")


_EITHER = re.compile(r"[-+( ]*[1-9][0-9]{0,2}[.,][0-9]{3}[-) ]*")  # with one mark that may stand between thousands


# --- reading ----------------------------------------------------------------------------------------------------------


def read_numbers(texts: Sequence[str], decimal: str | None = None, likely: str | None = None) -> WrittenNumbers | None:
    """The numbers that a column's texts mean, or None where not all of them are numbers that are written alike.

    Args:
        texts: the different texts of a column; no missing ones, and at least one.
        decimal: the decimal mark, "." or ",", where the user said so; a text with the other one is no number then.
        likely: the decimal mark of the rest of the table. It decides where the column does not.

    Raises:
        Ambiguous: a mark that could be the decimal one or between thousands, and nothing that says which, or so few
            cells that they may be mistakes.
        CellError: a number beyond float64, or two marks between thousands in one column.

    Example:
        >>> found = read_numbers(["1.234,50 €", "-7 €"])
        >>> found.values.tolist(), found.words
        ([1234.5, -7.0], ['decimal comma', 'thousands point', 'in €'])
        >>> read_numbers(["12%", "7%"]).values.tolist()
        [12.0, 7.0]
        >>> read_numbers(["1,234", "5,678"])
        Traceback (most recent call last):
            ...
        tinygrad_lr.data.written_numbers.Ambiguous: '1,234' can mean 1234 or 1.234
        >>> read_numbers(["1,234", "5,678"], likely=".").values.tolist()
        [1234.0, 5678.0]
    """
    tidy = tidied(texts)
    unit = next((found for found in map(_unit_of, tidy[:50]) if found), _unit_of(tidy[0]))
    if unit is None:
        return None
    marks = _POINT_AND_COMMA if decimal is None else (decimal,)
    forms = forms_of(tidy) if not any(map(str.isdigit, unit)) else tidy
    fitting = [mark for mark in marks if all(map(_pattern(mark, unit).fullmatch, forms))]
    if not fitting:
        return None
    whole = _without_unit("\n".join(tidy), unit)  # all at once: no number has a line end in it
    bare = whole.split("\n")
    if len(fitting) == 2 and ("." in whole or "," in whole):
        chosen = _evidence(bare) or likely
        if chosen is None:
            index = next(place for place, text in enumerate(bare) if "." in text or "," in text)
            raise Ambiguous(index, f"{texts[index]!r} can mean {_both(bare[index])}")
    else:
        chosen = fitting[0]
        if decimal is None and likely != chosen and (doubt := _doubt(texts, bare, chosen)) is not None:
            raise doubt
    between = _thousands(bare, texts, whole, chosen)
    values = np.fromiter(map(float, _plain(whole, chosen, between)), np.float64, len(bare))
    if not np.isfinite(values).all():
        index = int(np.argmin(np.isfinite(values)))
        raise CellError(index, f"{texts[index]!r} is not finite; leave out the row or write a finite number")
    shown = chosen if chosen in whole or between in _POINT_AND_COMMA else None
    return WrittenNumbers(values, _in_words(texts, whole, chosen, between, unit), shown, unit)


_ABOVE_0 = bytes.maketrans(b"12345678", b"99999999")


def forms_of(texts: Sequence[str]) -> Collection[str]:
    """The texts with 9 for each digit above 0, each once: few of many. The patterns of numbers do not tell these apart.

    Example:
        >>> sorted(forms_of(["1,204", "3,506", "7"]))
        ['9', '9,909']
    """
    whole = "\n".join(texts)
    if whole.count("\n") != len(texts) - 1:
        return texts
    return set(whole.encode("utf-8", "surrogatepass").translate(_ABOVE_0).decode("utf-8", "surrogatepass").split("\n"))


def _without_unit(whole: str, unit: str) -> str:
    """Numbers, a line each, without the unit that they have."""
    if not unit:
        return whole
    whole = whole.replace(unit, "").replace("( ", "(").replace(" )", ")")
    return whole.replace(" \n", "\n").replace("\n ", "\n").strip(" ")


def _evidence(bare: list[str]) -> str | None:
    """The decimal mark of numbers that fit both, such as 1,234; None where nothing tells.

    A column that writes 1,230 writes decimals to three places or thousands, and one that also writes 45 does not write
    three decimals: of three numbers or more, that is taken as thousands.
    """
    marked = [text for text in bare if "." in text or "," in text]
    used = {mark for mark in _POINT_AND_COMMA if any(mark in text for text in marked)}
    if len(used) == 1 and len(marked) >= 3 and any(re.search(r"0\)?(?: ?-)?$", text) for text in marked):
        others = [text.strip("()+- ") for text in bare if "." not in text and "," not in text]
        if all(len(text) <= 3 and text.isdigit() for text in others) and any(text != "0" for text in others):
            return "," if used == {"."} else "."
    return None


FEW = 30  # numbers such as 1,234 for each one such as 1,23, from which on that one may be a mistake


def _doubt(texts: Sequence[str], bare: list[str], decimal: str) -> Ambiguous | None:
    """The error for a column of which few cells say that a mark is the decimal one, as 1,23 among many like 1,234.

    A cell such as 0,5 or 1.234,5 says so by itself: no thousands are written like that.
    """
    mark = re.escape(decimal)
    weak = re.compile(rf"[-+( ]*[1-9][0-9]{{0,2}}{mark}[0-9]*[-) ]*")
    forms = [form for form in forms_of(bare) if decimal in form]
    if not all(_EITHER.fullmatch(form) or weak.fullmatch(form) for form in forms):
        return None
    marked = [place for place, text in enumerate(bare) if decimal in text]
    both = [place for place in marked if _EITHER.fullmatch(bare[place])]
    rest = sorted(set(marked).difference(both))
    if not both or len(rest) * FEW > len(both) or not all(weak.fullmatch(bare[place]) for place in rest):
        return None
    what = f"{texts[rest[0]]!r} has a decimal {_WORDS[decimal]}, by mistake perhaps: {texts[both[0]]!r}"
    return Ambiguous(rest[0], f"{what} and {len(both) - 1} others can mean {_both(bare[both[0]])}")


def _both(text: str) -> str:
    """The two numbers that 1,234 can mean."""
    plain = text.strip("()+- ").replace(",", ".")
    return f"{plain.replace('.', '', 1)} or {plain}"


def _thousands(bare: list[str], texts: Sequence[str], whole: str, decimal: str) -> str:
    """The mark between thousands, "" where there is none."""
    other = "," if decimal == "." else "."
    found = [mark for mark in (other, "'") if mark in whole]
    if re.search(r"[0-9] [0-9]", whole):
        found.append(" ")
    if len(found) > 1:
        second = next(i for i, text in enumerate(bare) if re.search(rf"[0-9]{re.escape(found[1])}[0-9]", text))
        raise CellError(
            second,
            f"{texts[second]!r} has a thousands {_WORDS[found[1]]} where other cells have a thousands "
            f"{_WORDS[found[0]]}; write them alike",
        )
    return "".join(found)


def _plain(whole: str, decimal: str, between: str) -> list[str]:
    """Numbers, a line each, as Python reads them."""
    if between:
        whole = whole.replace(between, "")
    if decimal == ",":
        whole = whole.replace(",", ".")
    if ".-" in whole:
        whole = re.sub(r"\.--?", "", whole)
    if "(" in whole:
        whole = re.sub(r"^\((.*)\)$", r"-\1", whole, flags=re.MULTILINE)
    if re.search("-$", whole, re.MULTILINE):
        whole = re.sub("^(.*)-$", r"-\1", whole, flags=re.MULTILINE)
    return whole.replace(" ", "").split("\n")


def _in_words(texts: Sequence[str], whole: str, decimal: str, between: str, unit: str) -> list[str]:
    words = []
    if decimal == "," and "," in whole:
        words.append("decimal comma")
    if between:
        words.append(f"thousands {_WORDS[between]}")
    if unit:
        words.append({"%": "in percent", "‰": "per mille"}.get(unit, f"in {unit}"))
    if "(" in whole:
        words.append("(5) is -5")
    if re.search("[0-9]-$", whole, re.MULTILINE):
        words.append("5- is -5")
    if "\u2212" in "\n".join(texts):
        words.append("minus sign U+2212")
    return words


# --- what keeps a column from being numbers ---------------------------------------------------------------------------


def looks_like_number(text: str) -> bool:
    """Whether a tidied text is a number in some way of writing, with or without a known unit.

    Example:
        >>> [looks_like_number(text) for text in ("1.234,5 €", "12 apples", "12 kg", "007", "A4")]
        [True, False, True, False, False]
    """
    if not any(map(str.isdigit, text[:8])):
        return False
    unit = _unit_of(text)
    if unit is None or (unit and re.fullmatch(_WORD, unit) and not re.fullmatch(f"{_CURRENCY}|{_UNIT}", unit)):
        return False
    return any(_pattern(mark, unit).fullmatch(text) for mark in _POINT_AND_COMMA)


def disagreement(texts: Sequence[str], decimal: str | None = None) -> CellError | None:
    """Why texts that are all numbers are not numbers written alike: the first that differs from the first.

    Example:
        >>> disagreement(["1,5", "2.5"]).what
        "'2.5' has a decimal point, and '1,5' a decimal comma; write both alike"
    """
    tidy = tidied(texts)
    units = [_unit_of(text) for text in tidy]
    usual = Counter(unit for unit in units if unit is not None).most_common(1)[0][0]
    for index, (text, unit) in enumerate(zip(tidy, units, strict=True)):
        is_zero = not unit and not text.strip("-+0., ")
        if unit is not None and unit != usual and not is_zero:
            has = f"is in {unit}" if unit else "has no unit"
            other = texts[units.index(usual)]
            whose = f"is in {usual}" if usual else "has none"
            return CellError(index, f"{texts[index]!r} {has}, and {other!r} {whose}; write all in one unit")
    if decimal is not None:
        pattern = _pattern(decimal, usual)
        index = next(i for i, text in enumerate(tidy) if not pattern.fullmatch(text))
        what = f"{texts[index]!r} is not a number with a decimal {_WORDS[decimal]}"
        return CellError(index, f"{what}; correct it, or say --decimal {'.' if decimal == ',' else ','}")
    only = {mark: [bool(_pattern(mark, usual).fullmatch(text)) for text in tidy] for mark in _POINT_AND_COMMA}
    first = {mark: [i for i, fits in enumerate(only[mark]) if not fits] for mark in _POINT_AND_COMMA}
    if not first["."] or not first[","]:
        return None
    comma, point = first["."][0], first[","][0]
    if comma > point:
        what = f"{texts[comma]!r} has a decimal comma, and {texts[point]!r} a decimal point; write both alike"
    else:
        what = f"{texts[point]!r} has a decimal point, and {texts[comma]!r} a decimal comma; write both alike"
    return CellError(max(comma, point), what)
