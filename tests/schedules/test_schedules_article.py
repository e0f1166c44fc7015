"""The article's functions against its printed code, bit for bit, and against the pure schedules too; bad input."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lr.schedules import (
    cosine,
    decay_lr_cosine,
    decay_lr_poly,
    decay_lr_stable,
    polynomial,
    warmup,
    warmup_stable_decay,
)


# As printed in the article.
def printed_poly(base_lr, epoch_i, batch_i, total_epochs, total_batches, warm_up, power=1.0):
    if warm_up > 0 and epoch_i < warm_up:
        rate = (epoch_i * total_batches + batch_i) / (warm_up * total_batches)
    else:
        rate = np.power(
            1.0 - ((epoch_i - warm_up) * total_batches + batch_i) / ((total_epochs - warm_up) * total_batches), power
        )
    return rate * base_lr


def printed_cosine(base_lr, epoch_i, batch_i, total_epochs, total_batches, warm_up):
    if warm_up > 0 and epoch_i < warm_up:
        rate = (epoch_i * total_batches + batch_i) / (warm_up * total_batches)
    else:
        progress = (epoch_i - warm_up) * total_batches + batch_i
        cosine_decay = 0.5 * (1.0 + np.cos(np.pi * progress / ((total_epochs - warm_up) * total_batches)))
        rate = cosine_decay
    return rate * base_lr


def printed_stable(base_lr, epoch_i, batch_i, total_epochs, total_batches, warm_up, stable_epochs=0):
    if warm_up > 0 and epoch_i < warm_up:
        rate = (epoch_i * total_batches + batch_i) / (warm_up * total_batches)
    elif epoch_i < warm_up + stable_epochs:
        rate = 1.0
    else:
        progress = (epoch_i - warm_up - stable_epochs) * total_batches + batch_i
        cosine_decay = 0.5 * (
            1.0 + np.cos(np.pi * progress / ((total_epochs - warm_up - stable_epochs) * total_batches))
        )
        rate = cosine_decay
    return rate * base_lr


PAIRS = [
    (decay_lr_poly, printed_poly, [(), (1,), (0.5,), (2.0,), (0.9,)]),
    (decay_lr_cosine, printed_cosine, [()]),
    (decay_lr_stable, printed_stable, [(), (2,), (1.5,)]),
]
bases = st.floats(1e-6, 10)
counts = st.integers(1, 40)


@settings(max_examples=25)
@given(bases, counts, counts, st.one_of(st.integers(0, 10), st.floats(0.25, 10)), st.data())
def test_bit_equal_to_the_printed_code(base, decay_epochs, batches, warm_up, data):
    for ours, printed, extras in PAIRS:
        for extra in extras:
            shape = extra if ours is decay_lr_stable else ()
            total = int(np.ceil(warm_up + sum(shape))) + decay_epochs
            epochs = data.draw(st.lists(st.integers(0, total - 1), min_size=1, max_size=3))
            batch = data.draw(st.lists(st.integers(0, batches - 1), min_size=1, max_size=3))
            expected = [[printed(base, e, b, total, batches, warm_up, *extra) for b in batch] for e in epochs]
            for (row, e), (column, b) in itertools.product(enumerate(epochs), enumerate(batch)):
                value = ours(base, e, b, total, batches, warm_up, *extra)
                assert type(value) is float and value == expected[row][column]
            together = ours(base, np.array(epochs)[:, None], np.array(batch), total, batches, warm_up, *extra)
            assert together.dtype == np.float64 and together.tolist() == expected


# Of the printed cosine, in units of its largest value: pi t / T is off by 3 roundings and pi's own, of at most pi / 2
# where the sine is 1 (4.4 of the cosine's units), the cosine by 2 and the sum by 2, and all of that is halved: 4.2. Of
# the pure one: 4. Each product with base_lr: 1, of which the half is for the values below 1/2.
APART = 10 * 2.0**-53
# Of the printed power, of its value: NumPy's is off by a unit in the last place, 2 roundings, and Python's by one; each
# product with base_lr by one.
APART_BY_POWERS = 5 * 2.0**-53


@given(bases, st.integers(1, 8), st.integers(1, 8), st.integers(0, 5), st.integers(0, 5), st.floats(0.1, 4))
def test_the_pure_schedules_are_the_same(base, epochs, batches, warm_up, stable, power):
    """Bit for bit, and where the printed code has a power or a cosine within the roundings of that."""
    warm = warmup(warm_up * batches)
    wsd = warmup_stable_decay(warm_up * batches, stable * batches, epochs * batches)
    total = warm_up + epochs
    for step in range((total + stable) * batches):
        epoch, batch = divmod(step, batches)
        if epoch < total:
            pure = warm.then(polynomial(epochs * batches, power))
            printed = decay_lr_poly(base, epoch, batch, total, batches, warm_up, power)
            assert abs(printed - pure(step) * base) <= APART_BY_POWERS * printed
            pure = warm.then(polynomial(epochs * batches))
            assert decay_lr_poly(base, epoch, batch, total, batches, warm_up) == pure(step) * base
            pure = warm.then(cosine(epochs * batches))
            warms = epoch < warm_up
            printed = decay_lr_cosine(base, epoch, batch, total, batches, warm_up)
            assert abs(printed - pure(step) * base) <= (0.0 if warms else APART * base)
        printed = decay_lr_stable(base, epoch, batch, total + stable, batches, warm_up, stable)
        assert abs(printed - wsd(step) * base) <= (0.0 if epoch < warm_up + stable else APART * base)


def test_past_the_end_as_printed():
    assert decay_lr_poly(0.1, 12, 3, 10, 5, 2) == printed_poly(0.1, 12, 3, 10, 5, 2) < 0
    assert decay_lr_poly(0.1, 12, 3, 10, 5, 2, 2) == printed_poly(0.1, 12, 3, 10, 5, 2, 2) > 0
    assert decay_lr_cosine(0.1, 12, 3, 10, 5, 2) == printed_cosine(0.1, 12, 3, 10, 5, 2) > 0
    assert decay_lr_poly(0.1, 4, 0, 5, 10, 5) == printed_poly(0.1, 4, 0, 5, 10, 5)
    assert decay_lr_poly(0.1, np.int64(3), np.int64(2), 10, 5, 0) == printed_poly(0.1, 3, 2, 10, 5, 0)
    assert decay_lr_poly(0.1, np.array([], dtype=int), 0, 10, 5, 0).shape == (0,)


NAN = float("nan")
BAD = [
    (lambda: decay_lr_poly(0.1, 5, 0, 5, 10, 5), ValueError, "total_epochs=5 leaves no epoch"),
    (lambda: decay_lr_poly(0.1, np.array([1, 5]), 0, 5, 10, 5), ValueError, "total_epochs=5 leaves no epoch"),
    (lambda: decay_lr_cosine(0.1, 5, 0, 5, 10, 5), ValueError, "divide by zero"),
    (lambda: decay_lr_stable(0.1, 5, 0, 5, 10, 3, 2), ValueError, "warm_up \\+ stable_epochs=5"),
    (lambda: decay_lr_poly(0.1, 6, 0, 5, 10, 0, 0.5), ValueError, "fraction power=0.5"),
    (lambda: decay_lr_poly(0.1, np.array([1, 6]), 0, 5, 10, 0, 0.5), ValueError, "fraction power=0.5"),
    (lambda: decay_lr_poly(0.1, 5, 0, 5, 10, 0, -1), ValueError, "power=-1 is negative"),
    (lambda: decay_lr_poly(0.1, 1, 0, 0, 10, 0), ValueError, "total_epochs must be above 0"),
    (lambda: decay_lr_poly(0.1, 1, 0, 5, 0, 0), ValueError, "total_batches must be above 0"),
    (lambda: decay_lr_poly(0.1, 1, 0, 5, 10, -1), ValueError, "warm_up must be at least 0"),
    (lambda: decay_lr_stable(0.1, 1, 0, 5, 10, 0, -1), ValueError, "stable_epochs must be at least 0"),
    (lambda: decay_lr_poly(NAN, 1, 0, 5, 10, 0), ValueError, "base_lr must be a finite number"),
    (lambda: decay_lr_poly(0.1, NAN, 0, 5, 10, 0), ValueError, "epoch_i must be a finite number"),
    (lambda: decay_lr_poly(0.1, 1, np.array([np.inf]), 5, 10, 0), ValueError, "batch_i must be finite"),
    (lambda: decay_lr_poly(0.1, 2**53, 0, 5, 10, 0), ValueError, "2\\*\\*53"),
    (lambda: decay_lr_poly(0.1, np.array([2**60]), 0, 5, 10, 0), ValueError, "2\\*\\*53"),
    (lambda: decay_lr_poly(1e308, 10**6, 0, 5, 10, 0, 2), ValueError, "overflow"),
    (lambda: decay_lr_poly(0.1, "1", 0, 5, 10, 0), TypeError, "epoch_i"),
    (lambda: decay_lr_poly(0.1, np.array([True]), 0, 5, 10, 0), TypeError, "epoch_i"),
    (lambda: decay_lr_poly(0.1, 1, 0, "5", 10, 0), TypeError, "total_epochs"),
    (lambda: decay_lr_poly(0.1, np.zeros(2, int), np.zeros(3, int), 5, 10, 0), ValueError, "broadcast"),
]


@pytest.mark.parametrize("call, error, message", BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
