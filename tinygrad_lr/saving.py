"""`save` and `load`: Tensors, state dicts, and collections of these and of plain values, in one file.

The file is an .npz, which `numpy.load` reads too: each array by its place in the object. Numbers, texts and the shape
of collections are one JSON document among the arrays, kept as bytes, and a SHA-256 over everything tells a whole file
from a damaged one. No pickle is written or read, so loading runs no code.

`packed` and `unpacked` are this form without a file; training/snapshot.py keeps checkpoints in it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lr.engine.dtypes import refuse_masked, to_host
from tinygrad_lr.engine.recording import notify
from tinygrad_lr.engine.tensor import Tensor, adopt
from tinygrad_lr.files import save_arrays
from tinygrad_lr.integers import shown
from tinygrad_lr.nn.module import Parameter
from tinygrad_lr.reading import CONTAINERS, Unreadable, parse_json, read_arrays

__all__ = ["Unreadable", "load", "packed", "save", "unpacked"]

DOCUMENT, DIGEST = "document", "sha256"  # names of arrays, of bytes
FORMAT = "tinygrad_lr save 1"
DEPTH = 100  # collections within collections: JSON is read by a recursion
LARGEST = 2**63  # whole numbers beyond it are written in base 16


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Write an object to a file, whole or not at all.

    Args:
        obj: Tensors, Parameters, NumPy arrays and numbers, Python's numbers, texts, None, and dicts, lists and tuples
            of these: `model.state_dict()`, or `{"model": ..., "optimizer": optimizer.state_dict(), "epoch": 3}`.
        path: of the file. Its suffix is free; .npz says what it is.

    Every value comes back exactly, in its dtype. A Tensor keeps `requires_grad` and a Parameter stays one; gradients
    and the history of a computed Tensor are not saved, as in torch, and `load` puts everything on the CPU.

    Raises:
        TypeError: a value of another kind, such as a module or a function, and where it is.
        ValueError: a collection that contains itself, or more than 100 within one another.
        OSError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> from tinygrad_lr import nn
        >>> model = nn.Linear(2, 1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save({"model": model.state_dict(), "epoch": 3}, f"{folder}/run.npz")
        ...     found = load(f"{folder}/run.npz")
        >>> found["epoch"], list(found["model"])
        (3, ['weight', 'bias'])
    """
    _check_path("save", path)
    if os.path.isdir(path) or not os.path.basename(path):
        raise ValueError(f"save needs the name of a file, got {os.fspath(path)!r}, which is a folder's or none")
    save_arrays(path, packed({"format": FORMAT, "object": obj}, ("object", "the object")))


def load(path: str | os.PathLike[str]) -> Any:
    """What `save` wrote, on the CPU.

    Raises:
        Unreadable: the file is damaged or cut off, or is none that `save` wrote; the message begins with its path. It
            is a ValueError.
        OSError: there is no such file, or it cannot be read.
    """
    _check_path("load", path)
    try:
        found = unpacked(read_arrays(path))
    except Unreadable as error:
        raise Unreadable(f"{os.fspath(path)}: {error}; expected a file that tinygrad_lr.save wrote") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or "object" not in found:
        kind = found.get("format") if isinstance(found, dict) else None
        remedy = "; restore it with training.Checkpoint" if str(kind).startswith("tinygrad_lr checkpoint") else ""
        raise Unreadable(f"{os.fspath(path)}: it is a {kind or 'file of another kind'}, no {FORMAT}{remedy}")
    return found["object"]


def _check_path(name: str, path: Any) -> None:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} takes the path of a file, got {type(path).__name__}; it writes no file objects")


# --- the form ---------------------------------------------------------------------------------------------------------


def packed(values: Any, named: tuple[str, str] = ("", "the checkpoint")) -> dict[str, np.ndarray]:
    """Values as arrays alone.

    Args:
        values: see `save`.
        named: the key whose entry messages are about, and what they call it.

    Example:
        >>> sorted(packed({"betas": (0.5, float("inf")), "moment": np.zeros(3)}))
        ['document', 'moment', 'sha256']
        >>> unpacked(packed({1: (0.5, float("inf")), "number": np.float32(2)}))
        {1: (0.5, inf), 'number': np.float32(2.0)}
    """
    key, what = named
    form = _Form(what, key)
    text = json.dumps(form.plain(values, ()), allow_nan=False, ensure_ascii=False)
    if text.count("[") + text.count("{") > CONTAINERS:
        raise ValueError(f"{what} has more than {CONTAINERS:,} entries and collections; keep numbers in arrays")
    found = {DOCUMENT: np.frombuffer(text.encode(), np.uint8), **form.arrays}
    return {**found, DIGEST: np.frombuffer(_digest(found), np.uint8)}


def unpacked(arrays: Mapping[str, np.ndarray]) -> Any:
    """The reverse of `packed`.

    Raises:
        Unreadable: an array is missing, or is not what it was.
    """
    arrays = dict(arrays)
    digest = arrays.pop(DIGEST, None)
    if digest is None or DOCUMENT not in arrays:
        raise Unreadable("it has no document and no SHA-256 of ours")
    if digest.tobytes() != _digest(arrays):
        raise Unreadable("its content does not have its SHA-256")
    try:
        return _whole(parse_json(arrays[DOCUMENT].tobytes()), arrays)
    except Unreadable:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"its document is none of ours ({type(error).__name__}: {error})") from error


def _digest(arrays: Mapping[str, np.ndarray]) -> bytes:
    """SHA-256 over names, dtypes, shapes and bytes of arrays."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()


class _Form:
    """Values as JSON has them. What JSON lacks is a list of one entry's kind and content; a list itself is one too."""

    def __init__(self, what: str, key: str) -> None:
        self.what, self.key = what, key
        self.arrays: dict[str, np.ndarray] = {}
        self.around: list[int] = []  # the ids of the collections that a value stands in

    def plain(self, value: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(value, Tensor):
            return self.tensor(value, path)
        if isinstance(value, (np.ndarray, np.generic)):
            refuse_masked(value, "the array")
            return ["array" if isinstance(value, np.ndarray) else "scalar", self.kept(np.asarray(value), path)]
        if type(value) is int and not -LARGEST <= value < LARGEST:
            return ["int", hex(value)]
        if type(value) is str:
            return self.text(value, path)
        if value is None or type(value) in (bool, int):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else ["float", repr(value)]
        if isinstance(value, (list, tuple, Mapping)):
            return self.collection(value, path)
        found = " ".join(shown(value).split())
        raise TypeError(
            f"{self.where(path)} is {found}, of type {type(value).__name__}; what is kept are numbers, texts, arrays "
            f"and Tensors, and lists, tuples and dicts of these{_remedy(value)}"
        )

    def text(self, value: str, path: tuple[Any, ...]) -> str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{self.where(path)} holds the text {shown(value)}, whose {ascii(value[error.start])} is half of a "
                "character and no Unicode; replace it, as in text.encode(errors='replace').decode()"
            ) from error
        return value

    def tensor(self, value: Tensor, path: tuple[Any, ...]) -> list[Any]:
        notify(value, "saved")
        kind = "parameter" if isinstance(value, Parameter) else "tensor"
        return [kind, [self.kept(to_host(value._data), path), value.requires_grad]]

    def kept(self, array: np.ndarray, path: tuple[Any, ...]) -> str:
        """The name under which an array is kept: its place in the object."""
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{self.where(path)} is an array of {array.dtype}; what is kept are arrays of numbers")
        place = ".".join(map(str, path[1:] if self.key and len(path) > 1 else path))
        name = plain = re.sub(r"[^0-9A-Za-z_.-]", "_", place[:100]) or "array"
        copies = 1
        while name in self.arrays or name in (DOCUMENT, DIGEST):
            copies += 1
            name = f"{plain}_{copies}"
        self.arrays[name] = array
        return name

    def collection(self, value: Any, path: tuple[Any, ...]) -> list[Any]:
        if id(value) in self.around:
            raise ValueError(f"{self.where(path)} contains itself; save a copy that does not")
        if len(self.around) == DEPTH:
            raise ValueError(f"{self.what} has more than {DEPTH} collections within one another")
        self.around.append(id(value))
        if isinstance(value, Mapping):
            pairs = [[self.key_of(key, path), self.plain(each, (*path, key))] for key, each in value.items()]
            found: list[Any] = ["dict", pairs]
        else:
            entries = [self.plain(each, (*path, i)) for i, each in enumerate(value)]
            found = ["list" if isinstance(value, list) else "tuple", entries]
        self.around.pop()
        return found

    def key_of(self, key: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(key, (Tensor, np.ndarray)):
            raise TypeError(f"{self.where(path)} has the key {shown(key)}, of type {type(key).__name__}; use a text")
        return self.plain(key, path)

    def where(self, path: tuple[Any, ...]) -> str:
        return self.what + "".join(f"[{shown(each)}]" for each in (path[1:] if self.key else path))


def _remedy(value: Any) -> str:
    if hasattr(value, "state_dict"):
        return "; save its state_dict()"
    return "; write list(...) of it" if isinstance(value, (set, frozenset)) else ""


def _whole(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The reverse of `_Form.plain`."""
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind in ("array", "scalar"):
        array = arrays[str(content)]
        return array if kind == "array" else array[()]
    if kind in ("tensor", "parameter"):
        name, requires_grad = content
        return _tensor(kind, arrays[name], requires_grad)
    if kind == "float":
        return float(content)
    if kind == "int":
        return int(content, 16)
    if kind == "dict":
        return {_whole(key, arrays): _whole(each, arrays) for key, each in content}
    if kind not in ("list", "tuple"):
        raise Unreadable(f"its document has an entry of the kind {shown(kind)}")
    each_whole = [_whole(each, arrays) for each in content]
    return each_whole if kind == "list" else tuple(each_whole)


def _tensor(kind: str, array: np.ndarray, requires_grad: bool) -> Tensor:
    out = Parameter(array, requires_grad) if kind == "parameter" else adopt(np.asarray(array, order="C"))
    out.requires_grad = requires_grad
    return out
