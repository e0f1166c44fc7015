"""RAdam: Adam that waits until its second moment can be trusted. Next: adan.py."""

from __future__ import annotations

from .family import Family, Settings, decay_lines
from .numbers import Number, State, decayed, middle, sqrt


def radam(
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
    threshold: float = 4.0,
    eps_placement: str = "outside",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """RAdam: Liu et al., ICLR 2020, arXiv:1908.03265, Algorithm 2.

    m, v, m^, v^ as Adam's;  rho_inf = 2 / (1 - beta2) - 1;  rho = rho_inf - 2 t beta2^t / (1 - beta2^t).
    rho > 4: theta <- theta - lr r m^ / sqrt(v^), with
    r = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho)); else theta <- theta - lr m^.
    The paper has no epsilon (eps=0 is its form). `threshold` is 4 in the paper, 5 in torch and optax.
    `eps_placement`: "outside", sqrt(v^) + eps (optax), or "hat", sqrt(1 - beta2^t) / (sqrt(v) + eps) (torch).
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    after = {"exp_avg": m, "exp_avg_sq": v}
    m_hat, correction2 = m / (1 - beta1**t), 1 - beta2**t
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / correction2
    if middle(rho) <= middle(threshold):
        return theta - lr * m_hat, after
    r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    if eps_placement == "hat":
        return theta - lr * r * sqrt(correction2) * m_hat / (sqrt(v) + eps), after
    return theta - lr * r * m_hat / (sqrt(v / correction2) + eps), after


def _lines(settings: Settings) -> list[str]:
    hat = settings["eps_placement"] == "hat"
    adaptive = "r sqrt(1 - beta2^t) m^ / (sqrt(v) + eps)" if hat else "r m^ / (sqrt(v / (1 - beta2^t)) + eps)"
    return [
        *decay_lines(settings),
        "m <- beta1 m + (1 - beta1) g",
        "v <- beta2 v + (1 - beta2) g^2",
        "m^ = m / (1 - beta1^t)",
        "rho_inf = 2 / (1 - beta2) - 1",
        "rho = rho_inf - 2 t beta2^t / (1 - beta2^t)",
        "r = sqrt(max((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho), 0))",
        f"d = ({adaptive} if rho > {settings['threshold']:g} else m^)",
        "theta <- theta - lr d",
    ]


FAMILY = Family(
    name="radam",
    title="RAdam",
    source="Liu et al., ICLR 2020, arXiv:1908.03265, Algorithm 2",
    formula=radam,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    lines=_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    dialects={
        "paper": {"lr": 1e-3},
        "torch": {"lr": 1e-3, "threshold": 5.0, "eps_placement": "hat"},
        "optax": {"lr": 1e-3, "threshold": 5.0},
    },
    remarks={
        "paper": "has no epsilon, and 0/0 where every gradient so far was zero; 1e-8 is taken here",
        "optax": "rectifies from rho >= 5 on; has no default rate, torch's is taken here",
    },
)
