"""Batches: which samples, in which order, and every misuse named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lr
from tinygrad_lr.data import DataLoader, TensorDataset

INDICES = np.arange(10, dtype=np.int64)


def samples(loader):
    """The sample numbers of each batch of the next epoch."""
    return [batch[0].numpy().tolist() for batch in loader]


def loader_of(count, *args, **options):
    return DataLoader(TensorDataset(np.arange(count)), *args, **options)


@given(st.integers(1, 40), st.integers(1, 45), st.booleans(), st.booleans(), st.integers(0, 2**40), st.integers(0, 5))
def test_every_sample_comes_once_in_an_epoch(count, size, shuffle, drop_last, seed, epoch):
    if drop_last and size > count:
        size = count
    loader = loader_of(count, size, shuffle, drop_last=drop_last, seed=seed)
    loader.epoch = epoch
    batches = samples(loader)
    assert len(batches) == len(loader)
    seen = sum(batches, [])
    kept = count - count % size if drop_last else count
    assert len(seen) == len(set(seen)) == kept
    assert all(len(batch) == size for batch in batches[:-1])
    if not shuffle:
        assert seen == list(range(kept))


def test_the_tensors_of_a_batch_belong_together():
    inputs = np.arange(20.0, dtype=np.float32).reshape(10, 2)
    loader = DataLoader(TensorDataset(inputs, INDICES), 3, shuffle=True, seed=1)
    for batch, number in loader:
        assert np.array_equal(batch.numpy(), inputs[number.numpy()])
        assert batch.dtype == np.float32 and number.dtype == np.int64


@pytest.mark.parametrize("at_once", [1, 40, 10**6])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_are_the_same_however_many_are_gathered_at_once(monkeypatch, at_once, drop_last):
    loader = loader_of(23, 3, shuffle=True, seed=4, drop_last=drop_last)
    expected = loader.order(0).tolist()
    monkeypatch.setattr("tinygrad_lr.data.batches._GATHERED_AT_ONCE", at_once)
    batches = samples(loader)
    assert batches == [expected[i : i + 3] for i in range(0, 21, 3)] + ([] if drop_last else [expected[21:]])


def test_a_batch_is_a_copy():
    dataset = TensorDataset(np.zeros((4, 2), np.float32))
    for (batch,) in DataLoader(dataset, 2):
        batch.numpy()[...] = 7
    assert not dataset.tensors[0].numpy().any()


def test_the_order_depends_on_seed_and_epoch_alone():
    first, second = loader_of(100, 7, shuffle=True, seed=3), loader_of(100, 9, shuffle=True, seed=3)
    epochs = [sum(samples(first), []) for _ in range(4)]
    second.epoch = 2
    assert sum(samples(second), []) == epochs[2]
    assert len({tuple(epoch) for epoch in epochs}) == 4
    other_seed = loader_of(100, 7, shuffle=True, seed=4)
    assert sum(samples(other_seed), []) != epochs[0]


@pytest.mark.parametrize(("shuffle", "seed"), [(False, None), (True, 3), (True, None)])
def test_orders_are_those_of_as_many_epochs(shuffle, seed):
    loader = loader_of(23, 4, shuffle=shuffle, seed=seed)
    tinygrad_lr.manual_seed(5)
    loader.epoch = 2
    epochs = [sum(samples(loader), []) for _ in range(6)]
    tinygrad_lr.manual_seed(5)
    assert loader.orders(2, 6).tolist() == epochs


def test_without_a_seed_the_order_comes_from_manual_seed():
    loader = loader_of(100, 10, shuffle=True)
    tinygrad_lr.manual_seed(5)
    once = [samples(loader), samples(loader)]
    tinygrad_lr.manual_seed(5)
    assert [samples(loader), samples(loader)] == once
    assert once[0] != once[1]


def test_two_iterations_at_a_time_do_not_disturb_each_other():
    loader = loader_of(4, 2, shuffle=True, seed=0)
    pairs = list(zip(loader, loader, strict=True))
    loader.epoch = 0
    assert [batch[0].numpy().tolist() for batch, _ in pairs] == samples(loader)


def test_sizes_of_batches():
    assert len(loader_of(442, None)) == 1
    assert len(loader_of(309, 32)) == 10
    assert len(loader_of(309, 32, drop_last=True)) == 9
    assert len(loader_of(5, 1)) == 5
    assert loader_of(5, 1000).batch_size == 5
    assert repr(loader_of(5, 2)) == (
        "DataLoader(TensorDataset((5,)), batch_size=2, shuffle=False, drop_last=False, seed=None)"
    )


def test_a_dataset_gives_single_samples_and_keeps_tensors():
    inputs = tinygrad_lr.randn(5, 3)
    dataset = TensorDataset(inputs, INDICES[:5])
    assert dataset.tensors[0] is inputs
    row, number = dataset[3]
    assert np.array_equal(row.numpy(), inputs.numpy()[3]) and number.item() == 3


BAD = {
    "no tensors": (lambda: TensorDataset(), ValueError, "at least one tensor"),
    "lengths": (lambda: TensorDataset(np.zeros((3, 1)), np.zeros((4, 1))), ValueError, r"\(3, 1\), \(4, 1\)"),
    "0-d": (lambda: TensorDataset(np.float32(1)), ValueError, "first axes of one length"),
    "text": (lambda: TensorDataset(np.array(["a"])), TypeError, "a"),
    "not a dataset": (lambda: DataLoader([1, 2], 1), TypeError, r"TensorDataset\(x, y\)"),
    "empty": (lambda: loader_of(0, 1), ValueError, "the dataset is empty"),
    "batch size 0": (lambda: loader_of(3, 0), ValueError, "batch_size must be a whole number of at least 1, got 0"),
    "batch size 2.5": (lambda: loader_of(3, 2.5), TypeError, "batch_size must be a whole number .* got 2.5"),
    "batch size True": (lambda: loader_of(3, True), TypeError, "batch_size must be a whole number .* got True"),
    "nothing left": (lambda: loader_of(3, 4, drop_last=True), ValueError, "take a smaller batch_size"),
    "seed -1": (lambda: loader_of(3, 1, seed=-1), ValueError, "seed must be a whole number of at least 0"),
    "seed text": (lambda: loader_of(3, 1, seed="0"), TypeError, "seed must be a whole number of at least 0, got '0'"),
    "epoch -1": (
        lambda: setattr(loader_of(3, 1), "epoch", -1),
        ValueError,
        "epoch must be a whole number of at least 0",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_misuse_is_named(name):
    act, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        act()


@pytest.mark.skipif(not tinygrad_lr.cuda.is_available(), reason="needs CUDA or its simulator to place a tensor there")
def test_batches_lie_on_the_device_of_the_dataset():
    on_gpu = tinygrad_lr.tensor(np.arange(6.0)).to("cuda")
    batches = [batch for (batch,) in DataLoader(TensorDataset(on_gpu), 4)]
    assert [batch.device for batch in batches] == ["cuda", "cuda"]
    assert batches[1].to("cpu").tolist() == [4.0, 5.0]
    with pytest.raises(ValueError, match="one device, got cpu and cuda"):
        TensorDataset(on_gpu, np.arange(6))
