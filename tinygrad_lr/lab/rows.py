"""`rows_of`: the rows of a table that the page descends on: two standardised features and a standardised target.

All three columns have mean 0, so that least squares needs no bias, and its loss is a surface over two weights.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lr.data.cells import as_numbers
from tinygrad_lr.data.columns import Table, TableError
from tinygrad_lr.data.datasets import DIABETES, DIABETES_TARGET
from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.data.inputs import NumberInput
from tinygrad_lr.data.recognition import Conventions
from tinygrad_lr.data.standardising import Standardiser
from tinygrad_lr.training.tables.opening import opened

from .surfaces import best_line

__all__ = ["LIKELY_FEATURES", "MOST_ROWS", "TableRows", "rows_of"]

LIKELY_FEATURES = ("bmi", "s5")  # of the diabetes data: those that say most of the target, apart and together
MOST_ROWS = 500  # that a page holds: it stays small, and a step over all of them quick
FEWEST_ROWS = 3  # two rows are met by many pairs of weights
DECIMALS = 6  # that standardised numbers keep, in the page and here


@dataclass(frozen=True)
class TableRows:
    """Rows of a table for least squares with two weights.

    Attributes:
        name: what the table is called.
        features, target: the names of the columns.
        inputs: standardised features, float64, shape (rows, 2).
        targets: the standardised target, float64, shape (rows,).
        usable: how many rows of the table have all three values; the first `MOST_ROWS` of them are here.
        minimum: the two weights whose mean squared error is the smallest.
        call: what Python writes to have the same rows; `table` stands for one that is no file.
    """

    name: str
    features: tuple[str, str]
    target: str
    inputs: np.ndarray
    targets: np.ndarray
    usable: int
    minimum: tuple[float, float]
    call: str


def rows_of(
    table: Any = None,
    target: str | None = None,
    features: Sequence[str] | None = None,
    *,
    decimal: str | None = None,
    **reading: Any,
) -> TableRows:
    """The rows of a table that the page descends on.

    Args:
        table: the path of a file, "-" for standard input, a Table, or what `data.as_table` takes. None: the diabetes
            data.
        target: the column to predict; needed with a table, and only with one.
        features: two columns of numbers; by default the first two that vary (of the diabetes data: bmi and s5).
        decimal: "." or ",", of numbers that could be read in two ways.
        reading: other options of `data.read_table`.

    Raises:
        TypeError: features that are one text.
        ValueError: a target without a table or a table without a target; not two features, one that is the target or
            the other one, or two that are multiples of each other.
        TableError: an unknown column, one that has texts or does not vary, or fewer than two that could be features.
        OSError: the table cannot be read.

    Example:
        >>> found = rows_of()
        >>> found.call, found.features, found.inputs.shape, [round(weight, 2) for weight in found.minimum]
        ('rows_of()', ('bmi', 's5'), (442, 2), [0.42, 0.38])
    """
    reading = reading if decimal is None else {**reading, "decimal": decimal}
    call = _call(table, target, features, reading)
    if table is None:
        if target is not None and target != DIABETES_TARGET:
            raise ValueError(f"a target belongs to a table; without one it is {DIABETES_TARGET!r}, got {target!r}")
        table, target = DIABETES, DIABETES_TARGET
        features = LIKELY_FEATURES if features is None else features
    if isinstance(features, str):
        raise TypeError(f"features must be a list of two names, got the text {features!r:.100}")
    found = opened(table, reading)
    if target is None:
        raise ValueError(f"--target is missing: which column of {found.source} is to be predicted?")
    conventions = Conventions(decimal)
    predicted = as_numbers(found, target, conventions, dates_too=False)
    names = _features(found, target, features, decimal)
    columns = [*(as_numbers(found, name, conventions, dates_too=False) for name in names), predicted]
    usable = np.flatnonzero(np.isfinite(np.stack(columns)).all(axis=0))
    if not len(usable):
        raise TableError(f"{found.source}: no row has values of {', '.join(map(repr, (*names, target)))}")
    values = np.stack(columns, axis=1)[usable[:MOST_ROWS]]
    if len(values) < FEWEST_ROWS:
        raise TableError(
            f"{found.source}: only {len(values)} rows have values of {', '.join(map(repr, (*names, target)))}; "
            f"the weights of two features need at least {FEWEST_ROWS}"
        )
    scale = Standardiser.fit(values)
    for name, constant, value in zip((*names, target), scale.constant.tolist(), values[0].tolist(), strict=True):
        if constant:
            raise TableError(
                f"{found.source}: {name!r} is always {value:g} in the {len(values):,} rows that have all values; "
                "nothing can be learnt of what never varies, name another column"
            )
    standard = np.round(scale(values), DECIMALS)
    inputs, targets = np.ascontiguousarray(standard[:, :2]), np.ascontiguousarray(standard[:, 2])
    try:
        x, y = best_line(inputs[:, 0].tolist(), inputs[:, 1].tolist(), targets.tolist())
    except ValueError:
        raise TableError(
            f"{found.source}: {names[0]!r} and {names[1]!r} are multiples of each other once their means are 0; "
            "name another column"
        ) from None
    name = os.path.basename(table) if _is_file(table) else found.source
    return TableRows(name, names, target, inputs, targets, len(usable), (x, y), call)


def _call(table: Any, target: str | None, features: Sequence[str] | None, reading: dict[str, Any]) -> str:
    """The call of `rows_of` with these arguments, as Python writes it."""
    given = [] if table is None else [repr(os.fspath(table)) if _is_file(table) else "table"]
    named = {"target": target, "features": None if features is None else list(features), **reading}
    given += [f"{name}={value!r}" for name, value in named.items() if value is not None]
    return f"rows_of({', '.join(given)})"


def _is_file(table: Any) -> bool:
    """Whether a table is a file that can be read again."""
    return isinstance(table, (str, os.PathLike)) and os.fspath(table) != "-"


def _features(table: Table, target: str, given: Sequence[str] | None, decimal: str | None) -> tuple[str, str]:
    """The two features that were given, or the first two columns of numbers that vary."""
    if given is not None:
        names = list(given)
        if len(names) != 2:
            raise ValueError(f"the page shows two features, got {len(names)}; name two, as in --features a,b")
        for name in names:
            table.column(name)
        if target in names:
            raise ValueError(f"{target!r} is the target and cannot be a feature, too; name another column")
        if names[0] == names[1]:
            raise ValueError(f"the page shows two features, got {names[0]!r} twice; name another column")
        return names[0], names[1]
    inputs = TableEncoder.fit(table, None, ignore=[target], decimal=decimal).inputs
    found = [each.name for each in inputs if isinstance(each, NumberInput) and each.varies]
    if len(found) < 2:
        why = "; ".join(f"{each.name} {each.describe()}" for each in inputs[:5])
        raise TableError(f"{table.source}: fewer than two columns of numbers that vary ({why}); the page shows two")
    return found[0], found[1]
