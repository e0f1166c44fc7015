"""Lion and signSGD: steps of one size, in the direction of a sign. Next: yogi.py."""

from __future__ import annotations

from .family import Family, Settings, decay_lines
from .numbers import Number, State, decayed, sign


def lion(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.99),
    weight_decay: Number = 0.0,
    maximize: bool = False,
    decoupled_weight_decay: bool = True,
) -> tuple[Number, State]:
    """Lion: Chen et al., arXiv:2302.06675, Algorithm 2.

    c = beta1 m + (1 - beta1) g;  theta <- theta - lr (sign(c) + weight_decay theta);  m <- beta2 m + (1 - beta2) g.
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    c = beta1 * state["exp_avg"] + (1 - beta1) * g
    return theta - lr * sign(c), {"exp_avg": beta2 * state["exp_avg"] + (1 - beta2) * g}


def signsgd(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.0,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """signSGD, and Signum with momentum: Bernstein et al., ICML 2018, arXiv:1802.04434, Algorithms 1 and 2.

    theta <- theta - lr sign(g). With momentum: m <- mu m + (1 - mu) g;  theta <- theta - lr sign(m).
    """
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    if not momentum:
        return theta - lr * sign(g), {}
    m = momentum * state["exp_avg"] + (1 - momentum) * g
    return theta - lr * sign(m), {"exp_avg": m}


def _lion_lines(settings: Settings) -> list[str]:
    return [
        *decay_lines(settings),
        "c = beta1 m + (1 - beta1) g",
        "theta <- theta - lr sign(c)",
        "m <- beta2 m + (1 - beta2) g",
    ]


def _signsgd_lines(settings: Settings) -> list[str]:
    if not settings["momentum"]:
        return [*decay_lines(settings), "theta <- theta - lr sign(g)"]
    return [*decay_lines(settings), "m <- mu m + (1 - mu) g", "theta <- theta - lr sign(m)"]


FAMILY = Family(
    name="lion",
    title="Lion",
    source="Chen et al., 2023, arXiv:2302.06675, Algorithm 2",
    formula=lion,
    state=lambda settings: {"exp_avg": 0.0},
    lines=_lion_lines,
    symbols={"exp_avg": "m"},
    dialects={"paper": {"lr": 1e-4}, "optax": {"lr": 1e-4, "weight_decay": 1e-3}, "keras": {"lr": 1e-3}},
    remarks={"optax": "has no default rate; the paper's is taken here"},
)

FAMILY_SIGNSGD = Family(
    name="signsgd",
    title="signSGD",
    source="Bernstein et al., ICML 2018, arXiv:1802.04434, Algorithms 1 (signSGD) and 2 (Signum)",
    formula=signsgd,
    state=lambda settings: {"exp_avg": 0.0} if settings["momentum"] else {},
    lines=_signsgd_lines,
    symbols={"exp_avg": "m"},
    dialects={"paper": {"lr": 1e-4}, "optax": {"lr": 1e-4}},
    remarks={"optax": "two functions: sign_sgd, and signum with momentum 0.9; no default rate"},
)
