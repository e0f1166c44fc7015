"""`FORMATS` makes the lines of a file of columns: CSV, or JSON lines.

Example:
    >>> columns = {"id": ["a", None], "predicted": [1.5, 2.0]}
    >>> FORMATS["csv"](columns)
    ['id,predicted', 'a,1.5', ',2.0']
    >>> FORMATS["jsonl"](columns)
    ['{"id": "a", "predicted": 1.5}', '{"id": null, "predicted": 2.0}']
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

__all__ = ["FORMATS", "csv_field", "format_of"]

JSON_LINES = (".jsonl", ".ndjson")


def _csv(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    header = ",".join(map(csv_field, columns))
    rows = zip(*(map(_shown, cells) for cells in columns.values()), strict=True)
    return [header, *map(",".join, rows)]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return csv_field(value) if isinstance(value, str) else str(value)


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


# Name -> a function that makes lines of columns: texts, numbers, True and False, None where there is no value.
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
