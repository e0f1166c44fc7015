"""LAMB and LARS: a step as long as a share of the parameter it is for. Next: asgd.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, norm, ratio, sqrt

NOT_ELEMENTWISE = "the step depends on the norms of the whole parameter"
_exempt = {
    "P3": f"{NOT_ELEMENTWISE}, whose sums are rounded in another order when elements are permuted",
    "P4": f"{NOT_ELEMENTWISE}, and changes where that is split",
    "P15": "the step is proportional to the norm of theta",
    "P16": "the step depends on the norm of theta, which the rate changes",
    "P31": "the decay is added to the scaled step, not to the gradient",
}


def lamb(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-6,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    decay_placement: str = "inside",
) -> tuple[Number, State]:
    """LAMB: You et al., ICLR 2020, arXiv:1904.00962, Algorithm 2, with phi the identity.

    m, v, m^, v^ as Adam's;  r = m^ / (sqrt(v^) + eps) + weight_decay theta;
    theta <- theta - lr |theta| / |r| r, with Euclidean norms of the whole parameter; the ratio is 1 where either is 0.
    `decay_placement="outside"` of the ratio: theta <- (1 - lr weight_decay) theta first (keras).
    """
    beta1, beta2 = betas
    g = -g if maximize else g
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    if weight_decay and decay_placement == "outside":
        theta = (1 - lr * weight_decay) * theta
    r = m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)
    if weight_decay and decay_placement == "inside":
        r = r + weight_decay * theta
    return theta - lr * ratio(norm(theta), norm(r), 1.0) * r, {"exp_avg": m, "exp_avg_sq": v}


def lars(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.9,
    weight_decay: Number = 0.0,
    trust_coefficient: Number = 0.001,
    maximize: bool = False,
    trust_form: str = "paper",
) -> tuple[Number, State]:
    """LARS: You, Gitman & Ginsburg, arXiv:1708.03888, Algorithm 1.

    rate = kappa |theta| / (|g| + weight_decay |theta|);  b <- mu b + lr rate (g + weight_decay theta);
    theta <- theta - b, with Euclidean norms of the whole parameter.
    `trust_form="optax"`: rate = kappa |theta| / |g + weight_decay theta|, and 1 where either norm is 0 (in the paper a
    parameter that is 0 stays there).
    """
    g = -g if maximize else g
    r = g + weight_decay * theta if weight_decay else g
    if trust_form == "paper":
        size = norm(theta)
        rate = ratio(trust_coefficient * size, norm(g) + weight_decay * size if weight_decay else norm(g), 0.0)
    else:
        rate = ratio(trust_coefficient * norm(theta), norm(r), 1.0)
    step = lr * rate * r
    if not momentum:
        return theta - step, {}
    b = momentum * state["momentum_buffer"] + step
    return theta - b, {"momentum_buffer": b}


def _lamb_lines(settings: Settings) -> list[str]:
    place = settings["decay_placement"] if settings["weight_decay"] else ""
    return [
        *(["g <- -g"] if settings["maximize"] else []),
        "m <- beta1 m + (1 - beta1) g",
        "v <- beta2 v + (1 - beta2) g^2",
        "m^ = m / (1 - beta1^t)",
        "v^ = v / (1 - beta2^t)",
        *(["theta <- (1 - lr lambda) theta"] if place == "outside" else []),
        f"r = m^ / (sqrt(v^) + eps){' + lambda theta' if place == 'inside' else ''}",
        "phi = (norm(theta) / norm(r) if norm(theta) norm(r) > 0 else 1)",
        "theta <- theta - lr phi r",
    ]


def _lars_lines(settings: Settings) -> list[str]:
    decay = settings["weight_decay"]
    r = "r = g + lambda theta" if decay else "r = g"
    if settings["trust_form"] == "paper":
        below = "(norm(g) + lambda norm(theta))" if decay else "norm(g)"
        rate = f"rate = (kappa norm(theta) / {below} if norm(theta) > 0 else 0)"
    else:
        rate = "rate = (kappa norm(theta) / norm(r) if norm(theta) norm(r) > 0 else 1)"
    found = [*(["g <- -g"] if settings["maximize"] else []), r, rate]
    if not settings["momentum"]:
        return [*found, "theta <- theta - lr rate r"]
    return [*found, "b <- mu b + lr rate r", "theta <- theta - b"]


FAMILY = Family(
    name="lamb",
    title="LAMB",
    source="You et al., ICLR 2020, arXiv:1904.00962, Algorithm 2",
    formula=lamb,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    lines=_lamb_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    dialects={
        "paper": {"lr": 1e-3},
        "optax": {"lr": 1e-3},
        "keras": {"lr": 1e-3, "eps": 1e-7, "decay_placement": "outside"},
    },
    remarks={"optax": "has no default rate; 1e-3 is taken here"},
    exempt=_exempt,
    elementwise=False,
)

FAMILY_LARS = Family(
    name="lars",
    title="LARS",
    source="You, Gitman & Ginsburg, 2017, arXiv:1708.03888, Algorithm 1",
    formula=lars,
    state=lambda settings: {"momentum_buffer": 0.0} if settings["momentum"] else {},
    lines=_lars_lines,
    symbols={"momentum_buffer": "b"},
    dialects={"paper": {"lr": 0.1}, "optax": {"lr": 0.1, "trust_form": "optax"}},
    remarks={"optax": "has no default rate; 0.1 is taken here"},
    exempt=_exempt,
    elementwise=False,
)
