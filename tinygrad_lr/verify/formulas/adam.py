"""Adam, AMSGrad and AdamW: momentum over RMSprop, both corrected for their start at zero."""

from __future__ import annotations

from typing import Any

from .family import Family, Settings, decay_lines, root_text
from .numbers import SCHEDULE, Number, State, decayed, maximum, root, sqrt


def adam(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
    eps_placement: str = "inside",
    amsgrad_form: str = "paper",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """Adam: Kingma & Ba, ICLR 2015, arXiv:1412.6980, Algorithm 1; epsilon inside the root as in the article.

    m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;  m^ = m / (1 - beta1^t);  v^ = v / (1 - beta2^t);
    theta <- theta - lr m^ / sqrt(v^ + eps).
    `eps_placement`: "inside" (above), "outside" (Algorithm 1: sqrt(v^) + eps), "hat" (the paper's section 2, last
    paragraph, and keras: lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps)).
    AMSGrad (Reddi, Kale & Kumar, ICLR 2018, arXiv:1904.09237, Algorithm 2) divides by the largest v so far:
    "paper" (no bias correction at all), "torch" (largest v, then corrected), "optax" (largest corrected v, of which
    "hat" takes the correction back before epsilon is added).
    """
    beta1, beta2 = betas
    theta, g = decayed(theta, g, lr, weight_decay, maximize, decoupled_weight_decay)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    after = {"exp_avg": m, "exp_avg_sq": v}
    correction1, correction2 = 1 - beta1**t, 1 - beta2**t
    if amsgrad:
        candidate = v / correction2 if amsgrad_form == "optax" else v
        v = after["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], candidate)
        if amsgrad_form == "paper":
            correction1, correction2 = 1, 1
        elif amsgrad_form == "optax" and eps_placement == "hat":
            v = v * correction2
        elif amsgrad_form == "optax":
            correction2 = 1
    if eps_placement == "hat":
        return theta - lr * sqrt(correction2) / correction1 * m / (sqrt(v) + eps), after
    return theta - lr * (m / correction1) / root(v / correction2, eps, eps_placement), after


def adamw(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.01,
    amsgrad: bool = False,
    maximize: bool = False,
    eps_placement: str = "inside",
    amsgrad_form: str = "paper",
    decoupled_weight_decay: bool = True,
) -> tuple[Number, State]:
    """AdamW: Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101, Algorithm 2: Adam whose decay acts on theta itself.

    theta <- (1 - lr weight_decay) theta, then Adam's step on the undecayed gradient.
    The paper has theta <- theta - eta_t (alpha m^ / (sqrt(v^) + eps) + lambda theta): `decoupled_weight_decay` is
    "schedule" there, and theta <- (1 - weight_decay) theta where eta_t is 1 (`numbers.shrinkage`).
    """
    return adam(
        theta,
        g,
        state,
        t,
        lr=lr,
        betas=betas,
        eps=eps,
        weight_decay=weight_decay,
        amsgrad=amsgrad,
        maximize=maximize,
        eps_placement=eps_placement,
        amsgrad_form=amsgrad_form,
        decoupled_weight_decay=decoupled_weight_decay,
    )


def _lines(settings: Settings) -> list[str]:
    found = [*decay_lines(settings), "m <- beta1 m + (1 - beta1) g", "v <- beta2 v + (1 - beta2) g^2"]
    form = settings["amsgrad_form"] if settings["amsgrad"] else ""
    if settings["eps_placement"] == "hat":
        if form == "optax":
            found += ["v^ = v / (1 - beta2^t)", "w <- max(w, v^)"]
        elif form:
            found += ["w <- max(w, v)"]
        factor = "lr" if form == "paper" else "lr sqrt(1 - beta2^t) / (1 - beta1^t)"
        uncorrected = {"": "v", "optax": "(1 - beta2^t) w"}.get(form, "w")
        return [*found, f"theta <- theta - {factor} m / (sqrt({uncorrected}) + eps)"]
    if form == "paper":
        return [*found, "w <- max(w, v)", f"theta <- theta - lr m / {root_text('w', settings)}"]
    found += ["m^ = m / (1 - beta1^t)"]
    if form == "torch":
        found += ["w <- max(w, v)", "v^ = w / (1 - beta2^t)"]
    else:
        found += ["v^ = v / (1 - beta2^t)", *(["w <- max(w, v^)"] if form else [])]
    return [*found, f"theta <- theta - lr m^ / {root_text('w' if form == 'optax' else 'v^', settings)}"]


def _state(settings: Settings) -> dict[str, float]:
    return {"exp_avg": 0.0, "exp_avg_sq": 0.0, **({"max_exp_avg_sq": 0.0} if settings["amsgrad"] else {})}


_dialects: dict[str, dict[str, Any]] = {
    "article": {"lr": 1e-3},
    "torch": {"lr": 1e-3, "eps_placement": "outside", "amsgrad_form": "torch"},
    "optax": {"lr": 1e-3, "eps_placement": "outside", "amsgrad_form": "optax"},
    "keras": {"lr": 1e-3, "eps": 1e-7, "eps_placement": "hat", "amsgrad_form": "torch", "decoupled_weight_decay": True},
}
_paper: dict[str, Any] = {"lr": 1e-3, "eps_placement": "outside"}
_symbols = {"exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "w"}

FAMILY = Family(
    name="adam",
    title="Adam",
    source="Kingma & Ba, ICLR 2015, arXiv:1412.6980, Algorithm 1; AMSGrad: Reddi, Kale & Kumar, ICLR 2018, "
    "arXiv:1904.09237, Algorithm 2",
    formula=adam,
    state=_state,
    lines=_lines,
    symbols=_symbols,
    dialects={**_dialects, "paper": _paper},
)

_decays = {"article": 1e-2, "torch": 1e-2, "optax": 1e-4, "keras": 4e-3}

FAMILY_ADAMW = Family(
    name="adamw",
    title="AdamW",
    source="Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101, Algorithm 2",
    formula=adamw,
    state=_state,
    lines=_lines,
    symbols=_symbols,
    dialects={
        **{
            name: {**_dialects[name], "weight_decay": decay, "decoupled_weight_decay": True}
            for name, decay in _decays.items()
        },
        "paper": {**_paper, "weight_decay": 1e-5, "decoupled_weight_decay": SCHEDULE},
    },
    remarks={
        **dict.fromkeys(_decays, "multiplies the decay by the rate, as the paper does not"),
        "paper": "multiplies the decay by the schedule's eta_t, which is 1 here, and not by the rate alpha; it has no "
        "default, and 1e-5 decays at a rate of 1e-3 as torch's 0.01",
    },
)
