"""DoWG: Khaled, Mishchenko and Jin, NeurIPS 2023, arXiv:2305.16284, Algorithm 1.

    D <- max(D, |theta - theta_0|^2);  G <- G + D |g|^2
    theta <- theta - lr D / (sqrt(G) + eps) g

The norms are Euclidean, of all parameters together; D starts from eps. `first` is 1 in a parameter's first step, which
remembers theta_0.
"""

from .._jit import choose, compiled, maximum, sqrt
from .._measured import MeasuredKernel


@compiled
def measure(param, grad, start, number, sign, lr, eps, weight_decay, first, zero):
    grad = sign * grad + weight_decay * param
    start = choose(first > zero, param, start)
    away = start - param
    return start, away, away, grad, grad


@compiled
def decide(total, other, size, d, squares, sign, lr, eps, weight_decay, first, zero):
    d = maximum(d, total)
    squares = squares + d * other
    return d / (sqrt(squares) + eps), 0.0, d, squares


@compiled
def rule(param, grad, start, factor, other, sign, lr, eps, weight_decay, first, zero):
    return param - lr * (factor * (sign * grad + weight_decay * param)), start


KERNELS = {
    "plain": MeasuredKernel(rule, ("p0", "D", "G"), measure=measure, decide=decide, numbers=("D", "G"), together=True)
}
