"""Writes files whole or not at all: first a temporary file in the same folder, then one rename (kernels/_cache.py).

`FolderLock` keeps two processes from writing into one folder.
"""

from __future__ import annotations

import errno
import os
import sys
import zipfile
from collections.abc import Mapping
from typing import IO

import numpy as np

from tinygrad_lr.kernels._cache import sync_folder, write_bytes

if sys.platform != "win32":
    import fcntl

__all__ = ["FolderLock", "save_arrays", "sync_folder", "write_bytes", "write_text"]


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, with the line ends that `text` has."""
    write_bytes(path, lambda file: file.write(text.encode("utf-8")))


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as an .npz file, which numpy.load reads; equal arrays give equal bytes.

    Raises:
        ValueError: an array of Python objects.
        OSError: the folder is absent or cannot be written to.
    """

    # numpy.savez takes the names as keyword arguments, which some names ("file") cannot be.
    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)

    write_bytes(path, write)


class FolderLock:
    """Holds a folder for this process. It leaves no file there, and a process that dies holds nothing.

    On Windows a file `.lock`, which the system removes with the process, stands in.

    Attributes:
        is_held: False where the file system knows no locks; then nothing keeps another process away.

    Raises:
        BlockingIOError: another process, or another FolderLock of this one, holds it.
        OSError: there is no such folder, or it cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     held = FolderLock(folder)
        ...     try:
        ...         FolderLock(folder)
        ...     except BlockingIOError:
        ...         print("taken")
        ...     held.release()
        ...     FolderLock(folder).release()
        taken
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.is_held = True
        if sys.platform == "win32":
            try:
                flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_TEMPORARY
                self._opened = os.open(os.path.join(folder, ".lock"), flags)
            except FileExistsError as error:
                raise BlockingIOError(errno.EAGAIN, "another process writes there", os.fspath(folder)) from error
            return
        self._opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._opened)
            raise BlockingIOError(errno.EAGAIN, "another process writes there", os.fspath(folder)) from error
        except OSError:  # network file systems lock no folders
            self.is_held = False

    def release(self) -> None:
        """Let the folder go."""
        if self._opened >= 0:
            os.close(self._opened)
        self._opened = -1
