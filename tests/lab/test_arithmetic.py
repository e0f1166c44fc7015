"""Tests of tinygrad_lr/lab/arithmetic.py against mpmath, and how far Python's and NumPy's own functions are from it."""

import math
import random

import mpmath
import numpy as np
import pytest

from tinygrad_lr.lab.arithmetic import LOG_2, exponential, power

mp = mpmath.mp.clone()
mp.dps = 60
DRAWS = 1500


def apart(one, other):
    """How many numbers of float64 lie between two of one sign."""
    return abs(int(np.float64(one).view(np.int64)) - int(np.float64(other).view(np.int64)))


def whole(draw):
    """Decay rates to the number of a step."""
    base = draw.choice([0.9, 0.95, 0.99, 0.999, 0.9999, 0.5, 0.75, draw.random(), 1 - 10 ** draw.uniform(-6, -0.3)])
    return base, draw.choice([draw.randint(1, 20), draw.randint(1, 1000), draw.randint(1, 10**6)])


def broken(draw):
    """What rules raise to a power that is no whole number, and any other."""
    base = draw.choice([0.96, draw.random(), float(draw.randint(1, 5000)), 10 ** draw.uniform(-30, 30)])
    return base, draw.choice([-0.8, 0.25, 0.5, -0.5, 0.75, draw.uniform(-2, 2), -float(draw.randint(1, 9))])


@pytest.mark.parametrize("kind", [whole, broken])
def test_powers_are_the_nearest_numbers(kind):
    draw = random.Random(1)
    drawn = [kind(draw) for _ in range(DRAWS)]
    right = [float(mp.mpf(base) ** mp.mpf(exponent)) for base, exponent in drawn]
    with np.errstate(over="ignore", under="ignore"):
        numpys = np.power([base for base, _ in drawn], [float(exponent) for _, exponent in drawn])
    pythons = [base**exponent for base, exponent in drawn]
    normal = [value == 0 or value > 1e-300 for value in right]  # below, two roundings are one too many
    ours = [power(base, exponent) for base, exponent in drawn]
    for name, found in (("ours", ours), ("Python's", pythons), ("NumPy's", numpys)):
        off = [apart(*pair) for pair in zip(found, right, strict=True)]
        print(f"{kind.__name__}: {name} off {sum(map(bool, off))} times in {DRAWS}, by {max(off)} at most")
    assert all(a == b for a, b, is_normal in zip(ours, right, normal, strict=True) if is_normal)
    assert all(apart(a, b) <= 1 for a, b in zip(ours, right, strict=True))


def test_exponentials_are_the_nearest_numbers():
    draw = random.Random(2)
    for argument in [draw.uniform(-700, 700) for _ in range(300)] + [draw.gauss(0, 1) for _ in range(300)]:
        assert exponential(argument) == float(mp.exp(mp.mpf(argument)))
    assert [exponential(x) for x in (0.0, -800.0, 800.0)] == [1.0, 0.0, math.inf]


def test_ties_go_to_the_even_number():
    assert power(0.75, 34) == float(mp.mpf(0.75) ** 34)  # 3^34 has 54 bits: half way between two numbers
    assert float(mp.mpf(0.75) ** 34) != float(np.nextafter(power(0.75, 34), 1))


def test_pairs_hold_what_they_should():
    assert (float(mp.log(2)), float(mp.log(2) - mp.mpf(float(mp.log(2))))) == LOG_2


SPECIAL = [
    (0.0, 0, 1.0),
    (0.0, 3, 0.0),
    (1.0, math.inf, 1.0),
    (0.5, math.inf, 0.0),
    (2.0, math.inf, math.inf),
    (0.5, -math.inf, math.inf),
    (math.inf, 2, math.inf),
    (math.inf, -2, 0.0),
    (0.5, 2000, 0.0),
    (1.5, 10**6, math.inf),
    (5e-324, 1, 5e-324),
    (5e-324, 2, 0.0),
    (1.7e308, 1, 1.7e308),
    (0.9, 10**9, 0.0),
]


@pytest.mark.parametrize("base, exponent, expected", SPECIAL)
def test_ends_of_float64(base, exponent, expected):
    with np.errstate(over="ignore", under="ignore"):
        assert power(base, exponent) == expected == np.power(base, float(exponent))


def test_bad_input_is_named():
    assert math.isnan(power(math.nan, 2)) and math.isnan(power(0.5, math.nan))
    with pytest.raises(ValueError, match=r"at least 0, got -1.0"):
        power(-1.0, 2)
    with pytest.raises(ZeroDivisionError, match="negative power"):
        power(0.0, -1)
