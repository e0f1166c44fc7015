"""Gradient descent, with Polyak's and Nesterov's momentum. Next: adagrad.py."""

from __future__ import annotations

from .family import Family, Settings, decay_lines
from .numbers import Number, State, decayed


def sgd(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.0,
    dampening: Number = 0.0,
    weight_decay: Number = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    lr_placement: str = "inside",
    dampen_first_step: bool = True,
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """Gradient descent: theta <- theta - lr g, with momentum.

    Momentum: Polyak, USSR Comp. Math. and Math. Phys. 4(5), 1964; Nesterov's form as in Sutskever et al., ICML 2013.
    `lr_placement="outside"`: b <- momentum b + (1 - dampening) g; theta <- theta - lr b (torch, optax).
    `lr_placement="inside"`: b <- momentum b + lr (1 - dampening) g; theta <- theta - b (the papers, keras).
    torch starts the buffer with the undampened first gradient: `dampen_first_step=False`.
    """
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    if not momentum:
        return theta - lr * g, dict(state)
    kept = 1 if t == 1 and not dampen_first_step else 1 - dampening
    if lr_placement == "outside":
        b = momentum * state["momentum_buffer"] + kept * g
        step = lr * (g + momentum * b) if nesterov else lr * b
    else:
        b = momentum * state["momentum_buffer"] + lr * kept * g
        step = lr * g + momentum * b if nesterov else b
    return theta - step, {"momentum_buffer": b}


def _lines(settings: Settings) -> list[str]:
    found = decay_lines(settings)
    if not settings["momentum"]:
        return [*found, "theta <- theta - lr g"]
    rate = "" if settings["lr_placement"] == "outside" else "lr "
    g = "(1 - tau) g" if settings["dampening"] else "g"
    if settings["dampening"] and not settings["dampen_first_step"]:
        g = "(g if t < 2 else (1 - tau) g)"
    found += [f"b <- mu b + {rate}{g}"]
    if settings["lr_placement"] == "outside":
        return [*found, "theta <- theta - lr (g + mu b)" if settings["nesterov"] else "theta <- theta - lr b"]
    return [*found, "theta <- theta - (lr g + mu b)" if settings["nesterov"] else "theta <- theta - b"]


FAMILY = Family(
    name="sgd",
    title="Gradient descent with momentum",
    source="Polyak, USSR Comp. Math. and Math. Phys. 4(5), 1964; Nesterov's form: Sutskever et al., ICML 2013",
    formula=sgd,
    state=lambda settings: {"momentum_buffer": 0.0} if settings["momentum"] else {},
    lines=_lines,
    symbols={"momentum_buffer": "b"},
    dialects={
        "article": {"lr": 1e-3},
        "torch": {"lr": 1e-3, "lr_placement": "outside", "dampen_first_step": False},
        "optax": {"lr": 1e-3, "lr_placement": "outside"},
        "keras": {"lr": 1e-2, "decoupled_weight_decay": True},
    },
)
