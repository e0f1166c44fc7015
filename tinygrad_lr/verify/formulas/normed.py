"""AdaNorm, StableAdamW and LaProp: Adam's parts in another order, or held by a norm. Next: schedules.py."""

from __future__ import annotations

from .family import Family, Settings, decay_lines, direction_lines
from .numbers import Number, State, adam_direction, decayed, maximum, mean, norm, ratio, sqrt

_norms = {
    "P3": "a step depends on a norm of the whole parameter, whose sum is rounded in another order",
    "P4": "a step depends on a norm of the whole parameter, and changes where that is split",
}


def adamnorm(
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
    gamma: Number = 0.95,
    eps_placement: str = "outside",
    eps_root: Number = 0.0,
    eps_accumulates: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """AdaNorm (Adam): Dubey, Singh & Chaudhuri, WACV 2023, arXiv:2210.06364, Algorithm 2 (AdamNorm).

    e <- gamma e + (1 - gamma) |g|;  s = g e / |g| where e > |g|, else g;  m <- beta1 m + (1 - beta1) s;
    v <- beta2 v + (1 - beta2) g^2;  theta <- theta - lr m^ / (sqrt(v^) + eps).
    `eps_accumulates`: eps is added to v in each step, and stays in it (the authors' code, as AdaBelief's).
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    size = norm(g)
    e = gamma * state["exp_grad_norm"] + (1 - gamma) * size
    s = g * maximum(ratio(e, size, 1.0), 1.0)
    m = beta1 * state["exp_avg"] + (1 - beta1) * s
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    v = v + eps if eps_accumulates else v
    step = adam_direction(m, v, betas, t, eps, eps_placement, eps_root)
    return theta - lr * step, {"exp_avg": m, "exp_avg_sq": v, "exp_grad_norm": e}


def stable_adamw(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.99),
    eps: Number = 1e-6,
    weight_decay: Number = 0.01,
    maximize: bool = False,
) -> tuple[Number, State]:
    """StableAdamW: Wortsman et al., NeurIPS 2023, arXiv:2304.13013, Algorithm 2.

    With b_i = beta_i (1 - beta_i^(t-1)) / (1 - beta_i^t):  m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;
    eta = lr / max(1, sqrt(mean(g^2 / max(v, eps^2))));  theta <- (1 - eta lambda) theta - eta m / (sqrt(v) + eps).
    """
    g = -g if maximize else g
    kept1, kept2 = (beta * ((1 - beta ** (t - 1)) / (1 - beta**t)) for beta in betas)
    m = kept1 * state["exp_avg"] + (1 - kept1) * g
    v = kept2 * state["exp_avg_sq"] + (1 - kept2) * (g * g)
    eta = lr / maximum(sqrt(mean(g * g / maximum(v, eps * eps))), 1.0)
    if weight_decay:
        theta = (1 - eta * weight_decay) * theta
    return theta - eta * (m / (sqrt(v) + eps)), {"exp_avg": m, "exp_avg_sq": v}


def laprop(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-15,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    eps_placement: str = "outside",
    eps_root: Number = 0.0,
    correction_form: str = "moment",
    decoupled_weight_decay: bool = True,
) -> tuple[Number, State]:
    """LaProp: Ziyin, Wang & Ueda, 2020, arXiv:2002.04839, Algorithm 1.

    v <- beta2 v + (1 - beta2) g^2;  m <- beta1 m + (1 - beta1) lr g / (sqrt(v^) + eps);
    theta <- theta - m / (1 - beta1^t).
    `correction_form="rate"`: m is divided by a / lr, where a <- beta1 a + (1 - beta1) lr (the authors' code), which is
    1 - beta1^t while the rate stays. `eps_placement="hat"`: epsilon is added to the root of the uncorrected v.
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    correction2 = 1 - beta2**t
    if eps_placement == "hat":
        scaled = g / ((sqrt(v + eps_root) + eps) / sqrt(correction2))
    else:
        scaled = g / (sqrt(v / correction2 + eps_root) + eps)
    m = beta1 * state["exp_avg"] + (1 - beta1) * (lr * scaled)
    after = {"exp_avg": m, "exp_avg_sq": v}
    if correction_form == "moment":
        return theta - m / (1 - beta1**t), after
    a = after["exp_avg_lr_1"] = beta1 * state["exp_avg_lr_1"] + (1 - beta1) * lr
    return theta - m / ratio(a, lr, 1.0), after


def _laprop_lines(settings: Settings) -> list[str]:
    hat, rate = settings["eps_placement"] == "hat", settings["correction_form"] == "rate"
    more = " + eps_root" if settings["eps_root"] else ""
    below = f"((sqrt(v{more}) + eps) / sqrt(1 - beta2^t))" if hat else f"(sqrt(v / (1 - beta2^t){more}) + eps)"
    return [
        *decay_lines(settings),
        "v <- beta2 v + (1 - beta2) g^2",
        f"m <- beta1 m + (1 - beta1) lr g / {below}",
        *(["a <- beta1 a + (1 - beta1) lr"] if rate else []),
        f"theta <- theta - m / {'(a / lr)' if rate else '(1 - beta1^t)'}",
    ]


def _laprop_start(settings: Settings, theta: Number) -> State:
    zero = theta * 0.0
    more = {"exp_avg_lr_1": mean(zero)} if settings["correction_form"] == "rate" else {}
    return {"exp_avg": zero, "exp_avg_sq": zero, **more}


FAMILY = Family(
    name="adamnorm",
    title="AdaNorm (Adam)",
    source="Dubey, Singh & Chaudhuri, WACV 2023, arXiv:2210.06364, Algorithm 2 (AdamNorm)",
    formula=adamnorm,
    state=lambda settings: {},
    initial=lambda settings, theta: {
        "exp_avg": theta * 0.0,
        "exp_avg_sq": theta * 0.0,
        "exp_grad_norm": mean(theta * 0.0),
    },
    lines=lambda settings: [
        *decay_lines(settings),
        "e <- gamma e + (1 - gamma) norm(g)",
        "s = (g max(e / norm(g), 1) if norm(g) > 0 else g)",
        "m <- beta1 m + (1 - beta1) s",
        f"v <- beta2 v + (1 - beta2) g^2{' + eps' if settings['eps_accumulates'] else ''}",
        *direction_lines(settings),
        "theta <- theta - lr u",
    ],
    symbols={"exp_avg": "m", "exp_avg_sq": "v", "exp_grad_norm": "e"},
    dialects={
        "paper": {"lr": 1e-3},
        "authors": {"lr": 1e-3, "eps_accumulates": True},
        "pytorch_optimizer": {"lr": 1e-3, "betas": (0.9, 0.99), "eps_placement": "hat", "eps_root": 1e-15},
    },
    remarks={
        "authors": "add epsilon to v in place, so that it stays in the average (github.com/shivram1987/AdaNorm)",
        "pytorch_optimizer": "adds 1e-15 to v before its root, as most of its optimizers do",
    },
    exempt=_norms,
    elementwise=False,
    roundings=2.0,
    choices={"eps_placement": ("outside", "hat")},
    matters={"gamma": ({}, 0.5), "eps_accumulates": ({"eps": 0.3}, True)},
)

FAMILY_STABLE = Family(
    name="stable_adamw",
    title="StableAdamW",
    source="Wortsman et al., NeurIPS 2023, arXiv:2304.13013, Algorithm 2",
    formula=stable_adamw,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    lines=lambda settings: [
        *(["g <- -g"] if settings["maximize"] else []),
        "a = beta1 (1 - beta1^(t - 1)) / (1 - beta1^t)",
        "b = beta2 (1 - beta2^(t - 1)) / (1 - beta2^t)",
        "m <- a m + (1 - a) g",
        "v <- b v + (1 - b) g^2",
        "eta = lr / max(sqrt(mean(g^2 / max(v, eps^2))), 1)",
        *(["theta <- (1 - eta lambda) theta"] if settings["weight_decay"] else []),
        "theta <- theta - eta m / (sqrt(v) + eps)",
    ],
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    dialects={"paper": {"lr": 2e-3}},
    remarks={"paper": "has no default rate; 2e-3 is taken here"},
    exempt={**_norms, "P31": "the decay shrinks theta"},
    elementwise=False,
    roundings=2.0,
)

FAMILY_LAPROP = Family(
    name="laprop",
    title="LaProp",
    source="Ziyin, Wang & Ueda, 2020, arXiv:2002.04839, Algorithm 1",
    formula=laprop,
    state=lambda settings: {},
    initial=_laprop_start,
    lines=_laprop_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v", "exp_avg_lr_1": "a"},
    dialects={
        "paper": {"lr": 4e-4},
        "authors": {"lr": 4e-4, "correction_form": "rate"},
        "pytorch_optimizer": {"lr": 4e-4, "correction_form": "rate", "eps_placement": "hat", "eps_root": 1e-15},
    },
    remarks={
        "authors": "divide by an average of the rates over the rate; timm, too. Their decay comes after the step, and "
        "without the rate, which is not declared here",
        "pytorch_optimizer": "adds 1e-15 to v before its root, as most of its optimizers do",
    },
    choices={"eps_placement": ("outside", "hat")},
)
