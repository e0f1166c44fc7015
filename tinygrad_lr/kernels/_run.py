"""Running one kernel over flat arrays: Numba in chunks on threads, NumPy in blocks, or CUDA.

A large array is cut into chunks and given to a thread pool; every element is computed by the same scalar rule, so
the result has the same bits at any thread count. `parallel=True` is not used: it compiles slower and its threading
layers abort or hang when two threads enter them or the process forks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

# Waking the pool costs about 0.1 ms, in which one thread updates some 100,000 elements.
SMALLEST_CHUNK = 250_000
# Blocks of the NumPy backend: temporaries stay in the cache.
BLOCK = 16_384

_threads = 0
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def get_num_threads() -> int:
    """How many threads one optimizer step may use. Results never depend on it.

    The default is TINYGRAD_LR_NUM_THREADS if it is set, or the number of processors this process may run on.

    Example:
        >>> get_num_threads() >= 1
        True
    """
    global _threads
    if _threads == 0:
        wanted = os.environ.get("TINYGRAD_LR_NUM_THREADS", "")
        if wanted:
            if not wanted.isdigit():
                raise ValueError(f"TINYGRAD_LR_NUM_THREADS must be a whole number of at least 1, got {wanted!r}")
            set_num_threads(int(wanted))
        else:
            affinity = getattr(os, "sched_getaffinity", None)
            _threads = len(affinity(0)) if affinity else os.cpu_count() or 1
    return _threads


def set_num_threads(count: int) -> None:
    """Set how many threads one optimizer step may use.

    Raises:
        ValueError: `count` is not a whole number of at least 1.

    Example:
        >>> before = get_num_threads()
        >>> set_num_threads(1); get_num_threads()
        1
        >>> set_num_threads(before)
    """
    global _threads
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"the number of threads must be a whole number of at least 1, got {count!r}")
    _threads = count


def _thread_pool() -> ThreadPoolExecutor:
    """The pool for the number of threads in force; another one in a fork's child, which has none of its parent's
    threads. None is ever shut down: another thread may be making a step with it."""
    from concurrent.futures import ThreadPoolExecutor  # a fifth of the package's import, for large arrays only

    key = (os.getpid(), get_num_threads())
    if key not in _pools:
        _pools.setdefault(key, ThreadPoolExecutor(key[1], thread_name_prefix="tinygrad_lr"))
    return _pools[key]


def run(kernel: Any, backend: str, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
    """Apply `kernel` once, in place.

    Args:
        kernel: a `Kernel`.
        backend: "numba", "numpy" or "cuda".
        arrays: param, grad and the states, flat, contiguous, of one length and dtype; for a kernel of blocks at last
            where each block begins (see `Kernel`).
        scalars: an array of them on the host, in the rule's order and the parameters' dtype.
    """
    size = arrays[0].size
    if size == 0:
        return
    if backend == "cuda":
        kernel.gpu.launch(size, (*arrays, tuple(scalars)))
    elif backend == "numpy":
        _run_numpy(kernel, arrays, scalars)
    elif size >= 2 * SMALLEST_CHUNK and get_num_threads() > 1:
        _run_threads(kernel, size, arrays, scalars)
    elif kernel.interpreted:
        with np.errstate(all="ignore"):  # compiled code does not warn either
            kernel.loop(*arrays, scalars)
    else:
        kernel.loop(*arrays, scalars)


def in_pieces(function: Any, count: int, size: int, arguments: Sequence[Any]) -> None:
    """Call `function(first, last, *arguments)` for all of 0 ... count - 1, on threads where that many elements pay."""
    pieces = min(get_num_threads(), size // SMALLEST_CHUNK) if size >= 2 * SMALLEST_CHUNK else 1
    bounds = [count * i // pieces for i in range(pieces + 1)]
    with np.errstate(all="ignore"):
        if pieces < 2:
            function(0, count, *arguments)
            return
        pool = _thread_pool()
        for done in [pool.submit(function, *each, *arguments) for each in zip(bounds, bounds[1:], strict=False)]:
            done.result()


def _run_threads(kernel: Any, size: int, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
    chunks = min(get_num_threads(), size // SMALLEST_CHUNK)
    if kernel.numpy_loop is not None:
        pieces = _whole_blocks(kernel, chunks, arrays)
    else:
        bounds = [size * i // chunks for i in range(chunks + 1)]
        pieces = [[array[low:high] for array in arrays] for low, high in zip(bounds, bounds[1:], strict=False)]
    pool = _thread_pool()
    for done in [pool.submit(kernel.loop, *[*piece, scalars]) for piece in pieces]:
        done.result()


def _whole_blocks(kernel: Any, chunks: int, arrays: Sequence[Any]) -> list[list[Any]]:
    """The arrays of a kernel of blocks, cut between blocks."""
    *arrays, starts = arrays
    count = starts.size - 1
    bounds = [count * i // chunks for i in range(chunks + 1)]
    by_block = [False, False, *(kernel.storage[key][1] > 1 for key in kernel.states)]
    pieces = []
    for low, high in zip(bounds, bounds[1:], strict=False):
        part = slice(starts[low] - starts[0], starts[high] - starts[0])
        cut = [a[low:high] if of_blocks else a[part] for a, of_blocks in zip(arrays, by_block, strict=True)]
        pieces.append([*cut, starts[low : high + 1]])
    return pieces


@cache
def _array_rule(rule: Any) -> Any:
    from ._jit import over_arrays

    return over_arrays(rule)


def _run_numpy(kernel: Any, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
    if kernel.numpy_loop is not None:
        with np.errstate(all="ignore"):
            kernel.numpy_loop(*arrays, *scalars)
        return
    rule = _array_rule(kernel.rule)
    param, grad, *states = arrays
    with np.errstate(all="ignore"):  # compiled code does not warn either
        for low in range(0, param.size, BLOCK):
            block = slice(low, low + BLOCK)
            results = rule(param[block], grad[block], *(state[block] for state in states), *scalars)
            for target, result in zip((param, *states), results, strict=True):
                target[block] = result


def sum_of_squares(array: np.ndarray[Any, Any], inverse_scale: float) -> float:
    """The sum of (array * inverse_scale)^2 of a flat contiguous array, in float64; see norm.py for its order."""
    from .updates import norm

    sums = norm_sums(array)
    with np.errstate(all="ignore"):
        if hasattr(norm.chunk_sums, "py_func"):
            count = min(get_num_threads(), array.size // SMALLEST_CHUNK) if array.size >= 2 * SMALLEST_CHUNK else 1
            bounds = [sums.size * i // count for i in range(count + 1)]
            pieces: list[tuple[Any, ...]] = [
                (array[low * norm.CHUNK : high * norm.CHUNK], inverse_scale, sums[low:high])
                for low, high in zip(bounds, bounds[1:], strict=False)
            ]
            if count == 1:
                norm.chunk_sums(*pieces[0])
            else:
                for done in [_thread_pool().submit(norm.chunk_sums, *piece) for piece in pieces]:
                    done.result()
        else:
            norm.chunk_sums_numpy(array, inverse_scale, sums)
    return float(np.cumsum(sums)[-1]) if sums.size else 0.0  # in their order, as norm.folded


def norm_sums(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Room for the sums of an array's chunks."""
    from .updates.norm import CHUNK

    return np.zeros(-(-array.size // CHUNK))


def largest(array: np.ndarray[Any, Any]) -> float:
    """The largest |element| of a flat array of at least one; NaN where there is one."""
    return float(np.abs(array).max())
