"""Loops for the engine's ops that act element by element, for compiled training. All arrays are flat and of one length.

`name(*inputs, out)` is an op's forward, `name_grad<k>(g, value, *inputs, out)` its vector-Jacobian product for input k,
where `value` is the op's output: the formulas of engine/elementwise.py, in the same order of operations. The
activations share the rules of activations.py with the GPU. Declared values at kinks are those of the engine.
"""

import numpy as np

from .._jit import compiled
from . import activations

relu_rule, relu_grad_rule = activations.relu, activations.relu_grad
tanh_rule, tanh_grad_rule = activations.tanh_of, activations.tanh_grad
sigmoid_rule, sigmoid_grad_rule = activations.sigmoid, activations.sigmoid_grad


@compiled
def neg(a, out):
    for i in range(out.size):
        out[i] = -a[i]


@compiled
def neg_grad0(g, value, a, out):
    for i in range(out.size):
        out[i] = -g[i]


@compiled
def exp(a, out):
    for i in range(out.size):
        out[i] = np.exp(a[i])


@compiled
def exp_grad0(g, value, a, out):
    for i in range(out.size):
        out[i] = g[i] * value[i]


@compiled
def log(a, out):
    for i in range(out.size):
        out[i] = np.log(a[i])


@compiled
def log_grad0(g, value, a, out):
    for i in range(out.size):
        out[i] = g[i] / a[i]


@compiled
def sqrt(a, out):
    for i in range(out.size):
        out[i] = np.sqrt(a[i])


@compiled
def sqrt_grad0(g, value, a, out):
    for i in range(out.size):
        out[i] = g[i] / (value[i] + value[i])


@compiled
def abs(a, out):
    for i in range(out.size):
        out[i] = np.abs(a[i])


@compiled
def abs_grad0(g, value, a, out):
    for i in range(out.size):
        out[i] = g[i] * np.sign(a[i])


@compiled
def add(a, b, out):
    for i in range(out.size):
        out[i] = a[i] + b[i]


@compiled
def add_grad0(g, value, a, b, out):
    for i in range(out.size):
        out[i] = g[i]


@compiled
def add_grad1(g, value, a, b, out):
    for i in range(out.size):
        out[i] = g[i]


@compiled
def sub(a, b, out):
    for i in range(out.size):
        out[i] = a[i] - b[i]


@compiled
def sub_grad0(g, value, a, b, out):
    for i in range(out.size):
        out[i] = g[i]


@compiled
def sub_grad1(g, value, a, b, out):
    for i in range(out.size):
        out[i] = -g[i]


@compiled
def mul(a, b, out):
    for i in range(out.size):
        out[i] = a[i] * b[i]


@compiled
def mul_grad0(g, value, a, b, out):
    for i in range(out.size):
        out[i] = g[i] * b[i]


@compiled
def mul_grad1(g, value, a, b, out):
    for i in range(out.size):
        out[i] = g[i] * a[i]


@compiled
def div(a, b, out):
    for i in range(out.size):
        out[i] = a[i] / b[i]


@compiled
def div_grad0(g, value, a, b, out):
    for i in range(out.size):
        out[i] = g[i] / b[i]


@compiled
def div_grad1(g, value, a, b, out):
    for i in range(out.size):
        out[i] = -(g[i] / b[i]) * value[i]


@compiled
def relu(a, out):
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for i in range(out.size):
        out[i] = relu_rule(a[i], zero, one)


@compiled
def relu_grad0(g, value, a, out):
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for i in range(out.size):
        out[i] = relu_grad_rule(g[i], value[i], zero, one)


@compiled
def tanh(a, out):
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for i in range(out.size):
        out[i] = tanh_rule(a[i], zero, one)


@compiled
def tanh_grad0(g, value, a, out):
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for i in range(out.size):
        out[i] = tanh_grad_rule(g[i], value[i], zero, one)


@compiled
def sigmoid(a, out):
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for i in range(out.size):
        out[i] = sigmoid_rule(a[i], zero, one)


@compiled
def sigmoid_grad0(g, value, a, out):
    zero, one = out.dtype.type(0), out.dtype.type(1)
    for i in range(out.size):
        out[i] = sigmoid_grad_rule(g[i], value[i], zero, one)


@compiled
def square(a, out):
    """pow with the exponent 2."""
    for i in range(out.size):
        out[i] = a[i] * a[i]


@compiled
def square_grad0(g, value, a, out):
    for i in range(out.size):
        out[i] = g[i] * (a[i] + a[i])


@compiled
def pow(a, b, out):
    for i in range(out.size):
        out[i] = np.power(a[i], b[i])


@compiled
def pow_grad0(g, value, a, b, out):
    """b a^(b-1), and 0 for b = 0 also where a = 0."""
    one = out.dtype.type(1)
    for i in range(out.size):
        less = b[i] - one if b[i] != 0 else b[i]
        out[i] = g[i] * (b[i] * np.power(a[i], less))


@compiled
def pow_grad1(g, value, a, b, out):
    """a^b log a; where a = 0 the limit 0 for b > 0, and 0 declared for b = 0."""
    for i in range(out.size):
        if a[i] == 0 and b[i] >= 0:
            out[i] = g[i] * out.dtype.type(0)
        else:
            out[i] = g[i] * (value[i] * np.log(a[i]))


@compiled
def maximum(a, b, out):
    for i in range(out.size):
        out[i] = a[i] if a[i] >= b[i] or a[i] != a[i] else b[i]


@compiled
def share(a, b, one):
    """The part of the gradient that goes to a: all, none, or half at a tie."""
    two = one + one
    return one if a > b else (one / two if a == b else one - one)


@compiled
def maximum_grad0(g, value, a, b, out):
    one = out.dtype.type(1)
    for i in range(out.size):
        out[i] = g[i] * share(a[i], b[i], one)


@compiled
def maximum_grad1(g, value, a, b, out):
    one = out.dtype.type(1)
    for i in range(out.size):
        out[i] = g[i] * (one - share(a[i], b[i], one))
