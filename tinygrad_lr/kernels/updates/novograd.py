"""NovoGrad: Ginsburg et al., 2019, arXiv:1905.11286, Algorithm 1.

    v <- beta2 v + (1 - beta2) |g|^2, in the first step |g|^2
    m <- beta1 m + g / (sqrt(v + eps_root) + eps) + weight_decay theta
    theta <- theta - lr m

The norm is Euclidean, of the whole parameter, and v one number for it. `first` is 1 in the first step, else 0.
"""

from .._jit import choose, compiled, sqrt
from .._measured import MeasuredKernel


@compiled
def measure(param, grad, m, number, sign, lr, beta1, beta2, one_minus_beta2, first, eps, eps_root, weight_decay):
    grad = sign * grad
    return m, grad, grad, grad, grad


@compiled
def decide(total, other, size, v, sign, lr, beta1, beta2, one_minus_beta2, first, eps, eps_root, weight_decay):
    v = choose(first > 0.0, total, beta2 * v + one_minus_beta2 * total)
    return sqrt(v + eps_root) + eps, 0.0, v


@compiled
def rule(param, grad, m, factor, other, sign, lr, beta1, beta2, one_minus_beta2, first, eps, eps_root, weight_decay):
    m = beta1 * m + (sign * grad / factor + weight_decay * param)
    return param - lr * m, m


KERNELS = {
    "plain": MeasuredKernel(rule, ("exp_avg", "exp_avg_sq"), measure=measure, decide=decide, numbers=("exp_avg_sq",))
}
