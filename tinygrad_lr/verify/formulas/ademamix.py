"""AdEMAMix: Adam with a second, slower average of the gradients; and its simplified form. Next: distance.py."""

from __future__ import annotations

from .family import Family
from .numbers import Number, State, descended, sqrt


def ademamix(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number, Number] = (0.9, 0.999, 0.9999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    alpha: Number = 5.0,
    eps_root: Number = 0.0,
) -> tuple[Number, State]:
    """AdEMAMix: Pagliardini, Ablin & Grangier, ICLR 2025, arXiv:2409.03137, equation AdEMAMix, without its schedulers.

    m1 and v as Adam's, corrected;  m2 <- beta3 m2 + (1 - beta3) g, not corrected;
    theta <- theta - lr ((m1^ + alpha m2) / (sqrt(v^) + eps) + lambda theta).
    """
    beta1, beta2, beta3 = betas
    fast = beta1 * state["exp_avg"] + (1 - beta1) * g
    slow = beta3 * state["exp_avg_slow"] + (1 - beta3) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    step = (fast / (1 - beta1**t) + alpha * slow) / (sqrt(v / (1 - beta2**t) + eps_root) + eps)
    return descended(theta, step, lr, weight_decay), {"exp_avg": fast, "exp_avg_slow": slow, "exp_avg_sq": v}


def simplified_ademamix(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.99, 0.95),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    alpha: Number = 0.0,
    eps_root: Number = 0.0,
) -> tuple[Number, State]:
    """Simplified AdEMAMix: Morwani et al., 2025, arXiv:2502.02431, Algorithm 2: one sum of gradients for two averages.

    m <- beta1 m + g;  v as Adam's, corrected;  theta <- theta - lr ((m + alpha g) / (sqrt(v^) + eps) + lambda theta).
    """
    beta1, beta2 = betas
    m = beta1 * state["exp_avg"] + g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    step = (m + alpha * g) / (sqrt(v / (1 - beta2**t) + eps_root) + eps)
    return descended(theta, step, lr, weight_decay), {"exp_avg": m, "exp_avg_sq": v}


FAMILY = Family(
    name="ademamix",
    title="AdEMAMix",
    source="Pagliardini, Ablin & Grangier, ICLR 2025, arXiv:2409.03137, section 3",
    formula=ademamix,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_slow": 0.0, "exp_avg_sq": 0.0},
    lines=lambda settings: [
        "m1 <- beta1 m1 + (1 - beta1) g",
        "m2 <- beta3 m2 + (1 - beta3) g",
        "v <- beta2 v + (1 - beta2) g^2",
        "m1^ = m1 / (1 - beta1^t)",
        "v^ = v / (1 - beta2^t)",
        f"u = (m1^ + alpha m2) / (sqrt(v^{' + eps_root' if settings['eps_root'] else ''}) + eps)",
        f"theta <- theta - lr {'(u + lambda theta)' if settings['weight_decay'] else 'u'}",
    ],
    symbols={"exp_avg": "m1", "exp_avg_slow": "m2", "exp_avg_sq": "v"},
    dialects={"paper": {"lr": 1e-3}, "optax": {"lr": 1e-3}},
    remarks={"optax": "has no default rate; 1e-3 is taken here"},
    exempt={"P31": "the decay is no part of the gradient"},
)

FAMILY_SIMPLIFIED = Family(
    name="simplified_ademamix",
    title="Simplified AdEMAMix",
    source="Morwani et al., 2025, arXiv:2502.02431, Algorithm 2",
    formula=simplified_ademamix,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    lines=lambda settings: [
        "m <- beta1 m + g",
        "v <- beta2 v + (1 - beta2) g^2",
        "v^ = v / (1 - beta2^t)",
        f"u = (m + alpha g) / (sqrt(v^{' + eps_root' if settings['eps_root'] else ''}) + eps)",
        f"theta <- theta - lr {'(u + lambda theta)' if settings['weight_decay'] else 'u'}",
    ],
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    dialects={"paper": {"lr": 1e-3}, "optax": {"lr": 1e-3}},
    remarks={"optax": "has no default rate; 1e-3 is taken here"},
    exempt={"P31": "the decay is no part of the gradient"},
)
