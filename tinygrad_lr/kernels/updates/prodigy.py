"""Prodigy: Mishchenko and Defazio, ICML 2024, arXiv:2306.06101, Algorithm 4.

    gamma = rate d
    m <- beta1 m + (1 - beta1) d g;  v <- beta2 v + (1 - beta2) (d g)^2
    r <- kept r + gamma d <g, theta_0 - theta> / d_0;  s <- kept s + gamma d g / d_0,  kept = sqrt(beta2)
    theta <- theta - gamma weight_decay theta - gamma m / (sqrt(v) + d eps)
    d <- max(d, r / |s|_1), and d stays while s is 0

Sums are of all parameters together, and d_0 = initial_distance. Scalars from the host: rate is lr, with its corrections
where they are wanted; `eps_after` is 1 where epsilon is multiplied by the new d (the authors' package); `first` is 1 in
a parameter's first step, which remembers theta_0.
"""

from .._jit import choose, compiled, maximum, ratio, sqrt
from .._measured import MeasuredKernel


@compiled
def measure(
    param,
    grad,
    m,
    v,
    s,
    start,
    number,
    sign,
    rate,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    kept,
    eps,
    weight_decay,
    initial_distance,
    inverse_initial,
    eps_after,
    first,
    zero,
    one,
):
    grad = sign * grad
    start = choose(first > zero, param, start)
    scaled = number * grad
    m = beta1 * m + one_minus_beta1 * scaled
    v = beta2 * v + one_minus_beta2 * (scaled * scaled)
    s = kept * s + rate * number * scaled * inverse_initial
    return m, v, s, start, rate * grad, start - param, abs(s), one


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
    eps,
    weight_decay,
    initial_distance,
    inverse_initial,
    eps_after,
    first,
    zero,
    one,
):
    numerator = kept * numerator + d * d * total / initial_distance
    estimate = maximum(d, ratio(maximum(numerator, 0.0), other, 0.0))
    return d, eps * choose(eps_after > 0.0, estimate, d), estimate, numerator


@compiled
def rule(
    param,
    grad,
    m,
    v,
    s,
    start,
    factor,
    other,
    sign,
    rate,
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    kept,
    eps,
    weight_decay,
    initial_distance,
    inverse_initial,
    eps_after,
    first,
    zero,
    one,
):
    gamma = rate * factor
    return param - weight_decay * gamma * param - gamma * m / (sqrt(v) + other), m, v, s, start


KERNELS = {
    "plain": MeasuredKernel(
        rule,
        ("exp_avg", "exp_avg_sq", "s", "p0", "d", "numerator"),
        measure=measure,
        decide=decide,
        numbers=("d", "numerator"),
        together=True,
    )
}
