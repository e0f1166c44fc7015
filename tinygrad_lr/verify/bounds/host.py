"""Scalars of the host, in float64: 1 - beta^t, and what its cancellation may cost. Next: identities.py."""

from __future__ import annotations

import numpy as np

from .enclosure import Enclosure


def one_minus_power(beta: float, t: int) -> float:
    """1 - beta^t to the last unit or two, where the difference of the two loses digits.

    Example:
        >>> one_minus_power(0.5, 2), one_minus_power(0.0, 3), one_minus_power(1 - 2.0**-40, 1) == 2.0**-40
        (0.75, 1.0, True)
    """
    return float(-np.expm1(t * np.log1p(beta - 1))) if 0 < beta < 1 else 1.0 - float(beta) ** t


def correction_error(beta: float, t: int) -> float:
    """How far 1 - beta^t on the host may be from the exact number, relative to it: cancellation enlarges rounding.

    Example:
        >>> correction_error(0.9, 5) < 1e-14 < correction_error(0.99999, 5) < 1e-9
        True
    """
    found = 1 - Enclosure.exact(float(beta)) ** t
    return float((found.high - found.low) / 2 / one_minus_power(beta, t))
