"""P29: what an optimizer remembers, as its state shows it: sums of past gradients with geometric weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..protocol import Case, Maker, NotApplicable, gamma, given, holds, ordinary, state_of, within
from ..specification import Specification
from .scaling import ADAMS, complete

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


@holds(
    "P29",
    "Momentum is sum mu^(t-i) g_i and a moving average is (1-b) sum b^(t-i) g_i, as the state shows them.",
    only=tuple(MEMORY),
    unless=without_constant_weights,
)
def memory(make: Maker, case: Case) -> None:
    weights, shown = MEMORY[case.spec.name](case.spec), False
    for i, param in enumerate(case.params):
        subject = case.make(make, params=[param], **case.known("weight_decay", "maximize"))
        start = np.full(param.shape, float(case.spec["initial_accumulator_value"]) if "sum" in weights else 0.0)
        expected, size = dict.fromkeys(weights, start), dict.fromkeys(weights, start)
        where = np.ones(param.shape, bool)
        for t, g in enumerate(complete(case, i), start=1):
            subject.step(given([g]))
            state, g64, where = state_of(subject, 0), g.astype(float), where & ordinary(g)
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
                raise NotApplicable(f"get_state() shows none of {', '.join(weights)}; it shows {sorted(state)}")
