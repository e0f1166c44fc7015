"""Loops that compare numbers, find extreme ones and take elements at places, for compiled training.

Comparisons and conditions are flat, and give booleans. The others run along the middle one of three axes.
Source: the definitions. Next: softmax.py.
"""

import numpy as np

from .._jit import compiled


@compiled
def equal(a, b, out):
    for i in range(out.size):
        out[i] = a[i] == b[i]


@compiled
def not_equal(a, b, out):
    for i in range(out.size):
        out[i] = a[i] != b[i]


@compiled
def less(a, b, out):
    for i in range(out.size):
        out[i] = a[i] < b[i]


@compiled
def less_equal(a, b, out):
    for i in range(out.size):
        out[i] = a[i] <= b[i]


@compiled
def isinf(a, out):
    for i in range(out.size):
        out[i] = np.isinf(a[i])


@compiled
def isfinite(a, out):
    for i in range(out.size):
        out[i] = np.isfinite(a[i])


@compiled
def logical_not(a, out):
    for i in range(out.size):
        out[i] = a[i] == 0


@compiled
def logical_and(a, b, out):
    for i in range(out.size):
        out[i] = a[i] != 0 and b[i] != 0


@compiled
def logical_or(a, b, out):
    for i in range(out.size):
        out[i] = a[i] != 0 or b[i] != 0


@compiled
def logical_xor(a, b, out):
    for i in range(out.size):
        out[i] = (a[i] != 0) != (b[i] != 0)


@compiled
def argmax(a, out):
    """out[r, 0, k] = where a[r, :, k] is largest: the first such place, or that of the first NaN."""
    for r in range(a.shape[0]):
        for k in range(a.shape[2]):
            place = 0
            for j in range(a.shape[1]):
                best = a[r, place, k]
                if best == best and not a[r, j, k] <= best:
                    place = j
            out[r, 0, k] = place


@compiled
def argmin(a, out):
    """The same of the least."""
    for r in range(a.shape[0]):
        for k in range(a.shape[2]):
            place = 0
            for j in range(a.shape[1]):
                best = a[r, place, k]
                if best == best and not a[r, j, k] >= best:
                    place = j
            out[r, 0, k] = place


@compiled
def take_along(a, places, out):
    """out[r, j, k] = a[r, places[r, j, k], k]."""
    for r in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                out[r, j, k] = a[r, places[r, j, k], k]


@compiled
def take_along_back(g, places, out):
    """out = 0, then out[r, places[r, j, k], k] += g[r, j, k] in the order of j."""
    for r in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                out[r, j, k] = 0
    for r in range(g.shape[0]):
        for j in range(g.shape[1]):
            for k in range(g.shape[2]):
                out[r, places[r, j, k], k] += g[r, j, k]
