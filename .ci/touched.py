"""The folders of tests/ whose deep searches the last commits may have broken, one a line.

    python .ci/touched.py

The last commits are those of the day before HEAD, those that origin/main does not have, and what is not committed.
"""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
# A room of the package is searched by its own tests and by these.
ALSO = {
    "kernels": ["optim", "compiled"],
    "engine": ["compiled"],
    "optim": ["compiled"],
    "verify": ["optim", "schedules"],
    "schedules": ["verify"],
}


def git(*arguments):
    """The lines that git prints; none where it fails: a copy without its history, a clone without origin/main."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.splitlines() if done.returncode == 0 else []


def files():
    """What the last commits touched."""
    found = set(git("diff", "--name-only", "HEAD")) | set(git("diff", "--name-only", "origin/main...HEAD"))
    for date in git("log", "-1", "--format=%ct"):
        found |= set(git("log", f"--since=@{int(date) - 24 * 3600}", "--name-only", "--format="))
    return found - {""}


def rooms(files):
    """The folders of tests/ that search in these files."""
    tests = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} - {"cases"}
    found = set()
    for file in files:
        if helper := re.fullmatch(r"tests/cases/(\w+)\.py", file):
            found |= {room for room in tests if _imports(room, helper[1])}
        elif room := re.match(r"(?:tinygrad_lr|tests)/(\w+)/", file):
            found |= {room[1], *ALSO.get(room[1], [])}
    return sorted(found & tests)


def _imports(room, helper):
    """Whether a test in a folder imports a helper."""
    line = re.compile(rf"^(from|import) {helper}\b", re.MULTILINE)
    return any(line.search(path.read_text("utf-8")) for path in (ROOT / "tests" / room).glob("*.py"))


if __name__ == "__main__":
    print("\n".join(rooms(files())))
