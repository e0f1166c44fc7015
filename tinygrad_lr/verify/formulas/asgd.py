"""Averaged gradient descent: the mean of the iterates beside the iterates. Next: adafactor.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, maximum, power


def asgd(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    lambd: Number = 0.0,
    alpha: Number = 0.75,
    t0: Number = -1.0,
    weight_decay: Number = 0.0,
    maximize: bool = False,
) -> tuple[Number, State]:
    """Averaged SGD: Polyak & Juditsky, SIAM J. Control Optim. 30(4), 1992; torch's hyperparameters, after Bottou.

    eta = lr / (1 + lambd lr (t - 1))^alpha;  theta <- (1 - lambd eta) theta - eta g;
    a <- a + (theta - a) / max(1, t - 1 - t0).
    With lambd = 0 and t0 = -1 (the defaults) a is the mean of all iterates so far; torch starts after t0 = 1e6 steps.
    """
    g = -g if maximize else g
    if weight_decay:
        g = g + weight_decay * theta
    eta = lr / power(1 + lambd * lr * (t - 1), alpha)
    theta = (1 - lambd * eta) * theta - eta * g
    mean = state["ax"] + (theta - state["ax"]) / maximum(t - 1 - t0, 1.0)
    return theta, {"ax": mean}


def _lines(settings: Settings) -> list[str]:
    return [
        *(["g <- -g"] if settings["maximize"] else []),
        *(["g <- g + lambda theta"] if settings["weight_decay"] else []),
        "rate = lr / (1 + lambda0 lr (t - 1))^alpha",
        "theta <- (1 - lambda0 rate) theta - rate g",
        "a <- a + (theta - a) / max(1, t - 1 - t_0)",
    ]


FAMILY = Family(
    name="asgd",
    title="Averaged gradient descent",
    source="Polyak & Juditsky, SIAM J. Control Optim. 30(4), 1992",
    formula=asgd,
    state=lambda settings: {"ax": 0.0},
    lines=_lines,
    symbols={"ax": "a"},
    dialects={"paper": {"lr": 1e-2}, "torch": {"lr": 1e-2, "lambd": 1e-4, "t0": 1e6}},
    exempt={"P16": "the rate also stands in its own decay"},
)
