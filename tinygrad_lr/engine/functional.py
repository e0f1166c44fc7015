"""The ops as functions, where an operator or method reads badly.

Next: `nn/`, which keeps parameters for some of them.
"""

from __future__ import annotations

from typing import Any

from . import elementwise, products
from .tensor import Tensor, apply

__all__ = ["linear", "maximum", "mse_loss", "relu", "sigmoid", "tanh"]

REDUCTIONS = ("mean", "sum", "none")


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
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
    return apply(products.linear, (x, weight) if bias is None else (x, weight, bias))


def mse_loss(prediction: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The squared error (prediction - target)^2: its mean, its sum, or each ("none").

    Raises:
        ValueError: an unknown reduction, or shapes that differ. torch broadcasts with a warning, so that a prediction
            of shape (n, 1) and a target of shape (n,) compare every pair; here it is an error.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
    return apply(products.mse_loss, (prediction, target), (reduction,))


def maximum(a: Tensor, b: Any) -> Tensor:
    """The larger of two, element by element; a tie shares the gradient equally."""
    return a.maximum(b)


def relu(x: Tensor) -> Tensor:
    """max(x, 0); the derivative at 0 is declared 0."""
    return apply(elementwise.relu, (x,))


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return apply(elementwise.tanh, (x,))


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), without overflow for any x."""
    return apply(elementwise.sigmoid, (x,))
