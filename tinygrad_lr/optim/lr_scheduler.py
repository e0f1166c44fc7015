"""`LRScheduler` sets an optimizer's rates along a schedule; `GradualWarmupScheduler` is the article's warm-up.

A scheduler's state is one integer, `last_epoch`. The base rates are the "initial_lr" of the optimizer's groups, which
the optimizer's own state_dict saves. A rate is computed from these two alone, never from the previous rate. So a run
resumes bit for bit, whichever of optimizer and scheduler is built or loaded first.
The caller chooses what an "epoch" is: call `step()` once per epoch, or once per update and read it as a step.

Several schedulers of one optimizer multiply, as torch's do in their chainable form: the rate is the base rate times the
factors of all its schedulers, in the order in which they were made. (torch multiplies the previous rate by a quotient
of factors, and stays at a rate of 0; here a factor of 0 ends with its step.) A scheduler takes part until its last
reference is gone: after `del`, or when its name is given to another one. One that resumes (`last_epoch` of at least 0)
takes the place of one with an equal schedule.
Where next: `tinygrad_lr/schedules` has the schedules.
"""

from __future__ import annotations

import copy
import itertools
import warnings
import weakref
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, NoReturn, SupportsIndex

import numpy as np

from tinygrad_lr.schedules import Schedule
from tinygrad_lr.schedules._checks import count, factor, integer

from .validation import number

__all__ = ["GradualWarmupScheduler", "LRScheduler"]

BLOCK = 1024
_numbers = itertools.count()
_existing: dict[int, weakref.ref[_Scheduler]] = {}  # by number, so in the order in which they were made


class _Scheduler:
    """What both schedulers share. A subclass computes in `_rates` the rates of all groups from those it is given."""

    _number: int

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
        self._resumed, self._stepped = last_epoch >= 0, False
        self._enter()
        try:
            self._write()
        except BaseException:
            _existing.pop(self._number, None)
            raise

    # --- several schedulers of one optimizer --------------------------------------------------------------------------

    def _enter(self) -> None:
        """Take part in the optimizer's rates until the last reference is gone."""
        for other in _schedulers_of(id(self.optimizer)):
            if self._resumed and other._is_like(self) and (other._stepped or not other._resumed):
                _existing.pop(other._number, None)
        number, optimizer = next(_numbers), id(self.optimizer)

        def leave(_: object) -> None:
            # another one was given its name: that one wrote its first rates while this one still took part
            _existing.pop(number, None)
            others = _schedulers_of(optimizer)
            if any(other._number > number and not other._stepped for other in others):
                others[0]._write()

        self._number = number
        _existing[number] = weakref.ref(self, leave)

    def _is_like(self, other: _Scheduler) -> bool:
        """Whether both have the same rates at the same epoch."""
        raise NotImplementedError

    def _together(self) -> list[_Scheduler]:
        """The schedulers whose factors make the rates. Where another one took this one's place, this one is back."""
        others = _schedulers_of(id(self.optimizer))
        return others if self in others else [*(other for other in others if not other._is_like(self)), self]

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        """The rates at an epoch, where they are `rates` without this scheduler."""
        raise NotImplementedError

    # --- rates --------------------------------------------------------------------------------------------------------

    @property
    def base_lrs(self) -> list[float]:
        """The base rate of each group. For a group added since the last step it is the group's own lr."""
        groups = _groups(self.optimizer)
        return [_factor("a group's base rate", group.get("initial_lr", group["lr"])) for group in groups]

    def get_lr(self) -> list[float]:
        """The rate of each group now: at `last_epoch`, and with the factors of the optimizer's other schedulers."""
        rates = self.base_lrs
        for each in self._together():
            rates = each._rates(rates, each.last_epoch)
        return rates

    def get_last_lr(self) -> list[float]:
        """The rate of each group at `last_epoch`, as `get_lr()` gives it: asking changes nothing."""
        return self.get_lr()

    def step(self) -> None:
        """Advance by one and write the rates into the groups. Call it after `optimizer.step()`.

        Warns:
            UserWarning: the optimizer, one of tinygrad_lr, has not made a step yet: no step will have the first rate.
        """
        if not self._stepped and getattr(self.optimizer, "has_stepped", None) is False:
            warnings.warn(
                "scheduler.step() was called before the optimizer's first step, so no step has the schedule's first "
                "rate; call optimizer.step() first, then scheduler.step()",
                UserWarning,
                stacklevel=2,
            )
        self._go_to(self.last_epoch + 1)
        self._stepped = True

    def _go_to(self, epoch: int) -> None:
        """Write an epoch's rates, and stay where it is if the schedule has none for it."""
        before, self.last_epoch = self.last_epoch, epoch
        try:
            self._write()
        except BaseException:
            self.last_epoch = before
            raise

    def _write(self) -> None:
        """Write base rates and rates into the groups."""
        base_lrs, rates = self.base_lrs, self.get_lr()
        for group, base_lr, rate in zip(self.optimizer.param_groups, base_lrs, rates, strict=True):
            group["initial_lr"] = base_lr
            if hasattr(group["lr"], "fill_"):  # a tensor of torch stays the same one, as with torch's schedulers
                group["lr"].fill_(rate)
            elif isinstance(group["lr"], np.ndarray):
                group["lr"][...] = rate
            else:
                group["lr"] = rate

    # --- state and copies ---------------------------------------------------------------------------------------------

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
            epoch = count("last_epoch", state_dict["last_epoch"])
        except TypeError as error:
            raise ValueError(str(error)) from error
        self._go_to(epoch)
        self._stepped = self._stepped or epoch > 0

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_number"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        resumed, self._resumed = self._resumed, False  # a copy takes nobody's place
        self._enter()
        self._resumed = resumed

    def __deepcopy__(self, memo: dict[int, Any]) -> _Scheduler:
        new = object.__new__(type(self))
        memo[id(self)] = new
        new.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return new

    def __copy__(self) -> NoReturn:
        raise TypeError("a shallow copy would drive one optimizer twice; write copy.deepcopy((optimizer, scheduler))")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at epoch {self.last_epoch}, rates {self.get_lr()}>"


class LRScheduler(_Scheduler):
    """Sets the rate of every group along a schedule: lr = schedule(last_epoch) * initial_lr.

    Args:
        optimizer: anything with `param_groups`, a list of dicts with "lr"; ours, torch's or your own. A rate that is a
            tensor of torch or an array of one element is changed in place.
        schedule: a Schedule, or a function of one whole number, in the unit in which `step()` will be called. Its
            factors are finite and at least 0.
        last_epoch: -1 starts at step 0; k resumes after the finished step k (the groups need "initial_lr").

    The constructor writes the rate of step 0 (of step k+1) into the groups, as in torch. To restart from other base
    rates, set "initial_lr" of the groups. A group added later has its own lr as base rate, from the next `step()` on.

    Raises:
        TypeError: not an optimizer, or a schedule that cannot be called.
        ValueError: a negative or non-finite lr or factor, a last_epoch below -1, a resumed group without "initial_lr".

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

    def __init__(self, optimizer: Any, schedule: Schedule | Callable[[int], float], last_epoch: int = -1) -> None:
        if not callable(schedule):
            hint = "; all groups share one schedule: give a group another 'lr'" if isinstance(schedule, list) else ""
            raise TypeError(
                "schedule must be a Schedule such as tinygrad_lr.schedules.cosine(100), or a function of one step, got "
                f"{type(schedule).__name__}{hint}"
            )
        self.schedule = schedule
        self._known: tuple[object, int] = (None, -1)
        super().__init__(optimizer, last_epoch)

    def _is_like(self, other: _Scheduler) -> bool:
        return isinstance(other, LRScheduler) and self.schedule == other.schedule

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        now = self._factor(epoch)
        return [float(now * rate) for rate in rates]

    def _factor(self, epoch: int) -> float:
        if not isinstance(self.schedule, Schedule):
            return _factor(f"the schedule's factor at step {epoch}", self.schedule(epoch))
        # A call with an array costs about as much as one with a number and gives the same bits: ask for many at once.
        block, place = divmod(epoch, BLOCK)
        if self._known[0] is not self.schedule or self._known[1] != block:
            try:
                self._factors = self.schedule(np.arange(block * BLOCK, (block + 1) * BLOCK)).tolist()
            except OverflowError:  # of a factor that may never be reached
                return self.schedule(epoch)
            self._known = self.schedule, block
        return float(self._factors[place])

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        name = getattr(self.schedule, "__qualname__", "")
        if "<" in name:
            raise TypeError(
                f"a scheduler whose schedule is the function {name!r} cannot be pickled: give it a function at the top "
                "of a module, or one of tinygrad_lr.schedules; or save scheduler.state_dict()"
            )
        return super().__reduce_ex__(protocol)


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

    def _is_like(self, other: _Scheduler) -> bool:
        return isinstance(other, GradualWarmupScheduler) and self.warmup_epochs == other.warmup_epochs

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        if epoch < self.warmup_epochs:
            return [rate * epoch / self.warmup_epochs for rate in rates]
        return list(rates)


def _schedulers_of(optimizer: int) -> list[_Scheduler]:
    """The schedulers that drive an optimizer, named by its id, oldest first."""
    found = [reference() for reference in list(_existing.values())]
    return [each for each in found if each is not None and id(each.optimizer) == optimizer]


def _factor(name: str, value: Any) -> float:
    """A finite number of at least 0, also of an array or a tensor of one element."""
    return factor(name, number(name, value))


def _groups(optimizer: Any) -> list[MutableMapping[str, Any]]:
    """The parameter groups of an optimizer, checked."""
    groups = getattr(optimizer, "param_groups", None)
    if not isinstance(groups, (list, tuple)) or not groups:
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer: it needs param_groups, a list of dicts")
    for index, group in enumerate(groups):
        if not isinstance(group, MutableMapping) or "lr" not in group:
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer: param_groups[{index}] has no 'lr'")
    return list(groups)
