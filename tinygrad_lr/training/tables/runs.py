"""The folder of a run: which files it has, and how they are read again.

Each file is written whole or not at all, and a run replaces an earlier one whole or not at all: unfinished.py.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tinygrad_lr.reading import MiB, Unreadable, open_regular, read_arrays, read_json
from tinygrad_lr.training.history import History

from . import models

__all__ = ["FILES", "RunError", "free_folder", "read_description", "read_history", "read_parameters", "read_run"]

Read = TypeVar("Read")

FILES = {
    "model.npz": "the parameters after the last step, by name: numpy.load reads them",
    "best.npz": "those of the best epoch, by the validation rows",
    "average.npz": "the mean of those of the last epochs",
    "history.csv": "epoch, samples, learning rate and loss of every step; held-out loss and norms of epochs",
    "coefficients.csv": "the coefficients by name, in the units of the table",
    "report.html": "loss, learning rate and norms, to look into with a browser",
    "curves.png": "loss and learning rate, drawn",
    "checkpoint.npz": "where `tinygrad-lr train --resume` goes on",
    "table.kept": "the table, which came from a pipe, for `--resume`",
    "test.kept": "the table to measure on, which came from a pipe",
    "run.json": "everything needed to repeat the run, and its results",
}
FORMAT, VERSION = "tinygrad_lr run", 2
READABLE = (1, 2)
PARAMETERS = ("model.npz", "best.npz", "average.npz")
HISTORY = "history.csv"
CHECKPOINT = "checkpoint.npz"  # of a run that was interrupted
# Tables whose bytes cannot be had again, by what they are for: they lie beside the checkpoints until the run is over.
KEPT = {"table": "table.kept", "test": "test.kept"}
# What unfinished.py makes in a folder.
UNFINISHED, COMMITTED, BEGUN = "unfinished", "committed", "begun.json"
FORMAT_BEGUN = "tinygrad_lr unfinished run"
MARK = f'{{\n  "format": "{FORMAT_BEGUN}"'.encode()
MOST = 256 * MiB  # of run.json, which has two numbers for each row of the table: 30 million rows


class RunError(ValueError):
    """A folder that cannot be written to, or whose run is missing or damaged. The message says which and why."""


def free_folder(name: str, parent: str | os.PathLike[str] = "runs") -> Path:
    """parent/name, or the first of parent/name-2, parent/name-3, ... that does not exist."""
    folder = Path(parent, name)
    number = 2
    while folder.exists():
        folder = Path(parent, f"{name}-{number}")
        number += 1
    return folder


def to_json(values: Mapping[str, Any]) -> str:
    """Indented, with lists of numbers on one line. Texts that are not Unicode, such as some paths, are escaped."""
    text = json.dumps(_unicode(values), indent=2, allow_nan=False)
    return re.sub(r"\[\n[-+.,\deE\s]*\]", lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text) + "\n"


def _unicode(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_unicode(key): _unicode(each) for key, each in value.items()}
    return [_unicode(each) for each in value] if isinstance(value, (list, tuple)) else value


def cannot_write(folder: Path, error: OSError) -> RunError:
    """The error for a folder that cannot be written to."""
    return RunError(f"cannot write to the folder {folder}: {error.strerror or error}")


def is_marked(own: Path) -> bool:
    """Whether a folder is one of unfinished.py's: it holds begun.json."""
    try:
        with open_regular(own / BEGUN) as file:
            return file.read(len(MARK)) == MARK
    except (OSError, Unreadable):
        return False


def place(folder: Path, name: str) -> Path:
    """Where a file of the run in a folder lies: in `committed`, while a complete run's files are being moved."""
    moving = folder / COMMITTED / name
    return moving if os.path.lexists(moving) and is_marked(folder / COMMITTED) else folder / name


def read_description(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of run.json. It is data from anywhere: whatever it holds, it is read within bounds.

    Raises:
        RunError: there is no run in the folder, or run.json is damaged or of another version.
    """
    folder = Path(folder)
    path = place(folder, "run.json")
    if not os.path.lexists(path):
        if is_marked(folder / UNFINISHED):
            remedy = f"go on with `tinygrad-lr train --resume {folder}`"
            raise RunError(f"{folder} holds no complete run, but one that was begun; {remedy}")
        what = "is not a folder" if not folder.is_dir() else "holds no run: it has no run.json"
        raise RunError(f"{folder} {what}; name a folder that `tinygrad-lr train` left")
    try:
        description = read_json(path, MOST)
    except (Unreadable, OSError) as error:
        raise RunError(f"{path} cannot be read: {_reason(error)}") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise RunError(f"{path} does not describe a run of tinygrad-lr")
    found = description.get("format_version")
    if type(found) is not int or found not in READABLE:
        versions = " and ".join(map(str, READABLE))
        raise RunError(f"{path} has format version {found!r:.40}; this tinygrad_lr reads versions {versions}")
    return description


def read_run(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The content of run.json, and the parameters of model.npz.

    Raises:
        RunError: see `read_description` and `read_parameters`.
    """
    description = read_description(folder)
    model = description.get("model")
    layers, name = (model.get("layers"), parameters_of(model)) if isinstance(model, dict) else (None, "model.npz")
    return description, read_parameters(folder, layers, name)


def parameters_of(model: Mapping[str, Any]) -> str:
    """The file whose parameters a run predicts with, as its run.json says.

    Raises:
        RunError: it names no file of parameters.
    """
    name = model.get("parameters", "model.npz")
    if name not in PARAMETERS:
        raise RunError(f"'parameters' of run.json must be one of {', '.join(PARAMETERS)}, got {name!r:.60}")
    return str(name)


def read_parameters(folder: str | os.PathLike[str], layers: Any, name: str = "model.npz") -> dict[str, np.ndarray]:
    """The parameters of model.npz or another file, as many as a network of these layers has.

    The two are compared before a network is made, so that run.json cannot ask for more memory than the file fills.

    Raises:
        RunError: layers that are none; a model.npz that is missing, damaged, not finite or of another size.
    """
    path = place(Path(folder), name)
    try:
        count = models.count_parameters(layers)
    except ValueError as error:
        raise RunError(f"run.json and {name} in {folder} do not fit together: {error}") from error
    try:
        parameters = read_arrays(path, most=MiB + 16 * count)
    except FileNotFoundError as error:
        raise RunError(f"{path} is not there; the run is incomplete") from error
    except (Unreadable, OSError) as error:
        raise RunError(f"{path} is damaged and cannot be read ({_reason(error)})") from error
    for each, array in parameters.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise RunError(f"{path}: parameter {each!r} is not finite; the training that left it had diverged")
    there = sum(array.size for array in parameters.values())
    if there != count:
        shapes = ", ".join(f"{each!r} {array.shape}" for each, array in list(parameters.items())[:4])
        raise RunError(
            f"run.json and {name} in {folder} do not fit together: the model has {count:,} parameters, and "
            f"{there:,} are there: {shapes}"
        )
    return parameters


def read_history(folder: str | os.PathLike[str]) -> History:
    """The history of a run; an empty one where it has none.

    Raises:
        RunError: history.csv is damaged or cannot be read.
    """
    path = place(Path(folder), HISTORY)
    if not path.is_file():
        return History()
    try:
        return History.from_csv(path)
    except (ValueError, OSError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error


def unchanged(folder: Path, read: Callable[[dict[str, Any]], Read]) -> Read:
    """What a function reads of a run, given the content of its run.json: once more where a training replaced the run.

    Raises:
        RunError: see `read_description`, and what `read` raises.
    """
    while True:
        description = read_description(folder)
        try:
            found = read(description)
        except RunError:
            if description == read_description(folder):
                raise
            continue
        if description == read_description(folder):
            return found
        # else a training replaced the run meanwhile


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def is_run(folder: Path) -> bool:
    """Whether a folder holds the run.json of a run."""
    try:
        found = read_json(place(folder, "run.json"), MOST)
    except (Unreadable, OSError):
        return False
    return isinstance(found, dict) and found.get("format") == FORMAT
