"""Schedule-Free AdamW: Defazio et al., NeurIPS 2024, arXiv:2405.15682, Algorithm 1. theta is y.

    v <- beta2 v + (1 - beta2) g * g
    x = (y - (1 - beta1) z) / beta1
    z <- z - gamma (g / (sqrt(v * inverse2 + eps_root) + eps) + weight_decay y)
    x <- (1 - c) x + c z
    y <- beta1 x + (1 - beta1) z

Scalars from the host: gamma = lr sqrt(1 - beta2^t) and inverse2 = 1 (the paper), or gamma = lr and
inverse2 = 1 / (1 - beta2^t); share is c = w_t / (the sum of all w), w_t being gamma^2; `first` is 1 in a parameter's
first step, where z is y, and 0 later; `zero` is 0 in the arrays' dtype; sign as in sgd.py.
"""

from .._jit import choose, compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(
    param,
    grad,
    z,
    v,
    gamma,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    inverse2,
    eps,
    eps_root,
    share,
    one_minus_share,
    first,
    zero,
    sign,
    weight_decay,
):
    grad = sign * grad
    v = beta2 * v + one_minus_beta2 * (grad * grad)
    z = choose(first > zero, param, z)
    x = (param - one_minus_beta1 * z) / beta1
    z = z - gamma * (grad / (sqrt(v * inverse2 + eps_root) + eps) + weight_decay * param)
    x = one_minus_share * x + share * z
    return beta1 * x + one_minus_beta1 * z, z, v


KERNELS = {"plain": Kernel(rule, ("z", "exp_avg_sq"))}
