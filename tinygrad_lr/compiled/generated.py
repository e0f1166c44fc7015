"""The folder of generated files: named by the hash of their content, and run as modules.

Machine code is kept by the file's content, which names the kernels' files by a digest too: a changed kernel gives
another file. What is compiled is the text in memory, so that a damaged file does no harm; the file is there for people,
and for kernels/_store.py, which finds machine code by its name and digest. Next: batches.py.
"""

from __future__ import annotations

import hashlib
import linecache
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from tinygrad_lr.kernels import _cache

__all__ = ["folder", "load"]

NAME = "tinygrad_lr_step_"
DAY, KEPT = 86_400, 90  # seconds; days without use after which a file may go


def folder() -> Path:
    """Where generated files and their machine code are kept."""
    return _cache.home() / "generated"


def load(text: str) -> ModuleType:
    """The text as a module. Its file is written unless it is there; where it cannot be, there is one warning."""
    content = text.encode()
    name = NAME + hashlib.sha256(content).hexdigest()[:24]
    if name in sys.modules:
        return sys.modules[name]
    path = folder() / f"{name}.py"
    if _holds(path, content):
        _note_use(path)
    else:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _forget_unused(path.parent)
            _cache.write_bytes(path, lambda file: file.write(content))
        except OSError as error:
            _cache.warn_not_kept(error)
    module = ModuleType(name)
    module.__file__ = str(path)
    linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))  # for tracebacks
    exec(compile(text, str(path), "exec", dont_inherit=True), module.__dict__)
    return sys.modules.setdefault(name, module)  # whole, and the first where several threads come here at once


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _note_use(path: Path) -> None:
    """Once a day, in the times of a file and of its machine code; what cannot be written to is never removed either."""
    with suppress(OSError):
        if path.stat().st_mtime < time.time() - DAY:
            for each in path.parent.glob(f"{path.stem}.*"):
                os.utime(each)


def _forget_unused(folder: Path) -> None:
    """Remove what no process has used for long; one that wants it now compiles it anew."""
    for path in [*folder.glob(f"{NAME}*"), *folder.glob(f".{NAME}*.tmp")]:
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - KEPT * DAY:
                path.unlink()
