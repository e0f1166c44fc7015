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
import pickle
import sys
from pathlib import Path
from typing import Any

import llvmlite
import numba
from llvmlite.binding import address_of_symbol
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from . import _cache

HEAD = b"tinygrad_lr kernel 1\n"


class KernelStore(_Cache):
    """The files of one function: Numba's dispatcher asks it before it compiles and hands it what was compiled."""

    def __init__(self, function: Any) -> None:
        source = inspect.getfile(function)
        self._folder = _cache.folder_of(source)
        self._name = f"{Path(source).stem}.{function.__qualname__}"
        self._source = _cache.digest_of_kernels() + _cache.digest(source)
        code = function.__code__  # Python may have it from bytecode that is older than the source
        self._identity = (
            function.__module__,
            function.__qualname__,
            code.co_code,
            code.co_names,
            numba.__version__,
            llvmlite.__version__,
            sys.implementation.cache_tag,
        )

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
        return CompileResult._rebuild(target_context, *found["result"])

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function; a folder that cannot be written to is one warning, and no error."""
        if data.library.has_dynamic_globals:  # addresses of this process
            return
        key = self._key(sig, data.codegen)
        module = data.library._final_module
        symbols = [each.name for each in (*module.functions, *module.global_variables) if each.is_declaration]
        content = dumps({"key": key, "symbols": symbols, "result": data._reduce()})
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._forget_other_sources()
            whole = HEAD + hashlib.sha256(content).digest() + content
            _cache.write_bytes(self._path(key), lambda file: file.write(whole))
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
        try:
            text = self._path(key).read_bytes()
        except OSError:
            return None
        start = len(HEAD) + 32
        content = text[start:]
        if text[:start] != HEAD + hashlib.sha256(content).digest():
            return None
        try:
            found = pickle.loads(content)
        except (AttributeError, ImportError):  # whole, but written by a Numba that was patched since
            return None
        return found if found["key"] == key else None

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
        for path in self._folder.glob(f"{self._name}-*.kernel"):
            path.unlink(missing_ok=True)


def _know(symbols: list[str], target_context: Any) -> None:
    """Make sure that every symbol which machine code calls is known to LLVM, which would end the process otherwise.

    Numba imports all it can compile for this, half a second's work, of which the kernels need next to nothing.
    """
    for prepare in (lambda: rtsys.initialize(target_context), target_context.refresh):
        if all(name.startswith("llvm.") or address_of_symbol(name) for name in symbols):
            return
        prepare()
