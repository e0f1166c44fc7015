"""What a step may give where an optimizer keeps its moments in fewer bytes: the derived bound of Adam's `state_dtype`.

A step from stored moments decodes them, computes theta, m and v in floating point and stores m and v again. Theta sees
the moments before they are stored, so its enclosure is that of the formula (enclosure.py) from the decoded state. A
stored moment is one of the two codes around the computed one, w (stochastic rounding; the nearer one, where rounding is
to nearest, is one of them), so it errs by less than one code step at w, half of one to nearest:

    bfloat16   8 bits of mantissa: the codes around w are w's upper 16 bits and the next pattern. Both grow with w, so
               the stored value lies between the lower code of the enclosure's lower end and the upper code of its upper
               one. (A step is at most 2^-7 |w|.)
    int8       with the unit U of w's block the code steps at w are U/16 in the linear segment, |w| <= U, and U/16 2^s
               in segment s, where U 2^s <= |w| + U. So a step is at most (U + |w|) / 16. v has no zero, and below
               U/32 becomes U/32: less than a step. U = max|m| / 247 or max v / 63487 over the block, at least 2^-126.
               Rounding w / U, +-1, the code's level times U and U itself takes at most 6 roundings of U + |w|: a
               relative 8 u covers them (the step's width is 2^20 of these), and 2^-149 the underflow of the last one.
               Where the largest is infinite or NaN there is no claim about the block.

One step's error comes back times beta in the next, so after T steps

    stored m_T = exact m_T + sum_t beta1^(T-t) e_t,  |e_t| < step_t + gamma_4 |w_t|,

and likewise for v with beta2: at most step / (1 - beta), if it always errs to one side (`drift`). With beta2 = 0.999
that says little: a thousand steps. But given the past, stochastic rounding has expectation zero, and where w lies d
beyond a code its variance is d (step - d) <= step^2 / 4, and <= step |w - w'| where w' is any code, such as the moment
before the step if the unit stays. So with V the sum of beta^(2 (T-t)) times these variances and b the largest
beta^(T-t) step_t, by Freedman's inequality (Annals of Probability 3:100, 1975)

    P(|sum_t beta^(T-t) e_t| > x) <= 2 exp(-x^2 / (2 V + 2 b x / 3))

(`likely_drift`). A moment that stands still (rounding to nearest), or that is rounded to one side, leaves this bound.

The codes are decoded here without the kernels, from their description in optim/short_moments.py. Next: structural.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .enclosure import Enclosure

BLOCK = 256
LEAST_UNIT = 2.0**-126
LEVELS = {"exp_avg": 247.0, "exp_avg_sq": 63487.0}
Arrays = Mapping[str, Any]


def reads(state_dtype: str) -> Storage | None:
    """How the moments kept with this `state_dtype` are read; None for those in the parameter's dtype.

    Example:
        >>> reads("bfloat16").decoded({"exp_avg": np.array([0x4049], np.uint16)}, np.float32)["exp_avg"]
        array([3.140625], dtype=float32)
    """
    return {"bfloat16": Bfloat16, "int8": Int8}.get(state_dtype, lambda: None)()


class Storage:
    """How stored moments are read, and what may be stored where something was computed."""

    def decoded(self, entry: Arrays, dtype: DTypeLike) -> dict[str, np.ndarray]:
        """The moments of a state's entry as numbers of the parameter's dtype."""
        raise NotImplementedError(f"{type(self).__name__} must decode")

    def stored(self, key: str, computed: Enclosure) -> Enclosure:
        """What may be kept of a moment with these bounds."""
        raise NotImplementedError(f"{type(self).__name__} must bound")

    def steps(self, entry: Arrays) -> dict[str, np.ndarray]:
        """The width of the code step above each stored moment; what was rounded to it had no wider one."""
        raise NotImplementedError(f"{type(self).__name__} must know its code steps")


class Bfloat16(Storage):
    """The upper half of a float32, as uint16."""

    def decoded(self, entry: Arrays, dtype: DTypeLike) -> dict[str, np.ndarray]:
        found = {}
        for key in LEVELS:
            if key in entry:
                patterns = np.asarray(entry[key])
                if patterns.dtype != np.uint16:
                    raise TypeError(f"expected {key!r} as uint16 patterns of bfloat16, got {patterns.dtype}")
                found[key] = np.asarray(patterns.astype(np.uint32) << 16).view(np.float32).astype(dtype)
        return found

    def stored(self, key: str, computed: Enclosure) -> Enclosure:
        return Enclosure(_beside(computed.low, -1.0), _beside(computed.high, 1.0), computed.dtype, computed.roundings)

    def steps(self, entry: Arrays) -> dict[str, np.ndarray]:
        sizes = {key: np.maximum(np.abs(value), LEAST_UNIT) for key, value in self.decoded(entry, np.float64).items()}
        return {key: 2.0 ** (np.floor(np.log2(size)) - 7) for key, size in sizes.items()}


def _beside(x: np.ndarray, direction: float) -> np.ndarray:
    """The next bfloat16 at or beyond float64 numbers, downwards or upwards."""
    x = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        narrow = x.astype(np.float32)
        # the float32 at or beyond x, then the bfloat16 at or beyond that
        missed = narrow < x if direction > 0 else narrow > x
        narrow = np.where(missed, np.nextafter(narrow, np.float32(direction * np.inf)), narrow).astype(np.float32)
        bits = np.asarray(narrow).view(np.uint32)
        away = (narrow > 0) == (direction > 0)
        beyond = np.where(away & ((bits & 0xFFFF) != 0), bits + np.uint32(0x10000), bits) & np.uint32(0xFFFF0000)
        found = np.asarray(beyond, np.uint32).view(np.float32).astype(np.float64)
    return np.where(np.isnan(x) | (narrow == 0), x * np.where(narrow == 0, 0.0, 1.0), found)


class Int8(Storage):
    """8-bit codes in blocks of 256 elements, each with a unit: see optim/short_moments.py and the module."""

    def decoded(self, entry: Arrays, dtype: DTypeLike) -> dict[str, np.ndarray]:
        found = {}
        for key, none in (("exp_avg", 1.0), ("exp_avg_sq", 31 / 32)):
            if key not in entry:
                continue
            codes, units = np.asarray(entry[key]), np.asarray(entry[f"{key}_unit"])
            if codes.dtype != np.uint8 or units.dtype != np.float32:
                raise TypeError(f"expected {key!r} as uint8 codes with float32 units, got {codes.dtype}, {units.dtype}")
            k = codes.astype(np.int64)
            sign = np.ones(k.shape)
            if key == "exp_avg":
                sign, k = np.where(k >= 128, -1.0, 1.0), k % 128
            levels = (16 + k % 16) / 16 * 2.0 ** (k // 16) - none
            with np.errstate(all="ignore"):
                values = (levels * sign).astype(np.float32) * _spread(units, codes.shape)
            found[key] = values.astype(dtype)
        return found

    def stored(self, key: str, computed: Enclosure) -> Enclosure:
        low, high = computed.low, computed.high
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(low), np.abs(high))
            largest = _largest(np.where(computed.no_claim, np.nan, size))
            largest = np.where(largest < float(np.finfo(np.float32).max), largest, np.nan)
            unit = _spread(np.maximum(LEAST_UNIT, largest / LEVELS[key]), low.shape)
            error = (unit + size) * (1 / 16 + 8 * 2.0**-24) + 2.0**-149
            low, high = low - error, high + error
        if key == "exp_avg_sq":
            low = np.where(np.isnan(low), low, np.maximum(low, 0.0))
        return Enclosure(low, high, computed.dtype, computed.roundings)

    def steps(self, entry: Arrays) -> dict[str, np.ndarray]:
        segments = {key: np.asarray(entry[key]).astype(np.int64) // 16 for key in LEVELS}
        segments["exp_avg"] %= 8
        return {
            key: _spread(np.asarray(entry[f"{key}_unit"], np.float64), segment.shape) / 16 * 2.0**segment
            for key, segment in segments.items()
        }


def _largest(size: np.ndarray) -> np.ndarray:
    """The largest of each block of the ravelled array, NaN where there is one."""
    flat = np.ravel(size)
    return np.array([flat[low : low + BLOCK].max() for low in range(0, flat.size, BLOCK)])


def _spread(units: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Each block's unit at each of its elements."""
    return np.repeat(units, BLOCK)[: int(np.prod(shape))].reshape(shape)


def drift(beta: float, steps: Sequence[Any]) -> Any:
    """The most by which a moment can be off after errors of less than these code steps: sum_t beta^(T-t) step_t."""
    return sum(beta ** (len(steps) - 1 - t) * np.asarray(step) for t, step in enumerate(steps))


def likely_drift(beta: float, steps: Sequence[Any], variances: Sequence[Any], chance: float) -> Any:
    """What a moment is off by at most, but for a chance, where its rounding is unbiased (see the module)."""
    weights = beta ** np.arange(len(steps) - 1, -1, -1.0)
    variance = sum(w**2 * np.asarray(v) for w, v in zip(weights, variances, strict=True))
    largest = np.max([w * np.asarray(step) for w, step in zip(weights, steps, strict=True)], axis=0)
    exponent = np.log(2 / chance)
    linear = largest * exponent / 3
    return linear + np.sqrt(linear**2 + 2 * variance * exponent)
