"""A report as JUnit's XML, as pytest writes it (`--junit-xml`) and CI servers read it. Next: sarif.py."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from collections.abc import Sequence

from .findings import GOOD, Finding

# What XML 1.0 cannot hold (its section 2.2).
FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(subject: str, findings: Sequence[Finding]) -> str:
    """A test case for each property: failures, errors, and what does not apply or was expected to fail as skipped.

    Example:
        >>> text = as_junit("a rule", [Finding("P2", "Same bits.", "failed", where="parameter 0", expected="1")])
        >>> 'failures="1"' in text, '<failure message=' in text
        (True, True)
    """
    kinds = [_kind(each) for each in findings]
    counts = {
        "tests": str(len(findings)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": "0.0",
    }
    above = {key: value for key, value in counts.items() if key != "skipped"}  # which the XSD of Jenkins has not here
    suites = xml.Element("testsuites", {"name": "tinygrad-lr verify", **above})
    suite = xml.SubElement(suites, "testsuite", {"name": _written(subject), **counts})
    for each, kind in zip(findings, kinds, strict=True):
        names = {"classname": _written(subject), "name": f"{each.property_id} {each.title.name}", "time": "0.0"}
        case = xml.SubElement(suite, "testcase", {key: _written(value) for key, value in names.items()})
        if kind:
            whose = f" (inherited from {each.inherited})" if each.inherited else ""
            message = f"{each.title.wrong}{whose}" if kind != "skipped" else f"{each.outcome}: {each.reason}"
            inside = xml.SubElement(case, kind, {"message": _written(message), "type": each.raised or each.outcome})
            inside.text = _written(str(each))
    xml.indent(suites, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(suites, encoding="unicode")


def _kind(finding: Finding) -> str:
    """What stands inside a test case; empty: it passed."""
    if finding.outcome == "passed":
        return ""
    if finding.outcome in GOOD or finding.outcome == "not run":
        return "skipped"
    return "error" if finding.outcome == "error" else "failure"


def _written(text: str) -> str:
    return FORBIDDEN.sub("?", text)
