"""The folder of a run: which files it has, when they may be written, and how they are read again.

A folder is checked before training begins. Each file is written whole or not at all, and `run.json` is the last one:
where there is a run.json, the files that it describes are there too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lr.files import save_arrays, write_text
from tinygrad_lr.reading import MiB, Unreadable, read_arrays, read_json
from tinygrad_lr.training.history import History

from . import tabular

__all__ = [
    "FILES",
    "RunError",
    "free_folder",
    "prepare",
    "read_description",
    "read_parameters",
    "read_run",
    "write_run",
]

FILES = {
    "model.npz": "the parameters, by name: numpy.load reads them",
    "history.csv": "step, epoch, samples, learning rate, loss, held-out loss of every step",
    "curves.png": "loss and learning rate, drawn",
    "run.json": "everything needed to repeat the run, and its results",
}
FORMAT, VERSION = "tinygrad_lr run", 1
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


def prepare(folder: str | os.PathLike[str], force: bool = False) -> Path:
    """Make a folder and check that a run can be written there; its files stay as they are.

    Other files in the folder are left alone. A run that lies there already is replaced only with `force`; files with
    the names of a run's that belong to no run are never replaced.

    Raises:
        RunError: it is a file, it cannot be made or written to, or it holds what must not be replaced.
    """
    folder = Path(folder)
    taken = [name for name in FILES if (folder / name).exists()]
    if taken and not _is_run(folder):
        raise RunError(f"{folder} has {', '.join(taken)}, but no run of tinygrad-lr; choose another folder")
    if taken and not force:
        raise RunError(f"{folder} already holds a run; choose another folder, or replace the run with --force")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / ".writable", "")
        (folder / ".writable").unlink()
    except OSError as error:
        raise RunError(f"cannot write to the folder {folder}: {error.strerror or error}") from error
    return folder


def write_run(
    folder: Path,
    description: Mapping[str, Any],
    parameters: Mapping[str, np.ndarray],
    history: History,
    title: str = "",
    loss_label: str = "loss",
) -> list[str]:
    """Write the files of a run over those of an earlier run, and return their names in the order of `FILES`.

    Without matplotlib, or with an empty history, there is no curves.png.

    Raises:
        RunError: the folder cannot be written to.
    """
    from . import plotting

    try:
        for name in ("run.json", "curves.png"):
            (folder / name).unlink(missing_ok=True)
        save_arrays(folder / "model.npz", parameters)
        history.to_csv(folder / "history.csv")
        if plotting.is_available() and len(history):
            plotting.draw_curves(history, folder / "curves.png", title, loss_label)
        write_text(folder / "run.json", _json({"format": FORMAT, "format_version": VERSION, **description}))
    except OSError as error:
        raise RunError(f"cannot write to the folder {folder}: {error.strerror or error}") from error
    return [name for name in FILES if (folder / name).exists()]


def _json(values: Mapping[str, Any]) -> str:
    """Indented, with lists of numbers on one line."""
    text = json.dumps(values, indent=2, allow_nan=False)
    return re.sub(r"\[\n[-+.,\deE\s]*\]", lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text) + "\n"


def read_description(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of run.json. It is data from anywhere: whatever it holds, it is read within bounds.

    Raises:
        RunError: there is no run in the folder, or run.json is damaged or of another version.
    """
    folder = Path(folder)
    path = folder / "run.json"
    if not os.path.lexists(path):
        what = "is not a folder" if not folder.is_dir() else "holds no run: it has no run.json"
        raise RunError(f"{folder} {what}; name a folder that `tinygrad-lr train` left")
    try:
        description = read_json(path, MOST)
    except (Unreadable, OSError) as error:
        raise RunError(f"{path} cannot be read: {_reason(error)}") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise RunError(f"{path} does not describe a run of tinygrad-lr")
    found = description.get("format_version")
    if type(found) is not int or found != VERSION:
        raise RunError(f"{path} has format version {found!r:.40}; this tinygrad_lr reads version {VERSION}")
    return description


def read_run(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The content of run.json, and the parameters of model.npz.

    Raises:
        RunError: see `read_description` and `read_parameters`.
    """
    description = read_description(folder)
    model = description.get("model")
    return description, read_parameters(folder, model.get("layers") if isinstance(model, dict) else None)


def read_parameters(folder: str | os.PathLike[str], layers: Any) -> dict[str, np.ndarray]:
    """The parameters of model.npz, as many as a network of these layers has.

    The two are compared before a network is made, so that run.json cannot ask for more memory than model.npz fills.

    Raises:
        RunError: layers that are none; a model.npz that is missing, damaged, not finite or of another size.
    """
    path = Path(folder, "model.npz")
    try:
        count = tabular.count_parameters(layers)
    except ValueError as error:
        raise RunError(f"run.json and model.npz in {folder} do not fit together: {error}") from error
    try:
        parameters = read_arrays(path, most=MiB + 16 * count)
    except FileNotFoundError as error:
        raise RunError(f"{path} is not there; the run is incomplete") from error
    except (Unreadable, OSError) as error:
        raise RunError(f"{path} is damaged and cannot be read ({_reason(error)})") from error
    for name, array in parameters.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise RunError(f"{path}: parameter {name!r} is not finite; the training that left it had diverged")
    there = sum(array.size for array in parameters.values())
    if there != count:
        shapes = ", ".join(f"{name!r} {array.shape}" for name, array in list(parameters.items())[:4])
        raise RunError(
            f"run.json and model.npz in {folder} do not fit together: the model has {count:,} parameters, and "
            f"{there:,} are there: {shapes}"
        )
    return parameters


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _is_run(folder: Path) -> bool:
    try:
        found = read_json(folder / "run.json", MOST)
    except (Unreadable, OSError):
        return False
    return isinstance(found, dict) and found.get("format") == FORMAT
