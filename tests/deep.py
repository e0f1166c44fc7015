"""Runs the deep searches room by room, and writes what came of them: `python tests/deep.py docs/deep_results.md`.

    python tests/deep.py docs/deep_results.md schedules nn     these rooms only; the other rows stay as they are

All rooms take about an hour on two cores. The file is written after each room. Status 1: a test failed.
"""

import os
import platform
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/cases"))

from deep_results import ROOMS, Row, counts, document, rows_of  # noqa: E402


def commit():
    """The commit that is checked out, and whether the working tree differs from it."""
    name, changes = (
        subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
        for command in (["rev-parse", "--short=10", "HEAD"], ["status", "--porcelain"])
    )
    return f"{name} and changes" if changes else name


def machine():
    """How many processors, of what kind, and which Python."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    kinds = [line.partition(": ")[2] for line in lines if line.startswith("model name")] or [platform.machine()]
    return f"{os.cpu_count()} x {kinds[0]}, Python {platform.python_version()}"


def run(room, at):
    """The row of a room, and what pytest printed where a test failed."""
    where = [f"tests/{room}"] if room != "tests" else sorted(str(path) for path in (ROOT / "tests").glob("test_*.py"))
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "deep", "--deep", "-n", "auto", *where]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    passed, failed, skipped = counts(done.stdout)
    if done.returncode not in (0, 5) and not failed:  # 5: no test was chosen
        raise RuntimeError(f"pytest ended with status {done.returncode}:\n{done.stdout}")
    today, seconds = datetime.now(timezone.utc).strftime("%Y-%m-%d"), round(time.monotonic() - start)
    return Row(room, today, at, passed, failed, skipped, seconds, machine()), done.stdout if failed else ""


def main(file, *rooms):
    unknown = set(rooms) - set(ROOMS)
    if unknown:
        sys.exit(f"there is no room {', '.join(sorted(unknown))}; the rooms are {', '.join(ROOMS)}")
    path, at, failed = Path(file), commit(), False
    rows = rows_of(path.read_text("utf-8")) if path.exists() else {}
    for room in rooms or ROOMS:
        row, output = run(room, at)
        rows[room], failed = row, failed or bool(row.failed)
        print(f"{output}{room}: {row.passed} passed, {row.failed} failed, {row.seconds} s", flush=True)
        path.write_text(document(rows.values()), encoding="utf-8")
    sys.exit(int(failed))


if __name__ == "__main__":
    main(*sys.argv[1:])
