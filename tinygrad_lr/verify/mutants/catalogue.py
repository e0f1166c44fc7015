"""The catalogue: every known bug that can be written as a wrong optimizer, with its source. Next: formula.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ..adapters.naive import Naive, naive
from ..formulas import FAMILIES, Family
from ..protocol import Maker
from ..specification import Specification


class Mutant(NamedTuple):
    """A wrong optimizer.

    Attributes:
        kind: the subclass of `Naive` that has the bug.
        formula, settings: the specification that it claims, and on which the bug shows.
        killed_by: the property that must find it (others may, too).
        seen_in: the libraries and issues where it was found; empty: made to see a check fail.
        entry: its number in the list of bugs (entries.py); empty where it is not in the list.
        also: other formulas that may have the bug; None: all that have the hyperparameters `with_names`.
        with_names: hyperparameters without which the bug makes no sense.
        reference: what it is compared with where backends are (P18).
    """

    kind: type[Naive]
    formula: str
    settings: dict[str, Any]
    killed_by: str
    seen_in: str
    entry: str = ""
    also: tuple[str, ...] | None = ()
    with_names: tuple[str, ...] = ()
    reference: type[Naive] = Naive

    @property
    def name(self) -> str:
        return self.kind.__name__

    @property
    def what(self) -> str:
        """What is wrong, in words."""
        return words(self.name)

    @property
    def named(self) -> str:
        """What is wrong and where it was seen."""
        return named(self.what, self.seen_in)

    @property
    def spec(self) -> Specification:
        """What it claims to compute."""
        return Specification(self.formula, self.settings)

    def may_be_in(self, formula: str | Family) -> bool:
        """Whether an optimizer of this formula may have the bug."""
        family = FAMILIES[formula] if isinstance(formula, str) else formula
        chosen = self.also is None or family.name in (self.formula, *self.also)
        return chosen and all(name in family.defaults for name in self.with_names)

    def build(self, formula: str | Family = "") -> Maker:
        """A maker of the wrong optimizer, of its own formula or another that may have the bug."""
        return naive(formula or self.formula, self.kind)

    def honest(self) -> Maker:
        """A maker of what it is compared with."""
        return naive(self.formula, self.reference)


MUTANTS: dict[str, Mutant] = {}


def words(name: str) -> str:
    """A class's or function's name as words.

    Example:
        >>> words("DecaysTheUpdatedTheta"), words("clock_runs_during_warmup")
        ('decays the updated theta', 'clock runs during warmup')
    """
    parts: list[str] = re.findall("[A-Z][a-z0-9]*", name) if "_" not in name and name != name.lower() else [name]
    return " ".join(parts).replace("_", " ").lower()


def named(what: str, seen_in: str) -> str:
    """How a known bug is called in a finding."""
    return f"{what}, {seen_in}" if seen_in else what


def mutant(
    formula: str,
    killed_by: str,
    seen_in: str = "",
    *,
    entry: str = "",
    also: tuple[str, ...] | None = (),
    with_names: tuple[str, ...] = (),
    reference: type[Naive] = Naive,
    **settings: Any,
) -> Callable[[type[Naive]], type[Naive]]:
    """Register a mutant: see `Mutant`; the other arguments are the settings on which it shows."""

    def register(kind: type[Naive]) -> type[Naive]:
        MUTANTS[kind.__name__] = Mutant(
            kind, formula, {"lr": 0.1, **settings}, killed_by, seen_in, entry, also, with_names, reference
        )
        return kind

    return register


def hyperparameters(spec: Specification) -> dict[str, Any]:
    """All of a specification's hyperparameters."""
    return {name: spec[name] for name in spec.all_names}
