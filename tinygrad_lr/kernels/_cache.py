"""Where compiled kernels are kept between processes: a folder of the user's own.

Numba's own choice, `__pycache__` beside the source, leaves files in site-packages that pip does not know of. After an
uninstall they make a folder `tinygrad_lr` without code, which Python imports as an empty package in place of a later
editable installation.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def home() -> Path:
    """NUMBA_CACHE_DIR where it is set, otherwise the folder `tinygrad_lr` in the user's cache folder."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        caches = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        caches = "~/Library/Caches"
    else:
        caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(caches)) / "tinygrad_lr"


@contextmanager
def kept_at_home(numba) -> Iterator[None]:
    """What is decorated inside is cached in `home()`; code of other packages keeps Numba's own choice."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = before or str(home())
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before
