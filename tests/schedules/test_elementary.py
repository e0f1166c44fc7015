"""Tests of tinygrad_lr/schedules/elementary.py, against mpmath."""

import math
import random

import mpmath
import numpy as np
import pytest

from tinygrad_lr.schedules import exponential, exponential_decay, polynomial, power, step
from tinygrad_lr.schedules.elementary import exponentials, powers

mp = mpmath.mp.clone()
mp.dps = 40


def test_powers_are_the_nearest_numbers_or_their_neighbours():
    draw = random.Random(2)
    bases, exponents = ([draw.uniform(0, most) for _ in range(4000)] for most in (1, 10))
    found = powers(bases, exponents).tolist()
    right = [float(mp.mpf(base) ** mp.mpf(exponent)) for base, exponent in zip(bases, exponents, strict=True)]
    others = [(one, other) for one, other in zip(found, right, strict=True) if one != other]
    print(f"{len(others)} of {len(found)} are not the nearest number")
    assert len(others) < 0.01 * len(found)
    assert all(abs(one - other) <= math.ulp(other) for one, other in others)


def test_exponentials_are_the_nearest_numbers_or_their_neighbours():
    draw = random.Random(3)
    arguments = [draw.uniform(-700, 700) for _ in range(2000)]
    for argument, found in zip(arguments, exponentials(arguments).tolist(), strict=True):
        right = float(mp.exp(mp.mpf(argument)))
        assert abs(found - right) <= math.ulp(right)


def test_shapes_and_what_is_too_large():
    assert powers(2.0, 3).shape == () and powers(np.full((2, 3), 4.0), 0.5).tolist() == [[2.0] * 3] * 2
    assert powers(2.0, np.array([1e4, 1.0])).tolist() == [math.inf, 2.0]
    assert powers(np.array([]), 2.0).shape == exponentials([]).shape == (0,)
    assert exponentials([[1e4], [0.0]]).tolist() == [[math.inf], [1.0]]


STEPS = np.arange(1000)


@pytest.mark.parametrize(
    "schedule, of_one_step",
    [
        (polynomial(1000, 2.5), lambda t: (1 - t / 1000) ** 2.5),
        (exponential(1000, 0.01), lambda t: 0.01 ** (t / 1000)),
        (exponential_decay(0.97), lambda t: 0.97**t),
        (step(7, 0.83), lambda t: 0.83 ** float(t // 7)),
        (power(10), lambda t: (10 / max(t, 10)) ** 0.51),
    ],
)
def test_factors_have_the_bits_of_pythons_powers(schedule, of_one_step):
    """NumPy's have others in each of these, on a processor with wide vector units."""
    expected = [of_one_step(t) for t in range(1000)]
    assert schedule(STEPS).tolist() == [schedule(t) for t in range(1000)] == expected
