"""`python -m tinygrad_lr.verify.audit`: environments, runs, judgements and the document.

A result that is there, and of the same row, kit and options, is not run again. Exit status 0: all was judged, and the
document was written; 1: an accusation is not judged, so that it was not written; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from threading import Lock
from typing import Any

from tinygrad_lr.files import write_text
from tinygrad_lr.version import __version__

from .document import Unjudged, document
from .environments import ROOT, Environment, InstallError, version_in
from .judgements import JUDGEMENTS
from .judging import Case, Verdicts, judge
from .results import Result, key_of, path_of, read, stored, write
from .rows import PACKAGES, AnyRow, Package
from .running import FORKED


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tinygrad_lr" / "audit"
    made = argparse.ArgumentParser(prog="python -m tinygrad_lr.verify.audit", description=__doc__.splitlines()[0])
    made.add_argument(
        "--environments", type=Path, default=cache, metavar="DIR", help=f"where packages and results lie ({cache})"
    )
    made.add_argument("--package", action="append", default=[], help="only this package; may be repeated")
    made.add_argument("--only", default="", metavar="TEXT", help="only rows whose title contains the text")
    which = made.add_mutually_exclusive_group()
    which.add_argument("--rerun", action="store_true", help="run rows that have a result, too")
    which.add_argument(
        "--missing", action="store_true", help="run only rows that have no result, not even one of an older kit"
    )
    made.add_argument("--jobs", type=int, default=1, help="packages that run at once (1)")
    made.add_argument(
        "--examples", type=int, default=4, help="examples drawn for each property, beside the fixed ones (4)"
    )
    made.add_argument("--seconds", type=float, default=300.0, help="that a row may take (300)")
    made.add_argument("--seed", type=int, default=0, help="of the examples (0)")
    made.add_argument("--no-run", action="store_true", help="write the document from the results that there are")
    made.add_argument("--document", type=Path, default=ROOT / "docs" / "audit.md", metavar="FILE")
    return made


JAX_KEEPS = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}


@dataclass
class Progress:
    """Says how far the audit is, a line for each row."""

    total: int
    done: int = 0
    lock: Any = None

    def __post_init__(self) -> None:
        self.lock = Lock()

    def row(self, result: Result) -> None:
        """A row is done."""
        with self.lock:
            self.done += 1
            faults = ", ".join(each["property_id"] for each in result.accusations)
            said = (
                f"cannot be run: {result.unanswered}"
                if result.unanswered
                else f"accused of {faults}"
                if faults
                else "right"
            )
            print(
                f"[{self.done}/{self.total}] {result.package} {result.title}: {said[:160]} ({result.seconds:.0f} s)",
                flush=True,
            )


def main(arguments: Sequence[str]) -> int:
    """Run what is not there, and write the document."""
    given = parser().parse_args(arguments)
    if unknown := set(given.package) - {each.name for each in PACKAGES}:
        parser().error(
            f"no package {', '.join(sorted(unknown))}; there are {', '.join(each.name for each in PACKAGES)}"
        )
    results = given.environments / "results"
    if not given.no_run:
        run_all(given, results)
    found = judge(stored(results), JUDGEMENTS)
    return conclude(found, given.document)


def conclude(found: Verdicts, target: Path) -> int:
    """Say what was found, and write the document if all of it was judged."""
    for line in summary(found):
        print(line)
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    try:
        text = document(found, today, __version__)
    except Unjudged as error:
        print(f"{target} is not written: {error}", file=sys.stderr)
        return 1
    write_text(target, text)
    print(f"written: {target}")
    return 0


def summary(found: Verdicts) -> Iterator[str]:
    """The counts, why rows were not run, what is not judged, and the judgements that are about nothing."""
    counts = found.counted()
    yield f"{len(found.cases)} rows: " + ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    for case in found.cases:
        if case.verdict == "cannot be run" and case.result:
            yield f"  cannot be run: {_named(case)}: {case.result.unanswered[:150]}"
    for case in found.cases:
        if case.unjudged:
            yield f"  not judged yet: {_named(case)}: {', '.join(case.unjudged)}"
    for judgement in found.idle:
        yield f"  no accusation any more: {judgement.package} {judgement.optimizer} {', '.join(judgement.properties)}"


def _named(case: Case) -> str:
    return f"{case.package.name} {case.row.title}"


# Running
def run_all(given: argparse.Namespace, results: Path) -> None:
    """Run the rows that are asked for and have no result of this kit."""
    asked = {"examples": given.examples, "seed": given.seed}
    waiting: dict[Package, list[AnyRow]] = {}
    for package, row, result in stored(results):
        wanted = (not given.package or package.name in given.package) and given.only in row.title
        fresh = result is not None and not result.reason and result.key == key_of(row, asked | surroundings(package))
        if wanted and (given.rerun or not fresh) and not (given.missing and result is not None):
            waiting.setdefault(package, []).append(row)
    progress = Progress(sum(map(len, waiting.values())))
    with ThreadPoolExecutor(max(1, given.jobs)) as pool:
        list(pool.map(lambda each: run_package(each, waiting[each], given, results, progress), waiting))


def surroundings(package: Package) -> dict[str, Any]:
    """What a result of a package's row depends on beside the row, the kit and the examples."""
    return {"requires": package.requires, "before": package.before}


def run_package(
    package: Package, rows: list[AnyRow], given: argparse.Namespace, results: Path, progress: Progress
) -> None:
    """Install a package, and run its rows in its environment."""
    asked = {"examples": given.examples, "seed": given.seed}
    environment = Environment(given.environments / "environments" / package.name, package)
    known: dict[str, dict[str, Any]] = {
        str(path_of(results, package, row)): {"key": key_of(row, asked | surroundings(package))} for row in rows
    }
    try:
        versions = environment.prepare()
    except (InstallError, OSError, subprocess.SubprocessError) as error:
        for row in rows:
            path = path_of(results, package, row)
            failed = Result(package.name, row.title, known[str(path)]["key"], reason=f"cannot be installed: {error}")
            write(path, failed)
            progress.row(failed)
        return
    for more in known.values():
        more |= {"version": version_in(versions, package.name), "versions": versions}
    options = {**asked, "seconds": given.seconds, "property_seconds": given.seconds / 3, "known": known}
    batches = [rows] if package.library in FORKED else [[row] for row in rows]
    for batch in batches:
        limit = given.seconds * (len(batch) + 1)
        run_batch(environment, batch, results, options, limit, progress.row)


def run_batch(
    environment: Environment,
    rows: list[AnyRow],
    results: Path,
    options: dict[str, Any],
    limit: float,
    tell: Callable[[Result], None],
) -> None:
    """Run rows in one process of the environment; those without a result afterwards get the reason as theirs."""
    package = environment.package
    paths = {str(path_of(results, package, row)): row for row in rows}
    for path in paths:
        Path(path).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "task.json"
        told = {"package": package.name, "folder": str(results), "options": options, "paths": list(paths)}
        write_text(task, json.dumps(told))
        command = [str(environment.python), "-m", "tinygrad_lr.verify.audit.running", str(task)]
        reason = _run(command, limit, lambda path: _tell(path, tell), jax_cache=environment.folder.parent / "jax-cache")
    for path, row in paths.items():
        if read(Path(path)) is None:
            failed = Result(package.name, row.title, **options["known"][path], reason=reason)
            write(Path(path), failed)
            tell(failed)


def _each_line(lines: Iterable[str] | None, use: Callable[[str], None]) -> None:
    for line in lines or ():
        use(line.rstrip("\n"))


def _tell(path: str, tell: Callable[[Result], None]) -> None:
    if (found := read(Path(path))) is not None:
        tell(found)


def _run(command: list[str], limit: float, line: Callable[[str], None], jax_cache: Path) -> str:
    """Run a process, pass on its lines, and say why rows without a result have none.

    JAX compiles each operation for each shape; its rows are processes of their own, which share what was compiled.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **JAX_KEEPS, "JAX_COMPILATION_CACHE_DIR": str(jax_cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # torch would be compiled anew for each package's process
    with tempfile.TemporaryFile("w+") as errors:
        started = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(_each_line, started.stdout, line)
            try:
                status = started.wait(limit)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
                return f"no answer within {limit:.0f} s"
            reading.result()
        errors.seek(0)
        said = [each for each in errors.read().splitlines() if each.strip()]
    return f"the process ended with status {status}: {said[-1] if said else 'and said nothing'}"
