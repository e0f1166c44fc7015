"""CAME: Adafactor whose step is divided by its own instability. Next: d_adaptation.py."""

from __future__ import annotations

from .adafactor import OF_ROWS
from .family import Family, Settings
from .numbers import Number, State, dimensions, maximum, mean, rms, sqrt


def came(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number, Number] = (0.9, 0.999, 0.9999),
    epsilons: tuple[Number, Number] = (1e-30, 1e-16),
    clip_threshold: Number = 1.0,
    weight_decay: Number = 0.0,
) -> tuple[Number, State]:
    """CAME: Luo et al., ACL 2023, arXiv:2307.02047, Algorithm 2.

    R, C <- averages (beta2) of the row means and column means of g^2 + eps1;  u = g / sqrt(R C / mean(R));
    u = u / max(1, rms(u) / d);  m <- beta1 m + (1 - beta1) u;  R', C' <- averages (beta3) of those of
    (u - m)^2 + eps2;  theta <- theta - lr m / sqrt(R' C' / mean(R')). The paper's sums are means here, which is the
    same. A vector keeps v itself, and takes m as its step (the authors' code). Decay: theta loses lr lambda theta.
    """
    beta1, beta2, beta3 = betas
    eps1, eps2 = epsilons
    if weight_decay:
        theta = (1 - lr * weight_decay) * theta
    square = g * g + eps1
    if dimensions(theta) < 2:
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * square
        u, after = g / sqrt(v), {"exp_avg_sq": v}
    else:
        row = beta2 * state["exp_avg_sq_row"] + (1 - beta2) * mean(square, -1)
        column = beta2 * state["exp_avg_sq_col"] + (1 - beta2) * mean(square, -2)
        u = g / (sqrt(row / mean(row, -2)) * sqrt(column))
        after = {"exp_avg_sq_row": row, "exp_avg_sq_col": column}
    u = u / maximum(rms(u) / clip_threshold, 1.0)
    m = beta1 * state["exp_avg"] + (1 - beta1) * u
    step = m
    if dimensions(theta) >= 2:
        instability = (u - m) * (u - m) + eps2
        row = beta3 * state["exp_avg_res_row"] + (1 - beta3) * mean(instability, -1)
        column = beta3 * state["exp_avg_res_col"] + (1 - beta3) * mean(instability, -2)
        step = m / (sqrt(row / mean(row, -2)) * sqrt(column))
        after |= {"exp_avg_res_row": row, "exp_avg_res_col": column}
    return theta - lr * step, {**after, "exp_avg": m}


def _start(settings: Settings, theta: Number) -> State:
    zero = theta * 0.0
    if dimensions(theta) < 2:
        return {"exp_avg_sq": zero, "exp_avg": zero}
    rows, columns = mean(zero, -1), mean(zero, -2)
    return {
        "exp_avg_sq_row": rows,
        "exp_avg_sq_col": columns,
        "exp_avg_res_row": rows,
        "exp_avg_res_col": columns,
        "exp_avg": zero,
    }


FAMILY = Family(
    name="came",
    title="CAME",
    source="Luo et al., ACL 2023, arXiv:2307.02047, Algorithm 2",
    formula=came,
    state=lambda settings: {"exp_avg_sq": 0.0, "exp_avg": 0.0},
    initial=_start,
    lines=lambda settings: [
        *(["theta <- (1 - lr lambda) theta"] if settings["weight_decay"] else []),
        "R <- beta2 R + (1 - beta2) rowmean(g^2 + eps1)",
        "C <- beta2 C + (1 - beta2) colmean(g^2 + eps1)",
        "u = g / sqrt(R C / mean(R))",
        "u = u / max(rms(u) / d, 1)",
        "m <- beta1 m + (1 - beta1) u",
        "Rr <- beta3 Rr + (1 - beta3) rowmean((u - m)^2 + eps2)",
        "Cr <- beta3 Cr + (1 - beta3) colmean((u - m)^2 + eps2)",
        "theta <- theta - lr m / sqrt(Rr Cr / mean(Rr))",
    ],
    symbols={
        "exp_avg_sq_row": "R",
        "exp_avg_sq_col": "C",
        "exp_avg_res_row": "Rr",
        "exp_avg_res_col": "Cr",
        "exp_avg_sq": "v",
        "exp_avg": "m",
    },
    dialects={"paper": {"lr": 2e-4}},
    exempt={"P3": OF_ROWS, "P4": f"{OF_ROWS}, which another shape does not have", "P31": "the decay shrinks theta"},
    elementwise=False,
    example_shape=(2, 2),
    roundings=3.0,
    matters={"epsilons": ({"lr": 0.3}, (0.5, 2.0))},
)
