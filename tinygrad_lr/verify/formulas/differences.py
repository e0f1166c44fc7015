"""diffGrad, MARS and PID: rules that look at how a gradient differs from the one before. Next: aggregated.py."""

from __future__ import annotations

from .family import MOMENTS, Family, Settings, decay_lines, direction_lines
from .numbers import Number, State, adam_direction, decayed, descended, dimensions, exp, maximum, norm

_NORM = "the gradient is clipped by the norm of the whole parameter"


def diffgrad(
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
    eps_placement: str = "outside",
    eps_root: Number = 0.0,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """diffGrad: Dubey et al., IEEE TNNLS 2020, arXiv:1909.11015, Algorithm 1.

    xi = 1 / (1 + exp(-|g_before - g|));  m, v, m^, v^ as Adam's;  theta <- theta - lr xi m^ / (sqrt(v^) + eps).
    `eps_placement="hat"` as in Adam (the authors' code).
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    friction = 1 / (1 + exp(-abs(state["previous_grad"] - g)))
    step = lr * (friction * adam_direction(m, v, betas, t, eps, eps_placement, eps_root))
    return theta - step, {"exp_avg": m, "exp_avg_sq": v, "previous_grad": g}


def mars(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.95, 0.99),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    gamma: Number = 0.025,
    eps_placement: str = "outside",
    first_form: str = "zero",
    eps_root: Number = 0.0,
    optimize_1d: bool = True,
) -> tuple[Number, State]:
    """MARS-AdamW, approximate: Yuan et al., 2024, arXiv:2411.10438, Algorithms 2 and 4.

    c = g + gamma beta1 / (1 - beta1) (g - g_before);  c = c / max(1, |c|);
    m <- beta1 m + (1 - beta1) c;  v <- beta2 v + (1 - beta2) c^2;  theta <- theta - lr (m^ / (sqrt(v^) + eps) + lambda
    theta). The gradient before is of the same batch in the exact form, and that of the last step here.
    `first_form="same"`: the first step's gradient has no difference (timm); "zero": its predecessor is 0.
    `optimize_1d=False`: vectors and single numbers follow AdamW (timm's and the authors' default).
    """
    beta1, beta2 = betas
    c = g
    if optimize_1d or dimensions(theta) > 1:
        if t > 1 or first_form == "zero":
            c = (g - state["last_grad"]) * (gamma * (beta1 / (1 - beta1))) + g
        c = c / maximum(norm(c), 1.0)
    m = beta1 * state["exp_avg"] + (1 - beta1) * c
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (c * c)
    update = adam_direction(m, v, betas, t, eps, eps_placement, eps_root)
    return descended(theta, update, lr, weight_decay), {"exp_avg": m, "exp_avg_sq": v, "last_grad": g}


def pid(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.9,
    integral: Number = 5.0,
    derivative: Number = 10.0,
    weight_decay: Number = 0.0,
    keeps_first: bool = True,
) -> tuple[Number, State]:
    """PID: An et al., CVPR 2018, A PID controller approach for stochastic optimization of deep networks, equation 14.

    V <- mu V - lr g;  D <- mu D + (1 - mu) (g - g_before);  theta <- theta + V + K_d D in the paper, which holds the
    integral's gain in lr. Here as in the authors' code: I <- mu I + g;  theta <- theta - lr (g + K_i I + K_d D).
    The first gradient has no difference. `keeps_first=False`: nor is it kept, and the second's difference is from 0.
    """
    g = g + weight_decay * theta if weight_decay else g
    i = momentum * state["i_buffer"] + g
    d = momentum * state["d_buffer"] + ((1 - momentum) * (g - state["grad_buffer"]) if t > 1 else 0 * g)
    kept = g if keeps_first or t > 1 else 0 * g
    return theta - lr * (g + integral * i + derivative * d), {"i_buffer": i, "d_buffer": d, "grad_buffer": kept}


def _diffgrad_lines(settings: Settings) -> list[str]:
    return [
        *decay_lines(settings),
        *MOMENTS,
        "xi = 1 / (1 + exp(-abs(p - g)))",
        *direction_lines(settings),
        "theta <- theta - lr xi u",
        "p <- g",
    ]


def _mars_lines(settings: Settings) -> list[str]:
    difference = "g + gamma beta1 / (1 - beta1) (g - p)"
    return [
        f"c = {difference if settings['first_form'] == 'zero' else f'({difference} if t > 1 else g)'}",
        "c = c / max(norm(c), 1)",
        "m <- beta1 m + (1 - beta1) c",
        "v <- beta2 v + (1 - beta2) c^2",
        *direction_lines(settings),
        f"theta <- theta - lr {'(u + lambda theta)' if settings['weight_decay'] else 'u'}",
        "p <- g",
    ]


FAMILY = Family(
    name="diffgrad",
    title="diffGrad",
    source="Dubey et al., IEEE TNNLS 2020, arXiv:1909.11015, Algorithm 1",
    formula=diffgrad,
    state=lambda settings: dict.fromkeys(("exp_avg", "exp_avg_sq", "previous_grad"), 0.0),
    lines=_diffgrad_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v", "previous_grad": "p"},
    dialects={
        "paper": {"lr": 1e-3},
        "authors": {"lr": 1e-3, "eps_placement": "hat"},
        "pytorch_optimizer": {"lr": 1e-3, "eps_placement": "hat", "eps_root": 1e-15},
    },
    remarks={
        "authors": "add epsilon to the root of the uncorrected v",
        "pytorch_optimizer": "adds 1e-15 to v before its root, as most of its optimizers do",
    },
    choices={"eps_placement": ("outside", "hat")},
)

FAMILY_MARS = Family(
    name="mars",
    title="MARS",
    source="Yuan et al., 2024, arXiv:2411.10438, Algorithms 2 and 4 (MARS-AdamW, approximate)",
    formula=mars,
    state=lambda settings: dict.fromkeys(("exp_avg", "exp_avg_sq", "last_grad"), 0.0),
    lines=_mars_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v", "last_grad": "p"},
    dialects={
        "paper": {"lr": 3e-3},
        "timm": {"lr": 3e-3, "betas": (0.9, 0.99), "first_form": "same"},
        "pytorch_optimizer": {"lr": 3e-3, "eps_placement": "hat", "eps_root": 1e-15},
    },
    remarks={
        "timm": "takes the first gradient as its own predecessor, and updates vectors as AdamW unless told",
        "pytorch_optimizer": "adds 1e-15 to v before its root, as most of its optimizers do",
    },
    exempt={
        "P3": f"{_NORM}, whose sum is rounded in another order when elements are permuted",
        "P4": f"{_NORM}, and changes where that is split",
        "P31": "the decay is added to the step, not to the gradient",
    },
    elementwise=False,
    roundings=3.0,
    choices={"eps_placement": ("outside", "hat")},
    matters={"gamma": ({}, 0.5), "optimize_1d": ({}, False)},
    example_shape=(2, 2),
)

FAMILY_PID = Family(
    name="pid",
    title="PID",
    source="An et al., CVPR 2018, A PID controller approach for stochastic optimization of deep networks",
    formula=pid,
    state=lambda settings: dict.fromkeys(("i_buffer", "d_buffer", "grad_buffer"), 0.0),
    lines=lambda settings: [
        *decay_lines(settings),
        "I <- mu I + g",
        "D <- mu D + (1 - mu) (g - p if t > 1 else 0)",
        "theta <- theta - lr (g + K_i I + K_d D)",
        "p <- g" if settings["keeps_first"] else "p <- (g if t > 1 else 0)",
    ],
    symbols={"i_buffer": "I", "d_buffer": "D", "grad_buffer": "p"},
    dialects={"paper": {"lr": 1e-3}, "authors": {"lr": 1e-3, "keeps_first": False}},
    remarks={
        "paper": "is read as in the authors' code, which has a gain for the integral beside the rate",
        "authors": "is github.com/tensorboy/PIDOptimizer, which does not store the first gradient",
    },
    matters={"integral": ({}, 2.0), "derivative": ({}, 3.0), "keeps_first": ({}, False)},
)
