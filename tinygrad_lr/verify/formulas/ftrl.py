"""FTRL-Proximal: the least regularised sum of all gradients, coordinate by coordinate. Next: novograd.py."""

from __future__ import annotations

from .family import Family
from .numbers import Number, State, maximum, minimum, sqrt


def ftrl(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    beta: Number = 1.0,
    l1: Number = 0.0,
    l2: Number = 0.0,
    initial_accumulator_value: Number = 0.0,
    l2_form: str = "paper",
) -> tuple[Number, State]:
    """FTRL-Proximal: McMahan et al., KDD 2013, "Ad Click Prediction: a View from the Trenches", Algorithm 1.

    sigma = (sqrt(n + g^2) - sqrt(n)) / lr;  z <- z + g - sigma theta;  n <- n + g^2;
    theta <- (clip(z, -lambda1, lambda1) - z) / ((beta + sqrt(n)) / lr + lambda2).
    `l2_form="doubled"`: 2 lambda2 (keras, TensorFlow). Theta is what the sums say: where it starts is forgotten but for
    sigma theta, so a parameter whose gradient is zero becomes zero.
    """
    n = state["accumulator"] + g * g
    root = sqrt(n)
    z = state["linear"] + (g - (root - sqrt(state["accumulator"])) / lr * theta)
    divisor = (root + beta) / lr + (2 * l2 if l2_form == "doubled" else l2)
    return (maximum(minimum(z, l1), -l1) - z) / divisor, {"accumulator": n, "linear": z}


FAMILY = Family(
    name="ftrl",
    title="FTRL-Proximal",
    source='McMahan et al., KDD 2013, "Ad Click Prediction: a View from the Trenches", Algorithm 1',
    formula=ftrl,
    state=lambda settings: {"accumulator": settings["initial_accumulator_value"], "linear": 0.0},
    lines=lambda settings: [
        "sigma = (sqrt(n + g^2) - sqrt(n)) / lr",
        "z <- z + g - sigma theta",
        "n <- n + g^2",
        "theta <- (max(min(z, lambda1), -lambda1) - z) / ((sqrt(n) + beta) / lr"
        f" + {'2 lambda2' if settings['l2_form'] == 'doubled' else 'lambda2'})",
    ],
    symbols={"accumulator": "n", "linear": "z"},
    dialects={
        "paper": {"lr": 0.1},
        "keras": {"lr": 1e-3, "beta": 0.0, "initial_accumulator_value": 0.1, "l2_form": "doubled"},
    },
    remarks={"paper": "chooses lr by progressive validation; 0.1 is taken here"},
    exempt={
        "P11": "the rate divides what is regularised: at 0 nothing is defined",
        "P12": "theta is what the sum of gradients says, and becomes 0 where there was none",
        "P15": "theta is what the sum of gradients says, wherever it started",
    },
)
