"""Adamax: Adam with the largest decayed gradient in the place of the root mean square. Next: nadam.py."""

from __future__ import annotations

from .family import Family, Settings, decay_lines
from .numbers import Number, State, decayed, maximum


def adamax(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    eps_placement: str = "outside",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """Adamax: Kingma & Ba, ICLR 2015, arXiv:1412.6980, section 7.1, Algorithm 2.

    m <- beta1 m + (1 - beta1) g;  u <- max(beta2 u, |g|);  theta <- theta - lr / (1 - beta1^t) m / u.
    The paper has no epsilon (eps=0 is its form), and 0/0 before the first gradient that is not zero.
    `eps_placement`: "inside" of the maximum, max(beta2 u, |g| + eps) (torch, optax), or "outside", u + eps (keras).
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    size = abs(g) + eps if eps_placement == "inside" else abs(g)
    u = maximum(beta2 * state["exp_inf"], size)
    divisor = u + eps if eps_placement == "outside" else u
    return theta - lr / (1 - beta1**t) * m / divisor, {"exp_avg": m, "exp_inf": u}


def _lines(settings: Settings) -> list[str]:
    inside = settings["eps_placement"] == "inside"
    return [
        *decay_lines(settings),
        "m <- beta1 m + (1 - beta1) g",
        f"u <- max(beta2 u, abs(g){' + eps' if inside else ''})",
        f"theta <- theta - lr / (1 - beta1^t) m / {'u' if inside else '(u + eps)'}",
    ]


FAMILY = Family(
    name="adamax",
    title="Adamax",
    source="Kingma & Ba, ICLR 2015, arXiv:1412.6980, section 7.1, Algorithm 2",
    formula=adamax,
    state=lambda settings: {"exp_avg": 0.0, "exp_inf": 0.0},
    lines=_lines,
    symbols={"exp_avg": "m", "exp_inf": "u"},
    dialects={
        "paper": {"lr": 2e-3},
        "torch": {"lr": 2e-3, "eps_placement": "inside"},
        "optax": {"lr": 2e-3, "eps_placement": "inside"},
        "keras": {"lr": 1e-3, "eps": 1e-7, "decoupled_weight_decay": True},
    },
    remarks={
        "paper": "has no epsilon, and 0/0 where every gradient so far was zero; 1e-8 is taken here",
        "optax": "has no default rate; torch's is taken here",
    },
)
