"""A check in a process of its own, watched from here: whatever the checked code does to its process, a report is made.

The checking process tells what it begins, what it has found, and the report. Where it hangs while it holds the
interpreter's lock, a timer that needs no lock prints where and ends it; where it is ended in another way (os._exit, a
crash in C), what was found so far is the report. What the checked code prints goes to standard error.
Next: command.py, outcomes.py.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any, NoReturn

from .report import Finding, Report

# What a check raises for wrong usage, by its name.
MISTAKES = {kind.__name__: kind for kind in (ValueError, ImportError, OSError, NotImplementedError, RuntimeError)}


def watched(arguments: Namespace, limit: float | None) -> Report:
    """The report of command.check(arguments), made in another process.

    Args:
        arguments: of `tinygrad-lr verify`.
        limit: the seconds that a property may take; None: no limit.

    Raises:
        ValueError, ImportError, OSError, NotImplementedError, RuntimeError: the check raised it.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}; from tinygrad_lr.verify.watched import main; main()"
    with subprocess.Popen([sys.executable, "-c", code, repr(vars(arguments))], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            found = _report(process.stdout)
        except BaseException:  # Ctrl-C here ends it there
            process.kill()
            raise
    if isinstance(found, Report):
        return found
    return Report(f"{arguments.target}, whose process ended early", _ended(found, process.returncode, limit))


def _report(stream: IO[bytes]) -> Report | list[tuple[Finding, float]]:
    """The report, or where none came the findings so far with the seconds that each took, the one it ended in last."""
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
            raise MISTAKES[kind](content)
    return [*findings, (begun, time.monotonic() - since)]


def _messages(stream: IO[bytes]) -> Iterator[tuple[str, Any]]:
    while True:
        try:
            yield pickle.load(stream)
        except (EOFError, pickle.UnpicklingError):  # it ended, perhaps while it wrote
            return


def _ended(found: list[tuple[Finding, float]], status: int, limit: float | None) -> list[Finding]:
    from .outcomes import NO_ANSWER

    *findings, (last, seconds) = found
    if limit is not None and seconds >= limit:
        reason = f"{NO_ANSWER} {limit:g} s, and it let nothing else in Python run; where it stood is printed above"
        last = replace(last, reason=reason, raised="hangs")
    else:
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        last = replace(last, reason=f"it ended its process {how}: os._exit(), or a crash in C?", raised="exits")
    return [*(finding for finding, _ in findings), last, Finding("...", "", "not run", "its process had ended")]


def main() -> NoReturn:
    """The checking process: standard output is what the watching one reads, so all printing goes to standard error."""
    import faulthandler
    from ast import literal_eval

    from . import outcomes
    from .command import check

    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the watching process decides
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def tell(kind: str, content: Any) -> None:
        pickle.dump((kind, content), channel)
        channel.flush()

    outcomes.observer = outcomes.Observer(
        lambda asked: tell("begins", Finding(asked.id, asked.statement, "error")), lambda found: tell("ends", found)
    )
    outcomes.last_words_exit = True
    try:
        tell("report", check(Namespace(**literal_eval(sys.argv[1]))))
    except tuple(MISTAKES.values()) as error:
        tell(next(name for name, kind in MISTAKES.items() if isinstance(error, kind)), str(error))
    sys.stderr.flush()
    os._exit(0)  # a thread that hangs in C++ would abort an exit that waits for it
