"""Judges candidates: what the kit says of each, and whether that is right. Next: command.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, NamedTuple

from .. import outcomes
from ..report import GOOD, Finding
from .candidates import FAMILIES, Candidate, CandidateFamily

CAUGHT, MISSED, ACCUSED, CLEARED, REFUSED = "caught", "missed", "falsely accused", "called right", "refused"
VERDICTS = (CAUGHT, MISSED, CLEARED, ACCUSED, REFUSED)


class Verdict(NamedTuple):
    """What became of a candidate.

    Attributes:
        family, kind, name: of the candidate.
        verdict: one of VERDICTS: of a wrong one "caught" or "missed", of a right one "called right" or "falsely
            accused"; "refused" is what is no candidate: a wrong one that computes the formula, a right one that does
            not.
        by: the properties that did not pass; of a wrong one the first alone.
        said: what the first of them said.
        seconds: what the check took.
    """

    family: str
    kind: str
    name: str
    verdict: str
    by: tuple[str, ...] = ()
    said: str = ""
    seconds: float = 0.0


class _Enough(BaseException):
    """The first failure has been found."""

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding


@contextmanager
def _ending_at_the_first_failure() -> Iterator[None]:
    """A check ends at its first failure: the verdict on the whole is the same."""

    def ends(finding: Finding) -> None:
        if finding.outcome not in GOOD:
            raise _Enough(finding)

    before, outcomes.observer = outcomes.observer, outcomes.Observer(lambda check: None, ends)
    try:
        yield
    finally:
        outcomes.observer = before


def judge(candidate: Candidate, right: bool) -> Verdict:
    """Run the kit on a candidate.

    Args:
        right: whether it must be called right.
    """
    named = candidate.family, candidate.kind, candidate.name
    if candidate.differs is not None and candidate.differs() == right:
        return Verdict(*named, REFUSED)
    start = time.perf_counter()
    failures: list[Finding] = []
    if right:
        report = candidate.check()
        failures = [finding for finding in report.failures if finding.property_id not in candidate.lacks]
        accused = bool(failures) or not (report.ok or report.failures)
    else:
        try:
            with _ending_at_the_first_failure():
                accused = not candidate.check().ok
        except _Enough as enough:
            failures, accused = [enough.finding], True
    seconds = time.perf_counter() - start
    verdict = (ACCUSED if accused else CLEARED) if right else (CAUGHT if accused else MISSED)
    by = tuple(finding.property_id for finding in failures)
    return Verdict(*named, verdict, by, _said(failures), round(seconds, 2))


def _said(failures: list[Finding]) -> str:
    if not failures:
        return ""
    first = failures[0]
    told = first.reason or f"{first.where}: expected {first.expected}, got {first.actual}"
    return " ".join(f"{first.outcome}: {told}".split())[:300]


def key_of(candidate: Candidate, seed: int) -> str:
    """A number by which candidates are sampled: the same on every machine."""
    return sha256(f"{seed} {candidate.family} {candidate.name}".encode()).hexdigest()


def sample(members: list[Candidate], limit: int | None, seed: int) -> list[Candidate]:
    """So many candidates, of as many kinds as there are; the same for the same seed."""
    if limit is None or limit >= len(members):
        return members
    kinds: dict[str, list[Candidate]] = {}
    for member in sorted(members, key=lambda each: key_of(each, seed)):
        kinds.setdefault(member.kind, []).append(member)
    chosen: list[Candidate] = []
    queues = list(kinds.values())
    while len(chosen) < limit:
        for queue in queues:
            if queue and len(chosen) < limit:
                chosen.append(queue.pop(0))
    return chosen


def judge_by_name(family: str, name: str) -> Verdict:
    """Judge the candidate of that name, in any process."""
    found: CandidateFamily = FAMILIES[family]
    candidate = next(each for each in found.members() if each.name == name)
    try:
        return judge(candidate, found.right)
    except Exception as error:  # an error of the kit, which is told and does not end the score
        verdict = ACCUSED if found.right else MISSED
        text = f"the kit raised {type(error).__name__}: {error}"
        return Verdict(family, candidate.kind, name, verdict, ("kit",), text)


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """Plain values, for JSON."""
    return {**verdict._asdict(), "by": list(verdict.by)}
