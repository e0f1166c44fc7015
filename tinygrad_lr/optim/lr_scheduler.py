"""`LRScheduler` sets an optimizer's rates along a schedule; `GradualWarmupScheduler` is the article's warm-up.

A scheduler's state is one integer, `last_epoch`. The base rates are the "initial_lr" of the optimizer's groups, which
the optimizer's own state_dict saves. A rate is computed from these two alone, never from the previous rate. So a run
resumes bit for bit, whichever of optimizer and scheduler is built or loaded first.
The caller chooses what an "epoch" is: call `step()` once per epoch, or once per update and read it as a step.
Where next: `tinygrad_lr/schedules` has the schedules.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np

from tinygrad_lr.schedules import Schedule
from tinygrad_lr.schedules._checks import count, factor, integer

__all__ = ["GradualWarmupScheduler", "LRScheduler"]

BLOCK = 1024


class _Scheduler:
    """What both schedulers share. A subclass computes in `_rate` the rate from a base rate and an epoch."""

    def __init__(self, optimizer: Any, last_epoch: int = -1) -> None:
        last_epoch = integer("last_epoch", last_epoch)
        if last_epoch < -1:
            raise ValueError(f"last_epoch must be -1 (a fresh start) or the last finished epoch, got {last_epoch}")
        groups = _groups(optimizer)
        if last_epoch >= 0:
            for index, group in enumerate(groups):
                if "initial_lr" not in group:
                    raise ValueError(
                        f"group {index} has no 'initial_lr', so its base rate is unknown at last_epoch={last_epoch}; "
                        "load the optimizer's state first, or set group['initial_lr']"
                    )
        self.optimizer = optimizer
        self.last_epoch = last_epoch + 1
        self._write()

    def _rate(self, base_lr: float, epoch: int) -> float:
        """The rate at an epoch."""
        raise NotImplementedError

    @property
    def base_lrs(self) -> list[float]:
        """The base rate of each group. For a group added since the last step it is the group's own lr."""
        groups = _groups(self.optimizer)
        return [factor("a group's base rate", group.get("initial_lr", group["lr"])) for group in groups]

    def get_lr(self) -> list[float]:
        """The rate of each group at `last_epoch`."""
        return [self._rate(base_lr, self.last_epoch) for base_lr in self.base_lrs]

    def get_last_lr(self) -> list[float]:
        """The rate of each group at `last_epoch`, as `get_lr()` gives it: asking changes nothing."""
        return self.get_lr()

    def step(self) -> None:
        """Advance by one and write the rates into the groups. Call it after `optimizer.step()`."""
        self.last_epoch += 1
        self._write()

    def _write(self) -> None:
        """Write base rates and rates into the groups."""
        base_lrs, rates = self.base_lrs, self.get_lr()
        for group, base_lr, rate in zip(self.optimizer.param_groups, base_lrs, rates, strict=True):
            group["initial_lr"] = base_lr
            group["lr"] = rate

    def state_dict(self) -> dict[str, int]:
        """The state, {"last_epoch": int}. Save it together with the optimizer's, which has the base rates."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to the saved epoch and write its rates into the groups. The optimizer may be loaded before or after.

        Raises:
            ValueError: anything but {"last_epoch": an integer of at least 0}; nothing is changed then.
        """
        if not isinstance(state_dict, Mapping) or set(state_dict) != {"last_epoch"}:
            found = sorted(map(str, state_dict)) if isinstance(state_dict, Mapping) else type(state_dict).__name__
            raise ValueError(f"a scheduler's state has the one key 'last_epoch', got {found}")
        try:
            self.last_epoch = count("last_epoch", state_dict["last_epoch"])
        except TypeError as error:
            raise ValueError(str(error)) from error
        self._write()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at epoch {self.last_epoch}, rates {self.get_lr()}>"


class LRScheduler(_Scheduler):
    """Sets the rate of every group along a schedule: lr = schedule(last_epoch) * initial_lr.

    Args:
        optimizer: anything with `param_groups`, a list of dicts with "lr"; ours, torch's or your own.
        schedule: a Schedule, in the unit in which `step()` will be called.
        last_epoch: -1 starts at step 0; k resumes after the finished step k (the groups need "initial_lr").

    The constructor writes the rate of step 0 (of step k+1) into the groups, as in torch. To restart from other base
    rates, set "initial_lr" of the groups. A group added later has its own lr as base rate, from the next `step()` on.

    Raises:
        TypeError: not an optimizer, or not a Schedule.
        ValueError: a negative or non-finite lr, a last_epoch below -1, a resumed group without "initial_lr".

    Example:
        >>> from types import SimpleNamespace
        >>> from tinygrad_lr.schedules import warmup
        >>> optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}, {"lr": 0.02}])
        >>> scheduler = LRScheduler(optimizer, warmup(2))
        >>> for _ in range(3):
        ...     print([group["lr"] for group in optimizer.param_groups])
        ...     scheduler.step()
        [0.0, 0.0]
        [0.05, 0.01]
        [0.1, 0.02]
        >>> scheduler.state_dict()
        {'last_epoch': 3}
    """

    def __init__(self, optimizer: Any, schedule: Schedule, last_epoch: int = -1) -> None:
        if not isinstance(schedule, Schedule):
            raise TypeError(
                f"schedule must be a Schedule such as tinygrad_lr.schedules.cosine(100), got {type(schedule).__name__}"
            )
        self.schedule = schedule
        self._known: tuple[Schedule | None, int] = (None, -1)
        super().__init__(optimizer, last_epoch)

    def _rate(self, base_lr: float, epoch: int) -> float:
        # A call with an array costs about as much as one with a number and gives the same bits: ask for many at once.
        block, place = divmod(epoch, BLOCK)
        if self._known[0] is not self.schedule or self._known[1] != block:
            try:
                self._factors = self.schedule(np.arange(block * BLOCK, (block + 1) * BLOCK)).tolist()
            except OverflowError:  # of a factor that may never be reached
                return self.schedule(epoch) * base_lr
            self._known = self.schedule, block
        return float(self._factors[place] * base_lr)


class GradualWarmupScheduler(_Scheduler):
    """Sets the article's warm-up: lr = initial_lr * last_epoch / warmup_epochs, and initial_lr from warmup_epochs on.

    Args:
        optimizer: anything with `param_groups`, a list of dicts with "lr".
        total_epochs: kept for the article's signature; no rate depends on it.
        warmup_epochs: length of the warm-up; with 0 there is none, and the rate is initial_lr from the start.
        last_epoch: as for LRScheduler.

    Raises:
        TypeError: not an optimizer, or counts that are no integers.
        ValueError: negative counts, and what LRScheduler raises.

    Example:
        >>> from types import SimpleNamespace
        >>> optimizer = SimpleNamespace(param_groups=[{"lr": 0.01}])
        >>> scheduler = GradualWarmupScheduler(optimizer, total_epochs=10, warmup_epochs=5)
        >>> scheduler.get_lr()
        [0.0]
        >>> scheduler.step()
        >>> scheduler.get_lr()
        [0.002]
    """

    def __init__(self, optimizer: Any, total_epochs: int, warmup_epochs: int, last_epoch: int = -1) -> None:
        self.total_epochs = count("total_epochs", total_epochs)
        self.warmup_epochs = count("warmup_epochs", warmup_epochs)
        super().__init__(optimizer, last_epoch)

    def _rate(self, base_lr: float, epoch: int) -> float:
        if epoch < self.warmup_epochs:
            return base_lr * epoch / self.warmup_epochs
        return base_lr


def _groups(optimizer: Any) -> list[MutableMapping[str, Any]]:
    """The parameter groups of an optimizer, checked."""
    groups = getattr(optimizer, "param_groups", None)
    if not isinstance(groups, (list, tuple)) or not groups:
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer: it needs param_groups, a list of dicts")
    for index, group in enumerate(groups):
        if not isinstance(group, MutableMapping) or "lr" not in group:
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer: param_groups[{index}] has no 'lr'")
    return list(groups)
