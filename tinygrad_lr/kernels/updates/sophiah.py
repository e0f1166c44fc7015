"""Sophia-H: Liu et al., ICLR 2024, arXiv:2305.14342, Algorithm 3. Its h is averaged in hessian.py.

    m <- beta1 m + (1 - beta1) g
    d = inverse1 m / max(rho h, eps), clipped to [-1, 1]
    theta <- (1 - lr weight_decay) theta - lr d

A step leaves h as it is. Scalars from the host: inverse1 = 1, or 1 / (1 - beta1^t) where m is corrected (optax); `one`
and `zero` are 1 and 0 in the arrays' dtype; shrink = 1 - lr weight_decay; sign as in sgd.py.
"""

from .._jit import choose, compiled, maximum
from .._kernel import Kernel


@compiled
def rule(param, grad, m, h, lr, beta1, one_minus_beta1, inverse1, rho, eps, zero, one, sign, shrink):
    m = beta1 * m + one_minus_beta1 * (sign * grad)
    d = inverse1 * m / maximum(rho * h, eps)
    d = choose(d > one, one, choose(d < zero - one, zero - one, d))
    return shrink * param - lr * d, m, h


KERNELS = {"plain": Kernel(rule, ("exp_avg", "hessian"))}
