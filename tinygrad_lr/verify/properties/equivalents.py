"""P30 and P33.average: where one rule must be another, and k micro-gradients one step.

Next: registry.py, the table of all properties.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..bounds.enclosure import correction_error, one_minus_power
from ..formulas import FAMILIES
from ..protocol import (
    Case,
    Maker,
    NotApplicable,
    copy_gradients,
    gamma,
    ordinary,
    register,
    require_method,
    same_bits,
    same_values,
    state_of,
    trajectory,
    unit_roundoff,
    within,
)
from .identities import displacements, root
from .scaling import ADAMS, ADAPTIVE, PLAIN, complete


def _without_decay(make: Maker, case: Case) -> None:
    """No decay is no decay, coupled or not (AdamW is Adam)."""
    a, b = (case.make(make, weight_decay=0.0, decoupled_weight_decay=flag) for flag in (True, False))
    for i, (x, y) in enumerate(zip(trajectory(a, case.gradients)[-1], trajectory(b, case.gradients)[-1], strict=True)):
        same_bits(x, y, f"parameter {i} without decay, decoupled or not")


def _without_memory(make: Maker, case: Case) -> None:
    """SGD is -lr g; what divides by a root is -lr sign(g) without memory and epsilon."""
    spec, forgetful = case.spec, {"eps": 0.0, "betas": (0.0, 0.0), "alpha": 0.0, "amsgrad": False}
    settings = {**case.neutral(*PLAIN), **{key: value for key, value in forgetful.items() if key in spec.all_names}}
    for i in range(len(case.params)):
        gradients = complete(case, i)[: 1 if spec.name == "adagrad" else 4]
        steps = [-float(spec["lr"]) * (g.astype(float) if spec.name == "sgd" else np.sign(g)) for g in gradients]
        errors = [
            (gamma(16, g.dtype) + forgotten) * np.abs(step)
            for g, step, forgotten in zip(gradients, steps, _forgetting(gradients), strict=True)
        ]
        _steps_are(make, case, i, gradients, steps, errors, settings)


def _first_moment_off(make: Maker, case: Case) -> None:
    """Adam with beta1 = 0 is RMSprop with its mean of squares corrected: -lr g / (sqrt(v^) + eps)."""
    spec = case.spec
    if spec["amsgrad"]:
        raise NotApplicable("AMSGrad divides by the largest mean of squares")
    lr, b2, eps, placement = float(spec["lr"]), float(spec["betas"][1]), float(spec["eps"]), spec["eps_placement"]
    for i, param in enumerate(case.params):
        square, gradients, steps, errors = np.zeros(param.shape), complete(case, i), [], []
        for t, g in enumerate(gradients, start=1):
            square = b2 * square + (1 - b2) * g.astype(float) ** 2
            correction = one_minus_power(b2, t)
            if placement == "hat":
                quotient = np.sqrt(correction) / root(square, eps, "outside")
            else:
                quotient = 1 / root(square / correction, eps, placement)
            steps.append(-lr * g.astype(float) * quotient)
            errors.append((gamma(4 * t + 24, g.dtype) + correction_error(b2, t, spec.scalars)) * np.abs(steps[-1]))
        errors = [
            error + forgotten * np.abs(step)
            for error, step, forgotten in zip(errors, steps, _forgetting(gradients), strict=True)
        ]
        _steps_are(make, case, i, gradients, steps, errors, {**case.neutral(*PLAIN), "betas": (0.0, b2)})


def _never_rectified(make: Maker, case: Case) -> None:
    """RAdam below its threshold is momentum, corrected: with beta2 = 0.5 rho never passes 3."""
    lr, b1 = float(case.spec["lr"]), float(case.spec["betas"][0])
    for i, param in enumerate(case.params):
        m, size, gradients, steps, errors = np.zeros(param.shape), np.zeros(param.shape), complete(case, i), [], []
        for t, g in enumerate(gradients, start=1):
            m, size = b1 * m + (1 - b1) * g.astype(float), b1 * size + (1 - b1) * np.abs(g.astype(float))
            steps.append(-lr * m / one_minus_power(b1, t))
            relative = gamma(4 * t + 16, g.dtype) + correction_error(b1, t, case.spec.scalars)
            errors.append(lr * size / one_minus_power(b1, t) * relative)
        _steps_are(make, case, i, gradients, steps, errors, {**case.neutral(*PLAIN), "betas": (b1, 0.5)})


def _trust_is_one(make: Maker, case: Case) -> None:
    """LAMB whose theta is as long as Adam's step is Adam: the ratio of the two is 1."""
    spec, lr, (b1, b2) = case.spec, float(case.spec["lr"]), case.spec["betas"]
    if not spec["bias_correction"] or spec["size_limit"]:
        raise NotApplicable("it corrects nothing, or limits the norm of theta, which Adam does not")
    for i, param in enumerate(case.params):
        first = next((g for g in complete(case, i) if g.size and np.all(ordinary(g) & (g != 0))), None)
        if first is None:
            continue
        gradients = [np.asarray(scale * first, first.dtype) for scale in (1.0, 2.0, 0.5)]  # nothing cancels
        m, v = np.zeros(param.shape), np.zeros(param.shape)
        for t, g in enumerate(gradients, start=1):
            m, v = b1 * m + (1 - b1) * g.astype(float), b2 * v + (1 - b2) * g.astype(float) ** 2
            step = m / one_minus_power(b1, t) / (np.sqrt(v / one_minus_power(b2, t)) + float(spec["eps"]))
            start = np.full(param.shape, np.linalg.norm(step) / np.sqrt(param.size)).astype(param.dtype)
            subject = case.make(make, params=[start], **case.neutral(*PLAIN))
            if t > 1:  # the moments move, and theta does not
                require_method(subject, "set_hyperparameters")(lr=0.0)
                trajectory(subject, [[g] for g in gradients[: t - 1]])
                subject.set_hyperparameters(lr=lr)
            subject.step([g.copy()])
            # the step errs in itself, its norm as much and n + 2 roundings more, theta's norm as these; then 5 more
            own = (
                gamma(4 * t + 16, g.dtype)
                + correction_error(b1, t, spec.scalars)
                + correction_error(b2, t, spec.scalars) / 2
            )
            bound = lr * np.abs(step) * (2.02 * own + gamma(2 * (param.size + 2) + 6, g.dtype))
            bound = bound + 1.01 * unit_roundoff(g.dtype) * np.abs(subject.params[0])
            found = subject.params[0].astype(float) - start.astype(float)
            within(-lr * step, found, bound, f"step {t} of parameter {i}, whose theta is as long as the step")


def _forgetting(gradients: list[np.ndarray]) -> Iterator[Any]:
    """What a moment without memory may err by, relative to it, in the order m + (g - m): infinite where all is lost.

    With r the size of the last gradient over that of this one, m's difference and sum round numbers of up to 1 + r
    times m, and v's, under a root, of up to 1 + r^2 times v.
    """
    for before, g in zip([np.zeros_like(g) for g in gradients[:1]] + gradients, gradients, strict=False):
        with np.errstate(all="ignore"):
            r = np.abs(before.astype(float)) / np.abs(g.astype(float))
            error = gamma(3, g.dtype) * (1 + r + (1 + r * r))
        yield np.where(error < 0.5, error, np.inf)


def _steps_are(
    make: Maker,
    case: Case,
    i: int,
    gradients: list[np.ndarray],
    steps: list[Any],
    errors: list[Any],
    settings: dict[str, Any],
) -> None:
    """One parameter's steps from theta = 0 are the expected ones, each within its error, where squares are ordinary."""
    theta, where = displacements(make, case, i, gradients, **settings), np.ones(case.params[i].shape, bool)
    for t, (g, step, error) in enumerate(zip(gradients, steps, errors, strict=True), start=1):
        bound = error + 1.01 * unit_roundoff(g.dtype) * np.abs(theta[t])
        where = where & ordinary(g) & (g != 0) & np.isfinite(error)  # what is lost stays so
        within(step, theta[t] - theta[t - 1], bound, f"step {t} of parameter {i}", where)


_with_two_decays = [name for name, row in FAMILIES.items() if "decoupled_weight_decay" in row.defaults]
SIMPLER = {
    _without_decay: tuple(_with_two_decays),
    _without_memory: ("sgd", *ADAPTIVE),
    _first_moment_off: ADAMS,
    _never_rectified: ("radam",),
    _trust_is_one: ("lamb",),
}


@register(
    "P30",
    "Degenerate settings give the simpler rule: no decay: AdamW is Adam; no memory, eps = 0: -lr sign(g); beta1 = 0: "
    "Adam is RMSprop, corrected; RAdam below its threshold is momentum; LAMB at trust ratio 1 is Adam.",
    only=tuple(name for name in FAMILIES if any(name in names for names in SIMPLER.values())),
)
def degenerate(make: Maker, case: Case) -> None:
    reasons, checked = [], 0
    for simpler, names in SIMPLER.items():
        if case.spec.name in names:
            try:
                simpler(make, case)
                checked += 1
            except NotApplicable as reason:  # of one setting; the others are asked all the same
                reasons.append(str(reason))
    if not checked:
        raise NotApplicable("; ".join(reasons))


@register(
    "P33.average",
    "k micro-gradients are one step with their mean: until the k-th nothing moves, and steps count updates.",
)
def averaged(make: Maker, case: Case) -> None:
    gradients = [
        [np.zeros_like(p) if g is None else _coarse(g) for g, p in zip(grads, case.params, strict=True)]
        for grads in case.gradients
    ]
    if not all(ordinary(g).all() for grads in gradients for g in grads):
        raise NotApplicable("halves of subnormal numbers are rounded")
    plain, subject = case.make(make), case.make(make)
    require_method(subject, "accumulate_every")(2)
    for t, grads in enumerate(gradients, start=1):
        before = [p.copy() for p in subject.params]
        subject.step([np.asarray(g / 2) for g in grads])
        for i, (a, b) in enumerate(zip(before, subject.params, strict=True)):
            same_bits(a, b, f"parameter {i} after the first of two micro-gradients, update {t}")
        subject.step([np.asarray(g + g / 2) for g in grads])
        plain.step(copy_gradients(grads))
        for i, (a, b) in enumerate(zip(plain.params, subject.params, strict=True)):
            same_bits(a, b, f"parameter {i} after two micro-gradients, update {t}")
            if hasattr(subject, "get_state"):
                expected, actual = (int(state_of(each, i).get("step", 0)) for each in (plain, subject))
                same_values(expected, actual, f"the step count of parameter {i} after update {t}")


def _coarse(g: np.ndarray) -> np.ndarray:
    """The nearest numbers of eight bits: their halves, sums and means are exact."""
    digits, exponent = np.frexp(g)
    return np.asarray(np.ldexp(np.round(digits * 256) / 256, exponent), g.dtype)
