"""Half a cosine, (1 + cos(pi p)) / 2, by + - * / alone: right to its very end, and the same bits everywhere.

    (1 + cos(pi p)) / 2 = sin(pi q / 2)^2 with q = 1 - p,  and 1 - sin(pi p / 2)^2

`0.5 * (1 + cos(pi p))` has an absolute error of a rounding of 1, so that near p = 1, where the value goes to 0, no
digit is right; and the cosine is that of the platform's library. Here the one of p and q is taken that is at most 1/2.
Both come from whole numbers of steps, and no difference is rounded:

    sin(pi q / 2)^2 = pi^2/4 q^2 - pi^4/48 q^4 + ... = sum over k of (-1)^(k+1) pi^(2k) / (2 (2k)!) q^(2k)

The first term has nearly all of the value. It is taken as 5/2 of the square of q's upper 25 bits, which is exact, and
the rest is added, at most a quarter as large: its roundings count a quarter. With u = 2^-53, the square doubles the u
of q, the sum rounds once more, and the rest brings less than u: the value is within 4 u of the exact one. What the
series leaves out is below 2^-60 of it. Next: phases.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["half_cosine"]

FIRST = 2.5
# pi^2/4 less FIRST, and pi^(2k) / (2 (2k)!) with their signs for k = 2, 3, ..., 11.
SERIES = (
    -0.03259889972766034,
    -2.0293560632083842,
    0.6676313844272947,
    -0.1176653151794466,
    0.01290344569500703,
    -0.0009647871547019616,
    5.231905246242285e-05,
    -2.1515347935164736e-06,
    6.939476231106886e-08,
    -1.8023653987312506e-09,
    3.850353565300677e-11,
)
SPLITTING = 2.0**28 + 1.0  # Veltkamp's: a product with it cuts off 28 bits


def half_cosine(place: NDArray[Any], length: Any) -> NDArray[np.float64]:
    """(1 + cos(pi p)) / 2 with p = place / length.

    Args:
        place: steps of a phase, from 0 to its length; whole numbers or float64, of any shape.
        length: of the phase, above 0; a number, or an array of place's shape.

    Returns:
        float64, place's shape: 1 at p = 0, 0.5 at p = 1/2, 0 at p = 1.

    Source: the half-angle formulas, and the series of the cosine; the splitting is Veltkamp's, as in Dekker, A
    Floating-Point Technique for Extending the Available Precision, Numerische Mathematik 18 (1971).

    Example:
        >>> half_cosine(np.array([0, 1, 2, 3, 4]), 4).round(4)
        array([1.    , 0.8536, 0.5   , 0.1464, 0.    ])
        >>> half_cosine(np.array([10**9 - 1]), 10**9)  # (pi / 2 * 1e-9)^2; by the cosine it would be 0
        array([2.4674011e-18])
    """
    left = length - place
    late = place > left
    if late.size == 1:  # Python's numbers are ten times as fast as NumPy's functions, and have the same bits
        is_late = bool(late.item())
        part = float((left if is_late else place).item()) / float(np.asarray(length).item())
        return np.full(late.shape, _falling(part, is_late))
    part = np.where(late, left, place).astype(np.float64) / length
    value = sine_squared(part)
    return np.where(late, value, 1.0 - value)


def _falling(part: float, is_late: bool) -> float:
    """The value of one step, from the shorter of the ways to the phase's start and end."""
    value: float = sine_squared(part)
    return value if is_late else 1.0 - value


def sine_squared(part: Any) -> Any:
    """sin(pi q / 2)^2 of q from 0 to 1/2; float or float64.

    Example:
        >>> sine_squared(0.5), sine_squared(0.0)
        (0.5, 0.0)
    """
    cut = SPLITTING * part
    upper = cut - (cut - part)
    lower, square = part - upper, part * part
    rest = SERIES[-1]
    for term in SERIES[-2::-1]:
        rest = rest * square + term
    return FIRST * (upper * upper) + (FIRST * (lower * (part + upper)) + rest * square)
