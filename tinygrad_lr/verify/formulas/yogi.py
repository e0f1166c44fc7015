"""Yogi and AdaBelief: Adam with another second moment. Next: rprop.py."""

from __future__ import annotations

from .family import Family, Settings, decay_lines
from .numbers import Number, State, decayed, sign, sqrt


def yogi(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-3,
    weight_decay: Number = 0.0,
    initial_accumulator_value: Number = 1e-6,
    maximize: bool = False,
    bias_correction: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """Yogi: Zaheer et al., NeurIPS 2018, Algorithm 2.

    m <- beta1 m + (1 - beta1) g;  v <- v - (1 - beta2) sign(v - g^2) g^2;  theta <- theta - lr m / (sqrt(v) + eps).
    `bias_correction=True` divides m and v by 1 - beta^t as Adam does (optax).
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    square = g * g
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = state["exp_avg_sq"] - (1 - beta2) * sign(state["exp_avg_sq"] - square) * square
    after = {"exp_avg": m, "exp_avg_sq": v}
    if bias_correction:
        m, v = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta - lr * m / (sqrt(v) + eps), after


def adabelief(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    eps_root: Number = 1e-8,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """AdaBelief: Zhuang et al., NeurIPS 2020, arXiv:2010.07468, Algorithm 2.

    m <- beta1 m + (1 - beta1) g;  s <- beta2 s + (1 - beta2) (g - m)^2 + eps;
    theta <- theta - lr m^ / (sqrt(s^) + eps), m^ and s^ corrected as in Adam.
    The epsilon that is added to s is `eps_root` here; the paper has one value for both.
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    s = beta2 * state["exp_avg_var"] + (1 - beta2) * ((g - m) * (g - m)) + eps_root
    m_hat, s_hat = m / (1 - beta1**t), s / (1 - beta2**t)
    return theta - lr * m_hat / (sqrt(s_hat) + eps), {"exp_avg": m, "exp_avg_var": s}


def _yogi_lines(settings: Settings) -> list[str]:
    found = [*decay_lines(settings), "m <- beta1 m + (1 - beta1) g", "v <- v - (1 - beta2) sign(v - g^2) g^2"]
    if not settings["bias_correction"]:
        return [*found, "theta <- theta - lr m / (sqrt(v) + eps)"]
    return [*found, "m^ = m / (1 - beta1^t)", "v^ = v / (1 - beta2^t)", "theta <- theta - lr m^ / (sqrt(v^) + eps)"]


def _adabelief_lines(settings: Settings) -> list[str]:
    return [
        *decay_lines(settings),
        "m <- beta1 m + (1 - beta1) g",
        "s <- beta2 s + (1 - beta2) (g - m)^2 + eps_root",
        "m^ = m / (1 - beta1^t)",
        "s^ = s / (1 - beta2^t)",
        "theta <- theta - lr m^ / (sqrt(s^) + eps)",
    ]


FAMILY = Family(
    name="yogi",
    title="Yogi",
    source="Zaheer et al., NeurIPS 2018, Adaptive methods for nonconvex optimization, Algorithm 2",
    formula=yogi,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": settings["initial_accumulator_value"]},
    lines=_yogi_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    dialects={"paper": {"lr": 1e-2}, "optax": {"lr": 1e-2, "bias_correction": True}},
    remarks={
        "optax": "starts m at 1e-6 instead of 0, which is not declared here; has no default rate, the paper's is taken"
    },
)

FAMILY_ADABELIEF = Family(
    name="adabelief",
    title="AdaBelief",
    source="Zhuang et al., NeurIPS 2020, arXiv:2010.07468, Algorithm 2",
    formula=adabelief,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_var": 0.0},
    lines=_adabelief_lines,
    symbols={"exp_avg": "m", "exp_avg_var": "s"},
    dialects={"paper": {"lr": 1e-3}, "optax": {"lr": 1e-3, "eps": 1e-16, "eps_root": 1e-16}},
    remarks={"optax": "has no default rate; the paper's is taken here"},
)
