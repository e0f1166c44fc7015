"""Lookahead, and Ranger: slow weights that follow every k steps; centralised gradients. Next: projected.py."""

from __future__ import annotations

from .family import MOMENTS, Family, Settings, decay_lines
from .numbers import Number, State, decayed, dimensions, middle, shape_of, sum_of_rows
from .radam import radam


def centralised(g: Number) -> Number:
    """Gradient centralization: Yong, Huang, Hua & Zhang, ECCV 2020, arXiv:2004.01461, equation 1.

    From each row of a matrix (all elements with one first index) its mean is taken; a vector stays.
    """
    if dimensions(g) < 2:
        return g
    count = 1
    for length in shape_of(g)[1:]:
        count *= length
    return g - sum_of_rows(g) / max(count, 1)


def followed(
    theta: Number, slow: Number, t: int, period: Number, share: Number, slow_start: str = "paper"
) -> tuple[Number, Number]:
    """Lookahead's two weights after the inner step t: in every k-th step both become slow + alpha (theta - slow)."""
    every = int(middle(period))
    first = {"paper": 0, "timm": every, "torch_optimizer": 1}[slow_start]
    if (t - first) % every:
        return theta, slow
    if t == first:
        return theta, theta
    slow = slow + share * (theta - slow)
    return slow, slow


def lookahead(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.9,
    weight_decay: Number = 0.0,
    alpha: Number = 0.5,
    update_period: int = 5,
    slow_start: str = "paper",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """Lookahead (SGD): Zhang, Lucas, Hinton & Ba, NeurIPS 2019, arXiv:1907.08610, Algorithm 1, over SGD with momentum.

    b <- mu b + g;  theta <- theta - lr b;  in every k-th step phi <- phi + alpha (theta - phi);  theta <- phi.
    phi, the slow weights, starts where theta does; the inner momentum goes on. `slow_start="timm"`: phi starts where
    theta is after k steps, so that nothing happens there; "torch_optimizer": phi starts where theta is after the first
    step, and follows after the steps k + 1, 2 k + 1, ...
    """
    theta, g = decayed(theta, g, lr, weight_decay, False, decoupled_weight_decay)
    b = momentum * state["momentum_buffer"] + g
    theta, slow = followed(theta - lr * b, state["slow_buffer"], t, update_period, alpha, slow_start)
    return theta, {"momentum_buffer": b, "slow_buffer": slow}


def ranger(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.95, 0.999),
    eps: Number = 1e-5,
    weight_decay: Number = 0.0,
    alpha: Number = 0.5,
    update_period: int = 6,
    threshold: float = 5.0,
    centralise: bool = True,
    decoupled_weight_decay: bool = True,
) -> tuple[Number, State]:
    """Ranger: Wright, 2019, github.com/lessw2020/Ranger-Deep-Learning-Optimizer: RAdam inside Lookahead.

    g <- g minus the mean of its row (gradient centralization, arXiv:2004.01461);  RAdam's step (radam.py) with epsilon
    hat;  in every k-th step phi <- phi + alpha (theta - phi);  theta <- phi.
    """
    if centralise:
        g = centralised(g)
    theta, after = radam(
        theta,
        g,
        {key: state[key] for key in ("exp_avg", "exp_avg_sq")},
        t,
        lr=lr,
        betas=betas,
        eps=eps,
        weight_decay=weight_decay,
        threshold=threshold,
        eps_placement="hat",
        decoupled_weight_decay=decoupled_weight_decay,
    )
    theta, slow = followed(theta, state["slow_buffer"], t, update_period, alpha)
    return theta, {**after, "slow_buffer": slow}


FOLLOWED = [
    "phi <- (phi + alpha (theta - phi) if mod(t, k) < 1 else phi)",
    "theta <- (phi if mod(t, k) < 1 else theta)",
]
_start_exempt = {
    "P15": "theta follows the slow weights from where it is, with its rounding",
    "P32": "in every k-th step theta goes back to where its slow weights are, decayed or not",
}


def _lookahead_lines(settings: Settings) -> list[str]:
    start = {"timm": "k", "torch_optimizer": "1"}.get(settings["slow_start"], "")
    due = "mod(t - 1, k) < 1" if start == "1" else "mod(t, k) < 1"
    follows = "phi + alpha (theta - phi)"
    if start:
        follows = f"(phi + alpha (theta - phi) if t > {start} else theta)"
    slow = f"phi <- ({follows} if {due} else phi)"
    return [
        *decay_lines(settings),
        "b <- mu b + g",
        "theta <- theta - lr b",
        slow,
        f"theta <- (phi if {due} else theta)",
    ]


def _ranger_lines(settings: Settings) -> list[str]:
    return [
        *(["g <- g - rowmean(g)"] if settings["centralise"] else []),
        *decay_lines(settings),
        *MOMENTS,
        "m^ = m / (1 - beta1^t)",
        "rho_inf = 2 / (1 - beta2) - 1",
        "rho = rho_inf - 2 t beta2^t / (1 - beta2^t)",
        "r = sqrt(max((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho), 0))",
        "u = r sqrt(1 - beta2^t) m^ / (sqrt(v) + eps)",
        f"theta <- theta - lr (u if rho > {settings['threshold']:g} else m^)",
        *FOLLOWED,
    ]


FAMILY = Family(
    name="lookahead",
    title="Lookahead (SGD)",
    source="Zhang, Lucas, Hinton & Ba, NeurIPS 2019, arXiv:1907.08610, Algorithm 1, over SGD with momentum",
    formula=lookahead,
    state=lambda settings: {},
    initial=lambda settings, theta: {"momentum_buffer": theta * 0.0, "slow_buffer": theta},
    lines=_lookahead_lines,
    symbols={"momentum_buffer": "b", "slow_buffer": "phi"},
    dialects={
        "paper": {"lr": 0.1},
        "timm": {"lr": 0.1, "update_period": 6, "slow_start": "timm"},
        "torch_optimizer": {"lr": 0.1, "slow_start": "torch_optimizer"},
    },
    exempt=_start_exempt,
    choices={"slow_start": ("paper", "timm", "torch_optimizer")},
    matters={
        "update_period": ({}, 2),
        "alpha": ({"update_period": 2}, 0.8),
        "slow_start": ({"update_period": 2}, None),
    },
)

FAMILY_RANGER = Family(
    name="ranger",
    title="Ranger",
    source="Wright, 2019, github.com/lessw2020/Ranger-Deep-Learning-Optimizer: RAdam (arXiv:1908.03265) inside "
    "Lookahead (arXiv:1907.08610), with gradient centralization (arXiv:2004.01461)",
    formula=ranger,
    state=lambda settings: {},
    initial=lambda settings, theta: {"exp_avg": theta * 0.0, "exp_avg_sq": theta * 0.0, "slow_buffer": theta},
    lines=_ranger_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v", "slow_buffer": "phi"},
    dialects={"paper": {"lr": 1e-3}},
    exempt={
        **_start_exempt,
        "P3": "a row's gradient loses the mean of its row, whose sum is rounded in another order",
        "P4": "a row's gradient loses the mean of its row, which another shape does not have",
        "P31": "the mean of the row is taken from the gradient before the decay is added",
    },
    elementwise=False,
    example_shape=(2, 2),
    roundings=2.0,
    matters={
        "update_period": ({}, 2),
        "alpha": ({}, 0.8),
        "centralise": ({}, False),
        "threshold": ({"threshold": 4.0, "betas": (0.9, 0.9)}, 5.0),
    },
)
