"""`TensorDataset` holds tensors of equal length; `DataLoader` gives batches of them.

A batch costs one gather for each tensor and no Python for each sample. With a seed, the order of epoch e depends on
(seed, e) alone, so a run resumed at an epoch sees the batches of the uninterrupted run. Next: training/fitting.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.engine.dtypes import to_device
from tinygrad_lr.engine.on_cuda import take_rows
from tinygrad_lr.engine.recording import notify
from tinygrad_lr.engine.tensor import Tensor, adopt
from tinygrad_lr.integers import whole_number

from . import shuffling

__all__ = ["DataLoader", "TensorDataset"]

_GATHERED_AT_ONCE = 2**18  # bytes: small batches are views of one gather, large ones have a gather each


class TensorDataset:
    """Samples: tensors whose first axes have the same length.

    Args:
        tensors: Tensors or arrays of shape (samples, ...), of any dtype that a Tensor can have, all on one device.

    Raises:
        ValueError: no tensors, a tensor without axes, or first axes of different lengths.

    Example:
        >>> import tinygrad_lr
        >>> dataset = TensorDataset(tinygrad_lr.zeros(100, 10), tinygrad_lr.zeros(100, 1))
        >>> len(dataset)
        100
        >>> inputs, target = dataset[3]
        >>> inputs.shape, target.shape
        ((10,), (1,))
    """

    def __init__(self, *tensors: Any) -> None:
        if not tensors:
            raise ValueError("a TensorDataset needs at least one tensor, usually the inputs and the targets")
        self.tensors = tuple(each if isinstance(each, Tensor) else Tensor(each) for each in tensors)
        shapes = [each.shape for each in self.tensors]
        if any(not shape for shape in shapes) or len({shape[0] for shape in shapes}) != 1:
            raise ValueError(
                "the tensors of a dataset must have first axes of one length, the number of samples; "
                f"got shapes {', '.join(map(str, shapes))}"
            )
        devices = sorted({each.device for each in self.tensors})
        if len(devices) != 1:
            raise ValueError(f"the tensors of a dataset must lie on one device, got {' and '.join(devices)}")

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(each.detach()[index] for each in self.tensors)

    def __repr__(self) -> str:
        return f"TensorDataset({', '.join(str(each.shape) for each in self.tensors)})"


class DataLoader:
    """Gives the batches of a dataset. One iteration over it is one epoch.

    A batch is a tuple of new Tensors, one for each of the dataset, on its device and without gradients.

    Args:
        dataset: a TensorDataset.
        batch_size: samples in a batch, at least 1 (1: stochastic descent, one sample at a time). None: the whole
            dataset in one batch. The last batch is smaller where the division leaves a remainder.
        shuffle: whether each epoch has an order of its own.
        drop_last: leave out a last batch that is smaller.
        seed: a non-negative integer. The order of epoch e is then a function of (seed, e) and nothing else. None:
            each epoch draws its order from tinygrad_lr's generator (see `tinygrad_lr.manual_seed`).

    Attributes:
        epoch: the number, from 0, of the epoch that the next iteration gives. It advances when an iteration begins,
            and it may be assigned.

    Raises:
        TypeError: not a TensorDataset; a batch size or seed that is no integer; shuffle or drop_last that is no bool.
        ValueError: no samples, a batch size below 1, or fewer samples than a batch with drop_last.

    Example:
        >>> dataset = TensorDataset(np.arange(5, dtype=np.float32))
        >>> loader = DataLoader(dataset, batch_size=2, shuffle=True, seed=0)
        >>> len(loader), [len(batch) for (batch,) in loader]
        (3, [2, 2, 1])
        >>> loader.epoch = 7
        >>> once = [batch.data.tolist() for (batch,) in loader]
        >>> loader.epoch = 7
        >>> once == [batch.data.tolist() for (batch,) in loader]
        True
    """

    def __init__(
        self,
        dataset: TensorDataset,
        batch_size: int | None = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        seed: int | None = None,
    ) -> None:
        if not isinstance(dataset, TensorDataset):
            raise TypeError(
                f"a DataLoader reads a TensorDataset, got {type(dataset).__name__}; wrap it: TensorDataset(x, y)"
            )
        shuffle, drop_last = true_or_false("shuffle", shuffle), true_or_false("drop_last", drop_last)
        samples = len(dataset)
        if samples == 0:
            raise ValueError("the dataset is empty: there are no samples to make batches of")
        size = samples if batch_size is None else whole_number("batch_size", batch_size, least=1)
        if drop_last and size > samples:
            raise ValueError(
                f"drop_last leaves nothing: the dataset has {samples} samples and batch_size is {size}; "
                "take a smaller batch_size"
            )
        if shuffle and samples > shuffling.MOST:
            raise ValueError(f"at most {shuffling.MOST} samples can be shuffled, got {samples}; take shuffle=False")
        self.dataset = dataset
        self.batch_size = min(size, samples)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = None if seed is None else whole_number("seed", seed, least=0)
        self.epoch = 0
        self._drawn: tuple[int, int] | None = None  # without a seed: the last epoch whose key was drawn, and the key
        self._begun: tuple[int, int] | None = None  # the same of an epoch that is to go on in the order it had

    @property
    def epoch(self) -> int:
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = whole_number("epoch", epoch, least=0)

    def __len__(self) -> int:
        """Batches in an epoch."""
        samples = len(self.dataset)
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """The order of the samples in an epoch, an int64 array of shape (samples,).

        With shuffle and without a seed, every call draws another order.
        """
        return self.orders(epoch, 1)[0]

    def orders(self, first: int, count: int) -> np.ndarray:
        """The orders of `count` epochs from `first` on, an int64 array of shape (count, samples).

        Example:
            >>> loader = DataLoader(TensorDataset(np.zeros(4)), shuffle=True, seed=0)
            >>> bool((loader.orders(5, 2) == [loader.order(5), loader.order(6)]).all())
            True
        """
        samples = len(self.dataset)
        return shuffling.orders(self.keys(first, count), samples) if self.shuffle else _in_order(count, samples)

    def keys(self, first: int, count: int) -> np.ndarray:
        """The keys of the orders of `count` epochs from `first` on, uint64; without shuffle they are zeros.

        kernels/ops/shuffle.py makes an order from a key. With shuffle and without a seed, every call draws other keys.
        """
        if not self.shuffle or not count:
            return np.zeros(count, np.uint64)
        if self.seed is not None:
            return shuffling.keys(self.seed, first, count)
        begun, self._begun = self._begun, None
        known = [begun[1]] if begun is not None and begun[0] == first else []
        drawn = shuffling.keys(None, first, count - len(known))
        found = np.concatenate([np.array(known, np.uint64), drawn])
        self._drawn = (first + count - 1, int(found[-1]))
        return found

    def drawn_key(self, epoch: int) -> int | None:
        """The key that was drawn for an epoch, if it is the last one; None too where the order needs no key."""
        known = [each[1] for each in (self._begun, self._drawn) if each is not None and each[0] == epoch]
        return known[0] if known and self.shuffle and self.seed is None else None

    def go_on(self, epoch: int, key: int | None) -> None:
        """Give an epoch the order of a key that `drawn_key` returned, the next time it is asked for."""
        self._begun = None if key is None else (epoch, key)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        # Not a generator: the epoch advances and the order is drawn when iteration begins.
        order = self.order(self._epoch)
        self._epoch += 1
        return self._batches(order)

    def _batches(self, order: np.ndarray) -> Iterator[tuple[Tensor, ...]]:
        size = self.batch_size
        device = self.dataset.tensors[0].device
        for each in self.dataset.tensors:
            notify(each, "batches of a DataLoader")
        if device == "cuda":
            yield from self._batches_on_cuda(order)
            return
        arrays = [each._data for each in self.dataset.tensors]
        bytes_of_a_batch = max(array.nbytes // len(order) for array in arrays) * size
        together = size * max(1, _GATHERED_AT_ONCE // max(bytes_of_a_batch, 1))
        end = min(len(self) * size, len(order))
        for start in range(0, end, together):
            chosen = order[start : min(start + together, end)]
            gathered = [array.take(chosen, 0) for array in arrays]
            for low in range(0, len(chosen), size):
                yield tuple([adopt(array[low : low + size]) for array in gathered])

    def _batches_on_cuda(self, order: np.ndarray) -> Iterator[tuple[Tensor, ...]]:
        """The same, gathered on the device: only the order crosses to it, once an epoch."""
        size, rows = self.batch_size, to_device(order)
        for low in range(0, len(self) * size, size):
            chosen = rows[low : min(low + size, order.size)]
            yield tuple([adopt(take_rows(each._data, chosen), "cuda") for each in self.dataset.tensors])

    def __repr__(self) -> str:
        return (
            f"DataLoader({self.dataset!r}, batch_size={self.batch_size}, shuffle={self.shuffle}, "
            f"drop_last={self.drop_last}, seed={self.seed})"
        )


def _in_order(count: int, samples: int) -> np.ndarray:
    return np.tile(np.arange(samples, dtype=np.int64), (count, 1))
