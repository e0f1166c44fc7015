"""Rates from distances: DoG and DoWG, from how far theta has come; MADGRAD and COCOB, which start from where it was.

Next: prodigy.py.
"""

from __future__ import annotations

from .family import Family, Settings, decay_lines
from .numbers import Number, State, cbrt, either, maximum, mean, norm, sqrt

_coupled = {
    "P3": "the rate comes from sums, which are rounded in another order when elements are permuted",
    "P4": "the rate comes from all elements together",
    "P5": "the rate comes from all parameters together",
    "P6": "the rate comes from all parameters together",
    "P15": "how far theta is from where it started is measured where it stands, with its rounding",
    "P16": "lr changes how far theta has come, and so the rate",
}
_from_the_start = {
    "P11": "theta is made anew from where it started, with its rounding, whatever lr is",
    "P12": "theta is made anew from where it started, with its rounding",
    "P15": "theta is made anew from where it started, with its rounding",
}


def dog(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    initial_distance: Number = 1e-6,
) -> tuple[Number, State]:
    """DoG: Ivgi, Hinder & Carmon, ICML 2023, arXiv:2302.12022, equation 2.

    d <- max(d, |theta - theta_0|);  G <- G + |g|^2;  theta <- theta - lr d / sqrt(G + eps) g, with Euclidean norms of
    all parameters; d starts from r (1 + |theta_0|), r being `initial_distance`. Weight decay is coupled.
    """
    g = g + weight_decay * theta if weight_decay else g
    d = maximum(state["d"], norm(state["p0"] - theta))
    squares = state["G"] + norm(g) * norm(g)
    return theta - lr * (d / sqrt(squares + eps)) * g, {"p0": state["p0"], "d": d, "G": squares}


def dowg(
    theta: Number, g: Number, state: State, t: int, *, lr: Number, eps: Number = 1e-4, weight_decay: Number = 0.0
) -> tuple[Number, State]:
    """DoWG: Khaled, Mishchenko & Jin, NeurIPS 2023, arXiv:2305.16284, Algorithm 1.

    D <- max(D, |theta - theta_0|^2);  G <- G + D |g|^2;  theta <- theta - lr D / (sqrt(G) + eps) g; D starts from eps.
    """
    g = g + weight_decay * theta if weight_decay else g
    far = norm(state["p0"] - theta)
    d = maximum(state["D"], far * far)
    squares = state["G"] + d * (norm(g) * norm(g))
    return theta - lr * (d / (sqrt(squares) + eps)) * g, {"p0": state["p0"], "D": d, "G": squares}


def madgrad(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.9,
    eps: Number = 1e-6,
    weight_decay: Number = 0.0,
    eps_in_rate: bool = False,
) -> tuple[Number, State]:
    """MADGRAD: Defazio & Jelassi, JMLR 23 (2022), arXiv:2101.11075, Algorithm 1; momentum is its 1 - c.

    rate = lr sqrt(t);  s <- s + rate g;  v <- v + rate g^2;  z = theta_0 - s / (cbrt(v) + eps);
    theta <- momentum theta + (1 - momentum) z. `eps_in_rate`: lr + eps for lr (the authors' code, optax).
    """
    g = g + weight_decay * theta if weight_decay else g
    rate = (lr + eps if eps_in_rate else lr) * sqrt((1 + 0 * lr) * t)
    s, v = state["s"] + rate * g, state["grad_sum_sq"] + rate * (g * g)
    moved = s / (cbrt(v) + eps)
    z = state["p0"] - moved
    if not momentum:  # theta_0 may be computed from theta, s and v, and not kept (the authors)
        z = either(z, theta + state["s"] / (cbrt(state["grad_sum_sq"]) + eps) - moved)
    return momentum * theta + (1 - momentum) * z, {"p0": state["p0"], "s": s, "grad_sum_sq": v}


def cocob(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    alpha: Number = 100.0,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
) -> tuple[Number, State]:
    """COCOB: Orabona & Tommasi, NeurIPS 2017, arXiv:1705.07795, Algorithm 2; the gradients are multiplied by lr.

    L <- max(L, |g|);  G <- G + |g|;  R <- max(R - g (theta - theta_0), 0);  C <- C - g;
    theta <- theta_0 + C / (L max(G + L, alpha L)) (L + R); L starts from eps.
    """
    g = lr * (g + weight_decay * theta if weight_decay else g)
    start = state["p0"]
    scale, sizes, total_g = maximum(state["L"], abs(g)), state["G"] + abs(g), state["C"] - g
    reward = maximum(state["R"] - g * (theta - start), 0 * g)
    after = {"p0": start, "L": scale, "G": sizes, "R": reward, "C": total_g}
    return start + total_g / (scale * maximum(sizes + scale, alpha * scale)) * (scale + reward), after


def _dog_start(settings: Settings, theta: Number) -> State:
    zero = mean(theta * 0.0)
    return {"p0": theta, "d": settings["initial_distance"] * (1 + norm(theta)), "G": zero}


def _dowg_start(settings: Settings, theta: Number) -> State:
    zero = mean(theta * 0.0)
    return {"p0": theta, "D": zero + settings["eps"], "G": zero}


def _madgrad_start(settings: Settings, theta: Number) -> State:
    return {"p0": theta, "s": theta * 0.0, "grad_sum_sq": theta * 0.0}


def _cocob_start(settings: Settings, theta: Number) -> State:
    zero = theta * 0.0
    return {"p0": theta, "L": zero + settings["eps"], "G": zero, "R": zero, "C": zero}


FAMILY_DOG = Family(
    name="dog",
    title="DoG",
    source="Ivgi, Hinder & Carmon, ICML 2023, arXiv:2302.12022, equation 2",
    formula=dog,
    state=lambda settings: {},
    initial=_dog_start,
    lines=lambda settings: [
        *decay_lines(settings),
        "d <- max(d, norm(theta_0 - theta))",
        "G <- G + norm(g)^2",
        "theta <- theta - lr d / sqrt(G + eps) g",
    ],
    symbols={"p0": "theta_0", "d": "d", "G": "G"},
    dialects={"paper": {"lr": 1.0}, "optax": {"lr": 1.0}},
    exempt=_coupled,
    elementwise=False,
    coupled=True,
    roundings=2.0,
)

FAMILY_DOWG = Family(
    name="dowg",
    title="DoWG",
    source="Khaled, Mishchenko & Jin, NeurIPS 2023, arXiv:2305.16284, Algorithm 1",
    formula=dowg,
    state=lambda settings: {},
    initial=_dowg_start,
    lines=lambda settings: [
        *decay_lines(settings),
        "D <- max(D, norm(theta_0 - theta)^2)",
        "G <- G + D norm(g)^2",
        "theta <- theta - lr D / (sqrt(G) + eps) g",
    ],
    symbols={"p0": "theta_0", "D": "D", "G": "G"},
    dialects={"paper": {"lr": 1.0}, "optax": {"lr": 1.0}},
    remarks={"paper": "names no epsilon; optax's is taken here, which is its first D, too"},
    exempt=_coupled,
    elementwise=False,
    coupled=True,
    roundings=2.0,
)

FAMILY_MADGRAD = Family(
    name="madgrad",
    iterations=True,
    title="MADGRAD",
    source="Defazio & Jelassi, JMLR 23 (2022), arXiv:2101.11075, Algorithm 1",
    formula=madgrad,
    state=lambda settings: {},
    initial=_madgrad_start,
    lines=lambda settings: [
        *decay_lines(settings),
        f"rate = {'(lr + eps)' if settings['eps_in_rate'] else 'lr'} sqrt(t)",
        "s <- s + rate g",
        "v <- v + rate g^2",
        "z = theta_0 - s / (cbrt(v) + eps)",
        "theta <- mu theta + (1 - mu) z",
    ],
    symbols={"p0": "theta_0", "s": "s", "grad_sum_sq": "v"},
    dialects={"paper": {"lr": 1e-2}, "optax": {"lr": 1e-2, "eps_in_rate": True}},
    remarks={"optax": "has no default rate; the paper's is taken here"},
    exempt={**_from_the_start, "P16": "the rate stands under a cube root"},
)

FAMILY_COCOB = Family(
    name="cocob",
    title="COCOB",
    source="Orabona & Tommasi, NeurIPS 2017, arXiv:1705.07795, Algorithm 2",
    formula=cocob,
    state=lambda settings: {},
    initial=_cocob_start,
    lines=lambda settings: [
        *decay_lines(settings),
        "g <- lr g",
        "L <- max(L, abs(g))",
        "G <- G + abs(g)",
        "R <- max(R - g (theta - theta_0), 0)",
        "C <- C - g",
        "theta <- theta_0 + C / (L max(G + L, alpha L)) (L + R)",
    ],
    symbols={"p0": "theta_0", "L": "L", "G": "G", "R": "R", "C": "C"},
    dialects={"paper": {"lr": 1.0}, "optax": {"lr": 1.0}},
    remarks={"paper": "names no rate, and starts from L = 0"},
    exempt={**_from_the_start, "P16": "without a rate in the rule, its steps do not scale with one"},
)
