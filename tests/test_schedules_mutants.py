"""The checkers tested: each real bug of schedules found elsewhere is a mutant that a check must kill.

Numbers are those of the list of bugs (30 to 35); the mutants without one are there so that each check fails once.
"""

import copy
import math

import numpy as np
import pytest
from schedule_cases import Groups

from tinygrad_lr.optim.lr_scheduler import LRScheduler
from tinygrad_lr.schedules import SCHEDULES, cosine, linear, piecewise, warmup
from tinygrad_lr.verify import schedule_drivers as drivers
from tinygrad_lr.verify import schedule_properties as verify
from tinygrad_lr.verify.schedule_properties import PropertyViolation


def spec(name, **arguments):
    return verify.spec_of(SCHEDULES[name], **arguments)


def vectorised(function):
    """A mutant of one step, made to take arrays as well."""
    return lambda step: np.vectorize(function, otypes=[float])(step) if np.ndim(step) else float(function(step))


def recursive_cosine(step, total=20, end=0.001):
    """30: torch's chained form, which drifts and divides by zero past T."""
    value = 1.0
    for t in range(1, int(step) + 1):
        ratio = (1 + math.cos(math.pi * t / total)) / (1 + math.cos(math.pi * (t - 1) / total))
        value = end + ratio * (value - end)
    return value


def polynomial_of_the_previous_rate(step, total=20, power=2.0):
    """33: the polynomial multiplies the rate it left behind."""
    return math.prod((1 - t / total) ** power for t in range(1, min(int(step), total) + 1))


class Counting:
    """Reading changes it: a schedule with a hidden position."""

    def __init__(self):
        self.reads = 0

    def __call__(self, step):
        self.reads += 1
        return cosine(20)(step) * (1.0 if self.reads < 30 else 0.5)


def clock_runs_during_warmup(step):
    """34: the cosine has run on while the warm-up held the rate down."""
    return warmup(10)(step) if step < 10 else cosine(40)(step)


def logarithmic_restarts(step):
    """30: torch's warm restarts, whose floored logarithm is wrong at 121 = 1 + 3 + 9 + 27 + 81."""
    cycle = int(math.log(2 * step + 1, 3))
    return cosine(3**cycle)(step - (3**cycle - 1) // 2)


def joined_without_local_time(step):
    return linear(4)(step) if step < 4 else cosine(6)(step)


PARTS = [linear(4), cosine(6)]
COSINE = spec("cosine", total_steps=20, end=0.0)
POLYNOMIAL = spec("polynomial", total_steps=20, power=2.0, end=0.0)
MULTISTEP = spec("piecewise", milestones=[5, 10], values=[1.0, 0.1, 0.01])
JOINED = spec("warmup_stable_decay, cosine", warmup_steps=10, stable_steps=0, decay_steps=30, end=0.0, start=0.0)
early = piecewise([4, 9], [1.0, 0.1, 0.01])
torn = vectorised(lambda step: cosine(20)(step) + (1e-9 if step == 7 else 0.0))

MUTANTS = {
    "30 recursive cosine drifts": (
        "P35", lambda: verify.check_closed_form(
            vectorised(lambda step: recursive_cosine(step, 200_000)), spec("cosine", total_steps=200_000, end=0.001),
            [48_000, 48_112])),
    "30 recursive cosine divides by zero": ("P42", lambda: verify.check_degenerate(lambda: recursive_cosine, [21])),
    "30 floored logarithm": ("P40", lambda: verify.check_restarts(logarithmic_restarts, [1, 3, 9, 27, 81, 243])),
    "30 restart one step late": ("P40", lambda: verify.check_restarts(cosine(11).repeat(3), [10, 10, 10])),
    "33 polynomial of the previous rate": (
        "P35", lambda: verify.check_closed_form(vectorised(polynomial_of_the_previous_rate), POLYNOMIAL)),
    "34 cosine clock runs during warm-up": (
        "P38", lambda: verify.check_continuous(clock_runs_during_warmup, JOINED)),
    "35 end at T-1 instead of T": ("P37", lambda: verify.check_range_and_ends(cosine(19), COSINE)),
    "35 end after T": ("P37", lambda: verify.check_range_and_ends(cosine(21), COSINE)),
    "35 milestones one step early": ("P37", lambda: verify.check_range_and_ends(early, MULTISTEP)),
    "35 step = warm-up = total divides by zero": (
        "P42", lambda: verify.check_degenerate(lambda: lambda step: (step - 5) / (5 - 5), [5])),
    "31 milestone 0": ("P42", lambda: verify.check_degenerate(lambda: lambda step: {1: 0.1}[step], [0])),
    "not a number at the end": ("P42", lambda: verify.check_degenerate(lambda: lambda step: math.nan, [3])),
    "an error without words": ("P42", lambda: verify.check_degenerate(lambda: _silent, [3])),
    "rises again past T": (
        "P37", lambda: verify.check_range_and_ends(lambda step: 0.5 + 0.5 * math.cos(math.pi * step / 20), COSINE)),
    "rises in a falling phase": (
        "P37", lambda: verify.check_range_and_ends(lambda step: cosine(20)(step + 2 * (step == 7)), COSINE)),
    "out of range": ("P37", lambda: verify.check_range_and_ends(lambda step: 1.5 * cosine(20)(step), COSINE)),
    "wrong first value": ("P37", lambda: verify.check_range_and_ends(lambda step: 0.9 * cosine(20)(step), COSINE)),
    "slightly wrong": ("P35", lambda: verify.check_closed_form(torn, COSINE)),
    "reading changes it": ("P35", lambda: verify.check_closed_form(Counting(), COSINE)),
    "array in float32": (
        "P35", lambda: verify.check_closed_form(
            lambda step: cosine(20)(step) if np.ndim(step) == 0 else cosine(20)(step).astype(np.float32), COSINE)),
    "rectangle instead of trapezium": (
        "P39", lambda: verify.check_cosine_sum(lambda step: cosine(20)(step + 1), 20, 1.0, 0.0)),
    "parts count global steps": ("P43", lambda: verify.check_local_time(joined_without_local_time, PARTS)),
    "epochs read as steps": ("P43", lambda: verify.check_epochs(cosine(10), cosine(10), 7, 10)),
}  # fmt: skip


def _silent(step):
    raise ValueError


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_is_killed_by_the_property_named(name):
    property_id, check = MUTANTS[name]
    with pytest.raises(PropertyViolation, match=rf"^{property_id} \(.*\): at step .* expected .*, got "):
        check()


class StatefulScheduler:
    """A driver with the bugs of others: chained rates, a stale setting in its state, saved before stepping."""

    def __init__(self, optimizer, gamma=0.9, chained=True, keep_gamma=False, early=False):
        self.optimizer, self.gamma, self.epoch = optimizer, gamma, 0
        self.chained, self.keep_gamma, self.early = chained, keep_gamma, early
        self.bases = [group["lr"] for group in optimizer.param_groups]
        if not chained:
            self.write()
        elif self.epoch == 0:
            for group in optimizer.param_groups:
                group["lr"] *= 0.1

    def write(self):
        for group, base in zip(self.optimizer.param_groups, self.bases, strict=True):
            group["lr"] = base * self.gamma**self.epoch

    def step(self):
        self.epoch += 1
        if self.chained:
            for group in self.optimizer.param_groups:
                group["lr"] *= self.gamma
        else:
            self.write()

    def state_dict(self):
        return {"epoch": self.epoch - self.early, "gamma": self.gamma}

    def load_state_dict(self, state):
        self.epoch = state["epoch"]
        if self.keep_gamma:
            self.gamma = 0.5


STATEFUL = {
    "torch: load optimizer, build scheduler scales twice": {},
    "31 load keeps an old setting": {"chained": False, "keep_gamma": True},
    "32 saved before stepping": {"chained": False, "early": True},
}


@pytest.mark.parametrize("options", STATEFUL.values(), ids=STATEFUL)
def test_resume_mutants_are_killed(options):
    with pytest.raises(PropertyViolation, match=r"^P36"):
        drivers.check_resume(lambda: Groups(0.1), lambda optimizer: StatefulScheduler(optimizer, **options), 4)


def test_sequence_that_forgets_its_phase_is_killed():
    """31: a sequence resumed from the middle starts its second part again."""

    class Forgets(LRScheduler):
        def load_state_dict(self, state_dict):
            super().load_state_dict({"last_epoch": max(state_dict["last_epoch"] - 3, 0)})

    with pytest.raises(PropertyViolation, match=r"^P36"):
        drivers.check_resume(
            lambda: Groups(0.1), lambda optimizer: Forgets(optimizer, warmup(3).then(cosine(5))), 8)  # fmt: skip


def test_stepping_at_every_micro_step_is_killed():
    """32: stepped during accumulation."""
    scheduler = LRScheduler(Groups(0.1), cosine(10))
    with pytest.raises(PropertyViolation, match=r"^P43"):
        drivers.check_once_per_update(lambda index: scheduler.step(), lambda: scheduler.last_epoch, k=3, updates=2)


def test_a_rate_that_is_not_proportional_is_killed():
    with pytest.raises(PropertyViolation, match=r"^P41"):
        drivers.check_homogeneous(lambda base: [max(base * cosine(10)(step), 1e-3) for step in range(10)], 0.01)


def test_a_check_that_does_not_apply_says_so():
    with pytest.raises(ValueError, match="does not apply"):
        verify.check_continuous(copy.copy(early), MULTISTEP)
