"""`Rates`: the learning rates of the steps as a table, each group's base rate times the schedule.

One call of a schedule costs as much as hundreds of its values, so one call asks for many short epochs. Next:
fitting.py, whose loop sets a row of the table before each step.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_lr.schedules import Schedule

__all__ = ["AT_ONCE", "Rates"]

AT_ONCE = 16_384  # steps, or one epoch where that has more


class Rates:
    """The rates of all groups at any step.

    Args:
        schedule: a schedule in steps, or None: the groups' rates as they are.
        groups: mappings with "lr"; the base rate of a group is its "initial_lr", set to "lr" where it is missing.
        steps_in_epoch, epochs: how many steps there will be.
    """

    def __init__(
        self,
        schedule: Callable[[np.ndarray], Any] | None,
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
            self._look_up(first, max(count, AT_ONCE // self.steps_in_epoch * self.steps_in_epoch))
        factors = self.factors[first - self.first :][:count]
        largest = float(factors.max())
        for group in self.groups:
            group["lr"] = group["initial_lr"] * largest
        return np.stack([group["initial_lr"] * factors for group in self.groups], axis=1)

    def _look_up(self, first: int, count: int) -> None:
        """Look the factors of `count` steps up, and check them."""
        count = min(count, self.last - first)
        assert self.schedule is not None
        known = isinstance(self.schedule, Schedule) and count <= AT_ONCE
        factors = _factors(self.schedule, first, count) if known else _ask(self.schedule, first, count)
        if factors.shape != (count,) or not (np.isfinite(factors).all() and (factors >= 0).all()):
            raise ValueError(
                f"the schedule must give one finite factor of at least 0 for each step; for the {count} steps from "
                f"{first} on it gave {np.array2string(factors, threshold=6)}"
            )
        self.first, self.factors = first, factors


def _ask(schedule: Callable[[Any], Any], first: int, count: int) -> np.ndarray:
    return np.asarray(schedule(np.arange(first, first + count)), np.float64)


@lru_cache(maxsize=4)
def _factors(schedule: Schedule, first: int, count: int) -> np.ndarray:
    """The same for a schedule of tinygrad_lr, which is immutable: the next training with an equal one finds them."""
    factors = _ask(schedule, first, count)
    factors.setflags(write=False)
    return factors
