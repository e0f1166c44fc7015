"""Rprop: a step size for each element, which grows while the gradient keeps its sign. Next: lamb.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, by_sign, maximum, minimum, sign


def rprop(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    etas: tuple[Number, Number] = (0.5, 1.2),
    step_sizes: tuple[Number, Number] = (1e-6, 50.0),
    maximize: bool = False,
    backtracking: bool = True,
) -> tuple[Number, State]:
    """Rprop: Riedmiller & Braun, IEEE International Conference on Neural Networks 1993.

    s = g g_before;  D <- D times eta_plus where s > 0, times eta_minus where s < 0, within [D_min, D_max];
    where s < 0 the step before is taken back and g counts as 0 for the next step; else theta <- theta - D sign(g).
    `backtracking=False`: where s < 0 the element stays (torch, optax; iRprop- of Igel & Huesken, 2000).
    lr is the first step size only.
    """
    eta_minus, eta_plus = etas
    smallest, largest = step_sizes
    g = -g if maximize else g
    s = g * state["prev"]
    factor = by_sign(s, eta_minus, 1.0, eta_plus)
    size = minimum(maximum(state["step_size"] * factor, smallest), largest)
    kept = by_sign(s, 0.0, 1.0, 1.0) * g
    step = size * sign(kept)
    if backtracking:
        step = by_sign(s, -1.0, 0.0, 0.0) * state["step_size"] * sign(state["prev"]) + step
    return theta - step, {"prev": kept, "step_size": size}


def _lines(settings: Settings) -> list[str]:
    back = "-D_before sign(g_before)" if settings["backtracking"] else "0"
    return [
        *(["g <- -g"] if settings["maximize"] else []),
        "s = g g_before",
        "D_before = D",
        "D <- min(max((eta_plus D if s > 0 else (eta_minus D if s < 0 else D)), Delta_min), Delta_max)",
        f"d = ({back} if s < 0 else D sign(g))",
        "theta <- theta - d",
        "g_before <- (0 if s < 0 else g)",
    ]


FAMILY = Family(
    name="rprop",
    title="Rprop",
    source="Riedmiller & Braun, IEEE ICNN 1993; without backtracking: Igel & Huesken, NC 2000 (iRprop-)",
    formula=rprop,
    state=lambda settings: {"prev": 0.0, "step_size": settings["lr"]},
    lines=_lines,
    symbols={"prev": "g_before", "step_size": "D"},
    dialects={
        "paper": {"lr": 0.1},
        "torch": {"lr": 1e-2, "backtracking": False},
        "optax": {"lr": 1e-2, "backtracking": False},
    },
    remarks={"optax": "has no default rate; torch's is taken here"},
    exempt={
        "P11": "lr is the first step size only, and step sizes have a least value",
        "P16": "lr is the first step size only, and step sizes have a least and a largest value",
    },
)
