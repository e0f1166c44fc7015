"""The orders of epochs, as data/shuffling.py has them, in whole numbers that JavaScript can have, too.

kernels/ops/shuffle.py computes with NumPy's uint64, which wrap around. Here they are Python's whole numbers, cut to
64 bits, and a test compares them. `first_key` is what a seed becomes by NumPy's SeedSequence; the page has a table of
them. Next: engine.py.
"""

from __future__ import annotations

from tinygrad_lr.data import shuffling
from tinygrad_lr.kernels.ops import shuffle

__all__ = ["first_key", "order"]

MASK, LOWER = 2**64 - 1, 2**32 - 1
GOLDEN, FIRST, SECOND = int(shuffle.GOLDEN), int(shuffle.FIRST), int(shuffle.SECOND)


def first_key(seed: int) -> int:
    """From which the keys of all epochs follow.

    Example:
        >>> key_of_epoch(first_key(3), 5) - int(shuffling.keys(3, 5, 1)[0])
        0
    """
    # The key of an epoch is a word of this one, and words can be gone back: this asks for no copy of NumPy's rule.
    return unmixed(int(shuffling.keys(seed, 0, 1)[0]))


def unmixed(word: int) -> int:
    """The key whose word 0 is a word: each line of `word_of` undone."""
    z = _unshifted(word, 31)
    z = _unshifted(z * pow(SECOND, -1, 2**64) & MASK, 27)
    z = _unshifted(z * pow(FIRST, -1, 2**64) & MASK, 30)
    return (z - GOLDEN) & MASK


def _unshifted(value: int, count: int) -> int:
    """The number z of which z ^ (z >> count) is known."""
    found = value
    for _ in range(64 // count):
        found = value ^ (found >> count)
    return found


def word_of(key: int, i: int) -> int:
    """Random word i of a key: SplitMix64's, as in kernels/ops/shuffle.py."""
    z = (key + (i + 1) * GOLDEN) & MASK
    z = ((z ^ (z >> 30)) * FIRST) & MASK
    z = ((z ^ (z >> 27)) * SECOND) & MASK
    return z ^ (z >> 31)


def key_of_epoch(key: int, epoch: int) -> int:
    """The key of an epoch's order."""
    return word_of(key, epoch)


def order(key: int, epoch: int, samples: int) -> list[int]:
    """The samples of an epoch in their order, as `DataLoader.order(epoch)` has them with a seed.

    Args:
        key: `first_key(seed)`.
        epoch: from 0 on.
        samples: how many there are.

    Example:
        >>> from tinygrad_lr.data import DataLoader, TensorDataset
        >>> import numpy as np
        >>> loader = DataLoader(TensorDataset(np.zeros((9, 1), np.float32)), batch_size=3, shuffle=True, seed=7)
        >>> order(first_key(7), 2, 9) == loader.order(2).tolist()
        True
    """
    of_epoch, found = key_of_epoch(key, epoch), []
    for i in range(samples):
        drawn = word_of(of_epoch, i)
        place = int(((drawn >> 32) * (i + 1) + ((drawn & LOWER) * (i + 1) >> 32)) >> 32)
        found.append(i)
        found[i] = found[place]
        found[place] = i
    return found
