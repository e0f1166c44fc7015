"""Where a result comes from: versions, and the command that repeats a run."""

from __future__ import annotations

import platform
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from tinygrad_lr.version import __version__

from .kinds import Hyperparameters, joined_names
from .opening import Kept
from .options import BELONGS_TO, Options, as_flag, known_options

__all__ = ["absolute", "command_line", "versions"]


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


def command_line(options: Options, table: Path | None) -> list[str]:
    """The command that repeats a run from any folder, with every default written out.

    Args:
        table: None where the command names none.

    Example:
        >>> command_line(Options.of({"target": "y", "lr": 0.5}), None)[:4]
        ['tinygrad-lr', 'train', '--target=y', '--held-out=0.3']
    """
    command, kinds = ["tinygrad-lr", "train"], {name: each.kind for name, each in known_options().items()}
    if table is not None:
        command.append(absolute(table))
    for each in fields(options):
        value = getattr(options, each.name)
        wrong_schedule = BELONGS_TO.get(each.name, options.schedule) != options.schedule
        if isinstance(value, Kept):
            value = value.name
        in_memory = each.name == "test" and not isinstance(value, str)
        if (
            value is None
            or in_memory
            or value in ([], {})
            or wrong_schedule
            or (value is False and each.name != "compiled")
        ):
            continue
        if each.name == "compiled":
            command.append("--compiled" if value else "--eager")
        elif isinstance(kinds[each.name], Hyperparameters):
            command += [f"{as_flag(each.name)}={text}" for text in Hyperparameters.written(value)]
        elif value is True:
            command.append(as_flag(each.name))
        else:
            path = each.name == "test"
            command.append(f"{as_flag(each.name)}={absolute(Path(value)) if path else _written(value)}")
    return command


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={weight}" for name, weight in value.items())
    if isinstance(value, list) and value and isinstance(value[0], str):
        return joined_names(value)
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def absolute(path: Path) -> str:
    """A path that means the same in any folder. What is no file (a pipe) keeps its name: behind it is a number."""
    if str(path) == "-":
        return "-"
    return str(path.resolve() if path.is_file() else path.absolute())
