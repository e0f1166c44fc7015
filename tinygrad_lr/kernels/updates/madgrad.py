"""MADGRAD: Defazio and Jelassi, JMLR 23 (2022), arXiv:2101.11075, Algorithm 1; momentum is its 1 - c.

    s <- s + rate g
    v <- v + rate g * g
    z = theta_0 - s / (cbrt(v) + eps)
    theta <- momentum theta + (1 - momentum) z

A cube root is made of + - * / and square roots, so that it has the same bits everywhere. The product of x^(1/4),
x^(1/16), x^(1/64) and x^(1/256) is x^(1/3) but for a factor of x^(1/768). Each of Halley's iterations
y <- y (y^3 + 2 x) / (2 y^3 + x) triples the right digits, and four are enough for float64; one of Newton's mends their
rounding. Before, x is multiplied or divided by scale = 2^60, and afterwards y by its root, 2^20, so that nothing
overflows or vanishes on the way.

Scalars from the host: rate = lr sqrt(t); `first` is 1 in a parameter's first step, which remembers theta_0, and 0
later; `zero`, `one` and `two` in the arrays' dtype; sign and weight_decay (coupled) as in sgd.py.
"""

from .._jit import choose, compiled, sqrt
from .._kernel import Kernel


@compiled
def halley(y, x, two):
    cube = y * y * y
    return y * ((cube + two * x) / (two * cube + x))


@compiled
def cbrt(x, scale, scale_root, zero, one, two):
    """The cube root of a number that is not negative; infinity and NaN stay."""
    large = x > one
    inside = choose(large, x * (one / scale), choose(x > zero, x * scale, one))
    fourth = sqrt(sqrt(inside))
    sixteenth = sqrt(sqrt(fourth))
    last = sqrt(sqrt(sixteenth))
    y = fourth * sixteenth * last * sqrt(sqrt(last))
    y = halley(halley(halley(halley(y, inside, two), inside, two), inside, two), inside, two)
    y = y - (y - inside / (y * y)) / (two + one)
    root = choose(large, y * scale_root, y * (one / scale_root))
    return choose(x > zero, choose(x - x == zero, root, x), x)


@compiled
def rule(
    param,
    grad,
    start,
    s,
    v,
    rate,
    momentum,
    one_minus_momentum,
    eps,
    first,
    scale,
    scale_root,
    zero,
    one,
    two,
    sign,
    weight_decay,
):
    grad = sign * grad + weight_decay * param
    start = choose(first > zero, param, start)
    s = s + rate * grad
    v = v + rate * (grad * grad)
    z = start - s / (cbrt(v, scale, scale_root, zero, one, two) + eps)
    return momentum * param + one_minus_momentum * z, start, s, v


KERNELS = {"plain": Kernel(rule, ("p0", "s", "grad_sum_sq"))}
