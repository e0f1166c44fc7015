"""Schedule-Free descent and AdamW: an average of the iterates in the place of a schedule. Next: ademamix.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, by_sign, maximum, mean, sqrt


def _averaged(theta: Number, z: Number, step: Number, weight: Number, total: Number, beta1: Number) -> Number:
    """From y, z and z's step: the next z, and the next y, where the next gradient is taken."""
    x = (theta - (1 - beta1) * z) / beta1
    z = z - step
    c = by_sign(total, 0.0, 0.0, weight / by_sign(total, 1.0, 1.0, total))
    return z, beta1 * ((1 - c) * x + c * z) + (1 - beta1) * z


def _weighed(state: State, gamma: Number, weight_form: str) -> tuple[Number, State]:
    """The weight of this iterate, and the states that its weight comes from."""
    if weight_form == "step":
        return gamma * gamma, {"weight_sum": state["weight_sum"] + gamma * gamma}
    largest = maximum(state["lr_max"], gamma)
    return largest * largest, {"weight_sum": state["weight_sum"] + largest * largest, "lr_max": largest}


def schedule_free_sgd(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    beta: Number = 0.9,
    weight_decay: Number = 0.0,
    weight_form: str = "step",
) -> tuple[Number, State]:
    """Schedule-Free SGD: Defazio et al., NeurIPS 2024, arXiv:2405.15682, equations 3 to 5.

    theta is y, where gradients are taken:  x = (y - (1 - beta) z) / beta;  z <- z - lr (g + lambda y);
    x <- (1 - c) x + c z with c = lr^2 / (the sum of all lr^2);  y <- beta x + (1 - beta) z.  Use x for predictions.
    `weight_form="largest"`: the weight is the square of the largest lr so far (the authors' code, optax, keras).
    """
    weight, after = _weighed(state, lr, weight_form)
    step = lr * (g + weight_decay * theta if weight_decay else g)
    z, theta = _averaged(theta, state["z"], step, weight, after["weight_sum"], beta)
    return theta, {"z": z, **after}


def schedule_free_adamw(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    correction_form: str = "rate",
    weight_form: str = "step",
    eps_root: Number = 0.0,
) -> tuple[Number, State]:
    """Schedule-Free AdamW: Defazio et al., NeurIPS 2024, arXiv:2405.15682, Algorithm 1, without warm-up.

    v <- beta2 v + (1 - beta2) g^2;  gamma = lr sqrt(1 - beta2^t);  z <- z - gamma (g / (sqrt(v) + eps) + lambda y);
    c = gamma^2 / (the sum of all gamma^2); x and y as in Schedule-Free SGD.
    `correction_form="moment"`: v / (1 - beta2^t) under the root, and gamma = lr (the authors' code of today, optax,
    keras). `weight_form="largest"`: the weight is the square of the largest gamma so far (their code, optax, keras).
    """
    beta1, beta2 = betas
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    gamma, square = lr, v
    if correction_form == "rate":
        gamma = lr * sqrt(1 - beta2**t)
    else:
        square = v / (1 - beta2**t)
    step = g / (sqrt(square + eps_root if eps_root else square) + eps)
    step = step + weight_decay * theta if weight_decay else step
    weight, after = _weighed(state, gamma, weight_form)
    z, theta = _averaged(theta, state["z"], gamma * step, weight, after["weight_sum"], beta1)
    return theta, {"z": z, "exp_avg_sq": v, **after}


def _start(settings: Settings, theta: Number) -> State:
    moments = {"exp_avg_sq": theta * 0.0} if "betas" in settings else {}
    zero = mean(theta * 0.0)
    return {
        "z": theta,
        **moments,
        "weight_sum": zero,
        **({} if settings["weight_form"] == "step" else {"lr_max": zero}),
    }


def _weight_lines(settings: Settings, gamma: str) -> tuple[list[str], str]:
    """The lines of the weights, and the share that z has of the average."""
    if settings["weight_form"] == "step":
        return [f"w <- w + {gamma}^2"], f"{gamma}^2 / w"
    return [f"G <- max(G, {gamma})", "w <- w + G^2"], "G^2 / w"


def _sgd_lines(settings: Settings) -> list[str]:
    weights, share = _weight_lines(settings, "lr")
    return [
        "x = (theta - (1 - beta) z) / beta",
        f"z <- z - lr {'(g + lambda theta)' if settings['weight_decay'] else 'g'}",
        *weights,
        f"theta <- beta ((1 - {share}) x + {share} z) + (1 - beta) z",
    ]


def _adamw_lines(settings: Settings) -> list[str]:
    rate = settings["correction_form"] == "rate"
    decay = " + lambda theta" if settings["weight_decay"] else ""
    weights, share = _weight_lines(settings, "gamma")
    square = f"{'v' if rate else 'v / (1 - beta2^t)'}{' + eps_root' if settings['eps_root'] else ''}"
    return [
        "v <- beta2 v + (1 - beta2) g^2",
        f"gamma = lr{' sqrt(1 - beta2^t)' if rate else ''}",
        "x = (theta - (1 - beta1) z) / beta1",
        f"z <- z - gamma (g / (sqrt({square}) + eps){decay})",
        *weights,
        f"theta <- beta1 ((1 - {share}) x + {share} z) + (1 - beta1) z",
    ]


_exempt = {
    "P11": "the weights of the average are lr^2, and theta is computed anew from x and z, with their rounding",
    "P12": "theta is computed anew from x and z, with their rounding",
    "P15": "theta is computed anew from x and z, with their rounding",
}
_choices = {"weight_form": ("step", "largest")}
_matters: dict[str, tuple[dict[str, float], None]] = {"weight_form": ({"lr": 1.0}, None)}
_source = "Defazio et al., NeurIPS 2024, arXiv:2405.15682"

FAMILY = Family(
    name="schedule_free_sgd",
    iterations=True,
    title="Schedule-Free SGD",
    source=f"{_source}, equations 3 to 5",
    formula=schedule_free_sgd,
    state=lambda settings: {},
    initial=_start,
    lines=_sgd_lines,
    symbols={"z": "z", "weight_sum": "w", "lr_max": "G"},
    dialects={
        "paper": {"lr": 1.0},
        "authors": {"lr": 1.0, "weight_form": "largest"},
        "optax": {"lr": 1.0, "weight_form": "largest"},
    },
    remarks={"paper": "chooses lr by problem; 1 is taken here", "authors": "is the package schedulefree"},
    exempt=_exempt,
    roundings=2.0,
    choices=_choices,
    matters=_matters,
)

FAMILY_ADAMW = Family(
    name="schedule_free_adamw",
    iterations=True,
    title="Schedule-Free AdamW",
    source=f"{_source}, Algorithm 1",
    formula=schedule_free_adamw,
    state=lambda settings: {},
    initial=_start,
    lines=_adamw_lines,
    symbols={"z": "z", "exp_avg_sq": "v", "weight_sum": "w", "lr_max": "G"},
    dialects={
        "paper": {"lr": 0.0025},
        "authors": {"lr": 0.0025, "correction_form": "moment", "weight_form": "largest"},
        "optax": {"lr": 0.0025, "correction_form": "moment", "weight_form": "largest"},
        "keras": {"lr": 0.0025, "correction_form": "moment", "weight_form": "largest"},
        "pytorch_optimizer": {"lr": 0.0025, "correction_form": "moment", "weight_form": "largest", "eps_root": 1e-15},
    },
    remarks={
        "authors": "is the package schedulefree, whose AdamWScheduleFreePaper has correction_form='rate'",
        "pytorch_optimizer": "adds 1e-15 to v before its root, as most of its optimizers do",
    },
    exempt={**_exempt, "P31": "the decay is added to the scaled gradient"},
    roundings=2.0,
    choices=_choices,
    matters=_matters,
)
