"""`tinygrad-lr warmup`: the optimizers' kernels compiled ahead, while an image of a container is built, for example.

Every kernel is run once on a single element, so that it is compiled as a step will call it. Where the machine code
lies, and when it is found again: kernels/_cache.py and kernels/_store.py.
"""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from . import backend
from .kernels import _cache, _run
from .optim import OPTIMIZERS
from .optim.plan import kernels
from .progress import progress_bar

__all__ = ["calls", "warmup"]


def warmup(arguments: Namespace) -> int:
    """Compile what is not there yet and say how much that was.

    Args:
        arguments: `dtype` is "float32", "float64" or "all", `optimizer` a key of `OPTIMIZERS` or None for all of them,
            `state_dtype` one of Adam's.

    Raises:
        RuntimeError: nothing is compiled on this machine, or the machine code cannot be kept.
    """
    backend.require_compiler()
    dtypes = ["float32", "float64"] if arguments.dtype == "all" else [arguments.dtype]
    names = [arguments.optimizer] if arguments.optimizer else list(OPTIMIZERS)
    wanted = [each for dtype in dtypes for each in calls(names, np.dtype(dtype), arguments.state_dtype)]
    with warnings.catch_warnings(), progress_bar(True, len(wanted), 0, unit="kernel") as bar:
        warnings.filterwarnings("ignore", "compiled kernels cannot be kept")  # an error below, with the same remedy
        compiled = sum(_misses_of(loop, call, bar) for loop, call in wanted)
    if _cache.refusal:
        raise RuntimeError(f"the compiled kernels could not be kept ({_cache.refusal}); {_cache.REMEDY}")
    print(f"{len(wanted)} kernels ({', '.join(dtypes)}): {compiled} compiled, {len(wanted) - compiled} already there")
    print(f"In {_cache.home()}")
    return 0


def calls(
    optimizers: list[str], dtype: np.dtype[Any], state_dtype: str = "float32"
) -> Iterator[tuple[Any, Callable[[], object]]]:
    """The compiled loops that some optimizers need, each with a call that has one element."""
    modules = {OPTIMIZERS[name].kernels for name in optimizers}
    if state_dtype != "float32" and "adam" in modules:
        modules.add(f"adam_{state_dtype}")
    for module in sorted(modules):
        for kernel in kernels(module).values():
            arrays = [np.ones(1, dtype) for _ in range(2)]
            arrays += [np.ones(1, kernel.stored(key)[0] or dtype) for key in kernel.states]
            if kernel.numpy_loop is not None:
                arrays.append(np.array([0, 1]))  # where the only block begins and ends
            scalars = np.ones(len(kernel.scalars), dtype)
            yield kernel.loop, partial(_run.run, kernel, "numba", arrays, scalars)
    from .kernels.norm import chunk_sums

    yield chunk_sums, partial(_run.sum_of_squares, np.ones(1, dtype), 1.0)


def _misses_of(loop: Any, call: Callable[[], object], bar: Any) -> bool:
    """Make a call; whether it compiled the loop."""
    before = sum(loop.stats.cache_misses.values())
    call()
    bar.update()
    return sum(loop.stats.cache_misses.values()) > before
