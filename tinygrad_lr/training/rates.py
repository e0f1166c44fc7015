"""`Rates`: the learning rates of the steps as a table, each group's base rate times the schedule.

One call of a schedule costs as much as hundreds of its values, so one call asks for many short epochs. A function of
the user's takes one step, and is not asked further ahead than an epoch, or a run of machine code. Next: fitting.py,
whose loop sets a row of the table before each step.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, MutableMapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_lr.integers import shown
from tinygrad_lr.optim.validation import one_element
from tinygrad_lr.schedules import Schedule

__all__ = ["AT_ONCE", "Rates"]

AT_ONCE = 16_384  # steps, or one epoch where that has more
FEW = 200  # steps at which a function of the user's is looked at beforehand


class Rates:
    """The rates of all groups at any step.

    Args:
        schedule: a schedule in steps, a function of one step, or None: the groups' rates as they are.
        groups: mappings with "lr"; the base rate of a group is its "initial_lr", set to "lr" where it is missing.
        steps_in_epoch, epochs: how many steps there will be.
    """

    def __init__(
        self,
        schedule: Callable[[Any], Any] | None,
        groups: Sequence[MutableMapping[str, Any]],
        steps_in_epoch: int,
        epochs: int,
    ) -> None:
        self.schedule = schedule
        self.groups = groups
        self.steps_in_epoch = steps_in_epoch
        self.last = steps_in_epoch * epochs
        self.first = 0
        self.factors = np.zeros(0)
        if schedule is not None:
            for group in groups:
                group.setdefault("initial_lr", group["lr"])

    def of(self, epoch: int, epochs: int = 1) -> np.ndarray:
        """The rates of the steps of some epochs, float64, shape (steps, groups).

        With a schedule, every group's "lr" is set to the largest of its rates, so that the group checks that one.

        Raises:
            ValueError: the schedule does not give one finite factor of at least 0 for each step.
        """
        count = self.steps_in_epoch * epochs
        if self.schedule is None:
            return np.tile([float(group["lr"]) for group in self.groups], (count, 1))
        first = epoch * self.steps_in_epoch
        if not self.first <= first <= first + count <= self.first + len(self.factors):
            ahead = AT_ONCE // self.steps_in_epoch * self.steps_in_epoch if isinstance(self.schedule, Schedule) else 0
            self._look_up(first, max(count, ahead))
        factors = self.factors[first - self.first :][:count]
        largest = float(factors.max())
        for group in self.groups:
            group["lr"] = group["initial_lr"] * largest
        return np.stack([group["initial_lr"] * factors for group in self.groups], axis=1)

    def warn_of_zeros(self, first: int, stacklevel: int = 3) -> None:
        """Warn where all steps from `first` on have rate 0, or the last ones do and are a tenth of these steps."""
        total = self.last - first
        if total <= 0:
            return
        if all(float(group["lr" if self.schedule is None else "initial_lr"]) == 0 for group in self.groups):
            warnings.warn("every learning rate is 0, so no parameter will move", UserWarning, stacklevel)
            return
        if self.schedule is None:
            return
        known = isinstance(self.schedule, Schedule)
        zeros = (_zeros_at_end if known else _zeros_at_end.__wrapped__)(self.schedule, first, self.last)
        if zeros and zeros >= total / 10:
            about = "" if total <= (AT_ONCE if known else FEW) else "about "
            warnings.warn(
                f"{about}{zeros} of {total} steps, the last ones, have learning rate 0: "
                f"fit counts {_shown(self.schedule)} in steps, {self.steps_in_epoch} an epoch, {self.last} in all. "
                "Give a schedule of so many steps, or one that does not end at 0",
                UserWarning,
                stacklevel,
            )

    def _look_up(self, first: int, count: int) -> None:
        """Look the factors of `count` steps up, and check them."""
        count = min(count, self.last - first)
        assert self.schedule is not None
        known = isinstance(self.schedule, Schedule) and count <= AT_ONCE
        factors = (
            _factors(self.schedule, first, count) if known else _ask(self.schedule, np.arange(first, first + count))
        )
        if factors.shape != (count,) or not (np.isfinite(factors).all() and (factors >= 0).all()):
            raise ValueError(
                f"the schedule must give one finite factor of at least 0 for each step; for the {count} steps from "
                f"{first} on it gave {np.array2string(factors, threshold=6)}"
            )
        self.first, self.factors = first, factors


@lru_cache(maxsize=64)
def _zeros_at_end(schedule: Callable[[Any], Any], first: int, last: int) -> int:
    """How many of the steps from `first` to `last` are made at factor 0 at their end; of many steps, by a sample."""
    most = AT_ONCE if isinstance(schedule, Schedule) else FEW
    asked = np.unique(np.linspace(first, last - 1, min(last - first, most)).round().astype(np.int64))
    factors = _ask(schedule, asked)
    moving = np.flatnonzero(factors)
    return last - (int(asked[moving[-1]]) + 1 if len(moving) else first)


def _shown(schedule: object) -> str:
    text = repr(schedule)
    return text if isinstance(schedule, Schedule) and len(text) <= 120 else "the schedule"


def _ask(schedule: Callable[[Any], Any], steps: np.ndarray) -> np.ndarray:
    """The factors of some steps. A function of the user's is called with one step at a time, a plain int."""
    if isinstance(schedule, Schedule):
        return np.asarray(schedule(steps), np.float64)
    return np.array([_number(schedule(step), step) for step in steps.tolist()], np.float64)


def _number(value: Any, step: int) -> float:
    try:
        return float(one_element(value))
    except OverflowError as error:
        raise ValueError(f"the schedule must give a finite number, got {shown(value)} for step {step}") from error
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"the schedule must give one number for a step, got {shown(value)} ({type(value).__name__}) for step {step}"
        ) from error


@lru_cache(maxsize=4)
def _factors(schedule: Schedule, first: int, count: int) -> np.ndarray:
    """The same for a schedule of tinygrad_lr, which is immutable: the next training with an equal one finds them."""
    factors = _ask(schedule, np.arange(first, first + count))
    factors.setflags(write=False)
    return factors
