"""Adam with both moments in bfloat16: one uint32 an element, m in its upper half, v in its lower half.

The step is adam.py's, on the decoded moments, in the parameter's dtype; theta sees the new moments before they are
rounded. bfloat16 is the upper half of a float32 (range of float32, 8 bits of mantissa), so that decoding is a shift.

Rounding is stochastic (_bits.py). Rounded to nearest, v would stand still: with beta2 = 0.999 it changes by at most
0.1 % where g^2 < 2 v, and half a step of bfloat16 is 0.2 to 0.4 %. Keeping sqrt(v) instead would stall twice as early,
because the root's relative change is half as large; what the root gains is range, which bfloat16 has. One draw serves
both moments: each is unbiased, and m and v err in the same direction, which m / sqrt(v) feels less.
Where m is NaN nothing is added, or the sum could run over into a number.
"""

import numpy as np

from .._jit import choose, compiled, over_arrays
from .._kernel import Kernel
from . import adam
from ._bits import bits_of, float_of, uniform

HALF, UPPER, NONE = np.uint32(16), np.uint32(0xFFFF0000), np.uint32(0)
adam_rule = adam.rule


@compiled
def unpacked(moments):
    return float_of(moments & UPPER), float_of(moments << HALF)


@compiled
def packed(m, v, drawn):
    """`drawn`: 16 random bits; 2^15 rounds to nearest, halves away from zero."""
    drawn = choose(m == m, drawn, NONE)
    upper = np.uint32(np.uint32(bits_of(m) + drawn) & UPPER)
    return np.uint32(upper | np.uint32(np.uint32(bits_of(v) + drawn) >> HALF))


@compiled
def rule(param, grad, moments, noise, *scalars):
    m, v = unpacked(moments)
    param, m, v = adam_rule(param, grad, m, v, *scalars)
    return param, packed(m, v, uniform(v, noise, HALF))


packed_of, unpacked_of = over_arrays(packed), over_arrays(unpacked)

KERNELS = {
    "plain": Kernel(
        rule, ("moments",), storage={"moments": ("uint32", 1)}, scalar_names=("noise", *adam.KERNELS["plain"].scalars)
    )
}
