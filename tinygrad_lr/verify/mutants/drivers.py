"""Wrong schedulers: what writes rates into an optimizer, `DRIVER_MUTANTS`, by name. Next: gradients.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_lr.schedules import cosine, warmup

from .catalogue import named, words


class Groups:
    """The least that a scheduler drives: parameter groups with rates, saved and loaded as torch does."""

    def __init__(self, *rates: float) -> None:
        self.param_groups = [{"lr": rate} for rate in rates]

    def state_dict(self):
        return {"param_groups": copy.deepcopy(self.param_groups)}

    def load_state_dict(self, state):
        self.param_groups = copy.deepcopy(state["param_groups"])


class Driver:
    """A right scheduler, from which wrong ones are made: each group's base rate times a schedule's factor."""

    schedule = staticmethod(warmup(3).then(cosine(5)))

    def __init__(self, optimizer):
        self.optimizer, self.epoch = optimizer, 0
        self.bases = [group.setdefault("initial_lr", group["lr"]) for group in optimizer.param_groups]
        self.write()

    def write(self):
        for group, base in zip(self.optimizer.param_groups, self.bases, strict=True):
            group["lr"] = base * self.schedule(self.epoch)

    def step(self):
        self.epoch += 1
        self.write()

    def state_dict(self):
        return {"epoch": self.epoch}

    def load_state_dict(self, state):
        self.epoch = state["epoch"]
        self.write()


class DriverMutant(NamedTuple):
    """A wrong scheduler, `kind(optimizer)`; `micro_step` where a training loop uses a right one wrongly."""

    kind: type[Driver]
    killed_by: str
    seen_in: str = ""
    entry: str = ""
    micro_step: Callable[[Any, Any, int], None] | None = None

    @property
    def named(self) -> str:
        """What is wrong and where it was seen."""
        return named(words(self.kind.__name__), self.seen_in)


DRIVER_MUTANTS: dict[str, DriverMutant] = {}


def driver_mutant(
    killed_by: str, seen_in: str = "", *, entry: str = "", micro_step: Callable[[Any, Any, int], None] | None = None
) -> Callable[[type[Driver]], type[Driver]]:
    """Register a wrong scheduler: see `DriverMutant`."""

    def register(kind: type[Driver]) -> type[Driver]:
        DRIVER_MUTANTS[kind.__name__] = DriverMutant(kind, killed_by, seen_in, entry, micro_step)
        return kind

    return register


@driver_mutant("P36", "torch #52911", entry="31a")
class LoadingKeepsAnOldSetting(Driver):
    def __init__(self, optimizer):
        self.gamma = 0.9
        super().__init__(optimizer)

    def write(self):
        for group, base in zip(self.optimizer.param_groups, self.bases, strict=True):
            group["lr"] = base * self.gamma**self.epoch

    def load_state_dict(self, state):
        self.gamma = 0.5
        super().load_state_dict(state)


@driver_mutant("P36", "torch #171515", entry="31b")
class ResumedSequenceBeginsItsPartAgain(Driver):
    def load_state_dict(self, state):
        super().load_state_dict({"epoch": max(state["epoch"] - 3, 0)})


@driver_mutant("P36", "Lightning #1772, #4655", entry="32a")
class SavedBeforeStepping(Driver):
    def state_dict(self):
        return {"epoch": max(self.epoch - 1, 0)}


@driver_mutant("P36", "torch, LinearLR")
class BuiltAfterLoadingItScalesTwice(Driver):
    def __init__(self, optimizer):
        self.optimizer, self.epoch = optimizer, 0
        for group in optimizer.param_groups:
            group["lr"] *= 0.1

    def step(self):
        self.epoch += 1
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.9

    def load_state_dict(self, state):
        self.epoch = state["epoch"]


@driver_mutant("P41")
class LeastRateIsAbsolute(Driver):
    def write(self):
        super().write()
        for group in self.optimizer.param_groups:
            group["lr"] = max(group["lr"], 1e-3)


def step_with_every_micro_batch(optimizer, driver, index):
    driver.step()


@driver_mutant("P43.accumulation", "accelerate #963", entry="32b", micro_step=step_with_every_micro_batch)
class SteppedDuringAccumulation(Driver):
    pass
