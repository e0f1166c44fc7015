"""The Euclidean norm of gradients, for clipping: Pascanu, Mikolov and Bengio, ICML 2013, arXiv:1211.5063.

    norm = scale sqrt(sum of (g / scale)^2)

Squares are summed in float64, where those of float32 neither overflow nor vanish: scale = 1. For float64 the scale is
a power of two near the largest |g|, so that dividing by it is exact. The array is cut into chunks of a fixed size, a
chunk is summed in lanes that the processor adds side by side, and lanes and chunks are folded in their order: the same
bits at any number of threads.
"""

from math import frexp, inf, ldexp

import numpy as np

from .._jit import compiled

CHUNK = 4096
LANES = 512


@compiled
def chunk_sums(array, inverse_scale, sums):
    """sums[c] = the sum of (array * inverse_scale)^2 over chunk c, in float64."""
    lanes = np.zeros(LANES)
    for c in range(sums.size):
        part = array[c * CHUNK : (c + 1) * CHUNK]
        whole = part.size // LANES
        lanes[:] = 0.0
        for i in range(whole):
            row = part[i * LANES : (i + 1) * LANES]
            for j in range(LANES):
                x = row[j] * inverse_scale
                lanes[j] += x * x
        total = 0.0
        for j in range(LANES):
            total += lanes[j]
        for i in range(whole * LANES, part.size):
            x = part[i] * inverse_scale
            total += x * x
        sums[c] = total


def chunk_sums_numpy(array, inverse_scale, sums):
    """`chunk_sums` over whole arrays: the same additions in the same order, and so the same bits."""
    whole = array.size // CHUNK
    squares = (array[: whole * CHUNK].astype(np.float64) * inverse_scale) ** 2
    lanes = np.add.reduce(squares.reshape(whole, CHUNK // LANES, LANES), axis=1)
    sums[:whole] = np.cumsum(lanes, axis=1)[:, -1]
    if whole < sums.size:
        sums[whole] = chunk_sum_numpy((array[whole * CHUNK :].astype(np.float64) * inverse_scale) ** 2)


def chunk_sum_numpy(terms):
    """The sum of one chunk's terms, in float64, in the order of `chunk_sums`."""
    rows = terms.size // LANES * LANES
    lanes = np.add.reduce(terms[:rows].reshape(-1, LANES), axis=0)
    return np.cumsum(np.concatenate([lanes, terms[rows:]]))[-1]


@compiled
def folded(sums):
    """The sum of the chunks' sums, in their order."""
    total = 0.0
    for c in range(sums.size):
        total += sums[c]
    return total


@compiled
def sum_of_squares(array, inverse_scale, sums):
    chunk_sums(array, np.float64(inverse_scale), sums)  # plain Python would keep float32
    return folded(sums)


@compiled
def is_safe(total):
    """Whether no square has overflowed, and none that counts has vanished."""
    return total > 1e-250 and total < inf


@compiled
def largest(array, least):
    """The largest |element|, at least `least`; NaN where there is one."""
    for i in range(array.size):
        size = abs(array[i])
        if size > least or size != size:
            least = float(size)
    return least


@compiled
def scale_of(size):
    """A power of two near a size, whose inverse is a number too; 1 for zero."""
    return ldexp(1.0, min(max(frexp(size)[1], -1000), 1000))


@compiled
def factor(scale, root, limit, unit):
    """What brings a norm of scale * root down to the limit, less four units of rounding; 1 where it is there."""
    return 1.0 if scale * root <= limit else limit / scale / root * (1 - 4 * unit)
