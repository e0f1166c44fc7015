"""Lion: Chen et al., 2023, arXiv:2302.06675, Algorithm 2.

    c = beta1 m + (1 - beta1) g
    theta <- theta - lr sign(c)
    m <- beta2 m + (1 - beta2) g

The sign of 0 is 0, and that of NaN is NaN. `zero` is 0 in the arrays' dtype. Scalars from the host: sign, weight_decay
and shrink as in sgd.py.
"""

from .._jit import choose, compiled
from .._kernel import Kernel


@compiled
def rule(param, grad, m, lr, beta1, one_minus_beta1, beta2, one_minus_beta2, zero, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    c = beta1 * m + one_minus_beta1 * grad
    step = choose(c > zero, lr, choose(c < zero, zero - lr, c))
    return shrink * param - step, beta2 * m + one_minus_beta2 * grad


KERNELS = {"plain": Kernel(rule, ("exp_avg",))}
