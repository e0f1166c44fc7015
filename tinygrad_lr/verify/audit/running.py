"""Runs the kit on the rows of one package, inside the package's environment.

command.py starts `python -m tinygrad_lr.verify.audit.running TASK` with a file that says what to do. Where processes
can be forked safely the library is imported once, and each row has a fork of its own; a row that crashes or hangs ends
its fork alone. JAX has threads that do not survive a fork, so that each of its rows is a process.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter, methodcaller
from pathlib import Path
from typing import Any

from .. import adapters
from ..adapters.keras import keras_library
from ..checks.optimizers import check_optimizer
from ..checks.schedules import check_schedule
from ..specification import Specification, spec
from .results import FAULTS, Result, path_of, write
from .rows import PACKAGES, AnyRow, Package, Row, ScheduleRow

FORKED = ("torch", "numpy")
"""The libraries whose rows are forked."""


def maker_of(package: Package, row: Row) -> Any:
    """The maker of a row's optimizer."""
    module, _, name = row.target.partition(":")
    if module == "subjects":
        from . import subjects

        library, _, target = name.partition(".")
        made = getattr(subjects, library)(target, row.names, row.fixed)
    else:
        options: dict[str, Any] = {"names": dict(row.names), "without": row.without}
        options["state_names"] = dict(row.state_names)
        options = {key: value for key, value in options.items() if value}
        if row.mode:
            options["prepare"] = methodcaller(row.mode)
        found = attrgetter(name)(importlib.import_module(module))
        made = getattr(adapters, package.library)(found, **options, **row.fixed)
    for name, otherwise in (("dimensions", 0), ("elementwise", None), ("coupled", None)):
        if getattr(row, name) != otherwise:
            setattr(made, name, getattr(row, name))
    return made


def schedule_of(row: ScheduleRow) -> Any:
    """A row's schedule: a class or factory that the kit adapts, or what a function of schedule_subjects.py gives."""
    module, _, name = row.target.partition(":")
    if module == "subjects":
        return getattr(importlib.import_module("tinygrad_lr.verify.audit.schedule_subjects"), name)()
    return attrgetter(name)(importlib.import_module(module))


def claim_of(row: Row) -> Specification:
    """What a row claims."""
    return replace(spec(row.formula, dialect=row.dialect, **row.settings), scalars=row.scalars)


def examine(package: Package, row: AnyRow, options: dict[str, Any], known: dict[str, Any]) -> Result:
    """Check a row, here."""
    begun = time.perf_counter()
    try:
        if package.before:
            exec(package.before, {})
        if package.library == "keras":
            keras_library()
        made = schedule_of(row) if isinstance(row, ScheduleRow) else maker_of(package, row)
    except BaseException as error:
        return Result(**known, reason=f"{type(error).__name__}: {error}"[:500])
    if isinstance(row, ScheduleRow):
        limit = options["property_seconds"]
        report = check_schedule(made, row.formula or None, total_steps=row.total_steps, timeout=limit, **row.options)
    else:
        report = check_optimizer(
            made,
            claim_of(row),
            max_examples=options["examples"],
            seed=options["seed"],
            timeout=options["property_seconds"],
            ignore={"inherited"},
        )
    faults = [each for each in report.findings if each.outcome in FAULTS]
    texts = {each.property_id: str(each) for each in faults}
    scripts = {}
    for each in faults:
        with contextlib.suppress(Exception):
            scripts[each.property_id] = each.script()
    seconds = round(time.perf_counter() - begun, 1)
    found: dict[str, Any] = {"report": report.as_dict(), "texts": texts, "scripts": scripts}
    return Result(**known, **found, seconds=seconds)


def warm_up(package: Package) -> None:
    """Import what all rows of a package need, and what torch imports at the first step."""
    with contextlib.suppress(Exception):  # what cannot be imported is told by each row
        if package.before:  # tinygrad reads its device when it is imported
            exec(package.before, {})
        if package.library == "torch":
            torch = importlib.import_module("torch")
            torch.set_num_threads(1)  # threads that were started do not survive a fork
            torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1).step()
        for module in dict.fromkeys(row.target.partition(":")[0] for row in package.rows):
            if module != "subjects":
                importlib.import_module(module)


def in_a_fork(task: Callable[[], Result], seconds: float) -> Result | str:
    """What a task returned in a process of its own, or why there is no answer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            answer = json.dumps(vars(task()))
            with os.fdopen(writing, "w") as out:
                out.write(answer)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writing)
    return _answer(child, reading, seconds)


def _answer(child: int, reading: int, seconds: float) -> Result | str:
    text, ends = b"", time.monotonic() + seconds
    os.set_blocking(reading, False)
    while time.monotonic() < ends:
        try:
            piece = os.read(reading, 1 << 16)
        except BlockingIOError:
            time.sleep(0.02)
            continue
        text += piece
        if not piece:
            break
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        return f"no answer within {seconds:.0f} s"
    os.close(reading)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        return f"the process was ended by {signal.Signals(-status).name}"
    return Result(**json.loads(text)) if status == 0 and text else f"the process ended with status {status}"


def serve(name: str, folder: str, options: dict[str, Any], wanted: set[str], tell: Callable[[str], Any]) -> None:
    """Run rows of a package, and write each result; `tell` is called with the path of each that is done."""
    package = next(each for each in PACKAGES if each.name == name)
    forked = package.library in FORKED and hasattr(os, "fork")
    if forked:
        warm_up(package)
    for row in package.rows:
        path = path_of(Path(folder), package, row)
        if str(path) not in wanted:
            continue
        known = {"package": name, "title": row.title, **options["known"][str(path)]}

        def task(row: AnyRow = row, known: dict[str, Any] = known) -> Result:
            return examine(package, row, options, known)

        found = in_a_fork(task, options["seconds"]) if forked else task()
        write(path, Result(**known, reason=found) if isinstance(found, str) else found)
        tell(str(path))


def main(task: str) -> None:
    """Do what a file says; the lines on standard output are the results' paths, and nothing that a package prints."""
    with open(task) as given:
        asked = json.load(given)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(
        asked["package"],
        asked["folder"],
        asked["options"],
        set(asked["paths"]),
        lambda path: print(path, file=answers, flush=True),
    )


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)  # a thread of a package must not keep the process
