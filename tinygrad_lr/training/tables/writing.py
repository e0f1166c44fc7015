"""`prediction_columns` gathers what is written of predictions: kept columns of the table, predictions, probabilities.

There is a row for each row of the table, in its order, whatever is missing in it. formats.py makes lines of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lr.data.columns import Booleans, Numbers, Table
from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.data.targets import shown_class

__all__ = ["prediction_columns"]


def prediction_columns(
    encoder: TableEncoder,
    table: Table,
    values: np.ndarray,
    probabilities: np.ndarray | None = None,
    keep: Sequence[str] = (),
) -> dict[str, list[Any]]:
    """The columns to write: those of the table that are kept, the predictions, the probabilities.

    Args:
        values: predictions, shape (rows, targets): numbers in units, or classes as the table has them.
        probabilities: of each class, shape (rows, classes), to be written too; None: not to be written.
        keep: columns of the table to write beside the predictions.

    Raises:
        TableError: a kept column that the table does not have.

    Example:
        >>> table = Table({"id": ["a", "b", "c"], "x": ["1", "2", "3"], "ill": ["no", "yes", "no"]})
        >>> encoder = TableEncoder.fit(table, "ill")
        >>> shares = np.array([[0.75, 0.25], [0.5, 0.5], [1, 0]])
        >>> classes = np.array([["no"], ["yes"], ["no"]])
        >>> columns = prediction_columns(encoder, table, classes, shares, keep=["id"])
        >>> list(columns), columns["id"], columns["probability_yes"]
        (['id', 'predicted_ill', 'probability_no', 'probability_yes'], ['a', 'b', 'c'], [0.25, 0.5, 0.0])
    """
    kept = {name: _cells(table, name) for name in keep}
    made = {f"predicted_{name}": values[:, place].tolist() for place, name in enumerate(encoder.target_names)}
    if probabilities is not None:
        names = [f"probability_{shown_class(each)}" for each in encoder.classes]
        made.update(zip(names, probabilities.T.tolist(), strict=True))
    return {**{_free(name, made): cells for name, cells in kept.items()}, **made}


def _free(name: str, taken: Mapping[str, object]) -> str:
    """The name of a kept column, with "table_" in front where a prediction has it."""
    while name in taken:
        name = f"table_{name}"
    return name


def _cells(table: Table, name: str) -> list[Any]:
    """The cells of a column as they are: numbers, true and false, texts; None where a value is missing."""
    column, missing = table.column(name), table.missing_in(name).tolist()
    cells: list[Any]
    if isinstance(column, Numbers):
        cells = [int(each) if each % 1 == 0 and abs(each) < 2**53 else each for each in column.values.tolist()]
    elif isinstance(column, Booleans):
        cells = column.values.tolist()
    else:
        cells = column.cells()
    return [None if gone else cell for cell, gone in zip(cells, missing, strict=True)]
