"""docs/parity.md: how many expectations of other projects' tests apply here, pass, and differ, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from types import ModuleType

from .cases import DIFFERS, FAILS, PASSES, Case, outcome
from .suites import SUITES

__all__ = ["document"]

HEAD = """# What other projects' tests expect

Each suite restates expectations of another project's tests, as facts and not as code. Its cases are in
`tests/cases/parity`, and `pytest tests/test_parity.py` runs them beside the project itself where it is installed
(the extra `peers`). `python tests/parity.py docs/parity.md` counts them and writes this file.

A case *applies* where what it is about exists here. It *differs* where this package does otherwise on purpose; such a
case fails the tests on the day on which it passes.
"""


def document(suites: Sequence[ModuleType] = SUITES, ending: Callable[[Case], tuple[str, str]] = outcome) -> str:
    """The text of docs/parity.md, from how each case ends."""
    ended = {suite: [(case, *ending(case)) for case in suite.CASES] for suite in suites}
    lines = [HEAD, "| suite | applies | passes | differs | fails |", "|---|---|---|---|---|"]
    for suite, found in ended.items():
        counts = Counter(how for _, how, _ in found)
        lines.append(f"| {suite.SUITE} | {len(found)} | {counts[PASSES]} | {counts[DIFFERS]} | {counts[FAILS]} |")
    lines += ["", "## What is asked", ""]
    for suite, found in ended.items():
        asked = Counter(case.name.split(": ")[-1] for case, *_ in found)
        lines += [f"**{suite.SUITE}**", "", *[f"- {what} ({count})" for what, count in asked.items()], ""]
    lines += ["## What differs, and why", ""]
    lines += [
        f"- {case.suite}, {case.name}: {case.differs}" for found in ended.values() for case, *_ in found if case.differs
    ]
    failed = [
        f"- {case.suite}, {case.name}: {error}"
        for found in ended.values()
        for case, how, error in found
        if how == FAILS
    ]
    if failed:
        lines += ["", "## What fails", "", *failed]
    lines += ["", "## What does not apply", ""]
    lines += [f"- {suite.SUITE}: {what}: {why}" for suite in suites for what, why in suite.NOT_APPLICABLE.items()]
    return "\n".join(lines) + "\n"
