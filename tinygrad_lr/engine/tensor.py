"""Tensor: a NumPy array that remembers how it was computed, so that gradients can be asked for.

`apply` runs a row of the table of ops and, if a gradient may be asked for, leaves a node in the graph. A Tensor's
state is here; its operators and mathematical methods are in `operators.py`, what it shares with arrays in
`protocols.py`, its gradients in `gradients.py`.

Changing values in place is possible in four ways: assigning to `.data`, `t[...] = value`, `t += value`, and an
optimizer's step. All of them are noticed by `backward` where the graph needs the old values.

Next: `graph.py` for `backward`, `ops.py` and the tables for what can be computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .dtypes import ALLOWED, as_array, check_device, check_dtype, copy_into, to_device, to_host
from .gradients import Gradients, matching
from .graph import Node, expose, switch, tell
from .operators import Operators
from .ops import Op, describe, explained
from .protocols import Protocols
from .shapes import cast, clone

__all__ = ["Tensor", "adopt", "apply"]

Array = Any  # a NumPy array, or a device array on "cuda"
_ndarray = np.ndarray
_new = object.__new__


class Tensor(Operators, Gradients, Protocols):
    """An array with an optional gradient.

    Args:
        data: a number, nested lists, a NumPy array or a Tensor; always copied. Lists of floats become float32 and lists
            of whole numbers int64; arrays of float32, float64, int64 and bool keep their dtype.
        requires_grad: whether `backward` of what is computed from it shall fill `.grad`.
        dtype: "float32", "float64", "int64" or "bool"; by default that of the data.
        device: "cpu" or "cuda".

    Raises:
        TypeError: data or dtype of another kind, or `requires_grad` for whole numbers.
        ValueError: ragged lists, or an unknown device.
        RuntimeError: "cuda" where there is none.

    Example:
        >>> from tinygrad_lr import Tensor
        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> (w * w).sum().backward()
        >>> w.grad
        array([2., 4.], dtype=float32)
    """

    __slots__ = (
        "__weakref__",
        "_base",
        "_data",
        "_device",
        "_exposed",
        "_grad",
        "_grad_home",
        "_home",
        "_node",
        "_readers",
        "_requires_grad",
        "_version",
        "name",
    )

    name: str | None  # given by a Module
    _data: Array
    _device: str
    _requires_grad: bool
    _grad: Any
    _grad_home: Any  # None, or where an optimizer's arena wants the gradient
    _home: Any  # an optimizer's bookkeeping
    _node: Node | None  # how it was computed; None for a leaf
    _version: int  # counts the changes of the values
    _base: Tensor | None  # the Tensor whose memory this one shows
    _exposed: bool  # the raw array was handed out: it may change unnoticed
    _readers: dict[int, Any] | None  # weak references to the live nodes that need its values, by creation number

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None, device: str = "cpu") -> None:
        if isinstance(data, Tensor):
            tell(data, "a copy")
            data = to_host(data._data)
        array: Array = as_array(data, dtype)
        check_device(device)
        _fill(self, array if device == "cpu" else to_device(array), device)
        if requires_grad:
            self.requires_grad = True

    # --- values -----------------------------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array itself, shared. Assigning copies values of the same shape into it, cast to its dtype.

        Raises:
            ValueError: values of another shape are assigned.
        """
        tell(self, ".data")
        expose(self)
        return self._data

    @data.setter
    def data(self, values: Any) -> None:
        tell(self, "assigning to .data")
        copy_into(self._data, matching(values, self, "data"))
        self._changed()

    def numpy(self) -> np.ndarray[Any, Any]:
        """The array itself, shared with the Tensor.

        Raises:
            TypeError: the Tensor lies on a GPU; call `.to("cpu")` first.
        """
        if self._device != "cpu":
            raise TypeError("a NumPy array lies in the CPU's memory, and this Tensor on 'cuda'; use .to('cpu').numpy()")
        tell(self, ".numpy()")
        expose(self)
        return self._data

    def item(self) -> Any:
        """The only element, as a Python number.

        Raises:
            ValueError: there is not exactly one element.
        """
        if self._data.size != 1:
            raise ValueError(f"item() needs exactly one element, got shape {self.shape}; use .numpy() or .tolist()")
        tell(self, "as a Python number")
        return to_host(self._data).item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        tell(self, ".tolist()")
        return to_host(self._data).tolist()

    def _write(self, where: Any, values: Any, how: str) -> None:
        """Change values in place, and tell the graph."""
        tell(self, how)
        self._data[where] = values
        self._changed()

    def _changed(self) -> None:
        self._version += 1
        if self._base is not None:
            self._base._version += 1

    # --- relatives ----------------------------------------------------------------------------------------------------

    def detach(self) -> Tensor:
        """The same memory without the history: gradients stop here. In-place changes show in both."""
        out: Tensor = _fill(_new(Tensor), self._data, self._device)
        out._base = self if self._base is None else self._base
        if switch.watcher is not None:
            switch.watcher.detached(out, self)
        return out

    def clone(self) -> Tensor:
        """A copy with memory of its own; gradients flow through it."""
        return apply(clone, (self,))

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` and return the Tensor."""
        self.requires_grad = requires_grad
        return self

    # --- places -----------------------------------------------------------------------------------------------------

    def to(self, device_or_dtype: Any) -> Tensor:
        """This Tensor on another device or in another dtype; itself where nothing changes.

        Raises:
            ValueError, TypeError: neither a device nor an allowed dtype.
            RuntimeError: "cuda" where there is none, or a move of a Tensor that requires gradients.
        """
        if isinstance(device_or_dtype, str) and device_or_dtype in ("cpu", "cuda"):
            device = check_device(device_or_dtype)
            if device == self._device:
                return self
            if self._requires_grad and switch.recording:
                raise RuntimeError(
                    "a Tensor that requires gradients stays on its device; move a module with module.to(device), or a "
                    "copy without history with .detach().to(device)"
                )
            tell(self, "a move to another device")
            return adopt(to_device(self._data) if device == "cuda" else to_host(self._data), device)
        if isinstance(device_or_dtype, str) and ":" in device_or_dtype:
            check_device(device_or_dtype)
        dtype = check_dtype(device_or_dtype)
        return self if dtype == self.dtype else apply(cast, (self,), (dtype,))

    def __reduce__(self) -> Any:
        """Copying and pickling keep values, gradient, name and device of a leaf."""
        if self._node is not None:
            raise RuntimeError("only leaves can be pickled or deep-copied; call .detach() or .clone() first")
        tell(self, "a copy")
        grad = None if self._grad is None else to_host(self._grad).copy()
        state = (to_host(self._data).copy(), grad, self._requires_grad, self.name, self._device)
        return _rebuilt, (type(self), *state)

    # what operators.py and protocols.py need to know of this file

    @staticmethod
    def _adopted(array: Array) -> Tensor:
        return adopt(array)

    def _apply(self, op: Op, inputs: tuple[Tensor, ...], options: tuple[Any, ...] = ()) -> Tensor:
        return apply(op, inputs, options)

    def _operand(self, other: Any) -> Tensor:
        """`other` as a Tensor beside this one: Python numbers take its dtype as in NumPy, arrays keep theirs."""
        if isinstance(other, Tensor):
            return other
        data = self._data
        if isinstance(other, (np.ndarray, np.generic)):
            out: Tensor = _fill(_new(Tensor), other if type(other) is _ndarray else np.asarray(other), "cpu")
            if out._data.dtype not in ALLOWED:
                return Tensor(out._data)
            out._exposed = True
            return out
        if not isinstance(other, (int, float)):
            raise TypeError(
                f"expected a Tensor, a NumPy array or a real number beside a Tensor, got {type(other).__name__}"
            )
        dtype = data.dtype if data.dtype.kind == "f" else np.result_type(data.dtype, other)
        try:
            value: Array = np.array(other, dtype)
        except OverflowError as error:
            raise ValueError(f"the number {other} does not fit into {dtype}") from error
        return _fill(_new(Tensor), value if self._device == "cpu" else to_device(value), self._device)


def _fill(out: Any, array: Array, device: str) -> Any:
    """Give a blank Tensor its array and the state of a leaf that requires no gradient."""
    out._data = array
    out._device = device
    out._requires_grad = out._exposed = False
    out._version = 0
    out._node = out._base = out._readers = out._grad = out._grad_home = out._home = out.name = None
    return out


def adopt(array: Array, device: str = "cpu") -> Tensor:
    """A Tensor over an array of an allowed dtype that nobody else holds, without copying it."""
    if array.dtype not in ALLOWED:
        raise TypeError(f"a Tensor holds float32, float64, int64 or bool, got {array.dtype}")
    return _fill(_new(Tensor), array, device)


def apply(op: Op, inputs: Sequence[Tensor], options: tuple[Any, ...] = ()) -> Tensor:
    """Run a row of the table of ops, and record it where a gradient may be asked for."""
    arrays = []
    mask, bit, device = 0, 1, "cpu"
    for tensor in inputs:
        arrays.append(tensor._data)
        if tensor._requires_grad:
            mask += bit
        bit += bit
        if tensor._device != "cpu":
            device = tensor._device
    if device != "cpu":
        op = op.for_device([tensor._device for tensor in inputs])
    try:
        value = op.forward(*arrays, *options)
    except (ValueError, IndexError, TypeError) as error:
        raise explained(op, arrays, error) from error
    kept = None
    if op.keeps:
        value, kept = value
    if type(value) is not _ndarray and device == "cpu":
        value = np.asarray(value)
    out: Tensor = _fill(_new(Tensor), value, device)
    if op.view and value.base is not None and np.may_share_memory(value, arrays[0]):
        source = inputs[0]
        out._base = source if source._base is None else source._base
    if mask and switch.recording:
        out._requires_grad = True
        out._node = Node(op, mask, inputs, arrays, options, out, kept)
    elif value.dtype not in ALLOWED:
        raise TypeError(f"{op.name}: the result would be {value.dtype}; convert the inputs first ({describe(arrays)})")
    elif switch.watcher is not None:
        switch.watcher.unrecorded(Node(op, 0, inputs, arrays, options, out, kept), out)
    return out


def _rebuilt(kind: type, values: Array, grad: Array, requires_grad: bool, name: str | None, device: str) -> Tensor:
    out = _fill(_new(kind), values if device == "cpu" else to_device(values), check_device(device))
    out._requires_grad, out.name = requires_grad, name
    out.grad = grad
    return out
