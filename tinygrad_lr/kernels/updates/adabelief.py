"""AdaBelief: Zhuang et al., NeurIPS 2020, arXiv:2010.07468, Algorithm 2.

    m <- beta1 m + (1 - beta1) g
    s <- beta2 s + (1 - beta2) (g - m) * (g - m) + eps_root
    theta <- theta - rate m / (sqrt(s * inverse2) + eps)

Scalars from the host: rate = lr / (1 - beta1^t) and inverse2 = 1 / (1 - beta2^t); sign, weight_decay and shrink as in
sgd.py.
"""

from .._jit import compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(
    param,
    grad,
    m,
    s,
    rate,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    inverse2,
    eps,
    eps_root,
    sign,
    weight_decay,
    shrink,
):
    grad = sign * grad + weight_decay * param
    m = beta1 * m + one_minus_beta1 * grad
    away = grad - m
    s = beta2 * s + one_minus_beta2 * (away * away) + eps_root
    return shrink * param - rate * m / (sqrt(s * inverse2) + eps), m, s


KERNELS = {"plain": Kernel(rule, ("exp_avg", "exp_avg_var"))}
