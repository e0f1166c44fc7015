"""Adadelta: RMSprop whose rate is the root of a moving average of its own squared steps. Next: adamax.py."""

from __future__ import annotations

from .family import Family, Settings, decay_lines
from .numbers import Number, State, decayed, sqrt


def adadelta(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    rho: Number = 0.95,
    eps: Number = 1e-6,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """Adadelta: Zeiler, arXiv:1212.5701, Algorithm 1; the paper has no rate (lr = 1).

    s <- rho s + (1 - rho) g^2;  d = sqrt(u + eps) / sqrt(s + eps) g;  u <- rho u + (1 - rho) d^2;
    theta <- theta - lr d.
    """
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    s = rho * state["square_avg"] + (1 - rho) * (g * g)
    d = sqrt(state["acc_delta"] + eps) / sqrt(s + eps) * g
    u = rho * state["acc_delta"] + (1 - rho) * (d * d)
    return theta - lr * d, {"square_avg": s, "acc_delta": u}


def _lines(settings: Settings) -> list[str]:
    return [
        *decay_lines(settings),
        "s <- rho s + (1 - rho) g^2",
        "d = sqrt(u + eps) / sqrt(s + eps) g",
        "u <- rho u + (1 - rho) d^2",
        "theta <- theta - lr d",
    ]


FAMILY = Family(
    name="adadelta",
    title="Adadelta",
    source="Zeiler, 2012, arXiv:1212.5701, Algorithm 1",
    formula=adadelta,
    state=lambda settings: {"square_avg": 0.0, "acc_delta": 0.0},
    lines=_lines,
    symbols={"square_avg": "s", "acc_delta": "u"},
    dialects={
        "paper": {"lr": 1.0},
        "torch": {"lr": 1.0, "rho": 0.9},
        "optax": {"lr": 1.0, "rho": 0.9},
        "keras": {"lr": 1e-3, "eps": 1e-7, "decoupled_weight_decay": True},
    },
    remarks={"optax": "has no default rate; 1 is taken here"},
)
