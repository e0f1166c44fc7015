"""Runs checks one after another, each with a time limit, and compares what they find with what was expected.

Checks run in a daemon thread, and the next check uses the same thread: hypothesis keeps random numbers for each thread,
and a full garbage collection registers those of a new one. A thread that hangs is abandoned. Next: report.py.
"""

from __future__ import annotations

import contextvars
import faulthandler
import importlib.util
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol, TypeVar

from .formulas import FormulaError
from .guard import ProtocolError
from .report import Finding, shortened

TIMEOUT = 60.0  # seconds that a check may take, unless its caller says otherwise
NO_ANSWER = "no answer within"
GRACE = 2.0  # seconds beyond the limit after which nothing in Python can have been running
HERE = str(Path(__file__).parent)


class HasStatement(Protocol):
    """Anything with an id and a statement."""

    @property
    def id(self) -> str: ...

    @property
    def statement(self) -> str: ...


AnyCheck = TypeVar("AnyCheck", bound=HasStatement)


class Check(NamedTuple):
    """A property of one schedule or gradient. `run` raises if it is broken, or returns a note or None."""

    id: str
    statement: str
    run: Callable[[], Any]
    reason: str = ""
    """Why it does not apply here; empty where it does."""


class Observer(NamedTuple):
    """Callbacks at the begin and the end of each check; isolated.py sets them in a child process."""

    begins: Callable[[HasStatement], None]
    ends: Callable[[Finding], None]


observer: Observer | None = None


def require_hypothesis() -> None:
    """Raise an ImportError that names the remedy where hypothesis is missing."""
    if importlib.util.find_spec("hypothesis") is None:
        raise ImportError("examples are drawn with hypothesis: pip install 'tinygrad_lr[verify]'")


def run_checks(
    checks: Iterable[AnyCheck], examine: Callable[[AnyCheck], Finding], limit: float | None, expected: Mapping[str, str]
) -> list[Finding]:
    """The findings of all checks, in order. After a hang, or if P0 does not pass, the rest is not run."""
    findings: list[Finding] = []
    broken: set[str] = set()
    stopped = ""
    for check in checks:
        if stopped:
            findings.append(Finding(check.id, check.statement, "not run", stopped))
            continue
        if first := [each for each in getattr(check, "after", ()) if each in broken]:
            findings.append(Finding(check.id, check.statement, "not applicable", f"{first[0]} fails already"))
            continue
        if observer:
            observer.begins(check)
        finding = run_with_timeout(examine, check, limit)
        if finding.reason.startswith(NO_ANSWER):
            stopped = f"{check.id} got no answer"
        elif check.id == "P0" and finding.outcome != "passed":
            stopped = "P0 comes first"
        if finding.outcome in ("failed", "error"):
            broken.add(check.id)
        findings.append(apply_expectation(finding, expected))
        if observer:
            observer.ends(findings[-1])
    return findings


def run_with_timeout(examine: Callable[[AnyCheck], Finding], check: AnyCheck, limit: float | None) -> Finding:
    """The finding of a check that runs in a daemon thread, for at most `limit` seconds."""

    def finding() -> Finding:
        try:
            return examine(check)
        except BaseException as error:  # whatever the checked code raises is its finding
            return error_finding(check, error)

    # where a hang holds the interpreter's lock, all that can be printed is the names of the frames
    finding.__code__ = finding.__code__.replace(co_name=check.id)
    with _traceback_on_hang(limit):
        found = _Worker.result_of(finding, limit)
    reason = f"{NO_ANSWER} {limit or 0:g} s: it hangs, or is slower than timeout= allows"
    return found or Finding(check.id, check.statement, "error", reason, raised="hangs")


def error_finding(check: HasStatement, error: BaseException, example: dict[str, Any] | None = None) -> Finding:
    """The finding where the checked code raised an error."""
    return Finding(check.id, check.statement, "error", describe_error(error), example, raised=type(error).__name__)


class _Worker:
    """A daemon thread that runs jobs from a queue until it gets None."""

    idle: list[_Worker] = []

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.thread = threading.Thread(target=self._work, name="tinygrad_lr.verify", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        for job in iter(self.jobs.get, None):
            contextvars.copy_context().run(job)  # numpy.seterr and the like end with the job

    @classmethod
    def result_of(cls, run: Callable[[], Finding], limit: float | None) -> Finding | None:
        """What `run` returns, in an idle thread or a new one; None if it takes longer than the limit."""
        worker = cls._any()
        answers: SimpleQueue[Finding] = SimpleQueue()
        worker.jobs.put(lambda: answers.put(run()))
        try:
            found = answers.get(timeout=limit)
        except BaseException as interruption:
            worker.jobs.put(None)  # if it ever finishes, it ends
            if isinstance(interruption, Empty):
                return None
            raise
        cls.idle.append(worker)
        return found

    @classmethod
    def _any(cls) -> _Worker:
        while True:
            try:
                worker = cls.idle.pop()
            except IndexError:
                return cls()
            if worker.thread.is_alive():  # none is in the child of a fork
                return worker


exit_on_hang = False  # whether the process ends where a hang holds the interpreter's lock (isolated.py)


@contextmanager
def _traceback_on_hang(limit: float | None) -> Iterator[None]:
    """Print the traceback of every thread when the limit has long passed; the timer needs no interpreter's lock.

    Python has one such timer. pytest's (faulthandler_timeout) is left to pytest, whose capturing would hide ours.
    """
    stream = getattr(sys, "__stderr__", None)
    if limit is None or stream is None or ("PYTEST_CURRENT_TEST" in os.environ and not exit_on_hang):
        yield
        return
    try:
        faulthandler.dump_traceback_later(limit + GRACE, exit=exit_on_hang, file=stream)
    except (ValueError, OSError):  # a stream that is no file
        yield
        return
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def describe_error(error: BaseException) -> str:
    """The error, and where the checked code raised it."""
    if isinstance(error, ProtocolError):
        return str(error)
    if isinstance(error, FormulaError):
        return f"{error}; the formula is wrong, and not the optimizer"
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not frame.filename.startswith(HERE)]
    last = (outside or frames)[-1:]
    where = "".join(
        f" ({'' if outside else 'in tinygrad_lr.verify: '}{frame.filename}, line {frame.lineno})" for frame in last
    )
    return f"it raised {type(error).__name__}: {message_of(error)}{where}"


def message_of(error: BaseException) -> str:
    """An exception's message on one line, shortened."""
    try:
        return shortened(" ".join(str(error).split()), 300)
    except Exception:
        return "(with a message that cannot be printed)"


def apply_expectation(finding: Finding, expected: Mapping[str, str]) -> Finding:
    """The finding, as an expected failure where one was expected. An expected failure that passes is reported.

    An error counts as expected only if the reason names the exception's class, or says "hangs".
    """
    reason = expected.get(finding.property_id)
    if reason is None or finding.outcome in ("not applicable", "not run"):
        return finding
    if finding.outcome == "passed":
        return replace(finding, outcome="unexpectedly passed", reason=f"it was expected to fail: {reason}")
    if finding.outcome == "error" and finding.raised not in reason:
        return replace(finding, reason=f"{finding.reason}; expected was a failure: {reason}")
    return replace(finding, outcome="expected failure", reason=reason)
