"""How a check ends: in time or not, as expected or not. The checks of optimizers, schedules and gradients share it."""

from __future__ import annotations

import importlib.util
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from .guard import ProtocolError
from .report import Finding

NO_ANSWER = "no answer within"


class Stated(Protocol):
    """Whatever has an id and a statement."""

    @property
    def id(self) -> str: ...

    @property
    def statement(self) -> str: ...


def need_hypothesis() -> None:
    """Raise an ImportError that names the remedy where hypothesis is missing."""
    if importlib.util.find_spec("hypothesis") is None:
        raise ImportError("the kit draws its examples with hypothesis: pip install 'tinygrad_lr[verify]'")


def timed(run: Callable[[], Finding], check: Stated, limit: float | None) -> Finding:
    """Run a check in a daemon thread and wait `limit` seconds; a thread that hangs is left behind."""
    results: list[Finding] = []

    def work() -> None:
        try:
            results.append(run())
        except BaseException as error:  # whatever the checked code raises is its finding
            results.append(Finding(check.id, check.statement, "error", said(error)))

    thread = threading.Thread(target=work, name=f"tinygrad_lr.verify {check.id}", daemon=True)
    thread.start()
    thread.join(limit)
    if results:
        return results[0]
    reason = f"{NO_ANSWER} {limit:g} s: it hangs, or is slower than timeout= allows"
    return Finding(check.id, check.statement, "error", reason)


def said(error: BaseException) -> str:
    """What was raised, and where in the checked code."""
    if isinstance(error, ProtocolError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"it raised {type(error).__name__}: {error}{where}"


def against_expectation(finding: Finding, expected: Mapping[str, str]) -> Finding:
    """Expected failures are strict: one that passes is reported too."""
    reason = expected.get(finding.property_id)
    if reason is None or finding.outcome in ("not applicable", "not run"):
        return finding
    if finding.outcome == "passed":
        return replace(finding, outcome="unexpectedly passed", reason=f"it was expected to fail: {reason}")
    return replace(finding, outcome="expected failure", reason=reason)
