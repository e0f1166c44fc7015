"""Normalization: LayerNorm, which brings the values of each sample to mean 0 and variance 1.

The op is a row of `engine/normalization.py`. Next: `containers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.engine import normalization
from tinygrad_lr.engine.tensor import Operand, Tensor, adopt, apply, as_tensor
from tinygrad_lr.integers import shown, whole_number
from tinygrad_lr.reals import real_number

from .module import Module, Parameter

__all__ = ["LayerNorm", "layer_norm"]


def layer_norm(
    x: Operand,
    normalized_shape: int | Sequence[int],
    weight: Operand | None = None,
    bias: Operand | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) weight + bias, over the last axes (Ba et al., 2016, arXiv:1607.06450).

    The variance is divided by the number of elements, and computed in float64 from x - mean, so that a large mean costs
    no digits.

    Args:
        x: floats, of shape (..., *normalized_shape).
        normalized_shape: the lengths of the last axes, over which mean and variance are taken; a number means one axis.
        weight, bias: of shape normalized_shape, or None.
        eps: at least 0; it keeps what is constant from being divided by 0.

    Raises:
        TypeError: x holds no floats, or an argument is of another kind. ValueError: shapes that do not fit.

    Example:
        >>> layer_norm(np.array([1.0, 3.0]), 2, eps=0.0)
        tensor([-1.,  1.], dtype=float64)
    """
    x, shape = as_tensor(x), _shape(normalized_shape)
    eps = real_number("eps", eps, least=0.0)
    if x.dtype.kind != "f":
        raise TypeError(f"layer_norm needs floats, got {x.dtype}; convert them first, .to('float32')")
    if x.shape[x.ndim - len(shape) :] != shape or x.ndim < len(shape):
        raise ValueError(f"layer_norm: expected an input whose last axes have the lengths {shape}, got {x.shape}")
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and as_tensor(given).shape != shape:
            raise ValueError(f"layer_norm: expected a {name} of shape {shape}, got {as_tensor(given).shape}")
    options = (len(shape), eps)
    if weight is None and bias is None:
        return apply(normalization.plain, (x,), options)
    scale = adopt(np.ones(shape, x.dtype)).to(x.device) if weight is None else as_tensor(weight)
    inputs = (x, scale) if bias is None else (x, scale, as_tensor(bias))
    return apply(normalization.layer_norm, inputs, options)


def _shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    several = isinstance(normalized_shape, (list, tuple))
    given = tuple(normalized_shape) if several else (normalized_shape,)  # type: ignore[arg-type]
    if not given:
        raise ValueError(f"normalized_shape must have at least one length, got {shown(normalized_shape)}")
    return tuple([whole_number("normalized_shape", each, least=1, most=2**40) for each in given])


class LayerNorm(Module):
    """Mean 0 and variance 1 for each sample, then a weight and a bias for each element: see `functional.layer_norm`.

    Args:
        normalized_shape: the lengths of the last axes, or the length of the last one.
        eps: at least 0.
        elementwise_affine: whether there is a weight, which begins with 1. bias: whether there is a bias, too, which
            begins with 0.

    Raises:
        TypeError, ValueError: arguments of another kind, or lengths below 1.

    Example:
        >>> layer = LayerNorm(3)
        >>> layer
        LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=True)
        >>> layer(np.array([[1.0, 2.0, 3.0]], "f4")).shape
        (1, 3)
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        self.normalized_shape = _shape(normalized_shape)
        self.eps = real_number("eps", eps, least=0.0)
        self.elementwise_affine = true_or_false("elementwise_affine", elementwise_affine)
        bias = true_or_false("bias", bias) and self.elementwise_affine
        shape = self.normalized_shape
        self.register_parameter("weight", Parameter(np.ones(shape, "f4")) if self.elementwise_affine else None)
        self.register_parameter("bias", Parameter(np.zeros(shape, "f4")) if bias else None)

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0, in place."""
        if self.weight is not None:
            self.weight.data = np.ones(self.normalized_shape)
        if self.bias is not None:
            self.bias.data = np.zeros(self.normalized_shape)

    def forward(self, x: Operand) -> Tensor:
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )
