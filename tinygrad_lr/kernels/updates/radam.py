"""RAdam: Liu et al., ICLR 2020, arXiv:1908.03265, Algorithm 2.

    m <- beta1 m + (1 - beta1) g
    v <- beta2 v + (1 - beta2) g * g
    theta <- theta - rate m / (sqrt(v * inverse2) + eps)    where the second moment can be trusted
    theta <- theta - rate m                                 before

Scalars from the host: `trusted` is 1 or 0; rate = lr / (1 - beta1^t), times the rectification r where it is trusted;
inverse2 = 1 / (1 - beta2^t) (torch divides rate by its root instead: "hat"); `zero` and `one` in the arrays' dtype;
sign, weight_decay and shrink as in sgd.py.
"""

from .._jit import choose, compiled, sqrt
from .._kernel import Kernel


@compiled
def rule(
    param,
    grad,
    m,
    v,
    rate,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    inverse2,
    trusted,
    eps,
    zero,
    one,
    sign,
    weight_decay,
    shrink,
):
    grad = sign * grad + weight_decay * param
    m = beta1 * m + one_minus_beta1 * grad
    v = beta2 * v + one_minus_beta2 * (grad * grad)
    divisor = choose(trusted > zero, sqrt(v * inverse2) + eps, one)
    return shrink * param - rate * m / divisor, m, v


KERNELS = {"plain": Kernel(rule, ("exp_avg", "exp_avg_sq"))}
