"""The ground floor: optimizer kernels, arrays in, arrays out. NumPy and Numba only.

An optimizer's file in `updates/` holds the formula with its source, the scalar rule and the row `Kernel(rule, states)`.
`_kernel.py` has the loops that all rules share, `_jit.py` says how everything is compiled, and `_run.py` runs a kernel
over flat arrays on a backend. `ops/` has the loops of the engine's ops. Kernels import each other only relatively and
nothing from the rest of the package.

A kernel of your own needs `from tinygrad_lr.kernels import Kernel, choose, compiled, maximum, sqrt`. These names are
imported at their first use, because importing Numba takes longer than the rest of the package together.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {"Kernel": "_kernel", "choose": "_jit", "compiled": "_jit", "maximum": "_jit", "sqrt": "_jit"}

__all__ = ["Kernel", "choose", "compiled", "maximum", "sqrt"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
