"""The results of checks: a `Finding` for each property, and a `Report` of all findings, which prints as a table.

A failure shows the property in one sentence, the smallest example found, the expected and the actual value, the error
over the bound, and the nearest known bug. Next: checks/optimizers.py, which makes reports.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

OUTCOMES = ("passed", "failed", "expected failure", "unexpectedly passed", "not applicable", "error", "not run")
GOOD = ("passed", "expected failure", "not applicable")


@dataclass(frozen=True)
class Finding:
    """The outcome of one property.

    Attributes:
        property_id, statement: which property, and what it says in one sentence.
        outcome: one of OUTCOMES. "error": the checked code raised, or does not keep to the protocol.
        reason: why it is not applicable, was expected to fail, or what was raised; of one that passed, what was not
            examined.
        example: the smallest example found: plain numbers and lists, ready to be run again.
        where, expected, actual: what was compared.
        ratio: the error over the derived bound; infinite where bits differ or the property is exact.
        nearest_bug: a known bug that behaves like this on the example, with its source.
        raised: of an error, the exception's class, or "hangs".
    """

    property_id: str
    statement: str
    outcome: str
    reason: str = ""
    example: dict[str, Any] | None = None
    where: str = ""
    expected: str = ""
    actual: str = ""
    ratio: float | None = None
    nearest_bug: str | None = None
    raised: str = ""

    def __str__(self) -> str:
        lines = [f"{self.property_id}  {self.outcome}: {self.statement}"]
        if self.reason:
            lines.append(f"      {'note   ' if self.outcome in ('passed', 'failed') else 'because'}   {self.reason}")
        if self.where:
            lines.append(f"      where     {self.where}")
            lines.append(f"      expected  {shortened(self.expected, 500)}")
            lines.append(f"      actual    {shortened(self.actual, 500)}")
        if self.ratio is not None and math.isfinite(self.ratio):
            lines.append(f"      error     {self.ratio:.4g} times the bound")
        if self.nearest_bug:
            lines.append(f"      {self.nearest_bug}")
        if self.example is not None:
            lines += [
                f"      example   {line}" if i == 0 else f"                {line}"
                for i, line in enumerate(example_lines(self.example))
            ]
        return "\n".join(lines)


def plain(value: Any) -> str:
    """A value as text, NumPy's scalars as plain numbers."""
    return re.sub(r"np\.\w+\(([^()]*)\)", r"\1", str(value))


def example_lines(example: dict[str, Any]) -> list[str]:
    """An example as lines to be read, and pasted."""
    return [f"{key} = {value!r}" for key, value in example.items()]


@dataclass(frozen=True)
class Report:
    """All findings of one check.

    Example:
        >>> report = Report("a rule", [Finding("P2", "The same steps give the same bits every time.", "passed")])
        >>> report.ok, report["P2"].outcome
        (True, 'passed')
    """

    subject: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing failed: every finding passed, failed as expected or is not applicable.

        One at least must have passed besides P0, which only says that checks can run.
        """
        return all(each.outcome in GOOD for each in self.findings) and any(
            each.outcome in ("passed", "expected failure") and each.property_id != "P0" for each in self.findings
        )

    @property
    def failures(self) -> list[Finding]:
        """The findings that make a report fail."""
        return [each for each in self.findings if each.outcome not in GOOD]

    def __getitem__(self, property_id: str) -> Finding:
        for each in self.findings:
            if each.property_id == property_id:
                return each
        known = ", ".join(each.property_id for each in self.findings)
        raise KeyError(f"no finding of {property_id!r}; this report has {known}")

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers: ready for JSON (an infinite ratio is the string "inf")."""
        rows = [asdict(each) for each in self.findings]
        for row in rows:
            if row["ratio"] is not None and not abs(row["ratio"]) < float("inf"):
                row["ratio"] = str(row["ratio"])
        return {"subject": self.subject, "ok": self.ok, "findings": rows}

    def __str__(self) -> str:
        lines = [self.subject, "", *self._rows()]
        for each in self.failures:
            if each.outcome != "not run":
                lines += ["", str(each)]
        counts = {name: sum(each.outcome == name for each in self.findings) for name in OUTCOMES}
        said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        verdict = "all right" if self.ok else "NOT right" if self.failures else "NOT right, for nothing was examined"
        return "\n".join([*lines, "", f"{verdict}: {said}"])

    def _rows(self) -> Iterator[str]:
        """A line for each finding; those that were not run for one reason share theirs."""
        width = max([len(each.outcome) for each in self.findings], default=0)
        names = max([4, *(len(each.property_id) for each in self.findings)])
        for not_run, group in groupby(self.findings, lambda each: each.reason if each.outcome == "not run" else ""):
            found = list(group)
            if not_run and len(found) > 1:
                text = f"{len(found)} more, {found[0].property_id} to {found[-1].property_id}: {not_run}"
                yield f"  {'...':{names}} {'not run':{width}}  {text}"
                continue
            for each in found:
                text = each.statement if each.outcome in ("passed", "failed", "error") else each.reason
                yield f"  {each.property_id:{names}} {each.outcome:{width}}  {shortened(text, 110)}"
                if each.outcome == "passed" and each.reason:
                    yield f"  {'':{names}} {'':{width}}  {each.reason}"


def shortened(text: str, width: int) -> str:
    """The text, cut to a width.

    Example:
        >>> shortened("abcdefgh", 6)
        'abc...'
    """
    return text if len(text) <= width else text[: width - 3] + "..."
