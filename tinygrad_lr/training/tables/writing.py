"""Predictions as the lines of a file: `prediction_columns` names and gathers them, `FORMATS` writes CSV or JSON lines.

There is a line for each row of the table, in its order, whatever is missing in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from tinygrad_lr.data.columns import Booleans, Numbers, Table, number_text
from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.data.targets import shown_class

__all__ = ["FORMATS", "csv_field", "format_of", "prediction_columns"]

JSON_LINES = (".jsonl", ".ndjson")


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
        >>> print(*FORMATS["csv"](columns), sep="\\n")
        id,predicted_ill,probability_no,probability_yes
        a,no,0.75,0.25
        b,yes,0.5,0.5
        c,no,1.0,0.0
        >>> FORMATS["jsonl"](columns)[0]
        '{"id": "a", "predicted_ill": "no", "probability_no": 0.75, "probability_yes": 0.25}'
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


def _csv(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    header = ",".join(map(csv_field, columns))
    rows = zip(*(map(_shown, cells) for cells in columns.values()), strict=True)
    return [header, *map(",".join, rows)]


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return shown_class(value)
    return csv_field(value) if isinstance(value, str) else number_text(float(value))


def csv_field(text: str) -> str:
    """A field of CSV. Other separators are quoted too: a spreadsheet that splits at ; must not find a second cell.

    Example:
        >>> csv_field("red"), csv_field('a "b"; c')
        ('red', '"a ""b""; c"')
    """
    plain = not any(mark in text for mark in ',;\t|"\r\n')
    return text if plain else '"' + text.replace('"', '""') + '"'


def _json_lines(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """An object for each row; a number that is not finite is null, for which JSON has no number."""
    names = list(columns)
    return [
        json.dumps({name: _finite(value) for name, value in zip(names, row, strict=True)}, ensure_ascii=False)
        for row in zip(*columns.values(), strict=True)
    ]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


FORMATS: dict[str, Callable[[Mapping[str, Sequence[Any]]], list[str]]] = {"csv": _csv, "jsonl": _json_lines}


def format_of(path: str | None, named: str | None = None) -> str:
    """The format in which predictions are written: that which was named, or what the end of a file's name says.

    Example:
        >>> format_of("found.jsonl"), format_of("found.csv"), format_of(None), format_of("found.txt", "jsonl")
        ('jsonl', 'csv', 'csv', 'jsonl')

    Raises:
        ValueError: a name that ends in .json, which is another format than JSON lines.
    """
    end = PurePath(path or "").suffix.lower()
    if named is None and end == ".json":
        raise ValueError(f"{path} is to hold a line for each row; name it .jsonl or .csv, or say --format jsonl")
    return named or ("jsonl" if end in JSON_LINES else "csv")
