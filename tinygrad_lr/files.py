"""Writes files whole or not at all: first a temporary file in the same folder, then one rename (kernels/_cache.py)."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from typing import IO

import numpy as np

from tinygrad_lr.kernels._cache import write_bytes

__all__ = ["save_arrays", "write_bytes", "write_text"]


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
