"""What a Tensor shares with arrays and other Python objects: shape and dtype, comparisons, len, iteration, conversion.

Next: `operators.py` for what computes, `tensor.py` for the state behind both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .dtypes import to_host
from .graph import tell
from .ops import describe

if TYPE_CHECKING:
    from .graph import Node
    from .tensor import Tensor

__all__ = ["Protocols"]


class Protocols:
    """The part of `Tensor` that computes nothing."""

    __slots__ = ()

    if TYPE_CHECKING:
        _adopted: Any
        _operand: Any
        _data: Any
        _device: str
        _requires_grad: bool
        _node: Node | None
        item: Any
        numpy: Any

        def __getitem__(self, where: Any) -> Tensor: ...

    __array_priority__ = 1000
    __array_ufunc__ = None  # array * tensor is left to Tensor.__rmul__

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32, float64, int64 or bool."""
        return self._data.dtype

    @property
    def device(self) -> str:
        """ "cpu" or "cuda"."""
        return self._device

    def size(self, axis: int | None = None) -> Any:
        """The shape, or the length of one axis, as in torch."""
        return self.shape if axis is None else self.shape[axis]

    def numel(self) -> int:
        """How many elements there are."""
        return int(self._data.size)

    @property
    def is_leaf(self) -> bool:
        """Whether it was created rather than computed; only leaves keep gradients."""
        return self._node is None

    # --- Python's protocols -----------------------------------------------------------------------------------------

    __hash__ = object.__hash__

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a 0-d Tensor has no length; use .item() for its value")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind != "i" or self.shape:
            raise TypeError(f"only a 0-d int64 Tensor can be used as an index, got {describe((self._data,))}")
        return int(self.item())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        tell(self, "as an array of NumPy")
        if copy or self._device != "cpu" or (dtype is not None and np.dtype(dtype) != self.dtype):
            return np.array(to_host(self._data), dtype)
        return self.numpy()

    def __repr__(self) -> str:
        values = np.array2string(to_host(self._data), separator=", ", prefix="tensor(", threshold=1000)
        notes = []
        if self.dtype.name in ("float64",) or (self.dtype.kind == "i" and not self._data.size):
            notes.append(f"dtype={self.dtype}")
        if self._device != "cpu":
            notes.append(f"device='{self._device}'")
        if self._node is not None:
            notes.append(f"computed by {self._node.op.name}")
        elif self._requires_grad:
            notes.append("requires_grad=True")
        return f"tensor({', '.join([values, *notes])})"

    # --- comparisons: booleans without gradients --------------------------------------------------------------------

    def __eq__(self, other: Any) -> Any:
        return self._compare(np.equal, other)

    def __ne__(self, other: Any) -> Any:
        return self._compare(np.not_equal, other)

    def __lt__(self, other: Any) -> Any:
        return self._compare(np.less, other)

    def __le__(self, other: Any) -> Any:
        return self._compare(np.less_equal, other)

    def __gt__(self, other: Any) -> Any:
        return self._compare(np.greater, other)

    def __ge__(self, other: Any) -> Any:
        return self._compare(np.greater_equal, other)

    def _compare(self, ufunc: Any, other: Any) -> Any:
        if not isinstance(other, (Protocols, np.ndarray, np.generic, int, float)):
            return NotImplemented
        operand = self._operand(other)
        tell(self, "a comparison")
        tell(operand, "a comparison")
        a, b = to_host(self._data), to_host(operand._data)
        try:
            return self._adopted(np.asarray(ufunc(a, b)))
        except ValueError as error:
            raise ValueError(f"comparison: {error}; the shapes must broadcast") from error
