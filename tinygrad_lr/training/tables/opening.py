"""`opened` makes a Table of whatever holds one: a path, a frame, arrays, lists; a Table stays what it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygrad_lr.data.columns import Table
from tinygrad_lr.data.tables import as_table, read_table

__all__ = ["Kept", "opened", "path_of"]


@dataclass(frozen=True)
class Kept:
    """A table that came from a pipe, and was kept in a file.

    Attributes:
        place: the file. name: where the table came from, such as "-".
    """

    place: Path
    name: str


OF_FILES = ("delimiter", "encoding", "header", "sheet")


def opened(
    given: Any,
    reading: Mapping[str, Any] | None = None,
    like: Mapping[str, Any] | None = None,
    source: str = "the table",
) -> Table:
    """The table that was given.

    Args:
        given: the path of a file, "-" for standard input, a Table, or what `data.as_table` takes.
        reading: how a file is read: options of `read_table`. like: the same where no other is given, as
            `Table.read_as` of an earlier table has it.
        source: what messages call a table that is no file.

    Raises:
        ValueError: options of files, for what is no file.
    """
    reading = dict(reading or {})
    if isinstance(given, Kept):
        table = read_table(given.place, defaults=dict(like or {}), **reading)
        table.source = "standard input" if given.name == "-" else given.name
        return table
    if isinstance(given, (str, os.PathLike)):
        return read_table(given, defaults=dict(like or {}), **reading)
    of_files = [*OF_FILES, *(("na_values", "keep_na") if isinstance(given, Table) else ())]
    for name in of_files:
        if name in reading:
            called = "no_header" if name == "header" else name
            raise ValueError(
                f"--{called.replace('_', '-')} says how a file is read, and {source} is no file; leave it out"
            )
    if isinstance(given, Table):
        return given
    reading.pop("decimal", None)  # the encoder's
    return as_table(given, defaults=dict(like or {}), source=source, **reading)


def path_of(given: Any) -> Path | None:
    """The path of a table, if it is one."""
    if isinstance(given, Kept):
        return Path(given.name)
    return Path(given) if isinstance(given, (str, os.PathLike)) else None
