"""The names of Numba that are not public and that this package uses. They are listed here and nowhere else.

A later Numba may lack one. Then the package does without what needs it, and says so in one warning:

    STORE    compiled kernels are kept in Numba's own cache, in a folder for each, and not by _store.py
    VIEWS    a compiled step does not know the lengths of its arrays (_shapes.py), and is slower
    TUPLES   a step of an optimizer unpacks its scalars in Python (_kernel.py), and is slower

tests/kernels/test_numba_names.py says which name is gone, and runs without each of them.
"""

from __future__ import annotations

import importlib
import warnings
from types import FunctionType
from typing import Any, NamedTuple

import numba

__all__ = ["Names", "STORE", "TUPLES", "VIEWS", "lacking", "resolve", "usable"]


class Names(NamedTuple):
    """Names, what each is used for, and what happens without them."""

    used_for: dict[str, str]
    without: str


STORE = Names(
    {
        "numba.core.dispatcher.Dispatcher._cache": "the place of a function's store",
        "numba.core.compiler.CompileResult._reduce": "what is kept of a compiled function",
        "numba.core.compiler.CompileResult._rebuild": "the compiled function again",
        "numba.core.codegen.CPUCodeLibrary._final_module": "the symbols that it calls",
        "numba.core.codegen.CPUCodeLibrary.has_dynamic_globals": "whether it has addresses of this process",
        "numba.core.codegen.CPUCodegen.magic_tuple": "the processor that it is for",
        "numba.core.serialize.dumps": "its bytes",
        "numba.core.runtime.rtsys.initialize": "the symbols of Numba's runtime",
        "numba.core.base.BaseContext.refresh": "all other symbols",
    },
    "compiled kernels are kept in Numba's own cache",
)
VIEWS = Names(
    {
        "numba.core.cgutils.unpack_tuple": "the lengths of a shape",
        "numba.core.cgutils.pack_array": "the shape and the strides of a view",
        "numba.core.base.BaseContext.make_array": "the view itself",
        "numba.core.types.intp": "the type of a length",
    },
    "compiled steps do not know the lengths of their arrays and are slower",
)
TUPLES = Names(
    {"numba.np.unsafe.ndarray.to_fixed_tuple": "an array of known length as a tuple"},
    "steps of optimizers unpack their scalars in Python and are slower",
)


_found: dict[str, bool] = {}


def resolve(name: str) -> Any:
    """The object of a dotted name. For an attribute that a method sets on `self`: that method.

    Raises:
        AttributeError: this Numba has no such name.
    """
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            found = _attribute(found, part)
        return found
    raise AttributeError(f"no module of {name}")


def _attribute(owner: Any, name: str) -> Any:
    if not hasattr(owner, name) and isinstance(owner, type):
        for each in owner.__mro__:
            for method in vars(each).values():
                if isinstance(method, FunctionType) and name in method.__code__.co_names:
                    return method
    return getattr(owner, name)


def lacking(names: Names) -> list[str]:
    """Which names this Numba does not have."""
    found = []
    for name in names.used_for:
        try:
            resolve(name)
        except AttributeError:
            found.append(name)
    return found


def usable(names: Names) -> bool:
    """Whether this Numba has all names of a list. Where one is missing there is one warning in a process."""
    if names.without not in _found:
        gone = lacking(names)
        _found[names.without] = not gone
        if gone:
            warnings.warn(
                f"Numba {numba.__version__} has no {', '.join(gone)}: {names.without}. "
                "A newer tinygrad_lr may know this Numba.",
                RuntimeWarning,
                stacklevel=2,
            )
    return _found[names.without]
