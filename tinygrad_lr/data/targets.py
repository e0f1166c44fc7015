"""What the targets of a table are: numbers to be standardised, or classes. `TargetEncoder.fit` decides which.

Texts, and true and false, are classes. So are few whole numbers that look like the numbers of classes, where no task is
named; `describe` says so. Next: encoding.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .cells import Cells
from .columns import Table, TableError, number_text
from .inputs import brief
from .learnt import Learnt
from .recognition import TRUE_OR_FALSE
from .standardising import LOST, Standardiser, lost_in_float32

__all__ = ["TASKS", "TargetEncoder", "shown_class", "target_names"]

TASKS = ("regression", "binary", "multiclass")
MOST_NUMBERS = 10  # whole numbers that are taken as classes unasked
ROWS_OF_A_CLASS = 10  # that there must be on average, to take whole numbers other than 0 and 1 as classes unasked
RAREST = 0.2  # of an equal share: where a whole number is rarer, they are counts and not classes
FEW_CLASSES = 20  # more classes than this, in more than half of the rows, are names

LONG = 30  # characters of a class that are shown

Class = str | int | float | bool


@dataclass(frozen=True)
class TargetEncoder:
    """The targets of a table as arrays, and predictions as the table has them. `TargetEncoder.fit` makes one.

    Attributes:
        names: the target columns; several of them are numbers.
        task: "regression", "binary" or "multiclass".
        kinds: what the cells of each are: "number", "boolean" or "text".
        units: what numbers were written in, for each.
        scale: of the numbers of a regression, by the training rows.
        classes: in ascending order, as the table has them: of a column of numbers, numbers.
        counts: the rows of each class, of all rows.
        left_out: rows without a target.
        why: what to say of the choice of the task.
    """

    names: tuple[str, ...]
    task: str
    kinds: tuple[str, ...]
    units: tuple[str, ...]
    scale: Standardiser
    classes: tuple[Class, ...] = ()
    counts: tuple[int, ...] = ()
    left_out: int = 0
    why: str = ""
    words: tuple[str, ...] = field(default=())

    @property
    def outputs(self) -> int:
        """How many outputs a model of this task has."""
        return {"regression": len(self.names), "binary": 1}.get(self.task, len(self.classes))

    @classmethod
    def fit(cls, table: Table, cells: Mapping[str, Cells], rows: np.ndarray, task: str | None = None) -> TargetEncoder:
        """The encoder of a table's targets.

        Args:
            cells: of each target column, in order.
            rows: the training rows; all of them have targets.
            task: "regression", "classification", "binary", "multiclass", or None: what the cells say.

        Raises:
            TableError: texts or dates where numbers are needed, one class only, as many classes as rows.
        """
        names = tuple(cells)
        there = ~np.any([each.missing for each in cells.values()], axis=0)
        classes_asked = task in ("classification", "binary", "multiclass")
        if len(names) > 1 and classes_asked:
            raise TableError(f"{table.source}: {task} has one target, got {', '.join(names)}; name one of them")
        why = ""
        if len(names) == 1 and task != "regression":
            (only,) = cells.values()
            whole = only.kind == "number" and not classes_asked and _are_classes(only.values[there])
            if whole:
                why = "few whole numbers; --task regression takes them as numbers"
            if classes_asked or whole or only.kind in ("text", "boolean"):
                return cls._of_classes(table, names[0], only, there, rows, task, why)
        for name, each in cells.items():
            _refuse_no_numbers(table, name, each, several=len(names) > 1)
        values = np.stack([_as_floats(each) for each in cells.values()], axis=1)
        if len(names) == 1 and task is None and _are_few_whole(values[there, 0]):
            why = f"{len(np.unique(values[there]))} whole numbers; --task classification takes them as classes"
        scale = Standardiser.fit(values[rows])
        lost = lost_in_float32(values[rows], scale).tolist()
        return cls(
            names,
            "regression",
            tuple(each.kind for each in cells.values()),
            tuple(each.unit for each in cells.values()),
            scale,
            left_out=int((~there).sum()),
            why=why,
            words=tuple(
                ", ".join([*each.words, *[LOST] * is_lost]) for each, is_lost in zip(cells.values(), lost, strict=True)
            ),
        )

    @classmethod
    def _of_classes(
        cls, table: Table, name: str, cells: Cells, there: np.ndarray, rows: np.ndarray, task: str | None, why: str
    ) -> TargetEncoder:
        where = f"{table.source}: target {name!r}"
        if cells.kind == "date":
            raise TableError(f"{where} has dates, which are no classes; name another column")
        classes, index = _classes(cells)
        counts = np.bincount(index[there], minlength=len(classes))
        total, kinds = int(there.sum()), len(classes)
        if kinds == 1:
            raise TableError(
                f"{where} has one class only, {classes[0]!r}, in all {total:,} rows; nothing to tell apart"
            )
        if (kinds == total and kinds > 2) or kinds > max(FEW_CLASSES, total / 2):
            what = "as many classes as rows" if kinds == total else f"{kinds:,} classes in {total:,} rows"
            number = ", or predict it as a number (--task regression)" if cells.kind == "number" else ""
            raise TableError(f"{where} has {what}, which tells rows apart and no kinds of them; name another{number}")
        if task == "binary" and kinds != 2:
            raise TableError(
                f"{where} has {kinds:,} classes, and a binary task has 2; leave the task out, or multiclass"
            )
        of_training = np.bincount(index[rows], minlength=kinds)
        if (of_training > 0).sum() < 2:
            one = classes[int(np.argmax(of_training))]
            raise TableError(
                f"{where} has one class only, {one!r}, in the {len(rows):,} training rows; more are needed"
            )
        if task == "multiclass":
            made = "multiclass"
        else:
            made = "binary" if kinds == 2 else "multiclass"
        return cls(
            (name,),
            made,
            (cells.kind,),
            (cells.unit,),
            Standardiser(np.zeros(0), np.zeros(0)),
            tuple(classes),
            tuple(counts.tolist()),
            int((~there).sum()),
            why,
            (", ".join(cells.words),),
        )

    def encode(self, table: Table, cells: Mapping[str, Cells]) -> np.ndarray:
        """The targets of a table's rows, see `TableEncoder.targets`.

        Raises:
            TableError: a class that the training table did not have.
        """
        if self.task == "regression":
            values = np.stack([_as_floats(each) for each in cells.values()], axis=1)
            return np.where(np.isnan(values), np.nan, self.scale(values)).astype(np.float32)
        ((name, only),) = cells.items()
        if only.kind == "empty":
            index = np.full(len(only), -1)
        else:
            key = _truth if self.kinds[0] == "boolean" else _itself
            known = {key(each): place for place, each in enumerate(self.classes)}
            classes, of_row = _classes(only)
            place = np.array([known.get(key(each), -1) for each in classes])
            if (place < 0).any():
                code = int(np.argmax(place < 0))
                there = ", ".join(map(repr, self.classes[:10])) + ", ..." * (len(self.classes) > 10)
                what = f"class {classes[code]!r} was not in the training table, which had {there}"
                raise table.at(int(np.argmax(of_row == code)), name, what)
            index = np.append(place, -1)[of_row]
        if self.task == "multiclass":
            return index.astype(np.int64)
        return np.where(index < 0, np.nan, index)[:, None].astype(np.float32)

    def in_units(self, standard: np.ndarray) -> np.ndarray:
        """Standardised numbers in the units of the table, float64."""
        return self.scale.inverse(np.asarray(standard, np.float64))

    def decide(self, probabilities: np.ndarray) -> list[Class]:
        """The most probable class of each row.

        Args:
            probabilities: of a binary task those of the second class, shape (rows,) or (rows, 1); else (rows, classes).
        """
        if self.task == "binary":
            index = (np.asarray(probabilities).reshape(len(probabilities)) > 0.5).astype(np.int64)
        else:
            index = np.asarray(probabilities).argmax(axis=1)
        return [self.classes[each] for each in index.tolist()]

    def describe(self) -> str:
        """What the targets are, in words."""
        if self.task == "regression":
            parts = []
            for place in range(len(self.names)):
                said = f"mean {brief(self.scale.mean[place])}, deviation {brief(self.scale.deviation[place])}"
                if self.scale.constant[place]:
                    said = f"always {brief(self.scale.mean[place])}"
                said += f", {self.words[place]}" if self.words[place] else ""
                parts.append(f"{self.names[place]}: {said}" if len(self.names) > 1 else said)
            said = f"regression, {'; '.join(parts)}"
        else:
            shown = [
                f"{_short(shown_class(each))} {rows:,}" for each, rows in zip(self.classes, self.counts, strict=True)
            ]
            more = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
            said = f"{len(self.classes)} classes: {', '.join(shown[:12])}{more}"
        if self.why:
            said += f" ({self.why})"
        if self.left_out:
            said += f"; {self.left_out:,} row{'s' * (self.left_out > 1)} without a target left out"
        return said

    @classmethod
    def read(cls, found: Any) -> TargetEncoder:
        """The target that `to_json` described, made again.

        Raises:
            ValueError: something is absent or has another form.
        """
        learnt = Learnt(found, "the target")
        names, task = learnt.kinds("names"), learnt.choice("task", TASKS)
        several = {part: learnt.texts(part) for part in ("kinds", "units", "words")}
        mean, deviation = (np.array(learnt.numbers(part), np.float64) for part in ("mean", "deviation"))
        scale = Standardiser(mean, deviation, np.array(learnt.flags("constant"), bool))
        classes, counts = learnt.found.get("classes"), learnt.numbers("counts")
        if not isinstance(classes, list) or not all(isinstance(each, (str, int, float, bool)) for each in classes):
            raise learnt.refuse("classes", "a list of texts or numbers")
        if len(set(classes)) < len(classes) or len({type(each) is str for each in classes}) > 1:
            raise learnt.refuse("classes", "a list of different texts or different numbers")
        least = {"regression": 0, "binary": 2, "multiclass": 2}[task]
        if len(classes) < least or len(classes) > {"regression": 0, "binary": 2}.get(task, len(classes)):
            raise learnt.refuse("classes", f"those of a task that is {task}")
        if len(counts) != len(classes) or not all(each >= 0 and each == int(each) for each in counts):
            raise learnt.refuse("counts", "a whole number for each class")
        numbers = len(names) if task == "regression" else 0
        if not names or not all(names) or scale.mean.shape != (numbers,) or (numbers == 0 and len(names) > 1):
            raise learnt.refuse("names", f"of columns that fit {scale.mean.size} means and the task {task}")
        if any(len(each) != len(names) for each in several.values()):
            raise learnt.refuse("kinds", "one for each target, as units and words are")
        if not set(several["kinds"]) <= {"number", "boolean"} | ({"text"} if task != "regression" else set()):
            raise learnt.refuse("kinds", "number, boolean or text")
        if several["kinds"][0] == "boolean" and not all(
            isinstance(each, bool) or (isinstance(each, str) and each.lower() in TRUE_OR_FALSE) for each in classes
        ):
            raise learnt.refuse("classes", "words for true and false")
        return cls(
            names,
            task,
            several["kinds"],
            several["units"],
            scale,
            tuple(classes),
            tuple(int(each) for each in counts),
            learnt.count("left_out"),
            learnt.text("why"),
            several["words"],
        )

    def to_json(self) -> dict[str, Any]:
        """What was learnt, as plain lists, numbers and texts."""
        return {
            "names": list(self.names),
            "task": self.task,
            "kinds": list(self.kinds),
            "units": list(self.units),
            "mean": self.scale.mean.tolist(),
            "deviation": self.scale.deviation.tolist(),
            "constant": self.scale.constant.tolist(),
            "classes": list(self.classes),
            "counts": list(self.counts),
            "left_out": self.left_out,
            "why": self.why,
            "words": list(self.words),
        }


def _are_classes(values: np.ndarray) -> bool:
    """Whether whole numbers are taken as classes unasked: 0 and 1, or the numbers from 0 or 1 to at most 10, of which
    none is rare. Counts have rare numbers, grades and sizes do not begin there.

    Example:
        >>> _are_classes(np.array([0.0, 1.0])), _are_classes(np.repeat([1.0, 2, 3], 10))
        (True, True)
        >>> _are_classes(np.repeat([3.0, 4, 5, 6, 7], 10)), _are_classes(np.repeat([0.0, 1, 2, 3], [70, 20, 8, 2]))
        (False, False)
    """
    if not _are_few(values):
        return False
    kinds, counts = np.unique(values, return_counts=True)
    if kinds.tolist() == [0, 1]:
        return True
    consecutive = kinds[0] in (0, 1) and bool((np.diff(kinds) == 1).all())
    return consecutive and _are_few_whole(values) and bool(counts.min() * len(kinds) >= RAREST * len(values))


def _are_few_whole(values: np.ndarray) -> bool:
    """Whether numbers could be classes: 2 to 10 whole ones, each of ten rows on average."""
    return _are_few(values) and 2 <= len(np.unique(values)) <= len(values) / ROWS_OF_A_CLASS


def _are_few(values: np.ndarray) -> bool:
    """Whether numbers are whole, and at most ten. It costs nothing to see that most columns are not."""
    return all(len(np.unique(part)) <= MOST_NUMBERS and bool((part % 1 == 0).all()) for part in (values[:100], values))


def _refuse_no_numbers(table: Table, name: str, cells: Cells, several: bool) -> None:
    if cells.kind in ("number", "boolean"):
        return
    row = int(np.argmin(cells.missing))
    cell = table.columns[name].cell(row)
    if cells.kind == "date":
        raise table.at(row, name, f"{cell!r} is a date, and a target is a number or a class; name another column")
    also = "several targets are numbers; name this one alone" if several else "leave out --task regression"
    raise table.at(row, name, f"{cell!r} is not a number; {also}")


def _as_floats(cells: Cells) -> np.ndarray:
    if cells.kind == "empty":
        return np.full(len(cells), np.nan)
    return np.where(cells.missing, np.nan, cells.values.astype(np.float64))


def _classes(cells: Cells) -> tuple[list[Class], np.ndarray]:
    """The classes of a column in ascending order, and the place among them of each row, -1 where a value is missing."""
    place = np.full(len(cells), -1)
    there = ~cells.missing
    if cells.kind == "text":
        order = sorted(range(len(cells.texts)), key=lambda code: cells.texts[code])
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        place[there] = rank[cells.codes[there]]
        return [cells.texts[code] for code in order], place
    kinds, place[there] = np.unique(cells.values[there], return_inverse=True)
    if cells.kind == "boolean":
        return [_written(cells, bool(kind)) for kind in kinds], place
    return [int(each) if each == int(each) else float(each) for each in kinds.tolist()], place


def _written(cells: Cells, truth: bool) -> Class:
    """True or False as most rows of a column of texts write it."""
    if not cells.texts:
        return truth
    codes = cells.codes[~cells.missing & (cells.values == truth)]
    counts = np.bincount(codes, minlength=len(cells.texts)).tolist()
    return min(cells.texts, key=lambda text: (-counts[cells.texts.index(text)], text))


def _truth(each: Class) -> Class:
    return TRUE_OR_FALSE[each.lower()] if isinstance(each, str) else each


def _itself(each: Class) -> Class:
    return each


def _short(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]}..."


def shown_class(each: Class) -> str:
    """A class as a text for a file: as the table has it.

    Example:
        >>> shown_class(1), shown_class(True), shown_class("red")
        ('1', 'true', 'red')
    """
    if isinstance(each, bool):
        return "true" if each else "false"
    return each if isinstance(each, str) else number_text(float(each))


def target_names(given: str | Sequence[str]) -> list[str]:
    """The names of targets that were given as one text or as several.

    Example:
        >>> target_names("effect"), target_names(["effect", "cost"])
        (['effect'], ['effect', 'cost'])
    """
    return [given] if isinstance(given, str) else list(given)
