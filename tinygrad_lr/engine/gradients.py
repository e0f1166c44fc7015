"""The part of a Tensor that has to do with gradients: `requires_grad`, `grad`, `backward`.

Next: `graph.py` for the walk back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import on_cuda
from .dtypes import copy_into, float32, float64, to_device, to_host
from .graph import backward, tell

if TYPE_CHECKING:
    from .graph import Node

__all__ = ["Gradients", "matching"]

Array = Any  # a NumPy array, or a device array on "cuda"
_ONE = {dtype: np.ones((), dtype) for dtype in (float32, float64)}


class Gradients:
    """The part of `Tensor` that asks for gradients and keeps them."""

    __slots__ = ()

    if TYPE_CHECKING:
        _data: Array
        _device: str
        _requires_grad: bool
        _grad: Any
        _grad_home: Any
        _node: Node | None
        dtype: Any
        shape: Any

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to it. Assigning is possible on leaves of floating-point dtype.

        Raises:
            TypeError: whole numbers or booleans cannot require gradients.
            RuntimeError: it was computed from tensors that require gradients; use `.detach()`.
        """
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and self._data.dtype.kind != "f":
            raise TypeError(
                f"only float32 and float64 Tensors can require gradients, got {self.dtype}; "
                "convert it with .to('float32')"
            )
        if self._node is not None and not value:
            raise RuntimeError("requires_grad can be switched off for leaves only; use .detach() for a computed Tensor")
        self._requires_grad = bool(value)  # type: ignore[misc]

    @property
    def grad(self) -> Array | None:
        """The gradient: None, or an array of the Tensor's shape and dtype. Assign an array, a Tensor or None.

        Raises:
            ValueError: a gradient of another shape is assigned.
        """
        return self._grad

    @grad.setter
    def grad(self, values: Any) -> None:
        if values is None:
            self._grad = None
            return
        tell(self, "assigning to .grad")
        array = matching(values, self, "grad")
        if self._grad_home is None:
            self._grad = array.copy() if self._device == "cpu" else to_device(array)
        else:
            copy_into(self._grad_home, array)
            self._grad = self._grad_home

    def zero_grad(self) -> None:
        """Forget the gradient: the next `backward` starts from zero."""
        self._grad = None

    def _accumulate(self, gradient: Array) -> None:
        if self._device != "cpu":
            self._accumulate_on_cuda(gradient)
        elif self._grad is not None:
            np.add(self._grad, gradient, self._grad)
        elif self._grad_home is not None:
            self._grad_home[...] = gradient
            self._grad = self._grad_home
        else:
            self._grad = gradient.copy()

    def _accumulate_on_cuda(self, gradient: Array) -> None:
        if self._grad is not None:
            on_cuda.add(self._grad, gradient, self._grad)
        elif self._grad_home is not None:
            copy_into(self._grad_home, gradient)
            self._grad = self._grad_home
        else:
            self._grad = on_cuda.copy(gradient)

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
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
        tell(self, "backward()")
        if gradient is not None:
            start = matching(gradient, self, "gradient")
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
        backward(self, start, retain_graph)  # type: ignore[arg-type]


def matching(values: Any, tensor: Gradients, what: str) -> np.ndarray[Any, Any]:
    """`values` as a host array of the Tensor's shape and dtype."""
    if isinstance(values, Gradients):
        tell(values, f"assigned as {what}")
        array = to_host(values._data)
    else:
        array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} must be real numbers, got {array.dtype}")
    if array.shape != tensor._data.shape:
        raise ValueError(f"{what} must have the Tensor's shape {tensor.shape}, got {array.shape}")
    return array.astype(tensor._data.dtype, copy=False)
