"""P1 and P1.range: a step is the formula's, within the bound that enclosures derive. Next: structural.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..bounds.enclosure import Enclosure, enclosed
from ..bounds.storage import Storage
from ..protocol import (
    Broken,
    Case,
    Maker,
    NotApplicable,
    copy_arrays,
    copy_gradients,
    ordinary,
    register,
    shows_state,
    state_of,
)


def expect_enclosed(enclosure: Enclosure, actual: Any, what: str, where: Any = True) -> float:
    """Require values inside an enclosure where `where` is true, and return the largest error over bound.

    A state of another shape than theta (Adafactor's rows and columns) is compared only if `where` is true for all.
    """
    actual = np.asarray(actual)
    if actual.size == 0:
        return 0.0
    where = np.asarray(where)
    where = np.broadcast_to(where if where.shape in ((), actual.shape) else where.all(), actual.shape)
    ratio = np.where(where, enclosure.ratio(actual), 0.0)
    worst = int(np.argmax(ratio))
    outside = ~enclosure.contains(actual) & where
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


ORDINARY, EXTREME = "ordinary", "extreme"


@register(
    "P1", "One step from a given state equals the formula within the derived bound, parameters and state.", long=True
)
def one_step(make: Maker, case: Case) -> float:
    return formula_ratio(make, case, ORDINARY)


@register(
    "P1.range",
    "A step equals the formula also where g^2 overflows or underflows (an order of evaluation may lose that range; the "
    "rule itself is P1's).",
    after="P1",
)
def one_step_at_the_ends(make: Maker, case: Case) -> float:
    return formula_ratio(make, case, EXTREME)


def formula_ratio(make: Maker, case: Case, part: str = "") -> float:
    """The largest error over bound; from a fresh state alone where the subject shows no state."""
    if not {str(p.dtype) for p in case.params} <= set(case.spec.family.narrow_in):
        raise NotApplicable(f"the derived bound is too wide to say anything in {case.params[0].dtype}; ask in float64")
    return (worst_ratio if shows_state(case.make(make)) else free_run_ratio)(make, case, part)


def elements_of_part(case: Case, part: str) -> list[list[np.ndarray]]:
    """For each step and parameter the elements that a part of P1 applies to; "": all.

    Ordinary are those whose gradients so far can be squared and divided by one another in any order of evaluation. The
    others are P1.range's: there an order may lose range that another has, without being another formula. Where a rule
    is not elementwise, one gradient that is not ordinary makes its whole parameter so.

    Raises:
        NotApplicable: there are none.
    """
    found, so_far = [], [np.ones(p.shape, bool) for p in case.params]
    for grads in case.gradients:
        for i, g in enumerate(grads):
            if g is not None:
                now = so_far[i] & ordinary(g)
                so_far[i] = now if case.spec.family.elementwise else np.full(now.shape, now.all())
        row = {ORDINARY: so_far, EXTREME: [~where for where in so_far]}
        found.append(list(row.get(part, [np.ones_like(where) for where in so_far])))
    if not any(where.any() for row in found for where in row) and any(p.size for p in case.params):
        raise NotApplicable(
            "no gradient here is near underflow or overflow when squared"
            if part == EXTREME
            else "every gradient here is near underflow or overflow when squared"
        )
    return found


def worst_ratio(make: Maker, case: Case, part: str = "") -> float:
    """P1's comparison at every step, from the subject's own state; the largest error over bound.

    A subject with a `storage` keeps its moments in fewer bytes: they are decoded before a step, and after it may be
    what the storage may keep of the formula's (storage.py).
    """
    elements = elements_of_part(case, part)
    subject = case.make(make)
    storage: Storage | None = getattr(subject, "storage", None)

    def moments(i: int) -> dict[str, Any]:
        state = state_of(subject, i)
        return state if storage is None else storage.decoded(state, case.params[i].dtype)

    formulas = [enclosed(case.spec, p.dtype, roundings_of(case.spec)) for p in case.params]
    worst, counts = 0.0, [0] * len(case.params)
    for grads, wheres in zip(case.gradients, elements, strict=True):
        thetas = copy_arrays(subject.params)
        states = [moments(i) for i in range(len(thetas))]
        subject.step(copy_gradients(grads))
        for i, (g, where) in enumerate(zip(grads, wheres, strict=True)):
            if g is None:
                continue
            counts[i] += 1
            keys = case.spec.state_keys(thetas[i])
            started = counts[i] > 1 and all(key in states[i] for key in keys)
            before = {key: states[i][key] for key in keys} if started else formulas[i].initial_state(thetas[i])
            theta, state = formulas[i].step(thetas[i], g, before, counts[i])
            what = f"step {counts[i]} of parameter {i}"
            worst = max(worst, expect_enclosed(theta, subject.params[i], f"theta after {what}", where))
            after = moments(i)
            for key in keys:
                if key not in after:
                    raise Broken(f"state after {what}", f"an array named {key!r}", sorted(after))
                expected = state[key]
                if storage is not None:  # a parameter that is lost may have taken its moments along: 0 decay x NaN
                    expected = storage.stored(key, expected.unclaimed(np.isnan(thetas[i])))
                worst = max(worst, expect_enclosed(expected, after[key], f"{key} after {what}", where))
    return worst


def free_run_ratio(make: Maker, case: Case, part: str = "") -> float:
    """Every step inside the enclosure of the formula's own run: its width grows, but a wrong first step is outside."""
    elements = elements_of_part(case, part)
    subject, worst = case.make(make), 0.0
    formulas = [enclosed(case.spec, p.dtype, roundings_of(case.spec)) for p in case.params]
    thetas = [formula.lift(p) for formula, p in zip(formulas, case.params, strict=True)]
    states = [formula.initial_state(p) for formula, p in zip(formulas, case.params, strict=True)]
    counts = [0] * len(thetas)
    for grads, wheres in zip(case.gradients, elements, strict=True):
        subject.step(copy_gradients(grads))
        for i, (g, where) in enumerate(zip(grads, wheres, strict=True)):
            if g is not None:
                counts[i] += 1
                thetas[i], states[i] = formulas[i].step(thetas[i], g, states[i], counts[i])
            what = f"theta after step {counts[i]} of parameter {i}, from a fresh state"
            worst = max(worst, expect_enclosed(thetas[i], subject.params[i], what, where))
    return worst
