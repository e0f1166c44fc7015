"""Runs on tables as reports show them: `reported` reads their settings and results, and `page_of` makes the page.

All that is shown is what run.json and history.csv say, which others may have written: whatever they hold, it is text.
Next: comparing.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Any

from tinygrad_lr.training.history import History
from tinygrad_lr.training.report import STATUSES, Reported, completed_epochs, html_report

from . import runs
from .metrics import label
from .options import as_flag, known_options
from .tasks import TASKS

__all__ = ["page_of", "reported", "steps_in_epoch_of"]

LONGEST = 300  # characters of a setting
MOST_LAYERS = 12  # that are named
HASH = 12  # hexadecimal digits
KINDS = ("training", "validation", "held_out")  # of rows
ELSEWHERE = ("target", "test")  # options that are shown otherwise


def page_of(trainings: Sequence[Reported], *, language: str = "en") -> str:
    """The page of some runs."""
    return html_report(trainings, language=language)


def reported(description: Mapping[str, Any], history: History, name: str = "") -> Reported:
    """A run as a report shows it.

    Args:
        description: the content of run.json.
        name: empty: that of its table.

    Raises:
        RunError: run.json has a status that is none.
    """
    status = description.get("status")
    if status not in STATUSES:
        raise runs.RunError(f"'status' of run.json must be one of {', '.join(STATUSES)}, got {status!r:.60}")
    rows, steps_in_epoch = _rows(description), steps_in_epoch_of(description)
    results = _results(_of(description, "metrics", dict))
    if "epochs" in results:  # that of earlier versions counts one that was not completed
        is_whole = status == "finished"
        results["epochs"] = str(completed_epochs(history, is_whole=is_whole, steps_in_epoch=steps_in_epoch))
    return Reported(
        name=name or _table_of(description) or "training",
        history=history,
        status=str(status),
        diverged=_of(description, "diverged", str),
        watched="validation" if rows["validation rows"] else "held_out",
        steps_in_epoch=steps_in_epoch,
        loss=_loss(description),
        data=_rows_and_target(description),
        settings=_settings(description),
        results=results,
        lines=[_line(description)],
    )


def _of(content: Mapping[str, Any], name: str, kind: type) -> Any:
    """An entry of that kind; an empty one where there is none."""
    found = content.get(name)
    return found if isinstance(found, kind) else kind()


def _table_of(description: Mapping[str, Any]) -> str:
    """The name of the table's file, without the folders that it lies in."""
    return PureWindowsPath(_of(_of(description, "data", dict), "path", str)).name  # which knows both kinds of slashes


def _rows_and_target(description: Mapping[str, Any]) -> str:
    """A text that runs on the same table with the same target share.

    A table that came from Python has no content that run.json knows; then the number of its rows stands for it.
    """
    content = _of(_of(description, "data", dict), "sha256", str) or str(sum(_rows(description).values()))
    return f"{content} {_text(_of(description, 'arguments', dict).get('target'))} {_text(description.get('task'))}"


def _rows(description: Mapping[str, Any]) -> dict[str, int]:
    """How many rows there are of each kind."""
    split = _of(description, "split", dict)
    return {f"{name.replace('_', '-')} rows": len(_of(split, name, list)) for name in KINDS}


def steps_in_epoch_of(description: Mapping[str, Any]) -> int | None:
    """How many steps an epoch of a run has; None where run.json does not say it."""
    rows, batch_size = _rows(description)["training rows"], description.get("batch_size")
    return -(-rows // batch_size) if type(batch_size) is int and batch_size > 0 and rows else None


def _line(description: Mapping[str, Any]) -> str:
    """The model and how it was trained, in words that need no language."""
    arguments, layers = _of(description, "arguments", dict), _of(_of(description, "model", dict), "layers", list)
    model = " → ".join(map(_text, layers[:MOST_LAYERS])) + (" → …" if len(layers) > MOST_LAYERS else "")
    parts = [model, arguments.get("optimizer"), f"lr {_text(arguments.get('lr'))}", description.get("schedule")]
    return " · ".join(_text(part) for part in parts)


def _settings(description: Mapping[str, Any]) -> dict[str, str]:
    """Names and values of all that was chosen, and of what followed from it."""
    arguments, data = _of(description, "arguments", dict), _of(description, "data", dict)
    found: dict[str, Any] = {
        "table": _table_of(description),
        "SHA-256 of the table": _of(data, "sha256", str)[:HASH],
        **{name: count for name, count in _rows(description).items() if count},
        "target": arguments.get("target"),
        "task": description.get("task"),
        "loss": _loss(description),
    }
    options = {name: value for name, value in arguments.items() if name in known_options() and name not in ELSEWHERE}
    found |= {as_flag(name): value for name, value in options.items() if name != "loss" and not _is_absent(value)}
    hyperparameters = _of(description, "optimizer", dict).items()
    found |= {name: value for name, value in hyperparameters if value != arguments.get(name)}
    found |= {
        "schedule": description.get("schedule"),
        "layers": _of(description, "model", dict).get("layers"),
        "epochs at most": description.get("epochs"),
        "batch size": description.get("batch_size"),
        "run as machine code": description.get("compiled"),
        "tinygrad_lr": _of(description, "versions", dict).get("tinygrad_lr"),
    }
    return {str(name): _text(value) for name, value in found.items() if value is False or not _is_absent(value)}


def _is_absent(value: Any) -> bool:
    """Whether an option was not given. 0 is a value."""
    return value is None or value is False or value in ([], {}, "")


def _loss(description: Mapping[str, Any]) -> str:
    """The loss in words; as run.json has it where it is none that this version knows."""
    task, name = TASKS.get(_of(description, "task", str)), _of(description, "arguments", dict).get("loss")
    if task is None or name not in (None, *task.losses):
        return _text(description.get("loss"))
    return task.loss_in_words(name)


def _results(metrics: Mapping[str, Any], of: str = "") -> dict[str, str]:
    """Names and values of metrics; those of each target, and over folds the mean and the deviation."""
    found: dict[str, str] = {}
    for name, value in metrics.items():
        if name == "seconds":  # which no two runs share: all else of a report is the same for equal runs
            continue
        shown = f"{of}{_named(str(name))}"
        if name in ("targets", "folds") and isinstance(value, dict):
            for each, inner in value.items() if name == "targets" else [("folds", value)]:
                found |= _results(inner, f"{of}{each}: ") if isinstance(inner, dict) else {}
        elif isinstance(value, dict):
            mean, deviation = (value.get(each) for each in ("mean", "deviation"))
            found[shown] = f"{_number(mean)} ± {_number(deviation)}"
        else:
            found[shown] = "undefined" if value is None else _number(value)
    return found


def _named(metric: str) -> str:
    """A metric for people, also that of what it is compared with: "r2_least_squares" is "R2 of least squares"."""
    for other in ("base rate", *(task.baseline_name for task in TASKS.values())):
        suffix = f"_{other.replace(' ', '_')}"
        if metric.endswith(suffix):
            return f"{label(metric.removesuffix(suffix))} of {other}"
    return label(metric)


def _number(value: Any) -> str:
    """A metric with six significant digits, or whatever is there."""
    return f"{value:.6g}" if isinstance(value, float) and math.isfinite(value) else _text(value)


def _text(value: Any) -> str:
    """A value of JSON as text, of a long one the beginning."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, (list, tuple)) and all(isinstance(each, (str, int, float)) for each in value):
        text = ", ".join(map(str, value))
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
