"""D-Adapted Adam: Defazio and Mishchenko, ICML 2023, arXiv:2301.07733, Algorithm 5.

    gamma = rate d
    m <- beta1 m + (1 - beta1) gamma g;  v <- beta2 v + (1 - beta2) g^2
    r <- kept r + (1 - kept) gamma <g, s / (sqrt(v) + eps)>,  kept = sqrt(beta2)
    s <- kept s + (1 - kept) gamma g
    theta <- theta - decoupled gamma theta - m / (sqrt(v) + eps)
    d <- max(d, min(r / ((1 - kept) |s|_1), growth d)), and d stays while s is 0

Sums are of all parameters together. Scalars from the host: rate is lr, with its corrections where they are wanted;
`before` is 1 where r is weighted by the v of the step before (the authors); of weight_decay (coupled) and `decoupled`
one is zero; growth is infinity where it has no limit.
"""

from .._jit import choose, compiled, maximum, minimum, ratio, sqrt
from .._measured import MeasuredKernel


@compiled
def measure(
    param,
    grad,
    m,
    v,
    s,
    number,
    sign,
    rate,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    kept,
    one_minus_kept,
    eps,
    weight_decay,
    decoupled,
    growth,
    before,
    zero,
    one,
):
    grad = sign * grad + weight_decay * param
    gamma = rate * number
    old = v
    m = beta1 * m + one_minus_beta1 * (gamma * grad)
    v = beta2 * v + one_minus_beta2 * (grad * grad)
    weighted = s / (sqrt(choose(before > zero, old, v)) + eps)
    s = kept * s + one_minus_kept * (gamma * grad)
    return m, v, s, gamma * grad, weighted, abs(s), one


@compiled
def decide(
    total,
    other,
    size,
    d,
    numerator,
    sign,
    rate,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    kept,
    one_minus_kept,
    eps,
    weight_decay,
    decoupled,
    growth,
    before,
    zero,
    one,
):
    numerator = kept * numerator + one_minus_kept * total
    estimate = ratio(maximum(numerator, 0.0), one_minus_kept * other, 0.0)
    return d, 0.0, maximum(d, minimum(estimate, growth * d)), numerator


@compiled
def rule(
    param,
    grad,
    m,
    v,
    s,
    factor,
    other,
    sign,
    rate,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    kept,
    one_minus_kept,
    eps,
    weight_decay,
    decoupled,
    growth,
    before,
    zero,
    one,
):
    return param - decoupled * (rate * factor) * param - m / (sqrt(v) + eps), m, v, s


KERNELS = {
    "plain": MeasuredKernel(
        rule,
        ("exp_avg", "exp_avg_sq", "s", "d", "numerator"),
        measure=measure,
        decide=decide,
        numbers=("d", "numerator"),
        together=True,
    )
}
