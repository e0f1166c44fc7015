"""Fromage: Bernstein, Vahdat, Yue and Liu, NeurIPS 2020, arXiv:2002.03432, Algorithm 1.

    theta <- (theta - lr |theta| / |g| g) / sqrt(1 + lr^2)

The norms are Euclidean, of the whole parameter, and at least min_norm; the quotient is 1 where either is 0. The host
gives shrink = 1 / sqrt(1 + lr^2).
"""

from .._jit import compiled, maximum, ratio, sqrt
from .._measured import MeasuredKernel


@compiled
def measure(param, grad, number, sign, lr, shrink, min_norm):
    grad = sign * grad
    return param, param, grad, grad


@compiled
def decide(total, other, size, sign, lr, shrink, min_norm):
    return lr * ratio(maximum(sqrt(total), min_norm), maximum(sqrt(other), min_norm), 1.0), 0.0


@compiled
def rule(param, grad, factor, other, sign, lr, shrink, min_norm):
    return (shrink * (param - factor * (sign * grad)),)


KERNELS = {"plain": MeasuredKernel(rule, (), measure=measure, decide=decide)}
