"""How far apart two values are, in words and numbers: in the last bit, in size, finite against NaN. Next: text.py."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

INTERVAL = re.compile(r"between (\S+) and (\S+)")
AT_MOST = re.compile(r"at (most|least) (\S+)")
LAST_BIT, SIZE, NOT_FINITE, WORDS = "last bit", "size", "not finite", "words"
UNITS = 2.0  # in the last place, up to which a difference is one "in the last bit"


class Difference(NamedTuple):
    """What kind of difference it is, and how large."""

    kind: str
    """LAST_BIT: at most two units in the last place; SIZE: two finite numbers; NOT_FINITE: one of them is infinite or
    NaN; WORDS: something else than numbers."""
    relative: float | None
    """|actual - expected| over the larger of both, from 0 to 2, for finite numbers."""


def number(text: Any) -> float | None:
    """The number that a value or a text is; None: none.

    Example:
        >>> number("np.float32(0.5)"), number("0.5"), number("an error")
        (0.5, 0.5, None)
    """
    if isinstance(text, (int, float, np.number)) and not isinstance(text, bool):
        return float(text)
    found = re.fullmatch(r"(?:np\.\w+\()?([-+.\w]+?)\)?", str(text).strip())
    try:
        return float(found.group(1)) if found else None
    except ValueError:
        return None


def ends_of(expected: Any) -> tuple[float, float] | None:
    """The interval that an expectation allows: a number alone, "between a and b", "at most a"; None: no numbers.

    Example:
        >>> ends_of("between 0.5 and 0.75"), ends_of("at most 3"), ends_of("7"), ends_of("a number")
        ((0.5, 0.75), (-inf, 3.0), (7.0, 7.0), None)
    """
    text = str(expected).strip()
    if pair := INTERVAL.fullmatch(text):
        low, high = map(number, pair.groups())
    elif side := AT_MOST.fullmatch(text):
        limit = number(side.group(2))
        low, high = (-math.inf, limit) if side.group(1) == "most" else (limit, math.inf)
    else:
        low = high = number(text)
    return None if low is None or high is None else (low, high)


def difference(expected: Any, actual: Any, dtype: DTypeLike = "float64") -> Difference:
    """How the actual value differs from the expected one, a number or an interval.

    Example:
        >>> difference("between -0.11 and -0.1", "-0.2")
        Difference(kind='size', relative=0.45)
        >>> difference(1.0, np.nextafter(np.float32(1), np.float32(2)), "float32").kind
        'last bit'
    """
    ends, found = ends_of(expected), number(actual)
    if ends is None or found is None:
        return Difference(WORDS, None)
    nearest = min(max(found, ends[0]), ends[1]) if not math.isnan(found) else ends[0]
    if not (math.isfinite(nearest) and math.isfinite(found)):
        return Difference(NOT_FINITE, None)
    largest = max(abs(nearest), abs(found))
    relative = abs(found - nearest) / largest if largest else 0.0
    if np.dtype(dtype).kind != "f":
        return Difference(SIZE, relative)
    with np.errstate(all="ignore"):
        unit = float(np.spacing(np.asarray(abs(nearest), dtype)))
    return Difference(LAST_BIT if abs(found - nearest) <= UNITS * unit else SIZE, relative)


def simplest(low: float, high: float) -> str:
    """The number with the fewest digits in an interval.

    Example:
        >>> simplest(-0.0010000002, -0.00099999989), simplest(2.0, 2.0)
        ('-0.001', '2')
    """
    if math.isinf(low) or math.isinf(high):
        return repr(high if math.isinf(low) else low)
    middle = low + (high - low) / 2
    for digits in range(1, 18):
        text = f"{middle:.{digits}g}"
        if low <= float(text) <= high:
            return text
    return repr(middle)


def expectation(expected: str) -> str:
    """What was expected, as people write it: one number, and the interval around it.

    Example:
        >>> expectation("between -0.0010000002 and -0.0009999998"), expectation("an error")
        ('-0.001 (between -0.0010000002 and -0.0009999998)', 'an error')
    """
    ends = ends_of(expected)
    if ends is None or not INTERVAL.fullmatch(expected.strip()) or not all(map(math.isfinite, ends)):
        return expected
    return f"{simplest(*ends)} ({expected.strip()})" if ends[0] != ends[1] else simplest(*ends)


def in_words(kind: str, relative: float | None, ratio: float | None) -> str:
    """The size of a difference in a few words.

    Example:
        >>> in_words(SIZE, 0.256, 2.1e6), in_words(LAST_BIT, 6e-8, None)
        ('25.6 % off, 2.1e+06 times what rounding allows', 'differs in the last bit')
    """
    said = []
    if kind == LAST_BIT:
        said.append("differs in the last bit")
    elif relative is not None and kind == SIZE:
        percent = 100 * relative
        said.append(f"{percent:.3g} % off" if percent >= 1e-3 else f"{relative:.2g} of it off")
    if ratio is not None and math.isfinite(ratio) and ratio > 0:
        said.append(f"{ratio:.3g} times what rounding allows")
    return ", ".join(said)
