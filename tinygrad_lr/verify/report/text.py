"""A report as text: failures first, then what passed, and the verdict last. Next: reports.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import wrap

from .findings import GOOD, OUTCOMES, Finding, shortened

WIDTH = 118
NOTE = 240  # letters of a note on what was not examined, where not everything is asked for
WHOLE = 2  # failures that are shown whole; the others, in brief
CAUSE = "P1"  # the property that comes first: a step is the formula's
# What follows from the formula, so that it may fail where a step is not the formula's.
FOLLOWS = re.compile(r"P1\..+|P(11|12|14|15|16|19|20|21|22|23|24|25|27|28|29|30|31|32|34)(\..+)?")
OF_STEPS = (CAUSE, "P3", "P4", "P13")  # what a wrong step may break besides; a wrong copy or count is another fault
MAY_FOLLOW = "may follow from this: mend this, and check again"


def as_text(
    subject: str,
    findings: Sequence[Finding],
    verdict: str,
    see: str,
    hint: str,
    everything: bool = False,
    leave_out: str = "",
) -> str:
    """The report: the failures, each with its numbers; a table of what passed; the verdict.

    Args:
        subject: what was checked, against what.
        findings: all of them.
        verdict: "all right", "NOT right", ...
        see: how to see a failure for oneself; "{id}" stands for the property.
        hint: how to see all.
        everything: every failure whole, and also what does not apply, each with its reason.
        leave_out: said in the last line: how to leave out what failed.
    """
    lines = [subject]
    shown = [each for each in findings if is_shown(each)]
    for number, (first, others) in enumerate(by_cause(shown), start=1):
        inherited = f"; inherited from {first.inherited}" if first.inherited else ""
        lines += ["", f"{number}. {first.title.wrong}   [{first.property_id}, {first.title.name}{inherited}]"]
        if first.outcome != "failed":
            lines.append(f"      {first.outcome}")
        lines += first.lines() if everything or number <= WHOLE else first.in_brief()
        for other, why in others:
            numbers = f": {shortened(other.difference or other.where, 60)}" if other.difference or other.where else ""
            lines.append(f"      also      {other.property_id}, {other.title.name}{numbers} ({why})")
        if first.program and (everything or number <= WHOLE):
            lines.append(f"      see it    {see.format(id=first.property_id)}")
    lines += _not_run(findings)
    lines += _listed("differs", findings, "Not so, and without a formula it is unknown whether it should be:")
    lines += _listed("ignored", findings, "Fails, and was left out by ignore=:")
    lines += _listed("expected failure", findings, "Failed as expected:")
    lines += _passed([each for each in findings if each.outcome == "passed"], everything)
    against = [each for each in findings if each.outcome == "not applicable"]
    if everything:
        lines += _listed("not applicable", findings, "Does not apply:")
    more_to_see = hint if (against or len(shown) > WHOLE) and not everything else ""
    said = "; ".join(filter(None, [leave_out, more_to_see]))
    more = f" ({said})" if said else ""
    return "\n".join([*lines, "", f"{verdict}: {counted(findings)}{more}"])


def is_shown(finding: Finding) -> bool:
    """Whether a finding is a failure with a lesson of its own."""
    return finding.outcome not in GOOD and finding.outcome != "not run"


def counted(findings: Sequence[Finding]) -> str:
    """How many findings there are of each outcome.

    Example:
        >>> counted([Finding("P2", "Same bits.", "passed"), Finding("P3", "Any order.", "failed")])
        '1 passed, 1 failed'
    """
    counts = {name: sum(each.outcome == name for each in findings) for name in OUTCOMES}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def by_cause(failures: Sequence[Finding]) -> Iterator[tuple[Finding, list[tuple[Finding, str]]]]:
    """Failures that have one cause together: the first, and each other with what speaks for it.

    They are put together where a known bug explains both, where both raised the same, and where a step is not the
    formula's and the other may follow from that: no other known bug is named for it. What is inherited comes last.
    """
    left = list(failures)
    left.sort(key=lambda each: (bool(each.inherited), each.property_id != CAUSE))
    while left:
        first, rest = left[0], left[1:]
        together = [(each, why) for each in rest if (why := _same_cause(first, each))]
        yield first, together
        left = [each for each in rest if all(each is not other for other, _ in together)]


def _same_cause(first: Finding, other: Finding) -> str:
    """Why two failures have one cause; empty: nothing says so."""
    if first.raised and (first.raised, first.reason) == (other.raised, other.reason):
        return "the same error"
    if first.outcome != "failed" or other.outcome != "failed":
        return ""
    about_steps = FOLLOWS.fullmatch(other.property_id) or other.property_id in OF_STEPS
    if about_steps and first.nearest_bug and first.nearest_bug == other.nearest_bug:
        return "the same known bug"
    if first.property_id == CAUSE and FOLLOWS.fullmatch(other.property_id) and not _told_apart(first, other):
        return MAY_FOLLOW
    return ""


def _told_apart(first: Finding, other: Finding) -> bool:
    """Whether each of two failures behaves as a known bug of its own."""
    bugs = [(each.nearest_bug or "").partition(": ")[2] for each in (first, other)]
    return all(bugs) and bugs[0] != bugs[1]


def _not_run(findings: Sequence[Finding]) -> Iterator[str]:
    for reason, group in groupby((f for f in findings if f.outcome == "not run"), lambda each: each.reason):
        found = list(group)
        ids = found[0].property_id if len(found) == 1 else f"{found[0].property_id} to {found[-1].property_id}"
        more = "" if len(found) == 1 else f"{len(found)} more, "
        yield from ("", f"Not run: {more}{ids}: {reason}")


def _listed(outcome: str, findings: Sequence[Finding], head: str) -> list[str]:
    """Each finding of an outcome with its reason, those of one reason together."""
    reasons: dict[str, list[Finding]] = {}
    for each in findings:
        if each.outcome == outcome:
            reasons.setdefault(each.reason, []).append(each)
    lines = ["", head] if reasons else []
    for reason, group in reasons.items():
        names = ", ".join(f"{each.property_id} {each.title.name}" for each in group)
        lines += wrap(f"{names}: {reason}", WIDTH, initial_indent="  ", subsequent_indent="      ")
    return lines


def _passed(passed: Sequence[Finding], everything: bool) -> list[str]:
    """A table in columns, and below it what could not be examined, what has one reason together."""
    if not passed:
        return []
    longest = max(len(each.property_id) for each in passed)
    cells = [f"{each.property_id:<{longest}} {each.title.name}" for each in passed]
    width = max(map(len, cells)) + 2
    columns = max(1, min(4, WIDTH // width))
    rows = -(-len(cells) // columns)
    lines = ["", "Passed:"]
    for row in range(rows):
        lines.append("  " + "".join(cell.ljust(width) for cell in cells[row::rows]).rstrip())
    notes: dict[str, list[str]] = {}
    for each in passed:
        if each.reason:
            notes.setdefault(each.reason, []).append(each.property_id)
    for reason, ids in notes.items():
        note = f"{', '.join(ids)}  {reason if everything else shortened(reason, NOTE)}"
        lines += wrap(note, WIDTH, initial_indent="      ", subsequent_indent="          ")
    return lines
