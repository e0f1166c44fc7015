"""The batches of compiled steps: those of a DataLoader, or one batch that is written anew for each step.

In both cases a batch consists of rows of tables: those at order[start], order[start + 1], ... Next: updates.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lr.data.batches import DataLoader
from tinygrad_lr.engine.tensor import Tensor

from .refusal import CannotCompile, refuse_overridden

__all__ = ["Batches", "HeldBatch", "LoaderBatches"]

OWN_METHODS = ("__iter__", "__len__", "order", "orders", "keys", "_batches")


@dataclass
class Batches:
    """The tables and batches that a program is written for.

    Attributes:
        tables: the dataset's tensors as arrays with two axes, a row for each sample.
        copied: for each table, whether it is a copy, because the tensor is not contiguous.
        kinds: an entry for full batches and, if the last batch is short, one for that: a prefix of names, the number
            of rows, and a batch to trace.
    """

    tables: list[np.ndarray]
    copied: list[bool]
    kinds: list[tuple[str, int, list[np.ndarray]]]
    order: np.ndarray
    in_epoch: int
    shuffles: bool
    about: str


class LoaderBatches:
    """The batches of a DataLoader, which may change between runs.

    Raises:
        CannotCompile: a loader that makes batches in its own way, or whose dataset lies on a GPU.
        ValueError: a dataset whose tensors have other lengths than it says.
    """

    def __init__(self, loader: DataLoader) -> None:
        refuse_overridden(loader, DataLoader, OWN_METHODS)
        self.loader = loader

    def signature(self) -> tuple[Any, ...]:
        """What a program for these batches depends on; the arrays in its list are compared by identity."""
        loader = self.loader
        arrays = [tensor._data for tensor in loader.dataset.tensors]
        return arrays, len(loader), loader.batch_size, loader.drop_last, loader.shuffle

    def batches(self) -> Batches:
        loader, samples = self.loader, len(self.loader.dataset)
        tensors, size = loader.dataset.tensors, min(loader.batch_size, samples)
        if any(tensor.shape[:1] != (samples,) for tensor in tensors):
            shapes = ", ".join(str(tensor.shape) for tensor in tensors)
            raise ValueError(f"the dataset has {samples} samples, and tensors of shapes {shapes}")
        arrays = _on_the_cpu(tensors)
        tables = [np.ascontiguousarray(array).reshape(samples, -1) for array in arrays]
        copied = [not np.may_share_memory(a, t) and a.size > 0 for a, t in zip(arrays, tables, strict=True)]
        in_epoch = len(loader)
        short = 0 if loader.drop_last or in_epoch == 1 else samples % size
        kinds = [(prefix, n, [array[:n] for array in arrays]) for prefix, n in (("", size), ("short_", short)) if n]
        about = f"batches of {size}"
        return Batches(tables, copied, kinds, np.arange(samples), in_epoch, loader.shuffle, about)

    def settings(self) -> dict[str, Any]:
        """What the model must not change."""
        return {f"the loader's {name.lstrip('_')}": value for name, value in vars(self.loader).items()}

    def refresh(self, batches: Batches) -> None:
        """Copy the tensors again that are not contiguous."""
        for tensor, table, copied in zip(self.loader.dataset.tensors, batches.tables, batches.copied, strict=True):
            if copied:
                table[...] = tensor._data.reshape(table.shape)

    @contextmanager
    def at_another_step(self) -> Iterator[None]:
        before = self.loader._epoch
        self.loader._epoch += 1
        try:
            yield
        finally:
            self.loader._epoch = before


class HeldBatch:
    """One batch of tensors of any shapes. Its arrays stay; `hold` writes new values into them."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.arrays = [np.array(array, order="C") for array in _on_the_cpu(tensors)]

    def signature(self) -> tuple[Any, ...]:
        return ([],)

    def batches(self) -> Batches:
        tables = [array.reshape(1, -1) for array in self.arrays]
        about = "a batch of shapes " + ", ".join(str(array.shape) for array in self.arrays)
        return Batches(tables, [False] * len(tables), [("", 1, self.arrays)], np.zeros(1, np.int64), 1, False, about)

    def settings(self) -> dict[str, Any]:
        return {}

    def hold(self, tensors: Sequence[Tensor]) -> None:
        for own, new in zip(self.arrays, tensors, strict=True):
            own[...] = new._data

    def refresh(self, batches: Batches) -> None:
        pass

    @contextmanager
    def at_another_step(self) -> Iterator[None]:
        yield


def _on_the_cpu(tensors: Sequence[Tensor]) -> list[np.ndarray]:
    if any(tensor.device != "cpu" for tensor in tensors):
        raise CannotCompile("compiled training runs on the CPU; move the dataset with .to('cpu')")
    return [tensor._data for tensor in tensors]
