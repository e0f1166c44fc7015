"""The orders of epochs: `keys` gives a 64-bit key for each epoch, `orders` the order that belongs to a key.

kernels/ops/shuffle.py makes an order from its key alone. Compiled training takes the keys and makes the orders as it
goes. Next: batches.py.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tinygrad_lr import backend, random

__all__ = ["MOST", "keys", "orders"]

MOST = 2**32 - 1  # samples that can be shuffled
FEW = 200_000  # samples that NumPy and a Python loop shuffle sooner than the machine code is loaded


@cache
def _over_arrays(name: str) -> Any:
    from tinygrad_lr.kernels._jit import over_arrays
    from tinygrad_lr.kernels.ops import shuffle

    return over_arrays(getattr(shuffle, name))


def keys(seed: int | None, first: int, count: int) -> np.ndarray:
    """The keys of `count` epochs from `first` on, uint64.

    With a seed, the key of epoch e is a function of (seed, e). Without one, a key is the next 64 bits of
    `tinygrad_lr.random.generator()`.
    """
    if seed is None:
        return np.asarray(random.generator().bit_generator.random_raw(count), np.uint64)
    # The 1 sets this apart from manual_seed (NumPy pads a seed with zeros) and split_rows.
    base = np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)[0]
    found: np.ndarray = _over_arrays("word")(base, np.arange(first, first + count, dtype=np.uint64))
    return found


def orders(keys: np.ndarray, samples: int) -> np.ndarray:
    """The order of each key, int64, shape (keys, samples): the same numbers with and without Numba.

    Example:
        >>> sorted(orders(np.array([7], np.uint64), 5)[0].tolist())
        [0, 1, 2, 3, 4]
    """
    from tinygrad_lr.kernels.ops import shuffle

    found = np.empty((len(keys), samples), np.int64)
    machine_code = backend.get() == "numba" and hasattr(shuffle.shuffled, "py_func")
    if machine_code and (shuffle.shuffled.signatures or found.size > FEW):
        for key, row in zip(keys, found, strict=True):
            shuffle.shuffled(key, row)
    else:
        numbers = np.arange(samples, dtype=np.uint64)
        for key, row in zip(keys, found, strict=True):
            order: list[int] = []
            for i, place in enumerate(_over_arrays("place")(key, numbers).tolist()):
                order.append(i)
                order[i], order[place] = order[place], i
            row[:] = order
    return found
