"""The options of a training that a command has or chose."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from tinygrad_lr.training.tables.options import known_options

__all__ = ["INSPECTED", "READ_AS", "READ_AS_NUMBERS", "options_of", "reading_of", "table_of"]

# The options that `inspect` has: how a table is read, and what its columns are. `predict` has those of another file.
INSPECTED = (
    *("target", "task", "categorical", "numeric", "ignore", "missing"),
    *("delimiter", "encoding", "decimal", "dates", "na_values", "keep_na", "no_header", "sheet"),
)
READ_AS = ("delimiter", "encoding", "decimal", "dates", "na_values", "keep_na", "no_header", "sheet")
READ_AS_NUMBERS = tuple(name for name in READ_AS if name != "dates")  # of a command that reads no dates


def reading_of(arguments: Namespace) -> dict[str, Any]:
    """How a table is to be read, as `read_table` takes it: the options that were given."""
    names = ("delimiter", "encoding", "decimal", "na_values", "keep_na", "sheet")
    given = {name: getattr(arguments, name, None) for name in names}
    found = {name: value for name, value in given.items() if value}
    return {**found, "header": False} if arguments.no_header else found


def table_of(arguments: Namespace) -> Any:
    """The table that a command names, by default the diabetes data."""
    if arguments.table is not None:
        return arguments.table
    from tinygrad_lr.data.datasets import DIABETES  # which imports NumPy

    return DIABETES


def options_of(arguments: Namespace) -> dict[str, Any]:
    """The options of a training among the arguments of a command."""
    found = {name: getattr(arguments, name) for name in known_options() if name != "compiled"}
    if arguments.table is None and not found["target"]:
        from tinygrad_lr.data.datasets import DIABETES_TARGET

        found["target"] = [DIABETES_TARGET]
    return {**found, "compiled": True if arguments.compiled else False if arguments.eager else None}
