"""Adan: Xie et al., 2022, arXiv:2208.06677, Algorithm 1; the betas are what the paper writes as 1 - beta.

    y = g - g_before, and 0 in the first step
    m <- beta1 m + (1 - beta1) g
    v <- beta2 v + (1 - beta2) y
    n <- beta3 n + (1 - beta3) (g + beta2 y) * (g + beta2 y)
    theta <- (theta - (rate_m m + rate_v v) / (sqrt(n * inverse3 + eps_root) + eps)) after

Scalars from the host: `known` is 0 in the first step and 1 later; kept and gain of each moment are beta and 1 - beta,
and 0 and 1 where the paper starts the moment; rate_m = lr and rate_v = lr beta2, divided by 1 - beta^t where the
moments are corrected, as inverse3 is; after = 1 / (1 + lr weight_decay), or shrink = 1 - lr weight_decay (optax); sign
as in sgd.py.
"""

from .._jit import compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(
    param,
    grad,
    m,
    v,
    n,
    previous,
    rate_m,
    rate_v,
    known,
    beta2,
    kept1,
    gain1,
    kept2,
    gain2,
    kept3,
    gain3,
    inverse3,
    eps,
    eps_root,
    sign,
    shrink,
    after,
):
    grad = sign * grad
    change = known * (grad - previous)
    ahead = grad + beta2 * change
    m = kept1 * m + gain1 * grad
    v = kept2 * v + gain2 * change
    n = kept3 * n + gain3 * (ahead * ahead)
    step = (rate_m * m + rate_v * v) / (sqrt(n * inverse3 + eps_root) + eps)
    return (shrink * param - step) * after, m, v, n, grad


KERNELS = {"plain": Kernel(rule, ("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad"))}
