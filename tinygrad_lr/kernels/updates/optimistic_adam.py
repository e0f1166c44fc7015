"""Optimistic Adam: Daskalakis et al., ICLR 2018, arXiv:1711.00141, Algorithm 1.

    m <- beta1 m + (1 - beta1) g
    v <- beta2 v + (1 - beta2) g * g
    u = inverse1 m / (sqrt(v * inverse2 + eps_root) + eps)
    theta <- theta - lr (both u - beta u_before), both being alpha + beta

Scalars from the host: inverse_i = 1 / (1 - beta_i^t); `same` is 1 in a first step for which u_before is u itself
(optax), and 0 else; `zero` is 0 in the arrays' dtype; sign as in sgd.py.
"""

from .._jit import choose, compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(
    param,
    grad,
    m,
    v,
    previous,
    lr,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    inverse1,
    inverse2,
    eps,
    eps_root,
    both,
    beta,
    same,
    zero,
    sign,
):
    grad = sign * grad
    m = beta1 * m + one_minus_beta1 * grad
    v = beta2 * v + one_minus_beta2 * (grad * grad)
    u = inverse1 * m / (sqrt(v * inverse2 + eps_root) + eps)
    previous = choose(same > zero, u, previous)
    return param - lr * (both * u - beta * previous), m, v, u


KERNELS = {"plain": Kernel(rule, ("exp_avg", "exp_avg_sq", "previous_update"))}
