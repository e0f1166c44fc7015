"""Prodigy: Adam whose rate is the distance to the solution, estimated on the way. Next: schedule_free.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, maximum, mean, ratio, sqrt, total


def prodigy(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    initial_distance: Number = 1e-6,
    bias_correction: bool = False,
    eps_distance: str = "before",
) -> tuple[Number, State]:
    """Prodigy: Mishchenko & Defazio, ICML 2024, arXiv:2306.06101, Algorithm 4 (its Adam version).

    gamma = lr d;  m <- beta1 m + (1 - beta1) d g;  v <- beta2 v + (1 - beta2) d^2 g^2;
    r <- sqrt(beta2) r + gamma d <g, theta_0 - theta>;  s <- sqrt(beta2) s + gamma d g (the paper's factor
    1 - sqrt(beta2) of both cancels);  theta <- theta - gamma m / (sqrt(v) + d eps);  d <- max(d, r / |s|_1).
    `bias_correction`: gamma = lr d sqrt(1 - beta2^t) / (1 - beta1^t) (optax). Decay: theta loses gamma lambda theta.
    Before the first gradient that is not zero d stays as it is. `eps_distance="after"`: the d beside eps is that after
    the step, as in the authors' package.
    """
    beta1, beta2 = betas
    d, start = state["d"], state["p0"]
    gamma = lr * d
    if bias_correction:
        gamma = gamma * (sqrt(1 - beta2**t) / (1 - beta1**t))
    m = beta1 * state["exp_avg"] + (1 - beta1) * (d * g)
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * ((d * g) * (d * g))
    kept = sqrt(beta2)
    scale = d / initial_distance
    r = kept * state["numerator"] + scale * gamma * total(g * (start - theta))
    s = kept * state["s"] + gamma * (d * g) / initial_distance
    below = total(abs(s))
    decay = weight_decay * gamma * theta if weight_decay else 0.0
    estimate = maximum(d, ratio(maximum(r, 0.0), below, 0.0))
    theta = theta - decay - gamma * m / (sqrt(v) + (estimate if eps_distance == "after" else d) * eps)
    return theta, {"exp_avg": m, "exp_avg_sq": v, "s": s, "p0": start, "d": estimate, "numerator": r}


def _start(settings: Settings, theta: Number) -> State:
    zero = theta * 0.0
    scalar = mean(zero)
    return {
        "exp_avg": zero,
        "exp_avg_sq": zero,
        "s": zero,
        "p0": theta,
        "d": scalar + settings["initial_distance"],
        "numerator": scalar,
    }


def _lines(settings: Settings) -> list[str]:
    correction = " sqrt(1 - beta2^t) / (1 - beta1^t)" if settings["bias_correction"] else ""
    decay = " - gamma lambda theta" if settings["weight_decay"] else ""
    lines = [
        f"theta <- theta{decay} - gamma m / (sqrt(v) + d eps)",
        "d <- (max(d, r / total(abs(s))) if total(abs(s)) > 0 else d)",
    ]
    return [
        f"gamma = lr d{correction}",
        "m <- beta1 m + (1 - beta1) d g",
        "v <- beta2 v + (1 - beta2) (d g)^2",
        "r <- sqrt(beta2) r + d gamma total(g (theta_0 - theta)) / d_0",
        "s <- sqrt(beta2) s + d gamma g / d_0",
        *(lines if settings["eps_distance"] == "before" else reversed(lines)),
    ]


FAMILY = Family(
    name="prodigy",
    title="Prodigy",
    source="Mishchenko & Defazio, ICML 2024, arXiv:2306.06101, Algorithm 4",
    formula=prodigy,
    state=lambda settings: {},
    initial=_start,
    lines=_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v", "s": "s", "p0": "theta_0", "d": "d", "numerator": "r"},
    dialects={
        "paper": {"lr": 1.0},
        "authors": {"lr": 1.0, "eps_distance": "after"},
        "optax": {"lr": 1.0, "bias_correction": True},
    },
    choices={"eps_distance": ("before", "after")},
    exempt={
        "P3": "the distance is estimated from sums, which are rounded in another order when elements are permuted",
        "P4": "the distance is estimated from all elements together",
        "P5": "the distance is estimated from all parameters together",
        "P6": "the distance is estimated from all parameters together",
        "P15": "how far theta is from where it started is measured where it stands, with its rounding",
        "P16": "the rate changes how far theta is from where it started, and so the estimated distance",
        "P31": "the decay is no part of the gradient",
    },
    elementwise=False,
    coupled=True,
    roundings=3.0,
)
