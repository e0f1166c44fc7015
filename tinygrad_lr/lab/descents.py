"""What a path descends on, for programs: `surface_of` a name, and the `least_squares` of a table's rows, with batches.

The page's "Copy as Python" writes programs with them. They have the page's bits, because it runs these functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinygrad_lr.integers import whole_number
from tinygrad_lr.reals import real_number

from .batches import first_key, order
from .rows import TableRows
from .surfaces import SURFACES, line, line_gradient

__all__ = ["Descent", "least_squares", "surface_of"]

Point = tuple[float, float]


@dataclass(frozen=True)
class Descent:
    """A function of two numbers, with its gradient at each step.

    Attributes:
        value: f(x, y).
        gradient: both derivatives at (x, y), as step 0, 1, ... sees them: gradient(x, y, step).
        minimum: a place where f is least; None where there are more than two.
    """

    value: Callable[[float, float], float]
    gradient: Callable[..., Point]
    minimum: Point | None


def surface_of(name: str, **arguments: float) -> Descent:
    """A surface of the page.

    Args:
        name: a key of `surfaces.SURFACES`.
        arguments: the numbers that shape it, by their names; each has a default.

    Raises:
        ValueError: no such surface, an argument that it does not have, or one that is too small.

    Example:
        >>> surface_of("quadratic", condition=100).value(1.0, 0.0)  # (0.8^2 + 100 * 0.6^2) / 2
        18.32
    """
    if name not in SURFACES:
        raise ValueError(f"a surface is one of {', '.join(SURFACES)}, got {name!r}")
    surface = SURFACES[name]
    known = {each.name: each for each in surface.arguments}
    for each in arguments:
        if each not in known:
            has = f"has {', '.join(known)}" if known else "has no arguments"
            raise ValueError(f"{name} {has}, got {each!r}")
    given = [real_number(each, arguments.get(each, row.default), least=row.least) for each, row in known.items()]
    return Descent(
        lambda x, y: surface.value(x, y, *given), lambda x, y, step=0: surface.gradient(x, y, *given), surface.minimum
    )


def least_squares(rows: TableRows, batch: int = 0, seed: int = 0) -> Descent:
    """The mean squared error of a linear model with two weights on the rows of a table.

    Args:
        rows: of `rows_of`.
        batch: how many rows a step sees, the next ones of the order of its epoch, as a DataLoader has them that
            shuffles; the last batch of an epoch may be smaller. 0: all rows, in their own order.
        seed: of the orders, at least 0.

    Raises:
        TypeError, ValueError: a batch or a seed that is no whole number of at least 0.

    Example:
        >>> from tinygrad_lr.lab import rows_of
        >>> loss = least_squares(rows_of())
        >>> round(loss.value(*loss.minimum), 4), [round(abs(each), 9) for each in loss.gradient(*loss.minimum)]
        (0.5405, [0.0, 0.0])
    """
    batch, seed = whole_number("batch", batch, 0), whole_number("seed", seed, 0)
    first, second = rows.inputs.T.tolist()
    target = rows.targets.tolist()
    every = range(len(target))

    def seen(step: int) -> list[int] | range:
        if not batch:
            return every
        epoch, number = divmod(step, -(-len(target) // batch))
        return order(first_key(seed), epoch, len(target))[number * batch : (number + 1) * batch]

    def value(x: float, y: float) -> float:
        return line(x, y, first, second, target, every)

    def gradient(x: float, y: float, step: int = 0) -> Point:
        return line_gradient(x, y, first, second, target, seen(step))

    return Descent(value, gradient, rows.minimum)
