"""What a training is after a step, as named arrays: `taken` collects it, `put_back` gives it to another process.

It is all that the next step depends on: values, the optimizer's state and groups, the history, the random generator,
and the order of an epoch that was begun. The form of the file is that of `tinygrad_lr.save` (saving.py). checkpoint.py
says when and where it is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lr import random
from tinygrad_lr.data.batches import DataLoader
from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.files import save_arrays
from tinygrad_lr.optim import Optimizer
from tinygrad_lr.optim.around import Around
from tinygrad_lr.reading import read_arrays
from tinygrad_lr.saving import Unreadable, packed, unpacked

from .history import History
from .parameters import others as others_of

__all__ = ["Unreadable", "packed", "put_back", "read", "taken", "unpacked", "write"]

FORMAT = "tinygrad_lr checkpoint 1"


# --- a training -----------------------------------------------------------------------------------------------------


def taken(
    model: Any, optimizer: Optimizer | Around, loader: Any, history: History, per_epoch: int | None = None
) -> dict[str, Any]:
    """All that the next step depends on, as plain values and arrays; the arrays are copies.

    Args:
        per_epoch: how many steps an epoch has; None: as many as the loader has batches.
    """
    step, per_epoch = len(history), len(loader) if per_epoch is None else per_epoch
    drawn = loader.drawn_key(step // per_epoch) if isinstance(loader, DataLoader) and step % per_epoch else None
    return {
        "format": FORMAT,
        "step": step,
        "optimizer": _kind_of(optimizer),
        "optimizer_state": optimizer.state_dict(),
        "model": model.state_dict() if hasattr(model, "state_dict") else {},
        "others": [to_host(each._data).copy() for each in others_of(model, optimizer)],
        "loader": _kind_of_loader(loader),
        "order": drawn,
        "steps_in_epoch": per_epoch,
        "generator": random.get_state(),
        "history": history.as_dict(),
    }


def put_back(found: Mapping[str, Any], model: Any, optimizer: Optimizer | Around, loader: Any) -> History:
    """Make a training what `taken` found, and return its history. Nothing is changed unless everything fits.

    Raises:
        ValueError: the model, the optimizer or the loader is another one; the message says in what.
    """
    for name, now in (("optimizer", _kind_of(optimizer)), ("loader", _kind_of_loader(loader))):
        if found[name] != now:
            raise ValueError(f"the checkpoint is of another {name}: {_difference(found[name], now)}")
    others = others_of(model, optimizer)
    own = model.state_dict() if hasattr(model, "state_dict") else {}
    _check_alike("the model", own, found["model"])
    _check_alike("the optimizer's parameters", dict(enumerate(others)), dict(enumerate(found["others"])))
    history = History.from_dict(found["history"])
    history.steps_in_epoch = found.get("steps_in_epoch")
    if len(history) != found["step"]:
        raise ValueError(f"the checkpoint is of step {found['step']} and has a history of {len(history)} steps")
    np.random.PCG64().state = found["generator"]  # raises where it is none
    optimizer.load_state_dict(found["optimizer_state"])  # raises before it changes anything
    if found["model"]:
        model.load_state_dict(found["model"])
    for each, values in zip(others, found["others"], strict=True):
        each.data = values
    random.set_state(found["generator"])
    if isinstance(loader, DataLoader):
        loader.go_on(len(history) // found.get("steps_in_epoch", len(loader)), found["order"])
    return history


def _kind_of(optimizer: Optimizer | Around) -> dict[str, Any]:
    name = optimizer.kind if isinstance(optimizer, Around) else type(optimizer).__name__
    return {"class": name, "dialect": optimizer.dialect, "groups": len(optimizer.param_groups)}


def _kind_of_loader(loader: Any) -> dict[str, Any]:
    about = {"class": type(loader).__name__, "batches": len(loader)}
    if isinstance(loader, DataLoader):
        about["samples"] = len(loader.dataset)
        about |= {name: getattr(loader, name) for name in ("batch_size", "shuffle", "drop_last", "seed")}
    return about


def _difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first entry in which two mappings differ, in words."""
    for name in [*then, *now]:
        if then.get(name) != now.get(name):
            return f"its {name.replace('_', ' ')} was {then.get(name)} and is {now.get(name)}"
    return "equal"


def _check_alike(what: str, now: Mapping[Any, Any], then: Mapping[Any, Any]) -> None:
    """Raise where names, shapes or dtypes of two mappings differ."""
    if list(now) != list(then):
        missing, unknown = ([str(each) for each in a if each not in b] for a, b in ((now, then), (then, now)))
        raise ValueError(
            f"{what} does not fit the checkpoint; it lacks {missing or 'none'}, and has {unknown or 'none'}"
        )
    for name, value in now.items():
        there = then[name]
        if value.shape != there.shape or value.dtype != there.dtype:
            raise ValueError(
                f"{what} does not fit the checkpoint: {name} is {value.dtype} {value.shape}, and in the checkpoint "
                f"{there.dtype} {there.shape}"
            )


# --- files ----------------------------------------------------------------------------------------------------------


def write(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Write what `taken` found as an .npz file, whole or not at all.

    Raises:
        TypeError: a value that is neither a number, a text, an array nor a collection of these.
        OSError: the file cannot be written.
    """
    save_arrays(path, packed(values))


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `write` wrote.

    Raises:
        Unreadable: the file is damaged, or no checkpoint. OSError: it cannot be read.
    """
    found = unpacked(read_arrays(path))
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise Unreadable(f"it is no {FORMAT}")
    return found
