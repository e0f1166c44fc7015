"""NovoGrad and Fromage: gradients measured by the norm of a whole layer. Next: optimistic.py."""

from __future__ import annotations

from .family import Family
from .lamb import NOT_ELEMENTWISE
from .numbers import Number, State, maximum, norm, ratio, sqrt

_orders = {
    "P3": f"{NOT_ELEMENTWISE}, whose sums are rounded in another order when elements are permuted",
    "P4": f"{NOT_ELEMENTWISE}, and changes where that is split",
}


def novograd(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.95, 0.98),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    eps_root: Number = 0.0,
) -> tuple[Number, State]:
    """NovoGrad: Ginsburg et al., 2019, arXiv:1905.11286, Algorithm 1.

    v <- beta2 v + (1 - beta2) |g|^2, at first |g|^2;  m <- beta1 m + g / (sqrt(v) + eps) + lambda theta, at first
    without m;  theta <- theta - lr m.  The paper's norm is that of a layer, here of a parameter.
    """
    beta1, beta2 = betas
    size = norm(g)
    v = size * size if t == 1 else beta2 * state["exp_avg_sq"] + (1 - beta2) * (size * size)
    scaled = g / (sqrt(v + eps_root) + eps)
    scaled = scaled + weight_decay * theta if weight_decay else scaled
    m = scaled if t == 1 else beta1 * state["exp_avg"] + scaled
    return theta - lr * m, {"exp_avg": m, "exp_avg_sq": v}


def fromage(
    theta: Number, g: Number, state: State, t: int, *, lr: Number, min_norm: Number = 0.0
) -> tuple[Number, State]:
    """Fromage: Bernstein, Vahdat, Yue & Liu, NeurIPS 2020, arXiv:2002.03432, Algorithm 1.

    theta <- (theta - lr |theta| / |g| g) / sqrt(1 + lr^2), with Euclidean norms of the whole parameter; the quotient is
    1 where either norm is 0 (the authors' code). With `min_norm` no norm is smaller than that (optax).
    """
    size, size_of_g = (maximum(norm(x), min_norm) for x in (theta, g))
    shrunk = 1 / sqrt(1 + lr * lr)
    return shrunk * theta - lr * shrunk * (ratio(size, size_of_g, 1.0) * g), {}


FAMILY = Family(
    name="novograd",
    title="NovoGrad",
    source="Ginsburg et al., 2019, arXiv:1905.11286, Algorithm 1",
    formula=novograd,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    initial=lambda settings, theta: {"exp_avg": theta * 0.0, "exp_avg_sq": norm(theta * 0.0)},
    lines=lambda settings: [
        "v <- (beta2 v + (1 - beta2) norm(g)^2 if t > 1 else norm(g)^2)",
        f"u = g / (sqrt(v{' + eps_root' if settings['eps_root'] else ''}) + eps)"
        + (" + lambda theta" if settings["weight_decay"] else ""),
        "m <- (beta1 m + u if t > 1 else u)",
        "theta <- theta - lr m",
    ],
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    dialects={"paper": {"lr": 0.01}, "optax": {"lr": 0.01, "betas": (0.9, 0.25), "eps": 1e-6}},
    remarks={"optax": "has no default rate; 0.01 is taken here", "paper": "names no epsilon; 1e-8 is taken here"},
    exempt={**_orders, "P31": "the decay is added to the scaled gradient"},
    elementwise=False,
    roundings=2.0,
)

FAMILY_FROMAGE = Family(
    name="fromage",
    title="Fromage",
    source="Bernstein, Vahdat, Yue & Liu, NeurIPS 2020, arXiv:2002.03432, Algorithm 1",
    formula=fromage,
    state=lambda settings: {},
    lines=lambda settings: [
        *(
            ["phi = (norm(theta) / norm(g) if norm(theta) norm(g) > 0 else 1)"]
            if not settings["min_norm"]
            else ["phi = max(norm(theta), nu) / max(norm(g), nu)"]
        ),
        "theta <- (theta - lr phi g) / sqrt(1 + lr^2)",
    ],
    symbols={},
    dialects={"paper": {"lr": 0.01}, "optax": {"lr": 0.01, "min_norm": 1e-6}},
    remarks={"optax": "has no default rate; the paper's is taken here"},
    exempt={
        **_orders,
        "P12": "every step shrinks theta by 1 / sqrt(1 + lr^2)",
        "P15": "the step is proportional to the norm of theta",
        "P16": "the rate is no factor: theta is divided by sqrt(1 + lr^2)",
    },
    elementwise=False,
    roundings=2.0,
)
