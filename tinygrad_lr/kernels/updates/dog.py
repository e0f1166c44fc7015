"""DoG: Ivgi, Hinder and Carmon, ICML 2023, arXiv:2302.12022, equation 2.

    d <- max(d, |theta - theta_0|);  G <- G + |g|^2
    theta <- theta - lr d / sqrt(G + eps) g

The norms are Euclidean, of all parameters together. Before the first step d is 0 and becomes r (1 + |theta_0|) with
r = initial_distance. `first` is 1 in a parameter's first step, which remembers theta_0.
"""

from .._jit import choose, compiled, maximum, sqrt
from .._measured import MeasuredKernel


@compiled
def measure(param, grad, start, number, sign, lr, eps, weight_decay, initial_distance, first, zero):
    grad = sign * grad + weight_decay * param
    start = choose(first > zero, param, start)
    away = choose(number > zero, start - param, param)
    return start, away, away, grad, grad


@compiled
def decide(total, other, size, d, squares, sign, lr, eps, weight_decay, initial_distance, first, zero):
    away = sqrt(total)
    d = choose(d > 0.0, maximum(d, away), initial_distance * (1.0 + away))
    squares = squares + other
    return d / sqrt(squares + eps), 0.0, d, squares


@compiled
def rule(param, grad, start, factor, other, sign, lr, eps, weight_decay, initial_distance, first, zero):
    return param - lr * (factor * (sign * grad + weight_decay * param)), start


KERNELS = {
    "plain": MeasuredKernel(rule, ("p0", "d", "G"), measure=measure, decide=decide, numbers=("d", "G"), together=True)
}
