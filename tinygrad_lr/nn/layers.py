"""Linear, the layer with parameters.

A layer takes a Tensor or an array, and returns a Tensor.

Next: `activations.py`, `losses.py`, `containers.py`; `engine/products.py` for what it computes, `optim/` for what
updates it.
"""

from __future__ import annotations

import math

import numpy as np

from tinygrad_lr import random
from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.engine.products import linear
from tinygrad_lr.engine.tensor import Operand, Tensor, apply, as_tensor
from tinygrad_lr.integers import whole_number

from .module import Module, Parameter

__all__ = ["Linear"]


class Linear(Module):
    """x weight^T + bias.

    Weight and bias are drawn uniformly from [-1/sqrt(in_features), 1/sqrt(in_features)], as torch does: Kaiming's
    uniform initialisation (He et al., 2015, arXiv:1502.01852) with a = sqrt(5).

    Args:
        in_features, out_features: the length of the last axis of the input and of the output.
        bias: whether a bias is added.

    Raises:
        TypeError, ValueError: features that are no whole numbers of at least 1, or a bias that is no bool.

    Example:
        >>> from tinygrad_lr import ones
        >>> Linear(10, 1)(ones(4, 10)).shape
        (4, 1)
        >>> Linear(10, 1)(np.ones((4, 10), "f4")).shape
        (4, 1)
    """

    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features = whole_number("in_features", in_features, least=1, most=2**40)
        self.out_features = whole_number("out_features", out_features, least=1, most=2**40)
        bias = true_or_false("bias", bias)
        bound = 1 / math.sqrt(self.in_features)
        self.weight = _uniform((self.out_features, self.in_features), bound)
        self.register_parameter("bias", _uniform((self.out_features,), bound) if bias else None)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, in place."""
        bound = 1 / math.sqrt(self.in_features)
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                parameter.data = _uniform(parameter.shape, bound)

    def forward(self, x: Operand) -> Tensor:
        x, bias = as_tensor(x), self.bias
        return apply(linear, (x, self.weight) if bias is None else (x, self.weight, bias))

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def _uniform(shape: tuple[int, ...], bound: float) -> Parameter:
    draws = random.generator().random(shape, np.float32)
    return Parameter((2 * draws - 1) * np.float32(bound))
