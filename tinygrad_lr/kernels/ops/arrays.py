"""What arrays on a GPU need besides the ops of the other files: arithmetic of two, sums, and rows gathered by index.

    add, sub, mul, div: element by element; an operand of one element stands beside every element of the other
    spread: values, or one value at every place, divided by a number
    chunk_sums, fold: a sum in two passes of fixed order, over chunks and over the chunks' sums, divided by a number

The same bits at any launch. `zero` and `divisor` have the arrays' dtype.
"""

from .._jit import on_gpu, thread_index


@on_gpu
def add_gpu(a, b, out):
    i = thread_index()
    if i < out.size:
        out[i] = a[min(i, a.size - 1)] + b[min(i, b.size - 1)]


@on_gpu
def sub_gpu(a, b, out):
    i = thread_index()
    if i < out.size:
        out[i] = a[min(i, a.size - 1)] - b[min(i, b.size - 1)]


@on_gpu
def mul_gpu(a, b, out):
    i = thread_index()
    if i < out.size:
        out[i] = a[min(i, a.size - 1)] * b[min(i, b.size - 1)]


@on_gpu
def div_gpu(a, b, out):
    i = thread_index()
    if i < out.size:
        out[i] = a[min(i, a.size - 1)] / b[min(i, b.size - 1)]


@on_gpu
def spread_gpu(values, divisor, out):
    i = thread_index()
    if i < out.size:
        out[i] = values[min(i, values.size - 1)] / divisor


@on_gpu
def chunk_sums_gpu(values, chunk, zero, sums):
    i = thread_index()
    if i < sums.size:
        total = zero
        for k in range(i * chunk, min((i + 1) * chunk, values.size)):
            total += values[k]
        sums[i] = total


@on_gpu
def fold_gpu(parts, divisor, zero, out):
    i = thread_index()
    if i < out.size:
        total = zero
        for c in range(parts.shape[0]):
            total += parts[c, i]
        out[i] = total / divisor


@on_gpu
def take_rows_gpu(source, rows, out):
    i = thread_index()
    if i < out.size:
        r, k = i // out.shape[1], i % out.shape[1]
        out[r, k] = source[rows[r], k]
