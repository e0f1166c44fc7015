"""ADOPT: Adam whose second moment is that of the steps before. Next: ademamix.py."""

from __future__ import annotations

from .family import Family, decay_lines
from .numbers import Number, State, decayed, maximum, minimum, power, sqrt


def adopt(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.9999),
    eps: Number = 1e-6,
    weight_decay: Number = 0.0,
) -> tuple[Number, State]:
    """ADOPT: Taniguchi et al., NeurIPS 2024, arXiv:2411.02853, Algorithm 2 (with clipping).

    The first step only sets v <- g^2. Then c = (t - 1)^(1/4), t counting that step;
    m <- beta1 m + (1 - beta1) clip(g / max(sqrt(v), eps), -c, c);  theta <- theta - lr m;
    v <- beta2 v + (1 - beta2) g^2, after it was used. Weight decay is coupled.
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, False, False)
    if t == 1:
        return theta, {"exp_avg": state["exp_avg"], "exp_avg_sq": g * g}
    bound = power((1 + 0 * lr) * (t - 1), 0.25)  # a number of lr's type, so that its rounding is known
    d = g / maximum(sqrt(state["exp_avg_sq"]), eps + 0 * g)
    d = minimum(maximum(d, 0 * d - bound), 0 * d + bound)
    m = beta1 * state["exp_avg"] + (1 - beta1) * d
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    return theta - lr * m, {"exp_avg": m, "exp_avg_sq": v}


FAMILY = Family(
    name="adopt",
    title="ADOPT",
    source="Taniguchi et al., NeurIPS 2024, arXiv:2411.02853, Algorithm 2",
    formula=adopt,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    lines=lambda settings: [
        *decay_lines(settings),
        "c = (t - 1)^0.25",
        "d = g / max(sqrt(v), eps)",
        "m <- (beta1 m + (1 - beta1) min(max(d, -c), c) if t > 1 else 0)",
        "theta <- theta - lr m",
        "v <- (beta2 v + (1 - beta2) g^2 if t > 1 else g^2)",
    ],
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    dialects={"paper": {"lr": 1e-3}, "optax": {"lr": 1e-3}},
    remarks={"optax": "has no default rate; the paper's is taken here"},
)
