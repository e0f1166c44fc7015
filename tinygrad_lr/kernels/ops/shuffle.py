"""The order of an epoch's samples, from one 64-bit key: the same in machine code, in NumPy and on every platform.

The random words are SplitMix64's (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014):
word i is a hash of key + i * GOLDEN, so that none waits for another. The order is the inside-out Fisher-Yates shuffle
(Knuth, The Art of Computer Programming 2, section 3.4.2, algorithm P): sample i goes to a random place among the first
i + 1, and what was there moves to the end. A place is the upper half of word times count (Lemire, ACM TOMACS 29:3,
2019), which prefers no place by more than 2^-32: fewer samples than 2^32 are asked for.
"""

import numpy as np

from .._jit import compiled

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
ZERO, ONE, S27, S30, S31, HALF = (np.uint64(x) for x in (0, 1, 27, 30, 31, 32))


@compiled
def word(key, i):
    """Random word i of a key."""
    z = key + (i + ONE) * GOLDEN
    z = (z ^ (z >> S30)) * FIRST
    z = (z ^ (z >> S27)) * SECOND
    return z ^ (z >> S31)


@compiled
def place(key, i):
    """Where sample i goes: one of 0, ..., i."""
    drawn, count = word(key, i), i + ONE
    return ((drawn >> HALF) * count + ((drawn << HALF >> HALF) * count >> HALF)) >> HALF


@compiled
def shuffled(key, order):
    """Fill `order` with 0, 1, ... in the order of a key."""
    i = ZERO
    for last in range(order.size):
        j = place(key, i)
        order[last] = order[j]
        order[j] = last
        i += ONE
