"""Adan: Nesterov's momentum from differences of gradients, with Adam's scaling. Next: lion.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, either, sqrt


def adan(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number, Number] = (0.98, 0.92, 0.99),
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    bias_correction: bool = False,
    decay_form: str = "proximal",
) -> tuple[Number, State]:
    """Adan: Xie et al., arXiv:2208.06677, Algorithm 1; betas are what the paper writes as 1 - beta.

    m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) (g - g_before);
    n <- beta3 n + (1 - beta3) (g + beta2 (g - g_before))^2;
    theta <- (theta - lr (m + beta2 v) / (sqrt(n) + eps)) / (1 + lr weight_decay).
    The first step starts from m = g, v = 0, n = g^2, and the second has v = g - g_before. `bias_correction=True`: from
    zero, each divided by 1 - beta^t (the authors' code, optax). `decay_form="decoupled"`:
    theta <- (1 - lr weight_decay) theta (optax). `eps_root` stands inside the root (optax). optax 0.2.8 has 1 - beta2
    where beta2 is meant (its issue 1715): that is no dialect.
    """
    beta1, beta2, beta3 = betas
    g = -g if maximize else g
    difference = g - state["previous_grad"] if t > 1 else g * 0.0
    look_ahead = g + beta2 * difference
    if t == 1 and not bias_correction:
        m, v, n = g * 1.0, g * 0.0, g * g
    else:
        m = beta1 * state["exp_avg"] + (1 - beta1) * g
        started = t > 2 or bias_correction
        v = beta2 * state["exp_avg_diff"] + (1 - beta2) * difference if started else difference
        n = beta3 * state["exp_avg_sq"] + (1 - beta3) * (look_ahead * look_ahead)
    after = {"exp_avg": m, "exp_avg_diff": v, "exp_avg_sq": n, "previous_grad": g * 1.0}
    if bias_correction:
        m, v, n = m / (1 - beta1**t), v / (1 - beta2**t), n / (1 - beta3**t)
    if weight_decay and decay_form == "decoupled":
        theta = (1 - lr * weight_decay) * theta
    below = sqrt(n + eps_root) + eps
    theta = either(theta - lr * ((m + beta2 * v) / below), theta - lr * (m / below) - lr * (beta2 * v / below))
    if weight_decay and decay_form == "proximal":
        theta = theta / (1 + lr * weight_decay)
    return theta, after


def _lines(settings: Settings) -> list[str]:
    decay = settings["weight_decay"] and settings["decay_form"]
    found = ["g <- -g"] if settings["maximize"] else []
    found += ["theta <- (1 - lr lambda) theta"] if decay == "decoupled" else []
    found += ["y = (g - g_before if t > 1 else 0)"]
    inside = " + eps_root" if settings["eps_root"] else ""
    moments = ["beta1 m + (1 - beta1) g", "beta2 v + (1 - beta2) y", "beta3 n + (1 - beta3) (g + beta2 y)^2"]
    if settings["bias_correction"]:
        found += [f"{name} <- {moment}" for name, moment in zip("mvn", moments, strict=True)]
        found += [f"{name}^ = {name} / (1 - beta{i}^t)" for i, name in enumerate("mvn", start=1)]
        step = f"(m^ + beta2 v^) / (sqrt(n^{inside}) + eps)"
    else:
        starts = (("m", 1, "g"), ("v", 2, "y"), ("n", 1, "g^2"))
        found += [
            f"{a} <- ({moment} if t > {last} else {start})"
            for moment, (a, last, start) in zip(moments, starts, strict=True)
        ]
        step = f"(m + beta2 v) / (sqrt(n{inside}) + eps)"
    step = f"theta - lr {step}"
    found += [f"theta <- ({step}) / (1 + lr lambda)" if decay == "proximal" else f"theta <- {step}"]
    return [*found, "g_before <- g"]


FAMILY = Family(
    name="adan",
    title="Adan",
    source="Xie et al., 2022, arXiv:2208.06677, Algorithm 1",
    formula=adan,
    state=lambda settings: dict.fromkeys(("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad"), 0.0),
    lines=_lines,
    symbols={"exp_avg": "m", "exp_avg_diff": "v", "exp_avg_sq": "n", "previous_grad": "g_before"},
    dialects={
        "paper": {"lr": 1e-3},
        "authors": {"lr": 1e-3, "bias_correction": True},
        "optax": {"lr": 1e-3, "eps_root": 1e-8, "bias_correction": True, "decay_form": "decoupled"},
    },
    remarks={
        "paper": "is also printed with sqrt(n + eps); here, as in its authors' code, eps is outside",
        "authors": "is their code, github.com/sail-sg/Adan, with corrections where the paper has first values",
        "optax": "has no default rate; 1e-3 is taken here",
    },
    exempt={"P31": "the decay is never added to the gradient"},
)
