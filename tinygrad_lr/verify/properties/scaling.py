"""P19 to P25: how a step scales with its gradients, and how large it can be.

The bounds are those that hold: with betas (0.9, 0.999) Adam's step reaches 7.27 lr, not the 3.16 lr often quoted; P21
is Cauchy-Schwarz and is attained. Next: identities.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..bounds.enclosure import correction_error, one_minus_power
from ..protocol import (
    Broken,
    Case,
    Maker,
    NotApplicable,
    accepted_settings,
    copy_gradients,
    gamma,
    ordinary,
    register,
    same_values,
    trajectory,
    unit_roundoff,
)
from ..specification import Specification
from ..states import states_under_their_names

ADAMS = ("adam", "adamw")
ADAPTIVE = ("adagrad", "rmsprop", *ADAMS)
SIGNS = ("lion", "signsgd")
SCALE_FREE = (*ADAPTIVE, "adamax", "nadam", "adan", "yogi", "adabelief", "lamb", *SIGNS)
SQUARED = (*ADAPTIVE, "adadelta", "adamax", "nadam", "radam", "adan", "yogi", "adabelief", "lamb")
# what is switched off where a closed form or a bound is for the plain rule
PLAIN = ("weight_decay", "maximize", "momentum", "nesterov", "centered", "lr_decay", "initial_accumulator_value")


def complete(case: Case, i: int) -> list[np.ndarray]:
    """The gradients of one parameter, for the steps at which there is one."""
    return [g for g in (grads[i] for grads in case.gradients) if g is not None]


def _scaled(case: Case, factor: float) -> list[list[Any]]:
    return [[None if g is None else g * g.dtype.type(factor) for g in grads] for grads in case.gradients]


@register(
    "P19",
    "Without decay, 2^k times every gradient gives 2^k times the displacement, bit for bit.",
    only=("sgd",),
    rounds=True,
)
def homogeneous(make: Maker, case: Case) -> None:
    zeros, off = [np.zeros_like(p) for p in case.params], case.neutral("weight_decay")
    plain = trajectory(case.make(make, params=zeros, **off), case.gradients)
    scaled = trajectory(case.make(make, params=zeros, **off), _scaled(case, 16.0))
    for i, start in enumerate(zeros):
        least = float(np.finfo(start.dtype).tiny) * 2.0**30
        where = np.all([(h[i] == 0) | (np.abs(h[i]) > least) for h in plain], axis=0)
        where &= np.all([ordinary(g) for g in complete(case, i)], axis=0)
        same_values(16 * plain[-1][i], scaled[-1][i], f"parameter {i} with 16 g", where)


@register(
    "P20",
    "(g, eps) -> (c g, c eps), or c^2 eps where eps is inside the root, leaves the displacement as it is, bit for bit.",
    only=SCALE_FREE,
    rounds=True,
)
def scale_free(make: Maker, case: Case) -> None:
    factor = 4.0
    zeros, off = [np.zeros_like(p) for p in case.params], case.neutral("weight_decay")
    placement = case.spec["eps_placement"] if "eps_placement" in case.spec.all_names else "outside"
    placement = "outside" if case.spec.name == "adamax" else placement  # whose "inside" is that of a maximum of |g|
    factors = {
        "eps": factor * factor if placement == "inside" else factor,
        "eps_root": factor * factor,
        "initial_accumulator_value": factor * factor,
    }
    more = {name: case.spec[name] * scale for name, scale in factors.items() if name in case.spec.all_names}
    plain = trajectory(case.make(make, params=zeros, **off), case.gradients)[-1]
    scaled = trajectory(case.make(make, params=zeros, **{**off, **more}), _scaled(case, factor))[-1]
    for i, (a, b) in enumerate(zip(plain, scaled, strict=True)):
        where = np.all([ordinary(g) for g in complete(case, i)], axis=0)
        where &= np.abs(a) > np.finfo(a.dtype).tiny * 2.0**30
        same_values(a, b, f"parameter {i} with (c g, {'c^2' if placement == 'inside' else 'c'} eps)", where)


def _bounded(make: Maker, case: Case, limit: Callable[[int], float], **settings: Any) -> None:
    """Each displacement is at most limit(t), plus what rounding can add."""
    zeros = [np.zeros_like(p) for p in case.params]
    for i, start in enumerate(zeros):
        gradients = complete(case, i)
        if not gradients:
            continue
        history = trajectory(case.make(make, params=[start], **settings), [[g] for g in gradients])
        dtype = start.dtype
        where = np.all([ordinary(g) for g in gradients], axis=0)
        for t in range(1, len(history)):
            before, after = history[t - 1][0].astype(float), history[t][0].astype(float)
            bound = limit(t) * (1 + gamma(3 * t + 20, dtype)) + 1.01 * unit_roundoff(dtype) * np.abs(after)
            size = np.abs(after - before)
            wrong = (size > bound) & where
            if wrong.any():
                first = int(np.argmax(wrong))
                what = f"|displacement| of parameter {i}, element {first}, step {t}"
                ratio = float((size / bound).flat[first])
                raise Broken(what, f"at most {bound.flat[first]!r}", size.flat[first], ratio)


def beta2_is_zero(spec: Specification) -> str:
    """The bound divides by beta2, which must not be 0."""
    return "" if spec["betas"][1] else "the bound divides by beta2, which is 0"


@register(
    "P21",
    "Adam: |D| <= lr (1-b1)/(1-b1^t) sqrt((1-b2^t)/(1-b2)) sqrt(sum_{j<t} (b1^2/b2)^j) (Cauchy-Schwarz).",
    only=ADAMS,
    unless=beta2_is_zero,
)
def adam_bound(make: Maker, case: Case) -> None:
    spec = case.spec
    lr, (b1, b2) = float(spec["lr"]), spec["betas"]
    uncorrected = bool(spec["amsgrad"]) and spec["amsgrad_form"] == "paper"

    def limit(t: int) -> float:
        corrections = 1.0
        if not uncorrected:  # and what the host may lose in them
            corrections = np.sqrt(one_minus_power(b2, t)) / one_minus_power(b1, t)
            corrections *= 1 + 1.01 * (
                correction_error(b1, t, spec.scalars) + correction_error(b2, t, spec.scalars) / 2
            )
        return lr * (1 - b1) / np.sqrt(1 - b2) * corrections * np.sqrt(sum((b1 * b1 / b2) ** j for j in range(t)))

    # AMSGrad's largest v, corrected or not, is at least this step's, so the bound holds for every form of it
    _bounded(make, case, limit, weight_decay=0.0)


@register(
    "P22",
    "RMSprop without momentum, uncentred: |D| <= lr/sqrt(1-alpha). AdaGrad, Lion, signSGD: |D| <= lr. "
    "Rprop: at most the largest step size.",
    only=("rmsprop", "adagrad", *SIGNS, "rprop"),
)
def adaptive_bound(make: Maker, case: Case) -> None:
    lr, off = float(case.spec["lr"]), case.neutral(*PLAIN)
    if case.spec.name == "rmsprop":
        _bounded(make, case, lambda t: lr / np.sqrt(1 - case.spec["alpha"]), **off)
    elif case.spec.name == "rprop":
        _bounded(make, case, lambda t: max(lr, case.spec["step_sizes"][1]), **off)
    else:
        _bounded(make, case, lambda t: lr, **off)


@register("P23", "Adamax: |D| <= lr (1-b1)/(1-b1^t) sum_{j<t} (b1/b2)^j.", only=("adamax",), unless=beta2_is_zero)
def adamax_bound(make: Maker, case: Case) -> None:
    lr, (b1, b2) = float(case.spec["lr"]), case.spec["betas"]

    def limit(t: int) -> float:
        correction = (1 + 1.01 * correction_error(b1, t, case.spec.scalars)) / one_minus_power(b1, t)
        return lr * (1 - b1) * correction * sum((b1 / b2) ** j for j in range(t))

    _bounded(make, case, limit, **case.neutral(*PLAIN))


@register(
    "P24",
    "AdaGrad's sum and AMSGrad's maximum never fall, second moments stay nonnegative, centred variances give no NaN.",
    only=SQUARED,
)
def monotone(make: Maker, case: Case) -> None:
    if "centered" in case.spec.all_names and case.spec["centered"]:
        _centred_variance(make, case)
    subject = case.make(make)
    nonnegative = {"sum", "square_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "exp_avg_var", "acc_delta"}
    known: set[str] = set()
    for t, grads in enumerate(case.gradients, start=1):
        before = states_under_their_names(make, case, subject, case.params)
        subject.step(copy_gradients(grads))
        afterwards = states_under_their_names(make, case, subject, case.params)
        for i, (param, after) in enumerate(zip(subject.params, afterwards, strict=True)):
            where = np.all([ordinary(g) for g in complete(case, i)] or [np.ones(param.shape, bool)], axis=0)
            known |= nonnegative & set(after)
            for key in nonnegative & set(after):
                if np.any(after[key] < 0):
                    raise Broken(f"{key} of parameter {i} after step {t}", "no negative number", np.min(after[key]))
                if key in ("sum", "max_exp_avg_sq") and key in before[i] and np.any(after[key] < before[i][key]):
                    raise Broken(f"{key} of parameter {i} after step {t}", f"at least {before[i][key]}", after[key])
            if {"exp_avg_sq", "max_exp_avg_sq"} <= set(after) and case.spec["amsgrad_form"] != "optax":
                largest, now = after["max_exp_avg_sq"], after["exp_avg_sq"]
                if np.any(largest < now):
                    raise Broken(f"max_exp_avg_sq of parameter {i}", f"at least {now}", largest)
            if np.any(np.isnan(param) & where) and float(case.spec["eps"]) > 0:
                raise Broken(f"parameter {i} after step {t}", "a number", param)
    if not known:
        shown = sorted(
            {key for state in states_under_their_names(make, case, subject, case.params) for key in state}, key=str
        )
        raise NotApplicable(f"get_state() shows no {' or '.join(sorted(nonnegative))}; it shows {shown}")


def _centred_variance(make: Maker, case: Case) -> None:
    """A constant gradient, until s - a^2 is zero up to rounding: clamped or not, its root must be a number."""
    g = np.linspace(0.3, 0.9, 50, dtype=case.params[0].dtype)
    off = case.neutral("weight_decay", "momentum", "maximize")
    settings = {**off, "alpha": 0.9}
    subject = case.make(make, params=[np.zeros_like(g)], **settings)
    for t in range(1, 201):
        subject.step([g.copy()])
        theta = subject.params[0]
        if np.isnan(theta).any():
            at = int(np.argmax(np.isnan(theta)))
            accepted = accepted_settings(make, {**case.spec.hyperparameters, **settings})
            example = {
                "hyperparameters": accepted,
                "dtypes": [str(g.dtype)],
                "params": [[0.0]],
                "gradients": f"[[[{float(g[at])!r}]]] * {t}",
            }
            what = f"theta after step {t} of a constant gradient {float(g[at])!r}, alpha = 0.9"
            raise Broken(what, "a number", theta[at], example=example)


@register("P25", "AdaGrad: sum_t |D_t g_t| / lr <= 2 sqrt(sum_t g_t^2).", only=("adagrad",))
def adagrad_regret(make: Maker, case: Case) -> None:
    lr, off = float(case.spec["lr"]), case.neutral(*PLAIN)
    for i, param in enumerate(case.params):
        gradients = complete(case, i)
        if not gradients:
            continue
        start = np.zeros_like(param)
        history = [
            h[0].astype(float) for h in trajectory(case.make(make, params=[start], **off), [[g] for g in gradients])
        ]
        total, squares, slack = np.zeros(param.shape), np.zeros(param.shape), np.zeros(param.shape)
        for before, after, g in zip(history, history[1:], gradients, strict=False):
            g = np.abs(g.astype(float))
            total = total + np.abs(after - before) * g
            slack = slack + 1.01 * unit_roundoff(param.dtype) * np.abs(after) * g
            squares = squares + g * g
        bound = 2 * lr * np.sqrt(squares) * (1 + gamma(len(gradients) + 20, param.dtype)) + slack
        wrong = (total > bound) & np.all([ordinary(g) for g in gradients], axis=0)
        if wrong.any():
            first = int(np.argmax(wrong))
            raise Broken(f"sum |D g| of parameter {i}", f"at most {bound.flat[first]}", total.flat[first])
