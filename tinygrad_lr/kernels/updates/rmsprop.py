"""RMSprop: Hinton, Neural Networks for Machine Learning, lecture 6e (2012); centred: Graves, arXiv:1308.0850.

    s <- alpha s + (1 - alpha) g * g
    centred: a <- alpha a + (1 - alpha) g, and s - a * a, never below zero, takes the place of s under the root
    d = g / (sqrt(s + eps_in) + eps_out)
    theta <- theta - lr d,   or with momentum   b <- mu b + gain d ;  theta <- theta - rate b

`s - a * a` nears zero for a constant gradient, and rounding can bring it below zero, whose root is not a number: it
is clamped at `floor`, which is zero. One of `eps_in` (the article) and `eps_out` (torch) is zero. Momentum with the
rate outside the buffer (torch): gain = 1, rate = lr; inside (the article's momentum, keras, optax): gain = lr,
rate = 1. Scalars from the host: sign, weight_decay and shrink as in sgd.py.
"""

from .._jit import compiled, maximum, sqrt
from .._kernel import Kernel


@compiled
def mean_of_squares(square, grad, alpha, one_minus_alpha):
    return alpha * square + one_minus_alpha * (grad * grad)


@compiled
def variance(square, average, floor):
    return maximum(floor, square - average * average)


@compiled
def scaled(grad, square, eps_in, eps_out):
    return grad / (sqrt(square + eps_in) + eps_out)


@compiled
def rule(param, grad, square, lr, alpha, one_minus_alpha, eps_in, eps_out, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    square = mean_of_squares(square, grad, alpha, one_minus_alpha)
    return shrink * param - lr * scaled(grad, square, eps_in, eps_out), square


@compiled
def centered_rule(
    param, grad, square, average, lr, alpha, one_minus_alpha, floor, eps_in, eps_out, sign, weight_decay, shrink
):
    grad = sign * grad + weight_decay * param
    square = mean_of_squares(square, grad, alpha, one_minus_alpha)
    average = alpha * average + one_minus_alpha * grad
    return shrink * param - lr * scaled(grad, variance(square, average, floor), eps_in, eps_out), square, average


@compiled
def momentum_rule(
    param,
    grad,
    square,
    buffer,
    rate,
    momentum,
    gain,
    alpha,
    one_minus_alpha,
    eps_in,
    eps_out,
    sign,
    weight_decay,
    shrink,
):
    grad = sign * grad + weight_decay * param
    square = mean_of_squares(square, grad, alpha, one_minus_alpha)
    buffer = momentum * buffer + gain * scaled(grad, square, eps_in, eps_out)
    return shrink * param - rate * buffer, square, buffer


@compiled
def centered_momentum_rule(
    param,
    grad,
    square,
    average,
    buffer,
    rate,
    momentum,
    gain,
    alpha,
    one_minus_alpha,
    floor,
    eps_in,
    eps_out,
    sign,
    weight_decay,
    shrink,
):
    grad = sign * grad + weight_decay * param
    square = mean_of_squares(square, grad, alpha, one_minus_alpha)
    average = alpha * average + one_minus_alpha * grad
    buffer = momentum * buffer + gain * scaled(grad, variance(square, average, floor), eps_in, eps_out)
    return shrink * param - rate * buffer, square, average, buffer


KERNELS = {
    "plain": Kernel(rule, ("square_avg",)),
    "centered": Kernel(centered_rule, ("square_avg", "grad_avg")),
    "momentum": Kernel(momentum_rule, ("square_avg", "momentum_buffer")),
    "centered_momentum": Kernel(centered_momentum_rule, ("square_avg", "grad_avg", "momentum_buffer")),
}
