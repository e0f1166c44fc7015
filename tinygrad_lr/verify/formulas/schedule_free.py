"""Schedule-Free descent and AdamW: an average of the iterates in the place of a schedule. Next: ademamix.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, by_sign, mean, sqrt


def _averaged(theta: Number, z: Number, step: Number, weight: Number, total: Number, beta1: Number) -> Number:
    """From y, z and z's step: the next z, and the next y, where the next gradient is taken."""
    x = (theta - (1 - beta1) * z) / beta1
    z = z - step
    c = by_sign(total, 0.0, 0.0, weight / by_sign(total, 1.0, 1.0, total))
    return z, beta1 * ((1 - c) * x + c * z) + (1 - beta1) * z


def schedule_free_sgd(
    theta: Number, g: Number, state: State, t: int, *, lr: Number, beta: Number = 0.9, weight_decay: Number = 0.0
) -> tuple[Number, State]:
    """Schedule-Free SGD: Defazio et al., NeurIPS 2024, arXiv:2405.15682, equations 3 to 5.

    theta is y, where gradients are taken:  x = (y - (1 - beta) z) / beta;  z <- z - lr (g + lambda y);
    x <- (1 - c) x + c z with c = lr^2 / (the sum of all lr^2);  y <- beta x + (1 - beta) z.  Use x for predictions.
    """
    weight = lr * lr
    total = state["weight_sum"] + weight
    z, theta = _averaged(theta, state["z"], lr * (g + weight_decay * theta if weight_decay else g), weight, total, beta)
    return theta, {"z": z, "weight_sum": total}


def schedule_free_adamw(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    correction_form: str = "rate",
) -> tuple[Number, State]:
    """Schedule-Free AdamW: Defazio et al., NeurIPS 2024, arXiv:2405.15682, Algorithm 1, without warm-up.

    v <- beta2 v + (1 - beta2) g^2;  gamma = lr sqrt(1 - beta2^t);  z <- z - gamma (g / (sqrt(v) + eps) + lambda y);
    c = gamma^2 / (the sum of all gamma^2); x and y as in Schedule-Free SGD.
    `correction_form="moment"`: v / (1 - beta2^t) under the root, and gamma = lr (optax, keras).
    """
    beta1, beta2 = betas
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    gamma, square = lr, v
    if correction_form == "rate":
        gamma = lr * sqrt(1 - beta2**t)
    else:
        square = v / (1 - beta2**t)
    step = g / (sqrt(square) + eps)
    step = step + weight_decay * theta if weight_decay else step
    total = state["weight_sum"] + gamma * gamma
    z, theta = _averaged(theta, state["z"], gamma * step, gamma * gamma, total, beta1)
    return theta, {"z": z, "exp_avg_sq": v, "weight_sum": total}


def _start(settings: Settings, theta: Number) -> State:
    moments = {"exp_avg_sq": theta * 0.0} if "betas" in settings else {}
    return {"z": theta, **moments, "weight_sum": mean(theta * 0.0)}


def _sgd_lines(settings: Settings) -> list[str]:
    return [
        "x = (theta - (1 - beta) z) / beta",
        f"z <- z - lr {'(g + lambda theta)' if settings['weight_decay'] else 'g'}",
        "w <- w + lr^2",
        "theta <- beta ((1 - lr^2 / w) x + lr^2 / w z) + (1 - beta) z",
    ]


def _adamw_lines(settings: Settings) -> list[str]:
    rate = settings["correction_form"] == "rate"
    decay = " + lambda theta" if settings["weight_decay"] else ""
    return [
        "v <- beta2 v + (1 - beta2) g^2",
        f"gamma = lr{' sqrt(1 - beta2^t)' if rate else ''}",
        "x = (theta - (1 - beta1) z) / beta1",
        f"z <- z - gamma (g / (sqrt({'v' if rate else 'v / (1 - beta2^t)'}) + eps){decay})",
        "w <- w + gamma^2",
        "theta <- beta1 ((1 - gamma^2 / w) x + gamma^2 / w z) + (1 - beta1) z",
    ]


_exempt = {
    "P11": "the weights of the average are lr^2, and theta is computed anew from x and z, with their rounding",
    "P12": "theta is computed anew from x and z, with their rounding",
    "P15": "theta is computed anew from x and z, with their rounding",
}
_source = "Defazio et al., NeurIPS 2024, arXiv:2405.15682"

FAMILY = Family(
    name="schedule_free_sgd",
    iterations=True,
    title="Schedule-Free SGD",
    source=f"{_source}, equations 3 to 5",
    formula=schedule_free_sgd,
    state=lambda settings: {},
    initial=_start,
    lines=_sgd_lines,
    symbols={"z": "z", "weight_sum": "w"},
    dialects={"paper": {"lr": 1.0}, "optax": {"lr": 1.0}},
    remarks={"paper": "chooses lr by problem; 1 is taken here"},
    exempt=_exempt,
    roundings=2.0,
)

FAMILY_ADAMW = Family(
    name="schedule_free_adamw",
    iterations=True,
    title="Schedule-Free AdamW",
    source=f"{_source}, Algorithm 1",
    formula=schedule_free_adamw,
    state=lambda settings: {},
    initial=_start,
    lines=_adamw_lines,
    symbols={"z": "z", "exp_avg_sq": "v", "weight_sum": "w"},
    dialects={
        "paper": {"lr": 0.0025},
        "optax": {"lr": 0.0025, "correction_form": "moment"},
        "keras": {"lr": 0.0025, "correction_form": "moment"},
    },
    exempt={**_exempt, "P31": "the decay is added to the scaled gradient"},
    roundings=2.0,
)
