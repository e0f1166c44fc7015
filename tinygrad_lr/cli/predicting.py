"""`tinygrad-lr predict`: a line for each row of a table, with the predictions of a trained model.

The predictions are those of training/tables/trained.py, the lines those of training/tables/formats.py. What the
training rows did not have is counted in the last line: on standard error, where the predictions go to standard output.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np

from tinygrad_lr.data.columns import TableError
from tinygrad_lr.data.tables import read_table
from tinygrad_lr.files import write_text
from tinygrad_lr.training.tables import runs
from tinygrad_lr.training.tables.formats import FORMATS, format_of
from tinygrad_lr.training.tables.kinds import joined_names
from tinygrad_lr.training.tables.trained import Predictions, TrainedTable, load_run
from tinygrad_lr.training.tables.writing import prediction_columns

from . import reporting
from .chosen import reading_of
from .printing import fail, note, say

__all__ = ["predict"]


def predict(arguments: Namespace) -> int:
    """Predict the targets of a table, in their own units, and write them."""
    form = format_of(arguments.out, arguments.format)
    if runs.read_description(arguments.folder).get("status") == "diverged" and not arguments.force:
        return fail(
            f"the training that left {arguments.folder} diverged, and what it predicts means nothing; train again "
            "with a lower --lr, or predict all the same with --force",
            1,
        )
    trained = load_run(arguments.folder)
    if arguments.probabilities and not trained.classes:
        raise ValueError(
            f"--probabilities: {trained.encoder.target} is a number, and the model has no classes; leave it out, or "
            "train with --task classification"
        )
    table = read_table(arguments.table, defaults=trained.description["reading"], **reading_of(arguments))
    for name in arguments.keep:
        table.column(name)
    if len(set(arguments.keep)) < len(arguments.keep):
        raise ValueError(f"--keep: a column is there twice, got {joined_names(arguments.keep)}; leave one out")
    found = trained.predictions(table, strict=arguments.strict, decimal=arguments.decimal, dates=arguments.dates)
    infinite = 0 if found.probabilities is not None else int((~np.isfinite(found.values)).any(axis=1).sum())
    if infinite and not arguments.force:
        return fail(
            f"{infinite} of {len(table)} predictions are not finite; the table's numbers are too far from those of the "
            "training, or its outcome is useless; write them all the same with --force",
            1,
        )
    shares = found.probabilities if arguments.probabilities else None
    lines = FORMATS[form](prediction_columns(trained.encoder, table, found.values, shares, arguments.keep))
    return _write(arguments, trained, found, lines)


def _write(arguments: Namespace, trained: TrainedTable, found: Predictions, lines: list[str]) -> int:
    """Write the lines to a file or to standard output, and say what is to be said of them."""
    report = str(found.report)
    if arguments.out is None:
        write_to_standard_output(lines)
        if report and not arguments.quiet:
            note(f"{_rows(found)}: {report}")
        return 0
    out = Path(arguments.out)
    if out.exists() and not arguments.force:
        raise FileExistsError(None, "exists already; choose another file, or replace it with --force", str(out))
    write_text(out, "\n".join(lines) + "\n")
    if arguments.quiet:
        return 0
    say(f"{_rows(found)} in {out}")
    for line in found.table.notes:
        say(line)
    try:
        for line in reporting.of_known_targets(trained, found):
            say(line)
    except TableError as error:  # the predictions are written, and need no target
        note(f"warning: how good they are is not known: {error}")
    if report:
        say(f"Imputed or unknown: {report}")
    return 0


def _rows(found: Predictions) -> str:
    count = len(found.table)
    return f"{count} prediction{'s' * (count != 1)}"


def write_to_standard_output(lines: list[str]) -> None:
    """Write data: UTF-8 also where a terminal is not, and without control characters where it is a terminal."""
    if sys.stdout.isatty():
        for line in lines:
            say(line)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(("\n".join(lines) + "\n").encode("utf-8"))
    sys.stdout.buffer.flush()
