"""Losses as modules, with torch's names and arguments: each keeps the options of a function of `engine/losses.py`.

They are called with a prediction and a target. Next: `containers.py`.
"""

from __future__ import annotations

import numpy as np

from tinygrad_lr.engine import functional
from tinygrad_lr.engine.losses import checked_reduction
from tinygrad_lr.engine.tensor import Operand, Tensor
from tinygrad_lr.integers import whole_number
from tinygrad_lr.reals import real_number

from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Module):
    """A loss with a reduction."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = checked_reduction(reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class MSELoss(_Loss):
    """The squared error: mean, sum or each element ("none").

    It is called with a prediction and a target: Tensors or arrays of one shape, or a number for each element.

    Raises:
        ValueError: an unknown reduction; on calling, shapes that differ (torch broadcasts them with a warning).

    Example:
        >>> from tinygrad_lr import tensor
        >>> MSELoss()(tensor([1.0, 2.0]), tensor([1.0, 4.0])).item()
        2.0
    """

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """The absolute error: mean, sum or each element ("none"). It is called as `MSELoss` is.

    Example:
        >>> from tinygrad_lr import tensor
        >>> L1Loss()(tensor([1.0, 2.0]), tensor([1.0, 4.0])).item()
        1.0
    """

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.l1_loss(input, target, self.reduction)


class SmoothL1Loss(_Loss):
    """The absolute error, but a parabola where it is below beta; see `functional.smooth_l1_loss`.

    Raises:
        TypeError, ValueError: an unknown reduction, or a beta below 0.

    Example:
        >>> from tinygrad_lr import tensor
        >>> SmoothL1Loss()(tensor([0.5, 3.0]), tensor([0.0, 0.0])).item()
        1.3125
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = real_number("beta", beta, least=0.0)

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.smooth_l1_loss(input, target, self.reduction, self.beta)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, beta={self.beta}"


class HuberLoss(_Loss):
    """Half the squared error up to delta, and the absolute error beyond; see `functional.huber_loss`.

    Raises:
        TypeError, ValueError: an unknown reduction, or a delta that is not above 0.

    Example:
        >>> from tinygrad_lr import tensor
        >>> HuberLoss(delta=2.0)(tensor([0.5, 3.0]), tensor([0.0, 0.0])).item()
        2.0625
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = real_number("delta", delta, above=0.0)

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.huber_loss(input, target, self.reduction, self.delta)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, delta={self.delta}"


class BCEWithLogitsLoss(_Loss):
    """The cross-entropy of two classes, from logits; see `functional.binary_cross_entropy_with_logits`.

    Args:
        weight, pos_weight: Tensors or arrays, kept as buffers. reduction: "mean", "sum" or "none".

    Example:
        >>> from tinygrad_lr import tensor
        >>> loss = BCEWithLogitsLoss()(tensor([0.0, 1e4]), tensor([1.0, 1.0]))
        >>> round(loss.item(), 4)
        0.3466
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self, weight: Operand | None = None, *, reduction: str = "mean", pos_weight: Operand | None = None
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", _kept(weight))
        self.register_buffer("pos_weight", _kept(pos_weight))

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class BCELoss(_Loss):
    """The cross-entropy of two classes, from probabilities; see `functional.binary_cross_entropy`.

    `BCEWithLogitsLoss` contains the sigmoid, and is exact everywhere.

    Args:
        weight: a Tensor or an array, kept as a buffer. reduction: "mean", "sum" or "none".

    Example:
        >>> from tinygrad_lr import tensor
        >>> round(BCELoss()(tensor([0.5, 0.75]), tensor([1.0, 1.0])).item(), 4)
        0.4904
    """

    weight: Tensor | None

    def __init__(self, weight: Operand | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", _kept(weight))

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class NLLLoss(_Loss):
    """Minus the input at the target's class, for logarithms of probabilities; see `functional.nll_loss`.

    Args:
        weight: a Tensor or an array with a weight for each class, kept as a buffer.
        ignore_index: a target of this number counts nothing. reduction: "mean", "sum" or "none".

    Example:
        >>> from tinygrad_lr import tensor
        >>> NLLLoss()(tensor([[-0.5, -1.0]]), tensor([1])).item()
        1.0
    """

    weight: Tensor | None

    def __init__(self, weight: Operand | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", _kept(weight))
        self.ignore_index = whole_number("ignore_index", ignore_index)

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(NLLLoss):
    """The cross-entropy of several classes, from logits; see `functional.cross_entropy`.

    Args:
        weight: a Tensor or an array with a weight for each class, kept as a buffer.
        ignore_index: a target of this number counts nothing. reduction: "mean", "sum" or "none".
        label_smoothing: from 0 to 1: how much of each target is spread over all classes.

    Example:
        >>> from tinygrad_lr import tensor
        >>> loss = CrossEntropyLoss()(tensor([[2.0, 0.0, 0.0], [0.0, 1e4, 0.0]]), tensor([0, 1]))
        >>> round(loss.item(), 4)
        0.1198
    """

    def __init__(
        self,
        weight: Operand | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index=ignore_index, reduction=reduction)
        self.label_smoothing = real_number("label_smoothing", label_smoothing, least=0.0, most=1.0)

    def forward(self, input: Operand, target: Operand) -> Tensor:
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


def _kept(weight: Operand | None) -> Tensor | None:
    """A weight as a buffer: a Tensor without a gradient."""
    if weight is None:
        return None
    return weight.detach() if isinstance(weight, Tensor) else Tensor(np.asarray(weight))
