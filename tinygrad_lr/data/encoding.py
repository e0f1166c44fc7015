"""`TableEncoder` turns the columns of a table into arrays for a model, and predictions back into the table's units.

inputs.py says what a column becomes as inputs, targets.py what the targets are. What is learnt from a table can be
written as JSON, so a saved model reads a new table exactly as it read the first one. Next: described.py, batches.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .cells import conventions_of, read_as, read_cells
from .columns import Table, TableError
from .described import lines
from .inputs import CategoryInput, Input, NumberInput, Report, ZeroInput, learn, read_input
from .learnt import Learnt
from .parallel import in_parallel
from .recognition import Conventions
from .standardising import Standardiser
from .targets import TargetEncoder, target_names

__all__ = ["Standardiser", "TableEncoder", "TableError", "usable_rows"]

FORMAT = 2  # of the JSON form; 1 had numbers and categories only, and one target
PARALLEL_FROM = 2**17  # rows; fewer are done before threads have begun
BLOCK = 8192  # rows that are encoded at once: a strided write of a whole column is several times slower
DATES = ("d/m/y", "m/d/y")
CHOICES = {
    "task": ("regression", "classification", "binary", "multiclass"),
    "missing": ("impute", "error"),
    "decimal": (".", ","),
    "dates": DATES,
}


def usable_rows(table: Table, targets: str | Sequence[str]) -> np.ndarray:
    """The numbers of the rows that have all targets, int64, ascending.

    Raises:
        TableError: an unknown column, or no such row.

    Example:
        >>> usable_rows(Table({"y": ["1", "NA", "3"]}), "y").tolist()
        [0, 2]
    """
    absent = np.zeros(len(table), bool)
    for name in target_names(targets):
        absent |= table.missing_in(name)
    (rows,) = np.nonzero(~absent)
    if not len(rows):
        names = " and ".join(map(repr, target_names(targets)))
        raise TableError(f"{table.source}: no row has a value of the target {names}")
    return rows


class TableEncoder:
    """Turns the columns of a table into the inputs and the targets of a model. `TableEncoder.fit` makes one.

    Numbers are standardised; categories become a column of 0 and 1 for each, in sorted order; true and false are 1 and
    0; dates are days and, where they vary, year, month, weekday and hour. A missing value becomes the mean of the
    training rows, and where these have missing values a further column says where. Of texts it is recognised what they
    are (recognition.py). Columns that identify rows, have no values or never vary are left out. `describe` says all of
    it.

    Columns are found by name, so a table to predict may have them in another order and lack the targets. Categories
    that the training rows do not have are 0 in all inputs of their column.

    Attributes:
        inputs: what each column became, an `Input` for each; those that are left out too.
        target: the `TargetEncoder`.
        conventions: decimal mark and order of dates, which decide how a later table is read.

    Example:
        >>> table = Table({"dose": ["1", "3"], "colour": ["red", "blue"], "effect": ["10", "20"]})
        >>> encoder = TableEncoder.fit(table, "effect")
        >>> encoder.feature_names
        ['dose', 'colour=blue', 'colour=red']
        >>> encoder.features(table).tolist()
        [[-1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
        >>> encoder.target_in_units(encoder.targets(table)).tolist()
        [[10.0], [20.0]]
        >>> print(*encoder.describe(), sep="\\n")
        dose    number, mean 2
        colour  category, 2 kinds (blue, red)
        effect  target: regression, mean 15, deviation 5
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        target: TargetEncoder | None,
        conventions: Conventions | None = None,
        missing: str = "impute",
    ) -> None:
        self.inputs = list(inputs)
        self.target_encoder = target
        self.conventions = Conventions() if conventions is None else conventions
        self.missing = missing

    @classmethod
    def fit(
        cls,
        table: Table,
        targets: str | Sequence[str] | None,
        rows: ArrayLike | None = None,
        *,
        task: str | None = None,
        categorical: Sequence[str] = (),
        numeric: Sequence[str] = (),
        ignore: Sequence[str] = (),
        missing: str = "impute",
        decimal: str | None = None,
        dates: str | None = None,
    ) -> TableEncoder:
        """The encoder of a table.

        Args:
            targets: the column to predict, or several columns of numbers. None: only the inputs, to look at them.
            rows: the training rows, whose means, deviations and categories are used; by default all. Those without a
                target are passed over.
            task: "regression", "classification", "binary" or "multiclass"; by default what the target's cells say.
            categorical: columns to treat as categories although their cells are numbers.
            numeric: columns of numbers to keep although they seem to number the rows.
            ignore: columns to leave out.
            missing: "impute", or "error": refuse the first missing value.
            decimal: "." or ",": the decimal mark of numbers that could be read in two ways, such as 1,234.
            dates: "d/m/y" or "m/d/y": of dates that could be read in two ways, such as 3/4/2020.

        Raises:
            TableError: an unknown column, a mixture of numbers and text, an infinite number, numbers or dates that can
                be read in two ways, targets that cannot be predicted, no column that could be an input.
            ValueError: an unknown task, or another choice that there is not.

        Example:
            >>> table = Table({"age": ["30", "NA", "50"], "id": ["7", "8", "9"], "ill": ["yes", "no", "yes"]})
            >>> encoder = TableEncoder.fit(table, "ill", ignore=["id"])
            >>> encoder.task, encoder.classes, encoder.targets(table).tolist()
            ('binary', ('no', 'yes'), [[1.0], [0.0], [1.0]])
            >>> encoder.features(table).tolist()
            [[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
        """
        _refuse_choices(task=task, missing=missing, decimal=decimal, dates=dates)
        names = [] if targets is None else target_names(targets)
        _refuse_names(table, targets, names, {"categorical": categorical, "numeric": numeric, "ignored": ignore})
        columns = [name for name in table.names if name not in names and name not in ignore]
        if not columns:
            besides = f" besides the target {' and '.join(map(repr, names))}" if names else ""
            raise TableError(f"{table.source}: no column{besides}; nothing to predict it from")
        if missing == "error":
            for name in [*columns, *names]:
                table.refuse_missing(name)
        conventions = Conventions(decimal, dates)
        as_texts = [*categorical, *(names if task in ("classification", "multiclass", "binary") else [])]
        cells, known = read_cells(table, [*columns, *names], conventions, categorical=as_texts, targets=names)
        for name in numeric:
            if cells[name].kind not in ("number", "empty"):
                row = int(np.argmin(cells[name].missing))
                what = f"{table.columns[name].cell(row)!r} is not a number, and only numbers can be kept as such"
                raise table.at(row, name, f"{what} (--numeric); leave the column out there")
        chosen = np.arange(len(table)) if rows is None else np.asarray(rows, np.int64)
        target = None
        if names:
            usable = np.zeros(len(table), bool)
            usable[usable_rows(table, names)] = True
            chosen = chosen[usable[chosen]]
            if not len(chosen):
                raise TableError(f"{table.source}: no training row has a value of the target {' and '.join(names)}")
            target = TargetEncoder.fit(table, {name: cells[name] for name in names}, chosen, task)
        every = len(chosen) == len(table) and bool((chosen == np.arange(len(table))).all())
        training = slice(None) if every else chosen
        inputs: dict[str, Input] = {}

        def learn_one(place: int) -> None:
            name = columns[place]
            inputs[name] = learn(name, cells[name], training, categorical=name in categorical, numeric=name in numeric)

        in_parallel(learn_one, range(len(columns)), len(table) >= PARALLEL_FROM)
        made = cls([inputs[name] for name in columns], target, known, missing)
        if names and not made.feature_names:
            why = "; ".join(f"{each.name} {each.describe()}" for each in made.inputs[:5])
            raise TableError(f"{table.source}: no column can be an input ({why}); nothing to predict from")
        return made

    # --- what was learnt ----------------------------------------------------------------------------------------------

    @property
    def feature_names(self) -> list[str]:
        """One name for each input of the model: the column, column=category, column missing. No two are the same."""
        return _unlike(name for each in self.inputs for name in each.features)

    @property
    def feature_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each input, float64, shape (inputs,): a value of the table is input * deviation + mean.

        Inputs that are 0 and 1 have mean 0 and deviation 1.
        """
        scales = np.array([scale for each in self.inputs for scale in each.scales], np.float64).reshape(-1, 2)
        return scales[:, 0], scales[:, 1]

    @property
    def unvarying(self) -> list[str]:
        """The columns that are the same in all training rows. They move no prediction."""
        return [each.name for each in self.inputs if isinstance(each, ZeroInput) or getattr(each, "constant", False)]

    @property
    def unseen(self) -> dict[str, list[str]]:
        """Column -> the categories that only other rows than the training rows have."""
        return {each.name: list(each.unseen) for each in self.inputs if isinstance(each, CategoryInput) and each.unseen}

    @property
    def _target(self) -> TargetEncoder:
        if self.target_encoder is None:
            raise ValueError("this encoder was made without a target")
        return self.target_encoder

    @property
    def target_names(self) -> list[str]:
        """The target columns."""
        return list(self._target.names)

    @property
    def target(self) -> str:
        """The target columns in one text, with commas between."""
        return ", ".join(self._target.names)

    @property
    def target_scale(self) -> Standardiser:
        """The scale of the targets of a regression, shape (outputs,)."""
        return self._target.scale

    @property
    def task(self) -> str:
        """ "regression", "binary" or "multiclass"."""
        return self._target.task

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes in the order of their numbers; none of a regression."""
        return self._target.classes

    @property
    def outputs(self) -> int:
        """How many outputs a model of the task has: one for each number or class, one for two classes."""
        return self._target.outputs

    # --- arrays -------------------------------------------------------------------------------------------------------

    def features(self, table: Table, dtype: DTypeLike = np.float32, *, strict: bool = False) -> np.ndarray:
        """The inputs, shape (rows, len(feature_names)), C-contiguous.

        Args:
            strict: refuse a category or a missing value where the training rows had none.

        Raises:
            TableError: a column is absent, or a cell is of another kind than in the training table.
        """
        return self.encode(table, dtype, strict=strict)[0]

    def encode(
        self,
        table: Table,
        dtype: DTypeLike = np.float32,
        *,
        strict: bool = False,
        decimal: str | None = None,
        dates: str | None = None,
    ) -> tuple[np.ndarray, Report]:
        """The inputs as `features` gives them, and a report of what the training rows did not have.

        Args:
            decimal, dates: as `fit` has them, for this table. By default what its columns show, else what those of the
                training table did.

        Example:
            >>> table = Table({"colour": ["red", "blue"], "y": ["1.5", "2"]})
            >>> encoder = TableEncoder.fit(table, "y")
            >>> inputs, report = encoder.encode(Table({"colour": ["pink", "red", ""]}))
            >>> inputs.tolist()
            [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
            >>> print(report)
            1 cell of unseen categories (colour: 'pink' 1); 1 missing value (colour 1)
        """
        report = Report(len(table))
        conventions = self._conventions_for(table, decimal, dates)
        result = np.zeros((len(table), len(self.feature_names)), dtype)
        writers, place = [], 0
        for each in self.inputs:
            width = len(each.features)
            if not width or isinstance(each, ZeroInput):
                place += width
                continue
            if self.missing == "error":
                table.refuse_missing(each.name)
            cells = read_as(table, each.name, each.kind, each.unit, each.zoned, conventions)
            writers.append((slice(place, place + width), each.writer(cells, report)))
            if strict:
                _refuse_what_is_new(table, each, report)
            place += width

        def fill(start: int) -> None:
            rows = slice(start, min(start + BLOCK, len(table)))
            for columns, write in writers:
                write(rows, result[rows, columns])

        in_parallel(fill, range(0, len(table), BLOCK), len(table) >= PARALLEL_FROM)
        return result, report

    def _conventions_for(self, table: Table, decimal: str | None = None, dates: str | None = None) -> Conventions:
        """How a table is written: as was said, as its columns show, or as the training table was."""
        _refuse_choices(decimal=decimal, dates=dates)
        known = Conventions(
            decimal, dates, self.conventions.decimal or self.conventions.likely_decimal,
            self.conventions.dates or self.conventions.likely_dates,
        )  # fmt: skip
        read = [each.name for each in self.inputs if each.kind in ("number", "date") and each.name in table.columns]
        return conventions_of(table, read, known)

    def targets(self, table: Table, *, decimal: str | None = None, dates: str | None = None) -> np.ndarray:
        """The targets. A row without one has NaN, or the class -1.

        Args:
            decimal, dates: see `encode`.

        Returns:
            Of a regression standardised numbers, float32, shape (rows, outputs). Of two classes 0 and 1, float32, shape
            (rows, 1). Of more classes their numbers, int64, shape (rows,).

        Raises:
            TableError: a column is absent, a cell is of another kind than in the training table, or a new class.
        """
        target, conventions = self._target, self._conventions_for(table, decimal, dates)
        return target.encode(
            table,
            {
                name: read_as(table, name, kind, unit, False, conventions)
                for name, kind, unit in zip(target.names, target.kinds, target.units, strict=True)
            },
        )

    def usable_rows(self, table: Table) -> np.ndarray:
        """The rows of a table that have all targets; see `usable_rows`."""
        return usable_rows(table, self.target_names)

    def target_in_units(self, standard: np.ndarray) -> np.ndarray:
        """Standardised targets or predictions of a regression in the units of the table, float64."""
        return self._target.in_units(standard)

    def classes_of(self, probabilities: np.ndarray) -> list[Any]:
        """The most probable class of each row, as the table has it; see `TargetEncoder.decide`."""
        return self._target.decide(probabilities)

    # --- in words and as JSON -----------------------------------------------------------------------------------------

    def describe(self) -> list[str]:
        """What each column became: a line for each and for the targets. Of many columns, like neighbours share one."""
        return lines(self.inputs, self.target_encoder)

    def to_json(self) -> dict[str, Any]:
        """The encoder as plain lists, numbers and strings, for JSON; float64 numbers are kept exactly."""
        return {
            "format": FORMAT,
            "inputs": [each.to_json() for each in self.inputs],
            "target": None if self.target_encoder is None else self.target_encoder.to_json(),
            "missing": self.missing,
            "decimal": self.conventions.decimal or self.conventions.likely_decimal,
            "dates": self.conventions.dates or self.conventions.likely_dates,
        }

    @classmethod
    def from_json(cls, learnt: dict[str, Any]) -> TableEncoder:
        """The encoder that `to_json` described, made again. Those of runs of version 1 are read too.

        Raises:
            ValueError: something is absent or has the wrong form.
        """
        parts = Learnt(learnt, "the description of a table's encoding")
        if "format" not in parts.found:
            return _of_version_1(parts)
        if parts.count("format") != FORMAT:
            raise parts.refuse("format", f"{FORMAT}, which this tinygrad_lr reads")
        found = parts.found.get("inputs")
        if not isinstance(found, list) or not found:
            raise parts.refuse("inputs", "a list of inputs")
        inputs = [read_input(each) for each in found]
        target = None if parts.found.get("target") is None else TargetEncoder.read(parts.found["target"])
        names = [each.name for each in inputs] + ([] if target is None else list(target.names))
        if len(set(names)) < len(names):
            raise parts.refuse("inputs", "of columns that are there once, and no targets")
        known = Conventions(
            likely_decimal=parts.choice("decimal", (".", ",", None)), likely_dates=parts.choice("dates", (*DATES, None))
        )
        return cls(inputs, target, known, parts.choice("missing", CHOICES["missing"]))


def _of_version_1(learnt: Learnt) -> TableEncoder:
    """The encoder of a run of version 1, which had numbers and categories, and one target."""
    target = learnt.text("target", 1)
    columns = Learnt(learnt.found.get("columns"), "'columns' of a table's encoding")
    unseen = Learnt(learnt.found.get("unseen", {}), "'unseen' of a table's encoding")
    if target in columns.found or not columns.found:
        raise ValueError("a table's encoding needs columns other than its target")
    kinds = {name: None if found is None else columns.kinds(name) for name, found in columns.found.items()}
    others = {name: unseen.kinds(name) for name in unseen.found}
    for name, only_others in others.items():
        if set(only_others) & set(kinds.get(name) or only_others):
            raise ValueError(f"unseen categories of {name!r:.60} are of no column of categories, or were seen")
    if any(found is not None and not found for found in [*kinds.values(), *others.values()]):
        raise ValueError("a column of categories in a table's encoding has no category")
    numeric = [name for name, found in kinds.items() if found is None]
    scales = []
    for of, count in (("inputs", len(numeric)), ("target", 1)):
        mean, deviation = (np.array(learnt.numbers(f"{of}_{part}"), np.float64) for part in ("mean", "deviation"))
        # An older description does not say which columns are constant.
        flags = learnt.flags(f"{of}_constant") if f"{of}_constant" in learnt.found else [False] * len(mean)
        scales.append(Standardiser(mean, deviation, np.array(flags, bool)))
        if mean.shape != (count,):
            raise ValueError(f"a table's encoding of {count} columns has {mean.size} means of {of}")
    scale_of = dict(zip(numeric, scales[0], strict=True))
    inputs: list[Input] = []
    for name, found in kinds.items():
        if found is None:
            scale = scale_of[name]
            made: Input = NumberInput(name, mean=float(scale.mean[0]), deviation=float(scale.deviation[0]))
            inputs.append(ZeroInput(name) if scale.constant[0] else made)
        elif len(found) == 1:
            inputs.append(ZeroInput(name, known_as=f"{name}={found[0]}"))
        else:
            inputs.append(CategoryInput(name, kinds=found, unseen=others.get(name, ())))
    return TableEncoder(inputs, TargetEncoder((target,), "regression", ("number",), ("",), scales[1], words=("",)))


def _refuse_choices(**given: object) -> None:
    for name, value in given.items():
        if value not in CHOICES[name] and (value is not None or name == "missing"):
            raise ValueError(f"{name} must be {' or '.join(map(repr, CHOICES[name]))}, got {value!r:.100}")


def _refuse_names(table: Table, targets: object, names: list[str], listed: dict[str, Sequence[str]]) -> None:
    if targets is not None and not names:
        raise ValueError("targets must be the name of a column, or several; got none")
    for part, given in listed.items():
        if isinstance(given, str):
            raise TypeError(f"{part} columns must be a list of names, got the text {given!r:.100}")
    for name in [*names, *(name for given in listed.values() for name in given)]:
        table.column(name)
    for place, name in enumerate(names):
        if name in names[:place]:
            raise TableError(f"{table.source}: the target {name!r} is named twice")
        if any(name in given for given in listed.values()):
            part = next(part for part, given in listed.items() if name in given)
            part = "ignored" if part == "ignored" else f"declared {part}; name a task instead"
            raise TableError(f"{table.source}: the target {name!r} cannot be {part}")
    for one, other in (("categorical", "numeric"), ("ignored", "categorical"), ("ignored", "numeric")):
        for name in listed[one]:
            if name in listed[other]:
                raise TableError(f"{table.source}: column {name!r} cannot be both {one} and {other}")


def _unlike(names: Iterable[str]) -> list[str]:
    """The names, with (2), (3) and so on behind one that was there before."""
    found: dict[str, None] = {}
    for name in names:
        number, free = 1, name
        while free in found:
            number += 1
            free = f"{name} ({number})"
        found[free] = None
    return list(found)


def _refuse_what_is_new(table: Table, made: Input, report: Report) -> None:
    if made.name in report.unseen:
        kind = next(iter(report.unseen[made.name]))
        row = next(row for row in range(len(table)) if table.columns[made.name].cell(row) == kind)
        known = getattr(made, "kinds", ())
        had = ", ".join(map(repr, known[:10])) + (", ..." if len(known) > 10 else "")
        raise table.at(row, made.name, f"category {kind!r} was not in the training rows, which had {had}")
    if made.name in report.imputed and not made.indicator:
        table.refuse_missing(made.name)
