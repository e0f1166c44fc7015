"""`SCHEDULERS`: a row for each scheduler of torch that is here by its name. Tests and docs/schedules.md follow from it.

A row says which schedule the class stands for, and where it differs from torch's on purpose. To add one, write its
class (named.py) and its row: the tests build both libraries' from the row's example and compare each step's rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import composite, named, plateau


class Row(NamedTuple):
    """A class of torch's name.

    Attributes:
        cls: the class.
        stands_for: the schedule, with torch's arguments.
        differs: where torch's rates are others, and why ours are not; empty: nowhere.
        examples: arguments of the class with which both have the same rates for 30 epochs. None: it is no function of
            the epoch, or it is made of others, and has tests of its own.
    """

    cls: type[Any]
    stands_for: str
    differs: str = ""
    examples: tuple[Mapping[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """The name, torch's."""
        return self.cls.__name__


def _halving(epoch: int) -> float:
    return 0.5 ** (epoch // 7)


def _falling(epoch: int) -> float:
    return 1.0 - 0.1 / epoch


_rows = (
    Row(named.LambdaLR, "from_function(lr_lambda)", examples=({"lr_lambda": _halving},)),
    Row(
        named.MultiplicativeLR,
        "the running product of lr_lambda(1), lr_lambda(2), ...",
        examples=({"lr_lambda": _falling},),
    ),
    Row(
        named.StepLR,
        "step(step_size, gamma)",
        examples=(
            {"step_size": 10},
            {"step_size": 4, "gamma": 0.7},
            {"step_size": 9, "gamma": 1.5},
            {"step_size": 3, "gamma": 0.0},
        ),
    ),
    Row(
        named.MultiStepLR,
        "multi_step(sorted(milestones), gamma)",
        examples=(
            {"milestones": [2, 5, 9]},
            {"milestones": [9, 2, 5, 5], "gamma": 0.5},
            {"milestones": [0, 4]},
            {"milestones": [4], "gamma": 0},
        ),
    ),
    Row(
        named.ConstantLR,
        "piecewise([total_iters], [factor, 1.0])",
        "With total_iters=0 torch's rate stays at factor times the base rate for ever; here it is the base rate. "
        "factor may be above 1 here, or 0, from which torch's recursion divides by zero.",
        ({}, {"factor": 0.5, "total_iters": 8}),
    ),
    Row(
        named.LinearLR,
        "linear(total_iters, start_factor, end_factor)",
        "With total_iters=0 torch's rate stays at its start for ever; here it is at its end. start_factor may be 0 "
        "here; torch's recursion cannot leave 0. Both factors may be above 1 here.",
        ({}, {"start_factor": 0.5, "total_iters": 4}, {"start_factor": 0.8, "end_factor": 0.2, "total_iters": 7}),
    ),
    Row(named.ExponentialLR, "exponential_decay(gamma)", examples=({"gamma": 0.9}, {"gamma": 1.01}, {"gamma": 0.0})),
    Row(
        named.PolynomialLR,
        "polynomial(total_iters, power)",
        "With total_iters=0 torch's rate stays at the base rate for ever; here it is at its end, 0. power=0, with "
        "which torch's rate never falls, is an error here.",
        ({}, {"total_iters": 20, "power": 2.0}),
    ),
    Row(
        named.CosineAnnealingLR,
        "cosine(T_max), from the base rate to the rate eta_min and back, again and again",
        "With T_max=0 torch divides by zero; here the rate is eta_min.",
        ({"T_max": 30}, {"T_max": 29, "eta_min": 0.01}, {"T_max": 7, "eta_min": 0.1}, {"T_max": 1}),
    ),
    Row(
        named.CosineAnnealingWarmRestarts,
        "cosine_restarts(T_0, T_mult), from the base rate to the rate eta_min",
        "torch's step(epoch) rounds a logarithm, and misses restarts: with T_0=1 and T_mult=3 the one at epoch 121. "
        "After step(1.5) torch's last_epoch is 1; here it is 1.5, and is saved.",
        ({"T_0": 10}, {"T_0": 5, "T_mult": 2, "eta_min": 0.01}, {"T_0": 1, "T_mult": 3}),
    ),
    Row(
        named.CyclicLR,
        "cyclic(base_lr / max_lr, step_size_up, step_size_down, mode, gamma), times max_lr",
        "torch puts base_lr into the groups' initial_lr; here that stays what it was. torch's triangular2 fails after "
        "1,024 cycles.",
        (
            {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "cycle_momentum": False},
            {"base_lr": [0.01, 0.02], "max_lr": 0.1, "step_size_up": 4, "step_size_down": 7, "mode": "triangular2"},
            {"base_lr": 0.0, "max_lr": [0.1, 0.3], "step_size_up": 3, "mode": "exp_range", "gamma": 0.95},
            {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 1, "mode": "exp_range", "gamma": 0.0},
            {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5, "scale_fn": _halving, "scale_mode": "iterations"},
        ),
    ),
    Row(
        named.OneCycleLR,
        "one_cycle(total_steps, pct_start, div_factor, final_div_factor, anneal_strategy, three_phase), times max_lr",
        "torch has one step too many: its linear form comes below 0 there, and the next step raises. Here the last "
        "rate is held. torch divides by zero where pct_start total_steps is 1; here a phase of no steps is its end. "
        "torch puts max_lr/div_factor into the groups' initial_lr; here that stays what it was.",
        (
            {"max_lr": 0.1, "total_steps": 30},
            {"max_lr": [0.1, 0.2], "total_steps": 30, "anneal_strategy": "linear", "pct_start": 0.4},
            {"max_lr": 0.1, "epochs": 6, "steps_per_epoch": 5, "three_phase": True, "cycle_momentum": False},
            {"max_lr": [0.1, 0.2], "total_steps": 31, "pct_start": 1.0},
            {"max_lr": 0.1, "total_steps": 30, "pct_start": 0.7, "three_phase": True, "anneal_strategy": "linear"},
            {"max_lr": 0.1, "total_steps": 30, "pct_start": 1.0, "three_phase": True},
        ),
    ),
    Row(
        composite.SequentialLR,
        "the schedules' `.then`, each for as long as the milestones say",
        "torch's nested ones, and its resume by last_epoch, lose epochs; here all is computed from last_epoch.",
    ),
    Row(
        composite.ChainedScheduler,
        "the schedules' product, `*`",
        "torch multiplies quotients, and stays at a rate of 0; here a factor of 0 ends with its step. In torch's chain "
        "LambdaLR, CyclicLR, OneCycleLR and CosineAnnealingWarmRestarts set their own rates, whatever those before "
        "them did; here they multiply too. With CosineAnnealingLR torch's recursion goes on from the rate that "
        "the others made; here the cosine is from the rate of those before it to eta_min.",
    ),
    Row(
        plateau.ReduceLROnPlateau,
        "no schedule: it looks at a metric",
        "A negative metric must get better than its best by the threshold; torch takes a worse one for better. NaN is "
        "an error; torch counts it as worse. It multiplies with other schedulers, which overwrite torch's.",
    ),
)

SCHEDULERS: dict[str, Row] = {row.name: row for row in _rows}
