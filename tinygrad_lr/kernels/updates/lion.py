"""Lion: a step of one size, in the direction of the sign of an interpolated average.

    c = beta1 m + (1 - beta1) g ;  theta <- theta - lr sign(c) ;  m <- beta2 m + (1 - beta2) g

Source: Chen et al., arXiv:2302.06675, Algorithm 2. lr sign(c) is lr where c > -c, -lr where c < -c, and else c itself,
which is zero or NaN there: so the rule needs no constant, and a NaN is not hidden.

Scalars from the host: beta1, one_minus_beta1, beta2, one_minus_beta2, and sign, weight_decay, shrink as in sgd.py.
"""

from .._jit import choose, compiled
from .._kernel import Kernel


@compiled
def rule(param, grad, average, lr, beta1, one_minus_beta1, beta2, one_minus_beta2, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    c = beta1 * average + one_minus_beta1 * grad
    average = beta2 * average + one_minus_beta2 * grad
    return shrink * param - choose(c > -c, lr, choose(c < -c, -lr, c)), average


KERNELS = {"plain": Kernel(rule, ("exp_avg",))}
