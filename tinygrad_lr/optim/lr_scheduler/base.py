"""`LRScheduler` sets an optimizer's rates along a schedule; `HyperparameterScheduler` any number of its groups.

A scheduler's state is one integer, `last_epoch`. The base rates are the "initial_lr" of the optimizer's groups, which
the optimizer's own state_dict saves. A rate is computed from these two alone, never from the previous rate. So a run
resumes bit for bit, whichever of optimizer and scheduler is built or loaded first.
The caller chooses what an "epoch" is: call `step()` once per epoch, or once per update and read it as a step.

Several schedulers of one optimizer multiply, as torch's do in their chainable form: the rate is the base rate times the
factors of all its schedulers, in the order in which they were made. (torch multiplies the previous rate by a quotient
of factors, and stays at a rate of 0; here a factor of 0 ends with its step.) A scheduler takes part until its last
reference is gone: after `del`, or when its name is given to another one. One that resumes (`last_epoch` of at least 0)
takes the place of one with an equal schedule.
`GradualWarmupScheduler` is the article's warm-up. Where next: named.py; `tinygrad_lr/schedules` has the schedules.
"""

from __future__ import annotations

import copy
import itertools
import re
import warnings
import weakref
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, NoReturn, SupportsIndex

import numpy as np

from tinygrad_lr.integers import shown
from tinygrad_lr.schedules import Schedule
from tinygrad_lr.schedules._checks import count, factor, integer

from ..validation import number

__all__ = ["GradualWarmupScheduler", "HyperparameterScheduler", "LRScheduler", "Scheduler"]

BLOCK = 1024
_NAME = re.compile(r"\w+(\[\d\])?")
Curve = Schedule | Callable[[int], float]
_numbers = itertools.count()
_existing: dict[int, weakref.ref[Scheduler]] = {}  # by number, so in the order in which they were made


class Scheduler:
    """What all schedulers share. A subclass computes in `_rates` the rates of all groups from those it is given.

    Attributes:
        hyperparameter: what it sets in each group: "lr", or another key; "betas[0]" is the first of a pair.
    """

    hyperparameter = "lr"
    _number: int
    _is_part = False  # of a scheduler that made itself of others, and takes part in their place

    def __init__(self, optimizer: Any, last_epoch: int = -1) -> None:
        last_epoch = integer("last_epoch", last_epoch)
        if last_epoch < -1:
            raise ValueError(f"last_epoch must be -1 (a fresh start) or the last finished epoch, got {last_epoch}")
        groups, initial = _groups(optimizer, self.hyperparameter), self._initial
        if last_epoch >= 0:
            for index, group in enumerate(groups):
                if initial not in group:
                    raise ValueError(
                        f"group {index} has no {initial!r}, so its base rate is unknown at last_epoch={last_epoch}; "
                        f"load the optimizer's state first, or set group[{initial!r}]"
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

    @property
    def _initial(self) -> str:
        """The key of a group that keeps the base value."""
        return "initial_lr" if self.hyperparameter == "lr" else f"initial_{self.hyperparameter}"

    # --- several schedulers of one optimizer --------------------------------------------------------------------------

    def _enter(self) -> None:
        """Take part in the optimizer's rates until the last reference is gone."""
        for other in self._others():
            if self._resumed and other._is_like(self) and (other._stepped or not other._resumed):
                _existing.pop(other._number, None)
        number, optimizer, hyperparameter = next(_numbers), id(self.optimizer), self.hyperparameter

        def leave(_: object) -> None:
            # another one was given its name: that one wrote its first rates while this one still took part
            _existing.pop(number, None)
            others = _schedulers_of(optimizer, hyperparameter)
            if any(other._number > number and not other._stepped for other in others):
                others[0]._write()

        self._number = number
        _existing[number] = weakref.ref(self, leave)

    def _leave(self) -> None:
        """Become a part of another scheduler, which takes part in its place."""
        _existing.pop(self._number, None)
        self._is_part = True

    def _settings(self) -> tuple[Any, ...]:
        """What its rates depend on besides the epoch."""
        raise NotImplementedError

    def _is_like(self, other: Scheduler) -> bool:
        """Whether both have the same rates at the same epoch."""
        return type(other) is type(self) and bool(self._settings() == other._settings())

    def _others(self) -> list[Scheduler]:
        return _schedulers_of(id(self.optimizer), self.hyperparameter)

    def _together(self) -> list[Scheduler]:
        """The schedulers whose factors make the rates. Where another one took this one's place, this one is back."""
        others = self._others()
        if self._is_part:  # nothing but its own
            return [self]
        return others if self in others else [*(other for other in others if not other._is_like(self)), self]

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        """The rates at an epoch, where they are `rates` without this scheduler."""
        raise NotImplementedError

    # --- rates --------------------------------------------------------------------------------------------------------

    @property
    def base_lrs(self) -> list[float]:
        """The base rate of each group. For a group added since the last step it is the group's own lr."""
        groups = _groups(self.optimizer, self.hyperparameter)
        what = "rate" if self.hyperparameter == "lr" else self.hyperparameter
        read = (group.get(self._initial, _value(group, self.hyperparameter)) for group in groups)
        return [_factor(f"a group's base {what}", value) for value in read]

    def get_lr(self) -> list[float]:
        """The rate of each group now: at `last_epoch`, and with the factors of the optimizer's other schedulers."""
        rates = self.base_lrs
        for each in self._together():
            rates = each._rates(rates, each.last_epoch)
        return rates

    def get_last_lr(self) -> list[float]:
        """The rate of each group at `last_epoch`, as `get_lr()` gives it: asking changes nothing."""
        return self.get_lr()

    def step(self, epoch: int | None = None) -> None:
        """Advance by one and write the rates into the groups. Call it after `optimizer.step()`.

        Args:
            epoch: where to go instead, forwards or back.

        Raises:
            TypeError, ValueError: `epoch` is no whole number of at least 0.

        Warns:
            UserWarning: the optimizer, one of tinygrad_lr, has not made a step yet: no step will have the first rate.
        """
        if self._is_part:
            raise RuntimeError(f"this {type(self).__name__} is a part of another scheduler: step that one")
        if not self._stepped and getattr(self.optimizer, "has_stepped", None) is False:
            warnings.warn(
                "scheduler.step() was called before the optimizer's first step, so no step has the schedule's first "
                "rate; call optimizer.step() first, then scheduler.step()",
                UserWarning,
                stacklevel=2,
            )
        self._go_to(self.last_epoch + 1 if epoch is None else self._epoch("epoch", epoch))
        self._stepped = True

    def _epoch(self, name: str, value: Any) -> int:
        """An epoch that a caller names, checked."""
        return count(name, value)

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
            group[self._initial] = base_lr
            store(group, self.hyperparameter, rate)
        self._write_others(self.last_epoch)

    def _write_others(self, epoch: int) -> None:
        """Write what goes with the rates of an epoch: momentum, with one cycle."""

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
            epoch = self._epoch("last_epoch", state_dict["last_epoch"])
        except TypeError as error:
            raise ValueError(str(error)) from error
        self._go_to(epoch)
        self._stepped = self._stepped or epoch > 0

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_number"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._is_part:
            return
        resumed, self._resumed = self._resumed, False  # a copy takes nobody's place
        self._enter()
        self._resumed = resumed

    def __deepcopy__(self, memo: dict[int, Any]) -> Scheduler:
        new = object.__new__(type(self))
        memo[id(self)] = new
        new.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return new

    def __copy__(self) -> NoReturn:
        raise TypeError("a shallow copy would drive one optimizer twice; write copy.deepcopy((optimizer, scheduler))")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at epoch {self.last_epoch}, rates {self.get_lr()}>"


class LRScheduler(Scheduler):
    """Sets the rate of every group along a schedule: lr = schedule(last_epoch) * initial_lr.

    Args:
        optimizer: anything with `param_groups`, a list of dicts with "lr"; ours, torch's or your own. A rate that is a
            tensor of torch or an array of one element is changed in place.
        schedule: a Schedule, or a function of one whole number, in the unit in which `step()` will be called; or a list
            of these, one for each group. Their factors are finite and at least 0.
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

    def __init__(self, optimizer: Any, schedule: Curve | Sequence[Curve], last_epoch: int = -1) -> None:
        several = list(schedule) if isinstance(schedule, (list, tuple)) else None
        for each in [schedule] if several is None else several:
            if not callable(each):
                raise TypeError(
                    "schedule must be a Schedule such as tinygrad_lr.schedules.cosine(100), a function of one step, or "
                    f"a list of these, one for each group; got {type(each).__name__}"
                )
        if several is not None:
            one_for_each(_groups(optimizer, self.hyperparameter), "schedule", several)
        self.schedule: Curve | list[Curve] = schedule if several is None else several  # type: ignore[assignment]
        self._known: dict[int, tuple[object, int, list[float]]] = {}
        super().__init__(optimizer, last_epoch)

    def _settings(self) -> tuple[Any, ...]:
        return (self.schedule,)

    def _factors(self, rates: Sequence[float], epoch: int) -> list[float]:
        """The factor of each group's rate at an epoch."""
        if isinstance(self.schedule, list):
            several = one_for_each(rates, "schedule", self.schedule)
            return [self._factor(each, epoch, place) for place, each in enumerate(several)]
        return [self._factor(self.schedule, epoch)] * len(rates)

    def _factor(self, schedule: Curve, epoch: int, which: int = 0) -> float:
        """The factor of one of its schedules at an epoch."""
        if not isinstance(schedule, Schedule):
            return _factor(f"the schedule's factor at step {epoch}", schedule(epoch))
        if not isinstance(epoch, int):  # CosineAnnealingWarmRestarts takes parts of an epoch
            return schedule(epoch)
        # A call with an array costs about as much as one with a number and gives the same bits: ask for many at once.
        block, place = divmod(epoch, BLOCK)
        known = self._known.get(which)
        if known is None or known[0] is not schedule or known[1] != block:
            try:
                factors = schedule(np.arange(block * BLOCK, (block + 1) * BLOCK)).tolist()
            except OverflowError:  # of a factor that may never be reached
                return schedule(epoch)
            known = self._known[which] = schedule, block, factors
        return known[2][place]

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        return [float(now * rate) for now, rate in zip(self._factors(rates, epoch), rates, strict=True)]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        for each in self.schedule if isinstance(self.schedule, list) else [self.schedule]:
            name = getattr(each, "__qualname__", "")
            if "<" in name:
                raise TypeError(
                    f"a scheduler whose schedule is the function {name!r} cannot be pickled: give it a function at the "
                    "top of a module, or one of tinygrad_lr.schedules; or save scheduler.state_dict()"
                )
        return super().__reduce_ex__(protocol)


class HyperparameterScheduler(LRScheduler):
    """Sets any number of the groups along a schedule: group[name] = schedule(last_epoch) * its base value.

    The base value of a group is kept as "initial_<name>", as a rate's is: it is the group's value when the scheduler is
    made. For momentum that goes from 0.95 to 0.85, the base is 0.95 and the schedule goes from 1 to 0.85/0.95.

    Args:
        optimizer: anything with `param_groups`, a list of dicts with that name.
        name: "weight_decay", "momentum", "eps", ...; "betas[0]" is the first of a pair.
        schedule, last_epoch: as for LRScheduler.

    Schedulers of one optimizer with the same name multiply; others have nothing to do with each other.

    Raises:
        TypeError, ValueError: as LRScheduler, and where a group has no such number.

    Example:
        >>> from types import SimpleNamespace
        >>> from tinygrad_lr.schedules import cosine, linear
        >>> optimizer = SimpleNamespace(param_groups=[{"lr": 0.1, "weight_decay": 0.5, "betas": (0.8, 0.999)}])
        >>> decay = HyperparameterScheduler(optimizer, "weight_decay", cosine(2))
        >>> beta1 = HyperparameterScheduler(optimizer, "betas[0]", linear(2, 1.0, 0.5))
        >>> decay.step(); beta1.step(); beta1.step()
        >>> optimizer.param_groups[0]["weight_decay"], optimizer.param_groups[0]["betas"]
        (0.25, (0.4, 0.999))
    """

    def __init__(self, optimizer: Any, name: str, schedule: Curve | Sequence[Curve], last_epoch: int = -1) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise TypeError(
                f"name must be a key of the groups, such as 'weight_decay' or 'betas[0]', got {shown(name)}"
            )
        self.hyperparameter = name
        super().__init__(optimizer, schedule, last_epoch)


class GradualWarmupScheduler(Scheduler):
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

    def _settings(self) -> tuple[Any, ...]:
        return (self.warmup_epochs,)

    def _rates(self, rates: Sequence[float], epoch: int) -> list[float]:
        if epoch < self.warmup_epochs:
            return [rate * epoch / self.warmup_epochs for rate in rates]
        return list(rates)


def _schedulers_of(optimizer: int, hyperparameter: str) -> list[Scheduler]:
    """The schedulers that set a number of an optimizer's groups; it is named by its id. Oldest first."""
    found = [reference() for reference in list(_existing.values())]
    alive = (each for each in found if each is not None)
    return [each for each in alive if id(each.optimizer) == optimizer and each.hyperparameter == hyperparameter]


def per_group(groups: Sequence[Any], name: str, value: Any) -> list[float]:
    """A number of at least 0 for each group, from one number or from a list with one for each."""
    several = one_for_each(groups, name, value) if isinstance(value, (list, tuple)) else [value] * len(groups)
    return [_factor(name, each) for each in several]


def one_for_each(groups: Sequence[Any], name: str, values: Sequence[Any]) -> Sequence[Any]:
    """A list that has a value for each group."""
    if len(values) != len(groups):
        raise ValueError(
            f"{name} has {len(values)} values, and the optimizer has {len(groups)} groups; give one for each"
        )
    return values


def _value(group: Mapping[str, Any], hyperparameter: str) -> Any:
    """A number of a group; of "betas[0]" the first of the pair."""
    if hyperparameter in group:
        return group[hyperparameter]
    key, _, index = hyperparameter.rstrip("]").partition("[")
    return group[key][int(index)] if index else group[key]


def store(group: MutableMapping[str, Any], hyperparameter: str, value: float) -> None:
    """Set a number of a group. A tensor of torch and an array stay the same ones, as with torch's schedulers."""
    if hyperparameter not in group:
        key, _, index = hyperparameter.rstrip("]").partition("[")
        group[key] = tuple(value if i == int(index) else each for i, each in enumerate(group[key]))
        return
    before = group[hyperparameter]
    if hasattr(before, "fill_"):
        before.fill_(value)
    elif isinstance(before, np.ndarray):
        before[...] = value
    else:
        group[hyperparameter] = value


def _factor(name: str, value: Any) -> float:
    """A finite number of at least 0, also of an array or a tensor of one element."""
    return factor(name, number(name, value))


def _groups(optimizer: Any, hyperparameter: str = "lr") -> list[MutableMapping[str, Any]]:
    """The parameter groups of an optimizer, checked: each has the number."""
    groups = getattr(optimizer, "param_groups", None)
    if not isinstance(groups, (list, tuple)) or not groups:
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer: it needs param_groups, a list of dicts")
    for index, group in enumerate(groups):
        if not isinstance(group, MutableMapping) or "lr" not in group:
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer: param_groups[{index}] has no 'lr'")
        if hyperparameter in group:
            continue
        try:
            _value(group, hyperparameter)
        except (LookupError, TypeError) as error:
            raise ValueError(
                f"param_groups[{index}] of {type(optimizer).__name__} has no {hyperparameter!r}; it has "
                f"{', '.join(sorted(map(str, group.keys() - {'params'})))}"
            ) from error
    return list(groups)
