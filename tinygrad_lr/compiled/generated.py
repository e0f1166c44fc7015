"""The folder of generated files. A file's name is the hash of its content, and `load` runs it as a module.

The content includes a digest of the kernels' files, so a changed kernel gives another file. The text in memory is
compiled, not the file, so a damaged file does no harm. People read the file, and kernels/_store.py finds the machine
code by its name and digest. In a folder that others can write nothing is read or changed (kernels/_private.py). Next:
batches.py.
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
DAY, KEPT = 86_400, 90  # seconds in a day; files are removed after so many days without use


def folder() -> Path:
    """The folder of generated files and their machine code."""
    return _cache.home() / "generated"


def load(text: str) -> ModuleType:
    """The text as a module. Writes its file if it is not there; warns once if it cannot be written."""
    content = text.encode()
    name = NAME + hashlib.sha256(content).hexdigest()[:24]
    if name in sys.modules:
        return sys.modules[name]
    path = folder() / f"{name}.py"
    _cache.know(str(path), content)
    if _cache.read(path) == content:
        _note_use(path)
    else:
        try:
            if _cache.keep(path, content):
                _forget_unused(path.parent)
        except OSError as error:
            _cache.warn_not_kept(error)
    module = ModuleType(name)
    module.__file__ = str(path)
    linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))  # for tracebacks
    exec(compile(text, str(path), "exec", dont_inherit=True), module.__dict__)
    return sys.modules.setdefault(name, module)  # several threads get the same module


def _note_use(path: Path) -> None:
    """Set the times of a file and of its machine code to now, at most once a day."""
    with suppress(OSError):
        if path.stat().st_mtime < time.time() - DAY:
            for each in path.parent.glob(f"{path.stem}.*"):
                if not each.is_symlink():
                    os.utime(each)


def _forget_unused(folder: Path) -> None:
    """Remove the files that no process has used for long. If one is needed again, it is recompiled."""
    for path in [*folder.glob(f"{NAME}*"), *folder.glob(f".{NAME}*.tmp")]:
        with suppress(OSError):
            if path.lstat().st_mtime < time.time() - KEPT * DAY:
                path.unlink()
