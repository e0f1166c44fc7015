"""What a training is after a step, as named arrays: `taken` collects it, `put_back` gives it to another process.

It is all that the next step depends on: values, the optimizer's state and groups, the history, the random generator,
and the order of an epoch that was begun. No array holds Python objects: numbers, texts, lists and dicts are one JSON
document, kept as bytes. A SHA-256 over everything tells a whole file from a damaged one. checkpoint.py says when and
where it is written.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lr import random
from tinygrad_lr.data.batches import DataLoader
from tinygrad_lr.engine.dtypes import to_host
from tinygrad_lr.files import save_arrays
from tinygrad_lr.optim import Optimizer
from tinygrad_lr.reading import Unreadable, parse_json, read_arrays

from .history import History
from .parameters import others as others_of

__all__ = ["Unreadable", "packed", "put_back", "read", "taken", "unpacked", "write"]

DOCUMENT, DIGEST = "document", "sha256"  # names of arrays, of bytes; the others are numbered
FORMAT = "tinygrad_lr checkpoint 1"


# --- a training -----------------------------------------------------------------------------------------------------


def taken(model: Any, optimizer: Optimizer, loader: Any, history: History) -> dict[str, Any]:
    """All that the next step depends on, as plain values and arrays; the arrays are copies."""
    step, per_epoch = len(history), len(loader)
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
        "generator": random.get_state(),
        "history": history.as_dict(),
    }


def put_back(found: Mapping[str, Any], model: Any, optimizer: Optimizer, loader: Any) -> History:
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
        loader.go_on(len(history) // len(loader), found["order"])
    return history


def _kind_of(optimizer: Optimizer) -> dict[str, Any]:
    return {"class": type(optimizer).__name__, "dialect": optimizer.dialect, "groups": len(optimizer.param_groups)}


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


def packed(values: Any) -> dict[str, np.ndarray]:
    """Plain values and arrays as arrays alone.

    Example:
        >>> sorted(packed({"betas": (0.5, float("inf")), "moment": np.zeros(3)}))
        ['0', 'document', 'sha256']
        >>> unpacked(packed({1: (0.5, float("inf")), "number": np.float32(2)}))
        {1: (0.5, inf), 'number': np.float32(2.0)}
    """
    arrays: list[np.ndarray] = []
    text = json.dumps(_plain(values, "the checkpoint", arrays), allow_nan=False, ensure_ascii=False)
    found = {DOCUMENT: np.frombuffer(text.encode("utf-8"), np.uint8)}
    found |= {str(number): each for number, each in enumerate(arrays)}
    return {**found, DIGEST: np.frombuffer(_digest(found), np.uint8)}


def unpacked(arrays: Mapping[str, np.ndarray]) -> Any:
    """The reverse of `packed`.

    Raises:
        Unreadable: an array is missing, or is not what it was.
    """
    arrays = dict(arrays)
    digest = arrays.pop(DIGEST, None)
    if digest is None or DOCUMENT not in arrays or digest.tobytes() != _digest(arrays):
        raise Unreadable("its content does not have its SHA-256")
    try:
        return _whole(parse_json(arrays[DOCUMENT].tobytes()), arrays)
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"its document is none of ours ({type(error).__name__}: {error})") from error


def _digest(arrays: Mapping[str, np.ndarray]) -> bytes:
    """SHA-256 over names, dtypes, shapes and bytes of arrays."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()


def _plain(value: Any, where: str, arrays: list[np.ndarray]) -> Any:
    """A value as JSON has it. What JSON lacks is a list of one entry's kind and content; a list itself is one too."""
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind not in "biuf":
            raise TypeError(f"{where} holds an array of {value.dtype}; a checkpoint keeps arrays of numbers")
        arrays.append(np.asarray(value))
        return ["array" if isinstance(value, np.ndarray) else "scalar", len(arrays) - 1]
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else ["float", repr(value)]
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return [kind, [_plain(each, f"{where}[{i}]", arrays) for i, each in enumerate(value)]]
    if isinstance(value, Mapping):
        pairs = [[_plain(key, where, arrays), _plain(each, f"{where}[{key!r}]", arrays)] for key, each in value.items()]
        return ["dict", pairs]
    raise TypeError(
        f"{where} is {value!r:.80}, of type {type(value).__name__}; a checkpoint keeps numbers, texts, arrays, and "
        "lists, tuples and dicts of these"
    )


def _whole(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The reverse of `_plain`."""
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind in ("array", "scalar"):
        array = arrays[str(content)]
        return array if kind == "array" else array[()]
    if kind == "float":
        return float(content)
    if kind == "dict":
        return {_whole(key, arrays): _whole(each, arrays) for key, each in content}
    each_whole = [_whole(each, arrays) for each in content]
    return each_whole if kind == "list" else tuple(each_whole)
