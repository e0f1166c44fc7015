"""The layers and the loss that the article needs.

Next: `engine/products.py` for what they compute, `optim/` for what updates the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tinygrad_lr import random
from tinygrad_lr.engine.functional import REDUCTIONS
from tinygrad_lr.engine.products import linear, mse_loss
from tinygrad_lr.engine.tensor import Tensor, apply
from tinygrad_lr.integers import whole_number

from .module import Module, Parameter

__all__ = ["Linear", "MSELoss", "ReLU", "Sequential", "Sigmoid", "Tanh"]


class Linear(Module):
    """x weight^T + bias.

    Weight and bias are drawn uniformly from [-1/sqrt(in_features), 1/sqrt(in_features)], as torch does: Kaiming's
    uniform initialisation (He et al., 2015, arXiv:1502.01852) with a = sqrt(5).

    Args:
        in_features, out_features: the length of the last axis of the input and of the output.
        bias: whether a bias is added.

    Raises:
        TypeError, ValueError: features that are no whole numbers of at least 1.

    Example:
        >>> from tinygrad_lr import ones
        >>> Linear(10, 1)(ones(4, 10)).shape
        (4, 1)
    """

    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features = whole_number("in_features", in_features, least=1)
        self.out_features = whole_number("out_features", out_features, least=1)
        bound = 1 / math.sqrt(self.in_features)
        self.weight = _uniform((self.out_features, self.in_features), bound)
        self.bias = _uniform((self.out_features,), bound) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias
        return apply(linear, (x, self.weight) if bias is None else (x, self.weight, bias))

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def _uniform(shape: tuple[int, ...], bound: float) -> Parameter:
    draws = random.generator().random(shape, np.float32)
    return Parameter((2 * draws - 1) * np.float32(bound))


class ReLU(Module):
    """max(x, 0); the derivative at 0 is declared 0."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu()


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        return x.tanh()


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sigmoid()


class Sequential(Module):
    """Modules one after the other, named "0", "1", ...

    Raises:
        TypeError: a part is no Module.

    Example:
        >>> model = Sequential(Linear(4, 8), ReLU(), Linear(8, 1))
        >>> [name for name, _ in model.named_parameters()]
        ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *parts: Module) -> None:
        for i, part in enumerate(parts):
            if not isinstance(part, Module):
                raise TypeError(f"Sequential takes Modules, got {type(part).__name__} at position {i}")
            setattr(self, str(i), part)

    def _parts(self) -> list[Module]:
        return [part for part in vars(self).values() if isinstance(part, Module)]

    def forward(self, x: Tensor) -> Tensor:
        for part in self._parts():
            x = part.forward(x)
        return x

    def __len__(self) -> int:
        return len(self._parts())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._parts())

    def __getitem__(self, i: int) -> Module:
        return self._parts()[i]


class MSELoss(Module):
    """The squared error: mean, sum or each element ("none").

    Raises:
        ValueError: an unknown reduction; on calling, shapes that differ (torch broadcasts them with a warning).

    Example:
        >>> from tinygrad_lr import tensor
        >>> MSELoss()(tensor([1.0, 2.0]), tensor([1.0, 4.0])).item()
        2.0
    """

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
        self.reduction = reduction

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return apply(mse_loss, (prediction, target), (self.reduction,))

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"
