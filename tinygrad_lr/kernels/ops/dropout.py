"""Dropout: some elements become 0, and the others are multiplied by a number. Its gradient is the same of the gradient.

    out[i] = a[i] scale    where the upper 53 bits of the random word i of a key are at least `least`; else 0

Source: Srivastava et al., Dropout, JMLR 15 (2014), with the scaling at training time. The words are those of
shuffle.py: a word is a function of its key and its number, so that a mask is the same in machine code, in NumPy and on
a GPU, and need not be kept. With `least` = p 2^53, an element becomes 0 with probability p.
"""

import numpy as np

from .._jit import compiled, on_gpu, thread_index
from .shuffle import word

ZERO, ONE, S11 = (np.uint64(x) for x in (0, 1, 11))


@compiled
def stays(key, i, least):
    """Whether element i stays."""
    return word(key, i) >> S11 >= least


@compiled
def drop(a, keys, place, least, scale, out):
    """The key stands in keys[place]."""
    key, i, bound = keys[place], ZERO, np.uint64(least)
    zero, factor = out.dtype.type(0), out.dtype.type(scale)
    for k in range(out.size):
        out[k] = a[k] * factor if stays(key, i, bound) else zero
        i += ONE


@on_gpu
def drop_gpu(a, key, least, scale, zero, out):
    i = thread_index()
    if i < out.size:
        out[i] = a[i] * scale if stays(np.uint64(key), np.uint64(i), np.uint64(least)) else zero
