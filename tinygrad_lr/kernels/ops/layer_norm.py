"""Loops of layer_norm, for CUDA and for compiled training: rows of numbers brought to mean 0 and variance 1.

    kept[r, j] = (x[r, j] - mean[r]) / sqrt(variance[r] + eps) for each column j of x, and in the last column of `kept`
                 1 / sqrt(variance[r] + eps)
    out[r, j]  = kept[r, j] * weight[j] + bias[j]

All arrays of rows have two axes. On the CPU sums run in float64. Where a square overflows, the row is NaN, as in torch.
`one` and `count`, the number of columns, have the arrays' dtype.
Source: Ba, Kiros, Hinton (2016), Layer Normalization, arXiv:1607.06450, section 3. Next: softmax.py.
"""

from math import inf, sqrt

import numpy as np

from .._jit import compiled, on_gpu, thread_index


@compiled
def normalized(x, eps, kept):
    columns = x.shape[1]
    for r in range(x.shape[0]):
        total = 0.0
        for j in range(columns):
            total += x[r, j]
        mean = total / columns
        total = 0.0
        for j in range(columns):
            total += (x[r, j] - mean) * (x[r, j] - mean)
        variance = total / columns
        factor = np.nan if variance == inf else 1.0 / np.sqrt(variance + eps)
        for j in range(columns):
            kept[r, j] = (x[r, j] - mean) * factor
        kept[r, columns] = factor


@compiled
def affine(kept, weight, bias, out):
    for r in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[r, j] = kept[r, j] * weight[j] + bias[j]


@compiled
def input_grad(g, weight, kept, out):
    """With h = g * weight: out = factor * (h - mean of h - normalized * mean of h * normalized)."""
    columns = out.shape[1]
    for r in range(out.shape[0]):
        total, along = 0.0, 0.0
        for j in range(columns):
            total += g[r, j] * weight[j]
            along += g[r, j] * weight[j] * kept[r, j]
        total /= columns
        along /= columns
        for j in range(columns):
            out[r, j] = kept[r, columns] * (g[r, j] * weight[j] - total - kept[r, j] * along)


@compiled
def weight_grad(g, kept, out):
    """out[j] = the sum over the rows of g * normalized, in their order."""
    for j in range(out.size):
        out[j] = 0
    for r in range(g.shape[0]):
        for j in range(out.size):
            out[j] += g[r, j] * kept[r, j]


@on_gpu
def normalized_gpu(x, eps, count, one, kept):
    r = thread_index()
    if r < x.shape[0]:
        columns = x.shape[1]
        total = one - one
        for j in range(columns):
            total += x[r, j]
        mean = total / count
        total = one - one
        for j in range(columns):
            total += (x[r, j] - mean) * (x[r, j] - mean)
        variance = total / count
        factor = variance - variance if variance == inf else one / sqrt(variance + eps)
        for j in range(columns):
            kept[r, j] = (x[r, j] - mean) * factor
        kept[r, columns] = factor


@on_gpu
def affine_gpu(kept, weight, bias, out):
    i = thread_index()
    if i < out.size:
        r, j = i // out.shape[1], i % out.shape[1]
        value = kept[r, j]
        if weight.size > 0:
            value *= weight[j]
        if bias.size > 0:
            value += bias[j]
        out[r, j] = value


@on_gpu
def input_grad_gpu(g, weight, kept, count, one, out):
    r = thread_index()
    if r < out.shape[0]:
        columns = out.shape[1]
        total, along = one - one, one - one
        for j in range(columns):
            out[r, j] = g[r, j] * weight[j] if weight.size > 0 else g[r, j]
            total += out[r, j]
            along += out[r, j] * kept[r, j]
        total /= count
        along /= count
        for j in range(columns):
            out[r, j] = kept[r, columns] * (out[r, j] - total - kept[r, j] * along)


@on_gpu
def weight_grad_gpu(g, kept, chunk, zero, parts):
    """parts[c, j] = the sum over the rows of chunk c of g * normalized."""
    i = thread_index()
    if i < parts.size:
        c, j = i // parts.shape[1], i % parts.shape[1]
        total = zero
        for r in range(c * chunk, min((c + 1) * chunk, g.shape[0])):
            total += g[r, j] * kept[r, j]
        parts[c, j] = total
