"""QHM and QHAdam: between a gradient and its moving average. Next: bounded.py."""

from __future__ import annotations

from .family import MOMENTS, Family, Settings, decay_lines
from .numbers import Number, State, decayed, sqrt

SOURCE = "Ma & Yarats, ICLR 2019, arXiv:1810.06801"


def qhm(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.999,
    nu: Number = 0.7,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """QHM: Ma & Yarats, ICLR 2019, arXiv:1810.06801, equations 3 and 4.

    m <- mu m + (1 - mu) g;  theta <- theta - lr ((1 - nu) g + nu m). nu = 0 is gradient descent, nu = 1 momentum.
    """
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = momentum * state["momentum_buffer"] + (1 - momentum) * g
    return theta - lr * ((1 - nu) * g + nu * m), {"momentum_buffer": m}


def qhadam(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.995, 0.999),
    nus: tuple[Number, Number] = (0.7, 1.0),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """QHAdam: Ma & Yarats, ICLR 2019, arXiv:1810.06801, section 4 (equations 12 to 15).

    m, v, m^, v^ as Adam's;  theta <- theta - lr ((1 - nu1) g + nu1 m^) / (sqrt((1 - nu2) g^2 + nu2 v^) + eps).
    """
    beta1, beta2 = betas
    nu1, nu2 = nus
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    above, below = (1 - nu1) * g + nu1 * m_hat, sqrt((1 - nu2) * (g * g) + nu2 * v_hat) + eps
    return theta - lr * (above / below), {"exp_avg": m, "exp_avg_sq": v}


def _qhadam_lines(settings: Settings) -> list[str]:
    return [
        *decay_lines(settings),
        *MOMENTS,
        "m^ = m / (1 - beta1^t)",
        "v^ = v / (1 - beta2^t)",
        "theta <- theta - lr ((1 - nu1) g + nu1 m^) / (sqrt((1 - nu2) g^2 + nu2 v^) + eps)",
    ]


FAMILY = Family(
    name="qhm",
    title="QHM",
    source=f"{SOURCE}, equations 3 and 4",
    formula=qhm,
    state=lambda settings: {"momentum_buffer": 0.0},
    lines=lambda settings: [
        *decay_lines(settings),
        "m <- mu m + (1 - mu) g",
        "theta <- theta - lr ((1 - nu) g + nu m)",
    ],
    symbols={"momentum_buffer": "m"},
    dialects={"paper": {"lr": 1.0}},
    roundings=2.0,  # an implementation may add the two parts one after another
    matters={"nu": ({}, 0.4)},
)

FAMILY_QHADAM = Family(
    name="qhadam",
    title="QHAdam",
    source=f"{SOURCE}, section 4",
    formula=qhadam,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    lines=_qhadam_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    dialects={"paper": {"lr": 1e-3}},
    remarks={
        "paper": "recommends betas (0.995, 0.999) and nus (0.7, 1), which packages often have as (0.9, 0.999), (1, 1)"
    },
    matters={"nus": ({}, (0.4, 0.6))},
)
