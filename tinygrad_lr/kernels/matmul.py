"""Matrix products for compiled training, over arrays with two axes: loops for small ones, BLAS for large ones.

    nn: out = a b        nt: out = a b^T        tn: out = a^T b

The loops run over the contiguous axis innermost, which vectorises; `nt` copies b^T into a scratch array first. BLAS is
SciPy's, which Numba's np.dot calls from machine code; it sums in another order. compiled/lowering.py chooses.
"""

import numpy as np

from ._jit import compiled


@compiled
def nn(a, b, out):
    zero = out.dtype.type(0)
    for r in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[r, k] = zero
        for j in range(a.shape[1]):
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
    """a times a single row b, transposed: one column."""
    zero = out.dtype.type(0)
    for r in range(a.shape[0]):
        found = zero
        for k in range(a.shape[1]):
            found += a[r, k] * b[0, k]
        out[r, 0] = found


@compiled
def tn(a, b, out):
    zero = out.dtype.type(0)
    for j in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[j, k] = zero
        for r in range(a.shape[0]):
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
