"""SophiaG and Sophia-H: momentum over an estimate of the Hessian's diagonal, clipped. Next: lookahead.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, descended, maximum, middle, minimum, sign


def averaged(h: Number, estimate: Number, beta2: Number) -> Number:
    """h <- beta2 h + (1 - beta2) estimate: the average of estimates of the Hessian's diagonal, Algorithm 3.

    SophiaG makes the estimate in every k-th step, and of Sophia-H the caller gives it, before the step that uses it.

    Example:
        >>> averaged(2.0, 6.0, 0.75)
        3.0
    """
    return beta2 * h + (1 - beta2) * estimate


def clipped(m: Number, below: Number) -> Number:
    """clip(m / below, 1), for a divisor that is at least 0.

    Example:
        >>> float(clipped(-3.0, 4.0)), float(clipped(-3.0, 0.5))
        (-0.75, -1.0)
    """
    return sign(m) * minimum(abs(m) / below, 1.0)


def sophiag(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.96, 0.99),
    rho: Number = 0.05,
    batch_size: Number = 1.0,
    update_period: int = 10,
    eps: Number = 1e-12,
    weight_decay: Number = 0.2,
    maximize: bool = False,
    floor_form: str = "clamped",
) -> tuple[Number, State]:
    """SophiaG: Liu et al., ICLR 2024, arXiv:2305.14342, Algorithms 2 and 3; rho is the paper's gamma.

    m <- beta1 m + (1 - beta1) g;  in every k-th step, the first one included, h <- beta2 h + (1 - beta2) B g^2;
    theta <- (1 - lr lambda) theta - lr clip(m / max(rho h, eps), 1). The paper estimates h from gradients of labels
    that the model draws, B times their squares for a batch of B; here the step's own gradient is that estimate.
    `floor_form="added"`: |m| / (rho B h + eps), and h is without B (the authors' code).
    """
    beta1, beta2 = betas
    g = -g if maximize else g
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    h = state["hessian"]
    if (t - 1) % int(middle(update_period)) == 0:
        h = averaged(h, g * g if floor_form == "added" else batch_size * (g * g), beta2)
    below = rho * batch_size * h + eps if floor_form == "added" else maximum(rho * h, eps)
    if weight_decay:
        theta = (1 - lr * weight_decay) * theta
    return theta - lr * clipped(m, below), {"exp_avg": m, "hessian": h}


def sophiah(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.96, 0.99),
    rho: Number = 0.01,
    eps: Number = 1e-12,
    weight_decay: Number = 0.2,
    maximize: bool = False,
    initial_hessian: Number = 0.0,
    bias_correction: bool = False,
) -> tuple[Number, State]:
    """Sophia-H, one step: Liu et al., ICLR 2024, arXiv:2305.14342, Algorithm 3; rho is the paper's gamma.

    m <- beta1 m + (1 - beta1) g;  theta <- (1 - lr lambda) theta - lr clip(m / max(rho h, eps), 1).
    A step leaves h as it is. The caller estimates the Hessian's diagonal (Algorithm 1 is Hutchinson's estimate), and
    `averaged` makes h of the estimates, from `initial_hessian` on, which the paper has at 0. Where the objective is
    maximised, g and the estimate are taken with the other sign. `bias_correction=True`: m / (1 - beta1^t) in the place
    of m (optax).
    """
    g = -g if maximize else g
    m = betas[0] * state["exp_avg"] + (1 - betas[0]) * g
    h = state["hessian"]
    corrected = m / (1 - betas[0] ** t) if bias_correction else m
    theta = descended(theta, clipped(corrected, maximum(rho * h, eps)), lr, weight_decay)
    return theta, {"exp_avg": m, "hessian": h * 1.0}


def _lines(settings: Settings) -> list[str]:
    added = settings["floor_form"] == "added"
    below, square = ("(rho B h + eps)", "g^2") if added else ("max(rho h, eps)", "B g^2")
    return [
        *(["g <- -g"] if settings["maximize"] else []),
        "m <- beta1 m + (1 - beta1) g",
        f"h <- (beta2 h + (1 - beta2) {square} if mod(t - 1, k) < 1 else h)",
        *(["theta <- (1 - lr lambda) theta"] if settings["weight_decay"] else []),
        f"theta <- theta - lr sign(m) min(abs(m) / {below}, 1)",
    ]


def _lines_of_sophiah(settings: Settings) -> list[str]:
    corrected = settings["bias_correction"]
    return [
        *(["g <- -g"] if settings["maximize"] else []),
        "m <- beta1 m + (1 - beta1) g",
        *(["m^ = m / (1 - beta1^t)"] if corrected else []),
        *(["theta <- (1 - lr lambda) theta"] if settings["weight_decay"] else []),
        f"theta <- theta - lr max(-1, min({'m^' if corrected else 'm'} / max(rho h, eps), 1))",
    ]


FAMILY = Family(
    name="sophiag",
    title="SophiaG",
    source="Liu et al., ICLR 2024, arXiv:2305.14342, Algorithms 2 (Gauss-Newton-Bartlett) and 3",
    formula=sophiag,
    state=lambda settings: {"exp_avg": 0.0, "hessian": 0.0},
    lines=_lines,
    symbols={"exp_avg": "m", "hessian": "h"},
    dialects={
        "paper": {"lr": 1e-4},
        "authors": {
            "lr": 1e-4,
            "betas": (0.965, 0.99),
            "rho": 0.04,
            "batch_size": 5120,
            "eps": 1e-15,
            "weight_decay": 0.1,
            "floor_form": "added",
        },
    },
    remarks={
        "paper": "has no default rate; the authors' is taken here",
        "authors": "update the Hessian in a method of its own; an adapter must call it with the step's gradients",
    },
    exempt={"P31": "the decay shrinks theta"},
    matters={
        "rho": ({"batch_size": 10.0, "eps": 0.1}, 5.0),
        "batch_size": ({"rho": 1.0, "eps": 0.1}, 40.0),
        "update_period": ({"rho": 5.0, "batch_size": 10.0, "eps": 0.1}, 2),
        "eps": ({"rho": 0.1}, 2.0),
        "betas": ({"rho": 5.0, "batch_size": 10.0, "eps": 0.1}, (0.4, 0.7)),
        "floor_form": ({"rho": 5.0, "batch_size": 10.0, "eps": 0.5}, None),
    },
)

FAMILY_SOPHIAH = Family(
    name="sophiah",
    title="Sophia-H",
    source="Liu et al., ICLR 2024, arXiv:2305.14342, Algorithms 1 (Hutchinson) and 3",
    formula=sophiah,
    state=lambda settings: {"exp_avg": 0.0, "hessian": settings["initial_hessian"]},
    lines=_lines_of_sophiah,
    symbols={"exp_avg": "m", "hessian": "h"},
    dialects={
        "paper": {"lr": 1e-4},
        "optax": {"lr": 1e-4, "betas": (0.965, 0.99), "eps": 1e-8, "weight_decay": 1e-4, "bias_correction": True},
    },
    remarks={
        "paper": "has no default rate; that of SophiaG's authors is taken here. Between steps the caller's estimates "
        "change h: h <- beta2 h + (1 - beta2) estimate",
        "optax": "has no default rate; and a step uses the h before its own estimate, so give the estimate after it",
    },
    exempt={"P31": "the decay shrinks theta"},
    matters={
        "rho": ({"initial_hessian": 2.0, "eps": 0.1}, 5.0),
        "initial_hessian": ({"rho": 1.0, "eps": 0.1}, 5.0),
        "eps": ({"rho": 0.1}, 2.0),
        "betas": ({"initial_hessian": 2.0, "rho": 5.0}, (0.4, 0.7)),
        "bias_correction": ({"initial_hessian": 2.0, "rho": 5.0}, None),
    },
)
