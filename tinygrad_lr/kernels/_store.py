"""Compiled kernels on disk: one file for each, in place of Numba's index and numbered files.

With Numba's own cache two processes that fill an empty folder at once may give two kernels one number, and each then
finds the other's code; a truncated file raises in every later process; a full folder that cannot be written to is
not even read; a changed rule in another file is not noticed; and Numba imports its registries, and SciPy, before it
loads anything. Here a file's name is made of all that its machine code depends on, its content is checked by its hash
before it is unpickled, and it appears by one rename. What is damaged or belongs to another machine, version or source
is compiled anew. Where the folder is: _cache.py.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import sys
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

import llvmlite
import numba
import numpy as np
from llvmlite.binding import address_of_symbol
from numba.extending import is_jitted

from . import _cache, _numba, _private

HEAD = b"tinygrad_lr kernel 1\n"


def keep(dispatcher: Any, owner: Any) -> None:
    """Keep the machine code of a function that Numba compiles: by a `KernelStore`, or as Numba itself does.

    Args:
        dispatcher: the function, as `numba.njit` gives it.
        owner: see `KernelStore`.

    Raises:
        OSError: the source file cannot be read, so that nothing would tell old machine code from new.
    """
    store = KernelStore(dispatcher.py_func, owner)
    if _numba.usable(_numba.STORE):
        dispatcher._cache = store
    else:
        store.leave_to_numba(dispatcher)


class KernelStore:
    """The files of one function: Numba's dispatcher asks it before it compiles and hands it what was compiled.

    Args:
        function: what is compiled.
        owner: a function in whose source file's name the files are kept. A kernel's loops are copies of those in
            _kernel.py, and the rule that they are bound to is their owner.
    """

    def __init__(self, function: Any, owner: Any) -> None:
        source = inspect.getfile(owner)
        self._function = function
        self._folder = _cache.folder_of(source)
        self._name = f"{Path(source).stem}.{function.__qualname__}"
        self._own_source = _cache.digest_of_kernels() + _cache.digest(source)
        self._versions = (numba.__version__, llvmlite.__version__, sys.implementation.cache_tag)

    @cached_property
    def _identity(self) -> tuple[Any, ...]:
        """What distinguishes this function's machine code from that of all others, whatever its arguments are."""
        return (*_described(self._function, set()), *self._versions)

    @cached_property
    def _source(self) -> str:
        """The digests of the source files of this function and of all that it calls."""
        return self._own_source + "".join(sorted(_sources(self._function, set())))

    @property
    def cache_path(self) -> str:
        """The folder of the files."""
        return str(self._folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function of a signature, or None where it must be compiled."""
        key = self._key(sig, target_context.codegen())
        found = self._read(key)
        if found is None:
            return None
        _know(found["symbols"], target_context)
        rebuild = _numba.resolve("numba.core.compiler.CompileResult._rebuild")
        return rebuild(target_context, *found["result"])

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function; a folder that cannot be written to is one warning, and no error."""
        if data.library.has_dynamic_globals:  # addresses of this process
            return
        key = self._key(sig, data.codegen)
        module = data.library._final_module
        symbols = [each.name for each in (*module.functions, *module.global_variables) if each.is_declaration]
        content = _numba.resolve("numba.core.serialize.dumps")(
            {"key": key, "symbols": symbols, "result": data._reduce()}
        )
        try:
            if _cache.keep(self._path(key), HEAD + hashlib.sha256(content).digest() + content):
                self._forget_other_sources()
        except OSError as error:
            if self._read(key) is None:  # otherwise another process was quicker
                _cache.warn_not_kept(error)

    def _key(self, sig: Any, codegen: Any) -> str:
        # Called from another kernel, `*scalars` is another type than called from Python, which is written the same.
        kinds = [type(each).__name__ for each in sig] if isinstance(sig, tuple) else []
        return repr((*self._identity, self._source, codegen.magic_tuple(), sig, kinds))

    def _path(self, key: str) -> Path:
        hashed = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / f"{self._name}-{self._source_mark()}-{hashed[:24]}.kernel"

    def _source_mark(self) -> str:
        return hashlib.sha256(self._source.encode()).hexdigest()[:8]

    def _read(self, key: str) -> Any:
        """What was kept under a key, or None: there is no such file, or it is damaged."""
        text = _cache.read(self._path(key))
        if text is None:
            return None
        start = len(HEAD) + 32
        content = text[start:]
        if text[:start] != HEAD + hashlib.sha256(content).digest():
            return None
        try:
            found = pickle.loads(content)
        except (AttributeError, ImportError):  # whole, but written by a Numba that was patched since
            return None
        return found if isinstance(found, dict) and found.get("key") == key else None

    def _forget_other_sources(self) -> None:
        """Remove the files that were made from earlier versions of the source in this place."""
        for path in self._folder.glob(f"{self._name}-*.kernel"):
            if not path.name.startswith(f"{self._name}-{self._source_mark()}-"):
                path.unlink(missing_ok=True)

    def enable(self) -> None:
        """There is nothing to switch on."""

    def disable(self) -> None:
        """There is nothing to switch off."""

    def flush(self) -> None:
        """Remove the files of this function."""
        if not _cache.is_trusted(self._folder):
            return
        for path in self._folder.glob(f"{self._name}-*.kernel"):
            path.unlink(missing_ok=True)

    def leave_to_numba(self, dispatcher: Any) -> None:
        """Let Numba's own cache keep the function, in a folder whose name has all that Numba does not look at.

        Numba knows a function by its file, name and bytecode; the loops of all kernels share these.
        """
        identity = repr((self._identity, self._source))
        folder = self._folder / f"numba-{hashlib.sha256(identity.encode()).hexdigest()[:24]}"
        try:
            _cache.make(folder)
            os.chmod(folder, 0o700)  # what Numba makes in it has the modes of the umask
            _private.require_tree(folder)
        except _private.Refused as error:
            _cache.warn_refused(error)
            return
        except OSError as error:
            _cache.warn_not_kept(error)
            return
        before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)  # type: ignore[attr-defined]
        try:
            dispatcher.enable_caching()
        except RuntimeError as error:  # Numba finds no folder that it can write to
            _cache.warn_not_kept(error)
        finally:
            numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


def _named(function: FunctionType) -> dict[str, Any]:
    """The values of the global names and of the closure that a function reads."""
    found = {name: function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return found | {name: cell.cell_contents for name, cell in cells}


def _called(value: Any) -> FunctionType | None:
    """The Python function of a compiled one."""
    if not is_jitted(value):
        return None
    found: Any = value.py_func
    return found


def _described(function: FunctionType, seen: set[FunctionType]) -> tuple[Any, ...]:
    """A function's module, name, bytecode and numbers, and the same of every compiled function that it calls.

    The source file does not say all of it: Python may have bytecode that is older than the file, and the name `rule`
    in a kernel's loop is bound when the kernel is built.
    """
    seen.add(function)
    code = function.__code__
    values: list[tuple[str, Any]] = []
    for name, value in sorted(_named(function).items()):
        called = _called(value)
        if called is not None and called not in seen:
            values.append((name, _described(called, seen)))
        elif isinstance(value, (bool, int, float, complex, str, np.generic)):
            values.append((name, repr(value)))
        elif callable(value):
            values.append((name, f"{getattr(value, '__module__', '')}.{getattr(value, '__name__', '')}"))
    numbers = tuple(repr(each) for each in code.co_consts if isinstance(each, (bool, int, float, complex, tuple)))
    return function.__module__, function.__qualname__, code.co_code, code.co_names, numbers, tuple(values)


def _sources(function: FunctionType, seen: set[FunctionType]) -> set[str]:
    """The digests of the source files of every compiled function that a function calls."""
    seen.add(function)
    found = set()
    for value in _named(function).values():
        called = _called(value)
        if called is not None and called not in seen:
            found |= {_cache.digest(inspect.getfile(called))} | _sources(called, seen)
    return found


def _know(symbols: list[str], target_context: Any) -> None:
    """Make sure that every symbol which machine code calls is known to LLVM, which would end the process otherwise.

    Numba imports all it can compile for this, half a second's work, of which the kernels need next to nothing.
    """
    runtime = _numba.resolve("numba.core.runtime.rtsys")
    for prepare in (lambda: runtime.initialize(target_context), target_context.refresh):
        if all(name.startswith("llvm.") or address_of_symbol(name) for name in symbols):
            return
        prepare()
