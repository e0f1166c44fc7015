"""`ReduceLROnPlateau`: a rate that falls where a metric no longer gets better. It is no function of the step.

Its state is more than one integer: the best metric, what it counts, and how often each group's rate was reduced. From
these and the base rate the rate is computed, so it too resumes bit for bit, and multiplies with other schedulers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_lr.integers import shown
from tinygrad_lr.reals import real_number
from tinygrad_lr.schedules._checks import count, one_of

from ..validation import one_element
from .base import Scheduler, _groups, per_group

__all__ = ["ReduceLROnPlateau"]

_COUNTERS = ("last_epoch", "num_bad_epochs", "cooldown_counter")


class ReduceLROnPlateau(Scheduler):
    """Times `factor` where the metric has not got better for more than `patience` epochs.

    A metric is better where it is below the best so far (above, with mode="max") by more than the threshold: by
    `threshold` times the size of the best with threshold_mode="rel", by `threshold` with "abs". So a negative metric
    must get better too. (torch multiplies the best by 1 - threshold, and takes a metric for better that is worse than a
    negative best.)

    Args:
        optimizer: anything with `param_groups`, a list of dicts with "lr".
        mode: "min" or "max".
        factor: at least 0 and below 1.
        patience: epochs without improvement that change nothing.
        threshold, threshold_mode: see above; at least 0, "rel" or "abs".
        cooldown: epochs after a reduction that are not counted.
        min_lr: no rate is reduced below it; a number, or a list with one for each group.
        eps: a reduction by no more than this is not made.

    Raises:
        TypeError, ValueError: what the arguments may not be.

    Example:
        >>> from types import SimpleNamespace
        >>> scheduler = ReduceLROnPlateau(SimpleNamespace(param_groups=[{"lr": 1.0}]), factor=0.5, patience=1)
        >>> for loss in (3.0, 2.0, 2.0, 2.0, 2.0):
        ...     scheduler.step(loss)
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Any,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.mode = one_of("mode", mode, ("min", "max"))
        self.factor = real_number("factor", factor, least=0)
        if self.factor >= 1:
            raise ValueError(f"factor must be below 1 (a rate is reduced), got {shown(factor)}")
        self.patience, self.cooldown = count("patience", patience), count("cooldown", cooldown)
        self.threshold = real_number("threshold", threshold, least=0)
        self.threshold_mode = one_of("threshold_mode", threshold_mode, ("rel", "abs"))
        self.min_lr, self.eps = min_lr, real_number("eps", eps, least=0)
        groups = _groups(optimizer)
        per_group(groups, "min_lr", min_lr)
        self.best = math.inf if self.mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        self.reductions = [0] * len(groups)
        super().__init__(optimizer)

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs are not counted now."""
        return self.cooldown_counter > 0

    def _settings(self) -> tuple[Any, ...]:
        own = self.mode, self.factor, self.patience, self.threshold, self.threshold_mode, self.cooldown
        return *own, self.min_lr, self.eps

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        lowest = per_group(rates, "min_lr", self.min_lr)
        times = [*self.reductions, *[0] * (len(rates) - len(self.reductions))]
        return [
            max(rate * self.factor**number, min(low, rate)) if number else rate
            for rate, low, number in zip(rates, lowest, times, strict=True)
        ]

    def is_better(self, metric: float) -> bool:
        """Whether a metric is better than the best so far, by more than the threshold."""
        best = self.best
        if math.isinf(best):
            return metric < best if self.mode == "min" else metric > best
        towards = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "abs":
            limit = best + towards * self.threshold
        else:
            limit = best * (1.0 + towards * math.copysign(self.threshold, best))
        return metric < limit if self.mode == "min" else metric > limit

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Count an epoch that ended with this metric, and reduce the rates if it is time.

        Raises:
            TypeError: no number. ValueError: NaN, which is neither better nor worse; nothing is changed then.
        """
        try:
            metric = float(one_element(metrics))
        except (TypeError, ValueError) as error:
            raise TypeError(f"metrics must be a real number, got {shown(metrics)}") from error
        if math.isnan(metric):
            raise ValueError(
                "metrics must not be NaN, which is neither better nor worse than the best; look at what computed it, "
                "or give math.inf for an epoch that failed (-math.inf with mode='max')"
            )
        if self.is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._go_to(self.last_epoch + 1)
        self._stepped = True

    def _reduce(self) -> None:
        before = self.get_lr()
        lowest = per_group(before, "min_lr", self.min_lr)
        self.reductions += [0] * (len(before) - len(self.reductions))
        for index, (rate, low) in enumerate(zip(before, lowest, strict=True)):
            if rate - max(rate * self.factor, low) > self.eps:
                self.reductions[index] += 1

    def state_dict(self) -> dict[str, Any]:
        """The state: "last_epoch", "best", "num_bad_epochs", "cooldown_counter", "reductions" (of each group)."""
        counters = {name: getattr(self, name) for name in _COUNTERS}
        return {**counters, "best": self.best, "reductions": list(self.reductions)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to a saved state and write its rates into the groups. The optimizer may be loaded before or after.

        Raises:
            ValueError: anything else than `state_dict` returned; nothing is changed then.
        """
        keys = {*_COUNTERS, "best", "reductions"}
        if not isinstance(state_dict, Mapping) or set(state_dict) != keys:
            found = sorted(map(str, state_dict)) if isinstance(state_dict, Mapping) else type(state_dict).__name__
            raise ValueError(f"a plateau's state has the keys {', '.join(sorted(keys))}; got {found}")
        try:
            counters = {name: count(name, state_dict[name]) for name in _COUNTERS}
            reductions = [count("reductions", each) for each in state_dict["reductions"]]
            best = float(one_element(state_dict["best"]))
        except TypeError as error:
            raise ValueError(str(error)) from error
        if math.isnan(best):
            raise ValueError("best must be a number, got NaN")
        vars(self).update(counters, reductions=reductions, best=best)
        self._go_to(self.last_epoch)
        self._stepped = self._stepped or self.last_epoch > 0
