"""Which accusation each judgement is about, and the verdict on a row that follows. Next: judgements.py, document.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .results import Result
from .rows import AnyRow, Package

VERDICTS = ("true", "withheld", "disputed", "documented")
"""What a judgement says: a true fault; no verdict, as the kit or the claim may be wrong (it is not printed); a
question on which both sides have reasons; a deviation that is documented."""


@dataclass(frozen=True)
class Judgement:
    """What a person who read the source and the paper says of an accusation.

    Attributes:
        package, optimizer: of whom; the optimizer is the name in the row's target, without arguments; "*": any of the
            package's, where all share the code.
        properties: the ids that it is about; a whole number covers its parts: "P1" covers "P1.settings".
        verdict: one of VERDICTS.
        sentence: what is wrong, or why it is not, in one sentence.
        source: the line of the paper, or of the package's documentation, that it was held to.
        meaning: what it means for a user.
        since, until: the versions that it was judged on, both included; "": any.
        only: a part of the row's title, where it is about some of its rows.
    """

    package: str
    optimizer: str
    properties: tuple[str, ...]
    verdict: str
    sentence: str
    source: str
    meaning: str
    since: str = ""
    until: str = ""
    only: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, got {self.verdict!r} for {self.optimizer}")
        for name in ("sentence", "source", "meaning"):
            if not getattr(self, name).strip():
                raise ValueError(f"the judgement on {self.package} {self.optimizer} has no {name}")

    def covers(self, row: AnyRow, result: Result, property_id: str) -> bool:
        """Whether it is about this accusation."""
        own = {property_id, property_id.partition(".")[0]}
        return (
            self.package == result.package
            and self.optimizer in (row.name, "*")
            and self.only in row.title
            and bool(own & set(self.properties))
            and (not self.since or numbers(self.since) <= numbers(result.version))
            and (not self.until or numbers(result.version) <= numbers(self.until))
        )

    def distance(self, property_id: str) -> tuple[bool, bool, bool]:
        """How far it speaks from a property of one optimizer: the nearest judgement counts."""
        return self.optimizer == "*", not self.only, property_id not in self.properties


def numbers(version: str) -> tuple[int, ...]:
    """A version's numbers, by which it is ordered.

    Example:
        >>> numbers("1.10.0rc1") > numbers("1.9")
        True
    """
    return tuple(map(int, re.findall(r"\d+", version.partition("+")[0])))


@dataclass(frozen=True)
class Case:
    """A row, its result, and what was judged of it.

    Attributes:
        package, row, result: what was run; no result: not yet.
        judged: the judgements on its accusations, each with the property ids that it covers.
        unjudged: the accusations that nobody judged.
    """

    package: Package
    row: AnyRow
    result: Result | None
    judged: tuple[tuple[Judgement, tuple[str, ...]], ...] = ()
    unjudged: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """One of "right", VERDICTS, "not judged", "cannot be run", "not run"."""
        if self.result is None:
            return "not run"
        if self.result.unanswered:
            return "cannot be run"
        if self.unjudged:
            return "not judged"
        return next((each for each in VERDICTS if any(j.verdict == each for j, _ in self.judged)), "right")


@dataclass(frozen=True)
class Verdicts:
    """All rows, and the judgements that are about none of their accusations."""

    cases: Sequence[Case]
    idle: Sequence[Judgement] = field(default_factory=tuple)

    def counted(self) -> dict[str, int]:
        """How many rows have which verdict, in this order."""
        order = ("right", *VERDICTS, "not judged", "cannot be run", "not run")
        return {name: sum(case.verdict == name for case in self.cases) for name in order}


def judge(stored: Iterable[tuple[Package, AnyRow, Result | None]], judgements: Sequence[Judgement]) -> Verdicts:
    """The verdict on every row.

    A judgement is idle where its package was run whole, in a version that it is about, and no accusation is its own.
    """
    cases: list[Case] = []
    used: set[int] = set()
    ran: dict[str, list[tuple[str, bool]]] = {}
    for package, row, result in stored:
        found: dict[int, list[str]] = {}
        unjudged = []
        for finding in result.accusations if result else []:
            about = finding["property_id"]
            mine = [i for i, each in enumerate(judgements) if result and each.covers(row, result, about)]
            if mine:
                found.setdefault(min(mine, key=lambda i: judgements[i].distance(about)), []).append(about)
            else:
                unjudged.append(about)
        used |= set(found)
        judged = tuple((judgements[i], tuple(ids)) for i, ids in sorted(found.items()))
        cases.append(Case(package, row, result, judged, tuple(unjudged)))
        ran.setdefault(package.name, []).append((row.name, result is not None and not result.unanswered))
    idle = [each for i, each in enumerate(judgements) if i not in used and _all_ran(each, ran.get(each.package, []))]
    return Verdicts(cases, idle)


def _all_ran(judgement: Judgement, rows: Iterable[tuple[str, bool]]) -> bool:
    """Whether every row that a judgement may be about was run."""
    done = [ended for name, ended in rows if judgement.optimizer in (name, "*")]
    return bool(done) and all(done)
