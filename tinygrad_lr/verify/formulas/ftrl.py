"""FTRL-Proximal: the least regularised sum of all gradients, coordinate by coordinate. Next: novograd.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, maximum, mean, minimum, sqrt


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
    sigma_form: str = "rates",
) -> tuple[Number, State]:
    """FTRL-Proximal: McMahan et al., KDD 2013, "Ad Click Prediction: a View from the Trenches", Algorithm 1.

    eta_t = lr_t / (beta + sqrt(n_t));  sigma = 1 / eta_t - 1 / eta_(t-1);  z <- z + g - sigma theta;  n <- n + g^2;
    theta <- (clip(z, -lambda1, lambda1) - z) / ((beta + sqrt(n)) / lr + lambda2).
    With one rate sigma is the paper's (sqrt(n + g^2) - sqrt(n)) / lr, and in the first step it always is.
    `sigma_form="roots"`: it is so at any rate (keras, TensorFlow), and a falling rate pulls theta to 0.
    `l2_form="doubled"`: 2 lambda2 (keras, TensorFlow). Theta is what the sums say: where it starts is forgotten but for
    sigma theta, so a parameter whose gradient is zero becomes zero.
    """
    n = state["accumulator"] + g * g
    root, root_before = sqrt(n), sqrt(state["accumulator"])
    sigma = (root - root_before) / lr
    if sigma_form == "rates" and t > 1:
        sigma = sigma + (root_before + beta) * (1 / lr - 1 / state["lr_before"])
    z = state["linear"] + (g - sigma * theta)
    divisor = (root + beta) / lr + (2 * l2 if l2_form == "doubled" else l2)
    after = {"accumulator": n, "linear": z, **({"lr_before": lr} if sigma_form == "rates" else {})}
    return (maximum(minimum(z, l1), -l1) - z) / divisor, after


def _start(settings: Settings, theta: Number) -> State:
    found = {"accumulator": theta * 0 + settings["initial_accumulator_value"], "linear": theta * 0}
    return {**found, "lr_before": mean(theta) * 0} if settings["sigma_form"] == "rates" else found


def _lines(settings: Settings) -> list[str]:
    rates, l2 = settings["sigma_form"] == "rates", "2 lambda2" if settings["l2_form"] == "doubled" else "lambda2"
    moved = " + ((sqrt(n) + beta) (1 / lr - 1 / lr_before) if t > 1 else 0)" if rates else ""
    return [
        f"sigma = (sqrt(n + g^2) - sqrt(n)) / lr{moved}",
        "z <- z + g - sigma theta",
        "n <- n + g^2",
        f"theta <- (max(min(z, lambda1), -lambda1) - z) / ((sqrt(n) + beta) / lr + {l2})",
        *(["lr_before <- lr"] if rates else []),
    ]


FAMILY = Family(
    name="ftrl",
    title="FTRL-Proximal",
    source='McMahan et al., KDD 2013, "Ad Click Prediction: a View from the Trenches", Algorithm 1',
    formula=ftrl,
    state=lambda settings: {},
    initial=_start,
    lines=_lines,
    symbols={"accumulator": "n", "linear": "z", "lr_before": "lr_before"},
    dialects={
        "paper": {"lr": 0.1},
        "keras": {
            "lr": 1e-3,
            "beta": 0.0,
            "initial_accumulator_value": 0.1,
            "l2_form": "doubled",
            "sigma_form": "roots",
        },
    },
    remarks={"paper": "chooses lr by progressive validation; 0.1 is taken here"},
    exempt={
        "P11": "the rate divides what is regularised: at 0 nothing is defined",
        "P12": "theta is what the sum of gradients says, and becomes 0 where there was none",
        "P15": "theta is what the sum of gradients says, wherever it started",
    },
    choices={"sigma_form": ("rates", "roots")},
)
