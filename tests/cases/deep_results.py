"""docs/deep_results.md: a row for the last deep run of each room of tests. tests/deep.py runs them and writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOMS = [*sorted(path.name for path in TESTS.iterdir() if [*path.glob("test_*.py")]), "tests"]
"""The folders of tests, and "tests": the files beside them."""
HEAD = """# The last deep run of each room

`python tests/deep.py docs/deep_results.md` runs all mutants, configurations and examples (`pytest -m deep --deep`)
room by room, and writes this file. With names of rooms after it, it runs these alone, and the other rows stay.
"tests" stands for the files beside the rooms. A room without a row has not been run.

"""


@dataclass(frozen=True)
class Row:
    """What came of a room: when (UTC) and at which commit it ran, on which machine, and how many tests ended how."""

    room: str
    date: str
    commit: str
    passed: int
    failed: int
    skipped: int
    seconds: int
    machine: str

    def __post_init__(self) -> None:
        if self.room not in ROOMS:
            raise ValueError(f"there is no room {self.room!r}; the rooms are {', '.join(ROOMS)}")
        if not re.fullmatch(r"[0-9a-f]{7,40}( and changes)?", self.commit):
            raise ValueError(f"a commit is 7 to 40 hexadecimal digits, got {self.commit!r}")
        datetime.strptime(self.date, "%Y-%m-%d")
        if min(self.passed, self.failed, self.skipped, self.seconds) < 0:
            raise ValueError(f"{self.room}: a count is below 0")


def counts(output: str) -> tuple[int, int, int]:
    """How many tests passed, failed (or could not begin) and were skipped, from what pytest printed last."""
    last = output.strip().rpartition("\n")[2]
    found = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error|errors|skipped)", last)}
    if not found and "no tests ran" not in last and "deselected" not in last:
        raise ValueError(f"pytest ends with {last!r}, which counts no tests")
    failed = found.get("failed", 0) + found.get("error", 0) + found.get("errors", 0)
    return found.get("passed", 0), failed, found.get("skipped", 0)


def document(rows: Iterable[Row]) -> str:
    """The file, whole."""
    names = [field.name for field in fields(Row)]
    table = [names, ["---"] * len(names), *(map(str, astuple(row)) for row in sorted(rows, key=_place))]
    return HEAD + "".join(f"| {' | '.join(cells)} |\n" for cells in table)


def _place(row: Row) -> int:
    return ROOMS.index(row.room)


def rows_of(text: str) -> dict[str, Row]:
    """The rows of a file by their rooms."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    rows = [Row(*cells[:3], *map(int, cells[3:7]), cells[7]) for cells in lines[2:]]
    return {row.room: row for row in rows}
