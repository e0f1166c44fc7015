"""All findings of one check: a `Report`, which prints as text, and is rendered as JSON, HTML, JUnit and SARIF."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.files import write_text

from .badge import as_badge
from .findings import GOOD, Finding, inherited_from
from .html import as_html
from .junit import as_junit
from .sarif import as_sarif
from .text import as_text, counted

ALL = "report.render(everything=True) says more"
SEE = 'print(report["{id}"].script())'
LEAVE_OUT = 'ignore={"inherited"} leaves it out'


@dataclass(frozen=True)
class Report:
    """All findings of one check.

    Attributes:
        subject: what was checked, against what, in which precision, with which seed.
        findings: one for each property, in order.
        source: the file and the line of the checked class or function, where known.
        claim: the name of what it was held to ("adam", "cosine"); empty: no formula.

    Example:
        >>> report = Report("a rule", [Finding("P2", "The same steps give the same bits every time.", "passed")])
        >>> report.ok, report["P2"].outcome
        (True, 'passed')
    """

    subject: str
    findings: list[Finding] = field(default_factory=list)
    source: tuple[str, int] | None = None
    claim: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing failed: every finding passed, differs, failed as expected or is not applicable.

        One at least must have passed besides P0, which only says that checks can run.
        """
        return all(each.outcome in GOOD for each in self.findings) and any(
            each.outcome in ("passed", "expected failure") and each.property_id != "P0" for each in self.findings
        )

    @property
    def failures(self) -> list[Finding]:
        """The findings that make a report fail."""
        return [each for each in self.findings if each.outcome not in GOOD]

    @property
    def verdict(self) -> str:
        """ "all right", or that it is not; where all that failed is inherited from a library's class, that it is so."""
        if self.ok:
            return "all right"
        if not self.failures:
            return "NOT right, for nothing was examined"
        if not self.inherited_from:
            return "NOT right"
        held = any(each.property_id == "P1" and each.outcome == "passed" for each in self.findings)
        own = "the formula is right" if held else "nothing of its own is wrong"
        return f"{own}; what failed is inherited from {' and '.join(self.inherited_from)}"

    @property
    def inherited_from(self) -> tuple[str, ...]:
        """The classes from which all that failed is inherited; empty where something of its own failed, or nothing."""
        return inherited_from(self.findings)

    @property
    def summary(self) -> str:
        """The verdict, and how many findings there are of each outcome."""
        return f"{self.verdict}: {counted(self.findings)}"

    def __getitem__(self, property_id: str) -> Finding:
        for each in self.findings:
            if each.property_id == property_id:
                return each
        known = ", ".join(each.property_id for each in self.findings)
        raise KeyError(f"no finding of {property_id!r}; this report has {known}")

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers: ready for JSON (an infinite ratio is the string "inf")."""
        rows = [{**asdict(each), "name": each.title.name, "title": each.title.wrong} for each in self.findings]
        for row in rows:
            if row["ratio"] is not None and not abs(row["ratio"]) < float("inf"):
                row["ratio"] = str(row["ratio"])
        return {"subject": self.subject, "ok": self.ok, "verdict": self.verdict, "findings": rows}

    def __str__(self) -> str:
        return self.render()

    def write_scripts(self, folder: str | Path) -> list[Path]:
        """Write the program of each failure into a folder, and return the files.

        Failures without a program have no file; `Finding.no_program` says why.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        subject = re.sub(r"\W+", "_", self.subject.partition(" against ")[0]).strip("_")[-60:]
        written = []
        for each in self.failures:
            if each.program:
                written.append(place / f"{subject}_{each.property_id.replace('.', '_')}.py")
                write_text(written[-1], each.program)
        return written

    def render(
        self,
        format: str = "text",
        *,
        everything: bool = False,
        see: str = SEE,
        hint: str = ALL,
        leave_out: str = LEAVE_OUT,
    ) -> str:
        """The report in one of FORMATS.

        Args:
            format: "text", "json", "html", "junit" (XML, as pytest writes it) or "sarif" (2.1.0).
            everything: also what does not apply, each with its reason.
            see: how to see a failure for oneself; "{id}" stands for the property.
            hint: how to see everything.
            leave_out: how to leave out what is inherited, which is said where nothing else failed.

        Raises:
            ValueError: there is no such format.
            TypeError: `everything` is no bool.

        Example:
            >>> report = Report("a rule", [Finding("P2", "Same bits every time.", "passed")])
            >>> report.render("json").splitlines()[1]
            ' "subject": "a rule",'
        """
        everything = true_or_false("everything", everything)
        if format not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
        if format == "text":
            said = leave_out if self.inherited_from else ""
            return as_text(self.subject, self.findings, self.verdict, see, hint, everything, said)
        return FORMATS[format](self)

    def badge(self) -> str:
        """An SVG image of one line, for a README: what was verified, and how many properties of it."""
        return as_badge(self.claim or "every rule", self.findings, self.ok)


def _json(report: Report) -> str:
    return json.dumps(report.as_dict(), indent=1)


def _html(report: Report) -> str:
    return as_html(report.subject, report.findings, report.verdict, counted(report.findings))


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": str,
    "json": _json,
    "html": _html,
    "junit": lambda report: as_junit(report.subject, report.findings),
    "sarif": lambda report: as_sarif(report.subject, report.findings, report.source, report.ok),
}
