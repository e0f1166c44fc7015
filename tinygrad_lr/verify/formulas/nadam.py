"""NAdam: Adam that looks one step of momentum ahead. Next: radam.py."""

from __future__ import annotations

from functools import lru_cache

from .family import Family, Settings, decay_lines
from .numbers import Number, State, decayed, middle, power, sqrt


def mu_of(beta1: Number, momentum_decay: Number, t: int, form: str) -> Number:
    """mu_t."""
    return beta1 if form == "constant" else beta1 * (1 - 0.5 * power(0.96, momentum_decay * t))


@lru_cache(maxsize=64, typed=True)  # a float and an mpmath number may be equal
def _products(beta1: Number, momentum_decay: Number, form: str) -> list[Number]:
    """The products made so far, which product_of makes more."""
    return [1.0]


def product_of(beta1: Number, momentum_decay: Number, t: int, form: str) -> Number:
    """mu_1 ... mu_t, each product made once; of the values so far, where an enclosure remembers them."""
    if len(getattr(beta1, "so_far", ())) == t:
        return beta1.product_so_far(lambda beta, psi, step: mu_of(beta, psi, step, form), momentum_decay)
    found = _products(beta1, momentum_decay, form)
    while len(found) <= t and middle(found[-1]) >= 1e-60:  # below, 1 - product is 1 in every arithmetic
        found.append(found[-1] * mu_of(beta1, momentum_decay, len(found), form))
    return found[min(t, len(found) - 1)]


def nadam(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    momentum_decay: Number = 0.004,
    maximize: bool = False,
    mu_form: str = "paper",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """NAdam: Dozat, ICLR 2016 workshop, Algorithm 2 (psi = 1/250 is `momentum_decay`).

    mu_t = beta1 (1 - 0.96^(psi t) / 2);  P_t = mu_1 ... mu_t;  m <- mu_t m + (1 - mu_t) g;
    v <- beta2 v + (1 - beta2) g^2;  m^ = mu_{t+1} m / (1 - P_{t+1}) + (1 - mu_t) g / (1 - P_t);
    v^ = beta2 v / (1 - beta2^t);  theta <- theta - lr m^ / (sqrt(v^) + eps).
    `mu_form`: "paper" (above), "torch" (m keeps beta1 instead of mu_t, and v^ = v / (1 - beta2^t), as everywhere but
    in the paper; keras has psi = 1), "constant" (moreover mu_t = beta1: optax).
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    mu, mu_next = (mu_of(beta1, momentum_decay, step, mu_form) for step in (t, t + 1))
    product = product_of(beta1, momentum_decay, t, mu_form)
    kept = mu if mu_form == "paper" else beta1
    m = kept * state["exp_avg"] + (1 - kept) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    m_hat = mu_next / (1 - product * mu_next) * m + (1 - mu) / (1 - product) * g
    v_hat = (beta2 * v if mu_form == "paper" else v) / (1 - beta2**t)
    return theta - lr * m_hat / (sqrt(v_hat) + eps), {"exp_avg": m, "exp_avg_sq": v}


def _lines(settings: Settings) -> list[str]:
    form = settings["mu_form"]
    mu = ["mu = beta1", "mu_next = beta1"]
    if form != "constant":
        mu = ["mu = beta1 (1 - 0.96^(psi t) / 2)", "mu_next = beta1 (1 - 0.96^(psi (t + 1)) / 2)"]
    kept = "mu" if form == "paper" else "beta1"
    return [
        *decay_lines(settings),
        *mu,
        "P <- P mu",
        f"m <- {kept} m + (1 - {kept}) g",
        "v <- beta2 v + (1 - beta2) g^2",
        "m^ = mu_next m / (1 - P mu_next) + (1 - mu) g / (1 - P)",
        f"v^ = {'beta2 ' if form == 'paper' else ''}v / (1 - beta2^t)",
        "theta <- theta - lr m^ / (sqrt(v^) + eps)",
    ]


FAMILY = Family(
    name="nadam",
    title="NAdam",
    source="Dozat, ICLR 2016 workshop, Incorporating Nesterov momentum into Adam, Algorithm 2",
    formula=nadam,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    lines=_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    memory={"P": 1.0},
    roundings=2.0,  # an implementation may subtract the two parts of m^ one after another
    dialects={
        "paper": {"lr": 2e-3},
        "torch": {"lr": 2e-3, "mu_form": "torch"},
        "optax": {"lr": 2e-3, "mu_form": "constant"},
        "keras": {"lr": 1e-3, "eps": 1e-7, "momentum_decay": 1.0, "mu_form": "torch", "decoupled_weight_decay": True},
    },
    remarks={
        "paper": "multiplies v^ by beta2; no implementation is known to",
        "optax": "has no default rate; torch's is taken here",
    },
)
