"""The catalogue: every known bug that can be written as a wrong optimizer, with its source. Next: formula.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ..adapters.naive import Naive, naive
from ..check import Maker
from ..specification import Specification


class Mutant(NamedTuple):
    """A wrong optimizer.

    Attributes:
        kind: the subclass of `Naive` that has the bug.
        formula, settings: the specification that it claims, and on which the bug shows.
        killed_by: the property that must find it (others may, too).
        seen_in: the libraries and issues where it was found; empty: made to see a check fail.
    """

    kind: type[Naive]
    formula: str
    settings: dict[str, Any]
    killed_by: str
    seen_in: str

    @property
    def name(self) -> str:
        return self.kind.__name__

    @property
    def what(self) -> str:
        """What is wrong, in words."""
        words: list[str] = re.findall("[A-Z][a-z0-9]*", self.name)
        return " ".join(words).lower()

    @property
    def spec(self) -> Specification:
        """What it claims to compute."""
        return Specification(self.formula, self.settings)

    def build(self) -> Maker:
        """A maker of the wrong optimizer."""
        return naive(self.formula, self.kind)


MUTANTS: dict[str, Mutant] = {}


def mutant(formula: str, killed_by: str, seen_in: str = "", **settings: Any) -> Callable[[type[Naive]], type[Naive]]:
    """Register a mutant: the formula and settings on which it shows, the property that kills it, where it was seen."""

    def register(kind: type[Naive]) -> type[Naive]:
        MUTANTS[kind.__name__] = Mutant(kind, formula, {"lr": 0.1, **settings}, killed_by, seen_in)
        return kind

    return register


def hyperparameters(spec: Specification) -> dict[str, Any]:
    """All of a specification's hyperparameters."""
    return {name: spec[name] for name in spec.all_names}
