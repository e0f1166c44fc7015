"""signSGD, and Signum with momentum: Bernstein et al., ICML 2018, arXiv:1802.04434, Algorithms 1 and 2.

    signSGD   theta <- theta - lr sign(g)
    Signum    m <- mu m + (1 - mu) g ;  theta <- theta - lr sign(m)

The sign of 0 is 0, and that of NaN is NaN. `zero` is 0 in the arrays' dtype. Scalars from the host: sign, weight_decay
and shrink as in sgd.py.
"""

from .._jit import choose, compiled
from .._kernel import Kernel


@compiled
def along_the_sign(x, lr, zero):
    return choose(x > zero, lr, choose(x < zero, zero - lr, x))


@compiled
def rule(param, grad, lr, zero, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    return (shrink * param - along_the_sign(grad, lr, zero),)


@compiled
def momentum_rule(param, grad, m, lr, momentum, one_minus_momentum, zero, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    m = momentum * m + one_minus_momentum * grad
    return shrink * param - along_the_sign(m, lr, zero), m


KERNELS = {"plain": Kernel(rule, ()), "momentum": Kernel(momentum_rule, ("exp_avg",))}
