"""Reads files that others may have written: bytes, JSON and named arrays. Every size is checked before memory is taken.

Nothing that is read here becomes code. A file must be a regular one, so that no pipe or device keeps a reader waiting.
How files are written: files.py.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import stat
import struct
import tokenize
import zipfile
from typing import IO, Any

import numpy as np

__all__ = ["MiB", "Unreadable", "open_regular", "parse_json", "read_arrays", "read_bytes", "read_json"]

MiB = 2**20
CONTAINERS = 1_000_000  # lists and objects in a JSON text: "[]," has 3 bytes and becomes 64
KINDS = "?biufcSU"  # of arrays: numbers and texts of a fixed length, no Python objects and no records
NAMED = 2**16  # what a zip archive may take for a member beside its content: names, headers
_LONG = re.compile(rb"[0-9]{300}")
_LONE = re.compile("[\ud800-\udfff]")
# What zipfile, ast, tokenize and NumPy raise for bytes that they cannot read.
DAMAGE = (
    OSError,  # a place before the file's beginning
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    OverflowError,
    RecursionError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    NotImplementedError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
)


class Unreadable(ValueError):
    """A file whose content is damaged, too large, or not of the kind that was expected. The message says which."""


def open_regular(path: str | os.PathLike[str], most: float = math.inf) -> IO[bytes]:
    """A regular file of at most `most` bytes, opened for reading. What is checked is what was opened.

    Raises:
        Unreadable: a folder, a pipe, a socket or a device, or a larger file.
        OSError: there is no such file, or it cannot be opened.
    """
    # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever. Regular files do not heed it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except IsADirectoryError:
        raise Unreadable("a folder is in its place") from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(f"{_kind(found.st_mode)} is in its place")
        if found.st_size > most:
            raise Unreadable(f"it has {found.st_size:,} bytes, and at most {int(most):,} are read")
        return open(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something that is no file")


def read_bytes(path: str | os.PathLike[str], most: float = 64 * MiB) -> bytes:
    """The content of a regular file of at most `most` bytes.

    Raises:
        Unreadable: see `open_regular`; also a file that grows while it is read.
        OSError: there is no such file, or it cannot be read.
    """
    with open_regular(path, most) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1)
    if len(content) > size:
        raise Unreadable("it grew while it was read")
    return content


def read_json(path: str | os.PathLike[str], most: float = 64 * MiB) -> Any:
    """The content of a JSON file, as `parse_json` reads it.

    Raises:
        Unreadable: no JSON in UTF-8; see also `open_regular` and `parse_json`.
        OSError: there is no such file, or it cannot be read.
    """
    return parse_json(read_bytes(path, most))


def parse_json(content: bytes) -> Any:
    """A JSON text in UTF-8, read strictly.

    Every number fits a float, NaN and Infinity are no numbers, no key is there twice, and every text is Unicode.

    Raises:
        Unreadable: anything else, lists within lists without end, or more than a million lists and objects.

    Example:
        >>> parse_json(b'{"layers": [3, 1]}')
        {'layers': [3, 1]}
        >>> parse_json(b'{"a": 1, "a": 2}')
        Traceback (most recent call last):
            ...
        tinygrad_lr.reading.Unreadable: the key 'a' is there twice
    """
    if content.count(b"[") + content.count(b"{") > CONTAINERS:
        raise Unreadable(f"it has more than {CONTAINERS:,} lists and objects")
    try:
        found = json.loads(
            content.decode("utf-8"),
            parse_float=_float,
            parse_int=_int if _LONG.search(content) else None,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except Unreadable:
        raise
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"no JSON that can be read: {str(error) or type(error).__name__}") from error
    if b"\\u" in content:
        _refuse_lone_surrogates(found)
    return found


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Unreadable(f"the number {_shortened(text)} is beyond float64")
    return value


def _int(text: str) -> int:
    # Its length is looked at first: Python 3.10 turns a million digits into an int for minutes.
    if len(text) > 310 or math.isinf(float(text)):
        raise Unreadable(f"the number {_shortened(text)} is beyond float64")
    return int(text)


def _shortened(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:20]}... ({len(text)} characters)"


def _constant(text: str) -> Any:
    raise Unreadable(f"{text} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, _ in pairs:
            if found.pop(name, pairs) is pairs:  # taken out already
                raise Unreadable(f"the key {_shortened(repr(name))} is there twice")
    return found


def _refuse_lone_surrogates(value: Any) -> None:
    """Half a letter, which JSON can write and UTF-8 cannot, would be an error where the text is printed."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str) and _LONE.search(each):
            raise Unreadable(f"the text {_shortened(ascii(each))} is not Unicode")


def read_arrays(path: str | os.PathLike[str], most: float = math.inf) -> dict[str, np.ndarray]:
    """The arrays of an .npz file as `files.save_arrays` and `numpy.savez` write it, which is uncompressed.

    No array is larger than the file: shapes are compared with the bytes that are there before memory is taken.

    Args:
        most: how many bytes the file may have.

    Raises:
        Unreadable: damaged, compressed or encrypted; a name that is there twice or does not end in .npy; arrays of
            Python objects or records; what `open_regular` refuses.
        OSError: there is no such file, or it cannot be opened.

    Example:
        >>> import tempfile
        >>> from tinygrad_lr.files import save_arrays
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_arrays(f"{folder}/a.npz", {"weight": np.arange(3.0)})
        ...     read_arrays(f"{folder}/a.npz")
        {'weight': array([0., 1., 2.])}
    """
    with open_regular(path, most) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_members(members, size)
                return {each.filename.removesuffix(".npy"): _array(archive, each) for each in members}
        except Unreadable:
            raise
        except DAMAGE as error:
            raise Unreadable(f"{type(error).__name__}: {_shortened_line(str(error))}") from error


def _shortened_line(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    names = [each.filename for each in members]
    if len(set(names)) < len(names):
        raise Unreadable("an array is there twice")
    for each in members:
        shown = _shortened(repr(each.filename))
        if not each.filename.endswith(".npy"):
            raise Unreadable(f"{shown} in it is no .npy")
        if each.compress_type != zipfile.ZIP_STORED or each.compress_size != each.file_size:
            raise Unreadable(f"{shown} in it is compressed; write it with numpy.savez, which does not compress")
    if sum(each.file_size for each in members) > size:  # members that share bytes
        raise Unreadable("the arrays that it names are larger than the file")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        head = io.BytesIO(file.read(min(member.file_size, NAMED)))
        version = np.lib.format.read_magic(head)
        if version not in ((1, 0), (2, 0)):
            raise Unreadable(f"{member.filename!r} has version {version} of the format .npy, which is not read")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(head)
        where = _shortened(repr(member.filename))
        if dtype.kind not in KINDS or dtype.hasobject or dtype.subdtype is not None:
            raise Unreadable(f"{where} holds {_shortened(str(dtype))}, no numbers")
        if any(isinstance(length, bool) or length < 0 for length in shape):
            raise Unreadable(f"{where} has the shape {_shortened(str(shape))}")
        start, wanted = head.tell(), math.prod(shape) * dtype.itemsize
        if start + wanted != member.file_size:
            raise Unreadable(
                f"{where} declares {wanted:,} bytes, {dtype} of shape {_shortened(str(shape))}, and "
                f"{member.file_size - start:,} are there"
            )
        array = np.empty(math.prod(shape), dtype)
        content = array.view(np.uint8)  # the same memory
        already = np.frombuffer(head.getbuffer()[start:], np.uint8)
        content[: already.size] = already
        # The last bytes are read to the end of the member, where zipfile compares its checksum.
        if content.size > already.size:
            file.readinto(content[already.size :].data)  # type: ignore[attr-defined]
        if file.read(1):
            raise Unreadable(f"{where} goes on after its end")
    return array.reshape(shape, order="F" if fortran_order else "C")
