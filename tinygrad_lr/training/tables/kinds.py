"""Kinds of values that options take: each reads a text of the command line, and checks a value from Python.

Both doors raise the same ValueError, which says what was expected and what came. Next: options.py.
"""

from __future__ import annotations

import csv
import math
import numbers
import operator
import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

from tinygrad_lr.settings import setting
from tinygrad_lr.suggesting import suggested

__all__ = [
    "LARGEST",
    "AnyTable",
    "Choice",
    "ClassWeights",
    "Flag",
    "Hyperparameters",
    "Kind",
    "Name",
    "Names",
    "Number",
    "Text",
    "Texts",
    "Whole",
    "Widths",
    "as_list",
    "joined_names",
    "shown",
    "split_names",
]

QUOTED = "write a name that holds a comma in quotes, as in '\"e,f\",g'"
LARGEST = 2**53  # up to here, float64 tells each whole number from the next


def shown(given: object) -> str:
    """What was given, as Python writes it in one line, and cut where it is long."""
    text = " ".join(repr(given).split()) if "\n" in repr(given) else repr(given)
    if len(text) <= 62:
        return text
    if isinstance(given, str):
        return f"{given[:40]!r}... ({len(given)} characters)"
    return f"{text[:41]}... ({len(text)} characters)"


class Kind:
    """What an option may be.

    `read` makes a value of a text, `checked` returns a value from Python as options keep it. Both raise ValueError.
    """

    def read(self, text: str) -> Any:
        """The value that a text of the command line stands for."""
        return self.checked(text)

    def checked(self, value: Any) -> Any:
        """The value, once it is checked."""
        raise NotImplementedError


@dataclass(frozen=True)
class Number(Kind):
    """A finite number of at least `least` and at most (or "below") `most`."""

    least: float
    most: float = math.inf
    at_most: str = "at most"

    def read(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"expected a number, got {shown(text)}") from None
        return self._within(value, text)

    def checked(self, value: Any) -> float:
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            raise ValueError(f"expected a number, got {shown(value)}")
        try:
            return self._within(float(value), value)
        except OverflowError:
            return self._within(math.inf, value)

    def _within(self, value: float, given: object) -> float:
        fits = self.least <= value and (value < self.most if self.at_most == "below" else value <= self.most)
        if not (fits and math.isfinite(value)):
            limit = "" if self.most == math.inf else f" and {self.at_most} {self.most:g}"
            raise ValueError(f"expected a finite number of at least {self.least:g}{limit}, got {shown(given)}")
        return value


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number of at least `least` and at most 2**53."""

    least: int

    def read(self, text: str) -> int:
        try:
            value = int(text) if len(text) <= 1000 else LARGEST + 1
        except ValueError:
            raise ValueError(f"expected a whole number, got {shown(text)}") from None
        return self._within(value, text)

    def checked(self, value: Any) -> int:
        try:
            if isinstance(value, bool):
                raise TypeError
            return self._within(operator.index(value), value)
        except TypeError:
            raise ValueError(f"expected a whole number, got {shown(value)}") from None

    def _within(self, value: int, given: object) -> int:
        if value < self.least:
            raise ValueError(f"expected a whole number of at least {self.least}, got {shown(given)}")
        if value > LARGEST:
            raise ValueError(f"expected a whole number of at most {LARGEST}, got {shown(given)}")
        return value


@dataclass(frozen=True)
class Text(Kind):
    """A text that is not empty, such as a name or a path; with `blank`, it may be white space."""

    blank: bool = False

    def checked(self, value: Any) -> str:
        if not isinstance(value, str) or not (value if self.blank else value.strip()) or "\0" in value:
            raise ValueError(f"expected a text that is not empty and holds no NUL, got {shown(value)}")
        return value


def invalid_choice(value: Any, choices: Sequence[str]) -> str:
    """What is said of a text that is none of some.

    Example:
        >>> invalid_choice("Adm", ["sgd", "adam"])
        "invalid choice: 'Adm' (choose from 'sgd', 'adam'); did you mean 'adam'?"
    """
    said = f"invalid choice: {shown(value)} (choose from {', '.join(map(repr, choices))})"
    return suggested(said, value, choices)


@dataclass(frozen=True)
class Choice(Kind):
    """One of some texts."""

    choices: tuple[str, ...]

    def checked(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise ValueError(invalid_choice(value, self.choices))
        return value


@dataclass(frozen=True)
class Flag(Kind):
    """True or False."""

    def checked(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"expected True or False, got {shown(value)}")
        return value


def as_list(value: Any) -> Any:
    """What NumPy, pandas or polars has as a list, as one; anything else as it is."""
    turn = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    return turn() if callable(turn) else value


@dataclass(frozen=True)
class Texts(Kind):
    """Texts: on the command line with commas between, in Python one or a list of them."""

    what: ClassVar[str] = "text"

    def read(self, text: str) -> list[str]:
        return split_names(text)

    def checked(self, value: Any) -> list[Any]:
        value = as_list(value)
        if self._is_one(value):
            return [self._checked(value)]
        if isinstance(value, (bytes, Mapping)) or not isinstance(value, (Sequence, Set)):
            raise ValueError(f"expected a {self.what} or a list of {self.what}s, got {shown(value)}")
        return [self._checked(each) for each in value]

    def _is_one(self, value: Any) -> bool:
        return isinstance(value, str)

    def _checked(self, value: Any) -> Any:
        return Text().checked(value)


def split_names(text: str) -> list[str]:
    """Names with commas between. One that holds a comma stands in quotes, as in CSV; a quote within them is doubled.

    Raises:
        ValueError: an empty name, or quotes that are not closed.

    Example:
        >>> split_names('a, "e,f",g'), split_names('5" pipe,b')
        (['a', 'e,f', 'g'], ['5" pipe', 'b'])
    """
    try:
        (found,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"expected names with commas between, got {shown(text)} ({error}); {QUOTED}") from None
    found = [part.strip() for part in found]
    if not found or not all(found):
        raise ValueError(f"expected names with commas between, got {shown(text)}; one of them is empty")
    return found


def joined_names(names: Sequence[str]) -> str:
    """The same names as a text that `split_names` reads.

    Example:
        >>> joined_names(["a", "e,f", '5" pipe'])
        'a,"e,f",5" pipe'
    """
    return ",".join(
        '"' + name.replace('"', '""') + '"' if "," in name or name[:1] == '"' or "\n" in name else name
        for name in names
    )


def _name(value: Any) -> str | int:
    """The name of a column; a whole number is one of a frame, or the place of an array's column."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return Text().checked(value)
    raise ValueError(f"expected the name of a column of the table, got {shown(value)}")


def _is_name(value: Any) -> bool:
    return isinstance(value, (str, Integral)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Name(Kind):
    """The name of a column, which in Python may be a whole number."""

    def read(self, text: str) -> str:
        """A name; in quotes, too, as in a list of names."""
        name = Text().checked(text)
        return split_names(name)[0] if name[:1] == '"' and len(split_names(name)) == 1 else name

    def checked(self, value: Any) -> str | int:
        return _name(value)


@dataclass(frozen=True)
class Names(Texts):
    """Names of columns, which in Python may be whole numbers."""

    what: ClassVar[str] = "name"

    def _is_one(self, value: Any) -> bool:
        return _is_name(value)

    def _checked(self, value: Any) -> str | int:
        return _name(value)


@dataclass(frozen=True)
class AnyTable(Kind):
    """The path of a table; in Python also what holds one."""

    def read(self, text: str) -> str:
        return Text().checked(text)

    def checked(self, value: Any) -> Any:
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        return Text().checked(value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Widths(Kind):
    """Units of layers: positive whole numbers, on the command line with commas between."""

    def read(self, text: str) -> list[int]:
        return [Whole(1).read(part) for part in text.split(",")]

    def checked(self, value: Any) -> list[int]:
        value = as_list(value)
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            try:
                return [Whole(1).checked(value)]
            except ValueError:
                raise ValueError(f"expected a list of whole numbers of at least 1, got {shown(value)}") from None
        return [Whole(1).checked(each) for each in value]


@dataclass(frozen=True)
class Hyperparameters(Kind):
    """Hyperparameters by name: `betas=0.9,0.95` on the command line, a dict in Python."""

    def read(self, text: str) -> dict[str, Any]:
        return dict([setting(text)])

    def checked(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise ValueError(f"expected a dict of hyperparameters such as {{'betas': (0.9, 0.95)}}, got {shown(value)}")
        return dict(value)

    @staticmethod
    def written(value: Mapping[str, Any]) -> list[str]:
        """The texts that `read` reads."""
        return [f"{name}={_as_argument(each)}" for name, each in value.items()]


def _as_argument(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


@dataclass(frozen=True)
class ClassWeights(Kind):
    """ "balanced", or a weight for each class: `a=2,b=1` on the command line, a dict in Python."""

    def read(self, text: str) -> str | dict[str, float]:
        if text == "balanced":
            return text
        found: dict[str, float] = {}
        for part in split_names(text):
            name, equals, weight = part.rpartition("=")
            if not equals or not name.strip():
                raise ValueError(
                    f"expected balanced, or CLASS=WEIGHT with commas between, got {shown(text)}; one whose class holds "
                    "a comma stands in quotes, as in '\"a,b=2\",c=1'"
                )
            if name.strip() in found:
                raise ValueError(f"the class {name.strip()!r} has two weights in {shown(text)}; leave one out")
            found[name.strip()] = Number(0).read(weight)
        return found

    def checked(self, value: Any) -> str | dict[str, float]:
        if value == "balanced":
            return "balanced"
        if not isinstance(value, Mapping) or not value:
            raise ValueError(f"expected 'balanced' or a dict of a weight for each class, got {shown(value)}")
        return {str(name): Number(0).checked(weight) for name, weight in value.items()}
