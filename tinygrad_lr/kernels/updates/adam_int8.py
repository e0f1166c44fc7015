"""Adam with both moments in 8 bits: one uint16 an element (sign, 7 bits of m, 8 bits of v), two units a block of 256.

Block-wise: Dettmers, Lewis, Shleifer and Zettlemoyer, 8-bit Optimizers via Block-wise Quantization, ICLR 2022,
arXiv:2110.02861. A block lies in one parameter; its last one may be short. The step is adam.py's loop on the decoded
block, in the parameter's dtype; theta sees the new moments before they are rounded.

The code is that of ITU-T G.711's mu-law, which bit operations give: segments of 16 steps, each segment's steps twice as
wide as those of the one before, the first segment linear down to zero. With k = code:

    level(k) = (16 + k mod 16) / 16 * 2^(k div 16)           1, 17/16, ..., 31/16, 2, 34/16, ...
    m = +-m_unit (level(k) - 1),   k < 128,  m_unit = max|m| / 247
    v = v_unit (level(k) - 31/32), k < 256,  v_unit = max v / 63487

So values of v down to 1/63487 of the block's largest have steps of 3 to 6 %, below that of 1/16 unit; of m 1/247.
A linear code of v loses what is below 1/510, and v's root in a linear code, which halves the range, still has steps of
8 % at 1/100 and 80 % at 1/10,000. In a code with segments the root changes nothing but their number; so v itself is
kept, two roots an element are saved, and rounding, which is stochastic as in _bits.py, is unbiased for v and not for
its root. (To nearest, v would stand still: it changes by 0.1 % a step.) v has no code for zero: a rare gradient would
be divided by nothing (Li, Chen and Zhu, Memory Efficient Optimizers with 4-bit States, NeurIPS 2023, arXiv:2309.01507).

Where a moment is not finite its unit is NaN, and all of its block is lost: clip, or look at the gradients.
The maximum over a block is taken over the bits, as integers, because that vectorises.
"""

import numpy as np

from .._jit import choose, compiled, maximum, over_arrays
from .._kernel import Kernel
from . import adam
from ._bits import MAGNITUDE, SIGN, bits_of, float_of, uniform

BLOCK = 256
GROUP = 64  # blocks that the NumPy loop takes at once
DROPPED, NOISE = np.uint32(19), np.uint32(13)  # bits of a float that are no code; 32 - 19
BYTE, HALF, UP = np.uint32(8), np.uint32(16), np.uint32(5)
ONE, CODE_OF_M, LAST_OF_M, LAST_OF_V = (np.uint32(x) for x in (0x3F800000, 0x7F000000, 127, 255))
LEAST, LEVELS_OF_M, LEVELS_OF_V = np.float32(2.0**-126), np.float32(247.0), np.float32(63487.0)
LINEAR, NO_ZERO = np.float32(1.0), np.float32(31 / 32)
INFINITE, NOT_A_NUMBER = np.float32(np.inf), np.float32(np.nan)
adam_cpu = adam.KERNELS["plain"].cpu


@compiled
def unpacked(moments, m_unit, v_unit):
    moments = np.uint32(np.uint32(moments) << HALF)
    m = (float_of(np.uint32(np.uint32(moments & CODE_OF_M) >> UP) + ONE) - LINEAR) * m_unit
    v = (float_of(np.uint32(np.uint32(moments << BYTE) >> UP) + ONE) - NO_ZERO) * v_unit
    return float_of(bits_of(m) | np.uint32(moments & SIGN)), v


@compiled
def coded(level, drawn, last):
    code = np.uint32(np.uint32(np.uint32(bits_of(level) + drawn) - ONE) >> DROPPED)
    return choose(code < last, code, last)


@compiled
def packed(m, v, per_m, per_v, drawn):
    """`drawn`: 19 random bits, 2^18 rounds to nearest; `per_m`, `per_v`: 1 / unit."""
    sign = np.uint32(np.uint32(bits_of(m) & SIGN) >> HALF)
    m_code = coded(float_of(bits_of(m) & MAGNITUDE) * per_m + LINEAR, drawn, LAST_OF_M)
    v_code = coded(maximum(LINEAR, v * per_v + NO_ZERO), drawn, LAST_OF_V)
    return np.uint16(np.uint32(sign | np.uint32(m_code << BYTE)) | v_code)


@compiled
def unit_of(largest, levels):
    """From the bits of a block's largest magnitude; at least 2^-126, so that its inverse is finite."""
    value = float_of(largest)
    return np.float32(choose(value < INFINITE, maximum(LEAST, value / levels), NOT_A_NUMBER))


# These three are of a whole block: a loop of a known length takes a tenth less time.


@compiled
def decode(moments, m_unit, v_unit, m, v):
    for i in range(BLOCK):
        m[i], v[i] = unpacked(moments[i], m_unit, v_unit)


@compiled
def largest_of(m, v):
    largest_m, largest_v = np.uint32(0), np.uint32(0)
    for i in range(BLOCK):
        m_bits, v_bits = np.uint32(bits_of(m[i]) & MAGNITUDE), np.uint32(bits_of(v[i]) & MAGNITUDE)
        largest_m = m_bits if m_bits > largest_m else largest_m
        largest_v = v_bits if v_bits > largest_v else largest_v
    return largest_m, largest_v


@compiled
def encode(moments, m, v, per_m, per_v, noise):
    for i in range(BLOCK):
        moments[i] = packed(m[i], v[i], per_m, per_v, uniform(v[i], noise, NOISE))


@compiled
def cpu(param, grad, moments, m_unit, v_unit, starts, noise, *scalars):
    """Block b lies between starts[b] and starts[b + 1], counted from starts[0]; a short one is filled up with zeros."""
    m, v, filled = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.zeros(BLOCK, np.uint16)
    for b in range(m_unit.size):
        low, high = starts[b] - starts[0], starts[b + 1] - starts[0]
        size, part = high - low, moments[low:high]
        if size < BLOCK:
            filled[:size] = part
            part = filled
        decode(part, m_unit[b], v_unit[b], m, v)
        adam_cpu(param[low:high], grad[low:high], m[:size], v[:size], *scalars)
        m[size:], v[size:] = 0, 0
        largest_m, largest_v = largest_of(m, v)
        m_unit[b], v_unit[b] = unit_of(largest_m, LEVELS_OF_M), unit_of(largest_v, LEVELS_OF_V)
        encode(part, m, v, LINEAR / m_unit[b], LINEAR / v_unit[b], noise)
        if size < BLOCK:
            moments[low:high] = part[:size]


adam_of, unpacked_of, packed_of, unit_of_each, uniform_of = (
    over_arrays(rule) for rule in (adam.rule, unpacked, packed, unit_of, uniform)
)


def kept(m, v, starts, drawn):
    """Moments as they are stored: (moments, m_unit, v_unit) of float32 arrays, over whole arrays."""
    lengths = np.diff(starts)
    first = starts[:-1] - starts[0]
    m_unit = unit_of_each(np.maximum.reduceat(bits_of_each(m) & MAGNITUDE, first), LEVELS_OF_M)
    v_unit = unit_of_each(np.maximum.reduceat(bits_of_each(v) & MAGNITUDE, first), LEVELS_OF_V)
    per_m, per_v = np.repeat(LINEAR / m_unit, lengths), np.repeat(LINEAR / v_unit, lengths)
    return packed_of(m, v, per_m, per_v, drawn), m_unit, v_unit


def bits_of_each(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint32)


def decoded(moments, m_unit, v_unit, starts):
    """The moments (m, v), float32, of what is stored, over whole arrays."""
    lengths = np.diff(starts)
    return unpacked_of(moments, np.repeat(m_unit, lengths), np.repeat(v_unit, lengths))


def cpu_numpy(param, grad, moments, m_unit, v_unit, starts, noise, *scalars):
    """`cpu` over whole arrays, some blocks at once: the same operations, and so the same bits."""
    for low in range(0, m_unit.size, GROUP):
        blocks = slice(low, low + GROUP)
        places = starts[low : low + GROUP + 1]
        part = slice(places[0] - starts[0], places[-1] - starts[0])
        m, v = decoded(moments[part], m_unit[blocks], v_unit[blocks], places)
        param[part], m[...], v[...] = adam_of(param[part], grad[part], m, v, *scalars)
        moments[part], m_unit[blocks], v_unit[blocks] = kept(m, v, places, uniform_of(v, noise, NOISE))


KERNELS = {
    "plain": Kernel(
        None,
        ("moments", "exp_avg_unit", "exp_avg_sq_unit"),
        storage={"moments": ("uint16", 1), "exp_avg_unit": ("float32", BLOCK), "exp_avg_sq_unit": ("float32", BLOCK)},
        scalar_names=("noise", *adam.KERNELS["plain"].scalars),
        block_loop=cpu,
        numpy_loop=cpu_numpy,
    )
}
