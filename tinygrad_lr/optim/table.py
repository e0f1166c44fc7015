"""The table of optimizers: a row for each, readable without NumPy. Tests, documents and the command line ask it.

A row says where the class is, so that a class is imported when it is asked for. `register` adds a row for an optimizer
of your own. All else follows from the row's class (optimizer.py) and from its formula (verify/formulas/).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

__all__ = ["ENTRY_POINTS", "OPTIMIZERS", "STATE_DTYPES", "Entry", "Table", "imported"]

ENTRY_POINTS = "tinygrad_lr.optimizers"
STATE_DTYPES = ("float32", "bfloat16", "int8")  # in which Adam keeps its moments: short_moments.py


class Entry(NamedTuple):
    """One optimizer.

    Attributes:
        place: "module:Class".
        summary: one line, for people who choose among optimizers.
        formula: "module:NAME" of a `verify.formulas.Family`; empty: verify/formulas/ has one of the optimizer's name.
    """

    place: str
    summary: str
    formula: str = ""


def imported(place: str) -> object:
    """The object that "module:NAME" names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


class Table(Mapping[str, type[Any]]):  # subclasses of Optimizer, whose file asks this table
    """Classes by name. A class is imported when it is asked for.

    Attributes:
        rows: the rows that are known without looking at what is installed.

    Installed distributions may have rows of their own: their entry points in the group "tinygrad_lr.optimizers" name
    modules that call `optim.register`. They are read when a name is not known, or when all names are asked for.
    """

    def __init__(self, rows: Mapping[str, Entry]) -> None:
        self.rows = dict(rows)
        self._has_read = False

    def __getitem__(self, name: str) -> type[Any]:
        if name not in self:
            raise KeyError(name)
        found = imported(self.rows[name].place)
        assert isinstance(found, type), f"{self.rows[name].place} is no class"
        return found

    def __contains__(self, name: object) -> bool:
        if name not in self.rows:
            self.read_entry_points()
        return name in self.rows

    def __iter__(self) -> Iterator[str]:
        self.read_entry_points()
        return iter(list(self.rows))

    def __len__(self) -> int:
        self.read_entry_points()
        return len(self.rows)

    def read_entry_points(self) -> None:
        """Import the modules that distributions name, once."""
        if self._has_read:
            return
        self._has_read = True
        from importlib.metadata import entry_points  # takes as long as NumPy, and most processes need it not

        for each in entry_points(group=ENTRY_POINTS):
            each.load()

    def name_of(self, cls: type) -> str | None:
        """The name of a class; None where it has no row, even if it is derived from one that has."""
        place = f"{cls.__module__}:{cls.__qualname__}"
        return next((name for name, row in self.rows.items() if row.place == place), None)

    def register(self, name: str, row: Entry) -> None:
        """See `optim.register`."""
        taken = self.rows.get(name, row)
        if taken != row:
            raise ValueError(f"there is an optimizer {name!r} already, {taken.place}; choose another name")
        for what, text in (("class", row.place), ("formula", row.formula or "none:none")):
            module, _, attribute = text.partition(":")
            if not module or not attribute.isidentifier():
                raise ValueError(f"expected the {what} as 'module:Name', at the top of a module; got {text!r}")
        self.rows[name] = row


OPTIMIZERS = Table(
    {
        "sgd": Entry("tinygrad_lr.optim.sgd:SGD", "gradient descent, with momentum or Nesterov's momentum"),
        "adagrad": Entry("tinygrad_lr.optim.adagrad:Adagrad", "divides by the root of the sum of all squares"),
        "rmsprop": Entry("tinygrad_lr.optim.rmsprop:RMSprop", "divides by the root of a moving average of squares"),
        "adam": Entry("tinygrad_lr.optim.adam:Adam", "momentum over RMSprop, both corrected for their start"),
        "adamw": Entry("tinygrad_lr.optim.adam:AdamW", "Adam with a weight decay that its averages do not see"),
        "lion": Entry("tinygrad_lr.optim.lion:Lion", "steps of one size, along the sign of an average of gradients"),
    }
)
