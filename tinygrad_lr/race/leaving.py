"""The folder that a race leaves: race.csv, race.json and race.png, all of them or none. Next: drawing.py."""

from __future__ import annotations

import json
import math
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tinygrad_lr.files import FolderLock, sync_folder, write_bytes, write_text
from tinygrad_lr.training.tables.provenance import versions

from . import drawing
from .racing import Race
from .summary import Row

__all__ = ["check_free", "save"]


def check_free(folder: str | os.PathLike[str]) -> Path:
    """The folder as a path, if there is none of that name yet, or an empty one.

    Raises:
        FileExistsError: something lies there.
    """
    path = Path(folder)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(f"{path} is there already and not an empty folder; name another one, or remove it")
    return path


def save(race: Race, folder: str | os.PathLike[str]) -> list[str]:
    """Leave race.csv, race.json and, where matplotlib is installed, race.png in a new folder, and return the names.

    The files are written into a hidden folder beside it, which is renamed when all are complete. What a process left
    there that died meanwhile is removed.

    Raises:
        FileExistsError: there is such a folder, and it is not empty.
        OSError: it cannot be written, or another process writes there.

    Example:
        >>> import tempfile
        >>> from tinygrad_lr.race import race
        >>> found = race("beale", optimizers=["sgd"], schedules=["constant"], rates=[0.001, 0.01], steps=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(found, f"{folder}/beale")[:2]
        ['race.csv', 'race.json']
    """
    path = check_free(folder)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(unfinished)
    try:
        for each in unfinished.iterdir():
            each.unlink()
        write_text(unfinished / "race.csv", race.to_csv())
        write_text(unfinished / "race.json", json.dumps(as_object(race), indent=1, allow_nan=False) + "\n")
        if drawing.is_available():
            write_bytes(unfinished / "race.png", drawing.figure_of(race).canvas.print_png)
        if path.exists():
            path.rmdir()
        names = sorted(each.name for each in unfinished.iterdir())
        unfinished.rename(path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    finally:
        lock.release()
    sync_folder(path.parent)
    return names


def as_object(race: Race) -> dict[str, Any]:
    """The race as plain values of JSON, where a loss that is not finite is null."""
    return {
        "status": "interrupted" if race.interrupted else "finished",
        "problem": asdict(race.problem),
        "loss": race.problem.measured,
        "rates": race.rates,
        "seeds": race.seeds,
        "steps": race.steps,
        "within": race.within,
        "notes": race.notes,
        "wanted": race.wanted,
        "table": [_row(row) for row in race.table()],
        "runs": [
            {
                "optimizer": each.run.optimizer,
                "dialect": each.run.dialect,
                "schedule": each.run.schedule,
                "rate": each.run.rate,
                "seed": each.run.seed,
                "loss": _finite(each.loss),
                "diverged": each.diverged,
                "start_loss": _finite(each.start_loss),
            }
            for each in race.outcomes
        ],
        "versions": versions(),
    }


def _row(row: Row) -> dict[str, Any]:
    return {name: _finite(value) for name, value in asdict(row).items()}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
