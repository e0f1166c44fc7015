"""Case: one expectation on one example, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["DIFFERS", "FAILS", "PASSES", "Case", "outcome"]

PASSES, DIFFERS, FAILS = "passes", "differs", "fails"


@dataclass(frozen=True)
class Case:
    """One expectation of a suite on one example.

    Args:
        suite: whose expectation it is.
        name: the expectation and the example.
        run: returns where it holds, and raises where it does not.
        differs: why it does not hold here, on purpose; empty where it must hold.
    """

    suite: str
    name: str
    run: Callable[[], None]
    differs: str = ""


def outcome(case: Case) -> tuple[str, str]:
    """How a case ends, and the error where it fails: a case that is said to differ fails where it passes."""
    try:
        case.run()
    except Exception as error:
        return (DIFFERS, "") if case.differs else (FAILS, f"{type(error).__name__}: {error}")
    return (FAILS, f"it passes, and is said to differ: {case.differs}") if case.differs else (PASSES, "")
