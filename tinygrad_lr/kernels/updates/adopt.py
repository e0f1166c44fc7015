"""ADOPT: Taniguchi et al., NeurIPS 2024, arXiv:2411.02853, Algorithm 2, with clipping.

    first step   v <- g * g, and nothing else
    d = g / max(sqrt(v), eps), clipped to [-bound, bound]
    m <- beta1 m + (1 - beta1) d
    theta <- theta - lr m
    v <- beta2 v + (1 - beta2) g * g

Scalars from the host: bound = (t - 1)^(1/4); `first` is 1 in the first step and 0 later; `zero` is 0 in the arrays'
dtype; sign and weight_decay (coupled) as in sgd.py.
"""

from .._jit import choose, compiled, maximum, sqrt
from .._kernel import Kernel


@compiled
def rule(
    param, grad, m, v, lr, beta1, one_minus_beta1, beta2, one_minus_beta2, bound, eps, first, zero, sign, weight_decay
):
    grad = sign * grad + weight_decay * param
    square = grad * grad
    d = grad / maximum(eps, sqrt(v))
    d = choose(d > bound, bound, choose(d < zero - bound, zero - bound, d))
    moved = beta1 * m + one_minus_beta1 * d
    averaged = beta2 * v + one_minus_beta2 * square
    return (
        choose(first > zero, param, param - lr * moved),
        choose(first > zero, m, moved),
        choose(first > zero, square, averaged),
    )


KERNELS = {"plain": Kernel(rule, ("exp_avg", "exp_avg_sq"))}
