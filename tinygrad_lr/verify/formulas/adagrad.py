"""AdaGrad: each element divided by the root of the sum of its squared gradients. Next: rmsprop.py."""

from __future__ import annotations

from .family import Family, Settings, decay_lines, root_text
from .numbers import Number, State, decayed, root


def adagrad(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    lr_decay: Number = 0.0,
    weight_decay: Number = 0.0,
    initial_accumulator_value: Number = 0.0,
    eps: Number = 1e-10,
    maximize: bool = False,
    eps_placement: str = "inside",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """AdaGrad: Duchi, Hazan & Singer, JMLR 12 (2011), Figure 1 (diagonal); epsilon inside the root as in the article.

    sum <- sum + g^2;  theta <- theta - lr_t g / sqrt(sum + eps),  lr_t = lr / (1 + (t - 1) lr_decay).
    """
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    total = state["sum"] + g * g
    lr_t = lr / (1 + (t - 1) * lr_decay)
    return theta - lr_t * g / root(total, eps, eps_placement), {"sum": total}


def _lines(settings: Settings) -> list[str]:
    rate = "lr / (1 + (t - 1) delta)" if settings["lr_decay"] else "lr"
    step = f"theta <- theta - {rate} g / {root_text('s', settings)}"
    return [*decay_lines(settings), "s <- s + g^2", step]


FAMILY = Family(
    name="adagrad",
    title="AdaGrad",
    source="Duchi, Hazan & Singer, JMLR 12 (2011), Figure 1 (diagonal)",
    formula=adagrad,
    state=lambda settings: {"sum": settings["initial_accumulator_value"]},
    lines=_lines,
    symbols={"sum": "s"},
    dialects={
        "article": {"lr": 1e-2},
        "torch": {"lr": 1e-2, "eps_placement": "outside"},
        "optax": {"lr": 1e-3, "initial_accumulator_value": 0.1, "eps": 1e-7},
        "keras": {"lr": 1e-3, "initial_accumulator_value": 0.1, "eps": 1e-7, "decoupled_weight_decay": True},
        "paper": {"lr": 1e-2, "eps_placement": "outside"},
    },
    remarks={
        "article": "has epsilon inside the root, the paper its delta outside",
        "paper": "has no default rate or delta; torch's are taken here",
    },
)
