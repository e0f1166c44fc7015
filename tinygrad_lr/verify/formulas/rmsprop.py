"""RMSprop: a moving average in the place of AdaGrad's sum. Next: adam.py."""

from __future__ import annotations

from .family import Family, Settings, decay_lines, root_text
from .numbers import Number, State, decayed, maximum, root


def rmsprop(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    alpha: Number = 0.99,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    momentum: Number = 0.0,
    centered: bool = False,
    maximize: bool = False,
    eps_placement: str = "inside",
    lr_placement: str = "inside",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """RMSprop: Tieleman & Hinton, Coursera lecture 6.5 (2012); epsilon inside the root as in the article.

    s <- alpha s + (1 - alpha) g^2;  theta <- theta - lr g / sqrt(s + eps).
    Centred (Graves, arXiv:1308.0850, equations 38 to 41): the variance s - a^2, a <- alpha a + (1 - alpha) g, in the
    place of s. A variance is never negative, so it is clamped at 0; torch and optax give NaN there.
    """
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    s = alpha * state["square_avg"] + (1 - alpha) * (g * g)
    after = {"square_avg": s}
    variance = s
    if centered:
        a = alpha * state["grad_avg"] + (1 - alpha) * g
        after["grad_avg"] = a
        variance = maximum(s - a * a, 0.0)
    d = g / root(variance, eps, eps_placement)
    if not momentum:
        return theta - lr * d, after
    if lr_placement == "outside":
        b = momentum * state["momentum_buffer"] + d
        step = lr * b
    else:
        b = momentum * state["momentum_buffer"] + lr * d
        step = b
    return theta - step, {**after, "momentum_buffer": b}


def _lines(settings: Settings) -> list[str]:
    found = [*decay_lines(settings), "s <- alpha s + (1 - alpha) g^2"]
    if settings["centered"]:
        found += ["a <- alpha a + (1 - alpha) g", "variance = max(s - a^2, 0)"]
    found += [f"d = g / {root_text('variance' if settings['centered'] else 's', settings)}"]
    if not settings["momentum"]:
        return [*found, "theta <- theta - lr d"]
    if settings["lr_placement"] == "outside":
        return [*found, "b <- mu b + d", "theta <- theta - lr b"]
    return [*found, "b <- mu b + lr d", "theta <- theta - b"]


def _state(settings: Settings) -> dict[str, float]:
    found = {"square_avg": 0.0}
    if settings["centered"]:
        found["grad_avg"] = 0.0
    if settings["momentum"]:
        found["momentum_buffer"] = 0.0
    return found


FAMILY = Family(
    name="rmsprop",
    title="RMSprop",
    source="Tieleman & Hinton, Coursera lecture 6.5 (2012); centred: Graves, arXiv:1308.0850, equations 38 to 41",
    formula=rmsprop,
    state=_state,
    lines=_lines,
    symbols={"square_avg": "s", "grad_avg": "a", "momentum_buffer": "b"},
    dialects={
        "article": {"lr": 1e-2},
        "torch": {"lr": 1e-2, "eps_placement": "outside", "lr_placement": "outside"},
        "optax": {"lr": 1e-3, "alpha": 0.9},
        "keras": {"lr": 1e-3, "alpha": 0.9, "eps": 1e-7, "decoupled_weight_decay": True},
    },
    remarks={
        "torch": "centred: the variance is not clamped at 0, and gives NaN on nearly constant gradients",
        "optax": "centred: the variance is not clamped at 0, and gives NaN on nearly constant gradients",
    },
)
