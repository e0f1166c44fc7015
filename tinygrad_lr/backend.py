"""The backend that runs the optimizers' kernels on the CPU: Numba's compiled loops, or NumPy over the same rules.

Both give the same bits. Numba is the default. With `TINYGRAD_LR_BACKEND=numpy` in the environment, Numba is never
imported. Where Numba is not installed, NumPy is used, with one warning.

Next: `kernels/_jit.py`, how kernels are compiled.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["cache_folder", "cache_size", "compiles", "get", "reason", "require_compiler", "threads", "using"]

_chosen: str | None = None
_why = ""


def _choose() -> tuple[str, str]:
    wanted = os.environ.get("TINYGRAD_LR_BACKEND", "")
    installed = importlib.util.find_spec("numba") is not None
    if wanted not in ("", "numba", "numpy"):
        raise ValueError(f"TINYGRAD_LR_BACKEND must be 'numba' or 'numpy', got {wanted!r}; unset it for the default")
    if wanted == "numpy":
        return "numpy", "TINYGRAD_LR_BACKEND=numpy"
    if wanted == "numba" and not installed:
        raise RuntimeError(
            "TINYGRAD_LR_BACKEND=numba, but Numba is not installed: `pip install numba`, or set it to numpy"
        )
    if installed:
        return "numba", "TINYGRAD_LR_BACKEND=numba" if wanted else "the default"
    warnings.warn(
        "Numba is not installed: optimizers run as NumPy, with the same results and slower. `pip install numba`, "
        "or set TINYGRAD_LR_BACKEND=numpy to say that this is meant.",
        RuntimeWarning,
        stacklevel=3,
    )
    return "numpy", "Numba is not installed"


def get() -> str:
    """The name of the backend in use: "numba" or "numpy".

    Raises:
        ValueError: TINYGRAD_LR_BACKEND is not the name of a backend.
        RuntimeError: TINYGRAD_LR_BACKEND=numba and Numba is not installed.

    Example:
        >>> get() in ("numba", "numpy")
        True
    """
    global _chosen, _why
    if _chosen is None:
        _chosen, _why = _choose()
    return _chosen


def reason() -> str:
    """A sentence on why the backend in use was chosen."""
    get()
    return _why


@contextmanager
def using(name: str) -> Iterator[None]:
    """Run optimizer steps on another backend inside a `with` block.

    Raises:
        ValueError: `name` is neither "numba" nor "numpy".
        RuntimeError: `name` is "numba", and Numba is not installed, or was switched off for this process.

    Example:
        >>> with using("numpy"):
        ...     get()
        'numpy'
    """
    global _chosen, _why
    if name not in ("numba", "numpy"):
        raise ValueError(f"a backend is 'numba' or 'numpy', got {name!r}")
    if name == "numba":
        from tinygrad_lr.kernels._jit import WITHOUT_NUMBA

        if WITHOUT_NUMBA:
            raise RuntimeError(
                "backend 'numba' cannot be used in this process: it is not installed, or was switched "
                "off by TINYGRAD_LR_BACKEND=numpy before the first optimizer"
            )
    before = (get(), _why)
    _chosen, _why = name, "tinygrad_lr.backend.using"
    try:
        yield
    finally:
        _chosen, _why = before


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Share each optimizer step among this many threads inside a `with` block.

    Raises:
        ValueError: `count` is not a whole number of at least 1.

    Example:
        >>> from tinygrad_lr import get_num_threads
        >>> with threads(3):
        ...     get_num_threads()
        3
    """
    from tinygrad_lr.kernels import _run

    before = _run.get_num_threads()
    _run.set_num_threads(count)
    try:
        yield
    finally:
        _run.set_num_threads(before)


def cache_folder() -> str:
    """The folder in which compiled kernels are kept between processes, or a sentence on why they are not kept.

    Example:
        >>> isinstance(cache_folder(), str)
        True
    """
    absent = _why_nothing_is_compiled()
    if absent:
        return f"none: {absent}"
    from tinygrad_lr.kernels import _cache

    folder = _cache.home()
    if fault := _cache.fault():
        return f"{folder} is not used: {fault}"
    why = _cache.why_unwritable(folder)
    return f"{folder} cannot be written to ({why}); {_cache.REMEDY}" if why else str(folder)


def cache_size() -> str:
    """A sentence on how much the cache folder holds.

    Example:
        >>> isinstance(cache_size(), str)
        True
    """
    from tinygrad_lr.kernels import _cache

    sizes = _cache.kept()
    return f"{len(sizes)} files, {sum(sizes) / 1e6:.1f} MB; what is removed is compiled anew"


def compiles() -> bool:
    """Whether kernels are compiled in this process.

    Example:
        >>> isinstance(compiles(), bool)
        True
    """
    return not _why_nothing_is_compiled()


def require_compiler() -> None:
    """Raise a RuntimeError that names the remedy where kernels are not compiled in this process.

    Raises:
        RuntimeError: the backend is NumPy, or Numba's compiler is switched off.
    """
    absent = _why_nothing_is_compiled()
    if absent:
        raise RuntimeError(
            f"there are no compiled kernels to speak of: {absent}; install Numba, and unset "
            "TINYGRAD_LR_BACKEND and NUMBA_DISABLE_JIT"
        )


def _why_nothing_is_compiled() -> str:
    if get() == "numpy":
        return "the NumPy backend compiles nothing"
    from tinygrad_lr.kernels import _jit

    return "Numba's compiler is switched off (NUMBA_DISABLE_JIT)" if _jit.COMPILER_IS_OFF else ""
