"""The text of docs/audit.md. It refuses to print an accusation that nobody judged. Next: command.py."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..formulas.schedules import REFERENCES
from ..specification import spec
from .judging import Case, Judgement, Verdicts
from .results import Result
from .rows import ScheduleRow

NAMES = {
    "right": "right",
    "true": "**fault**",
    "documented": "documented deviation",
    "disputed": "disputed",
    "withheld": "left out",
    "cannot be run": "cannot be run",
}
PLACES = re.compile(r"/[^ ]*/site-packages/")  # where a package lies is the machine's
HEAD = """\
Written by `python -m tinygrad_lr.verify.audit`, which installs each package in an environment of its own, runs
[the kit](verify.md) on each optimizer against the formula and dialect that its documentation names, in float32, and
writes the results down. Every accusation was then judged by hand, by reading the package's source beside the paper's
formula. What was not judged does not stand here.

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
    parts = ["# Audit of published optimizers\n", totals + "\n", HEAD, *_tables(verdicts), *_details(verdicts)]
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


def _details(verdicts: Verdicts) -> Iterable[str]:
    accused = [case for case in verdicts.cases if any(each.verdict != "withheld" for each, _ in case.judged)]
    if accused:
        yield "# Each accusation, with the smallest example\n"
    for case in accused:
        assert case.result is not None  # it has accusations
        yield f"## {case.package.name} {case.result.version}: `{case.row.title}`\n"
        yield f"Claim: {claim_in_words(case)}.\n"
        for judgement, ids in (each for each in case.judged if each[0].verdict != "withheld"):
            yield from _judged(judgement, ids, case.result)


def _judged(judgement: Judgement, ids: tuple[str, ...], result: Result) -> Iterable[str]:
    yield f"{NAMES[judgement.verdict].strip('*').capitalize()} ({', '.join(ids)}). {judgement.sentence}\n"
    yield f"- Held to: {judgement.source}\n- For a user: {judgement.meaning}\n"
    yield "```text\n" + _plain(result.texts[ids[0]]).rstrip() + "\n```\n"
    if script := result.scripts.get(ids[0]):
        yield (
            "<details><summary>A program that shows it</summary>\n\n```python\n"
            + script.rstrip()
            + "\n```\n</details>\n"
        )


def _plain(text: str) -> str:
    return PLACES.sub("", "\n".join(line.rstrip() for line in text.splitlines()))
