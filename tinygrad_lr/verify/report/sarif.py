"""A report as SARIF 2.1.0 (OASIS, 2020), which code scanning reads: properties are rules, failures results.

Next: badge.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tinygrad_lr.version import __version__

from .findings import Finding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"failed": "error", "error": "error", "unexpectedly passed": "warning", "differs": "note"}


def as_sarif(subject: str, findings: Sequence[Finding], source: tuple[str, int] | None, ok: bool) -> str:
    """A run with its rules and results.

    Args:
        subject: what was checked.
        findings: all of them.
        source: the file and the line of the checked class or function; without it a result names the subject alone.
        ok: whether the report is all right.
    """
    results = [each for each in findings if each.outcome in LEVELS]
    rules = list({each.property_id: each for each in findings if each.statement}.values())
    places = {each.property_id: i for i, each in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "tinygrad-lr verify",
                "semanticVersion": __version__,
                "version": __version__,
                "rules": [_rule(each) for each in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "exitCode": 0 if ok else 1}],
        "results": [_result(subject, each, places.get(each.property_id, -1), source) for each in results],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)


def _rule(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.property_id,
        "name": "".join(word.capitalize() for word in finding.title.name.replace("'", "").replace("-", " ").split()),
        "shortDescription": {"text": finding.title.wrong},
        "fullDescription": {"text": finding.statement},
        "help": {"text": f"`tinygrad-lr explain {finding.property_id}` says more."},
        "defaultConfiguration": {"level": "error"},
    }


def _result(subject: str, finding: Finding, rule: int, source: tuple[str, int] | None) -> dict[str, Any]:
    text = "\n".join([f"{finding.title.wrong} ({subject})", *(line.strip() for line in finding.lines())])
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": subject.partition(" against ")[0]}]}
    if source is not None:
        file, line = source
        location["physicalLocation"] = {"artifactLocation": _artifact(file), "region": {"startLine": max(line, 1)}}
    identity = hashlib.sha256(
        f"{subject.partition(', ')[0]}|{finding.property_id}|{finding.place}".encode()
    ).hexdigest()
    return {
        "ruleId": finding.property_id,
        **({"ruleIndex": rule} if rule >= 0 else {}),
        "level": "warning" if finding.inherited else LEVELS[finding.outcome],
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"property/v1": hashlib.sha256(identity.encode()).hexdigest()[:32]},
        "properties": _properties(finding),
    }


def _properties(finding: Finding) -> Mapping[str, Any]:
    found = {"outcome": finding.outcome, "expected": finding.expected, "actual": finding.actual}
    return {key: value for key, value in found.items() if value}


def _artifact(file: str) -> dict[str, str]:
    """A path inside the present folder as GitHub wants it, relative; of another, absolute."""
    path = Path(file)
    try:
        return {"uri": quote(path.resolve().relative_to(Path.cwd()).as_posix()), "uriBaseId": "%SRCROOT%"}
    except ValueError:
        return {"uri": path.resolve().as_uri()}
