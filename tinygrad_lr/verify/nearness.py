"""P1: a step is what the formula gives, within the bound that correct rounding derives.

Next: enclosed.py, structural.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .check import Broken, Case, Maker, NotApplicable, copies, given, holds, shows_state, state_of
from .enclosed import enclosed
from .enclosure import Enclosure
from .storage import Storage


def expect_enclosed(enclosure: Enclosure, actual: Any, what: str) -> float:
    """The actual values lie in the enclosure; the largest error over bound."""
    actual = np.asarray(actual)
    if actual.size == 0:
        return 0.0
    ratio = enclosure.ratio(actual)
    worst = int(np.argmax(ratio))
    outside = ~enclosure.contains(actual)
    if outside.any():
        bounds = np.broadcast_to(enclosure.low, actual.shape), np.broadcast_to(enclosure.high, actual.shape)
        worst = int(np.argmax(np.where(outside, ratio, -1)))
        interval = f"between {bounds[0].flat[worst]!r} and {bounds[1].flat[worst]!r}"
        raise Broken(f"{what}, element {worst}", interval, repr(actual.flat[worst]), float(ratio.flat[worst]))
    return float(ratio.flat[worst])


def roundings_of(spec: Any) -> float:
    """How many roundings an operation may cost: 2 where epsilon hat is computed as eps / sqrt(1 - beta2^t)."""
    hat = "eps_placement" in spec.all_names and spec["eps_placement"] == "hat"
    return max(2.0 if hat else 1.0, float(spec.family.roundings))


@holds("P1", "One step from a given state equals the formula within the derived bound, parameters and state.")
def formula_ratio(make: Maker, case: Case) -> float:
    """The largest error over bound; from a fresh state alone where the subject shows no state."""
    if not {str(p.dtype) for p in case.params} <= set(case.spec.family.narrow_in):
        raise NotApplicable(f"the derived bound is too wide to say anything in {case.params[0].dtype}; ask in float64")
    return worst_ratio(make, case) if shows_state(case.make(make)) else free_run_ratio(make, case)


def worst_ratio(make: Maker, case: Case) -> float:
    """P1's comparison at every step, from the subject's own state; the largest error over bound.

    A subject with a `storage` keeps its moments in fewer bytes: they are decoded before a step, and after it may be
    what the storage may keep of the formula's (storage.py).
    """
    subject = case.make(make)
    storage: Storage | None = getattr(subject, "storage", None)

    def moments(i: int) -> dict[str, Any]:
        state = state_of(subject, i)
        return state if storage is None else storage.decoded(state, case.params[i].dtype)

    worst, counts = 0.0, [0] * len(case.params)
    for grads in case.gradients:
        thetas = copies(subject.params)
        states = [moments(i) for i in range(len(thetas))]
        subject.step(given(grads))
        for i, g in enumerate(grads):
            if g is None:
                continue
            counts[i] += 1
            formula = enclosed(case.spec, thetas[i].dtype, roundings_of(case.spec))
            keys = case.spec.state_keys(thetas[i])
            started = counts[i] > 1 and all(key in states[i] for key in keys)
            before = {key: states[i][key] for key in keys} if started else formula.initial_state(thetas[i])
            theta, state = formula.step(thetas[i], g, before, counts[i])
            where = f"step {counts[i]} of parameter {i}"
            worst = max(worst, expect_enclosed(theta, subject.params[i], f"theta after {where}"))
            after = moments(i)
            for key in keys:
                if key not in after:
                    raise Broken(f"state after {where}", f"an array named {key!r}", sorted(after))
                expected = state[key]
                if storage is not None:  # a parameter that is lost may have taken its moments along: 0 decay x NaN
                    expected = storage.stored(key, expected.unclaimed(np.isnan(thetas[i])))
                worst = max(worst, expect_enclosed(expected, after[key], f"{key} after {where}"))
    return worst


def free_run_ratio(make: Maker, case: Case) -> float:
    """Every step inside the enclosure of the formula's own run: its width grows, but a wrong first step is outside."""
    subject, worst = case.make(make), 0.0
    formulas = [enclosed(case.spec, p.dtype, roundings_of(case.spec)) for p in case.params]
    thetas = [formula.lift(p) for formula, p in zip(formulas, case.params, strict=True)]
    states = [formula.initial_state(p) for formula, p in zip(formulas, case.params, strict=True)]
    counts = [0] * len(thetas)
    for grads in case.gradients:
        subject.step(given(grads))
        for i, g in enumerate(grads):
            if g is not None:
                counts[i] += 1
                thetas[i], states[i] = formulas[i].step(thetas[i], g, states[i], counts[i])
            where = f"theta after step {counts[i]} of parameter {i}, from a fresh state"
            worst = max(worst, expect_enclosed(thetas[i], subject.params[i], where))
    return worst
