"""Runs a check in a child process, so that a report exists whatever the checked code does to its process.

The child sends a message when a property begins, the finding when it ends, and the report at last. Where the checked
code hangs while it holds the interpreter's lock, a timer that needs no lock prints the place and ends the child. Where
the child ends in another way (os._exit, a crash in C), the report holds what was found so far. What the checked code
prints goes to standard error.

The parent calls `run_isolated`; the child calls `serve`. Next: command.py, outcomes.py.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO, Any, NoReturn

from . import outcomes
from .outcomes import NO_ANSWER
from .report import Finding, Report

# What a check raises for wrong usage, by its name.
USAGE_ERRORS = {kind.__name__: kind for kind in (ValueError, ImportError, OSError, NotImplementedError, RuntimeError)}


def run_isolated(child: str, argument: str, target: str, limit: float | None) -> Report:
    """The report that a child process makes.

    Args:
        child: the statements that the child runs; they end in `serve(...)`.
        argument: the child's `sys.argv[1]`.
        target: what is checked, as the report names it if the child ends early.
        limit: the seconds that a property may take; None: no limit.

    Raises:
        ValueError, ImportError, OSError, NotImplementedError, RuntimeError: the check raised it.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}; {child}"
    with subprocess.Popen([sys.executable, "-c", code, argument], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            found = _receive(process.stdout)
        except BaseException:  # Ctrl-C in the parent ends the child
            process.kill()
            raise
    if isinstance(found, Report):
        return found
    return Report(f"{target}, whose process ended early", _ended_early(found, process.returncode, limit))


def _receive(stream: IO[bytes]) -> Report | list[tuple[Finding, float]]:
    """The report; without one the findings so far with the seconds that each took, the unfinished one last."""
    findings: list[tuple[Finding, float]] = []
    begun, since = Finding("P0", "The check can begin.", "error"), time.monotonic()
    for kind, content in _messages(stream):
        if kind == "begins":
            begun, since = content, time.monotonic()
        elif kind == "ends":
            findings.append((content, 0.0))
        elif kind == "report":
            return content  # type: ignore[no-any-return]
        else:
            raise USAGE_ERRORS[kind](content)
    return [*findings, (begun, time.monotonic() - since)]


def _messages(stream: IO[bytes]) -> Iterator[tuple[str, Any]]:
    while True:
        try:
            yield pickle.load(stream)
        except (EOFError, pickle.UnpicklingError):  # the child ended, perhaps while it wrote
            return


def _ended_early(found: list[tuple[Finding, float]], status: int, limit: float | None) -> list[Finding]:
    *findings, (last, seconds) = found
    if limit is not None and seconds >= limit:
        reason = f"{NO_ANSWER} {limit:g} s, and it let nothing else in Python run; where it stood is printed above"
        last = replace(last, reason=reason, raised="hangs")
    else:
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        last = replace(last, reason=f"it ended its process {how}: os._exit(), or a crash in C?", raised="exits")
    return [*(finding for finding, _ in findings), last, Finding("...", "", "not run", "its process had ended")]


def serve(check: Callable[[], Report]) -> NoReturn:
    """In the child: run the check, send what it finds to the parent, and end the process.

    The parent reads standard output, so all printing goes to standard error.
    """
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def send(kind: str, content: Any) -> None:
        pickle.dump((kind, content), channel)
        channel.flush()

    outcomes.observer = outcomes.Observer(
        lambda each: send("begins", Finding(each.id, each.statement, "error")), lambda finding: send("ends", finding)
    )
    outcomes.exit_on_hang = True
    try:
        send("report", check())
    except tuple(USAGE_ERRORS.values()) as error:
        send(next(name for name, kind in USAGE_ERRORS.items() if isinstance(error, kind)), str(error))
    sys.stderr.flush()
    os._exit(0)  # a thread that hangs in C++ would abort an exit that waits for it
