"""LAMB: You et al., ICLR 2020, arXiv:1904.00962, Algorithm 2.

    m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2
    r = correction m / (sqrt(v / correction2 + ...) + eps) + decay theta
    theta <- shrink theta - lr trust r,  trust = |theta| / |r|, and 1 where either is 0

The norms are Euclidean, of the whole parameter.
"""

from .._jit import choose, compiled, minimum, ratio, sqrt
from .._measured import MeasuredKernel


@compiled
def direction(param, m, v, inverse1, inverse2, eps, decay, shrink):
    return m * inverse1 / (sqrt(v * inverse2) + eps) + decay * (shrink * param)


@compiled
def measure(
    param,
    grad,
    m,
    v,
    number,
    lr,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    inverse1,
    inverse2,
    eps,
    sign,
    decay,
    shrink,
    size_limit,
    most,
    adapts,
):
    grad = sign * grad
    m = beta1 * m + one_minus_beta1 * grad
    v = beta2 * v + one_minus_beta2 * (grad * grad)
    r = direction(param, m, v, inverse1, inverse2, eps, decay, shrink)
    return m, v, shrink * param, shrink * param, r, r


@compiled
def decide(
    total,
    other,
    size,
    lr,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    inverse1,
    inverse2,
    eps,
    sign,
    decay,
    shrink,
    size_limit,
    most,
    adapts,
):
    norm_of_theta, norm_of_r = minimum(sqrt(total), size_limit), sqrt(other)
    trust = minimum(ratio(norm_of_theta, norm_of_r, 1.0), most)
    return lr * choose(adapts > 0.0, trust, 1.0), 0.0


@compiled
def rule(
    param,
    grad,
    m,
    v,
    factor,
    other,
    lr,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    inverse1,
    inverse2,
    eps,
    sign,
    decay,
    shrink,
    size_limit,
    most,
    adapts,
):
    return shrink * param - factor * direction(param, m, v, inverse1, inverse2, eps, decay, shrink), m, v


KERNELS = {"plain": MeasuredKernel(rule, ("exp_avg", "exp_avg_sq"), measure=measure, decide=decide)}
