"""What the tests of the command line share: a folder with a table, and ways to run commands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_lr import backend, cli

# A program that takes Ctrl-C as a terminal would send it, also where the test run itself ignores the signal.
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from tinygrad_lr.cli import main; sys.exit(main())"
)
TABLE = "dose,colour,effect\n" + "".join(f"{i},{['red', 'blue'][i % 2]},{3 * i + 10 * (i % 2)}\n" for i in range(40))


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(TABLE)


@pytest.fixture(autouse=True)
def machine_code_as_python(monkeypatch):
    """Where the compiler is off, --compiled is an error. Tests of what it does run its file as Python all the same."""
    if not backend.compiles():
        monkeypatch.setattr(backend, "compiles", lambda: True)
        monkeypatch.setattr(backend, "require_compiler", lambda: None)


def run(*arguments):
    """The exit code of a command, whether it returns or leaves as argparse does."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as leaving:
        return leaving.code


def train(*arguments):
    assert run("train", "table.csv", "--target", "effect", "--epochs", 2, "--batch-size", 8, *arguments) == 0


def program(*arguments, code=PROGRAM, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, timeout=600, check=False, **options
    )


def described(folder):
    """What the run.json of a folder says."""
    return json.loads(Path(folder, "run.json").read_text())
