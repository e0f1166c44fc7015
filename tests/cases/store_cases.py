"""What the tests of compiled code on disk share: a module of two functions, and a cache folder of its own."""

import importlib.util
import sys

from tinygrad_lr.kernels import _cache

SOURCE = """
from tinygrad_lr.kernels._jit import compiled

@compiled
def twice(a):
    return a + a

@compiled
def scaled(a, b):
    return twice(a) * b
"""


def with_small_module(folder, monkeypatch):
    """The folder, with small.py and with an empty cache in `cache`."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python takes a file changed within a second for unchanged
    monkeypatch.delitem(sys.modules, "small", raising=False)
    (folder / "small.py").write_text(SOURCE)
    return folder


def imported(home):
    """The module small.py as a new process would have it: nothing of it is in memory."""
    _cache.digest.cache_clear()
    spec = importlib.util.spec_from_file_location("small", home / "small.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["small"] = module  # a compiled function looks its module up
    spec.loader.exec_module(module)
    return module


def files_of(home, name):
    return sorted((home / "cache").rglob(f"small.{name}-*.kernel"))
