"""`prepared` reads a table, divides and encodes its rows by the options, and plans the training.

The encoder learns from the training rows alone, which include the validation rows. A fold's encoder learns from that
fold's training rows. Next: measuring.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lr.data.cells import as_numbers, read_cells
from tinygrad_lr.data.columns import Booleans, Column, Dates, Numbers, Table, TableError, Texts, some
from tinygrad_lr.data.encoding import TableEncoder, usable_rows
from tinygrad_lr.data.recognition import Conventions
from tinygrad_lr.data.standardising import in_proportion
from tinygrad_lr.data.targets import TargetEncoder

from . import splitting
from .arrays import FEWEST_TO_VALIDATE, VALIDATED, Plan, Rows, planned, validates_unasked
from .options import Options
from .provenance import absolute
from .splitting import Respecting
from .tasks import class_numbers
from .weighting import checked_weights, class_weights

__all__ = ["Data", "Division", "PreparedRun", "prepared"]


@dataclass
class Division:
    """Row numbers of a table, each in ascending order.

    Attributes:
        training: rows whose loss is made small. validation: on which the best epoch is chosen. held_out: to measure on.
    """

    training: np.ndarray
    validation: np.ndarray
    held_out: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Training and validation rows: what the encoder and the baselines learn from."""
        return np.sort(np.concatenate([self.training, self.validation]))


@dataclass
class Data:
    """A table divided, encoded and standardised by its training rows.

    Attributes:
        path: of the table, or None where it is no file.
        table, test: the table, and the one of its own to measure on, if there is one.
        encoder: learnt from `division.known`.
        division: which rows are for what.
        inputs, targets: of all rows, see `Rows`.
        sample_weights: of all rows, float64, or None.
        weights: the same times the weights of classes; those that training uses.
        folds: the divisions of a cross-validation.
        test_rows: of `test` those with targets, and their sample weights.
    """

    path: Path | None
    table: Table
    test: Table | None
    test_path: Path | None
    encoder: TableEncoder
    division: Division
    inputs: np.ndarray
    targets: np.ndarray
    sample_weights: np.ndarray | None
    weights: np.ndarray | None
    folds: list[Division]
    test_rows: tuple[Rows, np.ndarray | None] | None = None

    @property
    def name(self) -> str:
        """What the table is called."""
        return self.table.source if self.path is None or str(self.path) == "-" else self.path.name

    @property
    def origin(self) -> dict[str, Any]:
        """Where the table came from: "path", "sha256", "rows"; and "test", the same of that table, if there is one."""
        found = _origin(self.path, self.table)
        return found if self.test is None else {**found, "test": _origin(self.test_path, self.test)}

    def take_piped(self) -> dict[str, bytes]:
        """ "table", "test" -> the bytes of one that cannot be had again. They are not kept here any longer."""
        found = {}
        for name, table in (("table", self.table), ("test", self.test)):
            if table is not None and table.piped is not None:
                found[name], table.piped = table.piped, None
        return found

    @property
    def classes(self) -> int:
        """How many classes there are; 0 of numbers."""
        return len(self.encoder.classes)

    def rows(self, which: np.ndarray) -> Rows:
        """Some rows, as training takes them."""
        return Rows(self.inputs[which], self.targets[which], None if self.weights is None else self.weights[which])


def _origin(path: Path | None, table: Table) -> dict[str, Any]:
    shown = None if path is None else absolute(path).encode("utf-8", "backslashreplace").decode()
    return {"path": shown, "sha256": table.sha256, "rows": len(table)}


@dataclass
class PreparedRun:
    """What a training of a table needs.

    Attributes:
        options: as completed. data: the table. plan: what `fit` needs.
    """

    options: Options
    data: Data
    plan: Plan


def prepared(
    table: Table, options: Options, path: Path | None = None, test: Table | None = None, test_path: Path | None = None
) -> PreparedRun:
    """What the options ask of a table, divided, encoded and built.

    Args:
        path: where the table was read, if it is a file.
        test, test_path: the same of a table of its own to measure on, where there is one.

    Raises:
        ValueError: an option that does not fit the others or the table.
        RuntimeError: a GPU was asked for that is not there.
    """
    if not options.target:
        raise TableError(
            f"--target is missing: which column of {table.source} is to be predicted? It has {some(table.names)}"
        )
    for name in (options.weights, options.split_by, options.time):
        if name is not None:
            table.column(name)
    usable = usable_rows(table, options.target)
    respecting = _respected(table, options, usable)
    if len(usable) == 1 and options.held_out:
        raise TableError(
            f"{table.source}: one row has a value of the target, which cannot be divided into rows to train on and "
            "rows to measure on; add rows, or train on it alone with --held-out 0"
        )
    division = _divided(usable, options, respecting)
    data = _encoded(table, options, division, path)
    data.test, data.test_path = test, test_path
    if test is not None:
        data.test_rows = _rows_of_test(test, data.encoder, options)
        _refuse_overlap(table, division.known, test, options)
    if options.folds is not None:
        parts = splitting.folds(data.division.known, options.folds, options.seed, respecting)
        data.folds = [_with_validation(*part, options, respecting) for part in parts]
    return PreparedRun(options, data, plan_of(data, options))


def fold_of(data: Data, options: Options, division: Division) -> PreparedRun:
    """The same for a fold: encoded by its own training rows."""
    made = _encoded(data.table, replace(options, folds=None), division, data.path)
    return PreparedRun(options, made, plan_of(made, options))


def plan_of(data: Data, options: Options) -> Plan:
    """The training of encoded rows."""
    division = data.division
    return planned(
        data.rows(division.training),
        data.encoder.task,
        data.classes,
        options,
        validation=data.rows(division.validation) if len(division.validation) else None,
        held_out=data.rows(division.held_out) if len(division.held_out) else None,
    )


def _encoded(table: Table, options: Options, division: Division, path: Path | None) -> Data:
    """The table encoded by the training rows of a division."""
    encoder = TableEncoder.fit(
        table,
        options.target,
        division.known,
        task=options.task,
        categorical=options.categorical,
        numeric=options.numeric,
        ignore=ignored(options),
        **_conventions(options),
    )
    inputs, targets = encoder.features(table), encoder.targets(table)
    sample = None if options.weights is None else _weights(table, options, division)
    weights = sample
    if options.class_weights is not None:
        weights = _times_class_weights(sample, encoder, targets, options, division)
    return Data(path, table, None, None, encoder, division, inputs, targets, sample, weights, [])


def ignored(options: Options) -> list[str]:
    """The columns that are no inputs: those to ignore, and those that say how rows count or are divided."""
    return [*options.ignore, *(name for name in (options.weights, options.split_by) if name is not None)]


def _conventions(options: Options) -> dict[str, Any]:
    return {"missing": options.missing, "decimal": options.decimal, "dates": options.dates}


def _times_class_weights(
    sample: np.ndarray | None, encoder: TableEncoder, targets: np.ndarray, options: Options, division: Division
) -> np.ndarray:
    if not encoder.classes:
        raise ValueError("--class-weights belongs to classification, and this target has numbers; leave it out")
    assert options.class_weights is not None
    known = class_numbers(targets[division.known])
    weights = class_weights(options.class_weights, [str(each) for each in encoder.classes], known)
    codes = class_numbers(np.where(np.isnan(targets), 0, targets)) if targets.dtype.kind == "f" else targets
    found = np.where(codes >= 0, weights[codes], 0.0)
    return found if sample is None else in_proportion(found * sample)


def _weights(table: Table, options: Options, division: Division) -> np.ndarray:
    """The sample weights of all rows; those that are used are checked."""
    assert options.weights is not None
    values = as_numbers(table, options.weights, Conventions(options.decimal), dates_too=False)
    used = np.sort(np.concatenate([division.known, division.held_out]))
    for row in used[~(np.isfinite(values[used]) & (values[used] >= 0))].tolist():
        cell = table.columns[options.weights].cell(row)
        what = f"{cell!r} is negative" if values[row] < 0 else f"{cell!r} is no finite number" if cell else "is missing"
        raise table.at(row, options.weights, f"{what}; a weight (--weights) is a finite number of at least 0")
    for name, rows in (("training rows", division.training), ("validation rows", division.validation)):
        if len(rows):
            checked_weights(values[rows], f"{table.source}: the weights of the {name} (--weights={options.weights})")
    if len(division.held_out):
        what = f"{table.source}: the weights of the held-out rows (--weights={options.weights})"
        checked_weights(values[division.held_out], what)
    found = np.zeros(len(values))
    found[used] = in_proportion(values[used])
    return found


def _rows_of_test(test: Table, encoder: TableEncoder, options: Options) -> tuple[Rows, np.ndarray | None]:
    """The rows of a table to measure on that have targets, and their sample weights."""
    usable = usable_rows(test, options.target)
    rows = Rows(encoder.features(test)[usable], encoder.targets(test)[usable])
    if options.weights is None:
        return rows, None
    values = as_numbers(test, options.weights, Conventions(options.decimal), dates_too=False)[usable]
    return rows, checked_weights(values, f"{test.source}: the weights (--weights={options.weights})")


def _refuse_overlap(table: Table, known: np.ndarray, test: Table, options: Options) -> None:
    """Raise where a table to measure on has a group of the training rows, or a time that is not after theirs."""
    usable = usable_rows(test, options.target)
    if options.split_by is not None:
        _groups(test, options.split_by, usable)  # none is missing
        column, other = table.column(options.split_by), test.column(options.split_by)
        groups = {_group(column, row) for row in known.tolist()}
        shared = [row for row in usable.tolist() if _group(other, row) in groups]
        if shared:
            what = f"{other.cell(shared[0])!r} is a group of the training rows too ({len(shared)} rows have such a one)"
            raise test.at(shared[0], options.split_by, f"{what}, and --split-by keeps groups apart; leave the rows out")
    if options.time is not None:
        conventions = Conventions(options.decimal, options.dates)
        times, others = (as_numbers(each, options.time, conventions) for each in (table, test))
        last = known[np.argmax(times[known])]
        early = usable[~(others[usable] > times[last])]
        if len(early):
            cell = test.column(options.time).cell(int(early[0]))
            what = f"{cell!r} is not after the last training row, {table.column(options.time).cell(int(last))!r}"
            advice = f"({len(early)} such rows), and --time measures on later rows only; leave the rows out"
            raise test.at(int(early[0]), options.time, f"{what} {advice}")


def _group(column: Column, row: int) -> object:
    """What two tables can be compared by: a number where the column has numbers, else the text."""
    return float(column.values[row]) if isinstance(column, Numbers) else column.cell(row)


# --- which rows are for what ----------------------------------------------------------------------------------------


def _respected(table: Table, options: Options, usable: np.ndarray) -> Respecting:
    """What divisions of the table respect."""
    if options.time is not None:
        times = as_numbers(table, options.time, Conventions(options.decimal, options.dates))
        absent = usable[np.isnan(times[usable])]
        if len(absent):
            what = f"missing ({len(absent)} in this column), and --time says which row comes later; leave the rows out"
            raise table.at(int(absent[0]), options.time, what)
        return Respecting(times=times)
    if options.split_by is not None:
        return Respecting(groups=_groups(table, options.split_by, usable))
    if options.task == "regression" or len(options.target) > 1:
        return Respecting()
    conventions = Conventions(options.decimal, options.dates)
    asked = options.target if options.task is not None else []
    try:
        cells, _ = read_cells(table, options.target, conventions, categorical=asked, targets=options.target)
    except TableError:  # other columns show how to read it, or nothing does: the encoder will say
        return Respecting()
    target = TargetEncoder.fit(table, cells, usable, options.task)
    if not target.classes:
        return Respecting()
    codes = target.encode(table, cells)
    return Respecting(classes=class_numbers(np.where(np.isnan(codes), -1, codes)))


def _groups(table: Table, name: str, usable: np.ndarray) -> np.ndarray:
    """A number for each row's group."""
    absent = usable[table.missing_in(name)[usable]]
    if len(absent):
        what = f"missing ({len(absent)} in this column), and --split-by keeps rows of one value together; fill it in"
        raise table.at(int(absent[0]), name, what)
    column = table.column(name)
    if isinstance(column, Texts):
        return column.codes.astype(np.int64)
    assert isinstance(column, (Numbers, Dates, Booleans))
    values = column.values
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _divided(usable: np.ndarray, options: Options, respecting: Respecting) -> Division:
    """The rows with targets, divided by the options."""
    assert options.held_out is not None
    known, held_out = splitting.divide(usable, options.held_out, options.seed, respecting)
    return _with_validation(known, held_out, options, respecting)


def _with_validation(known: np.ndarray, measured: np.ndarray, options: Options, respecting: Respecting) -> Division:
    fraction = options.validation
    if fraction is None:
        fraction = VALIDATED if validates_unasked(options, len(known)) else 0.0
    if fraction and len(known) < FEWEST_TO_VALIDATE:
        if options.validation is not None or options.patience is not None:
            raise ValueError(
                f"--validation and --patience need at least {FEWEST_TO_VALIDATE} training rows, got {len(known)}; "
                "leave them out"
            )
        fraction = 0.0
    training, validation = splitting.divide(known, fraction, options.seed, respecting, splitting.VALIDATION)
    return Division(training, validation, measured)
