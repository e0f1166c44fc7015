"""P1 to P4, P11 to P16 and P18: what one step does, and what must not change it.

These checks look at a step from outside: against the formula, under permutation, splitting, sign and scale.
Next: liveness.py, continuity.py (many parameters, groups, saving), scaling.py, identities.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .check import (
    Broken,
    Case,
    Maker,
    NotApplicable,
    copies,
    follow,
    given,
    holds,
    negative,
    ordinary,
    same_bits,
    same_values,
    state_of,
    unit_roundoff,
    within,
)
from .enclosed import enclosed
from .enclosure import Enclosure
from .storage import Storage

DECAY = ("weight_decay", "lambd", "l1", "l2")


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
def one_step(make: Maker, case: Case) -> None:
    worst_ratio(make, case)


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


@holds("P2", "The same steps give the same bits every time.")
def repeatable(make: Maker, case: Case) -> None:
    first, second = (follow(case.make(make), case.gradients)[-1] for _ in range(2))
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        same_bits(a, b, f"parameter {i} of a second run")


@holds("P3", "Permuting the coordinates commutes with the step, bit for bit.")
def permutation(make: Maker, case: Case) -> None:
    orders = [np.random.default_rng(p.size).permutation(p.size) for p in case.params]

    def shuffled(array: np.ndarray | None, order: np.ndarray) -> np.ndarray | None:
        return None if array is None else array.ravel()[order].reshape(array.shape)

    params: list[Any] = [shuffled(p, order) for p, order in zip(case.params, orders, strict=True)]
    gradients = [[shuffled(g, o) for g, o in zip(grads, orders, strict=True)] for grads in case.gradients]
    plain = follow(case.make(make), case.gradients)[-1]
    moved = follow(case.make(make, params=params), gradients)[-1]
    for i, (a, b) in enumerate(zip(plain, moved, strict=True)):
        same_bits(shuffled(a, orders[i]), b, f"parameter {i}, permuted")


@holds("P4", "Any split, shape or stride of the same numbers gives the same bits.")
def any_layout(make: Maker, case: Case) -> None:
    theta = case.params[0].ravel()
    history = [np.zeros_like(theta) if grads[0] is None else grads[0].ravel() for grads in case.gradients]
    expected = follow(case.make(make, params=[theta]), [[g] for g in history])[-1][0]
    cuts = sorted({min(1, theta.size), theta.size // 2, theta.size})

    def pieces(array: np.ndarray) -> list[np.ndarray]:
        parts = [array[:0], *np.split(array, cuts)]
        return [part.reshape(()) if part.size == 1 else part for part in parts]

    split = follow(case.make(make, params=pieces(theta)), [list(pieces(g)) for g in history])[-1]
    same_bits(expected, np.concatenate([part.ravel() for part in split]), "split into pieces, 0-d and empty ones too")

    row = follow(case.make(make, params=[theta.reshape(1, -1)]), [[g.reshape(1, -1)] for g in history])[-1][0]
    same_bits(expected, row.ravel(), "as a row")
    subject = case.make(make, params=[theta.reshape(-1, 1)])
    for g in history:
        strided = np.zeros((2 * theta.size, 3), theta.dtype)[::2, 1:2]
        strided[...] = g.reshape(-1, 1)
        subject.step([strided])
    same_bits(expected, np.asarray(subject.params[0]).ravel(), "as a column, with strided gradients")


@holds("P11", "With lr = 0 the parameters stay and the state advances.")
def no_rate(make: Maker, case: Case) -> None:
    subject = case.make(make, lr=0.0)
    where = [ordinary(p, *(g[i] for g in case.gradients if g[i] is not None)) for i, p in enumerate(case.params)]
    history = follow(subject, case.gradients)
    usual = case.make(make)
    follow(usual, case.gradients)
    for i, (before, after) in enumerate(zip(case.params, history[-1], strict=True)):
        same_values(before, after, f"parameter {i} at lr = 0", where[i])
        if hasattr(subject, "get_state"):
            expected, actual = state_of(usual, i), state_of(subject, i)
            if sorted(expected) != sorted(actual) or int(expected.get("step", 0)) != int(actual.get("step", 0)):
                raise Broken(f"state of parameter {i} at lr = 0", expected, actual)


@holds("P12", "A fresh state, zero gradient and no decay leave theta as it is, without NaN.")
def no_gradient(make: Maker, case: Case) -> None:
    zeros: list[list[Any]] = [[np.zeros_like(p) for p in case.params]] * 3
    history = follow(case.make(make, **case.known(*DECAY)), zeros)
    for i, (before, after) in enumerate(zip(case.params, history[-1], strict=True)):
        same_values(before, after, f"parameter {i} with zero gradients")


@holds("P13", "Maximizing with g is minimizing with -g, bit for bit.")
def ascent(make: Maker, case: Case) -> None:
    if "maximize" not in case.spec.all_names:
        raise NotApplicable("there is no maximize")
    negated = negative(case.gradients)
    up = follow(case.make(make, maximize=True), case.gradients)[-1]
    down = follow(case.make(make, maximize=False), negated)[-1]
    for i, (a, b) in enumerate(zip(up, down, strict=True)):
        same_bits(b, a, f"parameter {i}, maximized")


@holds("P14", "Negating theta and every gradient negates the trajectory, bit for bit.")
def odd(make: Maker, case: Case) -> None:
    negated = negative(case.gradients)
    plain = follow(case.make(make), case.gradients)[-1]
    mirror = follow(case.make(make, params=[np.asarray(-p) for p in case.params]), negated)[-1]
    for i, (a, b) in enumerate(zip(plain, mirror, strict=True)):
        same_values(-a, b, f"parameter {i}, negated")


@holds("P15", "Without decay the displacement does not depend on theta.")
def translation(make: Maker, case: Case) -> None:
    zeros = [np.zeros_like(p) for p in case.params]
    at_zero = follow(case.make(make, params=zeros, **case.known(*DECAY)), case.gradients)
    there = follow(case.make(make, **case.known(*DECAY)), case.gradients)
    for i, start in enumerate(case.params):
        where = np.isfinite(at_zero[-1][i])
        # each step rounds theta once on either side: at most u |theta| there
        sizes = [np.abs(a[i].astype(float)) + np.abs(b[i].astype(float)) for a, b in zip(at_zero, there, strict=True)]
        bound = 1.01 * unit_roundoff(start.dtype) * sum(sizes[1:]) + 1e-300
        expected = at_zero[-1][i].astype(float)
        within(expected, there[-1][i].astype(float) - start.astype(float), bound, f"displacement {i}", where)


@holds("P16", "From theta = 0 without decay, 2^k lr gives 2^k times the trajectory, bit for bit.")
def rate_is_a_factor(make: Maker, case: Case) -> None:
    zeros = [np.zeros_like(p) for p in case.params]
    off = case.known(*DECAY)
    lr = float(case.spec["lr"])
    plain = follow(case.make(make, params=zeros, **off), case.gradients)
    scaled = follow(case.make(make, params=zeros, **off, lr=8 * lr), case.gradients)
    for i, start in enumerate(zeros):
        least = float(np.finfo(start.dtype).tiny) * 2.0**30
        where = np.all([(h[i] == 0) | (np.abs(h[i]) > least) for h in plain], axis=0)
        where &= np.all([ordinary(g[i]) for g in case.gradients if g[i] is not None], axis=0)
        same_values(8 * plain[-1][i], scaled[-1][i], f"parameter {i} at 8 lr", where)


@holds("P18", "Every backend gives the same bits as the reference backend, state included.")
def backends_agree(make: Maker, case: Case) -> None:
    if case.reference is None:
        raise NotApplicable("there is no other backend to compare with")
    subject, other = case.make(make), case.make(case.reference)
    for t, grads in enumerate(case.gradients, start=1):
        subject.step(given(grads))
        other.step(given(grads))
        for i, (a, b) in enumerate(zip(other.params, subject.params, strict=True)):
            same_bits(a, b, f"parameter {i} after step {t}")
            expected, actual = state_of(other, i), state_of(subject, i)
            same_values(sorted(expected) == sorted(actual), True, "the names of the states")
            for key in expected:
                same_bits(expected[key], actual[key], f"{key} of parameter {i} after step {t}")
