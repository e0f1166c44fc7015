"""A candidate: a wrong optimizer, schedule or clipping, or a right but unusual one, and the table of their families.

A family is a function that generates candidates from axes: formulas, settings, sizes, layouts, step numbers. It only
lists them; a candidate is built when it is judged. Next: subjects.py, scenes.py, then a family, settings.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..report import Report


@dataclass(frozen=True)
class Candidate:
    """Something that the kit must accuse, or must not.

    Attributes:
        family: the key in FAMILIES.
        kind: what is wrong or unusual, without the place; a sample takes as many of each kind.
        place: where: the formula, the setting, the size.
        check: runs the kit as a user calls it.
        lacks: properties that a right one truly lacks: another order of evaluation may lose range.
        differs: whether it differs from what it claims to be, in a run that shows it; None: nothing can be asked.
    """

    family: str
    kind: str
    place: str
    check: Callable[..., Report] = field(compare=False)
    differs: Callable[[], bool] | None = field(default=None, compare=False)
    lacks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The kind and the place, which no other candidate of the family has."""
        return f"{self.place}: {self.kind}"


Formulas = tuple[str, ...]
Generator = Callable[[Formulas], Iterator[Candidate]]


@dataclass(frozen=True)
class CandidateFamily:
    """A family of candidates.

    Attributes:
        name, statement: its name, and what its members do, in a sentence.
        right: whether its members are right.
        generate: lists those of some formulas, or of all.
    """

    name: str
    statement: str
    right: bool
    generate: Generator

    def members(self, formulas: Formulas = ()) -> list[Candidate]:
        """The candidates of these formulas, or of all, in an order that stays."""
        return _members(self, formulas)


@lru_cache(maxsize=64)
def _members(family: CandidateFamily, formulas: Formulas) -> list[Candidate]:
    return list(family.generate(formulas))


PATIENCE = 900.0  # seconds for a property, of which a user's default is 60: a slow machine is no hang

FAMILIES: dict[str, CandidateFamily] = {}


def family(name: str, statement: str, *, right: bool = False) -> Callable[[Generator], Generator]:
    """Register a family under its name."""

    def register(generate: Generator) -> Generator:
        if name in FAMILIES:
            raise ValueError(f"two families are called {name}")
        FAMILIES[name] = CandidateFamily(name, statement, right, generate)
        return generate

    return register


def words(text: Any) -> str:
    """A name as words.

    Example:
        >>> words("exp_avg"), words("read_once")
        ('exp avg', 'read once')
    """
    return str(text).replace("_", " ")
