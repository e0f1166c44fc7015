"""Decisions on intervals: a comparison that rounding may decide either way is followed both ways.

An enclosure's comparison is a `Truth`: for each element whether it may hold, and whether it may not. `branches` runs a
function whose `if` asks such a truth: once for every way in which its decisions may go, each with the elements for
which they may go so. `where(condition, a, b)` (numbers.py) needs no such runs. Next: numbers.py, scalar.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")
MOST = 64  # ways through one step


EACH = (
    "rounding may decide it, and it may differ from element to element; write verify.where(condition, a, b), or an "
    "`if` about each element, or about a norm or total"
)


class Undecided(Exception):
    """A program asked an array, or an interval, for one yes or no."""


class Truth:
    """What a comparison says, elementwise: whether it may hold, and whether it may fail.

    `among` puts together what is chosen by it: see `Enclosure.among`.
    """

    __slots__ = ("among", "may_fail", "may_hold")
    __array_ufunc__ = None

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} of a comparison of intervals: {EACH}")

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, may_hold: Any, may_fail: Any, among: Callable[[Any], Any] | None = None) -> None:
        self.may_hold, self.may_fail, self.among = np.asarray(may_hold, bool), np.asarray(may_fail, bool), among

    @classmethod
    def of(cls, condition: Any) -> Truth:
        """Any condition: a truth, an array of booleans or a boolean."""
        return condition if isinstance(condition, Truth) else cls(condition, ~np.asarray(condition, bool))

    def __invert__(self) -> Truth:
        return Truth(self.may_fail, self.may_hold, self.among)

    def __and__(self, other: Any) -> Truth:
        other = Truth.of(other)
        return Truth(self.may_hold & other.may_hold, self.may_fail | other.may_fail, self.among or other.among)

    def __or__(self, other: Any) -> Truth:
        other = Truth.of(other)
        return Truth(self.may_hold | other.may_hold, self.may_fail & other.may_fail, self.among or other.among)

    __rand__, __ror__ = __and__, __or__

    def __bool__(self) -> bool:
        if (way := _way.get()) is not None:
            return way.decide(self)
        if self.may_hold.all() and not self.may_fail.any():
            return True
        if self.may_fail.all() and not self.may_hold.any():
            return False
        raise Undecided("rounding may decide this comparison, or it differs from element to element")


class _Way:
    """One way through a program: the decisions that are given, then the first that is possible of each."""

    def __init__(self, given: tuple[bool, ...]) -> None:
        self.given, self.made, self.where = given, [], np.asarray(True)  # type: tuple[bool, ...], list[bool], Any
        self.others: list[tuple[bool, ...]] = []

    def decide(self, truth: Truth) -> bool:
        possible = {True: self.where & truth.may_hold, False: self.where & truth.may_fail}
        number = len(self.made)
        if number < len(self.given):
            chosen = self.given[number]
        else:
            chosen = bool(possible[True].any())
            if possible[not chosen].any():
                self.others.append((*self.made, not chosen))
        self.made.append(chosen)
        self.where = possible[chosen]
        return chosen


_way: ContextVar[_Way | None] = ContextVar("_way", default=None)


def branches(run: Callable[[], Result]) -> list[tuple[np.ndarray, Result]]:
    """What `run` returns on every way through it, and for which elements that way is possible.

    Raises:
        Undecided: there are too many ways.

    Example:
        >>> condition = Truth([True, True], [False, True])
        >>> [(where.tolist(), found) for where, found in branches(lambda: "yes" if condition else "no")]
        [([True, True], 'yes'), ([False, True], 'no')]
    """
    waiting: list[tuple[bool, ...]] = [()]
    found = []
    while waiting:
        way = _Way(waiting.pop())
        token = _way.set(way)
        try:
            result = run()
        finally:
            _way.reset(token)
        found.append((way.where, result))
        waiting += way.others
        if len(found) + len(waiting) > MOST:
            raise Undecided(f"there are more than {MOST} ways through the decisions of one step")
    return found
