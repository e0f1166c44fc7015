"""Averaged gradient descent: Polyak and Juditsky, SIAM J. Control Optim. 30(4), 1992; torch's form, after Bottou.

    theta <- (1 - lambd eta) theta - eta g
    a <- a + share (theta - a)

Scalars from the host: rate is eta = lr / (1 + lambd lr (t - 1))^alpha, shrink = 1 - lambd eta, and
share = 1 / max(1, t - 1 - t0); sign and weight_decay (coupled) as in sgd.py.
"""

from .._jit import compiled
from .._kernel import Kernel


@compiled
def rule(param, grad, mean, rate, share, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    param = shrink * param - rate * grad
    return param, mean + share * (param - mean)


KERNELS = {"plain": Kernel(rule, ("ax",))}
