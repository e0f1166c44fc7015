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
        family: under which heading lists have it.
    """

    place: str
    summary: str
    formula: str = ""
    family: str = "registered by others"


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


DESCENT = "gradient descent"
RATES = "a rate for each element, from its past gradients"
ADAMS = "Adam and its relatives"
SIGNS = "steps of one size"
NO_RATE = "no learning rate to choose"
NO_SCHEDULE = "no schedule to choose"


def _row(file: str, cls: str, family: str, summary: str) -> Entry:
    return Entry(f"tinygrad_lr.optim.{file}:{cls}", summary, family=family)


OPTIMIZERS = Table(
    {
        "sgd": _row("sgd", "SGD", DESCENT, "gradient descent, with momentum or Nesterov's momentum"),
        "asgd": _row("asgd", "ASGD", DESCENT, "gradient descent, and the mean of where it was"),
        "optimistic_gd": _row("optimistic", "OptimisticGD", DESCENT, "foresees that the gradient changes as it did"),
        "adagrad": _row("adagrad", "Adagrad", RATES, "divides by the root of the sum of all squares"),
        "rmsprop": _row("rmsprop", "RMSprop", RATES, "divides by the root of a moving average of squares"),
        "adadelta": _row("adadelta", "Adadelta", RATES, "RMSprop whose rate comes from the steps before"),
        "rprop": _row("rprop", "Rprop", RATES, "a step size that grows while the sign stays; for whole batches"),
        "ftrl": _row("ftrl", "Ftrl", RATES, "the least regularised sum of all gradients; sparse with l1"),
        "madgrad": _row("madgrad", "MADGRAD", RATES, "sums of gradients and squares, under a cube root"),
        "adam": _row("adam", "Adam", ADAMS, "momentum over RMSprop, both corrected for their start"),
        "adamw": _row("adam", "AdamW", ADAMS, "Adam with a weight decay that its averages do not see"),
        "adamax": _row("adamax", "Adamax", ADAMS, "Adam that divides by the largest decayed gradient"),
        "nadam": _row("nadam", "NAdam", ADAMS, "Adam with Nesterov's momentum"),
        "radam": _row("radam", "RAdam", ADAMS, "Adam that waits until its second moment can be trusted"),
        "adabelief": _row("yogi", "AdaBelief", ADAMS, "divides by how far gradients are from their average"),
        "yogi": _row("yogi", "Yogi", ADAMS, "Adam whose second moment falls slowly"),
        "adan": _row("adan", "Adan", ADAMS, "Nesterov's momentum from differences of gradients"),
        "ademamix": _row("ademamix", "AdEMAMix", ADAMS, "Adam with a second, slower average"),
        "simplified_ademamix": _row("ademamix", "SimplifiedAdEMAMix", ADAMS, "one sum of gradients for two averages"),
        "adopt": _row("adopt", "ADOPT", ADAMS, "Adam that divides by the moment of the steps before"),
        "optimistic_adam": _row("optimistic", "OptimisticAdam", ADAMS, "Adam that foresees its next step"),
        "lion": _row("lion", "Lion", SIGNS, "steps of one size, along the sign of an average of gradients"),
        "signsgd": _row("signsgd", "SignSGD", SIGNS, "steps along the sign of the gradient, or of its average"),
        "cocob": _row("cocob", "COCOB", NO_RATE, "bets on a coin for each element"),
        "schedule_free_sgd": _row(
            "schedule_free", "ScheduleFreeSGD", NO_SCHEDULE, "SGD, and an average for predictions"
        ),
        "schedule_free_adamw": _row(
            "schedule_free", "ScheduleFreeAdamW", NO_SCHEDULE, "AdamW, and an average for predictions"
        ),
    }
)
