"""Optimistic gradient descent: Daskalakis et al., ICLR 2018, arXiv:1711.00141, equation 4.

The weights alpha and beta are those of Mokhtari et al., 2020.

    theta <- theta - lr (both g - beta g_before), both being alpha + beta; g_before is at first g itself

Scalars from the host: `first` is 1 in a parameter's first step and 0 later; `zero` is 0 in the arrays' dtype; sign as
in sgd.py.
"""

from .._jit import choose, compiled
from .._kernel import Kernel


@compiled
def rule(param, grad, previous, lr, both, beta, first, zero, sign):
    grad = sign * grad
    previous = choose(first > zero, grad, previous)
    return param - lr * (both * grad - beta * previous), grad


KERNELS = {"plain": Kernel(rule, ("previous_grad",))}
