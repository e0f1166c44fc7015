"""P27, P28, P29, P31, P32 and P34: closed forms of first steps, constant gradients, moments and decay.

Bounds are gamma_k times magnitudes, with k counted from the operations on the way (numbers are positive or added in
magnitude, so relative errors add up), plus half a unit of theta for each step that rounds it, and what 1 - beta^t may
lose on the host (`correction_error`). Elements whose squares underflow or overflow are left to P1.range.
Next: equivalents.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..adapters.naive import naive
from ..bounds.enclosure import correction_error, one_minus_power
from ..formulas import SCHEDULE, shrinkage
from ..protocol import (
    Broken,
    Case,
    Maker,
    NotApplicable,
    copy_gradients,
    gamma,
    ordinary,
    register,
    same_bits,
    same_values,
    trajectory,
    unit_roundoff,
    within,
)
from ..specification import Specification
from ..states import states_under_their_names
from .one_step import ORDINARY, formula_ratio
from .scaling import ADAMS, ADAPTIVE, PLAIN, SIGNS, complete


def root(square: Any, eps: float, placement: str) -> Any:
    """The denominator for an epsilon placement."""
    return np.sqrt(square + eps) if placement == "inside" else np.sqrt(square) + eps


def eps_of(spec: Specification) -> float:
    """Epsilon, where the rule divides by a root plus epsilon from the first step on."""
    return float(spec["eps"]) if "eps" in spec.all_names and spec.name != "radam" else 0.0


def _placement(spec: Specification) -> str:
    """Where epsilon stands; Adamax's "inside" is that of a maximum of |g|, which is outside a root."""
    return spec["eps_placement"] if "eps_placement" in spec.all_names and spec.name != "adamax" else "outside"


def displacements(make: Maker, case: Case, i: int, gradients: list[np.ndarray], **settings: Any) -> list[np.ndarray]:
    """theta_t from theta_0 = 0, in float64, for one parameter alone."""
    subject = case.make(make, params=[np.zeros_like(case.params[i])], **settings)
    return [h[0].astype(float) for h in trajectory(subject, [[g] for g in gradients])]


def rate_out_of_reach(spec: Specification) -> str:
    """Rprop needs a rate that is a step size that it allows."""
    if spec.name == "rprop" and not spec["step_sizes"][0] <= spec["lr"] <= spec["step_sizes"][1]:
        return "lr lies outside the step sizes that are allowed"
    return ""


@register(
    "P27",
    "The first step has its closed form: Adam, AdaGrad, Adamax, Adan, LAMB -lr g/(|g| + eps), RMSprop "
    "-lr g/(sqrt(1-alpha) |g| + eps), Rprop, Lion, signSGD -lr sign(g), RAdam and averaged descent -lr g.",
    only=(*ADAPTIVE, "adamax", "adan", "lamb", "rprop", *SIGNS, "radam", "asgd"),
    unless=rate_out_of_reach,
)
def first_step(make: Maker, case: Case) -> None:
    spec, off = case.spec, case.neutral("weight_decay", "maximize", "momentum", "centered", "initial_accumulator_value")
    lr, eps, placement = float(spec["lr"]), eps_of(spec), _placement(spec)
    for i in range(len(case.params)):
        for g in complete(case, i)[:2]:
            square, numerator, epsilon = g.astype(float) ** 2, g.astype(float), eps
            if spec.name in ("radam", "asgd"):
                square = np.ones(g.shape)
            elif spec.name == "adan":
                square = square + float(spec["eps_root"])
            if spec.name == "rmsprop":
                square = (1 - spec["alpha"]) * square
            elif spec.name == "lamb" and not spec["bias_correction"]:
                square, numerator = (1 - spec["betas"][1]) * square, (1 - spec["betas"][0]) * numerator
            elif spec.name in ADAMS:
                b1, b2 = spec["betas"]
                if spec["amsgrad"] and spec["amsgrad_form"] == "paper":
                    square, numerator = (1 - b2) * square, (1 - b1) * numerator
                elif placement == "hat":
                    epsilon = eps / np.sqrt(1 - b2)
            with np.errstate(all="ignore"):
                expected = -lr * numerator / root(square, epsilon, "inside" if placement == "inside" else "outside")
            actual = displacements(make, case, i, [g], **off)[-1]
            bound = (gamma(24, g.dtype) + _host_error(spec, 1)) * np.abs(expected)
            within(expected, actual, bound, f"the first step of parameter {i}", ordinary(g) & (g != 0))


def without_full_correction(spec: Specification) -> str:
    """Adam needs full bias correction: no epsilon hat, and not the paper's AMSGrad."""
    if spec.name in ADAMS and (spec["eps_placement"] == "hat" or (spec["amsgrad"] and spec["amsgrad_form"] == "paper")):
        return "without full bias correction Adam's step for a constant gradient changes with t"
    return ""


def _host_error(spec: Specification, t: int) -> float:
    """What 1 - beta1^t and the root of 1 - beta2^t may lose on the host, relative to them, where a step has both."""
    if spec.name == "adamax" or (spec.name == "adan" and spec["bias_correction"]):
        return sum(correction_error(beta, t, spec.scalars) for beta in spec["betas"])
    if spec.name in (*ADAMS, "lamb"):
        first, second = (correction_error(beta, t, spec.scalars) for beta in spec["betas"])
        return first + second / 2
    return 0.0


@register(
    "P28",
    "A constant gradient: the steps of Adam, Adamax, Adan, Lion and signSGD never change; AdaGrad gives "
    "-lr g/(sqrt(t) |g| + eps), RMSprop sqrt(1-alpha^t).",
    only=(*ADAPTIVE, "adamax", "adan", *SIGNS),
    unless=without_full_correction,
)
def constant_gradient(make: Maker, case: Case) -> None:
    spec, off = case.spec, case.neutral(*PLAIN)
    lr, eps, placement = float(spec["lr"]), eps_of(spec), _placement(spec)
    for i in range(len(case.params)):
        for g in complete(case, i)[:1]:
            theta, g64 = displacements(make, case, i, [g] * 8, **off), g.astype(float)
            for t in range(1, len(theta)):
                if spec.name == "rmsprop":
                    square = one_minus_power(spec["alpha"], t) * g64**2
                else:
                    square = (t if spec.name == "adagrad" else 1) * g64**2
                if spec.name == "adan":
                    square = square + float(spec["eps_root"])
                with np.errstate(all="ignore"):
                    expected = -lr * g64 / root(square, eps, placement)
                # each step adds at most 6 roundings to a moment, and rounds theta once
                relative = gamma(6 * t + 24, g.dtype) + _host_error(spec, t)
                bound = relative * np.abs(expected) + 1.01 * unit_roundoff(g.dtype) * np.abs(theta[t])
                within(expected, theta[t] - theta[t - 1], bound, f"step {t}, parameter {i}", ordinary(g) & (g != 0))


Weights = dict[str, tuple[float, float, int]]  # state: decay, weight of the new term, power of the gradient


def _both_moments(spec: Specification) -> Weights:
    b1, b2 = spec["betas"]
    return {"exp_avg": (b1, 1 - b1, 1), "exp_avg_sq": (b2, 1 - b2, 2)}


def _average(key: str, name: str, power: int) -> Callable[[Specification], Weights]:
    return lambda spec: {key: (spec[name], 1 - spec[name], power)}


def _first(place: int) -> Callable[[Specification], Weights]:
    return lambda spec: {"exp_avg": (spec["betas"][place], 1 - spec["betas"][place], 1)}


def _of_rmsprop(spec: Specification) -> Weights:
    centred = _average("grad_avg", "alpha", 1)(spec) if spec["centered"] else {}
    return {**_average("square_avg", "alpha", 2)(spec), **centred}


def _of_sgd(spec: Specification) -> Weights:
    scale = float(spec["lr"]) if spec["lr_placement"] == "inside" else 1.0
    return {"momentum_buffer": (spec["momentum"], scale * (1 - spec["dampening"]), 1)}


MEMORY: dict[str, Callable[[Specification], Weights]] = {
    **dict.fromkeys((*ADAMS, "nadam", "radam", "lamb"), _both_moments),
    **dict.fromkeys(("adamax", "yogi", "adabelief"), _first(0)),
    "lion": _first(1),
    "signsgd": _average("exp_avg", "momentum", 1),
    "adadelta": _average("square_avg", "rho", 2),
    "rmsprop": _of_rmsprop,
    "adagrad": lambda spec: {"sum": (1.0, 1.0, 2)},
    "sgd": _of_sgd,
}


def without_constant_weights(spec: Specification) -> str:
    """SGD and signSGD need momentum; the paper's NAdam has weights that change with the step."""
    if spec.name in ("sgd", "signsgd") and not spec["momentum"]:
        return "without momentum there is no state"
    if spec.name == "nadam" and spec["mu_form"] == "paper":
        return "the paper's average has weights that change with the step"
    return ""


@register(
    "P29",
    "Momentum is sum mu^(t-i) g_i and a moving average is (1-b) sum b^(t-i) g_i, as the state shows them.",
    only=tuple(MEMORY),
    unless=without_constant_weights,
)
def memory(make: Maker, case: Case) -> None:
    weights, shown = MEMORY[case.spec.name](case.spec), False
    for i, param in enumerate(case.params):
        subject = case.make(make, params=[param], **case.neutral("weight_decay", "maximize"))
        start = np.full(param.shape, float(case.spec["initial_accumulator_value"]) if "sum" in weights else 0.0)
        expected, size = dict.fromkeys(weights, start), dict.fromkeys(weights, start)
        where = np.ones(param.shape, bool)
        for t, g in enumerate(complete(case, i), start=1):
            subject.step(copy_gradients([g]))
            state = states_under_their_names(make, case, subject, [param])[0]
            g64, where = g.astype(float), where & ordinary(g)
            for key, (decay, weight, power) in weights.items():
                if case.spec.name == "sgd" and t == 1 and not case.spec["dampen_first_step"]:
                    weight = float(case.spec["lr"]) if case.spec["lr_placement"] == "inside" else 1.0
                expected[key] = decay * expected[key] + weight * g64**power
                size[key] = decay * size[key] + np.abs(weight * g64**power)
                if key in state:
                    shown = True
                    bound = gamma(4 * t + 8, g.dtype) * size[key]
                    within(expected[key], state[key], bound, f"{key} of parameter {i} after step {t}", where)
            if not shown:
                names = sorted(state, key=str)
                raise NotApplicable(f"get_state() shows none of {', '.join(weights)}; it shows {names}")


@register(
    "P31",
    "Coupled decay is the gradient g + weight_decay theta and nothing else, bit for bit or within the derived bound.",
    needs=("weight_decay",),
)
def coupled_decay(make: Maker, case: Case) -> None:
    try:
        _decay_in_the_gradient(make, case)
    except Broken as difference:  # theta (1 - lr decay) - lr g rounds otherwise; the bound says how far that may go
        coupled = case.having(**case.neutral("decoupled_weight_decay", "maximize"), weight_decay=0.25)
        try:
            _decay_in_the_gradient(naive(case.spec), case)  # whether it stands there in the formula
            formula_ratio(make, coupled, ORDINARY)
        except Broken:
            raise difference from None


def _decay_in_the_gradient(make: Maker, case: Case) -> None:
    decay, off = 0.25, case.neutral("decoupled_weight_decay", "maximize")
    coupled = case.make(make, **{**off, "weight_decay": decay})
    by_hand = case.make(make, **{**off, "weight_decay": 0.0})
    for t, grads in enumerate(case.gradients, start=1):
        added = [
            None if g is None else np.asarray(g + theta * theta.dtype.type(decay))
            for g, theta in zip(grads, by_hand.params, strict=True)
        ]
        coupled.step(copy_gradients(grads))
        by_hand.step(added)
        for i, (a, b) in enumerate(zip(by_hand.params, coupled.params, strict=True)):
            same_values(a, b, f"parameter {i} after step {t} with coupled decay")


@register(
    "P32",
    "Decoupled decay: with g = 0 theta shrinks by 1 - lr weight_decay a step; moments do not see the decay.",
    needs=("weight_decay", "decoupled_weight_decay"),
)
def decoupled_decay(make: Maker, case: Case) -> str:
    decoupled = SCHEDULE if case.spec["decoupled_weight_decay"] == SCHEDULE else True
    settings: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.25, "decoupled_weight_decay": decoupled}
    kept = shrinkage(0.1, 0.25, decoupled)
    # where the formula is 0/0 at g = 0 (epsilon 0), decay alone cannot be seen
    zeros: list[list[Any]] = [[np.zeros_like(p) for p in case.params]] * (0 if case.spec.undefined_at_zero else 5)
    for t, thetas in enumerate(trajectory(case.make(make, **settings), zeros)):
        for i, (start, theta) in enumerate(zip(case.params, thetas, strict=True)):
            expected = start.astype(float) * kept**t
            least = float(np.finfo(start.dtype).smallest_subnormal)
            bound = gamma(3 * t + 1, start.dtype) * np.abs(expected) + t * least
            within(expected, theta, bound, f"parameter {i} after {t} steps of decay alone")
    states: list[list[dict[str, Any]]] = [[], []]
    decayed, plain = case.make(make, **settings), case.make(make, **{**settings, "weight_decay": 0.0})
    for t, grads in enumerate(case.gradients, start=1):
        before = [p.astype(float) for p in plain.params], [p.astype(float) for p in decayed.params]
        plain.step(copy_gradients(grads))
        decayed.step(copy_gradients(grads))
        states = [_shown(make, case, each) for each in (plain, decayed)]
        for i in range(len(case.params)):
            if grads[i] is None:
                continue
            for key in states[0][i]:
                same_bits(states[0][i][key], states[1][i][key], f"{key} of parameter {i} with decoupled decay")
            step = plain.params[i] - before[0][i]
            expected, actual = before[1][i] * kept + step, decayed.params[i].astype(float)
            sizes = np.abs(before[0][i]) + np.abs(plain.params[i]) + 3 * np.abs(before[1][i]) + np.abs(actual)
            sizes = sizes + 3 * np.abs(step)  # the decay may be added to the direction, before the rate multiplies both
            where = np.isfinite(expected)
            own = 2.0**-53 * (4 * np.abs(before[1][i]) + np.abs(step) + np.abs(expected))  # of this check's arithmetic
            bound = 1.01 * unit_roundoff(case.params[i].dtype) * sizes + own + 1e-44
            within(expected, actual, bound, f"parameter {i} after step {t} with decoupled decay", where)
    stepped = any(g is not None for grads in case.gradients for g in grads)  # before its first step none has a state
    return "not examined: moments, as no state is found" if stepped and not any(states[0]) else ""


def _shown(make: Maker, case: Case, subject: Any) -> list[dict[str, Any]]:
    """The states of the parameters; none where nothing is shown."""
    try:
        return states_under_their_names(make, case, subject, case.params)
    except NotApplicable:
        return [{} for _ in case.params]


@register("P34", "Gradient descent on a quadratic: theta_t - theta* = (1 - lr a)^t (theta_0 - theta*).", only=("sgd",))
def quadratic(make: Maker, case: Case) -> None:
    lr, curvature, least = float(case.spec["lr"]), 0.5, 0.75
    subject = case.make(make, **case.neutral("weight_decay", "momentum", "nesterov", "maximize"))
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
