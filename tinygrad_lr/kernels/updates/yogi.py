"""Yogi: Zaheer et al., NeurIPS 2018, Adaptive methods for nonconvex optimization, Algorithm 2.

    m <- beta1 m + (1 - beta1) g
    v <- v - (1 - beta2) sign(v - g * g) g * g
    theta <- theta - rate m / (sqrt(v * inverse2) + eps)

The sign of 0 is 0, and that of NaN is NaN; a v that has overflowed stays infinite. Scalars from the host: rate = lr and
inverse2 = 1, or both corrected as Adam's (optax); sign, weight_decay and shrink as in sgd.py.
"""

from .._jit import choose, compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(param, grad, m, v, rate, beta1, one_minus_beta1, one_minus_beta2, inverse2, eps, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    square = grad * grad
    m = beta1 * m + one_minus_beta1 * grad
    change = one_minus_beta2 * square
    v = choose(v > square, v - change, choose(v < square, v + change, choose(v == square, v, v - square)))
    return shrink * param - rate * m / (sqrt(v * inverse2) + eps), m, v


KERNELS = {"plain": Kernel(rule, ("exp_avg", "exp_avg_sq"))}
