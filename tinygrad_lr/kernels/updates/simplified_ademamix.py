"""Simplified AdEMAMix: Morwani et al., 2025, arXiv:2502.02431, Algorithm 2: a sum of gradients for two averages.

    m <- beta1 m + g
    v <- beta2 v + (1 - beta2) g * g
    theta <- shrink theta - lr (m + alpha g) / (sqrt(v * inverse2 + eps_root) + eps)

Scalars from the host: inverse2 = 1 / (1 - beta2^t), shrink = 1 - lr weight_decay; sign as in sgd.py.
"""

from .._jit import compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(param, grad, m, v, lr, beta1, beta2, one_minus_beta2, alpha, inverse2, eps, eps_root, sign, shrink):
    grad = sign * grad
    m = beta1 * m + grad
    v = beta2 * v + one_minus_beta2 * (grad * grad)
    step = lr * (m + alpha * grad) / (sqrt(v * inverse2 + eps_root) + eps)
    return shrink * param - step, m, v


KERNELS = {"plain": Kernel(rule, ("exp_avg", "exp_avg_sq"))}
