"""Numbers as bit patterns, and the noise of stochastic rounding: what the kernels of short states share.

The bits of a positive float grow with it, and linearly between two powers of two. So adding a uniform integer below
2^k to them and dropping the last k bits is stochastic rounding: to the upper neighbour with the probability that makes
the expected value the number itself (Croci et al., Royal Society Open Science 9:211631, 2022).

The noise is a hash (Knuth's multiplicative one, The Art of Computer Programming 3, section 6.4) of the new second
moment's mantissa and of 24 random bits that the host draws from the step's number. It knows neither index nor thread
nor neighbour, so a step has the same bits at any number of threads, permuted or in another company, and neither sign
nor power of two, so theta -> -theta and scaled gradients keep their trajectories. Over the steps it is uniform: for a
fixed mantissa the host's bits run through all values, and the product with an odd number is a bijection.
"""

import numpy as np

from .._jit import compiled

MAGNITUDE, SIGN = np.uint32(0x7FFFFFFF), np.uint32(0x80000000)
# An odd number near 2^32 over the golden ratio, moved by 9 so that sign and exponent leave the product.
MULTIPLIER = np.uint32((0x9E3779B9 << 9) & 0xFFFFFFFF)


@compiled
def bits_of(x):
    """The pattern of a float32."""
    return np.float32(x).view(np.uint32)


@compiled
def float_of(bits):
    """The float32 of a pattern."""
    return np.uint32(bits).view(np.float32)


@compiled
def uniform(v, noise, dropped):
    """32 - `dropped` random bits for an element whose second moment is `v`, at the step with this `noise`."""
    return np.uint32(np.uint32(np.uint32(bits_of(v) ^ np.uint32(noise)) * MULTIPLIER) >> dropped)
