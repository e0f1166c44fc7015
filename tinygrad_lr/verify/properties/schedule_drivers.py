"""Properties of what writes a schedule's rates into an optimizer: P36 (resume), P41 (base rates), P43 (one per update).

A driver is built by `build(optimizer)` and has step(), state_dict(), load_state_dict(); an optimizer by
`new_optimizer()` and has param_groups, state_dict(), load_state_dict(). The statements stand in
`schedule_properties.PROPERTIES`. torch's schedulers can be passed as well as ours.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from .schedules import violated


def rates(optimizer: Any) -> list[float]:
    """The rate of each group."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def _resume_loading_optimizer_first(new: Callable[[], Any], build: Callable[[Any], Any], saved: Any) -> Any:
    optimizer = new()
    driver = build(optimizer)
    optimizer.load_state_dict(saved[0])
    driver.load_state_dict(saved[1])
    return optimizer, driver


def _resume_loading_driver_first(new: Callable[[], Any], build: Callable[[Any], Any], saved: Any) -> Any:
    optimizer = new()
    driver = build(optimizer)
    driver.load_state_dict(saved[1])
    optimizer.load_state_dict(saved[0])
    return optimizer, driver


def _resume_building_driver_late(new: Callable[[], Any], build: Callable[[Any], Any], saved: Any) -> Any:
    optimizer = new()
    optimizer.load_state_dict(saved[0])
    driver = build(optimizer)
    driver.load_state_dict(saved[1])
    return optimizer, driver


ORDERS = {
    "build both, load optimizer, load scheduler": _resume_loading_optimizer_first,
    "build both, load scheduler, load optimizer": _resume_loading_driver_first,
    "load optimizer, build scheduler, load scheduler": _resume_building_driver_late,
}


def check_resume(new_optimizer: Callable[[], Any], build: Callable[[Any], Any], steps: int) -> None:
    """P36: cut at every step, resume in every order, and compare each later rate with the uninterrupted run's."""
    optimizer = new_optimizer()
    driver = build(optimizer)
    expected, saved = [], []
    for _ in range(steps):
        expected.append(rates(optimizer))
        saved.append(copy.deepcopy((optimizer.state_dict(), driver.state_dict())))
        driver.step()
    for cut in range(steps):
        for order, resume in ORDERS.items():
            optimizer, driver = resume(new_optimizer, build, copy.deepcopy(saved[cut]))
            for step in range(cut, steps):
                if rates(optimizer) != expected[step]:
                    raise violated("P36", f"{step}, cut at {cut} ({order})", expected[step], rates(optimizer))
                driver.step()


def check_homogeneous(run: Callable[[float], list[float]], base_lr: float) -> None:
    """P41: `run(base_lr)` gives the rates of a run; times a power of two they change by it, bit for bit."""
    expected = run(base_lr)
    for scale in (2.0**-8, 2.0, 2.0**10):
        for step, (rate, scaled) in enumerate(zip(expected, run(base_lr * scale), strict=True)):
            if scaled != rate * scale:
                raise violated("P41", step, f"{scale!r} times {rate!r}", repr(scaled))


def check_once_per_update(micro_step: Callable[[int], None], epoch_of: Callable[[], int], k: int, updates: int) -> None:
    """P43.accumulation: after each k-th micro-step, and no other, the driver has advanced by one."""
    before = epoch_of()
    for index in range(k * updates):
        micro_step(index)
        expected, actual = before + (index + 1) // k, epoch_of()
        if actual != expected:
            raise violated("P43.accumulation", f"{index} (a micro-step)", f"{expected} updates counted", actual)


def check_accumulation(
    new_optimizer: Callable[[], Any],
    build: Callable[[Any], Any],
    micro_step: Callable[[Any, Any, int], None],
    k: int,
    updates: int,
) -> None:
    """P43.accumulation: after its micro-step number i, from 0, a loop has the rates of update (i + 1) // k."""
    optimizer = new_optimizer()
    driver, expected = build(optimizer), [rates(optimizer)]
    for _ in range(updates):
        driver.step()
        expected.append(rates(optimizer))
    optimizer = new_optimizer()
    driver = build(optimizer)
    for index in range(k * updates):
        micro_step(optimizer, driver, index)
        due = (index + 1) // k
        if rates(optimizer) != expected[due]:
            what = f"the rates of update {due}: {expected[due]}"
            raise violated("P43.accumulation", f"{index} (a micro-step of {k})", what, rates(optimizer))
