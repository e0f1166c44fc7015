"""Optimistic descent: the next gradient is taken to change as the last one did. Next: prodigy.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, sqrt


def optimistic_gd(
    theta: Number, g: Number, state: State, t: int, *, lr: Number, alpha: Number = 1.0, beta: Number = 1.0
) -> tuple[Number, State]:
    """Optimistic gradient descent: Daskalakis et al., ICLR 2018, arXiv:1711.00141; weights: Mokhtari et al., 2020.

    theta <- theta - lr ((alpha + beta) g - beta g'), g' being the gradient before (at first g itself).
    """
    before = g if t == 1 else state["previous_grad"]
    return theta - lr * ((alpha + beta) * g - beta * before), {"previous_grad": g}


def optimistic_adam(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    alpha: Number = 1.0,
    beta: Number = 1.0,
    first_form: str = "zero",
) -> tuple[Number, State]:
    """Optimistic Adam: Daskalakis et al., ICLR 2018, arXiv:1711.00141, Algorithm 1.

    u = m^ / (sqrt(v^) + eps) as Adam's;  theta <- theta - lr ((alpha + beta) u - beta u'), u' being the one before.
    `first_form`: what u' is at first: 0 ("zero", the paper, whose moments start there) or u itself ("same", optax).
    """
    beta1, beta2 = betas
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    u = m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t) + eps_root) + eps)
    before = u if t == 1 and first_form == "same" else state["previous_update"]
    return theta - lr * ((alpha + beta) * u - beta * before), {"exp_avg": m, "exp_avg_sq": v, "previous_update": u}


def _adam_lines(settings: Settings) -> list[str]:
    before = "(w if t > 1 else u)" if settings["first_form"] == "same" else "w"
    return [
        "m <- beta1 m + (1 - beta1) g",
        "v <- beta2 v + (1 - beta2) g^2",
        "m^ = m / (1 - beta1^t)",
        "v^ = v / (1 - beta2^t)",
        f"u = m^ / (sqrt(v^{' + eps_root' if settings['eps_root'] else ''}) + eps)",
        f"theta <- theta - lr ((alpha + beta) u - beta {before})",
        "w <- u",
    ]


FAMILY = Family(
    name="optimistic_gd",
    title="Optimistic gradient descent",
    source="Daskalakis, Ilyas, Syrgkanis & Zeng, ICLR 2018, arXiv:1711.00141, equation 4",
    formula=optimistic_gd,
    state=lambda settings: {"previous_grad": 0.0},
    lines=lambda settings: ["theta <- theta - lr ((alpha + beta) g - beta (h if t > 1 else g))", "h <- g"],
    symbols={"previous_grad": "h"},
    dialects={"paper": {"lr": 0.1}, "optax": {"lr": 0.1}},
    remarks={"optax": "has no default rate; 0.1 is taken here"},
)

FAMILY_ADAM = Family(
    name="optimistic_adam",
    title="Optimistic Adam",
    source="Daskalakis, Ilyas, Syrgkanis & Zeng, ICLR 2018, arXiv:1711.00141, Algorithm 1",
    formula=optimistic_adam,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0, "previous_update": 0.0},
    lines=_adam_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v", "previous_update": "w"},
    dialects={"paper": {"lr": 1e-3}, "optax": {"lr": 1e-3, "first_form": "same"}},
    remarks={"optax": "has no default rate, 1e-3 is taken here, and takes Nesterov's moment unless told"},
)
