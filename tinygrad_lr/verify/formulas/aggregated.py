"""AggMo and PNM: several momenta at once. Next: came.py."""

from __future__ import annotations

from .family import Family, Settings, decay_lines
from .numbers import Number, State, decayed, sqrt


def aggmo(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, ...] = (0.0, 0.9, 0.99),
    weight_decay: Number = 0.0,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """AggMo: Lucas, Sun, Zemel & Grosse, ICLR 2019, arXiv:1804.00325, equation 4.

    b_i <- beta_i b_i + g for each of K momenta;  theta <- theta - lr / K (b_1 + ... + b_K).
    """
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    after = {}
    for i, beta in enumerate(betas, start=1):
        after[f"momentum_buffer_{i}"] = beta * state[f"momentum_buffer_{i}"] + g
        theta = theta - lr / len(betas) * after[f"momentum_buffer_{i}"]
    return theta, after


def pnm(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 1.0),
    weight_decay: Number = 0.0,
    maximize: bool = False,
    decoupled_weight_decay: bool = True,
) -> tuple[Number, State]:
    """PNM: Xie, Yuan, Zhu & Sugiyama, ICML 2021, arXiv:2103.17182, Algorithm 1.

    Of two momenta the steps update one in turn: m <- beta1^2 m + (1 - beta1^2) g, and the other one, n, stays;
    theta <- theta - lr / sqrt((1 + beta2)^2 + beta2^2) ((1 + beta2) m - beta2 n). beta2 is the paper's beta0.
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    now, before = ("pos_momentum", "neg_momentum") if t % 2 else ("neg_momentum", "pos_momentum")
    m = (beta1 * beta1) * state[now] + (1 - beta1 * beta1) * g
    noise = sqrt((1 + beta2) * (1 + beta2) + beta2 * beta2)
    step = ((1 + beta2) * m - beta2 * state[before]) / noise
    return theta - lr * step, {now: m, before: state[before]}


def _aggmo_lines(settings: Settings) -> list[str]:
    count = len(settings["betas"])
    found = decay_lines(settings)
    for i in range(1, count + 1):
        found += [f"b_{i} <- beta{i} b_{i} + g", f"theta <- theta - lr b_{i} / {count}"]
    return found


FAMILY = Family(
    name="aggmo",
    title="AggMo",
    source="Lucas, Sun, Zemel & Grosse, ICLR 2019, arXiv:1804.00325, equation 4",
    formula=aggmo,
    state=lambda settings: {f"momentum_buffer_{i}": 0.0 for i in range(1, len(settings["betas"]) + 1)},
    lines=_aggmo_lines,
    symbols={f"momentum_buffer_{i}": f"b_{i}" for i in range(1, 6)},
    dialects={"paper": {"lr": 0.1}},
    exempt={"P15": "theta moves once for each momentum, with a rounding each"},
)

FAMILY_PNM = Family(
    name="pnm",
    title="PNM",
    source="Xie, Yuan, Zhu & Sugiyama, ICML 2021, arXiv:2103.17182, Algorithm 1",
    formula=pnm,
    state=lambda settings: {"pos_momentum": 0.0, "neg_momentum": 0.0},
    lines=lambda settings: [
        *decay_lines(settings),
        "m <- (beta1^2 m + (1 - beta1^2) g if mod(t, 2) > 0 else m)",
        "n <- (beta1^2 n + (1 - beta1^2) g if mod(t, 2) < 1 else n)",
        "a = (m if mod(t, 2) > 0 else n)",
        "b = (n if mod(t, 2) > 0 else m)",
        "theta <- theta - lr ((1 + beta2) a - beta2 b) / sqrt((1 + beta2)^2 + beta2^2)",
    ],
    symbols={"pos_momentum": "m", "neg_momentum": "n"},
    dialects={"paper": {"lr": 1e-3}},
)
