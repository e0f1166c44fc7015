"""Matrix products for compiled training, over arrays with two axes: loops for small ones, BLAS for large ones.

    nn: out = a b        nt: out = a b^T        tn: out = a^T b

The loops run over the contiguous axis innermost, which vectorises; `nt` copies b^T into a scratch array first. BLAS is
SciPy's, which Numba's np.dot calls from machine code; it sums in another order. compiled/lowering.py chooses.
"""

import numpy as np

from .._jit import compiled


@compiled
def nn(a, b, out):
    zero = out.dtype.type(0)
    inner = a.shape[1]
    whole = inner - inner % 4
    for r in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[r, k] = zero
        for j in range(0, whole, 4):
            f0, f1, f2, f3 = a[r, j], a[r, j + 1], a[r, j + 2], a[r, j + 3]
            for k in range(out.shape[1]):
                out[r, k] = out[r, k] + f0 * b[j, k] + f1 * b[j + 1, k] + f2 * b[j + 2, k] + f3 * b[j + 3, k]
        for j in range(whole, inner):
            factor = a[r, j]
            for k in range(out.shape[1]):
                out[r, k] += factor * b[j, k]


@compiled
def nt(a, b, scratch, out):
    for j in range(b.shape[0]):
        for k in range(b.shape[1]):
            scratch[k, j] = b[j, k]
    nn(a, scratch, out)


@compiled
def nt_column(a, b, out):
    """a times a single row b, transposed: one column. Eight sums side by side, then added in pairs."""
    zero = out.dtype.type(0)
    inner = a.shape[1]
    whole = inner - inner % 8
    for r in range(a.shape[0]):
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = zero
        for k in range(0, whole, 8):
            s0 += a[r, k] * b[0, k]
            s1 += a[r, k + 1] * b[0, k + 1]
            s2 += a[r, k + 2] * b[0, k + 2]
            s3 += a[r, k + 3] * b[0, k + 3]
            s4 += a[r, k + 4] * b[0, k + 4]
            s5 += a[r, k + 5] * b[0, k + 5]
            s6 += a[r, k + 6] * b[0, k + 6]
            s7 += a[r, k + 7] * b[0, k + 7]
        found = ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
        for k in range(whole, inner):
            found += a[r, k] * b[0, k]
        out[r, 0] = found


@compiled
def tn(a, b, out):
    zero = out.dtype.type(0)
    inner = a.shape[0]
    whole = inner - inner % 4
    for j in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[j, k] = zero
        for r in range(0, whole, 4):
            f0, f1, f2, f3 = a[r, j], a[r + 1, j], a[r + 2, j], a[r + 3, j]
            for k in range(out.shape[1]):
                out[j, k] = out[j, k] + f0 * b[r, k] + f1 * b[r + 1, k] + f2 * b[r + 2, k] + f3 * b[r + 3, k]
        for r in range(whole, inner):
            factor = a[r, j]
            for k in range(out.shape[1]):
                out[j, k] += factor * b[r, k]


@compiled
def nn_blas(a, b, out):
    np.dot(a, b, out)


@compiled
def nt_blas(a, b, out):
    np.dot(a, b.T, out)


@compiled
def tn_blas(a, b, out):
    np.dot(a.T, b, out)


@compiled
def nn_each(a, b, out):
    """A product for each index of the first axis of three."""
    for i in range(out.shape[0]):
        nn(a[i], b[i], out[i])


@compiled
def nt_each(a, b, out):
    zero = out.dtype.type(0)
    for i in range(out.shape[0]):
        for r in range(out.shape[1]):
            for j in range(out.shape[2]):
                found = zero
                for k in range(a.shape[2]):
                    found += a[i, r, k] * b[i, j, k]
                out[i, r, j] = found


@compiled
def tn_each(a, b, out):
    for i in range(out.shape[0]):
        tn(a[i], b[i], out[i])


@compiled
def powers(base, first, out):
    """out[i] = base^(first + i), each as Python computes it."""
    for i in range(out.size):
        out[i] = base ** float(first + i)
