"""A Tensor's operators and mathematical methods: each is one row of the tables, or a few.

Arithmetic broadcasts and promotes dtypes as NumPy does; a Python number takes the dtype of the Tensor beside it.

In place: `t += x` on a leaf that requires gradients is a RuntimeError outside `no_grad` and changes the values inside
it, as in torch. Where gradients are recorded otherwise, `t += x` is `t = t + x`: a new Tensor, so that `total += loss`
works; unlike in torch, other names for the old Tensor keep the old values. `t[...] = x` cannot be replaced by a new
Tensor and is therefore an error while gradients are recorded.

Next: `tensor.py` for the state behind these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import elementwise, products, shapes
from .graph import switch, tell

if TYPE_CHECKING:
    from .tensor import Tensor

__all__ = ["Operators"]

_IN_PLACE = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.true_divide, "pow": np.power}


class Operators:
    """The part of `Tensor` that computes."""

    __slots__ = ()

    if TYPE_CHECKING:
        _apply: Any
        _operand: Any
        _write: Any
        _data: Any
        _requires_grad: bool
        _node: Any
        _device: str

    # --- arithmetic -------------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Tensor:
        return self._apply(elementwise.add, (self, self._operand(other)))

    def __radd__(self, other: Any) -> Tensor:
        return self._apply(elementwise.add, (self._operand(other), self))

    def __sub__(self, other: Any) -> Tensor:
        return self._apply(elementwise.sub, (self, self._operand(other)))

    def __rsub__(self, other: Any) -> Tensor:
        return self._apply(elementwise.sub, (self._operand(other), self))

    def __mul__(self, other: Any) -> Tensor:
        return self._apply(elementwise.mul, (self, self._operand(other)))

    def __rmul__(self, other: Any) -> Tensor:
        return self._apply(elementwise.mul, (self._operand(other), self))

    def __truediv__(self, other: Any) -> Tensor:
        return self._apply(elementwise.div, (self, self._operand(other)))

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._apply(elementwise.div, (self._operand(other), self))

    def __pow__(self, other: Any) -> Tensor:
        return self._apply(elementwise.pow_, (self, self._operand(other)))

    def __rpow__(self, other: Any) -> Tensor:
        return self._apply(elementwise.pow_, (self._operand(other), self))

    def __matmul__(self, other: Any) -> Tensor:
        return self._apply(products.matmul, (self, self._operand(other)))

    def __rmatmul__(self, other: Any) -> Tensor:
        return self._apply(products.matmul, (self._operand(other), self))

    def __neg__(self) -> Tensor:
        return self._apply(elementwise.neg, (self,))

    def __pos__(self) -> Tensor:
        return self  # type: ignore[return-value]

    def __abs__(self) -> Tensor:
        return self._apply(elementwise.abs_, (self,))

    # --- functions --------------------------------------------------------------------------------------------------

    def exp(self) -> Tensor:
        """e to the power of each element."""
        return self._apply(elementwise.exp, (self,))

    def log(self) -> Tensor:
        """The natural logarithm of each element."""
        return self._apply(elementwise.log, (self,))

    def sqrt(self) -> Tensor:
        """The square root of each element."""
        return self._apply(elementwise.sqrt, (self,))

    def abs(self) -> Tensor:
        """The magnitude of each element; its derivative at 0 is declared 0."""
        return self._apply(elementwise.abs_, (self,))

    def relu(self) -> Tensor:
        """max(x, 0) of each element; its derivative at 0 is declared 0."""
        return self._apply(elementwise.relu, (self,))

    def tanh(self) -> Tensor:
        """The hyperbolic tangent of each element."""
        return self._apply(elementwise.tanh, (self,))

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x)) of each element, without overflow for any x."""
        return self._apply(elementwise.sigmoid, (self,))

    def maximum(self, other: Any) -> Tensor:
        """The larger of two, element by element; a tie shares the gradient equally."""
        return self._apply(elementwise.maximum, (self, self._operand(other)))

    # --- reductions and shapes --------------------------------------------------------------------------------------

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """The sum of all elements, or along one axis or several."""
        return self._apply(shapes.sum_, (self,), (_axes(axis), keepdims))

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """The mean of all elements, or along one axis or several. ValueError where there are no elements."""
        return self._apply(shapes.mean, (self,), (_axes(axis), keepdims))

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape, given as numbers or a tuple; one length may be -1."""
        return self._apply(shapes.reshape, (self,), (_flat(shape),))

    def permute(self, *axes: Any) -> Tensor:
        """The axes in another order, given as numbers or a tuple."""
        return self._apply(shapes.permute, (self,), (_flat(axes),))

    def transpose(self, axis0: int, axis1: int) -> Tensor:
        """Two axes exchanged, as in torch (NumPy's transpose is `permute`)."""
        ndim = self._data.ndim
        if not all(isinstance(k, (int, np.integer)) and -ndim <= k < ndim for k in (axis0, axis1)):
            raise ValueError(f"transpose: expected two axes of {ndim}, got {axis0!r} and {axis1!r}")
        axes = list(range(ndim))
        axes[axis0], axes[axis1] = axes[axis1], axes[axis0]
        return self._apply(shapes.permute, (self,), (tuple(axes),))

    @property
    def T(self) -> Tensor:
        """All axes in reverse order."""
        return self._apply(shapes.permute, (self,), (None,))

    # --- elements ---------------------------------------------------------------------------------------------------

    def __getitem__(self, where: Any) -> Tensor:
        return self._apply(shapes.index, (self,), (_index(where, copy=True),))

    def __setitem__(self, where: Any, value: Any) -> None:
        value = self._operand(value)
        self._refuse_recorded(value, "t[...] = value")
        tell(value, "t[...] = value")
        if self._device != "cpu":
            raise NotImplementedError("t[...] = value is not implemented on 'cuda'; assign to .data instead")
        try:
            self._write(_index(where, copy=False), value._data, "t[...] = value")
        except (ValueError, IndexError) as error:
            raise type(error)(f"t[...] = value: {error} (t has shape {self._data.shape})") from error

    def __iadd__(self, other: Any) -> Any:
        return self._in_place(elementwise.add, other)

    def __isub__(self, other: Any) -> Any:
        return self._in_place(elementwise.sub, other)

    def __imul__(self, other: Any) -> Any:
        return self._in_place(elementwise.mul, other)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place(elementwise.div, other)

    def __ipow__(self, other: Any) -> Any:  # type: ignore[misc]
        return self._in_place(elementwise.pow_, other)

    def _in_place(self, op: Any, other: Any) -> Any:
        operand = self._operand(other)
        if switch.recording and (self._requires_grad or operand._requires_grad):
            if self._requires_grad and self._node is None:
                self._refuse_recorded(operand, f"in-place {op.name}")
            return self._apply(op, (self, operand))
        tell(operand, f"in-place {op.name}")
        if self._device != "cpu":
            raise NotImplementedError(f"in-place {op.name} is not implemented on 'cuda'; assign to .data instead")
        try:
            values = _IN_PLACE[op.name](self._data, operand._data)
            if not np.can_cast(values.dtype, self._data.dtype, "same_kind") or values.shape != self._data.shape:
                raise TypeError(f"the result would be {values.dtype} of shape {values.shape}")
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"in-place {op.name} into {self._data.dtype} of shape {self._data.shape}: {error}; "
                "write t = t + x (or - * / **) to make a new Tensor"
            ) from error
        self._write(Ellipsis, values, f"in-place {op.name}")
        return self

    def _refuse_recorded(self, value: Tensor, what: str) -> None:
        if switch.recording and (self._requires_grad or value._requires_grad):
            raise RuntimeError(
                f"{what} would change values whose gradient is being recorded; "
                "do it inside `with no_grad():`, or compute a new Tensor"
            )


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _flat(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    """reshape(2, 3) and reshape((2, 3)) mean the same."""
    if len(numbers) == 1 and isinstance(numbers[0], (tuple, list)):
        return tuple(numbers[0])
    return numbers


def _index(where: Any, copy: bool) -> Any:
    """An index as NumPy takes it: Tensors become arrays, and arrays are copied so that later changes do not matter."""
    if isinstance(where, tuple):
        return tuple(_index(part, copy) for part in where)
    if isinstance(where, Operators):
        tell(where, "as an index")
        where = where._data
    if isinstance(where, list):
        where = np.array(where) if where else np.array([], np.int64)
    return where.copy() if copy and isinstance(where, np.ndarray) else where
