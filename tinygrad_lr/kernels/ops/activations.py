"""The activations ReLU, tanh and sigmoid, and their vector-Jacobian products, which read the output alone.

    relu(a) = max(a, 0)              grad = g where out > 0, else 0
    tanh(a)                          grad = g (1 - out^2)
    sigmoid(a) = 1 / (1 + e^-a)      grad = g out (1 - out)

Sources: Nair and Hinton, ICML 2010 (ReLU); LeCun et al., Efficient BackProp, 1998 (tanh). The sigmoid is written with
e^-|a|, which cannot overflow. `zero` and `one` have the arrays' dtype, so that float32 stays float32.
"""

from math import exp, tanh

from .._jit import compiled, maximum, on_gpu, thread_index


@compiled
def relu(a, zero, one):
    return maximum(zero, a)


@compiled
def relu_grad(g, out, zero, one):
    return g * (one if out > zero else zero)


@compiled
def tanh_of(a, zero, one):
    return tanh(a)


@compiled
def tanh_grad(g, out, zero, one):
    return g * (one - out * out)


@compiled
def sigmoid(a, zero, one):
    small = exp(-abs(a))
    return (one if a >= zero else small) / (one + small)


@compiled
def sigmoid_grad(g, out, zero, one):
    return g * (out * (one - out))


@on_gpu
def relu_gpu(a, zero, one, out):
    i = thread_index()
    if i < out.size:
        out[i] = relu(a[i], zero, one)


@on_gpu
def relu_grad_gpu(g, value, zero, one, out):
    i = thread_index()
    if i < out.size:
        out[i] = relu_grad(g[i], value[i], zero, one)


@on_gpu
def tanh_gpu(a, zero, one, out):
    i = thread_index()
    if i < out.size:
        out[i] = tanh_of(a[i], zero, one)


@on_gpu
def tanh_grad_gpu(g, value, zero, one, out):
    i = thread_index()
    if i < out.size:
        out[i] = tanh_grad(g[i], value[i], zero, one)


@on_gpu
def sigmoid_gpu(a, zero, one, out):
    i = thread_index()
    if i < out.size:
        out[i] = sigmoid(a[i], zero, one)


@on_gpu
def sigmoid_grad_gpu(g, value, zero, one, out):
    i = thread_index()
    if i < out.size:
        out[i] = sigmoid_grad(g[i], value[i], zero, one)
