"""Adadelta: Zeiler, 2012, arXiv:1212.5701, Algorithm 1.

    s <- rho s + (1 - rho) g * g
    d = sqrt(u + eps) / sqrt(s + eps) g
    u <- rho u + (1 - rho) d * d
    theta <- theta - lr d

Scalars from the host: sign, weight_decay and shrink as in sgd.py.
"""

from .._jit import compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(param, grad, square, delta, lr, rho, one_minus_rho, eps, sign, weight_decay, shrink):
    grad = sign * grad + weight_decay * param
    square = rho * square + one_minus_rho * (grad * grad)
    step = sqrt(delta + eps) / sqrt(square + eps) * grad
    return shrink * param - lr * step, square, rho * delta + one_minus_rho * (step * step)


KERNELS = {"plain": Kernel(rule, ("square_avg", "acc_delta"))}
