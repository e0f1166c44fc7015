"""`check_scheduler`: P36, P41 and P43 on what writes a schedule's rates into an optimizer, ours or torch's.

Next: properties/schedules.py, at its end.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace

from tinygrad_lr.integers import whole_number

from ..outcomes import TIMEOUT, Check, run_checks
from ..properties import schedules as properties
from ..properties.schedules import (
    BuildScheduler,
    DrivenOptimizer,
    MicroStep,
    check_accumulation,
    check_homogeneous,
    check_resume,
    rates,
)
from ..report import Report
from . import arguments
from .arguments import name_of
from .schedules import finding_of

NO_PROGRAM = (
    "the optimizer and the scheduler are built by functions that are passed, and are stepped and loaded by turns"
)


def check_scheduler(
    new_optimizer: Callable[[float], DrivenOptimizer],
    build: BuildScheduler,
    *,
    total_steps: int,
    base_lr: float = 0.1,
    micro_step: MicroStep | None = None,
    micro_steps: int = 2,
    expected_failures: Mapping[str, str] | None = None,
    timeout: float | None = TIMEOUT,
) -> Report:
    """Check a scheduler: that runs resume anywhere, and that rates are proportional to the base rate.

    Args:
        new_optimizer: `new_optimizer(lr)` gives a fresh optimizer with `param_groups`, `state_dict()` and
            `load_state_dict()`, as torch's and ours have them.
        build: `build(optimizer)` gives a scheduler with `step()`, `state_dict()` and `load_state_dict()`.
        total_steps: how many steps of the scheduler are compared.
        base_lr: the optimizer's rate.
        micro_step: `micro_step(optimizer, scheduler, index)` is what a training loop does with each micro-batch,
            where gradients are accumulated over `micro_steps` of them (P43).
        expected_failures: property id -> reason; strict.
        timeout: seconds a property may take.

    Returns:
        A `Report`: P36 (cut at every step, resumed in three orders of loading), P41, and with `micro_step`
        P43.accumulation.

    Raises:
        TypeError, ValueError: what is passed is not callable, no steps, an unknown property.

    Example:
        >>> from tinygrad_lr import optim, schedules, tensor
        >>> new = lambda lr: optim.SGD([tensor([1.0], requires_grad=True)], lr=lr)
        >>> cosine = lambda optimizer: optim.lr_scheduler.LRScheduler(optimizer, schedules.cosine(5))
        >>> check_scheduler(new, cosine, total_steps=6).ok
        True
    """
    if not (callable(new_optimizer) and callable(build)):
        raise TypeError("check_scheduler needs new_optimizer(lr) and build(optimizer)")
    total_steps, micro_steps = (
        whole_number(name, value, 1) for name, value in {"total_steps": total_steps, "micro_steps": micro_steps}.items()
    )
    if not (micro_step is None or callable(micro_step)):
        raise TypeError(f"micro_step must be callable, got {type(micro_step).__name__}")
    here = ["P36", "P41", *(["P43.accumulation"] if micro_step else [])]
    expected = arguments.expectations(expected_failures, here)

    def run(lr: float) -> list[list[float]]:
        optimizer = new_optimizer(lr)
        scheduler, found = build(optimizer), list[list[float]]()
        for _ in range(total_steps):
            found.append(rates(optimizer))
            scheduler.step()
        return found

    says = properties.PROPERTIES
    checks = [
        Check("P36", says["P36"], lambda: check_resume(lambda: new_optimizer(base_lr), build, total_steps)),
        Check("P41", says["P41"], lambda: check_homogeneous(run, base_lr)),
    ]
    if micro_step is not None:
        new = lambda: new_optimizer(base_lr)  # noqa: E731
        checks.append(
            Check(
                "P43.accumulation",
                says["P43.accumulation"],
                lambda: check_accumulation(new, build, micro_step, micro_steps, total_steps),
            )
        )
    with warnings.catch_warnings():  # rates are looked at without a step of the optimizer, of which schedulers warn
        warnings.filterwarnings("ignore", r".*scheduler\.step\(\).* before .*optimizer", UserWarning)
        found = run_checks(checks, finding_of, arguments.seconds(timeout), expected)
    found = [each if each.outcome == "passed" else replace(each, no_program=NO_PROGRAM) for each in found]
    return Report(f"{name_of(build)}, {total_steps} steps", found)
