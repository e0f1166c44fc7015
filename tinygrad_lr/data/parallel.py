"""`in_parallel` does independent pieces of work in threads, whose number changes no result.

NumPy releases the lock of Python in its loops, and pyarrow in its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

__all__ = ["in_parallel", "threads"]

THREADS = 8  # at most


def threads() -> int:
    """How many threads this process may keep busy, at most 8.

    Example:
        >>> 1 <= threads() <= 8
        True
    """
    try:
        return min(len(os.sched_getaffinity(0)), THREADS)
    except AttributeError:  # macOS, Windows
        return min(os.cpu_count() or 1, THREADS)


def in_parallel(do: Callable[[int], None], pieces: Sequence[int], is_worth_it: bool = True) -> None:
    """Call `do` for each piece, in threads where the work is worth it; what the first of them raises is raised.

    Example:
        >>> done = [0] * 20
        >>> in_parallel(lambda piece: done.__setitem__(piece, piece * piece), range(20))
        >>> done[19]
        361
    """
    if not is_worth_it or len(pieces) < 2 or threads() == 1:
        for piece in pieces:
            do(piece)
        return
    with ThreadPoolExecutor(threads()) as pool:
        for _ in pool.map(do, pieces):
            pass
