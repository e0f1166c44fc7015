"""The ops as functions, for code that reads better without methods.

Each takes Tensors, arrays or numbers, and returns a Tensor.

Next: `nn/`, which keeps parameters for some of them.
"""

from __future__ import annotations

import numpy as np

from . import elementwise, products
from .tensor import Operand, Tensor, adopt, apply, as_tensor, beside

__all__ = ["linear", "maximum", "mse_loss", "relu", "sigmoid", "tanh"]

REDUCTIONS = ("mean", "sum", "none")


def linear(x: Operand, weight: Operand, bias: Operand | None = None) -> Tensor:
    """x weight^T + bias.

    Args:
        x: (..., in_features). weight: (out_features, in_features). bias: (out_features,) or None.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> from tinygrad_lr import ones
        >>> linear(ones(4, 3), ones(2, 3)).shape
        (4, 2)
    """
    given = (x, weight) if bias is None else (x, weight, bias)
    return apply(products.linear, tuple([as_tensor(each) for each in given]))


def mse_loss(prediction: Operand, target: Operand, reduction: str = "mean") -> Tensor:
    """The squared error (prediction - target)^2: its mean, its sum, or each ("none").

    Args:
        prediction, target: Tensors or arrays of one shape; a number stands for each element of the other.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: an unknown reduction, or shapes that differ. torch broadcasts with a warning, so that a prediction
            of shape (n, 1) and a target of shape (n,) compare every pair; here it is an error.

    Example:
        >>> mse_loss(np.array([1.0, 3.0]), 0.0).item()
        5.0
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
    if not (isinstance(prediction, Tensor) and isinstance(target, Tensor)):
        prediction, target = _of_one_shape(prediction, target)
    return apply(products.mse_loss, (prediction, target), (reduction,))


def _of_one_shape(prediction: Operand, target: Operand) -> tuple[Tensor, Tensor]:
    """Both as Tensors; a number is repeated for each element of the other."""
    if isinstance(target, (Tensor, np.ndarray)):
        like = as_tensor(target)
        return _repeated(prediction, like), like
    like = as_tensor(prediction)
    return like, _repeated(target, like)


def _repeated(value: Operand, like: Tensor) -> Tensor:
    operand = beside(value, like)
    if isinstance(value, (Tensor, np.ndarray)) or not like.shape:
        return operand
    return adopt(np.full(like.shape, value, operand.dtype)).to(like.device)


def maximum(a: Operand, b: Operand) -> Tensor:
    """The larger of two, element by element; a tie shares the gradient equally."""
    first = beside(a, b) if isinstance(b, Tensor) else as_tensor(a)
    return first.maximum(b)


def relu(x: Operand) -> Tensor:
    """max(x, 0); the derivative at 0 is declared 0."""
    return apply(elementwise.relu, (as_tensor(x),))


def tanh(x: Operand) -> Tensor:
    """The hyperbolic tangent."""
    return apply(elementwise.tanh, (as_tensor(x),))


def sigmoid(x: Operand) -> Tensor:
    """1 / (1 + exp(-x)), without overflow for any x."""
    return apply(elementwise.sigmoid, (as_tensor(x),))
