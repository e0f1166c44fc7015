"""P27 to P34: closed forms that a right update rule satisfies: first steps, constant gradients, sums, decay.

Bounds are gamma_k times magnitudes, with k counted from the operations on the way (numbers are positive or added in
magnitude, so relative errors add up), plus half a unit of theta for each step that rounds it. Elements whose squares
underflow or overflow are left to P1. Next: adapters.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .check import (
    Case,
    Maker,
    NotApplicable,
    follow,
    gamma,
    given,
    holds,
    ordinary,
    same_bits,
    same_values,
    state_of,
    unit_roundoff,
    within,
)
from .scaling import ADAMS, ADAPTIVE, PLAIN, SIGNS, complete
from .specification import Specification


def _root(square: Any, eps: float, placement: str) -> Any:
    return np.sqrt(square + eps) if placement == "inside" else np.sqrt(square) + eps


def _eps(spec: Specification) -> float:
    return float(spec["eps"]) if "eps" in spec.all_names and spec.name != "radam" else 0.0


def _placement(spec: Specification) -> str:
    """Where epsilon stands; Adamax's "inside" is that of a maximum of |g|, which is outside a root."""
    return spec["eps_placement"] if "eps_placement" in spec.all_names and spec.name != "adamax" else "outside"


def _displacements(make: Maker, case: Case, i: int, gradients: list[np.ndarray], **settings: Any) -> list[np.ndarray]:
    """theta_t from theta_0 = 0, in float64, for one parameter alone."""
    subject = case.make(make, params=[np.zeros_like(case.params[i])], **settings)
    return [h[0].astype(float) for h in follow(subject, [[g] for g in gradients])]


@holds(
    "P27",
    "The first step has its closed form: Adam, AdaGrad, Adamax, Adan, LAMB -lr g/(|g| + eps), RMSprop "
    "-lr g/(sqrt(1-alpha) |g| + eps), Rprop, Lion, signSGD -lr sign(g), RAdam and averaged descent -lr g.",
    only=(*ADAPTIVE, "adamax", "adan", "lamb", "rprop", *SIGNS, "radam", "asgd"),
)
def first_step(make: Maker, case: Case) -> None:
    spec, off = case.spec, case.known("weight_decay", "maximize", "momentum", "centered", "initial_accumulator_value")
    lr, eps, placement = float(spec["lr"]), _eps(spec), _placement(spec)
    if spec.name == "rprop" and not spec["step_sizes"][0] <= lr <= spec["step_sizes"][1]:
        raise NotApplicable("lr lies outside the step sizes that are allowed")
    for i in range(len(case.params)):
        for g in complete(case, i)[:2]:
            square, numerator, epsilon = g.astype(float) ** 2, g.astype(float), eps
            if spec.name in ("radam", "asgd"):
                square = np.ones(g.shape)
            elif spec.name == "adan":
                square = square + float(spec["eps_root"])
            if spec.name == "rmsprop":
                square = (1 - spec["alpha"]) * square
            elif spec.name in ADAMS:
                b1, b2 = spec["betas"]
                if spec["amsgrad"] and spec["amsgrad_form"] == "paper":
                    square, numerator = (1 - b2) * square, (1 - b1) * numerator
                elif placement == "hat":
                    epsilon = eps / np.sqrt(1 - b2)
            with np.errstate(all="ignore"):
                expected = -lr * numerator / _root(square, epsilon, "inside" if placement == "inside" else "outside")
            actual = _displacements(make, case, i, [g], **off)[-1]
            bound = gamma(24, g.dtype) * np.abs(expected)
            within(expected, actual, bound, f"the first step of parameter {i}", ordinary(g) & (g != 0))


@holds(
    "P28",
    "A constant gradient: the steps of Adam, Adamax, Adan, Lion and signSGD never change; AdaGrad gives "
    "-lr g/(sqrt(t) |g| + eps), RMSprop sqrt(1-alpha^t).",
    only=(*ADAPTIVE, "adamax", "adan", *SIGNS),
)
def constant_gradient(make: Maker, case: Case) -> None:
    spec, off = case.spec, case.known(*PLAIN)
    if spec.name in ADAMS and (spec["eps_placement"] == "hat" or (spec["amsgrad"] and spec["amsgrad_form"] == "paper")):
        raise NotApplicable("without full bias correction Adam's step for a constant gradient changes with t")
    lr, eps, placement = float(spec["lr"]), _eps(spec), _placement(spec)
    for i in range(len(case.params)):
        for g in complete(case, i)[:1]:
            theta, g64 = _displacements(make, case, i, [g] * 8, **off), g.astype(float)
            for t in range(1, len(theta)):
                if spec.name == "rmsprop":
                    square = (1 - spec["alpha"] ** t) * g64**2
                else:
                    square = (t if spec.name == "adagrad" else 1) * g64**2
                if spec.name == "adan":
                    square = square + float(spec["eps_root"])
                with np.errstate(all="ignore"):
                    expected = -lr * g64 / _root(square, eps, placement)
                # each step adds at most 6 roundings to a moment, and rounds theta once
                bound = gamma(6 * t + 24, g.dtype) * np.abs(expected) + 1.01 * unit_roundoff(g.dtype) * np.abs(theta[t])
                within(expected, theta[t] - theta[t - 1], bound, f"step {t}, parameter {i}", ordinary(g) & (g != 0))


@holds("P29", "Momentum is sum mu^(t-i) g_i and a moving average is (1-b) sum b^(t-i) g_i, as the state shows them.")
def memory(make: Maker, case: Case) -> None:
    spec = case.spec
    weights: dict[str, tuple[float, float, int]] = {}  # state: decay, weight of the new term, power of the gradient
    if spec.name in (*ADAMS, "nadam", "radam", "lamb", "adamax", "yogi", "adabelief"):
        if spec.name == "nadam" and spec["mu_form"] == "paper":
            raise NotApplicable("the paper's average has weights that change with the step")
        b1, b2 = spec["betas"]
        weights = {"exp_avg": (b1, 1 - b1, 1), "exp_avg_sq": (b2, 1 - b2, 2)}
        if spec.name == "yogi":
            del weights["exp_avg_sq"]
    elif spec.name == "lion":
        weights = {"exp_avg": (spec["betas"][1], 1 - spec["betas"][1], 1)}
    elif spec.name == "signsgd" and spec["momentum"]:
        weights = {"exp_avg": (spec["momentum"], 1 - spec["momentum"], 1)}
    elif spec.name == "adadelta":
        weights = {"square_avg": (spec["rho"], 1 - spec["rho"], 2)}
    elif spec.name != "sgd" and spec.name not in ADAPTIVE:
        raise NotApplicable(f"the memory of {spec.name} is no sum with constant weights")
    elif spec.name == "rmsprop":
        alpha = spec["alpha"]
        weights = {"square_avg": (alpha, 1 - alpha, 2), "grad_avg": (alpha, 1 - alpha, 1)}
    elif spec.name == "adagrad":
        weights = {"sum": (1.0, 1.0, 2)}
    elif spec["momentum"]:
        scale = float(spec["lr"]) if spec["lr_placement"] == "inside" else 1.0
        weights = {"momentum_buffer": (spec["momentum"], scale * (1 - spec["dampening"]), 1)}
    else:
        raise NotApplicable("without momentum there is no state")
    for i, param in enumerate(case.params):
        gradients = complete(case, i)
        subject = case.make(make, params=[param], **case.known("weight_decay", "maximize"))
        zero = np.zeros(param.shape)
        expected, size = {key: zero for key in weights}, {key: zero for key in weights}
        if "sum" in weights:
            expected["sum"] = size["sum"] = zero + float(spec["initial_accumulator_value"])
        for t, g in enumerate(gradients, start=1):
            subject.step(given([g]))
            state, g64 = state_of(subject, 0), g.astype(float)
            if not set(weights) & set(state):
                raise NotApplicable(f"get_state() shows none of {', '.join(weights)}; it shows {sorted(state)}")
            for key, (decay, weight, power) in weights.items():
                if key not in state:
                    continue
                if spec.name == "sgd" and t == 1 and not spec["dampen_first_step"]:
                    weight = weight / (1 - spec["dampening"]) if spec["dampening"] != 1 else np.nan
                expected[key] = decay * expected[key] + weight * g64**power
                size[key] = decay * size[key] + np.abs(weight * g64**power)
                where = np.all([ordinary(h) for h in gradients[:t]], axis=0)
                bound = gamma(4 * t + 8, g.dtype) * size[key]
                within(expected[key], state[key], bound, f"{key} of parameter {i} after step {t}", where)


@holds("P30", "Degenerate settings give the simpler rule: no memory, eps = 0: -lr sign(g); no decay: AdamW is Adam.")
def degenerate(make: Maker, case: Case) -> None:
    spec, off = case.spec, case.known(*PLAIN)
    lr = float(spec["lr"])
    forgetful: dict[str, Any] = {"eps": 0.0, "betas": (0.0, 0.0), "alpha": 0.0, "amsgrad": False}
    forgetful = {key: value for key, value in forgetful.items() if key in spec.all_names}
    if "decoupled_weight_decay" in spec.all_names:
        a, b = (case.make(make, weight_decay=0.0, decoupled_weight_decay=flag) for flag in (True, False))
        for i, (x, y) in enumerate(zip(follow(a, case.gradients)[-1], follow(b, case.gradients)[-1], strict=True)):
            same_bits(x, y, f"parameter {i} without decay, decoupled or not")
    elif spec.name not in ("sgd", *ADAPTIVE):
        raise NotApplicable(f"{spec.name} has no simpler rule that is checked here")
    if spec.name not in ("sgd", *ADAPTIVE):
        return
    for i in range(len(case.params)):
        gradients = complete(case, i)[: 1 if spec.name == "adagrad" else 4]
        theta = _displacements(make, case, i, gradients, **{**off, **forgetful})
        for t, g in enumerate(gradients, start=1):
            expected = -lr * (g.astype(float) if spec.name == "sgd" else np.sign(g))
            bound = gamma(16, g.dtype) * np.abs(expected) + 1.01 * unit_roundoff(g.dtype) * np.abs(theta[t])
            where = np.all([ordinary(h) & (h != 0) for h in gradients[:t]], axis=0)  # 0/0 would stay
            within(expected, theta[t] - theta[t - 1], bound, f"step {t} of parameter {i}", where)


@holds("P31", "Coupled decay is the gradient g + weight_decay theta and nothing else, bit for bit.")
def coupled_decay(make: Maker, case: Case) -> None:
    if "weight_decay" not in case.spec.all_names:
        raise NotApplicable("there is no weight decay")
    decay, off = 0.25, case.known("decoupled_weight_decay", "maximize")
    coupled = case.make(make, **{**off, "weight_decay": decay})
    by_hand = case.make(make, **{**off, "weight_decay": 0.0})
    for t, grads in enumerate(case.gradients, start=1):
        added = [
            None if g is None else np.asarray(g + theta * theta.dtype.type(decay))
            for g, theta in zip(grads, by_hand.params, strict=True)
        ]
        coupled.step(given(grads))
        by_hand.step(added)
        for i, (a, b) in enumerate(zip(by_hand.params, coupled.params, strict=True)):
            same_values(a, b, f"parameter {i} after step {t} with coupled decay")


@holds("P32", "Decoupled decay: with g = 0 theta shrinks by 1 - lr weight_decay a step; moments do not see the decay.")
def decoupled_decay(make: Maker, case: Case) -> None:
    if "decoupled_weight_decay" not in case.spec.all_names:
        raise NotApplicable("there is no decoupled decay")
    lr, decay, steps = 0.1, 0.25, 5
    settings: dict[str, Any] = {"lr": lr, "weight_decay": decay, "decoupled_weight_decay": True}
    zeros: list[list[Any]] = [[np.zeros_like(p) for p in case.params]] * steps
    for t, thetas in enumerate(follow(case.make(make, **settings), zeros)):
        for i, (start, theta) in enumerate(zip(case.params, thetas, strict=True)):
            expected = start.astype(float) * (1 - lr * decay) ** t
            least = float(np.finfo(start.dtype).smallest_subnormal)
            bound = gamma(3 * t + 1, start.dtype) * np.abs(expected) + t * least
            within(expected, theta, bound, f"parameter {i} after {t} steps of decay alone")
    decayed, plain = case.make(make, **settings), case.make(make, **{**settings, "weight_decay": 0.0})
    for t, grads in enumerate(case.gradients, start=1):
        before = [p.astype(float) for p in plain.params], [p.astype(float) for p in decayed.params]
        plain.step(given(grads))
        decayed.step(given(grads))
        for i in range(len(case.params)):
            if grads[i] is None:
                continue
            expected_state, actual_state = state_of(plain, i), state_of(decayed, i)
            for key in expected_state:
                same_bits(expected_state[key], actual_state[key], f"{key} of parameter {i} with decoupled decay")
            step = plain.params[i] - before[0][i]
            expected, actual = before[1][i] * (1 - lr * decay) + step, decayed.params[i].astype(float)
            sizes = np.abs(before[0][i]) + np.abs(plain.params[i]) + 3 * np.abs(before[1][i]) + np.abs(actual)
            where = np.isfinite(expected)
            own = 2.0**-53 * (4 * np.abs(before[1][i]) + np.abs(step) + np.abs(expected))  # of this check's arithmetic
            bound = 1.01 * unit_roundoff(case.params[i].dtype) * sizes + own + 1e-44
            within(expected, actual, bound, f"parameter {i} after step {t} with decoupled decay", where)


@holds("P34", "Gradient descent on a quadratic: theta_t - theta* = (1 - lr a)^t (theta_0 - theta*).", only=("sgd",))
def quadratic(make: Maker, case: Case) -> None:
    lr, curvature, least = float(case.spec["lr"]), 0.5, 0.75
    subject = case.make(make, **case.known("weight_decay", "momentum", "nesterov", "maximize"))
    errors = [np.zeros(p.shape) for p in case.params]
    rate = abs(1 - lr * curvature)
    for t in range(1, 11):
        thetas = [p.copy() for p in subject.params]
        grads = [np.asarray(p.dtype.type(curvature) * (p - p.dtype.type(least))) for p in thetas]
        subject.step(grads)
        for i, start in enumerate(case.params):
            # a step's own error: theta - least, its product with lr (cast), and the subtraction are rounded
            size = np.abs(thetas[i].astype(float)) + 3 * lr * curvature * (np.abs(thetas[i].astype(float)) + least)
            errors[i] = rate * errors[i] + gamma(3, start.dtype) * size
            far = (1 - lr * curvature) ** t * (start.astype(float) - least)
            own = 2.0**-53 * ((t + 4) * np.abs(far) + 2 * least)  # of the closed form itself
            within(least + far, subject.params[i], errors[i] + own, f"step {t}")
