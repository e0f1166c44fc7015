"""What is raced on: a table, or a function of two numbers with its gradient written out. Next: running.py.

The functions use + - * alone, so that they have the same bits on every machine. None of them has noise; a seed above 0
moves the start, so that the spread over seeds says how much a result owes to one starting point.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tinygrad_lr.data.datasets import DIABETES, DIABETES_TARGET
from tinygrad_lr.reals import real_number
from tinygrad_lr.settings import setting
from tinygrad_lr.training.tables.speaking import in_python

__all__ = ["FUNCTIONS", "Function", "Problem", "function_of", "problem"]

MOVED = 0.1  # the standard deviation, in each coordinate, by which a seed above 0 moves the start
Point = tuple[float, float]


@dataclass(frozen=True)
class Problem:
    """What is raced on, as plain values, so that every process builds the same.

    Attributes:
        kind: "table", or a name of `FUNCTIONS`.
        condition: the quadratic's condition number; 1 for all others.
        path: of the table.
        sha256: of the file's bytes; a run refuses a file that has changed since.
        target: the column to predict.
        hidden: units of hidden layers; none is a linear model.
        held_out: the share of the rows on which the loss is measured.
    """

    kind: str
    condition: float = 1.0
    path: str = ""
    sha256: str = ""
    target: str = ""
    hidden: tuple[int, ...] = ()
    held_out: float = 0.3

    @property
    def is_function(self) -> bool:
        """Whether it is a function of two numbers."""
        return self.kind != "table"

    @property
    def name(self) -> str:
        """How it is called in tables and pictures."""
        if self.kind == "quadratic":
            return f"quadratic({self.condition:g})"
        return self.kind if self.is_function else Path(self.path).name

    @property
    def measured(self) -> str:
        """What the loss of a run is."""
        if self.is_function:
            return "the function's value after the last step; its minimum is 0"
        return "the loss of the held-out rows after the last step, a number being predicted in standard deviations"

    @property
    def within(self) -> float:
        """The factor of the best loss within which a rate counts as good, where none is given.

        A function's values fall by orders of magnitude; a table's loss has a floor, near which a tenth matters.
        """
        return 10.0 if self.is_function else 1.1


@dataclass(frozen=True)
class Function:
    """A function of two numbers.

    Attributes:
        start: where runs with seed 0 begin.
        value: f(x, y).
        gradient: both derivatives at (x, y), exact up to rounding.
        minimum: where f is 0.
        source: who published formula and start.
        seen: the ranges of x and y that a picture shows.
    """

    start: Point
    value: Callable[[float, float], float]
    gradient: Callable[[float, float], Point]
    minimum: Point
    source: str
    seen: tuple[Point, Point]

    def start_of(self, seed: int) -> np.ndarray:
        """The start of a seed, float64, shape (2,): seed 0 has the published one, others one moved by a normal draw."""
        start = np.array(self.start)
        return start if seed == 0 else start + MOVED * np.random.default_rng(seed).standard_normal(2)


def _rosenbrock(x: float, y: float) -> float:
    valley, rest = y - x * x, 1 - x
    return 100 * (valley * valley) + rest * rest


def _rosenbrock_gradient(x: float, y: float) -> Point:
    valley = y - x * x
    return -400 * (x * valley) - 2 * (1 - x), 200 * valley


BEALES = (1.5, 2.25, 2.625)


def _beale(x: float, y: float) -> float:
    total, power = 0.0, 1.0
    for constant in BEALES:
        power *= y
        residual = constant - x * (1 - power)
        total += residual * residual
    return total


def _beale_gradient(x: float, y: float) -> Point:
    by_x = by_y = 0.0
    power = 1.0
    for number, constant in enumerate(BEALES, 1):
        before, power = power, power * y
        residual = constant - x * (1 - power)
        by_x -= 2 * residual * (1 - power)
        by_y += 2 * residual * x * (number * before)
    return by_x, by_y


# The quadratic's axes are turned by the angle of the triangle with sides 3, 4 and 5: optimizers with a rate for each
# element see one along the coordinates as two separate problems of one number, whatever its condition.
COS, SIN = 0.8, 0.6


def _quadratic(x: float, y: float, condition: float) -> float:
    u, v = COS * x + SIN * y, COS * y - SIN * x
    return 0.5 * (u * u + condition * (v * v))


def _quadratic_gradient(x: float, y: float, condition: float) -> Point:
    u, v = COS * x + SIN * y, condition * (COS * y - SIN * x)
    return COS * u - SIN * v, SIN * u + COS * v


MORE = (
    "start and formula as in Moré, Garbow and Hillstrom (1981), Testing Unconstrained Optimization Software, ACM "
    "Transactions on Mathematical Software 7(1)"
)
FUNCTIONS = {
    "rosenbrock": Function(
        (-1.2, 1.0),
        _rosenbrock,
        _rosenbrock_gradient,
        (1.0, 1.0),
        "Rosenbrock (1960), An Automatic Method for Finding the Greatest or Least Value of a Function, The Computer "
        f"Journal 3(3); {MORE}, problem 1: f = 100 (y - x^2)^2 + (1 - x)^2",
        ((-2.0, 2.0), (-1.0, 3.0)),
    ),
    "beale": Function(
        (1.0, 1.0),
        _beale,
        _beale_gradient,
        (3.0, 0.5),
        "Beale (1958), On an Iterative Method of Finding a Local Minimum of a Function of More than One Variable, "
        f"Princeton, Technical Report 25; {MORE}, problem 5: f = sum of (c_i - x (1 - y^i))^2, i = 1, 2, 3, with "
        "c = 1.5, 2.25, 2.625",
        ((-1.0, 4.5), (-1.5, 2.0)),
    ),
    "quadratic": Function(
        (0.2, 1.4),  # u = v = 1
        partial(_quadratic, condition=1.0),
        partial(_quadratic_gradient, condition=1.0),
        (0.0, 0.0),
        "f = (u^2 + condition v^2) / 2 as in Boyd and Vandenberghe (2004), Convex Optimization, section 9.3.2, with "
        "its axes turned: u = 0.8 x + 0.6 y, v = 0.8 y - 0.6 x; it starts at u = v = 1",
        ((-1.5, 1.5), (-1.5, 1.9)),
    ),
}


def function_of(given: Problem) -> Function:
    """The function that a problem names, with its condition number in place.

    Example:
        >>> function_of(problem("quadratic(100)")).value(1.0, 0.0)  # (0.8^2 + 100 * 0.6^2) / 2
        18.32
    """
    found = FUNCTIONS[given.kind]
    if given.kind != "quadratic":
        return found
    condition = given.condition
    return Function(
        found.start,
        partial(_quadratic, condition=condition),
        partial(_quadratic_gradient, condition=condition),
        found.minimum,
        found.source,
        found.seen,
    )


@in_python
def problem(
    given: str | os.PathLike[str] | Problem | None = None,
    target: str | None = None,
    hidden: tuple[int, ...] | list[int] = (),
    held_out: float = 0.3,
) -> Problem:
    """The problem that a text names.

    Args:
        given: "rosenbrock", "beale", "quadratic(K)" with its condition number K of at least 1, or the path of a table
            (a table called rosenbrock is ./rosenbrock). None: the diabetes data.
        target: the column to predict; needed with a table, and only with one.
        hidden: units of hidden layers, for a table; none is a linear model.
        held_out: the share of a table's rows on which the loss is measured, above 0 and below 1.

    Raises:
        TypeError: no text, path or Problem.
        ValueError: a condition number below 1, or an argument that the problem does not have.
        OSError: the table cannot be read.

    Example:
        >>> problem("quadratic(1e4)").name, problem().name
        ('quadratic(10000)', 'diabetes.csv')
    """
    if isinstance(given, Problem):
        return given
    if given is not None and not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"a problem is the name of a function, or the path of a table; got {type(given).__name__}")
    text = None if given is None else os.fspath(given)
    kind, bracket, rest = (text or "").partition("(")
    if text is not None and (text in FUNCTIONS or (bracket and rest.endswith(")") and kind in FUNCTIONS)):
        if target is not None or hidden:
            raise ValueError(f"--target and --hidden are for tables, and {text} is a function; leave them out")
        condition = 1.0
        if kind == "quadratic":
            condition = _condition(text, rest[:-1])
        elif bracket:
            raise ValueError(f"{kind} takes no number, got {text!r}; write {kind}")
        return Problem(kind, condition)
    if text is not None and target is None:
        known = ", ".join(FUNCTIONS).replace("quadratic", "quadratic(K)")
        raise ValueError(
            f"{text!r} is taken for a table, which needs --target, the column to predict; functions are {known}"
        )
    path = Path(DIABETES if text is None else text).resolve()
    share = real_number("held_out", held_out, above=0, most=1)
    if share == 1:
        raise ValueError("held_out must be below 1, so that there are rows to train on; got 1")
    column = DIABETES_TARGET if target is None else target
    return Problem("table", path=str(path), sha256=sha256_of(path), target=column, hidden=tuple(hidden), held_out=share)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _condition(text: str, written: str) -> float:
    value = setting(f"condition={written or 'none'}")[1]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value < math.inf:
        raise ValueError(f"quadratic(K) needs a condition number of at least 1, as in quadratic(100); got {text!r}")
    return float(value)
