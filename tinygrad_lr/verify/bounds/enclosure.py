"""Derived tolerances: intervals that hold every result that correct arithmetic could give.

An `Enclosure` is a pair of float64 arrays (low, high) and the dtype in which a computation under test was made. Every
operation widens its result by one unit roundoff of that dtype (float32: 2^-24; float64: 2^-53) and at least by half
the smallest subnormal, so the enclosure of a formula holds the exact value and every result that correctly rounded
+ - * / sqrt can give along it: with each product rounded, or contracted into a fused multiply-add, and with factors
taken in another order (the same count of roundings). So one bound serves NumPy, the CPU kernels and CUDA.

Numbers of the host (hyperparameters, 1 - beta**t) are enclosures without a shape, mostly of float64; where they meet an
array they are rounded to its dtype first, as a kernel's arguments are. NaN bounds mean "no claim": a divisor that may
be zero, the root of something that may be negative, inf - inf. Source of the method: Higham, Accuracy and Stability of
Numerical Algorithms, 2nd ed., chapters 2 and 3; Moore, Kearfott & Cloud, Introduction to Interval Analysis.

`enclosed(spec, dtype)` evaluates a specification on enclosures.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..formulas import State
from ..formulas.decisions import Truth
from ..specification import Specification
from .bases import departure, eigenvectors_between, factoring_error, turning_error

# The bounds are themselves computed in float64: one more roundoff, and a little for computing the widening.
OWN_ROUNDOFF = 2.0**-53
SLIGHTLY_MORE = 1 + 2.0**-20
FLOAT64_MAX = float(np.finfo(np.float64).max)
SMALLEST = 5e-324


class Enclosure:
    """All values between `low` and `high`, for a computation made in `dtype`.

    `roundings` is how many roundings each operation may cost (default 1). A moving average holds both of its ways to
    round, b m + (1 - b) g and m + (1 - b) (g - m), whichever was written: see `_also_averaged`.

    Example:
        >>> third = Enclosure.exact(1.0, np.float32) / 3.0
        >>> bool(third.contains(np.float32(1) / np.float32(3))), bool(third.contains(0.33333))
        (True, False)
    """

    __slots__ = ("_casts", "_made_of", "dtype", "high", "host", "low", "roundings")
    __hash__ = object.__hash__  # a cache may tell enclosures apart

    def __init__(
        self, low: Any, high: Any, dtype: DTypeLike = np.float64, roundings: float = 1.0, host: bool = False
    ) -> None:
        self.low = np.asarray(low, np.float64)
        self.high = np.asarray(high, np.float64)
        self.dtype = np.dtype(dtype)
        self.roundings = roundings
        self.host = host
        self._casts: dict[Any, Enclosure] | None = None  # of a number of the host, which meets many arrays
        self._made_of: tuple[str, Enclosure, Enclosure] | None = None  # so that a sum knows a moving average

    @classmethod
    def exact(cls, value: Any, dtype: DTypeLike = np.float64, roundings: float = 1.0) -> Enclosure:
        """An enclosure of known values (they must be values of `dtype`)."""
        return cls(value, value, dtype, roundings)

    @classmethod
    def of_host(cls, value: float, dtype: DTypeLike = np.float64) -> Enclosure:
        """A number of the host, which computes with its numbers in `dtype`."""
        return cls(value, value, host=True)._cast(np.dtype(dtype), 1.0)

    # Questions
    def contains(self, value: Any) -> np.ndarray:
        """Elementwise: could correct arithmetic have given this value?"""
        value = np.asarray(value, np.float64)
        return self.no_claim | ((self.low <= value) & (value <= self.high))

    @property
    def no_claim(self) -> np.ndarray:
        """Elementwise: whether nothing can be said (0/0 is possible on the way)."""
        return np.isnan(self.low) | np.isnan(self.high)

    @property
    def middle(self) -> np.ndarray:
        """The middle of the enclosure: the exact value up to a small part of its width."""
        with np.errstate(invalid="ignore"):
            return self.low + (self.high - self.low) / 2

    def ratio(self, value: Any) -> np.ndarray:
        """Elementwise error over bound: 0 in the middle, 1 at the edge, infinite for a wrong exact value."""
        with np.errstate(all="ignore"):
            error = np.abs(np.asarray(value, np.float64) - self.middle)
            width = self.high - self.low
            ratio = error / (width / 2)
        ratio = np.where(np.isnan(ratio) | np.isinf(width), 0.0, ratio)
        return np.where(self.contains(value), np.minimum(ratio, 1.0), np.where(ratio > 1, ratio, np.inf))

    def __repr__(self) -> str:
        return f"Enclosure({self.low}, {self.high}, {self.dtype})"

    def __bool__(self) -> bool:
        if not self.low.ndim and (self.low > 0 or self.high < 0):
            return True
        if self.low.ndim or self.low != self.high:
            raise ValueError(f"expected a number that is 0, or surely is not, to decide on, got {self!r}")
        return bool(self.low != 0)

    # Rounding
    def _rounded(self, low: np.ndarray, high: np.ndarray, factor: float = 1.0) -> Enclosure:
        """The enclosure of the rounded results of exact values in [low, high]."""
        unit, least, largest = _limits(self.dtype, factor * self.roundings)
        if not np.ndim(low) and not np.ndim(high):
            return self._like(*_rounded_number(float(low), float(high), unit, least, largest))
        with np.errstate(all="ignore"):
            low, high = np.minimum(low, FLOAT64_MAX), np.maximum(high, -FLOAT64_MAX)
            wide_low = low - np.maximum(np.abs(low) * unit, least)
            wide_high = high + np.maximum(np.abs(high) * unit, least)
            # rounding keeps order, so it leaves zero where it is and moves nothing across it
            wide_low = np.where(low >= 0, np.maximum(wide_low, 0.0), wide_low)
            wide_high = np.where(high <= 0, np.minimum(wide_high, 0.0), wide_high)
            # beyond the largest number a result may be that number or infinity
            wide_low = np.where(wide_low < -largest, -np.inf, np.minimum(wide_low, largest))
            wide_high = np.where(wide_high > largest, np.inf, np.maximum(wide_high, -largest))
        return self._like(wide_low, wide_high)

    def _like(self, low: Any, high: Any) -> Enclosure:
        return Enclosure(low, high, self.dtype, self.roundings, self.host)

    def unclaimed(self, unsafe: np.ndarray) -> Enclosure:
        """No claim where an operation is undefined: 0/0, inf/inf, 0 inf, inf - inf."""
        if not unsafe.any():
            return self
        return self._like(np.where(unsafe, np.nan, self.low), np.where(unsafe, np.nan, self.high))

    def _may_be_zero(self) -> np.ndarray:
        return (self.low <= 0) & (self.high >= 0)

    def _may_be_infinite(self) -> np.ndarray:
        return np.isinf(self.low) | np.isinf(self.high)

    def _cast(self, dtype: np.dtype, roundings: float, host: bool = True) -> Enclosure:
        """Round to another dtype, as a kernel's argument is; what is exact there stays exact."""
        host = self.host and host
        if dtype == self.dtype and (roundings, host) == (self.roundings, self.host):
            return self
        if self.host:
            self._casts = self._casts or {}
            key = (dtype, roundings, host)
            if key not in self._casts:
                self._casts[key] = self._as(*key)
            return self._casts[key]
        return self._as(dtype, roundings, host)

    def _as(self, dtype: np.dtype, roundings: float, host: bool) -> Enclosure:
        target = Enclosure(self.low, self.high, dtype, roundings, host)
        if dtype == self.dtype:
            return target
        with np.errstate(over="ignore"):
            fits = (self.low == self.high) & (self.low == self.low.astype(dtype))
        wide = target._rounded(self.low, self.high)
        return target._like(np.where(fits, self.low, wide.low), np.where(fits, self.high, wide.high))

    def _together(self, *others: Any) -> list[Enclosure]:
        """The operands in the narrowest dtype among them; a number of the host is cast to that of an array it meets."""
        every = [self, *(x if isinstance(x, Enclosure) else Enclosure.of_host(x) for x in others)]
        decisive = [x for x in every if not x.host] or every
        dtype = min((x.dtype for x in decisive), key=lambda kind: kind.itemsize)
        roundings, host = max(x.roundings for x in decisive), all(x.host for x in every)
        return [x._cast(dtype, roundings, host) for x in every]

    def rounded_to(self, dtype: DTypeLike, roundings: float = 1.0) -> Enclosure:
        """The same numbers, and what they may be when they are rounded to another dtype."""
        return self._cast(np.dtype(dtype), roundings, host=False)

    # Arithmetic
    def __neg__(self) -> Enclosure:
        found = self._like(-self.high, -self.low)
        if self._made_of:
            way, a, b = self._made_of
            found._made_of = {"w x": (way, a, -b), "y - x": (way, b, a)}.get(way)
        return found

    def __add__(self, other: Any) -> Enclosure:
        found = self._plus(other)
        return found._also_averaged(self, other) if isinstance(other, Enclosure) else found

    def _plus(self, other: Any) -> Enclosure:
        a, b = self._together(other)
        with np.errstate(all="ignore"):
            low, high = a.low + b.low, a.high + b.high
        result = a._rounded(low, high)
        opposed = (a.high == np.inf) & (b.low == -np.inf) | (a.low == -np.inf) & (b.high == np.inf)
        untouched = ((a.low == 0) & (a.high == 0)) | ((b.low == 0) & (b.high == 0))  # x + 0 is x
        result = a._like(np.where(untouched, low, result.low), np.where(untouched, high, result.high))
        return result.unclaimed(opposed)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Enclosure:
        found = self + (-other)
        if isinstance(other, Enclosure) and not (self.host or other.host):
            found._made_of = ("y - x", self, other)
        return found

    def __rsub__(self, other: Any) -> Enclosure:
        found = (-self) + other
        if self.host and not isinstance(other, Enclosure) and other == 1:
            found._made_of = ("1 - b", self, self)
        return found

    def __mul__(self, other: Any) -> Enclosure:
        a, b = self._together(other)
        if a.low is b.low and a.high is b.high:
            return a._square()
        unsafe = (a._may_be_zero() & b._may_be_infinite()) | (a._may_be_infinite() & b._may_be_zero())
        found = a._rounded(*_extremes(a, b, np.multiply)).unclaimed(unsafe)
        if isinstance(other, Enclosure) and self.host != other.host:
            found._made_of = ("w x", self, other) if self.host else ("w x", other, self)
        return found

    __rmul__ = __mul__

    # Moving averages
    def _also_averaged(self, one: Enclosure, other: Enclosure) -> Enclosure:
        """The sum of two enclosures, and what it may be where it is a moving average that is computed the other way.

        b x + (1 - b) y rounds both products; x + (1 - b) (y - x), torch's lerp and keras's way, rounds the difference
        and one product. Where b is small or x and y differ much, neither bound holds the other.
        """
        for x, y in ((one, other), (other, one)):
            share, moved = y._made_as("w x")
            if share is None or moved is None:
                continue
            kept, _ = share._made_as("1 - b")
            ours, mean = x._made_as("w x")
            if mean is not None and kept is not None and ours is kept:
                return self._or(_by_difference(share, mean, moved))
            new, mean = moved._made_as("y - x")
            if new is not None and mean is x:
                return self._or(((1 - share if kept is None else kept) * x)._plus(share * new))
        return self

    def _made_as(self, way: str) -> tuple[Enclosure, Enclosure] | tuple[None, None]:
        """Of what it was made, if it was in this way."""
        return self._made_of[1:] if self._made_of and self._made_of[0] == way else (None, None)

    def _or(self, otherwise: Enclosure) -> Enclosure:
        """All values of both, where both are finite; else its own."""
        with np.errstate(invalid="ignore"):
            finite = np.isfinite(self.low) & np.isfinite(self.high)
            finite &= np.isfinite(otherwise.low) & np.isfinite(otherwise.high)
        low = np.where(finite, np.minimum(self.low, otherwise.low), self.low)
        return self._like(low, np.where(finite, np.maximum(self.high, otherwise.high), self.high))

    def _square(self) -> Enclosure:
        ends = np.minimum(np.abs(self.low), np.abs(self.high)), np.maximum(np.abs(self.low), np.abs(self.high))
        nearest = np.where((self.low <= 0) & (self.high >= 0), 0.0, ends[0])
        squares = self._like(nearest, ends[1])
        return self._rounded(*_extremes(squares, squares, np.multiply))

    def __truediv__(self, other: Any) -> Enclosure:
        a, b = self._together(other)
        unsafe = b._may_be_zero() | (a._may_be_infinite() & b._may_be_infinite())
        return a._rounded(*_extremes(a, b, np.divide)).unclaimed(unsafe)

    def __rtruediv__(self, other: Any) -> Enclosure:
        return Enclosure.of_host(other) / self

    def __pow__(self, exponent: Any) -> Enclosure:
        """A power: an integer one, as the host computes beta**t or a rule g**2; another of positive numbers alone.

        The library's power is within four units; a product that runs from step to step has t - 1 roundings.
        """
        if isinstance(exponent, Enclosure) or not float(exponent).is_integer():
            return self.sqrt() if not isinstance(exponent, Enclosure) and exponent == 0.5 else self.to_the(exponent)
        exponent = int(exponent)
        if exponent < 0:
            return 1 / self**-exponent
        if exponent in (1, 2):
            return self._square() if exponent == 2 else self
        base = abs(self) if exponent % 2 == 0 else self
        roundings = max(4.0, float(exponent))
        with np.errstate(over="ignore"):
            ends = np.power(base.low, exponent), np.power(base.high, exponent)
        return self._rounded(*ends, factor=roundings)

    def __rpow__(self, base: Any) -> Enclosure:
        return Enclosure.of_host(base).to_the(self)

    def __pos__(self) -> Enclosure:
        return self

    # Comparing rounds nothing, but what is compared may have been rounded
    def __lt__(self, other: Any) -> Truth:
        a, b = self._together(other)
        return Truth(~(a.low >= b.high), ~(a.high < b.low), Enclosure.among)

    def __le__(self, other: Any) -> Truth:
        a, b = self._together(other)
        return Truth(~(a.low > b.high), ~(a.high <= b.low), Enclosure.among)

    def __gt__(self, other: Any) -> Truth:
        a, b = self._together(other)
        return b < a

    def __ge__(self, other: Any) -> Truth:
        a, b = self._together(other)
        return b <= a

    def __eq__(self, other: Any) -> Truth:  # type: ignore[override]
        a, b = self._together(other)
        apart = (a.high < b.low) | (b.high < a.low)
        return Truth(~apart, ~((a.low == a.high) & (b.low == b.high) & (a.low == b.low)), Enclosure.among)

    def __ne__(self, other: Any) -> Truth:  # type: ignore[override]
        return ~(self == other)

    @staticmethod
    def among(ways: Sequence[tuple[Any, Any]]) -> Enclosure:
        """Elementwise all values of those ways that are possible there: (whether it is, its value) for each."""
        given = [value if isinstance(value, Enclosure) else Enclosure.of_host(value) for _, value in ways]
        values = given[0]._together(*given[1:])
        shape = np.broadcast_shapes(*(np.shape(where) for where, _ in ways), *(value.low.shape for value in values))
        low, high, none = np.full(shape, np.inf), np.full(shape, -np.inf), np.zeros(shape, bool)
        for (where, _), value in zip(ways, values, strict=True):
            low = np.where(where, np.minimum(low, value.low), low)
            high = np.where(where, np.maximum(high, value.high), high)
            none = none | (where & value.no_claim)
        return values[0]._like(low, high).unclaimed(none)

    def where(self, condition: Any, a: Any, b: Any) -> Enclosure:
        """Elementwise a where the condition holds, else b; both where rounding may decide it."""
        condition = Truth.of(condition)
        return Enclosure.among([(condition.may_hold, a), (condition.may_fail, b)])

    # NumPy's functions of enclosures, and what no interval can be asked for
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc.__name__ not in UFUNCS:
            raise TypeError(f"numpy.{ufunc.__name__} of an interval: {INSTEAD}")
        lifted = [x if isinstance(x, Enclosure) else Enclosure.of_host(x) for x in inputs]
        return UFUNCS[ufunc.__name__](*lifted)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        name = function.__name__
        if name == "where" and len(arguments) == 3 and not options:
            return self.where(*arguments)
        if name in ("sum", "mean") and len(arguments) == 1 and not options:
            return self.sum() if name == "sum" else self.mean()
        if name == "dot" and not options and all(getattr(x, "ndim", 0) == 2 for x in arguments):
            return self.__array_ufunc__(np.matmul, "__call__", *arguments)
        if name == "norm" and len(arguments) == 1 and not options:
            return self.norm()
        if name in ("zeros_like", "ones_like") and not options:
            return self._like(*(np.full(self.low.shape, float(name == "ones_like")) for _ in range(2)))
        raise TypeError(f"numpy.{name} of an interval: {INSTEAD}")

    def __float__(self) -> float:
        raise TypeError(f"an interval is no single float: {INSTEAD}")

    __int__ = __index__ = __round__ = __float__  # type: ignore[assignment]

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"an interval is no array of numbers: {INSTEAD}")

    def sum(self) -> Enclosure:
        """As an array's: of all elements."""
        return self.total()

    def mean(self) -> Enclosure:
        """As an array's: of all elements."""
        return self.total() / max(self.low.size, 1)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"an interval has no {name}: {INSTEAD}")

    @property
    def shape(self) -> tuple[int, ...]:
        """As an array's."""
        return self.low.shape

    @property
    def ndim(self) -> int:
        """As an array's."""
        return self.low.ndim

    @property
    def size(self) -> int:
        """As an array's."""
        return self.low.size

    @property
    def T(self) -> Enclosure:
        """As an array's."""
        return self.transpose()

    def __matmul__(self, other: Enclosure) -> Enclosure:
        return self.matmul(other)

    def exp(self) -> Enclosure:
        """The exponential, as libraries have it (within four units)."""
        with np.errstate(all="ignore"):
            return self._rounded(np.exp(self.low), np.exp(self.high), factor=4.0)

    def log(self) -> Enclosure:
        """The natural logarithm, as libraries have it (within four units); no claim where there is none."""
        with np.errstate(all="ignore"):
            found = self._rounded(np.log(self.low), np.log(self.high), factor=4.0)
        return found.unclaimed(self.low <= 0)

    def tanh(self) -> Enclosure:
        """The hyperbolic tangent, as libraries have it (within four units)."""
        return self._rounded(np.tanh(self.low), np.tanh(self.high), factor=4.0)

    def to_the(self, exponent: Any) -> Enclosure:
        """A positive number of the host to a real power (within four units of the exact power of any of its values)."""
        if np.any(self.low <= 0):
            raise ValueError("only positive numbers can be raised to a real power")
        a, b = self._together(exponent)
        return a._rounded(*_extremes(a, b, np.power), factor=4.0)

    def power_of(self, base: float) -> Enclosure:
        """base to the power of self."""
        return Enclosure.of_host(base).to_the(self)

    def sqrt(self) -> Enclosure:
        """The root; no claim where the argument may be negative."""
        with np.errstate(invalid="ignore"):
            return self._rounded(np.sqrt(self.low), np.sqrt(self.high))

    def cbrt(self) -> Enclosure:
        """The cube root of numbers that are not negative, as libraries have it (within four units)."""
        with np.errstate(invalid="ignore"):
            return self._rounded(np.cbrt(self.low), np.cbrt(self.high), factor=4.0)

    def maximum(self, other: Any) -> Enclosure:
        """The larger: comparing rounds nothing."""
        a, b = self._together(other)
        return a._like(np.maximum(a.low, b.low), np.maximum(a.high, b.high))

    def __abs__(self) -> Enclosure:
        low = np.maximum(np.maximum(self.low, -self.high), 0.0)
        return self._like(low, np.maximum(np.abs(self.low), np.abs(self.high)))

    @staticmethod
    def by_sign(s: Any, negative: Any, zero: Any, positive: Any) -> Enclosure:
        """Elementwise one of three values by the sign of s; where rounding may decide it, all that may be."""
        first = s if isinstance(s, Enclosure) else Enclosure.of_host(s)
        s, *branches = first._together(negative, zero, positive)
        possible = (s.low < 0, (s.low <= 0) & (s.high >= 0), s.high > 0)
        low, high = np.full(s.low.shape, np.inf), np.full(s.low.shape, -np.inf)
        for where, branch in zip(possible, branches, strict=True):
            low = np.where(where, np.minimum(low, branch.low), low)
            high = np.where(where, np.maximum(high, branch.high), high)
        return s._like(low, high).unclaimed(np.isnan(s.low) | np.isnan(s.high))

    def total(self, axis: int | None = None) -> Enclosure:
        """The sum of all elements (or along an axis, kept), added in any order: n roundings of the sum of magnitudes.

        Source: Higham, section 4.2.
        """
        count, kept = (self.low.size, False) if axis is None else (self.low.shape[axis], True)
        error = max(count - 1, 0) * _limits(self.dtype, self.roundings)[0]
        if error >= 0.5:
            raise ValueError(f"a sum of {count} numbers has no useful bound in {self.dtype}")
        with np.errstate(all="ignore"):
            magnitude = np.maximum(np.abs(self.low), np.abs(self.high)).sum(axis, keepdims=kept)
            slack = np.asarray(error / (1 - error) * 1.001 * magnitude)
            low, high = self.low.sum(axis, keepdims=kept) - slack, self.high.sum(axis, keepdims=kept) + slack
            largest = float(np.finfo(self.dtype).max)
            overflows = magnitude + slack > largest  # a partial sum may
            nonnegative, nonpositive = (np.all(part, axis, keepdims=kept) for part in (self.low >= 0, self.high <= 0))
            low = np.where(overflows, np.where(nonnegative, np.minimum(low, largest), -np.inf), low)
            high = np.where(overflows, np.where(nonpositive, np.maximum(high, -largest), np.inf), high)
        return self._like(low, high)

    def largest(self, axis: int) -> Enclosure:
        """The largest along an axis, which is kept, of numbers that are not negative: comparing rounds nothing."""
        return self._like(*(end.max(axis, keepdims=True, initial=0) for end in (self.low, self.high)))

    def transpose(self) -> Enclosure:
        """Rows as columns."""
        return self._like(self.low.T, self.high.T)

    def matmul(self, other: Enclosure) -> Enclosure:
        """The product of two matrices, each sum in any order."""
        left = self._like(self.low[:, :, None], self.high[:, :, None])
        products = left * other._like(other.low[None], other.high[None])
        summed = products.total(1)
        return summed._like(summed.low[:, 0], summed.high[:, 0])

    def taken(self, order: np.ndarray, axis: int) -> Enclosure:
        """Rows or columns in another order (no claim where that is not decided)."""
        if (order < 0).any():
            return self.unclaimed(np.ones(self.low.shape, bool))
        return self._like(np.take(self.low, order, axis), np.take(self.high, order, axis))

    def descending(self) -> np.ndarray:
        """In which order the elements are descending; -1 for all where rounding may decide it."""
        low, high = np.ravel(self.low), np.ravel(self.high)
        order = np.argsort(-(low + high), kind="stable")
        decided = (low[order][:-1] > high[order][1:]).all() and not self.no_claim.any()
        return order if decided else np.full(len(low), -1)

    def drifted(self, computed_in: str = "own") -> Enclosure:
        """A matrix that may have been turned into another orthonormal basis and back (bases.py)."""
        slack = turning_error(self.low.shape, self._ulp(computed_in)) * self.norm().high
        return self._like(self.low - slack, self.high + slack)

    def eigenvectors(self, computed_in: str = "own") -> Enclosure:
        """The eigenvectors of a symmetric matrix, as any LAPACK may have them, but for their signs (bases.py)."""
        return self._like(*eigenvectors_between(self.low, self.high, self._ulp(computed_in)))

    def orthonormal(self, computed_in: str = "own") -> Enclosure:
        """Q of the QR decomposition, as any LAPACK may have it, but for the columns' signs (bases.py)."""
        (rows, count), ulp = self.low.shape, self._ulp(computed_in)
        found: list[Enclosure] = []
        for j in range(count):
            column = self._like(self.low[:, j], self.high[:, j])
            error = factoring_error(rows, count, ulp) * column.norm().high
            column = self._like(column.low - error, column.high + error)
            for q in found:
                column = column - q * (q * column).total()
            found.append(column / column.norm())
        slack = departure(count, ulp)
        return self._like(np.stack([q.low for q in found], 1) - slack, np.stack([q.high for q in found], 1) + slack)

    def _ulp(self, computed_in: str) -> float:
        return float(np.finfo(self.dtype if computed_in == "own" else computed_in).eps)

    def piece(self, start: int, end: int, shape: tuple[int, ...]) -> Enclosure:
        """Some of the elements of a flat enclosure, in a shape; what has no dimension is the same for all."""
        if not self.low.ndim:
            return self
        return self._like(self.low[start:end].reshape(shape), self.high[start:end].reshape(shape))

    def norm(self) -> Enclosure:
        """The Euclidean norm of all elements."""
        squares = self._square().total()
        return squares._like(np.maximum(squares.low, 0.0), squares.high).sqrt()


def _by_difference(share: Enclosure, x: Enclosure, y: Enclosure) -> Enclosure:
    """x + share (y - x): the difference and its product may be rounded, and then the sum (share: in [0, 1]).

    The average grows with x by 1 - share and with y by share. Its error can change by two units of share, which is less
    (if 1 - share is not as small), so that its ends are those of both. Rounding keeps order, so that the average has no
    other sign than both.
    """
    x, y, share = x._together(y, share)
    unit, least, _ = _limits(x.dtype, x.roundings)
    steep = 1 - share.high > 3 * unit
    from_zero = (x.low == 0) & (x.high == 0)  # the difference and the sum are exact
    units = np.where(from_zero | (y.low == 0) & (y.high == 0), 1.0, 2.0 + unit) * unit * share.high
    ends = []
    with np.errstate(all="ignore"):
        for at, to, side, choose in ((x.low, y.low, -1.0, np.minimum), (x.high, y.high, 1.0, np.maximum)):
            apart = np.abs(to - at) if steep else np.maximum(np.abs(to - x.low), np.abs(to - x.high))
            error = units * apart + np.where(apart > 0, 2 * least, 0.0)
            ends.append(choose(*(at + w * (to - at) for w in (share.low, share.high))) + side * error)
    low = np.where((x.low >= 0) & (y.low >= 0), np.maximum(ends[0], 0.0), ends[0])
    high = np.where((x.high <= 0) & (y.high <= 0), np.minimum(ends[1], 0.0), ends[1])
    rounded = x._rounded(low, high)
    found = x._like(np.where(from_zero, low, rounded.low), np.where(from_zero, high, rounded.high))
    return found if share.low >= 0 and share.high <= 1 else found.unclaimed(np.ones(found.low.shape, bool))


def concatenated(parts: Sequence[Enclosure]) -> Enclosure:
    """Enclosures of one dtype as one flat one.

    Example:
        >>> concatenated([Enclosure.exact([[1.0, 2.0]]), Enclosure.exact(3.0)]).low
        array([1., 2., 3.])
    """
    low, high = (np.concatenate([np.ravel(getattr(part, end)) for part in parts]) for end in ("low", "high"))
    return parts[0]._like(low, high)


class ChangedNumber(Enclosure):
    """A number of the host that was changed between steps; with `powers` its power is the product of its values."""

    __slots__ = ("powers", "so_far")
    so_far: tuple[float, ...]
    powers: bool

    def __pow__(self, exponent: Any) -> Enclosure:
        if not self.powers or not isinstance(exponent, int) or exponent != len(self.so_far):
            return super().__pow__(exponent)
        product = np.prod(np.array(self.so_far))
        return self._rounded(product, product, factor=max(4.0, 2.0 * exponent))

    def product_so_far(self, factor: Callable[..., float], other: ChangedNumber) -> Enclosure:
        """The product of factor(its value, the other's value, the step) over all steps so far.

        A factor may cost five roundings, and one more in the product.
        """
        pairs = zip(self.so_far, other.so_far, strict=True)
        product = np.asarray(np.prod([factor(*pair, step) for step, pair in enumerate(pairs, start=1)]))
        return self._rounded(product, product, factor=6.0 * len(self.so_far))


INSTEAD = (
    "a formula runs on intervals, too; write it with + - * / **, abs, max, min, if, and verify.sqrt, cbrt, exp, log, "
    "tanh, maximum, minimum, sign, where, norm, total, mean, rms, matmul or transpose"
)
UFUNCS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "negative": operator.neg,
    "positive": operator.pos,
    "absolute": abs,
    "fabs": abs,
    "square": Enclosure._square,
    "sqrt": Enclosure.sqrt,
    "cbrt": Enclosure.cbrt,
    "exp": Enclosure.exp,
    "log": Enclosure.log,
    "tanh": Enclosure.tanh,
    "sign": lambda x: Enclosure.by_sign(x, -1.0, 0.0, 1.0),
    "maximum": Enclosure.maximum,
    "minimum": lambda x, y: -(-x).maximum(-y),
    "fmax": Enclosure.maximum,
    "fmin": lambda x, y: -(-x).maximum(-y),
    "matmul": Enclosure.matmul,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
}


@cache
def _limits(dtype: np.dtype, roundings: float) -> tuple[float, float, float]:
    """The relative and the least absolute widening of an operation in a dtype, and the dtype's largest number."""
    information = np.finfo(dtype)
    unit = (roundings * float(information.eps) / 2 + OWN_ROUNDOFF) * SLIGHTLY_MORE
    subnormal = float(information.smallest_subnormal)
    return unit, subnormal if dtype == np.float64 else subnormal / 2, float(information.max)


def _extremes(a: Enclosure, b: Enclosure, operation: np.ufunc) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest of an operation over the corners; a float64 underflow to zero is no true zero."""
    ends = a.low, a.high, b.low, b.high
    if not any(end.ndim for end in ends) and (operation is np.multiply or (operation is np.divide and all(ends[2:]))):
        return _extremes_of_numbers([float(end) for end in ends], operation is np.multiply)
    corners = []
    for x in (a.low, a.high):
        for y in (b.low, b.high):
            with np.errstate(all="ignore"):
                value = operation(x, y)
                if not value.all():
                    vanished = (value == 0) & (x != 0) & (y != 0) & np.isfinite(y)
                    value = np.where(vanished, np.copysign(SMALLEST, np.sign(x) * np.sign(y)), value)
            corners.append(value)
    return np.minimum.reduce(corners), np.maximum.reduce(corners)


def _rounded_number(low: float, high: float, unit: float, least: float, largest: float) -> tuple[float, float]:
    """What `Enclosure._rounded` gives for single numbers, in a tenth of the time; NaN stays where it stands first."""
    low, high = min(low, FLOAT64_MAX), max(high, -FLOAT64_MAX)
    wide_low, wide_high = low - max(abs(low) * unit, least), high + max(abs(high) * unit, least)
    wide_low = max(wide_low, 0.0) if low >= 0 else wide_low
    wide_high = min(wide_high, 0.0) if high <= 0 else wide_high
    return (
        -np.inf if wide_low < -largest else min(wide_low, largest),
        np.inf if wide_high > largest else max(wide_high, -largest),
    )


def _extremes_of_numbers(ends: Sequence[float], multiply: bool) -> tuple[Any, Any]:
    """What `_extremes` gives for the ends of two single numbers, if a divisor is not zero."""
    corners = []
    for x in ends[:2]:
        for y in ends[2:]:
            value = x * y if multiply else x / y
            if value == 0 and x != 0 and y != 0 and math.isfinite(y):
                value = math.copysign(SMALLEST, math.copysign(1.0, x) * math.copysign(1.0, y))
            corners.append(value)
    if any(map(math.isnan, corners)):
        return np.nan, np.nan
    return min(corners), max(corners)


# Specifications
# Hyperparameters that formulas take to the power of t.
POWERS = ("betas", "momentum", "momentum_decay")


def enclosed(
    spec: Specification,
    dtype: DTypeLike,
    roundings: float = 1.0,
    past: Sequence[Specification] = (),
    powers: bool = True,
) -> EnclosedSpecification:
    """The specification evaluated on enclosures: `enclosed(spec, np.float32).step(theta, g, state, t)`.

    Args:
        past: the specification at each update so far, where products over the steps are of the past values.
        powers: whether the power of a beta is the product of the past ones, too.

    Example:
        >>> spec = enclosed(Specification("sgd", {"lr": 0.1}), np.float32)
        >>> theta, state = spec.step(np.float32(1), np.float32(2), {}, 1)
        >>> bool(theta.contains(np.float32(1) - np.float32(0.1) * np.float32(2)))
        True
    """
    return EnclosedSpecification(spec, np.dtype(dtype), roundings, past, powers)


def roundings_of(spec: Specification) -> float:
    """How many roundings an operation may cost.

    2 where epsilon hat is computed as eps / sqrt(1 - beta2^t); 3 where the decay may be folded into
    theta (1 - lr lambda) - lr g, which rounds the factor, its product with theta, and the difference.
    """
    hat = "eps_placement" in spec.all_names and spec["eps_placement"] == "hat"
    folds = spec.name == "sgd" and spec["weight_decay"] and not spec["momentum"]
    return max(2.0 if hat else 1.0, 3.0 if folds else 1.0, float(spec.family.roundings))


class EnclosedSpecification:
    """A specification whose hyperparameters are host enclosures and whose arrays are enclosures in `dtype`."""

    def __init__(
        self,
        spec: Specification,
        dtype: np.dtype,
        roundings: float = 1.0,
        past: Sequence[Specification] = (),
        powers: bool = True,
    ) -> None:
        self.spec, self.dtype, self.roundings = spec, dtype, roundings
        on_host = {key: _host(spec[key], spec.scalars, spec.family.own) for key in spec.all_names}
        if past:
            values = {key: [each[key] for each in past] for key in POWERS if key in on_host}
            on_host |= {key: _changed(on_host[key], each, powers) for key, each in values.items()}
        self._on_host = spec.having(**on_host)

    def lift(self, value: Any) -> Enclosure:
        """An array of the dtype as an enclosure (an enclosure passes through)."""
        if isinstance(value, Enclosure):
            return value
        value = np.asarray(value)
        if value.dtype != self.dtype:
            raise TypeError(f"expected an array of {self.dtype}, got {value.dtype}")
        return Enclosure.exact(value, self.dtype, self.roundings)

    def initial_state(self, theta: Any) -> State:
        """The state before the first step, as enclosures."""
        if self.spec.family.initial:
            return self._on_host.initial_state(self.lift(theta))
        zero = np.zeros(np.shape(theta if not isinstance(theta, Enclosure) else theta.low), self.dtype)
        return {key: self.lift(np.asarray(value, self.dtype)) for key, value in self.spec.initial_state(zero).items()}

    def step(self, theta: Any, g: Any, state: State, t: int) -> tuple[Enclosure, State]:
        """Enclosures of the parameter and the state after one step, from given arrays or from enclosures."""
        lifted = {key: self.lift(value) for key, value in state.items()}
        return self._on_host.step(self.lift(theta), self.lift(g), lifted, t)

    def free_run(self, theta: Any, gradients: Sequence[Any]) -> tuple[Enclosure, State]:
        """Enclosures after following all of the given gradients from a fresh state: rounding errors accumulate."""
        state = self.initial_state(theta)
        theta = self.lift(theta)
        for t, g in enumerate(gradients, start=1):
            theta, state = self.step(theta, g, state, t)
        return theta, state


def _host(value: Any, dtype: str, counts: bool = False) -> Any:
    """A hyperparameter as an enclosure without a shape; names and switches stay as they are, and with `counts` whole
    numbers, too, so that a rule may say `t % k` and `range(k)`."""
    if value is None or isinstance(value, (bool, str)) or (counts and isinstance(value, int)):
        return value
    if isinstance(value, (tuple, list)):
        return tuple(_host(v, dtype, counts) for v in value)
    return Enclosure.of_host(float(value), dtype)


def _changed(host: Any, values: Sequence[Any], powers: bool) -> Any:
    """A hyperparameter as an enclosure that remembers its values so far."""
    if isinstance(host, tuple):
        columns = zip(host, zip(*values, strict=True), strict=True)
        return tuple(_changed(each, column, powers) for each, column in columns)
    if not isinstance(host, Enclosure):
        return host
    found = ChangedNumber(host.low, host.high, host.dtype, host.roundings, host.host)
    found.so_far, found.powers = tuple(map(float, values)), powers
    return found


# Scalars of the host
def one_minus_power(beta: float, t: int) -> float:
    """1 - beta^t to the last unit or two, where the difference of the two loses digits.

    Example:
        >>> one_minus_power(0.5, 2), one_minus_power(0.0, 3), one_minus_power(1 - 2.0**-40, 1) == 2.0**-40
        (0.75, 1.0, True)
    """
    return float(-np.expm1(t * np.log1p(beta - 1))) if 0 < beta < 1 else 1.0 - float(beta) ** t


def correction_error(beta: float, t: int, scalars: str = "float64") -> float:
    """How far 1 - beta^t on the host may be from the exact number, relative to it: cancellation enlarges rounding.

    Args:
        beta, t: of which power.
        scalars: the dtype in which the host computes.

    Example:
        >>> correction_error(0.9, 5) < 1e-14 < correction_error(0.99999, 5) < 1e-9
        True
        >>> 1e-5 < correction_error(0.999, 1, "float32") < 1e-3
        True
    """
    found = 1 - Enclosure.of_host(float(beta), scalars) ** t
    return float((found.high - found.low) / 2 / one_minus_power(beta, t))
