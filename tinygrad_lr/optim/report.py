"""`StepReport`: what a step did, where it is asked for: `optimizer.step(report=True)`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["StepReport"]


@dataclass(frozen=True)
class StepReport:
    """What `Optimizer.step(report=True)` returns.

    Attributes:
        applied: whether parameters were updated.
        reason: why none was, in words; empty where they were.
        rates: the learning rate of each group in this step.
        norm: the Euclidean norm of all gradients together, before clipping; 0.0 where there is no gradient, infinite or
            NaN where one is not finite.
        factor: what `max_norm` multiplied the gradients by; 1.0 where they stayed as they were.
        loss: what the closure returned, or None.

    Example:
        >>> from tinygrad_lr import optim, tensor
        >>> w = tensor([1.0, 2.0], requires_grad=True)
        >>> optimizer = optim.SGD([w], lr=0.1)
        >>> w.grad = [3.0, 4.0]
        >>> optimizer.step(report=True)
        StepReport(applied=True, reason='', rates=(0.1,), norm=5.0, factor=1.0, loss=None)
        >>> w.grad = [3.0, float("inf")]
        >>> optimizer.step(skip_nonfinite=True, report=True).reason
        'element 1 of the gradient of group0.param0, of shape (2,), is inf'
    """

    applied: bool
    reason: str
    rates: tuple[float, ...]
    norm: float
    factor: float = 1.0
    loss: Any = None
