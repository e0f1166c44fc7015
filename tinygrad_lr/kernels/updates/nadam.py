"""NAdam: Dozat, ICLR 2016 workshop, Incorporating Nesterov momentum into Adam, Algorithm 2.

    m <- kept m + (1 - kept) g
    v <- beta2 v + (1 - beta2) g * g
    theta <- theta - (rate_m m + rate_g g) / (sqrt(v * inverse2) + eps)

Scalars from the host: kept is mu_t (the paper) or beta1 (everyone else); rate_m = lr mu_{t+1} / (1 - P_{t+1}) and
rate_g = lr (1 - mu_t) / (1 - P_t), P_t being the product of all mu so far; inverse2 = 1 / (1 - beta2^t), times beta2
in the paper; sign, weight_decay and shrink as in sgd.py.
"""

from .._jit import compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(
    param,
    grad,
    m,
    v,
    rate_m,
    rate_g,
    kept,
    one_minus_kept,
    beta2,
    one_minus_beta2,
    inverse2,
    eps,
    sign,
    weight_decay,
    shrink,
):
    grad = sign * grad + weight_decay * param
    m = kept * m + one_minus_kept * grad
    v = beta2 * v + one_minus_beta2 * (grad * grad)
    return shrink * param - (rate_m * m + rate_g * grad) / (sqrt(v * inverse2) + eps), m, v


KERNELS = {"plain": Kernel(rule, ("exp_avg", "exp_avg_sq"))}
