"""AdEMAMix: Pagliardini, Ablin and Grangier, ICLR 2025, arXiv:2409.03137, section 3.

    m1 <- beta1 m1 + (1 - beta1) g
    m2 <- beta3 m2 + (1 - beta3) g
    v <- beta2 v + (1 - beta2) g * g
    theta <- shrink theta - (rate m1 + rate_slow m2) / (sqrt(v * inverse2 + eps_root) + eps)

Scalars from the host: rate = lr / (1 - beta1^t), rate_slow = lr alpha, inverse2 = 1 / (1 - beta2^t),
shrink = 1 - lr weight_decay; sign as in sgd.py.
"""

from .._jit import compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(
    param,
    grad,
    fast,
    slow,
    v,
    rate,
    rate_slow,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    beta3,
    one_minus_beta3,
    inverse2,
    eps,
    eps_root,
    sign,
    shrink,
):
    grad = sign * grad
    fast = beta1 * fast + one_minus_beta1 * grad
    slow = beta3 * slow + one_minus_beta3 * grad
    v = beta2 * v + one_minus_beta2 * (grad * grad)
    step = (rate * fast + rate_slow * slow) / (sqrt(v * inverse2 + eps_root) + eps)
    return shrink * param - step, fast, slow, v


KERNELS = {"plain": Kernel(rule, ("exp_avg", "exp_avg_slow", "exp_avg_sq"))}
