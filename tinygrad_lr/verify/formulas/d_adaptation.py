"""D-Adaptation: gradient descent, AdaGrad and Adam whose rate is the distance to the solution, estimated on the way.

Next: sophia.py. Prodigy (prodigy.py) comes from the same authors.
"""

from __future__ import annotations

from .family import Family, Settings, decay_lines
from .numbers import Number, State, maximum, mean, minimum, norm, ratio, sqrt, total, where

SOURCE = "Defazio & Mishchenko, ICML 2023, arXiv:2301.07733"
_coupled = {
    "P3": "the distance is estimated from sums, which are rounded in another order when elements are permuted",
    "P4": "the distance is estimated from all elements together",
    "P5": "the distance is estimated from all parameters together",
    "P6": "the distance is estimated from all parameters together",
    "P15": "theta is made anew from where it started, with its rounding",
    "P16": "the rate changes how far theta comes, and so the estimated distance",
}
_from_the_start = {
    "P11": "theta is made anew from where it started, with its rounding, whatever lr is",
    "P12": "theta is made anew from where it started, with its rounding",
}


def _grown(d: Number, estimate: Number, growth_rate: Number) -> Number:
    """max(d, min(estimate, d growth)), without a limit where the growth is 0."""
    return maximum(d, minimum(estimate, d * growth_rate) if growth_rate else estimate)


def dadapt_sgd(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.9,
    weight_decay: Number = 0.0,
    initial_distance: Number = 1e-6,
    growth_rate: Number = 0.0,
) -> tuple[Number, State]:
    """D-Adapted SGD: Defazio & Mishchenko, ICML 2023, arXiv:2301.07733, Algorithm 4.

    gamma = lr d / |g_0|;  r <- r + gamma <g, s>;  s <- s + gamma g;  d <- max(d, 2 r / |s|);  z = theta_0 - s;
    theta <- mu theta + (1 - mu) z, with Euclidean norms of all parameters; g_0 is the first gradient that is not 0, and
    nothing moves before it. `growth_rate` above 0: d grows by that factor at most in a step. Weight decay is coupled.
    """
    g = g + weight_decay * theta if weight_decay else g
    start, d = state["x0"], state["d"]
    first = where(state["g0_norm"] > 0, state["g0_norm"], norm(g))
    gamma = ratio(lr * d, first, 0.0)
    r = state["numerator"] + gamma * total(g * state["s"])
    s = state["s"] + gamma * g
    d = _grown(d, ratio(2 * maximum(r, 0.0), norm(s), 0.0), growth_rate)
    theta = momentum * theta + (1 - momentum) * (start - s)
    return theta, {"s": s, "x0": start, "d": d, "numerator": r, "g0_norm": first}


def dadapt_adagrad(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.0,
    eps: Number = 0.0,
    weight_decay: Number = 0.0,
    initial_distance: Number = 1e-6,
    growth_rate: Number = 0.0,
    initial_accumulator_value: Number = 1e-6,
) -> tuple[Number, State]:
    """D-Adapted AdaGrad: Defazio & Mishchenko, ICML 2023, arXiv:2301.07733, Algorithm 3, with the authors' start.

    gamma = lr d;  a <- a + g^2;  A = sqrt(a) + eps;  s <- s + gamma g;  q <- q + gamma^2 sum(g^2 / A);
    d <- max(d, (sum(s^2 / A) - q) / |s|_1);  z = theta_0 - s / A;  theta <- mu theta + (1 - mu) z.
    Sums are of all parameters. `growth_rate` above 0: d grows by that factor at most in a step.
    """
    g = g + weight_decay * theta if weight_decay else g
    start, d = state["x0"], state["d"]
    gamma = lr * d
    a = state["alphak"] + g * g
    below = sqrt(a) + eps
    s = state["sk"] + gamma * g
    q = state["gsq"] + gamma * gamma * total(g * g / below)
    size = total(abs(s))
    d = _grown(d, ratio(maximum(total(s * s / below) - q, 0.0), size, 0.0), growth_rate)
    theta = momentum * theta + (1 - momentum) * (start - s / below)
    return theta, {"alphak": a, "sk": s, "x0": start, "d": d, "gsq": q}


def dadapt_adam(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    initial_distance: Number = 1e-6,
    growth_rate: Number = 0.0,
    bias_correction: bool = False,
    weighting: str = "after",
    decoupled_weight_decay: bool = False,
) -> tuple[Number, State]:
    """D-Adapted Adam: Defazio & Mishchenko, ICML 2023, arXiv:2301.07733, Algorithm 5.

    gamma = lr d;  m <- beta1 m + (1 - beta1) gamma g;  v <- beta2 v + (1 - beta2) g^2;
    r <- sqrt(beta2) r + (1 - sqrt(beta2)) gamma <g, s / (sqrt(v) + eps)>;
    s <- sqrt(beta2) s + (1 - sqrt(beta2)) gamma g;  d <- max(d, r / ((1 - sqrt(beta2)) |s|_1));
    theta <- theta - m / (sqrt(v) + eps). Sums are of all parameters.
    `weighting="before"`: r is weighted by the v of the step before (the authors' code). `bias_correction`: gamma =
    lr d sqrt(1 - beta2^t) / (1 - beta1^t). Decoupled decay: theta loses gamma lambda theta.
    """
    beta1, beta2 = betas
    if weight_decay and not decoupled_weight_decay:
        g = g + weight_decay * theta
    d = state["d"]
    gamma = lr * d
    if bias_correction:
        gamma = gamma * (sqrt(1 - beta2**t) / (1 - beta1**t))
    kept = sqrt(beta2)
    m = beta1 * state["exp_avg"] + (1 - beta1) * (gamma * g)
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    below = sqrt(v) + eps
    weights = below if weighting == "after" else sqrt(state["exp_avg_sq"]) + eps
    r = kept * state["numerator"] + (1 - kept) * (gamma * total(g * (state["s"] / weights)))
    s = kept * state["s"] + (1 - kept) * (gamma * g)
    d = _grown(d, ratio(maximum(r, 0.0), (1 - kept) * total(abs(s)), 0.0), growth_rate)
    if weight_decay and decoupled_weight_decay:
        theta = theta - weight_decay * gamma * theta
    return theta - m / below, {"exp_avg": m, "exp_avg_sq": v, "s": s, "d": d, "numerator": r}


def _scalars(settings: Settings, theta: Number, *names: str) -> State:
    zero = mean(theta * 0.0)
    return {"d": zero + settings["initial_distance"], **dict.fromkeys(names, zero)}


def _sgd_start(settings: Settings, theta: Number) -> State:
    return {"s": theta * 0.0, "x0": theta, **_scalars(settings, theta, "numerator", "g0_norm")}


def _adagrad_start(settings: Settings, theta: Number) -> State:
    zero = theta * 0.0
    return {
        "alphak": zero + settings["initial_accumulator_value"],
        "sk": zero,
        "x0": theta,
        **_scalars(settings, theta, "gsq"),
    }


def _adam_start(settings: Settings, theta: Number) -> State:
    zero = theta * 0.0
    return {"exp_avg": zero, "exp_avg_sq": zero, "s": zero, **_scalars(settings, theta, "numerator")}


def _growth(settings: Settings, estimate: str, unless: str) -> str:
    grown = f"min({estimate}, rho d)" if settings["growth_rate"] else estimate
    return f"d <- (max(d, {grown}) if {unless} > 0 else d)"


def _sgd_lines(settings: Settings) -> list[str]:
    return [
        *decay_lines(settings),
        "G <- (G if G > 0 else norm(g))",
        "gamma = (lr d / G if G > 0 else 0)",
        "r <- r + gamma total(g s)",
        "s <- s + gamma g",
        _growth(settings, "2 r / norm(s)", "norm(s)"),
        "theta <- mu theta + (1 - mu) (theta_0 - s)",
    ]


def _adagrad_lines(settings: Settings) -> list[str]:
    return [
        *decay_lines(settings),
        "gamma = lr d",
        "a <- a + g^2",
        "A = sqrt(a) + eps" if settings["eps"] else "A = sqrt(a)",
        "s <- s + gamma g",
        "q <- q + gamma^2 total(g^2 / A)",
        _growth(settings, "(total(s^2 / A) - q) / total(abs(s))", "total(abs(s))"),
        "theta <- mu theta + (1 - mu) (theta_0 - s / A)",
    ]


def _adam_lines(settings: Settings) -> list[str]:
    decay, decoupled = settings["weight_decay"], settings["decoupled_weight_decay"]
    correction = " sqrt(1 - beta2^t) / (1 - beta1^t)" if settings["bias_correction"] else ""
    before = settings["weighting"] == "before"
    weighted = "r <- sqrt(beta2) r + (1 - sqrt(beta2)) gamma total(g s / (sqrt(v) + eps))"
    return [
        *(["g <- g + lambda theta"] if decay and not decoupled else []),
        f"gamma = lr d{correction}",
        *([weighted] if before else []),
        "m <- beta1 m + (1 - beta1) gamma g",
        "v <- beta2 v + (1 - beta2) g^2",
        *([] if before else [weighted]),
        "s <- sqrt(beta2) s + (1 - sqrt(beta2)) gamma g",
        _growth(settings, "r / ((1 - sqrt(beta2)) total(abs(s)))", "total(abs(s))"),
        f"theta <- theta{' - gamma lambda theta' if decay and decoupled else ''} - m / (sqrt(v) + eps)",
    ]


FAMILY = Family(
    name="dadapt_sgd",
    title="D-Adapted SGD",
    source=f"{SOURCE}, Algorithm 4",
    formula=dadapt_sgd,
    state=lambda settings: {},
    initial=_sgd_start,
    lines=_sgd_lines,
    symbols={"s": "s", "x0": "theta_0", "d": "d", "numerator": "r", "g0_norm": "G"},
    dialects={"paper": {"lr": 1.0}},
    exempt={**_coupled, **_from_the_start},
    elementwise=False,
    coupled=True,
    roundings=3.0,
    matters={"growth_rate": ({"initial_distance": 1e-3}, 1.02)},
)

FAMILY_ADAGRAD = Family(
    name="dadapt_adagrad",
    title="D-Adapted AdaGrad",
    source=f"{SOURCE}, Algorithm 3",
    formula=dadapt_adagrad,
    state=lambda settings: {},
    initial=_adagrad_start,
    lines=_adagrad_lines,
    symbols={"alphak": "a", "sk": "s", "x0": "theta_0", "d": "d", "gsq": "q"},
    dialects={"paper": {"lr": 1.0}},
    remarks={"paper": "starts a from G_inf^2; the authors' code from 1e-6, which is taken here"},
    exempt={**_coupled, **_from_the_start},
    elementwise=False,
    coupled=True,
    roundings=3.0,
    matters={"growth_rate": ({"initial_distance": 1e-3}, 1.02)},
)

FAMILY_ADAM = Family(
    name="dadapt_adam",
    title="D-Adapted Adam",
    source=f"{SOURCE}, Algorithm 5",
    formula=dadapt_adam,
    state=lambda settings: {},
    initial=_adam_start,
    lines=_adam_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v", "s": "s", "d": "d", "numerator": "r"},
    dialects={"paper": {"lr": 1.0}, "authors": {"lr": 1.0, "weighting": "before"}},
    remarks={"authors": "weigh the numerator by the second moment before its update"},
    exempt={**_coupled, "P32": "the decay is multiplied by the estimated distance, too"},
    elementwise=False,
    coupled=True,
    roundings=3.0,
    choices={"weighting": ("after", "before")},
    matters={"growth_rate": ({"initial_distance": 1e-3}, 1.02), "weighting": ({}, None)},
)
