"""Surfaces over two numbers, on which the page runs optimizers: those of the race, and some that teach.

All use + - * / alone, in an order that is written out, so that Python and JavaScript have the same bits. A path on one
is a parameter of shape (1, 2) in float32, (x, y): its gradient is computed in float64 and cast. Next: batches.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from tinygrad_lr.race.problems import FUNCTIONS

__all__ = ["SURFACES", "Argument", "Surface", "best_line", "line", "line_gradient"]

Point = tuple[float, float]
Column = Sequence[float]  # of a table


class Argument(NamedTuple):
    """A number that shapes a surface.

    Attributes:
        name: of the argument of its functions.
        least: the smallest value that makes sense.
        default: its value where none is given.
    """

    name: str
    least: float
    default: float


@dataclass(frozen=True)
class Surface:
    """A surface.

    Attributes:
        about: a sentence on it, with its source.
        value: f(x, y, ...), of the arguments in their order.
        gradient: both derivatives, exact up to rounding.
        start: where paths begin.
        minimum: a place where f is least; None where there are more than two.
        seen: the ranges of x and y that a picture shows.
        arguments: what else its functions take.
        twin: the other place where f is least, of a surface with two.
    """

    about: str
    value: Callable[..., float]
    gradient: Callable[..., Point]
    start: Point
    minimum: Point | None
    seen: tuple[Point, Point]
    arguments: tuple[Argument, ...] = ()
    twin: Point | None = None


def parabola(x: float, y: float, curvature: float) -> float:
    """curvature / 2 x^2; y is not used."""
    return 0.5 * curvature * (x * x)


def parabola_gradient(x: float, y: float, curvature: float) -> Point:
    """Its derivatives.

    Example:
        >>> parabola_gradient(2.0, 0.0, 3.0)
        (6.0, 0.0)
    """
    return curvature * x, 0.0


def saddle(x: float, y: float) -> float:
    """1/4 + x^2 / 2 + y^4 / 4 - y^2 / 2: a saddle at (0, 0) between two minima, (0, 1) and (0, -1), where it is 0."""
    square = y * y
    return 0.25 + 0.5 * (x * x) + (0.25 * square - 0.5) * square


def saddle_gradient(x: float, y: float) -> Point:
    """Its derivatives.

    Example:
        >>> saddle_gradient(0.0, 1.0), saddle_gradient(1.0, 2.0)
        ((0.0, 0.0), (1.0, 6.0))
    """
    return x, (y * y - 1.0) * y


STEPS = 50  # of the recurrent unit
WANTED = 0.7  # what it should give after these


def cliff(weight: float, bias: float) -> float:
    """(s(x_50) - 0.7)^2 of a unit that feeds itself: x <- weight s(x) + bias from x = 0, s being `activation`."""
    x = 0.0
    for _ in range(STEPS):
        x = weight * activation(x) + bias
    error = activation(x) - WANTED
    return error * error


def activation(x: float) -> float:
    """From 0 to 1 as the logistic function, by + - * / alone."""
    return 0.5 * (1.0 + x / (1.0 + abs(x)))


def cliff_gradient(weight: float, bias: float) -> Point:
    """Its derivatives, carried along through the steps."""
    x = by_weight = by_bias = 0.0
    for _ in range(STEPS):
        slope = weight * activation_slope(x)
        by_weight = activation(x) + slope * by_weight
        by_bias = 1.0 + slope * by_bias
        x = weight * activation(x) + bias
    outer = 2.0 * (activation(x) - WANTED) * activation_slope(x)
    return outer * by_weight, outer * by_bias


def activation_slope(x: float) -> float:
    """The derivative of `activation`."""
    below = 1.0 + abs(x)
    return 0.5 / (below * below)


# --- the line through rows of a table ---------------------------------------------------------------------------------


def line(x: float, y: float, first: Column, second: Column, target: Column, rows: Sequence[int]) -> float:
    """The mean of (x first + y second - target)^2 over some rows: least squares without a bias.

    The page standardises features and target, so that their means are 0, and the best bias with them.

    Args:
        x, y: the two weights.
        first, second, target: a number for each row of the table.
        rows: numbers of rows, at least one.

    Example:
        >>> line(1.0, 2.0, [1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0, 1])
        2.5
    """
    total = 0.0
    for row in rows:
        residual = x * first[row] + y * second[row] - target[row]
        total += residual * residual
    return total / len(rows)


def line_gradient(x: float, y: float, first: Column, second: Column, target: Column, rows: Sequence[int]) -> Point:
    """Its derivatives by both weights.

    Example:
        >>> line_gradient(1.0, 2.0, [1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0, 1])
        (1.0, 2.0)
    """
    by_x = by_y = 0.0
    for row in rows:
        residual = x * first[row] + y * second[row] - target[row]
        by_x += residual * first[row]
        by_y += residual * second[row]
    return 2.0 * by_x / len(rows), 2.0 * by_y / len(rows)


def best_line(first: Column, second: Column, target: Column) -> Point:
    """Where the loss over all rows is least: the normal equations of two weights, by Cramer's rule.

    Raises:
        ValueError: the features are multiples of each other, so that there are many such places.

    Example:
        >>> best_line([1.0, 0.0], [0.0, 1.0], [3.0, 4.0])
        (3.0, 4.0)
    """
    a = b = c = d = e = 0.0
    for one, other, wanted in zip(first, second, target, strict=True):
        a += one * one
        b += one * other
        c += other * other
        d += one * wanted
        e += other * wanted
    determinant = a * c - b * b
    if determinant <= 1e-12 * (a * c):
        raise ValueError("the two features are multiples of each other; choose another one")
    return (d * c - b * e) / determinant, (a * e - b * d) / determinant


# --- the table --------------------------------------------------------------------------------------------------------


def _raced(name: str, about: str, *arguments: Argument) -> Surface:
    """A function of the race."""
    found = FUNCTIONS[name]
    value, gradient = _open(found.value), _open(found.gradient)
    return Surface(about, value, gradient, found.start, found.minimum, found.seen, arguments)


def _open(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function without what is fixed in it."""
    return function.func if isinstance(function, partial) else function


SURFACES = {
    "parabola": Surface(
        "One parameter: y = curvature / 2 x^2. Gradient descent converges where the rate is below 2 / curvature.",
        parabola,
        parabola_gradient,
        (2.0, 0.0),
        (0.0, 0.0),
        ((-2.5, 2.5), (-1.0, 1.0)),
        (Argument("curvature", 0.0, 1.0),),
    ),
    "quadratic": _raced(
        "quadratic",
        "A bowl whose condition number says how much steeper it is across than along (Boyd and Vandenberghe, 2004).",
        Argument("condition", 1.0, 10.0),
    ),
    "rosenbrock": _raced("rosenbrock", "A curved valley with steep sides and a flat floor (Rosenbrock, 1960)."),
    "beale": _raced("beale", "A valley between plateaus, with steep corners (Beale, 1958)."),
    "saddle": Surface(
        "A saddle at (0, 0) between two minima: Nesterov (2004), Introductory Lectures on Convex Optimization, "
        "example 1.2.2, with 1/4 added.",
        saddle,
        saddle_gradient,
        (1.0, 0.01),
        (0.0, 1.0),
        ((-1.5, 1.5), (-1.6, 1.6)),
        twin=(0.0, -1.0),
    ),
    "cliff": Surface(
        "A plateau with a cliff: the error of one recurrent unit after 50 steps, over its weight and its bias. "
        "Pascanu, Mikolov and Bengio, arXiv:1211.5063, figure 6, with x / (1 + |x|) in the place of the exponential.",
        cliff,
        cliff_gradient,
        (5.5, -2.0),
        None,
        ((0.0, 7.0), (-4.0, 1.0)),
    ),
}
