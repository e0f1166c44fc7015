"""The linear layer: out = x weight^T + bias, and its three vector-Jacobian products.

    out[r, j]         = sum over k of x[r, k] weight[j, k], plus bias[j]
    input_grad[r, k]  = sum over j of g[r, j] weight[j, k]
    weight_grad[j, k] = sum over r of g[r, j] x[r, k]
    bias_grad[j]      = sum over r of g[r, j]

Source: the chain rule; shapes as in torch.nn.Linear: x (rows, in), weight (out, in), bias (out), g like out.
One thread an element, and every sum runs in the order of its index: the same bits at any launch. Sums over many rows
are taken in chunks of rows, one thread each, which arrays.py adds up in their order. A bias of no elements stands for
none. `zero` has the arrays' dtype, so that no sum begins in another.
"""

from .._jit import on_gpu, thread_index


@on_gpu
def forward_gpu(x, weight, bias, zero, out):
    i = thread_index()
    if i < out.size:
        r, j = i // out.shape[1], i % out.shape[1]
        total = zero
        for k in range(x.shape[1]):
            total += x[r, k] * weight[j, k]
        if bias.size > 0:
            total += bias[j]
        out[r, j] = total


@on_gpu
def input_grad_gpu(g, weight, zero, out):
    i = thread_index()
    if i < out.size:
        r, k = i // out.shape[1], i % out.shape[1]
        total = zero
        for j in range(g.shape[1]):
            total += g[r, j] * weight[j, k]
        out[r, k] = total


@on_gpu
def weight_grad_gpu(g, x, chunk, zero, parts):
    i = thread_index()
    if i < parts.size:
        c, place = i // (parts.shape[1] * parts.shape[2]), i % (parts.shape[1] * parts.shape[2])
        j, k = place // parts.shape[2], place % parts.shape[2]
        total = zero
        for r in range(c * chunk, min((c + 1) * chunk, g.shape[0])):
            total += g[r, j] * x[r, k]
        parts[c, j, k] = total


@on_gpu
def bias_grad_gpu(g, chunk, zero, parts):
    i = thread_index()
    if i < parts.size:
        c, j = i // parts.shape[1], i % parts.shape[1]
        total = zero
        for r in range(c * chunk, min((c + 1) * chunk, g.shape[0])):
            total += g[r, j]
        parts[c, j] = total
