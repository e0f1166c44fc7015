"""Schedulers that are made of others: `SequentialLR` (one after another) and `ChainedScheduler` (their product).

They take the place of their parts, which then do nothing by themselves, and have one counter, `last_epoch`. So their
state is that one integer too, and they nest. The same without schedulers: `.then` and `*` of schedules.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from tinygrad_lr.schedules._checks import count, several

from .base import Scheduler
from .plateau import ReduceLROnPlateau

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Composite(Scheduler):
    """A scheduler made of others, its parts."""

    def __init__(self, optimizer: Any, schedulers: Sequence[Scheduler], last_epoch: int) -> None:
        self.schedulers = schedulers
        for part in schedulers:
            part._leave()
        super().__init__(optimizer, last_epoch)

    def _settings(self) -> tuple[Any, ...]:
        return tuple((type(part), part._settings()) for part in self.schedulers)


def _parts(name: str, optimizer: Any, schedulers: Any) -> list[Scheduler]:
    """The parts of a scheduler, checked."""
    found = several("schedulers", schedulers)
    if not found:
        raise ValueError(f"{name} needs at least one scheduler, got an empty list")
    for index, part in enumerate(found):
        if not isinstance(part, Scheduler) or isinstance(part, ReduceLROnPlateau):
            hint = "; it needs a metric at each step: step it beside" if isinstance(part, ReduceLROnPlateau) else ""
            raise TypeError(f"schedulers[{index}] must be a scheduler of tinygrad_lr, got {type(part).__name__}{hint}")
        if part.optimizer is not optimizer:
            raise ValueError(f"schedulers[{index}] drives another optimizer; {name} takes schedulers of one")
        if part.hyperparameter != found[0].hyperparameter:
            raise ValueError(
                f"schedulers[{index}] sets {part.hyperparameter}, and schedulers[0] sets {found[0].hyperparameter}; "
                f"{name} takes schedulers of one number"
            )
        if part._is_part or any(part is other for other in found[:index]):
            raise ValueError(f"schedulers[{index}] is a part of another scheduler, or stands twice; make a new one")
    return found


class SequentialLR(_Composite):
    """Schedulers one after another: the next one begins, at its own epoch 0, at each milestone.

    Args:
        optimizer: that of all schedulers.
        schedulers: made for this optimizer; each counts its epochs from the milestone on that it begins at.
        milestones: epochs in ascending order, one fewer than there are schedulers. A scheduler with no epochs, before a
            milestone of 0 or between two that are equal, is skipped.
        last_epoch: -1 starts at step 0; k resumes after the finished step k.

    Raises:
        TypeError, ValueError: other numbers of milestones, schedulers of another optimizer, no schedulers, a plateau.

    Example:
        >>> from types import SimpleNamespace
        >>> from tinygrad_lr.optim.lr_scheduler import ConstantLR, ExponentialLR
        >>> optimizer = SimpleNamespace(param_groups=[{"lr": 1.0}])
        >>> parts = [ConstantLR(optimizer, factor=0.1, total_iters=9), ExponentialLR(optimizer, gamma=0.5)]
        >>> scheduler = SequentialLR(optimizer, parts, milestones=[2])
        >>> for _ in range(4):
        ...     print(scheduler.get_last_lr())
        ...     scheduler.step()
        [0.1]
        [0.1]
        [1.0]
        [0.5]
    """

    def __init__(
        self, optimizer: Any, schedulers: Sequence[Scheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        parts = _parts("SequentialLR", optimizer, schedulers)
        self.milestones = [count("a milestone", each) for each in several("milestones", milestones)]
        if len(self.milestones) != len(parts) - 1:
            raise ValueError(f"{len(parts)} schedulers need {len(parts) - 1} milestones, got {self.milestones}")
        if self.milestones != sorted(self.milestones):
            raise ValueError(f"milestones must be in ascending order, got {self.milestones}")
        self.hyperparameter = parts[0].hyperparameter
        super().__init__(optimizer, parts, last_epoch)

    def _settings(self) -> tuple[Any, ...]:
        return *super()._settings(), *self.milestones

    def _place(self, epoch: int) -> tuple[Scheduler, int]:
        """The part of an epoch, and the epoch as it counts."""
        index = bisect_right(self.milestones, epoch)
        return self.schedulers[index], epoch - (self.milestones[index - 1] if index else 0)

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        part, local = self._place(epoch)
        return part._rates(rates, local)

    def _write_others(self, epoch: int) -> None:
        part, local = self._place(epoch)
        part.last_epoch = local
        part._write_others(local)


class ChainedScheduler(_Composite):
    """Schedulers that multiply, and step together. It begins at the epoch that all of them are at.

    Args:
        schedulers: made for one optimizer, and at the same epoch.
        optimizer: that optimizer; None: that of the schedulers.

    Raises:
        TypeError, ValueError: no schedulers, those of several optimizers or at several epochs, a plateau.

    Example:
        >>> from types import SimpleNamespace
        >>> from tinygrad_lr.optim.lr_scheduler import ConstantLR, ExponentialLR
        >>> optimizer = SimpleNamespace(param_groups=[{"lr": 1.0}])
        >>> parts = [ConstantLR(optimizer, factor=0.1, total_iters=1), ExponentialLR(optimizer, gamma=0.5)]
        >>> scheduler = ChainedScheduler(parts)
        >>> for _ in range(3):
        ...     print(scheduler.get_last_lr())
        ...     scheduler.step()
        [0.1]
        [0.5]
        [0.25]
    """

    def __init__(self, schedulers: Sequence[Scheduler], optimizer: Any = None) -> None:
        several_ = several("schedulers", schedulers)
        chosen = optimizer if optimizer is not None else getattr(several_[0], "optimizer", None) if several_ else None
        parts = _parts("ChainedScheduler", chosen, several_)
        epochs = {part.last_epoch for part in parts}
        if len(epochs) > 1:
            raise ValueError(f"the schedulers are at the epochs {sorted(epochs)}; ChainedScheduler needs one for all")
        if not all(isinstance(each, int) for each in epochs):
            raise ValueError(f"the schedulers are at epoch {epochs.pop()}; ChainedScheduler begins at a whole epoch")
        self.hyperparameter = parts[0].hyperparameter
        super().__init__(chosen, parts, last_epoch=epochs.pop() - 1)

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        found = list(rates)
        for part in self.schedulers:
            found = part._rates(found, epoch)
        return found

    def _write_others(self, epoch: int) -> None:
        for part in self.schedulers:
            part.last_epoch = epoch
            part._write_others(epoch)
