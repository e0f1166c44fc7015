"""MADGRAD: Defazio and Jelassi, JMLR 23 (2022), arXiv:2101.11075, Algorithm 1; momentum is its 1 - c.

    s <- s + rate g
    v <- v + rate g * g
    z = theta_0 - s / (cbrt(v) + eps)
    theta <- momentum theta + (1 - momentum) z

Scalars from the host: rate = lr sqrt(t); `first` is 1 in a parameter's first step, which remembers theta_0, and 0
later; `zero` is 0 in the arrays' dtype; sign and weight_decay (coupled) as in sgd.py.

The cube root takes few operations, and the same ones everywhere. The bits of a positive float, read as a whole number,
grow with its logarithm. A constant less a third of them are the bits of a number y within 3.5 % of x^(-1/3) (Moroz
et al., Fast Calculation of Cube and Inverse Cube Roots Using a Magic Constant, Energies 14(4), 2021, 1058). Then

    w = x y y,    e = 1 - w y,    cbrt(x) = w (1 - e)^(-2/3),    and |e| < 0.107

The polynomial for that power is off by 2e-8 at most, and the root of a float32 by 1.7 units in its last place. For
float64 one of Halley's iterations, r <- r + r (x / r^2 - r) / (2 r + x / r^2), triples the right digits, and the root
is off by 1 unit. The bits of a subnormal number do not grow with its logarithm, so numbers below 1 are multiplied by
2^60 before their bits are read.
"""

import numpy as np

from .._jit import choose, compiled, like
from .._kernel import Kernel

# The constants are float32's: exact enough for both dtypes, and they widen no float32.
ZERO, ONE, LARGE, INFINITY = np.array([0.0, 1.0, 2.0**60, np.inf], np.float32)
# A third, and what a third of the bits is taken from; 60 powers of two, as they stand in the bits.
THIRD, FROM, SHIFT = np.array([1 / 3, 0x54A21D40, 60 << 23], np.float32)
THIRD_64, FROM_64, SHIFT_64 = np.array([1 / 3, 0x553EF0FF << 32, 60 << 52], np.float64)
# (1 - e)^(-2/3) = 1 + e (A + B e + C e^2 + D e^3 + E e^4), with the least largest error for -0.107 < e < 0.101.
A, B, C, D, E = np.array([0.66666656, 0.55553573, 0.49387498, 0.45865139, 0.42132417], np.float32)


@compiled
def near(x, small):
    """A float32 within 3.5 % of the inverse cube root of a float32."""
    bits = np.float32(np.float32(choose(small, x * LARGE, x)).view(np.int32))
    return np.int32(FROM - choose(small, bits - SHIFT, bits) * THIRD).view(np.float32)


@compiled
def near_64(x, small):
    """The same of float64."""
    bits = np.float64(np.float64(choose(small, x * LARGE, x)).view(np.int64))
    return np.int64(FROM_64 - choose(small, bits - SHIFT_64, bits) * THIRD_64).view(np.float64)


@compiled
def rooted(x, y):
    """The cube root from y, which is near the inverse one."""
    w = x * (y * y)
    e = ONE - w * y
    return w + w * e * ((A + e * B) + e * e * ((C + e * D) + e * e * E))


@compiled
def mended(root, x):
    """A root after one of Halley's iterations; that of 0 has nothing to mend."""
    ratio = x / choose(x > ZERO, root * root, ONE)
    return root + root * ((ratio - root) / choose(x > ZERO, root + root + ratio, ONE))


@compiled
def cbrt(x):
    """The cube root of a number that is not negative; infinity and NaN stay."""
    small = x < ONE
    if like(x, THIRD_64) == THIRD_64:  # float64; the compiler knows it, and drops the other branch
        root = mended(rooted(x, like(x, near_64(x, small))), x)
    else:
        root = rooted(x, like(x, near(x, small)))
    return choose(x < INFINITY, root, x)


@compiled
def rule(param, grad, start, s, v, rate, momentum, one_minus_momentum, eps, first, zero, sign, weight_decay):
    grad = sign * grad + weight_decay * param
    start = choose(first > zero, param, start)
    s = s + rate * grad
    v = v + rate * (grad * grad)
    z = start - s / (cbrt(v) + eps)
    return momentum * param + one_minus_momentum * z, start, s, v


KERNELS = {"plain": Kernel(rule, ("p0", "s", "grad_sum_sq"))}
