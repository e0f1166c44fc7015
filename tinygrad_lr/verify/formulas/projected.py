"""SGDP and AdamP: what a step has along theta itself is taken out where the gradient has none. Next: cautious.py."""

from __future__ import annotations

from functools import partial

from .family import MOMENTS, Family, Settings, direction_lines
from .numbers import (
    Number,
    State,
    adam_direction,
    by_sign,
    dimensions,
    largest,
    maximum,
    norm,
    norm_of_rows,
    shape_of,
    sqrt,
    sum_of_rows,
    total,
)

_cosines = ("added", "clamped")
_remarks = {
    "paper": "has no epsilon in the cosine; that of the packages is taken here",
    "authors": "is the package adamp since 0.3: no norm in the cosine is smaller than epsilon",
}
SOURCE = "Heo et al., ICLR 2021, arXiv:2006.08217"
_exempt = {
    "P3": "the projection is by norms of rows, whose sums are rounded in another order",
    "P4": "the projection is by rows, which another shape does not have",
    "P15": "the step depends on how it lies to theta",
    "P16": "the step depends on how it lies to theta, which the rate changes",
    "P31": "the decay shrinks theta",
}


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def projected(
    theta: Number, g: Number, step: Number, delta: Number, wd_ratio: Number, eps: Number, cosine_form: str
) -> tuple[Number, Number]:
    """The step without its part along theta, and the share of the decay, where g is nearly orthogonal to theta.

    By rows if the cosine of each row is below delta / sqrt(its length), else of the whole parameter if its cosine is
    below delta / sqrt(the number of elements), else the step as it is. A vector has no projection. `cosine_form`: in
    the cosine's divisor eps is "added" to each norm, or each is "clamped" to it (the authors' code since 0.3).
    """
    if dimensions(theta) < 2 or 0 in shape_of(theta):
        return step, 1.0
    shape = shape_of(theta)
    one = 1 + 0 * delta
    along = partial(_along, theta, g, step, wd_ratio=wd_ratio, eps=eps, clamped=cosine_form == "clamped")
    whole = along(norm, total, delta / sqrt(one * _count(shape)), (step, one))
    return along(norm_of_rows, sum_of_rows, delta / sqrt(one * _count(shape[1:])), whole)


def _along(theta, g, step, size, summed, limit, otherwise, *, wd_ratio, eps, clamped):  # type: ignore[no-untyped-def]
    if clamped:
        cosine = abs(summed(theta * g)) / maximum(size(g), eps) / maximum(size(theta), eps)
    else:
        cosine = abs(summed(theta * g)) / (size(g) + eps) / (size(theta) + eps)
    unit = theta / (size(theta) + eps)
    without = step - unit * summed(unit * step)
    below = _all_below(cosine, limit)
    return by_sign(below, otherwise[0], otherwise[0], without), by_sign(below, otherwise[1], otherwise[1], wd_ratio)


def _all_below(cosine: Number, limit: Number) -> Number:
    """A number that is positive where every cosine is below the limit."""
    for axis in range(dimensions(cosine)):
        cosine = largest(cosine, axis)
    return limit - cosine


def sgdp(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.9,
    dampening: Number = 0.0,
    weight_decay: Number = 0.0,
    nesterov: bool = False,
    delta: Number = 0.1,
    wd_ratio: Number = 0.1,
    eps: Number = 1e-8,
    cosine_form: str = "added",
) -> tuple[Number, State]:
    """SGDP: Heo et al., ICLR 2021, arXiv:2006.08217, Algorithm 1.

    b <- mu b + (1 - tau) g;  u = b (Nesterov: g + mu b), without its part along theta where g is nearly orthogonal to
    theta (`projected`);  theta <- (1 - lr lambda w / (1 - mu)) theta - lr u; w is `wd_ratio` where projected, else 1.
    """
    b = momentum * state["momentum_buffer"] + (1 - dampening) * g
    u = g + momentum * b if nesterov else b
    u, share = projected(theta, g, u, delta, wd_ratio, eps, cosine_form)
    if weight_decay:
        theta = theta * (1 - lr * weight_decay * share / (1 - momentum))
    return theta - lr * u, {"momentum_buffer": b}


def adamp(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    delta: Number = 0.1,
    wd_ratio: Number = 0.1,
    nesterov: bool = False,
    eps_placement: str = "outside",
    cosine_form: str = "added",
) -> tuple[Number, State]:
    """AdamP: Heo et al., ICLR 2021, arXiv:2006.08217, Algorithm 2.

    u is Adam's direction (Nesterov: with beta1 m + (1 - beta1) g for m), without its part along theta where g is nearly
    orthogonal to theta (`projected`);  theta <- (1 - lr lambda w) theta - lr u, w being `wd_ratio` where projected.
    """
    beta1, beta2 = betas
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    u = adam_direction(beta1 * m + (1 - beta1) * g if nesterov else m, v, betas, t, eps, eps_placement)
    u, share = projected(theta, g, u, delta, wd_ratio, eps, cosine_form)
    if weight_decay:
        theta = theta * (1 - lr * weight_decay * share)
    return theta - lr * u, {"exp_avg": m, "exp_avg_sq": v}


def _projection_lines(settings: Settings, decay: str) -> list[str]:
    size = "max({}, eps)" if settings["cosine_form"] == "clamped" else "({} + eps)"
    g, theta, rows_of_g, rows_of_theta = (
        size.format(each) for each in ("norm(g)", "norm(theta)", "rownorm(g)", "rownorm(theta)")
    )
    return [
        f"a = abs(total(theta g)) / {g} / {theta}",
        "n = theta / (norm(theta) + eps)",
        "q = (u - n total(n u) if a < delta / sqrt(rows(g) columns(g)) else u)",
        "w = (wd_ratio if a < delta / sqrt(rows(g) columns(g)) else 1)",
        f"A = colmax(abs(rowsum(theta g)) / {rows_of_g} / {rows_of_theta})",
        "N = theta / (rownorm(theta) + eps)",
        "q = (u - N rowsum(N u) if A < delta / sqrt(columns(g)) else q)",
        "w = (wd_ratio if A < delta / sqrt(columns(g)) else w)",
        *([f"theta <- theta (1 - lr lambda w{decay})"] if settings["weight_decay"] else []),
        "theta <- theta - lr q",
    ]


def _sgdp_lines(settings: Settings) -> list[str]:
    g = "(1 - tau) g" if settings["dampening"] else "g"
    return [
        f"b <- mu b + {g}",
        "u = g + mu b" if settings["nesterov"] else "u = b",
        *_projection_lines(settings, " / (1 - mu)"),
    ]


def _adamp_lines(settings: Settings) -> list[str]:
    moment = "(beta1 m + (1 - beta1) g)" if settings["nesterov"] else "m"
    return [*MOMENTS, *direction_lines(settings, m=moment), *_projection_lines(settings, "")]


FAMILY = Family(
    name="sgdp",
    title="SGDP",
    source=f"{SOURCE}, Algorithm 1",
    formula=sgdp,
    state=lambda settings: {"momentum_buffer": 0.0},
    lines=_sgdp_lines,
    symbols={"momentum_buffer": "b"},
    dialects={"paper": {"lr": 0.1}, "authors": {"lr": 0.1, "cosine_form": "clamped"}},
    remarks=_remarks,
    choices={"cosine_form": _cosines},
    exempt=_exempt,
    elementwise=False,
    example_shape=(2, 2),
    roundings=3.0,
    matters={
        "delta": ({}, 100.0),
        "wd_ratio": ({"weight_decay": 0.2, "delta": 100.0}, 0.7),
        "eps": ({"delta": 100.0}, 0.5),
        "cosine_form": ({"eps": 2.0, "delta": 0.8}, None),
    },
)

FAMILY_ADAMP = Family(
    name="adamp",
    title="AdamP",
    source=f"{SOURCE}, Algorithm 2",
    formula=adamp,
    state=lambda settings: {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    lines=_adamp_lines,
    symbols={"exp_avg": "m", "exp_avg_sq": "v"},
    dialects={"paper": {"lr": 1e-3}, "authors": {"lr": 1e-3, "cosine_form": "clamped"}},
    remarks=_remarks,
    exempt=_exempt,
    elementwise=False,
    example_shape=(2, 2),
    roundings=3.0,
    choices={"eps_placement": ("outside", "hat"), "cosine_form": _cosines},
    matters={
        "delta": ({}, 100.0),
        "wd_ratio": ({"weight_decay": 0.2, "delta": 100.0}, 0.7),
        "nesterov": ({}, True),
        "cosine_form": ({"eps": 2.0, "delta": 0.8}, None),
    },
)
