"""P2 to P4, P11 to P16 and P18: what must not change a step.

These checks compare steps under permutation, splitting, sign and scale, and on another backend.
Next: liveness.py, continuity.py (many parameters, groups, saving), scaling.py, identities.py.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from ..formulas import SCHEDULE
from ..protocol import (
    ELEMENTWISE,
    SOME,
    Broken,
    Case,
    Maker,
    NotApplicable,
    copy_gradients,
    negated,
    ordinary,
    register,
    same_bits,
    same_values,
    shows_state,
    state_of,
    trajectory,
    unit_roundoff,
    within,
)
from .one_step import ORDINARY, formula_ratio

DECAY = ("weight_decay", "lambd", "l1", "l2")


@register("P2", "The same steps give the same bits every time, at any number of threads.")
def repeatable(make: Maker, case: Case) -> str:
    threads = getattr(make, "threads", None)
    runs = []
    for count in (1, 3):
        with threads(count) if threads else nullcontext():
            runs.append(trajectory(case.make(make), case.gradients)[-1])
    for i, (a, b) in enumerate(zip(*runs, strict=True)):
        same_bits(a, b, f"parameter {i} of a second run{', with three threads in place of one' if threads else ''}")
    return "" if threads else "not examined: numbers of threads; make has no threads(count), a context that sets it"


@register("P3", "Permuting the coordinates commutes with the step, bit for bit.", of=ELEMENTWISE, rounds=True)
def permutation(make: Maker, case: Case) -> None:
    orders = [np.random.default_rng(p.size).permutation(p.size) for p in case.params]

    def shuffled(array: np.ndarray | None, order: np.ndarray) -> np.ndarray | None:
        return None if array is None else array.ravel()[order].reshape(array.shape)

    params: list[Any] = [shuffled(p, order) for p, order in zip(case.params, orders, strict=True)]
    gradients = [[shuffled(g, o) for g, o in zip(grads, orders, strict=True)] for grads in case.gradients]
    plain = trajectory(case.make(make), case.gradients)[-1]
    moved = trajectory(case.make(make, params=params), gradients)[-1]
    for i, (a, b) in enumerate(zip(plain, moved, strict=True)):
        same_bits(shuffled(a, orders[i]), b, f"parameter {i}, permuted")


@register("P4", "Any split, shape or stride of the same numbers gives the same bits.", of=ELEMENTWISE, rounds=True)
def any_layout(make: Maker, case: Case) -> str:
    theta = case.params[0].ravel()
    history = [np.zeros_like(theta) if grads[0] is None else grads[0].ravel() for grads in case.gradients]
    expected = trajectory(case.make(make, params=[theta]), [[g] for g in history])[-1][0]
    cuts = sorted({min(1, theta.size), theta.size // 2, theta.size})

    def pieces(array: np.ndarray, empty: bool = True, scalar: bool = True) -> list[np.ndarray]:
        parts = [part for part in [array[:0], *np.split(array, cuts)] if empty or part.size]
        return [part.reshape(()) if part.size == 1 and scalar else part for part in parts]

    accepted, refused = {}, []
    for kind, piece in {"empty": theta[:0], "scalar": theta[:1].reshape(()) if theta.size else theta}.items():
        try:
            case.make(make, params=[piece, theta])
            accepted[kind] = True
        except NotApplicable as reason:  # it refuses such a parameter
            accepted[kind] = False
            refused.append(f"{'0-d' if kind == 'scalar' else kind} pieces ({reason})")
    parts = pieces(theta, **accepted)
    split = trajectory(case.make(make, params=parts), [pieces(g, **accepted) for g in history])[-1]
    same_bits(expected, np.concatenate([part.ravel() for part in split]), "split into pieces, 0-d and empty ones too")

    row = trajectory(case.make(make, params=[theta.reshape(1, -1)]), [[g.reshape(1, -1)] for g in history])[-1][0]
    same_bits(expected, row.ravel(), "as a row")
    subject = case.make(make, params=[theta.reshape(-1, 1)])
    for g in history:
        strided = np.zeros((2 * theta.size, 3), theta.dtype)[::2, 1:2]
        strided[...] = g.reshape(-1, 1)
        subject.step([strided])
    same_bits(expected, np.asarray(subject.params[0]).ravel(), "as a column, with strided gradients")
    return f"not examined: {', '.join(refused)}" if refused else ""


@register("P11", "With lr = 0 the parameters stay and the state advances.", of=SOME)
def no_rate(make: Maker, case: Case) -> None:
    by_schedule = "decoupled_weight_decay" in case.spec.all_names and case.spec["decoupled_weight_decay"] == SCHEDULE
    off: dict[str, Any] = {"weight_decay": 0.0} if by_schedule else {}  # that decay knows no rate
    subject = case.make(make, lr=0.0, **off)
    where = [ordinary(p, *(g[i] for g in case.gradients if g[i] is not None)) for i, p in enumerate(case.params)]
    if case.spec.name and case.spec.undefined_at_zero:  # 0 (0/0) where no gradient has come yet
        started = [next((g[i] for g in case.gradients if g[i] is not None), p) for i, p in enumerate(case.params)]
        where = [mask & (g != 0) for mask, g in zip(where, started, strict=True)]
    history = trajectory(subject, case.gradients)
    usual = case.make(make, **off)
    trajectory(usual, case.gradients)
    for i, (before, after) in enumerate(zip(case.params, history[-1], strict=True)):
        same_values(before, after, f"parameter {i} at lr = 0", where[i])
        if shows_state(subject):
            expected, actual = state_of(usual, i), state_of(subject, i)
            if set(expected) != set(actual) or int(expected.get("step", 0)) != int(actual.get("step", 0)):
                raise Broken(f"state of parameter {i} at lr = 0", expected, actual)


def zero_over_zero(spec: Any) -> str:
    """The formula must not itself be 0/0 there, as most are with an epsilon of 0."""
    return "the formula itself is 0/0 where no gradient has come yet" if spec.undefined_at_zero else ""


@register(
    "P12",
    "A fresh state, zero gradient and no decay leave theta as it is, without NaN.",
    unless=zero_over_zero,
    long=True,
    of=SOME,
)
def no_gradient(make: Maker, case: Case) -> None:
    zeros: list[list[Any]] = [[np.zeros_like(p) for p in case.params]] * max(3, len(case.gradients))
    history = trajectory(case.make(make, **case.neutral(*DECAY)), zeros)
    for i, (before, after) in enumerate(zip(case.params, history[-1], strict=True)):
        if np.isnan(after).any() and not np.isnan(before).any():
            first = int(np.argmax(np.isnan(after)))
            what = f"parameter {i} with zero gradients, element {first}"
            raise Broken(what, repr(before.flat[first]), repr(after.flat[first]), always=True)
        same_values(before, after, f"parameter {i} with zero gradients")


@register("P13", "Maximizing with g is minimizing with -g, bit for bit.", needs=("maximize",), rounds=True)
def ascent(make: Maker, case: Case) -> None:
    opposite = negated(case.gradients)
    up = trajectory(case.make(make, maximize=True), case.gradients)[-1]
    down = trajectory(case.make(make, maximize=False), opposite)[-1]
    for i, (a, b) in enumerate(zip(up, down, strict=True)):
        same_values(b, a, f"parameter {i}, maximized")


@register("P14", "Negating theta and every gradient negates the trajectory, bit for bit.", of=SOME, rounds=True)
def odd(make: Maker, case: Case) -> None:
    opposite = negated(case.gradients)
    plain = trajectory(case.make(make), case.gradients)[-1]
    mirror = trajectory(case.make(make, params=[np.asarray(-p) for p in case.params]), opposite)[-1]
    for i, (a, b) in enumerate(zip(plain, mirror, strict=True)):
        same_values(-a, b, f"parameter {i}, negated")


@register("P15", "Without decay the displacement does not depend on theta.", of=SOME, rounds=True)
def translation(make: Maker, case: Case) -> None:
    zeros = [np.zeros_like(p) for p in case.params]
    at_zero = trajectory(case.make(make, params=zeros, **case.neutral(*DECAY)), case.gradients)
    there = trajectory(case.make(make, **case.neutral(*DECAY)), case.gradients)
    for i, start in enumerate(case.params):
        where = np.isfinite(at_zero[-1][i])
        # each step rounds theta once on either side: at most u |theta| there
        sizes = [np.abs(a[i].astype(float)) + np.abs(b[i].astype(float)) for a, b in zip(at_zero, there, strict=True)]
        bound = 1.01 * unit_roundoff(start.dtype) * sum(sizes[1:]) + 1e-300
        expected = at_zero[-1][i].astype(float)
        within(expected, there[-1][i].astype(float) - start.astype(float), bound, f"displacement {i}", where)


@register(
    "P16", "From theta = 0 without decay, 2^k lr gives 2^k times the trajectory, bit for bit.", of=SOME, rounds=True
)
def rate_is_a_factor(make: Maker, case: Case) -> None:
    zeros = [np.zeros_like(p) for p in case.params]
    off = case.neutral(*DECAY)
    lr = float(case.spec["lr"])
    plain = trajectory(case.make(make, params=zeros, **off), case.gradients)
    scaled = trajectory(case.make(make, params=zeros, **off, lr=8 * lr), case.gradients)
    for i, start in enumerate(zeros):
        least = float(np.finfo(start.dtype).tiny) * 2.0**30
        where = np.all([(h[i] == 0) | (np.abs(h[i]) > least) for h in plain], axis=0)
        where &= np.all([ordinary(g[i]) for g in case.gradients if g[i] is not None], axis=0)
        same_values(8 * plain[-1][i], scaled[-1][i], f"parameter {i} at 8 lr", where)


@register(
    "P18", "Every backend gives the same bits as the reference backend, state included, or what the bound allows."
)
def backends_agree(make: Maker, case: Case) -> None:
    if case.reference is None:
        raise NotApplicable("there is no other implementation to compare with; pass reference=")
    if not case.reference_exact:
        if not case.spec.name:
            raise NotApplicable("without a formula there is no bound; pass spec=, or reference_exact=True")
        for each in (case.reference, make):  # two results are as far apart as the bound allows if both keep to it
            formula_ratio(each, case, ORDINARY)
        return
    subject, other = case.make(make), case.make(case.reference)
    shows = shows_state(subject) and shows_state(other)
    for t, grads in enumerate(case.gradients, start=1):
        subject.step(copy_gradients(grads))
        other.step(copy_gradients(grads))
        for i, (a, b) in enumerate(zip(other.params, subject.params, strict=True)):
            same_bits(a, b, f"parameter {i} after step {t}")
            expected, actual = (state_of(each, i) if shows else {} for each in (other, subject))
            same_values(set(expected) == set(actual), True, "the names of the states")
            for key in expected:
                same_bits(expected[key], actual[key], f"{key} of parameter {i} after step {t}")
