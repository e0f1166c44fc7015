"""`tinygrad-lr inspect`: what each column of a table would become, as `train` prints it before it trains."""

from __future__ import annotations

from argparse import Namespace

from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.training.tables.opening import opened

from .chosen import reading_of
from .printing import say

__all__ = ["inspect"]

CHOICES = ("task", "categorical", "numeric", "ignore", "missing", "decimal", "dates")


def inspect(arguments: Namespace) -> int:
    """Print a line for each column, and one for the target if one is named. All rows count as training rows."""
    if arguments.task is not None and not arguments.target:
        raise ValueError("--task belongs to --target; name the column to predict, or leave --task out")
    table = opened(arguments.table, reading_of(arguments))
    choices = {name: getattr(arguments, name) for name in CHOICES}
    encoder = TableEncoder.fit(table, arguments.target or None, **choices)
    sizes = [(len(table), "row"), (len(table.names), "column"), (len(encoder.feature_names), "input")]
    rows, columns, inputs = (f"{count:,} {of}{'s' * (count != 1)}" for count, of in sizes)
    say(f"{arguments.table}: {rows}, {columns} -> {inputs}")
    for line in [*table.notes, *encoder.describe()]:
        say(line)
    if not arguments.target:
        say("--target COLUMN also says what would be predicted")
    return 0
