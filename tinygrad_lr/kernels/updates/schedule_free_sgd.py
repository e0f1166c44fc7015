"""Schedule-Free SGD: Defazio et al., NeurIPS 2024, arXiv:2405.15682, equations 3 to 5. theta is y.

    x = (y - (1 - beta) z) / beta
    z <- z - lr (g + weight_decay y)
    x <- (1 - c) x + c z
    y <- beta x + (1 - beta) z

Scalars from the host: share is c = w_t / (the sum of all w), w_t being lr^2; `first` is 1 in a parameter's first step,
where z is y, and 0 later; `zero` is 0 in the arrays' dtype; sign and weight_decay as in sgd.py.
"""

from .._jit import choose, compiled
from .._kernel import Kernel


@compiled
def rule(param, grad, z, lr, beta, one_minus_beta, share, one_minus_share, first, zero, sign, weight_decay):
    z = choose(first > zero, param, z)
    x = (param - one_minus_beta * z) / beta
    z = z - lr * (sign * grad + weight_decay * param)
    x = one_minus_share * x + share * z
    return beta * x + one_minus_beta * z, z


KERNELS = {"plain": Kernel(rule, ("z",))}
