"""Tests of tinygrad_lr/schedules/half_cosine.py, against mpmath."""

import random

import mpmath
import numpy as np
import pytest

from tinygrad_lr.schedules import cosine
from tinygrad_lr.schedules.half_cosine import FIRST, SERIES, half_cosine

UNIT = 2.0**-53
mp = mpmath.mp.clone()
mp.dps = 60


def exact(place, length):
    return (1 + mp.cos(mp.pi * mp.mpf(place) / mp.mpf(length))) / 2


def test_coefficients_are_those_of_the_series():
    found = [mp.pi ** (2 * k) * (-1) ** (k + 1) / (2 * mp.factorial(2 * k)) for k in range(1, 13)]
    assert (float(found[0] - FIRST), *map(float, found[1:-1])) == SERIES
    assert abs(found[-1]) * mp.mpf(0.25) ** 11 < mp.mpf(2) ** -60 * found[0] * mp.mpf(0.75)  # what is left out


def drawn(count):
    """Steps and lengths: any, and near both ends and the middle, up to a length of 2^62."""
    draw = random.Random(1)
    for _ in range(count):
        length = draw.choice([draw.randint(1, 5000), 10**9, 2**40 + 1, 2**62])
        near = draw.choice([0, length // 2, length]) + draw.randint(-50, 50)
        yield min(max(draw.choice([near, draw.randint(0, length)]), 0), length), length


def test_within_four_units_of_the_exact_value():
    worst = 0.0
    for place, length in drawn(5000):
        found, right = half_cosine(np.array([place]), length)[0], exact(place, length)
        worst = max(worst, float(abs(found - right) / right) if place < length else found)
    print(f"within {worst / UNIT:.2f} units of 2^-53")
    assert worst <= 4 * UNIT


def test_the_cosine_of_the_library_would_be_seen():
    place, length = np.array([10**6 - 1]), 10**6
    found, right = 0.5 * (1.0 + np.cos(np.pi * place / length))[0], exact(10**6 - 1, 10**6)
    assert abs(found - right) / right > 1e6 * UNIT


def test_exact_at_both_ends_and_in_the_middle():
    for length in (2, 10, 2**61):
        assert half_cosine(np.array([0, length // 2, length]), length).tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("kind", [np.int64, np.float64, object])
def test_one_step_has_the_bits_of_many(kind):
    steps = np.array([place % 1001 for place, _ in drawn(300)], kind)
    for length in (1001, np.full(steps.shape, 1001.0)):
        together = half_cosine(steps, length)
        alone = [half_cosine(steps[i : i + 1], np.broadcast_to(length, steps.shape)[i : i + 1])[0] for i in range(300)]
        assert together.dtype == np.float64 and together.tolist() == alone


def test_it_falls_at_every_step():
    values = cosine(100_000)(np.arange(100_001))
    assert (np.diff(values) < 0).all()
