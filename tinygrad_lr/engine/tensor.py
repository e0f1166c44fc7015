"""Tensor: an array that remembers how it was computed, so that gradients can be asked for.

`apply` runs a row of the table of ops and, where a gradient may be asked for, leaves a node in the graph. Most methods
of a Tensor are a row of the table each. The class reads in this order: its state, values, gradients, devices and
dtypes, arithmetic, functions, reductions and shapes, elements and changes in place, comparisons, NumPy, and Python's
protocols.

Arithmetic broadcasts as in NumPy and promotes dtypes as in torch. A number of Python or NumPy takes the dtype of the
Tensor beside it, float32 where that holds whole numbers and the number is a float. Float32 and whole numbers give
float32, and so do quotients and functions of whole numbers. Arrays and Tensors of float64 with axes give float64; those
without axes do not raise float32 (`dtypes.result_dtype`).

Values change in place in four ways: by assigning to `.data`, by `t[...] = value`, by `t += value`, and by a step of an
optimizer. `backward` notices all of them where the graph needs the old values (`saved.py`).

While gradients are recorded, `t += x` on a leaf that requires gradients is a RuntimeError, as in torch. On other
Tensors with a gradient it is `t = t + x`: a new Tensor, so that `total += loss` works. Unlike in torch, other names for
the old Tensor keep the old values. `t[...] = x` cannot be replaced by a new Tensor, and is an error where a gradient is
recorded.

Next: `graph.py` for `backward`, `ops.py` and the tables for what can be computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple, TypeAlias, TypeVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.integers import shown, whole_number

from . import elementwise, on_cuda, products, shapes, softmax
from .absent import ABSENT, Absent
from .dtypes import (
    ALLOWED,
    Array,
    as_array,
    check_device,
    check_dtype,
    copy_into,
    float32,
    float64,
    refuse_masked,
    result_dtype,
    to_device,
    to_host,
)
from .graph import Node, backward
from .ops import OPS, Op, describe, explained
from .questions import COMPARISONS, QUESTIONS
from .recording import notify, switch
from .saved import Seen, changed, expose

__all__ = ["FUNCTIONS", "Operand", "Tensor", "ValuesAndIndices", "adopt", "apply", "as_tensor", "ask", "beside"]
__all__ += ["destination"]

Number: TypeAlias = float  # inside the class, `float` is a method
Operand: TypeAlias = "Tensor | np.ndarray[Any, Any] | np.generic | float"  # what may stand beside a Tensor
Axes: TypeAlias = "int | Sequence[int] | None"
_Kind = TypeVar("_Kind", bound="Tensor")

_ndarray = np.ndarray
_new = object.__new__
_ONE = {dtype: np.ones((), dtype) for dtype in (float32, float64)}
_IN_PLACE: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "pow": np.power,
    "remainder": elementwise.remainder.forward,
    "floor_divide": elementwise.floor_divide.forward,
}
FUNCTIONS: dict[Any, Callable[..., Any]] = {}  # NumPy's functions that give a Tensor: numpy_functions.py fills it


class ValuesAndIndices(NamedTuple):
    """What `max(dim)`, `min(dim)`, `median(dim)`, `sort` and `topk` give: elements, and where they stood (int64)."""

    values: Tensor
    indices: Tensor


class Tensor:
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
        "_grad_slot",
        "_slot",
        "_node",
        "_requires_grad",
        "_saved",
        "_seen",
        "_version",
        "_views",
        "name",
    )

    name: str | None  # given by a Module
    _data: Array
    _device: str
    _requires_grad: bool
    _grad: Array | None
    _grad_slot: Array  # where an optimizer wants the gradient to be written, or None
    _slot: Any  # an optimizer's bookkeeping
    _node: Node[Tensor] | None  # how it was computed; None for a leaf
    _base: Tensor | None  # the Tensor whose memory this one shows
    # the state of the guards against changes in place: saved.py says what each means
    _version: int
    _exposed: bool
    _seen: Seen | None
    _saved: bool
    _views: WeakValueDictionary[int, Tensor] | None

    def __init__(
        self, data: Any, requires_grad: bool = False, dtype: DTypeLike | None = None, device: str = "cpu"
    ) -> None:
        if isinstance(data, Tensor):
            notify(data, "a copy")
            data = to_host(data._data)
        array = as_array(data, dtype)
        check_device(device)
        _fill(self, array if device == "cpu" else to_device(array), device)
        if requires_grad is not False:
            if isinstance(requires_grad, (int, np.integer)) and requires_grad is not True:
                raise TypeError(
                    f"requires_grad must be True or False, got {requires_grad!r}; for a Tensor of a shape write "
                    "zeros(2, 3), and for one of values tensor([2, 3])"
                )
            self.requires_grad = requires_grad

    # --- what it is ---------------------------------------------------------------------------------------------------

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

    def size(self, axis: int | None = None, *, dim: int | None = None) -> Any:
        """The shape, or the length of one axis (`dim` is torch's name for it), as in torch."""
        axis = _either("axis", axis, "dim", dim)
        return self.shape if axis is None else self.shape[axis]

    def dim(self) -> int:
        """The number of axes."""
        return len(self._data.shape)

    def numel(self) -> int:
        """How many elements there are."""
        return int(self._data.size)

    nelement = numel

    @property
    def is_leaf(self) -> bool:
        """Whether it was created rather than computed; only leaves keep gradients."""
        return self._node is None

    # --- values -------------------------------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array itself, shared. Assigning copies values of the same shape into it, cast to its dtype.

        Raises:
            ValueError: values of another shape are assigned.
        """
        notify(self, ".data")
        expose(self)
        return self._data

    @data.setter
    def data(self, values: ArrayLike | Tensor) -> None:
        notify(self, "assigning to .data")
        copy_into(self._data, _matching(values, self, "data"))
        changed(self)

    def numpy(self) -> np.ndarray[Any, Any]:
        """The array itself, shared with the Tensor.

        Raises:
            TypeError: the Tensor lies on a GPU; call `.to("cpu")` first.
        """
        if self._device != "cpu":
            raise TypeError("a NumPy array lies in the CPU's memory, and this Tensor on 'cuda'; use .to('cpu').numpy()")
        notify(self, ".numpy()")
        expose(self)
        return self._data

    def item(self) -> Any:
        """The only element, as a Python number.

        Raises:
            ValueError: there is not exactly one element.
        """
        if self._data.size != 1:
            raise ValueError(f"item() needs exactly one element, got shape {self.shape}; use .numpy() or .tolist()")
        notify(self, "as a Python number")
        return to_host(self._data).item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        notify(self, ".tolist()")
        return to_host(self._data).tolist()

    def detach(self) -> Tensor:
        """The same memory without the history: gradients stop here. Changes in place show in both."""
        out = _fill(_new(Tensor), self._data, self._device)
        out._base = self if self._base is None else self._base
        if switch.watcher is not None:
            switch.watcher.detached(out, self)
        return out

    def clone(self) -> Tensor:
        """A copy with memory of its own; gradients flow through it."""
        return apply(shapes.clone, (self,))

    # --- gradients ----------------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to it. Assigning is possible on leaves of floating-point dtype.

        Raises:
            TypeError: neither True nor False; whole numbers or booleans cannot require gradients.
            RuntimeError: it was computed from tensors that require gradients; use `.detach()`.
        """
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        value = true_or_false("requires_grad", value)
        if value and self._data.dtype.kind != "f":
            raise TypeError(
                f"only float32 and float64 Tensors can require gradients, got {self.dtype}; "
                "convert it with .to('float32')"
            )
        if self._node is not None and not value:
            raise RuntimeError("requires_grad can be switched off for leaves only; use .detach() for a computed Tensor")
        self._requires_grad = value

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` and return the Tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> Array | None:
        """The gradient: None, or an array of the Tensor's shape and dtype. Assign an array, a Tensor or None.

        Raises:
            ValueError: a gradient of another shape is assigned.
        """
        return self._grad

    @grad.setter
    def grad(self, values: ArrayLike | Tensor | None) -> None:
        if values is None:
            self._grad = None
            return
        notify(self, "assigning to .grad")
        array = _matching(values, self, "grad")
        if self._grad_slot is None:
            self._grad = array.copy() if self._device == "cpu" else to_device(array)
        else:
            copy_into(self._grad_slot, array)
            self._grad = self._grad_slot

    def zero_grad(self) -> None:
        """Forget the gradient: the next `backward` starts from zero."""
        self._grad = None

    def backward(self, gradient: ArrayLike | Tensor | None = None, retain_graph: bool = False) -> None:
        """Add the gradient of this Tensor to `.grad` of every leaf it was computed from.

        Args:
            gradient: the cotangent, of this Tensor's shape; may be left out where there is one element, and is then 1.
            retain_graph: keep the graph for another `backward`, whose gradients are added.

        Raises:
            RuntimeError: nothing here requires a gradient; the graph was freed; or values that are needed were changed.
            ValueError: a gradient of another shape, or none where there is more than one element.
        """
        if not self._requires_grad:
            raise RuntimeError(
                "backward: this Tensor was not computed from any that requires gradients (or inside no_grad); "
                "create the parameters with requires_grad=True"
            )
        if retain_graph is not False:
            retain_graph = true_or_false("retain_graph", retain_graph)
        notify(self, "backward()")
        start: Array
        if gradient is not None:
            start = _matching(gradient, self, "gradient")
            if self._device != "cpu":
                start = to_device(start)
        elif self._data.size == 1:
            one = _ONE[self._data.dtype] if self._device == "cpu" else on_cuda.one(self._data.dtype)
            start = one.reshape(self._data.shape)
        else:
            raise ValueError(
                f"backward of a Tensor of shape {self.shape} needs a gradient of that shape; "
                "reduce it to one number first, e.g. with .sum()"
            )
        backward(self, start, retain_graph)

    def _accumulate(self, gradient: Array) -> None:
        """Add to the gradient; it is never the array that is given."""
        if self._device != "cpu":
            self._accumulate_on_cuda(gradient)
        elif self._grad is not None:
            np.add(self._grad, gradient, self._grad)
        elif self._grad_slot is not None:
            self._grad_slot[...] = gradient
            self._grad = self._grad_slot
        else:
            self._grad = gradient.copy()

    def _accumulate_on_cuda(self, gradient: Array) -> None:
        if self._grad is not None:
            on_cuda.add(self._grad, gradient, self._grad)
        elif self._grad_slot is not None:
            copy_into(self._grad_slot, gradient)
            self._grad = self._grad_slot
        else:
            self._grad = on_cuda.copy(gradient)

    # --- devices and dtypes -------------------------------------------------------------------------------------------

    def to(self, *places: DTypeLike | Tensor, device: str | None = None, dtype: DTypeLike | None = None) -> Tensor:
        """This Tensor on another device or in another dtype, or both; itself where nothing changes.

        Args:
            places: "cpu" or "cuda", a dtype ("float32", ...), or a Tensor whose device and dtype are meant.
            device, dtype: the same by name.

        Raises:
            ValueError, TypeError: neither a device nor an allowed dtype, or one of them twice.
            RuntimeError: "cuda" where there is none, or a move of a Tensor that requires gradients.

        Example:
            >>> Tensor([1, 2]).to("cpu", "float64")
            tensor([1., 2.], dtype=float64)
        """
        wanted, kind = destination(places, device, dtype)
        out = self if wanted is None or wanted == self._device else self._moved(wanted)
        if kind is None or kind == out.dtype:
            return out
        if out._requires_grad and kind.kind != "f":  # whole numbers and booleans have no gradient
            out = out.detach()
        return apply(shapes.cast, (out,), (kind,))

    def _moved(self, device: str) -> Tensor:
        if self._requires_grad and switch.recording:
            raise RuntimeError(
                "a Tensor that requires gradients stays on its device; move a module with module.to(device), or a "
                "copy without history with .detach().to(device)"
            )
        notify(self, "a move to another device")
        return adopt(to_device(self._data) if device == "cuda" else to_host(self._data), device)

    def cpu(self) -> Tensor:
        """The same as `to("cpu")`."""
        return self.to("cpu")

    def cuda(self) -> Tensor:
        """The same as `to("cuda")`."""
        return self.to("cuda")

    def float(self) -> Tensor:
        """The same as `to("float32")`."""
        return self.to("float32")

    def double(self) -> Tensor:
        """The same as `to("float64")`."""
        return self.to("float64")

    def long(self) -> Tensor:
        """The same as `to("int64")`; whole numbers and booleans have no gradient."""
        return self.to("int64")

    def type_as(self, other: Tensor) -> Tensor:
        """This Tensor in the dtype of another one."""
        return self.to(other.dtype)

    # --- arithmetic ---------------------------------------------------------------------------------------------------

    def __add__(self, other: Operand) -> Tensor:
        return apply(elementwise.add, (self, beside(other, self)))

    def __radd__(self, other: Operand) -> Tensor:
        return apply(elementwise.add, (beside(other, self), self))

    def __sub__(self, other: Operand) -> Tensor:
        return apply(elementwise.sub, (self, beside(other, self)))

    def __rsub__(self, other: Operand) -> Tensor:
        return apply(elementwise.sub, (beside(other, self), self))

    def __mul__(self, other: Operand) -> Tensor:
        return apply(elementwise.mul, (self, beside(other, self)))

    def __rmul__(self, other: Operand) -> Tensor:
        return apply(elementwise.mul, (beside(other, self), self))

    def __truediv__(self, other: Operand) -> Tensor:
        return apply(elementwise.div, (self, beside(other, self)))

    def __rtruediv__(self, other: Operand) -> Tensor:
        return apply(elementwise.div, (beside(other, self), self))

    def __pow__(self, other: Operand) -> Tensor:
        return apply(elementwise.pow_, (self, beside(other, self)))

    def __rpow__(self, other: Operand) -> Tensor:
        return apply(elementwise.pow_, (beside(other, self), self))

    def __mod__(self, other: Operand) -> Tensor:
        return apply(elementwise.remainder, (self, beside(other, self)))

    def __rmod__(self, other: Operand) -> Tensor:
        return apply(elementwise.remainder, (beside(other, self), self))

    def __floordiv__(self, other: Operand) -> Tensor:
        return apply(elementwise.floor_divide, (self, beside(other, self)))

    def __rfloordiv__(self, other: Operand) -> Tensor:
        return apply(elementwise.floor_divide, (beside(other, self), self))

    def __matmul__(self, other: Operand) -> Tensor:
        return apply(products.matmul, (self, beside(other, self)))

    def __rmatmul__(self, other: Operand) -> Tensor:
        return apply(products.matmul, (beside(other, self), self))

    def __neg__(self) -> Tensor:
        return apply(elementwise.neg, (self,))

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return apply(elementwise.abs_, (self,))

    def add(self, other: Operand, *, alpha: Operand = 1) -> Tensor:
        """`self + alpha * other`."""
        return self + _scaled(other, alpha, self)

    def sub(self, other: Operand, *, alpha: Operand = 1) -> Tensor:
        """`self - alpha * other`."""
        return self - _scaled(other, alpha, self)

    def mul(self, other: Operand) -> Tensor:
        """`self * other`."""
        return self * other

    def div(self, other: Operand) -> Tensor:
        """`self / other`."""
        return self / other

    def pow(self, exponent: Operand) -> Tensor:
        """`self ** exponent`."""
        return self**exponent

    def matmul(self, other: Operand) -> Tensor:
        """`self @ other`."""
        return self @ other

    mm = mv = bmm = matmul  # torch's names for two matrices, a matrix and a vector, and many matrices

    def neg(self) -> Tensor:
        """`-self`."""
        return -self

    # --- functions ----------------------------------------------------------------------------------------------------

    def exp(self) -> Tensor:
        """e to the power of each element."""
        return apply(elementwise.exp, (self,))

    def log(self) -> Tensor:
        """The natural logarithm of each element."""
        return apply(elementwise.log, (self,))

    def sqrt(self) -> Tensor:
        """The square root of each element."""
        return apply(elementwise.sqrt, (self,))

    def abs(self) -> Tensor:
        """The magnitude of each element; its derivative at 0 is declared 0."""
        return apply(elementwise.abs_, (self,))

    def relu(self) -> Tensor:
        """max(x, 0) of each element; its derivative at 0 is declared 0."""
        return apply(elementwise.relu, (self,))

    def tanh(self) -> Tensor:
        """The hyperbolic tangent of each element."""
        return apply(elementwise.tanh, (self,))

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x)) of each element, without overflow for any x."""
        return apply(elementwise.sigmoid, (self,))

    def maximum(self, other: Operand) -> Tensor:
        """The larger of two, element by element; a tie shares the gradient equally."""
        return apply(elementwise.maximum, (self, beside(other, self)))

    def minimum(self, other: Operand) -> Tensor:
        """The smaller of two, element by element; a tie shares the gradient equally."""
        return apply(elementwise.minimum, (self, beside(other, self)))

    def clip(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """Each element, but at least `min` and at most `max`; where it equals one of them, the gradient is its own.

        Args:
            min, max: numbers, arrays or Tensors that broadcast; None for no bound. Gradients flow to Tensors.

        Raises:
            ValueError: neither is given.

        Example:
            >>> Tensor([-2.0, 0.5, 3.0]).clip(-1, 1)
            tensor([-1. ,  0.5,  1. ])
        """
        if min is None and max is None:
            raise ValueError("clip: min and max are None; give one of them at least")
        out = self if min is None else apply(elementwise.at_least, (self, beside(min, self)))
        return out if max is None else apply(elementwise.at_most, (out, beside(max, out)))

    clamp = clip  # torch's name

    def remainder(self, other: Operand) -> Tensor:
        """`self % other`: what is left of a division that rounds down, with the sign of `other`, as in Python."""
        return self % other

    def floor_divide(self, other: Operand) -> Tensor:
        """`self // other`: the quotient, rounded down; its derivatives are 0."""
        return self // other

    def atan2(self, other: Operand) -> Tensor:
        """The angle in radians, from -pi to pi, of the point whose y is `self` and whose x is `other`."""
        return apply(elementwise.atan2, (self, beside(other, self)))

    arctan2 = atan2

    def rsqrt(self) -> Tensor:
        """1 over the square root of each element."""
        return 1 / self.sqrt()

    def square(self) -> Tensor:
        """Each element times itself; that of a boolean is a whole number."""
        return apply(elementwise.square, (self.to("int64") if self._data.dtype.kind == "b" else self,))

    # --- reductions and shapes ----------------------------------------------------------------------------------------

    def sum(
        self,
        axis: Axes = None,
        keepdims: bool | None = None,
        *,
        dim: Axes = None,
        keepdim: bool | None = None,
        dtype: DTypeLike | None = None,
    ) -> Tensor:
        """The sum of all elements, or along one axis or several.

        Args:
            axis: which axes are summed over; all by default. `dim` is torch's name for it.
            keepdims: whether these axes stay, with length 1; False by default. `keepdim` is torch's name for it.
            dtype: what the Tensor is converted to first; none by default.

        Raises:
            TypeError: an argument is given under both of its names.
            ValueError: an axis that there is not.

        Example:
            >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]])
            >>> x.sum(axis=0), x.sum(dim=0)
            (tensor([4., 6.]), tensor([4., 6.]))
        """
        given = self if dtype is None else self.to(dtype)
        return apply(shapes.sum_, (given,), _reduced(self, axis, keepdims, dim, keepdim))

    def mean(
        self,
        axis: Axes = None,
        keepdims: bool | None = None,
        *,
        dim: Axes = None,
        keepdim: bool | None = None,
        dtype: DTypeLike | None = None,
    ) -> Tensor:
        """The mean of all elements, or along one axis or several; arguments as for `sum`.

        Raises:
            TypeError: an argument is given under both of its names, or a dtype of no fractions.
            ValueError: an axis that there is not, or there are no elements.
        """
        given = self if dtype is None else self.to(dtype)
        if dtype is not None and given.dtype.kind != "f":
            raise TypeError(f"mean: dtype must be float32 or float64, got {given.dtype}")
        return apply(shapes.mean, (given,), _reduced(self, axis, keepdims, dim, keepdim))

    def max(
        self,
        axis: Operand | Axes = None,
        keepdims: bool | None = None,
        *,
        dim: int | None = None,
        keepdim: bool | None = None,
    ) -> Any:
        """The largest element; along one axis the largest ones and where they stand; or, of two Tensors, `maximum`.

        NaN is larger than all. Equal elements share the gradient of the largest of all equally. Along an axis the
        first of them is chosen, and takes it, as in torch. `amax` gives the values alone, along several axes too.

        Args:
            axis: one axis, whose `values` and `indices` are given as a named pair; or a Tensor, for `maximum`. `dim` is
                torch's name for it.
            keepdims: whether the axis stays, with length 1; False by default. `keepdim` is torch's name for it.

        Raises:
            TypeError: several axes. ValueError: an axis that there is not, or there are no elements.

        Example:
            >>> x = Tensor([[1.0, 5.0], [3.0, 2.0]])
            >>> x.max(), x.amax(dim=1)
            (tensor(5.), tensor([5., 3.]))
            >>> values, places = x.max(dim=1)
            >>> places
            tensor([1, 0])
        """
        if isinstance(axis, Tensor):  # torch's max of two
            return self.maximum(axis)
        return self._extreme("max", axis, keepdims, dim, keepdim)

    def min(
        self,
        axis: Operand | Axes = None,
        keepdims: bool | None = None,
        *,
        dim: int | None = None,
        keepdim: bool | None = None,
    ) -> Any:
        """The least element; along one axis the least ones and where they stand; all else as for `max`."""
        if isinstance(axis, Tensor):
            return self.minimum(axis)
        return self._extreme("min", axis, keepdims, dim, keepdim)

    def _extreme(self, name: str, *options: Any) -> Tensor | ValuesAndIndices:
        axis, kept = _reduced(self, *options)
        if _either("axis", options[0], "dim", options[2]) is None:
            return apply(OPS[name], (self,), (axis, kept))
        if isinstance(axis, tuple):
            raise TypeError(
                f"{name} along an axis gives values and their places, and takes one axis, got {axis}; for the values "
                f"alone, along several axes too, write a{name}(dim={axis})"
            )
        return self._chosen(f"arg{name}", axis, kept)

    def _chosen(self, question: str, axis: Any, kept: bool) -> ValuesAndIndices:
        """The elements along an axis that a question chooses, and their places."""
        if axis is None:  # of a number
            return ValuesAndIndices(self.clone(), _like(np.zeros((), np.int64), self))
        axis = _axis(axis, self.ndim)
        if self._device != "cpu":
            raise NotImplementedError(f"{question} is not implemented {on_cuda.REMEDY}")
        places = ask(QUESTIONS[question], (self,), (axis, True))
        values = apply(shapes.take_along, (places, self), (axis,))
        if kept:
            return ValuesAndIndices(values, places)
        shape = (*self.shape[:axis], *self.shape[axis + 1 :])
        return ValuesAndIndices(values.reshape(shape), places.reshape(shape))

    def amax(
        self, axis: Axes = None, keepdims: bool | None = None, *, dim: Axes = None, keepdim: bool | None = None
    ) -> Tensor:
        """The largest element, or those along one axis or several; arguments as for `sum`.

        Equal elements share the gradient equally. NaN is larger than all.

        Raises:
            ValueError: an axis that there is not, or there are no elements.
        """
        return apply(shapes.max_, (self,), _reduced(self, axis, keepdims, dim, keepdim))

    def amin(
        self, axis: Axes = None, keepdims: bool | None = None, *, dim: Axes = None, keepdim: bool | None = None
    ) -> Tensor:
        """The least element, or those along one axis or several; all else as for `amax`."""
        return apply(shapes.min_, (self,), _reduced(self, axis, keepdims, dim, keepdim))

    def median(
        self,
        axis: int | None = None,
        keepdims: bool | None = None,
        *,
        dim: int | None = None,
        keepdim: bool | None = None,
    ) -> Any:
        """The median, the lower one of two; along an axis the medians and where they stand, as in torch.

        It is NaN where an element is. Equal elements share the gradient of the median of all equally.

        Raises:
            TypeError, ValueError: as for `max`.

        Example:
            >>> Tensor([3.0, 1.0, 2.0, 4.0]).median()
            tensor(2.)
        """
        place, kept = _reduced(self, axis, keepdims, dim, keepdim)
        if _either("axis", axis, "dim", dim) is None:
            row = self.reshape(-1)
            found = row.detach()._chosen("argmedian", 0, True).values
            return row[(row == found) | (row.isnan() & found.isnan())].amax()
        if isinstance(place, tuple):
            raise TypeError(f"median takes one axis, got {place}")
        return self._chosen("argmedian", place, kept)

    def argmax(
        self,
        axis: int | None = None,
        keepdims: bool | None = None,
        *,
        dim: int | None = None,
        keepdim: bool | None = None,
    ) -> Tensor:
        """Where the largest element stands: its place among all elements, or along an axis; the first of equal ones."""
        return self._place("argmax", axis, keepdims, dim, keepdim)

    def argmin(
        self,
        axis: int | None = None,
        keepdims: bool | None = None,
        *,
        dim: int | None = None,
        keepdim: bool | None = None,
    ) -> Tensor:
        """Where the least element stands; as for `argmax`."""
        return self._place("argmin", axis, keepdims, dim, keepdim)

    def _place(self, question: str, *options: Any) -> Tensor:
        axis, kept = _reduced(self, *options)
        return ask(QUESTIONS[question], (self,), (axis if axis is None else _axis(axis, self.ndim), kept))

    def prod(
        self,
        axis: Axes = None,
        keepdims: bool | None = None,
        *,
        dim: Axes = None,
        keepdim: bool | None = None,
        dtype: DTypeLike | None = None,
    ) -> Tensor:
        """The product of all elements, or along one axis or several; arguments as for `sum`."""
        given = self if dtype is None else self.to(dtype)
        return apply(shapes.prod, (given,), _reduced(self, axis, keepdims, dim, keepdim))

    def cumsum(self, axis: int | None = None, *, dim: int | None = None, dtype: DTypeLike | None = None) -> Tensor:
        """The sums of the elements up to each one: along an axis, or of all in one row, as in NumPy.

        Example:
            >>> Tensor([1.0, 2.0, 3.0]).cumsum(dim=0)
            tensor([1., 3., 6.])
        """
        axis = _either("axis", axis, "dim", dim)
        given = self if dtype is None else self.to(dtype)
        return given.reshape(-1).cumsum(0) if axis is None else apply(shapes.cumsum, (given,), (axis,))

    def var(
        self,
        axis: Axes = None,
        unbiased: bool | None = None,
        *,
        keepdims: bool | None = None,
        dim: Axes = None,
        keepdim: bool | None = None,
        correction: Number = 1,
    ) -> Tensor:
        """The variance of all elements, or along one axis or several; arguments as for `sum`.

        Args:
            unbiased: torch's word for a correction of 1 (True) or 0 (False); it may stand alone, as in `x.var(False)`.
            correction: the sum of squares is divided by the number of elements less this: 1 by default, as in torch.
                `np.var(t)` has NumPy's default instead, 0 (`ddof`).

        Raises:
            ValueError: an axis that there is not. Of no elements it is NaN, as in torch.

        Example:
            >>> x = Tensor([1.0, 2.0, 3.0])
            >>> x.var().item(), x.var(correction=3 - 2).item()
            (1.0, 1.0)
        """
        axis, correction = _unbiased(axis, unbiased, correction)
        return self._var(*_reduced(self, axis, keepdims, dim, keepdim), correction).to(self._computed_dtype())

    def _var(self, axis: Axes, kept: bool, correction: Number) -> Tensor:
        """The variance of `_wide()`, in its dtype."""
        wide = self._wide()
        away = wide - apply(shapes.mean, (wide,), (axis, True)) if wide._data.size else wide
        squares = apply(elementwise.square, (away,)).sum(axis, kept)
        count = self._data.size // max(squares._data.size, 1)
        return squares / max(count - correction, 0)  # of no elements, or of one less its correction, NaN

    def _wide(self) -> Tensor:
        """What sums of squares are computed with: float64 for float32, so that a square of 1e30 does not overflow.

        On a GPU, which has no conversion, and for all else the Tensor itself.
        """
        return self.to(float64) if self._data.dtype == float32 and self._device == "cpu" else self

    def _computed_dtype(self) -> np.dtype[Any]:
        """The dtype of what is computed from it: float32 for whole numbers."""
        return self._data.dtype if self._data.dtype.kind == "f" else float32

    def std(
        self,
        axis: Axes = None,
        unbiased: bool | None = None,
        *,
        keepdims: bool | None = None,
        dim: Axes = None,
        keepdim: bool | None = None,
        correction: Number = 1,
    ) -> Tensor:
        """The square root of `var`, of the same arguments; its derivative where it is 0 is declared 0, as in torch."""
        axis, correction = _unbiased(axis, unbiased, correction)
        variance = self._var(*_reduced(self, axis, keepdims, dim, keepdim), correction)
        return apply(elementwise.root, (variance,)).to(self._computed_dtype())

    def norm(
        self,
        p: Number | str = 2,
        axis: Axes = None,
        keepdims: bool | None = None,
        *,
        dim: Axes = None,
        keepdim: bool | None = None,
    ) -> Tensor:
        """The length of all elements as one vector, or along one axis or several.

        Args:
            p: 2 or "fro" for the root of the sum of squares, whose derivative at 0 is declared 0, as in torch; 1 for
                the sum of magnitudes; infinity or -infinity for the largest or least one; 0 for how many are not 0;
                another number for the sum of |x|^p, to the power 1 / p.
            axis, keepdims, dim, keepdim: as for `sum`.

        Raises:
            ValueError: another p, such as "nuc", which is for matrices, or an axis that there is not.

        Example:
            >>> Tensor([3.0, 4.0]).norm(), Tensor([3.0, 4.0]).norm(0)
            (tensor(5.), tensor(2.))
        """
        axis, kept = _reduced(self, axis, keepdims, dim, keepdim)
        if p in (2, "fro"):
            squares = apply(elementwise.square, (self._wide(),)).sum(axis, kept)
            return apply(elementwise.root, (squares,)).to(self._computed_dtype())
        if isinstance(p, (bool, str)) or not isinstance(p, (int, Number, np.integer, np.floating)) or p != p:
            raise ValueError(f"norm: p is a number or 'fro', got {p!r}; norms of matrices are not implemented")
        if p == 1:
            return self.abs().sum(axis, kept)
        if abs(p) == np.inf:
            return self.abs().amax(axis, kept) if p > 0 else self.abs().amin(axis, kept)
        sizes = self._wide().abs()
        if p == 0:
            return apply(OPS["sign"], (sizes,)).sum(axis, kept).to(self._computed_dtype())
        with np.errstate(divide="ignore"):
            return ((sizes ** Number(p)).sum(axis, kept) ** (1 / p)).to(self._computed_dtype())

    def softmax(self, axis: int | None = None, *, dim: int | None = None, dtype: DTypeLike | None = None) -> Tensor:
        """exp(x) divided by its sum along an axis (`dim` in torch), without overflow for any x.

        Args:
            axis: which axis. dtype: what the Tensor is converted to first; none by default.

        Raises:
            TypeError: no axis is given. ValueError: an axis that there is not.

        Example:
            >>> Tensor([[0.0, 0.0], [1e4, 0.0]]).softmax(dim=1)
            tensor([[0.5, 0.5],
                    [1. , 0. ]])
        """
        return self._over_classes(softmax.softmax, axis, dim, dtype)

    def log_softmax(self, axis: int | None = None, *, dim: int | None = None, dtype: DTypeLike | None = None) -> Tensor:
        """The logarithm of `softmax`, exact also where that is 0 or 1; arguments and errors are its own."""
        return self._over_classes(softmax.log_softmax, axis, dim, dtype)

    def _over_classes(self, op: Op, axis: int | None, dim: int | None, dtype: DTypeLike | None) -> Tensor:
        place = _either("axis", axis, "dim", dim)
        if place is None:
            raise TypeError(f"{op.name} needs an axis: write t.{op.name}(-1) for the last one")
        given = self if dtype is None else self.to(dtype)
        place = _axis(place, max(given.ndim, 1))
        return apply(op, (given,), (place if given.ndim else None,))

    def logsumexp(
        self, axis: Axes = None, keepdims: bool | None = None, *, dim: Axes = None, keepdim: bool | None = None
    ) -> Tensor:
        """The logarithm of the sum of exp(x), of all elements or along an axis or several, without overflow for any x.

        Arguments and errors are those of `sum`.

        Example:
            >>> round(Tensor([1e4, 1e4]).logsumexp(0).item() - 1e4, 3)
            0.693
        """
        return apply(softmax.logsumexp, (self,), _reduced(self, axis, keepdims, dim, keepdim))

    def any(
        self, axis: Axes = None, keepdims: bool | None = None, *, dim: Axes = None, keepdim: bool | None = None
    ) -> Tensor:
        """Whether an element is True (or other than 0), of all or along an axis or several; arguments as for `sum`."""
        return self._truth(np.logical_or, _reduced(self, axis, keepdims, dim, keepdim))

    def all(
        self, axis: Axes = None, keepdims: bool | None = None, *, dim: Axes = None, keepdim: bool | None = None
    ) -> Tensor:
        """Whether all elements are True (or other than 0); arguments as for `sum`."""
        return self._truth(np.logical_and, _reduced(self, axis, keepdims, dim, keepdim))

    def _truth(self, ufunc: np.ufunc, options: tuple[Axes, bool]) -> Tensor:
        axes, kept = options
        if axes is not None:
            axes = tuple(_axis(each, self.ndim) for each in (axes if isinstance(axes, tuple) else (axes,)))
        return adopt(np.asarray(ufunc.reduce(self._read(ufunc.__name__), axis=axes, keepdims=kept)))

    def count_nonzero(self, axis: Axes = None, *, dim: Axes = None) -> Tensor:
        """How many elements are other than 0, of all or along an axis or several: int64."""
        return (self != 0).sum(_either("axis", axis, "dim", dim))

    def nonzero(self, as_tuple: bool = False) -> Any:
        """The places of the elements other than 0, a row each: int64 of shape (how many, axes).

        Args:
            as_tuple: whether to give a Tensor for each axis instead, which together are an index.
        """
        values = self._read("nonzero")
        if not true_or_false("as_tuple", as_tuple):
            return adopt(np.argwhere(values).astype(np.int64))
        return tuple([adopt(each.astype(np.int64)) for each in np.atleast_1d(values).nonzero()])

    def unique(
        self,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        axis: int | None = None,
        *,
        dim: int | None = None,
    ) -> Any:
        """The different elements, rising; or the different rows along an axis. It has no gradient.

        Args:
            sorted: they rise in any case. return_inverse: whether also to give, for each element, which one it is.
            return_counts: whether also to give how often each occurs.

        Example:
            >>> Tensor([3, 1, 3]).unique(return_counts=True)
            (tensor([1, 3]), tensor([1, 2]))
        """
        true_or_false("sorted", sorted)
        inverse, counts = true_or_false("return_inverse", return_inverse), true_or_false("return_counts", return_counts)
        place = _either("axis", axis, "dim", dim)
        place = None if place is None else _axis(place, self.ndim)
        asked: dict[str, Any] = {"return_inverse": inverse, "return_counts": counts, "axis": place}
        found: Any = np.unique(self._read("unique"), equal_nan=False, **asked)
        parts = [*found] if isinstance(found, tuple) else [found]
        if inverse:
            parts[1] = parts[1].reshape(self.shape if place is None else -1)
        tensors = tuple([adopt(np.asarray(each)) for each in parts])
        return tensors if len(tensors) > 1 else tensors[0]

    def argsort(self, axis: int = -1, descending: bool = False, *, dim: int | None = None) -> Tensor:
        """Where the elements stand that, taken in this order, rise (or fall) along an axis; equal ones keep theirs.

        Example:
            >>> Tensor([3.0, 1.0, 2.0]).argsort()
            tensor([1, 2, 0])
        """
        place, values = _axis(axis if dim is None else dim, max(self.ndim, 1)), self._read("argsort")
        falls = true_or_false("descending", descending)
        if not values.ndim:
            return adopt(np.zeros((), np.int64))
        if not falls:
            return adopt(np.asarray(np.argsort(values, place, stable=True)))
        found = np.flip(np.argsort(np.flip(values, place), place, stable=True), place)
        return adopt(values.shape[place] - 1 - found)

    def sort(self, axis: int = -1, descending: bool = False, *, dim: int | None = None) -> ValuesAndIndices:
        """The elements in rising (or falling) order along an axis, and where they stood, as a named pair.

        Gradients flow to the elements.

        Example:
            >>> Tensor([3.0, 1.0, 2.0]).sort().values
            tensor([1., 2., 3.])
        """
        place = axis if dim is None else dim
        order = self.argsort(place, descending)
        return ValuesAndIndices(self.gather(place, order) if self.ndim else self, order)

    def topk(self, k: int, axis: int = -1, largest: bool = True, *, dim: int | None = None) -> ValuesAndIndices:
        """The k largest (or least) elements along an axis, in falling (or rising) order, and where they stood.

        Raises:
            TypeError: k is no whole number. ValueError: there are fewer elements.

        Example:
            >>> values, places = Tensor([3.0, 1.0, 2.0]).topk(2)
            >>> values, places
            (tensor([3., 2.]), tensor([0, 2]))
        """
        if not self.ndim:
            whole_number("k", k, least=1, most=1)
            return self.sort(axis, dim=dim)
        place = _axis(axis if dim is None else dim, self.ndim)
        count = whole_number("k", k, least=0, most=self.shape[place])
        kept = self.argsort(place, true_or_false("largest", largest))[_along(place, slice(count))]
        return ValuesAndIndices(self.gather(place, kept), kept)

    def squeeze(self, axis: Axes = None, *, dim: Axes = None) -> Tensor:
        """The same elements without the axes of length 1: all of these, or those named, as in torch.

        A named axis of another length stays; in `np.squeeze` it is an error.
        """
        axes = _either("axis", axis, "dim", dim)
        if axes is None:
            axes = tuple(range(self.ndim))
        named = [_axis(each, max(self.ndim, 1)) for each in (axes if isinstance(axes, (tuple, list)) else (axes,))]
        return self.reshape(tuple(n for i, n in enumerate(self.shape) if n != 1 or i not in named))

    def unsqueeze(self, axis: int | None = None, *, dim: int | None = None) -> Tensor:
        """The same elements with another axis, of length 1, before the given one; -1 for a last axis.

        Raises:
            TypeError: no axis. ValueError: an axis that there is not.
        """
        place = _either("axis", axis, "dim", dim)
        if place is None:
            raise TypeError("unsqueeze needs the place of the new axis, e.g. t.unsqueeze(0)")
        place = _axis(place, self.ndim + 1)
        return self.reshape((*self.shape[:place], 1, *self.shape[place:]))

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """The same elements with the axes from the first one to the last one, both included, as one."""
        if not self.shape:
            return self.reshape(1)
        first, last = _axis(start_dim, self.ndim), _axis(end_dim, self.ndim)
        if last < first:
            raise ValueError(f"flatten: start_dim={start_dim} comes after end_dim={end_dim}")
        return self.reshape((*self.shape[:first], math.prod(self.shape[first : last + 1]), *self.shape[last + 1 :]))

    ravel = flatten

    def expand(self, *shape: int | Sequence[int]) -> Tensor:
        """The same elements repeated to a larger shape, as a copy; -1 keeps the length of an axis.

        Raises:
            ValueError: it does not broadcast to the shape.

        Example:
            >>> Tensor([[1.0], [2.0]]).expand(2, 3)
            tensor([[1., 1., 1.],
                    [2., 2., 2.]])
        """
        wanted = _flat(shape)
        added = len(wanted) - self.ndim
        whole = tuple(self.shape[i - added] if n == -1 and i >= added else n for i, n in enumerate(wanted))
        try:
            fits = np.broadcast_shapes(self.shape, whole) == whole
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise ValueError(f"expand: shape {self.shape} cannot be repeated to {wanted}")
        return self * _like(np.ones(whole, self.dtype), self)

    broadcast_to = expand

    def expand_as(self, other: Tensor) -> Tensor:
        """The same elements repeated to the shape of another Tensor."""
        return self.expand(other.shape)

    def view_as(self, other: Tensor) -> Tensor:
        """The same elements in the shape of another Tensor."""
        return self.reshape(other.shape)

    reshape_as = view_as

    def repeat(self, *counts: int | Sequence[int]) -> Tensor:
        """The elements so many times along each axis, as NumPy's `tile` (not its `repeat`) has it.

        Raises:
            ValueError: there are fewer counts than axes, or one below 0.

        Example:
            >>> Tensor([1.0, 2.0]).repeat(2)
            tensor([1., 2., 1., 2.])
        """
        times = tuple(whole_number("a count of repeat", n, least=0) for n in _flat(counts))
        if len(times) < self.ndim:
            raise ValueError(f"repeat needs a count for each axis of shape {self.shape}, got {times}")
        own = (1,) * (len(times) - self.ndim) + self.shape
        apart = self.reshape(tuple(n for length in own for n in (1, length)))
        wide = apart.expand(tuple(n for pair in zip(times, own, strict=True) for n in pair))
        return wide.reshape(tuple(n * length for n, length in zip(times, own, strict=True)))

    def repeat_interleave(self, repeats: int, axis: int | None = None, *, dim: int | None = None) -> Tensor:
        """Each element so many times in a row, along an axis or of all flattened, as NumPy's `repeat` has it."""
        place = _either("axis", axis, "dim", dim)
        given = self.reshape(-1) if place is None else self
        place = _axis(0 if place is None else place, given.ndim)
        rows = np.arange(given.shape[place]).repeat(whole_number("repeats", repeats, least=0))
        return given.index_select(place, rows)

    def masked_fill(self, mask: Operand, value: Operand) -> Tensor:
        """A value where a mask holds, and the elements elsewhere, in the Tensor's dtype, as in torch.

        Raises:
            TypeError: the mask is not bool. ValueError: a fraction, infinity or NaN among whole numbers.
        """
        given = beside(value, self)
        among_whole = self._data.dtype.kind == "i" and given._data.dtype.kind == "f"
        if among_whole and not (given.isfinite() & apply(OPS["trunc"], (given,)).eq(given)).all():
            raise ValueError(f"masked_fill of int64 needs a whole number, got {value!r}; convert it first, .float()")
        return apply(shapes.where, (as_tensor(mask), given.to(self.dtype), self))

    def masked_select(self, mask: Operand) -> Tensor:
        """The elements where a mask holds, in one row: `t[mask]`."""
        return self[as_tensor(mask)]

    def gather(self, axis: int, index: Operand) -> Tensor:
        """The elements whose places along an axis (`dim` in torch) an int64 Tensor gives, which has the result's shape.

        Raises:
            ValueError: there is no such axis, or the numbers of axes differ. IndexError: there is no such element.

        Example:
            >>> Tensor([[1.0, 2.0], [3.0, 4.0]]).gather(1, Tensor([[1], [0]]))
            tensor([[2.],
                    [3.]])
        """
        given = as_tensor(index)
        if given.ndim != self.ndim or given.dtype.kind != "i":
            raise ValueError(
                f"gather needs int64 places with as many axes as the Tensor, of shape {self.shape}, got "
                f"{describe((given._data,))}"
            )
        if not self.ndim:
            return self.reshape(1)[given.reshape(1)].reshape(())
        places: list[Any] = list(np.ix_(*map(np.arange, given.shape)))
        places[_axis(axis, self.ndim)] = given
        return self[tuple(places)]

    def index_select(self, axis: int, index: Operand) -> Tensor:
        """The rows along an axis (`dim` in torch) that an int64 Tensor names."""
        if not self.ndim:
            return self.reshape(1).index_select(axis, index).squeeze(0)
        return self[_along(_axis(axis, self.ndim), as_tensor(index))]

    def narrow(self, axis: int, start: int, length: int) -> Tensor:
        """So many rows along an axis (`dim` in torch), from the one at `start` on; they share its memory.

        Raises:
            ValueError: there are fewer rows.
        """
        place = _axis(axis, self.ndim)
        rows = self.shape[place]
        first = whole_number("start", start, least=-rows, most=rows)
        first += rows if first < 0 else 0
        count = whole_number("length", length, least=0, most=rows - first)
        return self[_along(place, slice(first, first + count))]

    def select(self, axis: int, index: int) -> Tensor:
        """The row at a place of an axis (`dim` in torch), without that axis.

        Raises:
            IndexError: there is no such row.
        """
        return self[_along(_axis(axis, self.ndim), whole_number("index", index))]

    def nan_to_num(self, nan: Number = 0.0, posinf: Number | None = None, neginf: Number | None = None) -> Tensor:
        """The elements, with numbers in place of NaN and infinities, whose gradient is 0.

        Args:
            nan, posinf, neginf: in place of NaN, infinity and -infinity; by default 0, and the largest and the least
                number of the dtype.

        Example:
            >>> Tensor([float("nan"), 1.0, float("inf")]).nan_to_num(posinf=9.0)
            tensor([0., 1., 9.])
        """
        if self._data.dtype.kind != "f":
            return self.clone()
        most = Number(np.finfo(self._data.dtype).max)
        high, low = (most if posinf is None else posinf), (-most if neginf is None else neginf)
        ends = apply(shapes.where, (self > 0, beside(high, self), beside(low, self)))
        return self.where(self.isfinite(), apply(shapes.where, (self.isnan(), beside(nan, self), ends)))

    def split(self, size: int | Sequence[int], axis: int = 0, *, dim: int | None = None) -> tuple[Tensor, ...]:
        """Pieces along an axis: of so many rows each, the last may be shorter; or of the lengths in a list.

        Raises:
            ValueError: lengths that do not add up to that of the axis, or one below 0.

        Example:
            >>> [len(part) for part in Tensor([1.0, 2.0, 3.0]).split(2)]
            [2, 1]
        """
        place = _axis(axis if dim is None else dim, self.ndim)
        length = self.shape[place]
        if isinstance(size, (list, tuple)):
            lengths = [whole_number("a length of split", n, least=0) for n in size]
            if sum(lengths) != length:
                raise ValueError(f"split: the lengths {lengths} must add up to {length}, that of axis {place}")
        else:
            step = whole_number("the size of split", size, least=1)
            lengths = [min(step, length - start) for start in range(0, length, step)] or [0]
        ends = np.cumsum([0, *lengths]).tolist()
        return tuple([self[_along(place, slice(*pair))] for pair in zip(ends, ends[1:], strict=False)])

    def chunk(self, chunks: int, axis: int = 0, *, dim: int | None = None) -> tuple[Tensor, ...]:
        """At most so many pieces along an axis, of one length; the last may be shorter."""
        place = _axis(axis if dim is None else dim, self.ndim)
        return self.split(max(-(-self.shape[place] // whole_number("chunks", chunks, least=1)), 1), place)

    def unbind(self, axis: int = 0, *, dim: int | None = None) -> tuple[Tensor, ...]:
        """The rows along an axis, without it."""
        place = _axis(axis if dim is None else dim, self.ndim)
        return tuple([self[_along(place, i)] for i in range(self.shape[place])])

    def flip(self, *axes: int | Sequence[int]) -> Tensor:
        """The elements in reverse order along the axes given."""
        turned = {_axis(each, max(self.ndim, 1)) for each in _flat(axes)}
        return self[tuple(slice(None, None, -1 if i in turned else 1) for i in range(self.ndim))]

    def roll(self, shifts: int, axis: int | None = None, *, dim: int | None = None) -> Tensor:
        """The elements moved along an axis, those beyond its end to its beginning; of all flattened without an axis."""
        place = _either("axis", axis, "dim", dim)
        if place is None:
            return self.reshape(-1).roll(shifts, 0).reshape(self.shape)
        place = _axis(place, self.ndim)
        return self.index_select(place, np.roll(np.arange(self.shape[place]), whole_number("shifts", shifts)))

    def tril(self, diagonal: int = 0) -> Tensor:
        """The last two axes as a matrix, with 0 above a diagonal."""
        return self._of_triangle(np.tril, diagonal)

    def triu(self, diagonal: int = 0) -> Tensor:
        """The last two axes as a matrix, with 0 below a diagonal."""
        return self._of_triangle(np.triu, diagonal)

    def _of_triangle(self, function: Callable[..., Any], diagonal: int) -> Tensor:
        if self.ndim < 2:
            raise ValueError(f"{function.__name__} needs at least two axes, got shape {self.shape}")
        kept = function(np.ones(self.shape, bool), whole_number("diagonal", diagonal))
        return self.masked_fill(_like(~kept, self), 0)

    def diagonal(self, offset: int = 0) -> Tensor:
        """The elements on the diagonal of a matrix, or so many places above it, or, below 0, below it."""
        if self.ndim != 2:
            raise ValueError(f"diagonal is for matrices, got shape {self.shape}")
        offset = whole_number("offset", offset)
        row, column = max(-offset, 0), max(offset, 0)
        places = np.arange(min(self.shape[0] - row, self.shape[1] - column))
        return self[places + row, places + column]

    def diag(self, diagonal: int = 0) -> Tensor:
        """The diagonal of a matrix; of a vector the matrix that has it on its diagonal, and 0 elsewhere.

        Args:
            diagonal: how many places above the main one, or, below 0, below it.
        """
        if self.ndim != 1:
            return self.diagonal(diagonal)
        diagonal = whole_number("diagonal", diagonal)
        size = len(self) + abs(diagonal)
        if not len(self):
            return _like(np.zeros((size, size), self.dtype), self)
        rows = np.clip(np.arange(size) - max(-diagonal, 0), 0, len(self) - 1)
        away = ~np.eye(size, k=diagonal, dtype=bool)
        return (self[rows] if diagonal else self).unsqueeze(1).masked_fill(_like(away, self), 0)

    def trace(self) -> Tensor:
        """The sum of the diagonal of a matrix."""
        return self.diagonal().sum()

    def lerp(self, end: Operand, weight: Operand) -> Tensor:
        """`self + weight * (end - self)`."""
        return self + weight * (beside(end, self) - self)

    def where(self, condition: Operand, other: Operand) -> Tensor:
        """The elements where a condition holds, and those of `other` elsewhere, as in torch.

        Raises:
            TypeError: the condition is not bool.
        """
        return apply(shapes.where, (as_tensor(condition), self, beside(other, self)))

    def dot(self, other: Operand) -> Tensor:
        """The product `self @ other`."""
        return self @ other

    def outer(self, other: Operand) -> Tensor:
        """The product of each element with each of the other; rows are those of `self`."""
        return self.reshape(-1, 1) * beside(other, self).reshape(1, -1)

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """The same elements in another shape, given as numbers or a tuple; one length may be -1."""
        return apply(shapes.reshape, (self,), (_flat(shape),))

    def view(self, *shape: int | Sequence[int]) -> Tensor:
        """The same as `reshape`, which shares the memory where that is possible.

        Raises:
            TypeError: a dtype, in whose bits torch would read the memory.
        """
        if len(shape) == 1 and isinstance(shape[0], (str, type, np.dtype)):
            raise TypeError(f"view takes the lengths of axes, got {shape[0]!r}; for another dtype write .to(dtype)")
        return self.reshape(*shape)

    def contiguous(self) -> Tensor:
        """The Tensor itself: every op takes any order of memory."""
        return self

    def t(self) -> Tensor:
        """The transpose of a matrix; a Tensor with fewer axes itself.

        Raises:
            ValueError: there are more than two axes.
        """
        if self.ndim > 2:
            raise ValueError(f"t() is for at most two axes, got shape {self.shape}; use .T or .transpose(i, j)")
        return self.T

    def permute(self, *axes: int | Sequence[int]) -> Tensor:
        """The axes in another order, given as numbers or a tuple."""
        return apply(shapes.permute, (self,), (_flat(axes),))

    def movedim(self, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
        """The axes of `source` at the places of `destination`, the others in their order."""
        places = np.moveaxis(np.broadcast_to(0, tuple(range(1, self.ndim + 1))), source, destination).shape
        return self.permute(tuple(n - 1 for n in places))

    moveaxis = movedim

    def transpose(self, axis0: int, axis1: int) -> Tensor:
        """Two axes exchanged, as in torch (NumPy's transpose is `permute`)."""
        ndim = self._data.ndim
        if not all(isinstance(k, (int, np.integer)) and -ndim <= k < ndim for k in (axis0, axis1)):
            raise ValueError(f"transpose: expected two axes of {ndim}, got {axis0!r} and {axis1!r}")
        axes = list(range(ndim))
        axes[axis0], axes[axis1] = axes[axis1], axes[axis0]
        return apply(shapes.permute, (self,), (tuple(axes),))

    swapaxes = swapdims = transpose

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return self.transpose(-2, -1)

    @property
    def T(self) -> Tensor:
        """All axes in reverse order."""
        return apply(shapes.permute, (self,), (None,))

    # --- elements, and changes in place -------------------------------------------------------------------------------

    def __getitem__(self, where: Any) -> Tensor:
        return apply(shapes.index, (self,), (_index(where, copy=True),))

    def __setitem__(self, where: Any, value: Operand) -> None:
        value = beside(value, self)
        self._refuse_recorded(value, "t[...] = value")
        notify(value, "t[...] = value")
        if self._device != "cpu":
            raise NotImplementedError("t[...] = value is not implemented on 'cuda'; assign to .data instead")
        try:
            self._write(_index(where, copy=False), value._data, "t[...] = value")
        except (ValueError, IndexError) as error:
            raise type(error)(f"t[...] = value: {error} (t has shape {self._data.shape})") from error

    def __iadd__(self, other: Operand) -> Tensor:
        return self._in_place(elementwise.add, other)

    def __isub__(self, other: Operand) -> Tensor:
        return self._in_place(elementwise.sub, other)

    def __imul__(self, other: Operand) -> Tensor:
        return self._in_place(elementwise.mul, other)

    def __itruediv__(self, other: Operand) -> Tensor:
        return self._in_place(elementwise.div, other)

    def __imod__(self, other: Operand) -> Tensor:
        return self._in_place(elementwise.remainder, other)

    def __ifloordiv__(self, other: Operand) -> Tensor:
        return self._in_place(elementwise.floor_divide, other)

    def __ipow__(self, other: Operand) -> Tensor:  # type: ignore[misc]
        return self._in_place(elementwise.pow_, other)

    def _in_place(self, op: Op, other: Operand) -> Tensor:
        operand = beside(other, self)
        if switch.recording and (self._requires_grad or operand._requires_grad):
            if self._requires_grad and self._node is None:
                self._refuse_recorded(operand, f"in-place {op.name}")
            return apply(op, (self, operand))
        notify(operand, f"in-place {op.name}")
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

    def zero_(self) -> Tensor:
        """Write zeros into it; returns the Tensor. Errors of this and the following methods: those of `t[...] = x`."""
        return self.fill_(0)

    def fill_(self, value: Operand) -> Tensor:
        """Write one number into all elements; returns the Tensor."""
        return self.copy_(value)

    def copy_(self, source: Operand) -> Tensor:
        """Write values into it, broadcast and cast to its dtype; returns the Tensor."""
        self[...] = source
        return self

    def add_(self, other: Operand, *, alpha: Operand = 1) -> Tensor:
        """Add `alpha * other` in place; returns the Tensor."""
        return self._in_memory(elementwise.add, _scaled(other, alpha, self))

    def sub_(self, other: Operand, *, alpha: Operand = 1) -> Tensor:
        """Subtract `alpha * other` in place; returns the Tensor."""
        return self._in_memory(elementwise.sub, _scaled(other, alpha, self))

    def mul_(self, other: Operand) -> Tensor:
        """Multiply in place; returns the Tensor."""
        return self._in_memory(elementwise.mul, other)

    def div_(self, other: Operand) -> Tensor:
        """Divide in place; returns the Tensor."""
        return self._in_memory(elementwise.div, other)

    def _in_memory(self, op: Op, other: Operand) -> Tensor:
        """As `_in_place`, but never a new Tensor."""
        operand = beside(other, self)
        self._refuse_recorded(operand, f"in-place {op.name}")
        return self._in_place(op, operand)

    def _refuse_recorded(self, value: Tensor, what: str) -> None:
        if switch.recording and (self._requires_grad or value._requires_grad):
            raise RuntimeError(
                f"{what} would change values whose gradient is being recorded; "
                "do it inside `with no_grad():`, or compute a new Tensor"
            )

    def _write(self, where: Any, values: Array, how: str) -> None:
        """Change values in place, and count the change."""
        notify(self, how)
        self._data[where] = values
        changed(self)

    # --- comparisons: booleans without gradients ----------------------------------------------------------------------

    def __eq__(self, other: object) -> Any:
        return self._compare("equal", other)

    def __ne__(self, other: object) -> Any:
        return self._compare("not_equal", other)

    def __lt__(self, other: Operand) -> Any:
        return self._compare("less", other)

    def __le__(self, other: Operand) -> Any:
        return self._compare("less_equal", other)

    def __gt__(self, other: Operand) -> Any:
        return self._compare("greater", other)

    def __ge__(self, other: Operand) -> Any:
        return self._compare("greater_equal", other)

    def eq(self, other: Operand) -> Tensor:
        """`self == other`, element by element."""
        return self._compare_or_refuse("equal", other)

    def ne(self, other: Operand) -> Tensor:
        """`self != other`, element by element."""
        return self._compare_or_refuse("not_equal", other)

    def lt(self, other: Operand) -> Tensor:
        """`self < other`, element by element."""
        return self._compare_or_refuse("less", other)

    def le(self, other: Operand) -> Tensor:
        """`self <= other`, element by element."""
        return self._compare_or_refuse("less_equal", other)

    def gt(self, other: Operand) -> Tensor:
        """`self > other`, element by element."""
        return self._compare_or_refuse("greater", other)

    def ge(self, other: Operand) -> Tensor:
        """`self >= other`, element by element."""
        return self._compare_or_refuse("greater_equal", other)

    def _compare_or_refuse(self, how: str, other: Operand) -> Tensor:
        return ask(QUESTIONS[how], (self, beside(other, self)))

    def equal(self, other: Tensor) -> bool:
        """Whether another Tensor has the same shape and the same values; NaN equals nothing.

        Raises:
            TypeError: no Tensor.
        """
        if not isinstance(other, Tensor):
            raise TypeError(f"equal compares with a Tensor, got {type(other).__name__}; use eq for each element")
        return self.shape == other.shape and bool(np.array_equal(self._read("equal"), other._read("equal")))

    def isclose(self, other: Operand, rtol: Number = 1e-5, atol: Number = 1e-8, equal_nan: bool = False) -> Tensor:
        """Whether |self - other| <= atol + rtol |other|, element by element."""
        operand = beside(other, self)
        with_nan = true_or_false("equal_nan", equal_nan)
        close = np.isclose(self._read("isclose"), operand._read("isclose"), rtol, atol, with_nan)
        return adopt(np.asarray(close))

    def allclose(self, other: Operand, rtol: Number = 1e-5, atol: Number = 1e-8, equal_nan: bool = False) -> bool:
        """Whether `isclose` holds for all elements."""
        return bool(self.isclose(other, rtol, atol, equal_nan)._data.all())

    def isnan(self) -> Tensor:
        """Whether each element is NaN."""
        return self._asked("isnan")

    def isinf(self) -> Tensor:
        """Whether each element is infinite."""
        return self._asked("isinf")

    def isfinite(self) -> Tensor:
        """Whether each element is neither NaN nor infinite."""
        return self._asked("isfinite")

    def logical_not(self) -> Tensor:
        """Whether each element is False, or 0."""
        return self._asked("logical_not")

    def logical_and(self, other: Operand) -> Tensor:
        """Whether both are True, or other than 0, element by element."""
        return self._asked("logical_and", other)

    def logical_or(self, other: Operand) -> Tensor:
        """Whether one or both are True, or other than 0, element by element."""
        return self._asked("logical_or", other)

    def logical_xor(self, other: Operand) -> Tensor:
        """Whether just one is True, or other than 0, element by element."""
        return self._asked("logical_xor", other)

    def __invert__(self) -> Tensor:
        return self._of_bools("~", "logical_not")

    def __and__(self, other: Operand) -> Tensor:
        return self._of_bools("&", "logical_and", other)

    def __or__(self, other: Operand) -> Tensor:
        return self._of_bools("|", "logical_or", other)

    def __xor__(self, other: Operand) -> Tensor:
        return self._of_bools("^", "logical_xor", other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def _of_bools(self, sign: str, how: str, *others: Operand) -> Tensor:
        """An operator between conditions.

        Raises:
            TypeError: numbers, whose bits torch would take.
        """
        operands = [beside(each, self) for each in others]
        if any(each._data.dtype != bool for each in (self, *operands)):
            raise TypeError(f"{sign} is for bool, got {describe([each._data for each in (self, *operands)])}")
        return self._asked(how, *operands)

    def _asked(self, how: str, *others: Operand) -> Tensor:
        """Booleans without a gradient."""
        return ask(QUESTIONS[how], (self, *[beside(each, self) for each in others]))

    def _read(self, how: str) -> np.ndarray[Any, Any]:
        """The values on the host, for a result without a gradient."""
        notify(self, how)
        return to_host(self._data)

    def is_floating_point(self) -> bool:
        """Whether it holds float32 or float64."""
        return bool(self._data.dtype.kind == "f")

    def _compare(self, how: str, other: object) -> Any:
        if not isinstance(other, (Tensor, np.ndarray, np.generic, int, float)):
            return NotImplemented
        return ask(QUESTIONS[how], (self, beside(other, self)))

    # --- NumPy --------------------------------------------------------------------------------------------------------

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """What `np.asarray(t)` gives: the array itself, as by `t.numpy()`; a copy for another dtype or from a GPU.

        Raises:
            RuntimeError: gradients of the Tensor are recorded, and the array would have none.
        """
        if self._requires_grad and switch.recording:
            raise RuntimeError(
                "an array of NumPy has no gradient, and this Tensor requires one: write t.detach() in place of t, "
                "t.numpy() for the array itself, or do it inside `with no_grad():`"
            )
        notify(self, "as an array of NumPy")
        if copy or self._device != "cpu" or (dtype is not None and np.dtype(dtype) != self.dtype):
            return np.array(to_host(self._data), dtype)
        return self.numpy()

    @property
    def _mask(self) -> Any:
        # numpy.ma takes a Tensor for a masked array, because it has `_data`, and would cut the graph. It asks for this.
        raise TypeError("a masked array cannot stand before a Tensor; fill it, as in array.filled(0.0) * tensor")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """What NumPy's element-wise functions give for Tensors, also in `array * tensor`.

        A function that is a row of the table of ops gives a Tensor, with its gradient. Other functions give arrays,
        and raise a TypeError where they would cut the graph.
        """
        into = options.get("out", ())
        # `array += tensor`, which gives a new Tensor; `tensor += x` does not come here
        in_place = len(into) == 1 and into[0] is inputs[0] and not isinstance(into[0], Tensor)
        if method == "__call__" and (not options or (in_place and len(options) == 1)):
            if ufunc.__name__ in COMPARISONS:
                return ask(QUESTIONS[ufunc.__name__], [beside(each, self) for each in inputs])
            op = OPS.get(elementwise.NUMPY.get(ufunc.__name__, ufunc.__name__))
            if op is not None:
                return apply(op, tuple([beside(each, self) for each in inputs]))
        if method == "__call__":
            return _outside_the_graph(f"numpy.{ufunc.__name__}", ufunc, inputs, options)
        return _outside_the_graph(f"numpy.{ufunc.__name__}.{method}", getattr(ufunc, method), inputs, options)

    def __array_function__(
        self, function: Callable[..., Any], types: Iterable[type], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """What NumPy's other functions give for Tensors: those of `numpy_functions.py` a Tensor, the others arrays.

        Raises:
            TypeError: the function would cut the graph of a Tensor that requires gradients.
        """
        ours = FUNCTIONS.get(function)
        if ours is not None and _takes(ours, args, kwargs):
            found = ours(*args, **kwargs)
            if found is not NotImplemented:
                return found
        return _outside_the_graph(f"{function.__module__}.{function.__name__}", function, args, kwargs)

    # --- Python's protocols -------------------------------------------------------------------------------------------

    __hash__ = object.__hash__

    def __dir__(self) -> list[str]:
        """What there is; not what `absent.py` says is not."""
        return [name for name in super().__dir__() if name not in ABSENT]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a 0-d Tensor has no length; use .item() for its value")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: object) -> bool:
        """Whether some element equals a number, or elements equal those of a Tensor that broadcasts, as in torch."""
        if not isinstance(value, (Tensor, np.ndarray, np.generic, int, float)):
            raise TypeError(f"`value in t` needs a number or a Tensor, got {type(value).__name__}")
        return bool(self._compare("equal", value).any())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> Number:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind != "i" or self.shape:
            raise TypeError(f"only a 0-d int64 Tensor can be used as an index, got {describe((self._data,))}")
        return int(self.item())

    def __format__(self, specification: str) -> str:
        if not specification:
            return str(self)
        if self._data.size != 1:
            raise TypeError(
                f"the format {specification!r} is for one number, and this Tensor has shape {self.shape}; format the "
                "numbers of .tolist(), or reduce it first, e.g. with .mean()"
            )
        return format(self.item(), specification)

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

    def __reduce__(self) -> Any:
        """Copying and pickling keep values, gradient, name and device of a leaf."""
        if self._node is not None:
            raise RuntimeError("only leaves can be pickled or deep-copied; call .detach() or .clone() first")
        notify(self, "a copy")
        grad = None if self._grad is None else to_host(self._grad).copy()
        state = (to_host(self._data).copy(), grad, self._requires_grad, self.name, self._device)
        return _rebuilt, (type(self), *state)


for _name, _told in ABSENT.items():
    setattr(Tensor, _name, Absent(_name, _told))
# Inside the class these names are types.
setattr(Tensor, "int", lambda self: self.long())  # noqa: B010
setattr(Tensor, "bool", lambda self: self.to("bool"))  # noqa: B010


# --- making Tensors ---------------------------------------------------------------------------------------------------


def _fill(out: _Kind, array: Array, device: str) -> _Kind:
    """Give a blank Tensor its array and the state of a leaf that requires no gradient."""
    out._data = array
    out._device = device
    out._requires_grad = out._exposed = out._saved = False
    out._version = 0
    out._node = out._base = out._views = out._seen = out._grad = out._grad_slot = out._slot = out.name = None
    return out


def adopt(array: Array, device: str = "cpu") -> Tensor:
    """A Tensor over an array of an allowed dtype that nobody else holds, without copying it."""
    if array.dtype not in ALLOWED:
        raise TypeError(f"a Tensor holds float32, float64, int64 or bool, got {array.dtype}")
    return _fill(_new(Tensor), array, device)


def _like(array: np.ndarray[Any, Any], tensor: Tensor) -> Tensor:
    """A Tensor over a new array, on the device of another one."""
    return adopt(array) if tensor._device == "cpu" else adopt(to_device(array), tensor._device)


def as_tensor(value: Operand) -> Tensor:
    """A Tensor itself, or a Tensor of an array or a number; an array of an allowed dtype is shared.

    Raises:
        TypeError: something else, or an array of another kind of dtype.

    Example:
        >>> as_tensor(np.ones(2, "f4"))
        tensor([1., 1.])
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        if type(value) is not _ndarray:
            refuse_masked(value, "an array beside a Tensor")
        array = np.asarray(value)
        if array.dtype not in ALLOWED:
            return Tensor(array)
        out = _fill(_new(Tensor), array, "cpu")
        out._exposed = True
        return out
    if isinstance(value, (int, float)):
        return Tensor(value)
    raise TypeError(f"expected a Tensor, a NumPy array or a number, got {type(value).__name__}; use tensor(...) first")


def beside(other: Any, tensor: Tensor) -> Tensor:
    """`other` as a Tensor, to compute with `tensor`: numbers of Python and NumPy take its dtype, arrays keep theirs.

    Beside whole numbers a float becomes float32, as in torch.

    Raises:
        TypeError: no real number, array or Tensor. ValueError: a whole number that does not fit.
    """
    if isinstance(other, Tensor):
        return other
    if isinstance(other, _ndarray):
        return as_tensor(other)
    if isinstance(other, np.generic):
        other = other.item()
    if not isinstance(other, (int, float)):
        raise TypeError(
            f"expected a Tensor, a NumPy array or a real number beside a Tensor, got {type(other).__name__}"
        )
    dtype = tensor._data.dtype
    if dtype.kind != "f":
        dtype = float32 if isinstance(other, float) else np.result_type(dtype, other)
    try:
        value: Array = np.array(other, dtype)
    except OverflowError as error:
        raise ValueError(f"the number {other} does not fit into {dtype}") from error
    return _fill(_new(Tensor), value if tensor._device == "cpu" else to_device(value), tensor._device)


def _rebuilt(
    kind: type[_Kind], values: Array, grad: Array | None, requires_grad: bool, name: str | None, device: str
) -> _Kind:
    out = _fill(_new(kind), values if device == "cpu" else to_device(values), check_device(device))
    out._requires_grad, out.name = requires_grad, name
    out.grad = grad
    return out


# --- running ops ------------------------------------------------------------------------------------------------------


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
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        if op.floats and device == "cpu" and any(array.dtype.kind != "f" for array in arrays[op.conditions :]):
            return apply(op, _as_floats(inputs, op.conditions), options)
        raise explained(op, arrays, error, options) from error
    kept = None
    if op.keeps:
        value, kept = value
    if type(value) is not _ndarray and device == "cpu":
        value = np.asarray(value)
    dtype = value.dtype
    if (dtype is not arrays[-1].dtype or dtype is not arrays[0].dtype) and device == "cpu" and op is not shapes.cast:
        # NumPy's dtype: equal ones give their own, but for floats of whole numbers, and of two floats the wider one
        alike = _of_one_dtype(inputs, op.conditions)
        if alike is not None:
            return apply(op, alike, options)
        if dtype.kind == "f" and arrays[-1].dtype.kind != "f":
            value = _of_default_dtype(op, arrays, options, value)
    out = _fill(_new(Tensor), value, device)
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


def _of_one_dtype(inputs: Sequence[Tensor], first: int) -> list[Tensor] | None:
    """The inputs, from the first one that is no condition, cast to the dtype that torch computes with; None if it is
    theirs."""
    dtype = result_dtype([tensor._data for tensor in inputs[first:]])
    if all(tensor._data.dtype == dtype for tensor in inputs[first:]):
        return None
    cast = [t if t._data.dtype == dtype else apply(shapes.cast, (t,), (dtype,)) for t in inputs[first:]]
    return [*inputs[:first], *cast]


def _as_floats(inputs: Sequence[Tensor], first: int) -> list[Tensor]:
    """The inputs, from the first one that is no condition, with whole numbers and booleans as float32."""
    cast = [t if t._data.dtype.kind == "f" else apply(shapes.cast, (t,), (float32,)) for t in inputs[first:]]
    return [*inputs[:first], *cast]


def _of_default_dtype(op: Op, arrays: Sequence[Array], options: tuple[Any, ...], value: Array) -> Array:
    """The floats that an op gives for whole numbers, as float32; NumPy has float16 of booleans and else float64."""
    if value.dtype != float64:
        value = np.asarray(op.run([array.astype(float32) for array in arrays], options)[0])
    return value.astype(float32, copy=False)


def ask(op: Op, inputs: Sequence[Tensor], options: tuple[Any, ...] = ()) -> Tensor:
    """Run an op that has no gradient, on the host: a row of `questions.py`."""
    arrays = [to_host(tensor._data) for tensor in inputs]
    try:
        out = adopt(np.asarray(op.forward(*arrays, *options)))
    except (ValueError, IndexError, TypeError) as error:
        raise explained(op, arrays, error) from error
    if switch.watcher is not None:
        switch.watcher.unrecorded(Node(op, 0, inputs, arrays, options, out, None), out)
    return out


# --- functions of NumPy that are no rows ------------------------------------------------------------------------------


def _outside_the_graph(name: str, function: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Any:
    """What a function of NumPy gives for the arrays of Tensors.

    Raises:
        TypeError: it gives floats computed from a Tensor whose gradient is recorded, or would write such floats, or
            into such a Tensor; nothing is written then.
    """
    recorded = switch.recording and any(tensor._requires_grad for tensor in _tensors_in((args, kwargs)))
    if recorded and name.endswith(".at"):  # np.add.at writes into read-only arrays, too
        raise _no_operation(name)
    try:
        result = function(*_as_arrays(args, recorded), **_as_arrays(kwargs, recorded))
    except ValueError as error:
        if recorded and "read-only" in str(error):
            raise _no_operation(name) from error
        raise
    if recorded and _has_floats(result):
        raise _no_operation(name)
    return result


def _no_operation(name: str) -> TypeError:
    return TypeError(
        f"{name} is no operation of a Tensor, and its result would have no gradient; compute with operators and "
        "methods of Tensors, or write t.detach().numpy() in place of t if no gradient is wanted"
    )


def _takes(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function has these arguments: without some of NumPy's, such as `out`."""
    try:
        signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _tensors_in(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _tensors_in(each)


def _as_arrays(value: Any, recorded: bool) -> Any:
    """The value with arrays in place of Tensors, also in lists, tuples and dicts.

    Where a gradient is recorded, all arrays of floats are read-only.
    """
    if isinstance(value, Tensor):
        value = value.numpy() if value._device == "cpu" else to_host(value._data)
    if recorded and isinstance(value, np.ndarray) and _has_floats(value):
        value = value.view()
        value.flags.writeable = False
    if type(value) in (list, tuple):
        return type(value)(_as_arrays(each, recorded) for each in value)
    return {name: _as_arrays(each, recorded) for name, each in value.items()} if type(value) is dict else value


def _has_floats(result: object) -> bool:
    if isinstance(result, (list, tuple)):
        return any(map(_has_floats, result))
    return isinstance(result, float) or (isinstance(result, (np.ndarray, np.generic)) and result.dtype.kind in "fc")


# --- arguments --------------------------------------------------------------------------------------------------------


def _matching(values: Any, tensor: Tensor, what: str) -> np.ndarray[Any, Any]:
    """`values` as a host array of the Tensor's shape and dtype."""
    if isinstance(values, Tensor):
        notify(values, f"assigned as {what}")
        array = to_host(values._data)
    else:
        refuse_masked(values, what)
        array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} must be real numbers, got {array.dtype}")
    if array.shape != tensor._data.shape:
        raise ValueError(f"{what} must have the Tensor's shape {tensor.shape}, got {array.shape}")
    return array.astype(tensor._data.dtype, copy=False)


def _scaled(other: Operand, alpha: Operand, like: Tensor) -> Tensor:
    operand = beside(other, like)
    return operand if isinstance(alpha, (int, float)) and alpha == 1 else operand * alpha


def destination(
    places: Sequence[Any], device: str | None, dtype: DTypeLike | None
) -> tuple[str | None, np.dtype[Any] | None]:
    """The device and the dtype that the arguments of `to` mean, checked; None for what stays.

    Raises:
        TypeError, ValueError: none, one of them twice, or one that there is not.
    """
    devices: list[Any] = [] if device is None else [device]
    dtypes: list[Any] = [] if dtype is None else [dtype]
    for place in places:
        if isinstance(place, Tensor):
            devices.append(place._device)
            dtypes.append(place.dtype)
        elif isinstance(place, str) and (place in ("cpu", "cuda") or ":" in place):
            devices.append(place)
        else:
            dtypes.append(place)
    if len(devices) > 1 or len(dtypes) > 1 or not (devices or dtypes):
        raise TypeError(f"to() takes a device, a dtype or both, got {[*places, *filter(None, (device, dtype))]}")
    return check_device(devices[0]) if devices else None, check_dtype(dtypes[0]) if dtypes else None


def _either(name: str, value: Any, other_name: str, other: Any) -> Any:
    """The argument that is given under one of its two names."""
    if other is None:
        return value
    if value is not None:
        raise TypeError(f"{name}={value!r} and {other_name}={other!r} are one argument; give one of them")
    return other


def _unbiased(axis: Axes, unbiased: object, correction: Number) -> tuple[Axes, Number]:
    """The axis and the correction of `var`, where torch's `unbiased` may stand in their place."""
    if isinstance(axis, (bool, np.bool_)) and unbiased is None:
        axis, unbiased = None, axis
    if unbiased is None:
        return axis, correction
    return axis, int(true_or_false("unbiased", unbiased))


def _reduced(tensor: Tensor, axis: Axes, keepdims: bool | None, dim: Axes, keepdim: bool | None) -> tuple[Axes, bool]:
    """The options of a reduction. A Tensor without axes may be reduced along 0 or -1, as in torch."""
    axis = _either("axis", axis, "dim", dim)
    kept = _either("keepdims", keepdims, "keepdim", keepdim)
    for each in axis if isinstance(axis, (list, tuple)) else (axis,):
        if isinstance(each, int) and abs(each) >= 2**31:  # of which NumPy says OverflowError
            raise ValueError(f"axis {shown(each)} is out of bounds")
    axis = tuple(axis) if isinstance(axis, list) else axis
    if axis is not None and not tensor._data.shape and axis in (0, -1, (0,), (-1,)):
        axis = None
    return axis, kept is not None and true_or_false("keepdims", kept)


def _axis(axis: Any, ndim: int) -> int:
    """The axis, counted from the front.

    Raises:
        TypeError: no whole number. ValueError: there is no such axis.
    """
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
        raise TypeError(f"an axis is a whole number, got {axis!r}")
    if not -ndim <= axis < ndim:
        raise ValueError(f"there is no axis {axis}: expected {-ndim} to {ndim - 1}")
    return int(axis) % ndim


def _along(axis: int, where: Any) -> tuple[Any, ...]:
    """The index that chooses along one axis, and all of the others."""
    return (*(slice(None),) * axis, where)


def _flat(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    """reshape(2, 3) and reshape((2, 3)) mean the same."""
    if len(numbers) == 1 and isinstance(numbers[0], (tuple, list)):
        return tuple(numbers[0])
    return numbers


def _index(where: Any, copy: bool) -> Any:
    """An index as NumPy takes it: Tensors become arrays, and arrays are copied so that later changes do not matter."""
    if isinstance(where, tuple):
        return tuple(_index(part, copy) for part in where)
    if isinstance(where, Tensor):
        notify(where, "as an index")
        where = where._data
    if isinstance(where, list):
        where = np.array(where) if where else np.array([], np.int64)
    return where.copy() if copy and isinstance(where, np.ndarray) else where
