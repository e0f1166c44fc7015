"""The folder of generated files: named by the hash of their content, and imported.

Machine code is kept by the file's content, which names the kernels' files by a digest too: a changed kernel gives
another file. Next: runner.py.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ..files import write_text
from ..kernels._cache import home, is_writable, warn_not_kept

__all__ = ["folder", "load"]


def folder() -> Path:
    """Where generated files are kept: beside the kernels' machine code, or somewhere temporary, with a warning."""
    wanted = home() / "generated"
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return _temporary(str(error))
    return wanted if is_writable(wanted) else _temporary(f"{wanted} is not writable")


@cache
def _temporary(reason: str) -> Path:
    warn_not_kept(reason)
    return Path(tempfile.mkdtemp(prefix="tinygrad_lr_"))


def load(text: str) -> ModuleType:
    """Write the file, unless it is there, and import it."""
    name = "tinygrad_lr_step_" + hashlib.sha256(text.encode()).hexdigest()[:24]
    if name in sys.modules:
        return sys.modules[name]
    path = folder() / f"{name}.py"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    spec: Any = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
