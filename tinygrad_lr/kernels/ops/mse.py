"""The squared error: its terms, their sum, and its gradient.

    error = prediction - target
    loss  = sum of error^2, divided by `divisor` (the number of elements for the mean, 1 for the sum)
    grad  = error * scale * g, with scale = 2 / divisor for the prediction and -2 / divisor for the target

Source: Gauss (1809); the article's `nn.MSELoss`. The sum runs in two passes of fixed order, over chunks here and over
the chunks' sums in arrays.py: the same bits at any launch. `zero` and the other scalars have the arrays' dtype.
"""

from .._jit import compiled, on_gpu, thread_index


@compiled
def squared(error):
    return error * error


@compiled
def scaled(error, g, scale):
    return error * (g * scale)


@on_gpu
def error_gpu(prediction, target, out):
    i = thread_index()
    if i < out.size:
        out[i] = prediction[i] - target[i]


@on_gpu
def squares_gpu(error, out):
    i = thread_index()
    if i < out.size:
        out[i] = squared(error[i])


@on_gpu
def chunk_sums_gpu(error, chunk, zero, sums):
    i = thread_index()
    if i < sums.size:
        total = zero
        for k in range(i * chunk, min((i + 1) * chunk, error.size)):
            total += squared(error[k])
        sums[i] = total


@on_gpu
def grad_of_total_gpu(error, g, scale, out):
    i = thread_index()
    if i < out.size:
        out[i] = scaled(error[i], g[0], scale)


@on_gpu
def grad_of_each_gpu(error, g, scale, out):
    i = thread_index()
    if i < out.size:
        out[i] = scaled(error[i], g[i], scale)
