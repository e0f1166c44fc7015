"""Grams, and cautious AdamW and Lion: a step goes where the gradient of now goes, or not at all. Next: normed.py."""

from __future__ import annotations

from .family import MOMENTS, Family, Settings, decay_lines, direction_lines
from .numbers import Number, State, adam_direction, by_sign, decayed, maximum, mean, shape_of, sign, total

CAUTIOUS = "Liang, Chen, Liu & Liu, 2024, arXiv:2411.16085"
_exempt = {
    "P3": "the mask is scaled by its mean, of the whole parameter",
    "P4": "the mask is scaled by its mean, which changes where the parameter is split",
}


def grams(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-6,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    eps_placement: str = "outside",
    decoupled_weight_decay: bool = True,
) -> tuple[Number, State]:
    """Grams: Cao, Li & Song, 2024, arXiv:2412.17107, Algorithm 1.

    u is Adam's direction;  theta <- (1 - lr lambda) theta - lr sign(g) |u|.
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    step = sign(g) * abs(adam_direction(m, v, betas, t, eps, eps_placement))
    return theta - lr * step, {"exp_avg": m, "exp_avg_sq": v}


def masked(u: Number, g: Number, mask_form: str) -> Number:
    """The step where its sign is the gradient's, scaled by how seldom that is.

    "mean": divided by the mean of the mask, at least 1e-3 (the authors' code, timm); "paper": times n / (k + 1) of n
    elements, k of which remain.
    """
    mask = by_sign(u * g, 0.0, 0.0, 1.0 + 0.0 * u)
    if mask_form == "mean":
        return u * (mask / maximum(mean(mask), 1e-3))
    count = 1
    for length in shape_of(u):
        count *= length
    return u * mask * (count / (total(mask) + 1))


def cautious_adamw(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.01,
    maximize: bool = False,
    eps_placement: str = "outside",
    mask_form: str = "paper",
    decoupled_weight_decay: bool = True,
) -> tuple[Number, State]:
    """Cautious AdamW: Liang, Chen, Liu & Liu, 2024, arXiv:2411.16085, Algorithm 1.

    u is Adam's direction;  phi = 1 where u g > 0, else 0;  theta <- (1 - lr lambda) theta - lr n / (|phi|_1 + 1) phi u.
    `mask_form="mean"`: phi / max(mean(phi), 1e-3) for n / (|phi|_1 + 1) phi (the authors' code, timm).
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    step = masked(adam_direction(m, v, betas, t, eps, eps_placement), g, mask_form)
    return theta - lr * step, {"exp_avg": m, "exp_avg_sq": v}


def cautious_lion(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.99),
    weight_decay: Number = 0.0,
    maximize: bool = False,
    mask_form: str = "paper",
    decoupled_weight_decay: bool = True,
) -> tuple[Number, State]:
    """Cautious Lion: Liang, Chen, Liu & Liu, 2024, arXiv:2411.16085, Algorithm 2: Lion's step, masked as above.

    u = sign(beta1 m + (1 - beta1) g);  m <- beta2 m + (1 - beta2) g.
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    u = sign(beta1 * state["exp_avg"] + (1 - beta1) * g)
    return theta - lr * masked(u, g, mask_form), {"exp_avg": beta2 * state["exp_avg"] + (1 - beta2) * g}


def _mask_lines(settings: Settings) -> list[str]:
    scale = "phi / max(mean(phi), 0.001)" if settings["mask_form"] == "mean" else "phi size(g) / (total(phi) + 1)"
    return ["phi = (1 if u g > 0 else 0)", f"theta <- theta - lr {scale} u"]


_adam_state = {"exp_avg": 0.0, "exp_avg_sq": 0.0}
_adam_symbols = {"exp_avg": "m", "exp_avg_sq": "v"}
_remark = {"authors": "divide the mask by its mean, which is at least 0.001; timm's caution=True, too"}

FAMILY = Family(
    name="grams",
    title="Grams",
    source="Cao, Li & Song, 2024, arXiv:2412.17107, Algorithm 1",
    formula=grams,
    state=lambda settings: dict(_adam_state),
    lines=lambda settings: [
        *decay_lines(settings),
        *MOMENTS,
        *direction_lines(settings),
        "theta <- theta - lr sign(g) abs(u)",
    ],
    symbols=_adam_symbols,
    dialects={"paper": {"lr": 1e-3}},
    choices={"eps_placement": ("outside", "hat")},
)

FAMILY_ADAMW = Family(
    name="cautious_adamw",
    title="Cautious AdamW",
    source=f"{CAUTIOUS}, Algorithm 1",
    formula=cautious_adamw,
    state=lambda settings: dict(_adam_state),
    lines=lambda settings: [*decay_lines(settings), *MOMENTS, *direction_lines(settings), *_mask_lines(settings)],
    symbols=_adam_symbols,
    dialects={"paper": {"lr": 1e-3}, "authors": {"lr": 1e-3, "mask_form": "mean"}},
    remarks=_remark,
    exempt=_exempt,
    elementwise=False,
    choices={"mask_form": ("paper", "mean"), "eps_placement": ("outside", "hat")},
    matters={"mask_form": ({}, None)},
)

FAMILY_LION = Family(
    name="cautious_lion",
    title="Cautious Lion",
    source=f"{CAUTIOUS}, Algorithm 2",
    formula=cautious_lion,
    state=lambda settings: {"exp_avg": 0.0},
    lines=lambda settings: [
        *decay_lines(settings),
        "u = sign(beta1 m + (1 - beta1) g)",
        *_mask_lines(settings),
        "m <- beta2 m + (1 - beta2) g",
    ],
    symbols={"exp_avg": "m"},
    dialects={"paper": {"lr": 1e-4}, "authors": {"lr": 1e-4, "mask_form": "mean"}},
    remarks=_remark,
    exempt=_exempt,
    elementwise=False,
    choices={"mask_form": ("paper", "mean")},
    matters={"mask_form": ({}, None)},
)
