"""`compare_runs`: several runs on tables as one page, over one another. `tinygrad-lr compare` calls it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tinygrad_lr.training.report import Reported

from . import runs
from .reported import page_of, reported
from .trained import TrainedTable

__all__ = ["compare_runs"]

Run = str | os.PathLike[str] | TrainedTable


def compare_runs(compared: Sequence[Run] | Mapping[str, Run], *, language: str = "en") -> str:
    """Return the text of an HTML file with the curves of several runs over one another, and a table of what differs.

    Args:
        compared: at least two folders of runs, or runs as `train_table` and `load_run` give them; or a dict of such, by
            the names that the page shows. Otherwise a run's name is its folder.
        language: "en" or "zh", in which the page opens.

    Raises:
        ValueError: fewer than two runs, or two of the same name.
        RunError: a folder holds no run, or its run.json or history.csv is damaged.

    Example:
        >>> from tinygrad_lr.training import train_table
        >>> rows = {"x": [0.0, 1, 2, 3] * 9, "y": [1.0, 3, 5, 7] * 9}
        >>> made = {name: train_table(rows, "y", optimizer=name, steps=50) for name in ("adam", "sgd")}
        >>> "<title>adam, sgd</title>" in compare_runs(made)
        True
    """
    if isinstance(compared, (str, os.PathLike)):
        raise ValueError(f"a comparison takes at least two runs, got {os.fspath(compared)!r:.60}; put them into a list")
    named = list(compared.items() if isinstance(compared, Mapping) else ((None, run) for run in compared))
    if len(named) < 2:
        raise ValueError(f"a comparison takes at least two runs, got {len(named)}")
    found = [_reported(run, name, number) for number, (name, run) in enumerate(named, 1)]
    names = [each.name for each in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{twice} is there twice; a comparison takes different runs, or a dict of names and runs")
    return page_of(found, language=language)


def _reported(run: Run, name: str | None, number: int) -> Reported:
    """A run, given as a folder or as an object."""
    if isinstance(run, (str, os.PathLike)):
        folder = Path(run)
        return runs.unchanged(
            folder, lambda description: reported(description, runs.read_history(folder), name or str(folder))
        )
    default = f"run {number}" if run.folder is None else str(run.folder)
    return reported(run.description, run.history, name or default)
