"""Loops over classes, for CUDA and compiled training: softmax, its logarithm, sums of exponentials, factors of a loss.

    exp_sums     sums[p] = the sum of exp(a[i] - top[p]) over places[i] = p
    softmax      out[i]  = exp(a[i] - top[p]) / sums[p]
    log_softmax  out[i]  = a[i] - top[p] - log(sums[p])
    logsumexp    out[p]  = top[p] + log(sums[p])

`top[p]` is the largest a[i] with places[i] = p (moves.largest), so that no exponential overflows; what is infinity is
0 above it. Arrays are flat, but for those of the loss and of CUDA, of shape (rows, classes, places), where one thread
takes all classes of a place. `zero` has the arrays' dtype. Source: the definitions.
"""

from math import exp, inf, log

import numpy as np

from .._jit import compiled, on_gpu, thread_index


@compiled
def shifted(a, top, places, out):
    """out[i] = a[i] - top[places[i]], and 0 where a[i] is infinity."""
    for i in range(out.size):
        if a[i] == np.inf:
            out[i] = 0
        else:
            out[i] = a[i] - top[places[i]]


@compiled
def exp_sums(away, places, sums):
    for p in range(sums.size):
        sums[p] = 0
    for i in range(away.size):
        sums[places[i]] += np.exp(away[i])


@compiled
def softmax(away, sums, places, out):
    for i in range(out.size):
        out[i] = np.exp(away[i]) / sums[places[i]]


@compiled
def log_softmax(away, sums, places, out):
    for i in range(out.size):
        out[i] = away[i] - np.log(sums[places[i]])


@compiled
def logsumexp(top, sums, out):
    for p in range(out.size):
        if np.isinf(top[p]):
            out[p] = top[p]
        else:
            out[p] = top[p] + np.log(sums[p])


@compiled
def softmax_back(g, value, places, sums, out):
    """out = value * (g - the sum of g * value)."""
    for p in range(sums.size):
        sums[p] = 0
    for i in range(g.size):
        sums[places[i]] += g[i] * value[i]
    for i in range(g.size):
        out[i] = value[i] * (g[i] - sums[places[i]])


@compiled
def log_softmax_back(g, value, places, sums, out):
    """out = g - exp(value) * the sum of g."""
    for p in range(sums.size):
        sums[p] = 0
    for i in range(g.size):
        sums[places[i]] += g[i]
    for i in range(g.size):
        out[i] = g[i] - np.exp(value[i]) * sums[places[i]]


@compiled
def logsumexp_back(g, away, sums, places, out):
    for i in range(out.size):
        out[i] = g[places[i]] * (np.exp(away[i]) / sums[places[i]])


@compiled
def class_factors(target, weight, ignored, kept, share, mean, out):
    """What each logarithm of a probability is multiplied by in the loss.

    -weight (kept + share) at the target's class and -weight share at the others, 0 for a target that is ignored, and
    NaN for a target that is no class; for the mean divided by the sum of the targets' weights.
    """
    total = 0.0
    classes = out.shape[1]
    for r in range(out.shape[0]):
        for k in range(out.shape[2]):
            own = target[r, k]
            for c in range(classes):
                out[r, c, k] = 0
            if own == ignored:
                continue
            for c in range(classes):
                out[r, c, k] = -(weight[c] * share)
            if own < 0 or own >= classes:
                total = np.nan
            else:
                total += weight[own]
                out[r, own, k] = -(weight[own] * (kept + share))
    if mean == 0 and total == total:  # with a target that is no class it is NaN
        total = 1.0
    for r in range(out.shape[0]):
        for c in range(classes):
            for k in range(out.shape[2]):
                out[r, c, k] /= total


@compiled
def class_losses(factors, a, out):
    """out[r, k] = the sum over the classes of factor * a; a factor of 0 counts nothing."""
    for r in range(out.shape[0]):
        for k in range(out.shape[1]):
            found = 0.0
            for c in range(a.shape[1]):
                if factors[r, c, k] != 0:
                    found += factors[r, c, k] * a[r, c, k]
            out[r, k] = found


@compiled
def class_total(factors, a, out):
    """out[0] = the sum of factor * a; a factor of 0 counts nothing. Both are flat."""
    found = 0.0
    for i in range(a.size):
        if factors[i] != 0:
            found += factors[i] * a[i]
    out[0] = found


@compiled
def class_losses_back(g, factors, out):
    """out[r, c, k] = g[r, k] * the factor."""
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            for k in range(out.shape[2]):
                out[r, c, k] = g[r, k] * factors[r, c, k]


@on_gpu
def softmax_gpu(a, zero, out):
    i = thread_index()
    if i < out.shape[0] * out.shape[2]:
        r, k = i // out.shape[2], i % out.shape[2]
        top, total = a[r, 0, k], zero
        for c in range(1, a.shape[1]):
            top = top if top >= a[r, c, k] else a[r, c, k]
        for c in range(a.shape[1]):
            out[r, c, k] = exp(zero if a[r, c, k] == inf else a[r, c, k] - top)
            total += out[r, c, k]
        for c in range(a.shape[1]):
            out[r, c, k] /= total


@on_gpu
def log_softmax_gpu(a, zero, out):
    i = thread_index()
    if i < out.shape[0] * out.shape[2]:
        r, k = i // out.shape[2], i % out.shape[2]
        top, total = a[r, 0, k], zero
        for c in range(1, a.shape[1]):
            top = top if top >= a[r, c, k] else a[r, c, k]
        for c in range(a.shape[1]):
            out[r, c, k] = zero if a[r, c, k] == inf else a[r, c, k] - top
            total += exp(out[r, c, k])
        for c in range(a.shape[1]):
            out[r, c, k] -= log(total)


@on_gpu
def softmax_back_gpu(g, value, zero, out):
    i = thread_index()
    if i < out.shape[0] * out.shape[2]:
        r, k = i // out.shape[2], i % out.shape[2]
        total = zero
        for c in range(g.shape[1]):
            total += g[r, c, k] * value[r, c, k]
        for c in range(g.shape[1]):
            out[r, c, k] = value[r, c, k] * (g[r, c, k] - total)


@on_gpu
def log_softmax_back_gpu(g, value, zero, out):
    i = thread_index()
    if i < out.shape[0] * out.shape[2]:
        r, k = i // out.shape[2], i % out.shape[2]
        total = zero
        for c in range(g.shape[1]):
            total += g[r, c, k]
        for c in range(g.shape[1]):
            out[r, c, k] = g[r, c, k] - exp(value[r, c, k]) * total


@on_gpu
def class_losses_gpu(factors, a, zero, out):
    i = thread_index()
    if i < out.size:
        r, k = i // out.shape[1], i % out.shape[1]
        total = zero
        for c in range(a.shape[1]):
            if factors[r, c, k] != 0:
                total += factors[r, c, k] * a[r, c, k]
        out[r, k] = total


@on_gpu
def class_losses_back_gpu(g, factors, out):
    i = thread_index()
    if i < g.size:
        r, k = i // g.shape[1], i % g.shape[1]
        for c in range(out.shape[1]):
            out[r, c, k] = g[r, k] * factors[r, c, k]
