"""Powers and the exponential by + - * / alone, rounded once: the same bits in Python and in JavaScript.

Python's `**` and NumPy's functions are those of the platform's library, and `Math.pow` is the browser's own. They
differ in the last bit at times, and 1 - beta^t makes many last bits of one. The functions here compute with pairs of
numbers whose sum has about 100 bits, and round that sum to float64: the nearest number, but for one case in 2^40.

    a pair (high, low): the number high + low, |low| at most half a unit in the last place of high

Sources: Knuth, The Art of Computer Programming 2, section 4.2.2 (the error of a sum); Dekker, A Floating-Point
Technique for Extending the Available Precision, Numerische Mathematik 18 (1971) (the error of a product, and pairs).
"""

from __future__ import annotations

__all__ = ["exponential", "power"]

Pair = tuple[float, float]

SPLITTING = 2.0**27 + 1.0  # Veltkamp's: cuts 53 bits in two halves
LOG_2 = (0.6931471805599453, 2.3190468138462996e-17)  # as a pair
ROOTS = (0.7071067811865476, 1.4142135623730951)  # of 1/2 and of 2
# The powers of two of which any exponent of float64 is a sum, each with 2 to this power and 2 to less it.
POWERS_OF_2 = tuple((step, 2.0**step, 2.0**-step) for step in (512, 256, 128, 64, 32, 16, 8, 4, 2, 1))
OF_A_SCALE = POWERS_OF_2[:1] * 4 + POWERS_OF_2  # those of which any number up to MOST is a sum
MOST = 2200  # a power of two beyond it, up or down, brings every number near 1 out of float64
SMALLEST, LARGEST = -745.2, 709.8  # arguments beyond which an exponential is 0 or infinite
LOGARITHM_TERMS = 23  # of a series in squares below 0.0295, which fall below 2^-106
EXPONENTIAL_TERMS = 25  # of a series in arguments below 0.347
INFINITE = float("inf")


def sum_of(first: float, second: float) -> Pair:
    """A sum, rounded, and what rounding left out."""
    total = first + second
    part = total - first
    return total, (first - (total - part)) + (second - part)


def product_of(first: float, second: float) -> Pair:
    """A product, rounded, and what rounding left out."""
    product = first * second
    cut = SPLITTING * first
    upper = cut - (cut - first)
    lower = first - upper
    cut = SPLITTING * second
    above = cut - (cut - second)
    below = second - above
    return product, ((upper * above - product) + upper * below + lower * above) + lower * below


def added(first: Pair, second: Pair) -> Pair:
    """The sum of two pairs."""
    total, rest = sum_of(first[0], second[0])
    low, lower = sum_of(first[1], second[1])
    total, rest = sum_of(total, rest + low)
    return sum_of(total, rest + lower)


def multiplied(first: Pair, second: Pair) -> Pair:
    """The product of two pairs."""
    product, rest = product_of(first[0], second[0])
    return sum_of(product, rest + (first[0] * second[1] + first[1] * second[0]))


def divided(first: Pair, second: Pair) -> Pair:
    """The quotient of two pairs."""
    quotient = first[0] / second[0]
    product = multiplied(second, (quotient, 0.0))
    rest = added(first, (-product[0], -product[1]))
    next_quotient = rest[0] / second[0]
    product = multiplied(second, (next_quotient, 0.0))
    rest = added(rest, (-product[0], -product[1]))
    high, low = sum_of(quotient, next_quotient)
    return sum_of(high, low + rest[0] / second[0])


def power(base: float, exponent: float) -> float:
    """A base of at least 0, to the power of an exponent, rounded to float64.

    Raises:
        ValueError: a negative base. ZeroDivisionError: 0 to a negative power.

    Example:
        >>> power(0.9, 2), power(0.5, 3), power(4.0, -0.5), power(0.0, 0)
        (0.81, 0.125, 0.5, 1.0)
    """
    if base < 0.0:
        raise ValueError(f"a power here has a base of at least 0, got {base}")
    if exponent == 0 or base == 1.0:
        return 1.0
    if base == 0.0:
        if exponent < 0:
            raise ZeroDivisionError("0.0 cannot be raised to a negative power")
        return 0.0
    if not base < INFINITE or not -INFINITE < exponent < INFINITE:
        return _beyond(base, exponent)
    mantissa, scale = _split(base)
    if exponent > 0 and exponent % 1 == 0:
        return _whole_power(mantissa, scale, exponent)
    return _rounded_exponential(multiplied(_logarithm(mantissa, scale), (exponent, 0.0)))


def _beyond(base: float, exponent: float) -> float:
    """The power where base or exponent is infinite or NaN."""
    if base != base or exponent != exponent:
        return base + exponent
    grows = (exponent > 0) == (base > 1.0)
    return INFINITE if grows else 0.0


def _split(value: float) -> tuple[float, int]:
    """A positive number as a mantissa from sqrt(1/2) to sqrt(2), and a power of two."""
    scale = 0
    for step, up, down in POWERS_OF_2:
        if value >= up:
            value *= down
            scale += step
        if value < 2.0 * down:
            value *= up
            scale -= step
    return (value * 0.5, scale + 1) if value > ROOTS[1] else (value, scale)


def _scaled(pair: Pair, scale: int) -> float:
    """The sum of a pair near 1, rounded, times a power of two."""
    value = pair[0] + pair[1]
    if abs(scale) > MOST:
        return INFINITE if scale > 0 else 0.0
    for step, up, down in OF_A_SCALE:
        if scale >= step:
            value *= up
            scale -= step
        if scale <= -step:
            value *= down
            scale += step
    return value


def _whole_power(mantissa: float, scale: int, exponent: float) -> float:
    """A power with a whole, positive exponent, by repeated squaring: what has 100 bits at most is exact."""
    found, found_scale = (1.0, 0.0), 0
    square, square_scale = (mantissa, 0.0), scale
    left = exponent
    while left > 0:
        if left % 2 == 1:
            found, more = _near_1(multiplied(found, square))
            found_scale += square_scale + more
        left = (left - left % 2) / 2
        square, more = _near_1(multiplied(square, square))
        square_scale = 2 * square_scale + more
    return _scaled(found, found_scale)


def _near_1(pair: Pair) -> tuple[Pair, int]:
    """A pair halved or doubled, so that it is from sqrt(1/2) to sqrt(2), and the power of two that this took out."""
    if pair[0] > ROOTS[1]:
        return (pair[0] * 0.5, pair[1] * 0.5), 1
    if pair[0] < ROOTS[0]:
        return (pair[0] * 2.0, pair[1] * 2.0), -1
    return pair, 0


def _logarithm(mantissa: float, scale: int) -> Pair:
    """log(mantissa 2^scale) = 2 artanh((mantissa - 1) / (mantissa + 1)) + scale log(2), the first as its series."""
    share = divided((mantissa - 1.0, 0.0), sum_of(mantissa, 1.0))
    square = multiplied(share, share)
    series = (0.0, 0.0)
    for k in range(LOGARITHM_TERMS, -1, -1):
        series = added(multiplied(series, square), divided((1.0, 0.0), (2.0 * k + 1.0, 0.0)))
    found = multiplied(series, share)
    return added((2.0 * found[0], 2.0 * found[1]), multiplied(LOG_2, (float(scale), 0.0)))


def exponential(argument: float) -> float:
    """e^argument, rounded to float64.

    Example:
        >>> exponential(0.0), exponential(1.0), exponential(-1000.0)
        (1.0, 2.718281828459045, 0.0)
    """
    return _rounded_exponential((argument, 0.0))


def _rounded_exponential(argument: Pair) -> float:
    """exp of a pair, rounded: 2^n times the series of exp at what n log(2) leaves of it."""
    if argument[0] > LARGEST:
        return INFINITE
    if argument[0] < SMALLEST:
        return 0.0
    turns = argument[0] / LOG_2[0] + 0.5
    scale = turns - turns % 1
    whole = multiplied(LOG_2, (scale, 0.0))
    rest = added(argument, (-whole[0], -whole[1]))
    series = (1.0, 0.0)
    for k in range(EXPONENTIAL_TERMS, 0, -1):
        series = added((1.0, 0.0), divided(multiplied(series, rest), (float(k), 0.0)))
    return _scaled(series, int(scale))
