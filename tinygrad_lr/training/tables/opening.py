"""`opened` makes a Table of whatever holds one: a path, a frame, arrays, lists; a Table stays what it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinygrad_lr.data.columns import Table
from tinygrad_lr.data.tables import as_table, read_table

__all__ = ["opened", "path_of"]


def opened(given: Any, reading: Mapping[str, Any] | None = None, like: Mapping[str, Any] | None = None) -> Table:
    """The table that was given.

    Args:
        given: the path of a file, "-" for standard input, a Table, or what `data.as_table` takes.
        reading: how a file is read: options of `read_table`. like: the same where no other is given, as
            `Table.read_as` of an earlier table has it.
    """
    if isinstance(given, Table):
        return given
    if isinstance(given, (str, os.PathLike)):
        return read_table(given, defaults=dict(like or {}), **dict(reading or {}))
    own = {name: value for name, value in dict(reading or {}).items() if name in ("na_values", "keep_na")}
    return as_table(given, defaults=dict(like or {}), **own)


def path_of(given: Any) -> Path | None:
    """The path of a table, if it is one."""
    return Path(given) if isinstance(given, (str, os.PathLike)) else None
