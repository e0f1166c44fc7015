"""AdaMod and AdaBound: Adam whose rate for each element is held within bounds. Next: differences.py."""

from __future__ import annotations

from .family import MOMENTS, Family, Settings, decay_lines
from .numbers import Number, State, decayed, maximum, mean, minimum, sqrt


def adamod(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number, Number] = (0.9, 0.999, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    correction_placement: str = "moment",
    decoupled_weight_decay: bool = True,
) -> tuple[Number, State]:
    """AdaMod: Ding, Ren, Luo & Sun, 2019, arXiv:1910.12249, Algorithm 1.

    m, v, m^, v^ as Adam's;  eta = lr / (sqrt(v^) + eps);  s <- beta3 s + (1 - beta3) eta;
    theta <- theta - min(eta, s) m^.
    `correction_placement="rate"` (the authors' code): eta = lr sqrt(1 - beta2^t) / (1 - beta1^t) / (sqrt(v) + eps), so
    that the average s sees both corrections, and theta <- theta - min(eta, s) m.
    """
    beta1, beta2, beta3 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    correction1, correction2 = 1 - beta1**t, 1 - beta2**t
    if correction_placement == "rate":
        rate, moment = lr * sqrt(correction2) / correction1 / (sqrt(v) + eps), m
    else:
        rate, moment = lr / (sqrt(v / correction2) + eps), m / correction1
    s = beta3 * state["exp_avg_lr"] + (1 - beta3) * rate
    return theta - minimum(rate, s) * moment, {"exp_avg": m, "exp_avg_sq": v, "exp_avg_lr": s}


def adabound(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    final_lr: Number = 0.1,
    gamma: Number = 1e-3,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    amsbound: bool = False,
    maximize: bool = False,
    bound_form: str = "paper",
    eps_root: Number = 0.0,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """AdaBound, and AMSBound: Luo et al., ICLR 2019, arXiv:1902.09843, Algorithms 2 and 3.

    m, v as Adam's, uncorrected;  low = phi - phi / (gamma t + 1);  high = phi + phi / (gamma t);
    theta <- theta - clip(lr / (sqrt(v) + eps), low, high) / sqrt(t) m, with gamma = 1 - beta2 in the paper.
    AMSBound divides by the largest v so far.
    `bound_form="authors"` (their code): no 1 / sqrt(t); the rate is corrected as Adam's, lr sqrt(1 - beta2^t) /
    (1 - beta1^t), before it is clipped; phi is `final_lr` times lr over the rate of the first step.
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    after = {"exp_avg": m, "exp_avg_sq": v}
    if amsbound:
        v = after["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], v)
    below = sqrt(v + eps_root if eps_root else v) + eps
    final, rate, slower = final_lr, lr / below, sqrt((1 + 0 * lr) * t)
    if bound_form == "authors":
        after["base_lr"] = state["base_lr"]
        final, slower = final_lr * (lr / state["base_lr"]), 1
        rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t) / below
    low, high = final * (1 - 1 / (gamma * t + 1)), final * (1 + 1 / (gamma * t))
    return theta - minimum(maximum(rate, low), high) / slower * m, after


def _adamod_lines(settings: Settings) -> list[str]:
    if settings["correction_placement"] == "rate":
        rate, step = ["eta = lr sqrt(1 - beta2^t) / (1 - beta1^t) / (sqrt(v) + eps)"], "m"
    else:
        rate = ["m^ = m / (1 - beta1^t)", "v^ = v / (1 - beta2^t)", "eta = lr / (sqrt(v^) + eps)"]
        step = "m^"
    return [
        *decay_lines(settings),
        *MOMENTS,
        *rate,
        "s <- beta3 s + (1 - beta3) eta",
        f"theta <- theta - min(eta, s) {step}",
    ]


def _adabound_lines(settings: Settings) -> list[str]:
    authors, v = settings["bound_form"] == "authors", "w" if settings["amsbound"] else "v"
    final = "Phi" if authors else "phi"
    below = f"(sqrt({v}{' + eps_root' if settings['eps_root'] else ''}) + eps)"
    rate = f"lr sqrt(1 - beta2^t) / (1 - beta1^t) / {below}" if authors else f"lr / {below}"
    return [
        *decay_lines(settings),
        *MOMENTS,
        *(["w <- max(w, v)"] if settings["amsbound"] else []),
        *(["Phi = phi lr / lr_0"] if authors else []),
        f"low = {final} (1 - 1 / (gamma t + 1))",
        f"high = {final} (1 + 1 / (gamma t))",
        f"eta = min(max({rate}, low), high){'' if authors else ' / sqrt(t)'}",
        "theta <- theta - eta m",
    ]


def _adabound_start(settings: Settings, theta: Number) -> State:
    names = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if settings["amsbound"] else [])]
    found = {name: theta * 0.0 for name in names}
    if settings["bound_form"] == "authors":
        found["base_lr"] = mean(theta * 0.0) + settings["lr"]
    return found


FAMILY = Family(
    name="adamod",
    title="AdaMod",
    source="Ding, Ren, Luo & Sun, 2019, arXiv:1910.12249, Algorithm 1",
    formula=adamod,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0, "exp_avg_lr": 0.0},
    lines=_adamod_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v", "exp_avg_lr": "s"},
    dialects={"paper": {"lr": 1e-3}, "authors": {"lr": 1e-3, "correction_placement": "rate"}},
    remarks={"authors": "average a rate that holds both corrections (package adamod); the paper's holds v's alone"},
    choices={"correction_placement": ("moment", "rate")},
    matters={"correction_placement": ({"betas": (0.9, 0.999, 0.5)}, None)},
)

FAMILY_ADABOUND = Family(
    name="adabound",
    title="AdaBound",
    source="Luo, Xiong, Liu & Sun, ICLR 2019, arXiv:1902.09843, Algorithms 2 (AdaBound) and 3 (AMSBound)",
    formula=adabound,
    state=lambda settings: {},
    initial=_adabound_start,
    lines=_adabound_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "w", "base_lr": "lr_0"},
    dialects={
        "paper": {"lr": 1e-3},
        "authors": {"lr": 1e-3, "bound_form": "authors"},
        "pytorch_optimizer": {"lr": 1e-3, "bound_form": "authors", "eps_root": 1e-15},
    },
    remarks={
        "pytorch_optimizer": "adds 1e-15 to v before its root, as most of its optimizers do",
        "paper": "names no epsilon; the authors' is taken here",
        "authors": "correct the moments and leave 1 / sqrt(t) out (package adabound); their bounds follow a schedule",
    },
    exempt={"P11": "the bounds hold the rate up where lr is 0", "P16": "the bounds on the rate do not scale with it"},
    choices={"bound_form": ("paper", "authors")},
    matters={
        "final_lr": ({"lr": 0.1, "gamma": 0.9}, 0.02),
        "gamma": ({"lr": 0.1}, 0.9),
        "amsbound": ({"betas": (0.9, 0.5), "final_lr": 1.0, "gamma": 1e-3}, True),
        "bound_form": ({}, None),
    },
)
