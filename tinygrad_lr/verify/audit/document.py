"""The text of docs/audit.md. It refuses to print an accusation that nobody judged. Next: command.py."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..formulas.schedules import REFERENCES
from ..report.titles import title_of
from ..specification import spec
from .judging import VERDICTS, Case, Judgement, Verdicts
from .rows import ScheduleRow

NAMES = {
    "right": "right",
    "true": "**fault**",
    "documented": "documented deviation",
    "disputed": "disputed",
    "withheld": "left out",
    "cannot be run": "cannot be run",
}
DETAILS = {"true": "Faults", "documented": "Documented deviations", "disputed": "Disputed"}
PLACES = re.compile(r"/[^ ]*/site-packages/")  # where a package lies is the machine's
HEAD = """\
Written by `python -m tinygrad_lr.verify.audit`, which installs each package in an environment of its own, runs
[the kit](verify.md) on each optimizer against the formula and dialect that its documentation names, or where that is
silent its source, in float32, and writes the results down. A library that computes numbers such as 1 - beta^t in
float32 (optax, keras, tinygrad) is held to the roundings of float32 in them, too. Every accusation was then judged by
hand, by reading the package's source beside the formula. What was not judged does not stand here. A judgement may be
wrong; the programs below show what was seen, and need nothing but the package.

- *right*: every property holds, or does not apply. What a class inherits unchanged from `torch.optim.Optimizer` is left
  out: that `state_dict` shares memory with the optimizer, and that torch's step counts, in float32, stop at 2^24.
- *fault*: it does not compute what its documentation says it computes, or breaks what a user relies on.
- *documented deviation*: it differs from the paper's formula, and its documentation or its source says so.
- *disputed*: there are reasons for both sides, which the judgement names.
- *left out*: no verdict, since the claim of the row, or the kit, may be what is wrong.
"""


class Unjudged(ValueError):
    """An accusation would be printed that nobody judged. The message lists all."""


def document(verdicts: Verdicts, date: str, kit: str) -> str:
    """The whole document.

    Args:
        verdicts: of all rows.
        date: of the last run, as 2026-11-29.
        kit: the version of the kit.

    Raises:
        Unjudged: an accusation has no judgement.
    """
    waiting = [
        f"{case.package.name} {case.row.title}: {', '.join(case.unjudged)}" for case in verdicts.cases if case.unjudged
    ]
    if waiting:
        raise Unjudged("not judged yet: " + "; ".join(waiting))
    verdicts = Verdicts([case for case in verdicts.cases if case.result is not None])
    counts = verdicts.counted()
    ran = len(verdicts.cases) - counts["cannot be run"]
    totals = (
        f"{date}, kit {kit}. {len(verdicts.cases)} rows of {len({c.package.name for c in verdicts.cases})} packages; "
        f"{ran} ran: {counts['right']} right, {counts['true']} with a fault, {counts['documented']} with a documented "
        f"deviation, {counts['disputed']} disputed, {counts['withheld']} left out. {counts['cannot be run']} could not "
        "be run."
    )
    found = _accusations(verdicts)
    parts = ["# Audit of published optimizers\n", totals + "\n", HEAD, *_faults(found), *_tables(verdicts)]
    parts += _details(found)
    return "\n".join(parts).rstrip() + "\n"


def claim_in_words(case: Case) -> str:
    """What a row claims, as the table prints it."""
    row = case.row
    if isinstance(row, ScheduleRow):
        title = REFERENCES[row.formula].title if row.formula else "what holds for every schedule"
        return f"{title}; {row.note}" if row.note else title
    title = spec(row.formula).title
    settings = ", ".join(f"{key}={value}" for key, value in row.settings.items())
    said = f"{title} ({row.dialect or 'default'})" + (f", {settings}" if settings else "")
    return f"{said}; {row.note}" if row.note else said


def _tables(verdicts: Verdicts) -> Iterable[str]:
    for package in dict.fromkeys(case.package for case in verdicts.cases):
        mine = [case for case in verdicts.cases if case.package is package]
        version = next((case.result.version for case in mine if case.result and case.result.version), "")
        yield f"## {package.name} {version}".rstrip() + "\n"
        yield "| optimizer | claim | verdict | |\n|---|---|---|---|"
        for case in mine:
            yield f"| `{case.row.title}` | {claim_in_words(case)} | {NAMES[case.verdict]} | {_remark(case)} |"
        yield ""


def _remark(case: Case) -> str:
    if case.result is not None and case.result.unanswered:
        return _plain(case.result.unanswered).replace("|", "\\|").replace("\n", " ")[:200]
    return " ".join(judgement.sentence for judgement, _ in case.judged)


@dataclass
class Accusation:
    """A judgement, and the rows that it is about: those of one package that share what is wrong.

    Attributes:
        judgement: on all of them.
        cases: the rows, each with the ids of its findings.
    """

    judgement: Judgement
    cases: list[tuple[Case, tuple[str, ...]]]

    @property
    def rows(self) -> str:
        """The package, and the rows' titles, as code."""
        titles = dict.fromkeys(case.row.title for case, _ in self.cases)
        return f"{self.cases[0][0].package.name}: " + ", ".join(f"`{title}`" for title in titles)

    @property
    def properties(self) -> str:
        """What was found, in words and with the ids."""
        ids = dict.fromkeys(each for _, found in self.cases for each in found)
        return ", ".join(f"{title_of(each).name} ({each})" for each in ids)


def _accusations(verdicts: Verdicts) -> list[Accusation]:
    """What is printed: in the order of the packages, faults first, each judgement once."""
    found: dict[tuple[str, ...], Accusation] = {}
    for case in verdicts.cases:
        for judgement, ids in case.judged:
            if judgement.verdict != "withheld":
                said = (judgement.verdict, judgement.sentence, judgement.source, judgement.meaning)
                found.setdefault((case.package.name, *said), Accusation(judgement, [])).cases.append((case, ids))
    return sorted(found.values(), key=lambda each: VERDICTS.index(each.judgement.verdict))


def _faults(accusations: Iterable[Accusation]) -> Iterable[str]:
    faults = [each for each in accusations if each.judgement.verdict == "true"]
    if faults:
        yield "## The faults\n"
        yield "\n".join(f"- {each.rows}. {each.judgement.sentence}" for each in faults) + "\n"


def _details(accusations: Iterable[Accusation]) -> Iterable[str]:
    verdict = ""
    for each in accusations:
        if each.judgement.verdict != verdict:
            verdict = each.judgement.verdict
            yield f"# {DETAILS[verdict]}, with the smallest example\n"
        yield from _detail(each)


def _detail(accusation: Accusation) -> Iterable[str]:
    """One accusation, with the example of its first row that has a program, or else of the first."""
    case, ids = next((each for each in accusation.cases if _shown(*each)[1]), accusation.cases[0])
    shown, script = _shown(case, ids)
    result, judgement = case.result, accusation.judgement
    assert result is not None  # it has accusations
    yield f"## {accusation.rows}\n"
    yield f"{judgement.sentence}\n"
    yield f"- Claim: {claim_in_words(case)}, in version {result.version}.\n- Held to: {judgement.source}"
    yield f"- For a user: {judgement.meaning}\n- Found by: {accusation.properties}\n"
    yield "```text\n" + _plain(result.texts[shown]).rstrip() + "\n```\n"
    if script:
        yield f"<details><summary>A program that shows it</summary>\n\n```python\n{script}\n```\n</details>\n"


def _shown(case: Case, ids: tuple[str, ...]) -> tuple[str, str]:
    """The finding that is shown of a row, and its program: the first that has one."""
    scripts = case.result.scripts if case.result else {}
    shown = next((each for each in ids if scripts.get(each)), ids[0])
    return shown, _plain(scripts.get(shown, "")).rstrip()


def _plain(text: str) -> str:
    return PLACES.sub("", "\n".join(line.rstrip() for line in text.splitlines()))
