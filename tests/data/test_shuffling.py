"""The orders of epochs: permutations, each as likely, the same in machine code and in NumPy, however many at once."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr import backend, manual_seed
from tinygrad_lr.data import DataLoader, TensorDataset, shuffling
from tinygrad_lr.kernels import _jit
from tinygrad_lr.kernels.ops import shuffle

KEYS = st.integers(0, 2**64 - 1).map(np.uint64)


def one(key, samples):
    return shuffling.orders(np.array([key], np.uint64), samples)[0]


@given(key=KEYS, samples=st.integers(1, 300))
def test_an_order_is_a_permutation_and_the_same_in_machine_code(key, samples):
    with backend.using("numpy"):
        order = one(key, samples)
    assert sorted(order.tolist()) == list(range(samples)) and order.dtype == np.int64
    machine = np.empty(samples, np.int64)
    with np.errstate(over="ignore"):  # without the compiler
        shuffle.shuffled(key, machine)
    assert order.tobytes() == machine.tobytes()


@pytest.mark.skipif(_jit.COMPILER_IS_OFF, reason="Numba's compiler is off: there is no machine code to choose")
def test_many_samples_are_shuffled_by_machine_code(monkeypatch):
    monkeypatch.setattr(shuffling, "_over_arrays", None)
    assert sorted(one(3, shuffling.FEW + 1).tolist()) == list(range(shuffling.FEW + 1))


def chi_square(counts, expected):
    return sum((count - expected) ** 2 / expected for count in counts)


def orders_of_four(keys):
    return [tuple(row) for row in shuffling.orders(keys, 4).tolist()]


@pytest.mark.parametrize("seed", [0, 1, 2**70])
def test_every_order_is_as_likely(seed):
    """Chi-square with 23 degrees of freedom exceeds 58 once in 10,000 draws; these draws are always the same."""
    found = Counter(orders_of_four(shuffling.keys(seed, 0, 24 * 200)))
    assert set(found) == set(permutations(range(4)))
    assert chi_square(found.values(), 200) < 58
    # A shuffle that draws every place from all of them, a famous mistake, does not pass.
    draw = np.random.default_rng(0)
    wrong = Counter()
    for _ in range(24 * 200):
        order = [0, 1, 2, 3]
        for i, j in enumerate(draw.integers(4, size=4)):
            order[i], order[j] = order[j], order[i]
        wrong[tuple(order)] += 1
    assert chi_square(wrong.values(), 200) > 58


def test_orders_of_neighbouring_epochs_and_seeds_have_nothing_in_common():
    """How many samples keep their place between two orders: 1 on average, with variance 1."""
    epochs = shuffling.orders(shuffling.keys(7, 0, 1001), 50)
    seeds = np.concatenate([shuffling.orders(shuffling.keys(seed, 0, 1), 50) for seed in range(1001)])
    for orders in (epochs, seeds, epochs.T[:, ::-1].T):
        fixed = (orders[1:] == orders[:-1]).sum(axis=1)
        assert abs(fixed.mean() - 1) < 5 / 1000**0.5


@given(
    seed=st.none() | st.integers(0, 2**80), first=st.integers(0, 10**6), counts=st.lists(st.integers(1, 5), min_size=1)
)
def test_keys_are_the_same_however_many_are_asked_for_at_once(seed, first, counts):
    manual_seed(3)
    together = shuffling.keys(seed, first, sum(counts))
    manual_seed(3)
    apart = [shuffling.keys(seed, first + sum(counts[:i]), count) for i, count in enumerate(counts)]
    assert together.dtype == np.uint64 and together.tobytes() == np.concatenate(apart).tobytes()


def test_these_orders_never_change():
    """An order that a seed gave once, it gives for ever: else no run of an earlier version could be repeated."""
    assert shuffling.orders(shuffling.keys(0, 0, 2), 8).tolist() == [[5, 7, 0, 1, 4, 2, 6, 3], [1, 3, 0, 6, 2, 4, 7, 5]]


def test_more_samples_than_can_be_shuffled_are_refused(monkeypatch):
    monkeypatch.setattr(shuffling, "MOST", 3)
    dataset = TensorDataset(np.zeros(4))
    DataLoader(dataset)
    with pytest.raises(ValueError, match="at most 3 samples can be shuffled, got 4"):
        DataLoader(dataset, shuffle=True)
