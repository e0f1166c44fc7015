"""What was found about a row, as a file that a later run reads instead of running it again. Next: running.py."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tinygrad_lr.files import write_text

from .rows import PACKAGES, AnyRow, Package

FAULTS = ("failed", "error", "unexpectedly passed")


@dataclass(frozen=True)
class Result:
    """The kit's answer about a row.

    Attributes:
        package, title: which row.
        key: what decides whether it is run again: the row, what is installed beside it, the kit and the examples.
        version, versions: of the package, and of everything in its environment.
        report: `Report.as_dict()`; empty where it could not be run.
        scripts: property id -> a program that shows the failure.
        reason: why it cannot be run.
        seconds: that the check took.
    """

    package: str
    title: str
    key: str
    version: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0

    @property
    def unanswered(self) -> str:
        """Why there is no verdict: it could not be run, or a property had no time to end. Empty: there is one."""
        late = (each for each in self.report.get("findings", []) if each["reason"].startswith("no answer within"))
        return self.reason or next((f"{each['property_id']}: {each['reason']}" for each in late), "")

    @property
    def accusations(self) -> list[dict[str, Any]]:
        """The findings that say that the optimizer is wrong; none where there is no verdict."""
        if self.unanswered:
            return []
        return [each for each in self.report.get("findings", []) if each["outcome"] in FAULTS]


def path_of(folder: Path, package: Package, row: AnyRow) -> Path:
    """Where the result of a row is kept."""
    name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{row.target} {row.title}").strip("-")[:120]
    return folder / package.name / f"{name}-{_digest(described(row))[:8]}.json"


def described(row: AnyRow) -> str:
    """A row as text that is the same in every process: functions by their names."""
    return re.sub(r"<function (\S+) at 0x[0-9a-f]+>", r"\1", repr(row))


def key_of(row: AnyRow, options: dict[str, Any]) -> str:
    """What must be the same for a result to stay: the row, the sources of the kit, and the options and surroundings."""
    return _digest(f"{described(row)} {sorted(options.items())} {kit()}")[:16]


@lru_cache(maxsize=1)
def kit() -> str:
    """The digest of the kit's own sources, without the audit's."""
    here = Path(__file__).resolve().parent
    sources = sorted(path for path in here.parent.rglob("*.py") if here not in path.parents)
    return _digest("".join(f"{path.relative_to(here.parent)}\n{path.read_text()}" for path in sources))[:16]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write(path: Path, result: Result) -> None:
    """Write a result."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(asdict(result), indent=1) + "\n")


def read(path: Path) -> Result | None:
    """The result in a file; None where there is none, or where an older audit wrote it."""
    try:
        return Result(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def stored(folder: Path) -> Iterator[tuple[Package, AnyRow, Result | None]]:
    """Every row with its result, None where it was not run yet."""
    for package in PACKAGES:
        for row in package.rows:
            yield package, row, read(path_of(folder, package, row))
