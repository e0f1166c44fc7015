"""`TableEncoder` turns the text of a table into arrays, and predictions back into the units of the target.

Numbers are standardised, categories become one-hot columns. Means and standard deviations are those of the training
rows alone. An encoder can be written as JSON, so a saved model reads a new table exactly as it read the first one.
Next: batches.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .columns import Numbers, Table, TableError, is_number

__all__ = ["Standardiser", "TableEncoder"]

# More distinct texts than this, in more than half of the rows, are names or identifiers and not categories.
FEW_CATEGORIES = 20


class Standardiser:
    """Computes (x - mean) / deviation for each column, and the inverse.

    `deviation` is the population standard deviation (division by n). A constant column has none. It becomes 0
    everywhere, for new values too, and its inverse is its mean: nothing can be learnt of what never varied.

    Args:
        mean, deviation: shape (columns,), float64. The deviation of a constant column is any positive number.
        constant: shape (columns,), bool: which columns are constant; by default none.

    Example:
        >>> standardiser = Standardiser.fit(np.array([[1.0, 7.0], [3.0, 7.0]]))
        >>> standardiser(np.array([[3.0, 7.0]])).tolist()
        [[1.0, 0.0]]
        >>> standardiser.inverse(np.array([[1.0, 0.0]])).tolist()
        [[3.0, 7.0]]
    """

    def __init__(self, mean: np.ndarray, deviation: np.ndarray, constant: np.ndarray | None = None) -> None:
        self.mean = np.asarray(mean, np.float64)
        self.deviation = np.asarray(deviation, np.float64)
        self.constant = np.zeros(self.mean.shape, bool) if constant is None else np.asarray(constant, bool)
        if self.constant.shape != self.mean.shape:
            raise ValueError(f"constant must have the shape of mean, {self.mean.shape}, got {self.constant.shape}")
        if self.mean.shape != self.deviation.shape or self.mean.ndim != 1:
            raise ValueError(
                f"mean and deviation must have one shape (columns,), got {self.mean.shape} and {self.deviation.shape}"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.deviation).all() and (self.deviation > 0).all()):
            raise ValueError("means must be finite, and deviations finite and positive")

    @classmethod
    def fit(cls, values: np.ndarray) -> Standardiser:
        """The standardiser of an array of shape (rows, columns).

        Raises:
            ValueError: another number of axes, no rows, or a number that is not finite.
        """
        values = np.asarray(values, np.float64)
        if values.ndim != 2 or len(values) == 0:
            raise ValueError(f"expected an array of shape (rows, columns) with at least one row, got {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError("values to standardise must be finite; leave out rows with NaN or infinity")
        constant = (values == values[0]).all(axis=0)
        # In units of a power of two near the largest value, sums and squares neither overflow nor vanish.
        exponent = np.frexp(np.abs(values).max(axis=0))[1]
        scaled = np.ldexp(values, -exponent)
        mean, deviation = np.ldexp(scaled.mean(axis=0), exponent), np.ldexp(scaled.std(axis=0), exponent)
        constant |= deviation == 0
        return cls(np.where(constant, values[0], mean), np.where(constant, 1.0, deviation), constant)

    def __iter__(self) -> Iterator[Standardiser]:
        """A standardiser for each column alone."""
        for number in zip(self.mean, self.deviation, self.constant, strict=True):
            yield Standardiser(*(np.array([each]) for each in number))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return np.where(self.constant, 0.0, (values - self.mean) / self.deviation)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Standardised values in the units that `fit` saw."""
        return np.where(self.constant, self.mean, values * self.deviation + self.mean)


class TableEncoder:
    """Turns the columns of a table into the inputs and the target of a model. `TableEncoder.fit` makes one.

    A column of numbers is standardised. A column without any number holds categories: it becomes one column of 0 and 1
    for each category, in sorted order. A mixture is an error, unless the column is listed as `categorical`. Columns
    are found by name, so a table to predict may have them in another order and lack the target.

    Nothing is learnt from what the training rows do not show. An input that is the same in all training rows is 0 for
    every row (`unvarying`). A category that only other rows of the table have is 0 in all inputs of its column
    (`unseen`).

    Example:
        >>> from tinygrad_lr.data.columns import Table
        >>> table = Table({"dose": ["1", "3"], "colour": ["red", "blue"], "effect": ["10", "20"]})
        >>> encoder = TableEncoder.fit(table, target="effect")
        >>> encoder.feature_names
        ['dose', 'colour=blue', 'colour=red']
        >>> encoder.features(table).tolist()
        [[-1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
        >>> encoder.target_in_units(encoder.targets(table)).tolist()
        [[10.0], [20.0]]
    """

    def __init__(
        self,
        target: str,
        columns: dict[str, list[str] | None],
        inputs_scale: Standardiser,
        target_scale: Standardiser,
        unseen: dict[str, list[str]] | None = None,
    ) -> None:
        self.target = target
        self.columns = columns  # name -> the sorted categories of the training rows, or None where it is numeric
        self.unseen = unseen or {}  # name -> the sorted categories that only other rows of the table have
        self.inputs_scale = inputs_scale
        self.target_scale = target_scale

    @classmethod
    def fit(
        cls,
        table: Table,
        target: str,
        rows: np.ndarray | None = None,
        *,
        categorical: Sequence[str] = (),
        ignore: Sequence[str] = (),
    ) -> TableEncoder:
        """The encoder of a table.

        Args:
            target: the column to predict; it must be numeric.
            rows: the training rows, whose means, deviations and categories are used; by default all.
            categorical: columns to treat as categories although their cells are numbers.
            ignore: columns to leave out.

        Raises:
            TableError: an unknown column, a missing value, a mixture of numbers and text, an infinite number, a
                column of identifiers, or no column besides the target.
        """
        for name in (target, *categorical, *ignore):
            table.column(name)
        if target in ignore or target in categorical:
            raise TableError(f"{table.source}: the target {target!r} must be numeric and cannot be ignored")
        table.numbers(target)
        inputs = [name for name in table.names if name != target and name not in ignore]
        if not inputs:
            raise TableError(f"{table.source}: no column besides the target {target!r}; nothing to predict it from")
        every = {name: _categories(table, name, name in categorical) for name in inputs}
        chosen = np.arange(len(table)) if rows is None else np.asarray(rows)
        columns, unseen = _divided(table, every, chosen)
        numeric = [table.numbers(name)[chosen] for name, categories in columns.items() if categories is None]
        return cls(
            target,
            columns,
            Standardiser.fit(np.stack(numeric, axis=1)) if numeric else Standardiser(np.zeros(0), np.zeros(0)),
            Standardiser.fit(table.numbers(target)[chosen, None]),
            unseen,
        )

    @property
    def feature_names(self) -> list[str]:
        """One name for each input of the model: the column, or column=category."""
        names: list[str] = []
        for name, categories in self.columns.items():
            names += [name] if categories is None else [f"{name}={category}" for category in categories]
        return names

    @property
    def unvarying(self) -> list[str]:
        """The columns that are the same in all training rows. They move no prediction."""
        constants = iter(self.inputs_scale.constant)
        return [
            name
            for name, categories in self.columns.items()
            if (next(constants) if categories is None else len(categories) == 1)
        ]

    def features(self, table: Table, dtype: DTypeLike = np.float32) -> np.ndarray:
        """The inputs, shape (rows, len(feature_names)), C-contiguous.

        Raises:
            TableError: a column is absent, a value is missing or no number, or a category was never seen.
        """
        result = np.zeros((len(table), len(self.feature_names)), dtype)
        scales = iter(self.inputs_scale)
        place = 0
        for name, categories in self.columns.items():
            if categories is None:
                result[:, place] = next(scales)(table.numbers(name))
                place += 1
                continue
            codes = self._codes(table, name, categories)
            (rows,) = np.nonzero(codes < len(categories))
            if len(categories) > 1:
                result[rows, place + codes[rows]] = 1
            place += len(categories)
        return result

    def _codes(self, table: Table, name: str, categories: list[str]) -> np.ndarray:
        """The number of each row's category; an unseen one has a number past the others."""
        code = {category: i for i, category in enumerate([*categories, *self.unseen.get(name, [])])}
        cells = table.column(name).cells()
        table.refuse_missing(name)
        for row, cell in enumerate(cells):
            if cell not in code:
                known = ", ".join(map(repr, [*code][:10])) + (", ..." if len(code) > 10 else "")
                raise table.at(row, name, f"category {cell!r} was not in the training table, which had {known}")
        return np.array([code[cell] for cell in cells], np.int64)

    def targets(self, table: Table, dtype: DTypeLike = np.float32) -> np.ndarray:
        """The standardised target, shape (rows, 1)."""
        return self.target_scale(table.numbers(self.target)[:, None]).astype(dtype)

    def target_in_units(self, standard: np.ndarray) -> np.ndarray:
        """A standardised target or prediction in the units of the table, float64."""
        return self.target_scale.inverse(np.asarray(standard, np.float64))

    def to_json(self) -> dict[str, Any]:
        """The encoder as plain lists, numbers and strings, for JSON; float64 numbers are kept exactly."""
        return {
            "target": self.target,
            "columns": self.columns,
            "unseen": self.unseen,
            "inputs_mean": self.inputs_scale.mean.tolist(),
            "inputs_deviation": self.inputs_scale.deviation.tolist(),
            "inputs_constant": self.inputs_scale.constant.tolist(),
            "target_mean": self.target_scale.mean.tolist(),
            "target_deviation": self.target_scale.deviation.tolist(),
            "target_constant": self.target_scale.constant.tolist(),
        }

    @classmethod
    def from_json(cls, learnt: dict[str, Any]) -> TableEncoder:
        """The encoder that `to_json` described, made again.

        Raises:
            ValueError: something is absent or has the wrong form.
        """
        if not isinstance(learnt, dict):
            raise ValueError(f"the description of a table's encoding must be a dict, got {type(learnt).__name__}")
        name = learnt.get("target")
        if not isinstance(name, str) or not name:
            raise ValueError(f"a table's encoding needs the name of its target, got {name!r:.60}")
        columns = _texts(learnt, "columns", numeric=True)
        unseen: dict[str, Any] = _texts(learnt, "unseen") if "unseen" in learnt else {}
        if name in columns or not columns:
            raise ValueError("a table's encoding needs columns other than its target")
        for column, kept in unseen.items():
            if set(kept) & set(columns.get(column) or kept):
                raise ValueError(f"unseen categories of {column!r:.60} are of no column of categories, or were seen")
        inputs, target = (  # an older description does not say which columns are constant
            Standardiser(
                _numbers(learnt, f"{of}_mean"), _numbers(learnt, f"{of}_deviation"), _flags(learnt, f"{of}_constant")
            )
            for of in ("inputs", "target")
        )
        numeric = sum(kept is None for kept in columns.values())
        if inputs.mean.shape != (numeric,) or target.mean.shape != (1,):
            raise ValueError(
                f"a table's encoding with {numeric} numeric columns has {inputs.mean.size} means of inputs and "
                f"{target.mean.size} of targets"
            )
        return cls(name, columns, inputs, target, unseen)


def _texts(learnt: dict[str, Any], part: str, numeric: bool = False) -> dict[str, Any]:
    """A dict of lists of texts that differ, each with at least one; with `numeric`, of such lists or None."""
    found = learnt.get(part)
    if not isinstance(found, dict):
        raise ValueError(f"a table's encoding needs a dict of {part!r}, got {type(found).__name__}")
    for name, kept in found.items():
        if kept is None and numeric:
            continue
        if not isinstance(kept, list) or not kept or not all(isinstance(each, str) for each in kept):
            raise ValueError(
                f"{part!r} of a table's encoding must be lists of texts, got {kept!r:.60} for {name!r:.60}"
            )
        if len(set(kept)) < len(kept):
            raise ValueError(f"{part!r} of a table's encoding has a text twice for {name!r:.60}")
    return {name: kept if kept is None else list(kept) for name, kept in found.items()}


def _numbers(learnt: dict[str, Any], part: str) -> np.ndarray:
    found = learnt.get(part)
    if not isinstance(found, list) or not all(type(each) in (int, float) for each in found):
        raise ValueError(f"{part!r} of a table's encoding must be a list of numbers, got {found!r:.60}")
    try:
        return np.array(list(map(float, found)), np.float64)
    except OverflowError as error:
        raise ValueError(f"{part!r} of a table's encoding has a number beyond float64") from error


def _flags(learnt: dict[str, Any], part: str) -> np.ndarray | None:
    found = learnt.get(part)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(each, bool) for each in found):
        raise ValueError(f"{part!r} of a table's encoding must be a list of true and false, got {found!r:.60}")
    return np.array(found, bool)


def _divided(
    table: Table, every: dict[str, list[str] | None], rows: np.ndarray
) -> tuple[dict[str, list[str] | None], dict[str, list[str]]]:
    """The categories of each column that these rows have, and those that only other rows have."""
    columns: dict[str, list[str] | None] = {}
    unseen: dict[str, list[str]] = {}
    for name, categories in every.items():
        columns[name] = None
        if categories is not None:
            cells = table.column(name).cells()
            seen = {cells[row] for row in rows}
            columns[name] = [each for each in categories if each in seen]
            if others := [each for each in categories if each not in seen]:
                unseen[name] = others
    return columns, unseen


def _categories(table: Table, name: str, wanted: bool) -> list[str] | None:
    """The sorted categories of a column, or None where it is numeric."""
    column = table.column(name)
    table.refuse_missing(name)
    if isinstance(column, Numbers) and not wanted:
        table.numbers(name)
        return None
    cells = column.cells()
    numbers = sum(map(is_number, cells))
    if numbers == len(cells) and not wanted:
        table.numbers(name)
        return None
    if 0 < numbers < len(cells) and not wanted:
        row, cell = next((row, cell) for row, cell in enumerate(cells) if not is_number(cell))
        raise table.at(
            row,
            name,
            f"{cell!r} is not a number, but {numbers} other cells of the column are; correct "
            "it, or declare the column categorical",
        )
    if all(is_number(cell.replace(",", ".", 1)) for cell in cells) and not wanted:
        raise table.at(0, name, f"{cells[0]!r} is not a number; write decimals with a point")
    categories = sorted(set(cells))
    if len(categories) > max(FEW_CATEGORIES, len(cells) / 2) and not wanted:
        raise TableError(
            f"{table.source}: column {name!r} has {len(categories)} different texts in {len(cells)} rows, "
            "which looks like an identifier; ignore the column, or declare it categorical"
        )
    return categories
