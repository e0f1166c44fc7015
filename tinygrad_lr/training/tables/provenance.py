"""Where a result comes from: versions, and the command that repeats a run."""

from __future__ import annotations

import platform
import sys
from argparse import Namespace
from pathlib import Path

from tinygrad_lr.schedules.table import for_training
from tinygrad_lr.version import __version__

__all__ = ["BELONGS_TO", "NOT_OF_A_RUN", "absolute", "command_line", "versions"]

NOT_OF_A_RUN = ("force", "resume", "given")  # arguments that say how a run begins
# Options that only one schedule has, and the schedule.
BELONGS_TO = {option: name for name, row in for_training().items() for option in row.options}


def versions() -> dict[str, str]:
    """The versions of what is installed, for run.json and `info`."""
    found = {"tinygrad_lr": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for name in ("numpy", "numba", "llvmlite", "matplotlib"):
        found[name] = getattr(sys.modules.get(name), "__version__", None) or _installed(name)
    return found


def _installed(name: str) -> str:
    """The version of a package that is not imported; asking costs as much as a small import."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def command_line(arguments: Namespace) -> list[str]:
    """The command that repeats the run from any folder, with every default written out."""
    command = ["tinygrad-lr", "train"]
    if arguments.table is not None:
        command.append(absolute(Path(arguments.table)))
    for name, value in vars(arguments).items():
        wrong_schedule = BELONGS_TO.get(name, arguments.schedule) != arguments.schedule
        absent = value is None or value is False or value == []
        if name in ("command", "table", "out", "show_compiled", *NOT_OF_A_RUN) or absent or wrong_schedule:
            continue
        if value is True:
            command.append(f"--{name.replace('_', '-')}")
            continue
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        command.append(f"--{name.replace('_', '-')}={text}")
    return command


def absolute(path: Path) -> str:
    """A path that means the same in any folder. What is no file (a pipe) keeps its name: behind it is a number."""
    return str(path.resolve() if path.is_file() else path.absolute())
