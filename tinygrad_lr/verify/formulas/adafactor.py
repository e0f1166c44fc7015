"""Adafactor and SM3: second moments of a matrix kept for its rows and columns alone. Next: muon.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, by_sign, dimensions, largest, maximum, mean, minimum, power, rms, sqrt

OF_ROWS = "the step depends on the whole row and column"


def adafactor(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    beta2_decay: Number = -0.8,
    epsilons: tuple[Number, Number] = (1e-30, 1e-3),
    clip_threshold: Number = 1.0,
    weight_decay: Number = 0.0,
    maximize: bool = False,
    floor_form: str = "added",
    relative_step: bool = True,
    scale_parameter: bool = True,
    momentum: Number = 0.0,
    decay_scale: str = "rate",
) -> tuple[Number, State]:
    """Adafactor: Shazeer & Stern, ICML 2018, arXiv:1804.04235, Algorithms 4 and 5.

    beta2_t = 1 - t^-0.8;  R, C <- averages of the row means and column means of g^2 + eps1;  V = R C / mean(R);
    U = g / sqrt(V);  theta <- theta - max(eps2, rms(theta)) min(lr, 1/sqrt(t)) U / max(1, rms(U) / d).
    A vector keeps V itself. The paper's sums are means here, which is the same, and `lr` is its 1e-2.
    `floor_form="clamped"`: eps1 is not added, but mean(R) is at least eps1 and V at least eps1^2 (torch).
    `relative_step=False`: lr in the place of min(lr, 1/sqrt(t)) (optax). weight_decay shrinks theta by 1 - lr lambda;
    `decay_scale="step"`: by 1 - alpha lambda, alpha being max(eps2, rms(theta)) min(lr, 1/sqrt(t)) (transformers,
    timm). `scale_parameter=False`: alpha without max(eps2, rms(theta)). momentum: the whole step is averaged.
    """
    eps1, eps2 = epsilons
    g = -g if maximize else g
    weight = power(t, beta2_decay)
    rate = minimum(lr, 1 / sqrt(t + 0 * lr)) if relative_step else lr
    scale = maximum(rms(theta), eps2) * rate if scale_parameter else rate
    if weight_decay:
        theta = (1 - (scale if decay_scale == "step" else lr) * weight_decay) * theta
    square = g * g + eps1 if floor_form == "added" else g * g
    if dimensions(theta) < 2:
        v = (1 - weight) * state["variance"] + weight * square
        after, estimate = {"variance": v}, v
    else:
        row = (1 - weight) * state["row_var"] + weight * mean(square, -1)
        column = (1 - weight) * state["col_var"] + weight * mean(square, -2)
        average = mean(row, -2)
        after = {"row_var": row, "col_var": column}
        # in this order nothing underflows in float32, where a product of two numbers near 1e-30 would
        estimate = row / (maximum(average, eps1) if floor_form == "clamped" else average) * column
    if floor_form == "clamped":
        estimate = maximum(estimate, eps1 * eps1)
    update = g / sqrt(estimate)
    step = scale * (update / maximum(rms(update) / clip_threshold, 1.0))
    if momentum:
        step = after["exp_avg"] = momentum * state["exp_avg"] + (1 - momentum) * step
    return theta - step, after


def sm3(
    theta: Number, g: Number, state: State, t: int, *, lr: Number, momentum: Number = 0.9, eps: Number = 0.0
) -> tuple[Number, State]:
    """SM3: Anil et al., NeurIPS 2019, arXiv:1901.11150, SM3-II over rows and columns (of a vector: elements).

    v = min(R, C) + g^2;  m <- mu m + (1 - mu) g / sqrt(v), 0 where v is 0;  theta <- theta - lr m;
    R, C <- the largest v of each row and column.  With eps: sqrt(v + eps) (optax).
    """
    if dimensions(theta) < 2:
        v = state["accumulator"] + g * g
        after = {"accumulator": v}
    else:
        v = minimum(state["row_max"], state["column_max"]) + g * g
        after = {"row_max": largest(v, -1), "column_max": largest(v, -2)}
    size = by_sign(v, 1.0, 1.0, v)
    m = momentum * state["momentum_buffer"] + (1 - momentum) * by_sign(v, 0.0, 0.0, g / sqrt(size + eps))
    return theta - lr * m, {**after, "momentum_buffer": m}


def _zeros(theta: Number, factored: tuple[str, str], whole: str, *more: str) -> State:
    """Zeros for the rows and columns of a matrix, or for a vector itself."""
    zero = theta * 0.0
    if dimensions(theta) < 2:
        return dict.fromkeys((whole, *more), zero)
    rows, columns = factored
    return {rows: mean(zero, -1), columns: mean(zero, -2), **dict.fromkeys(more, zero)}


def _adafactor_lines(settings: Settings, vector: bool = False) -> list[str]:
    clamped = settings["floor_form"] == "clamped"
    decay = "alpha" if settings["decay_scale"] == "step" else "lr"
    averaged = ["m <- mu m + (1 - mu) alpha U / max(rms(U) / d, 1)", "theta <- theta - m"]
    square, average = ("g^2", "max(mean(R), eps1)") if clamped else ("(g^2 + eps1)", "mean(R)")
    of_matrix = [
        f"R <- (1 - t^gamma) R + t^gamma rowmean({square.strip('()')})",
        f"C <- (1 - t^gamma) C + t^gamma colmean({square.strip('()')})",
        f"V = max(R / {average} C, eps1^2)" if clamped else f"V = R / {average} C",
        "U = g / sqrt(V)",
    ]
    of_vector = [
        f"V <- (1 - t^gamma) V + t^gamma {square}",
        "U = g / sqrt(max(V, eps1^2))" if clamped else "U = g / sqrt(V)",
    ]
    return [
        *(["g <- -g"] if settings["maximize"] else []),
        f"alpha = {'max(rms(theta), eps2) ' if settings['scale_parameter'] else ''}"
        f"{'min(lr, 1 / sqrt(t))' if settings['relative_step'] else 'lr'}",
        *([f"theta <- (1 - {decay} lambda) theta"] if settings["weight_decay"] else []),
        *(of_vector if vector else of_matrix),
        *(averaged if settings["momentum"] else ["theta <- theta - alpha U / max(rms(U) / d, 1)"]),
    ]


def _sm3_step(settings: Settings) -> list[str]:
    root = "sqrt(v + eps)" if settings["eps"] else "sqrt(v)"
    return [f"u = (g / {root} if v > 0 else 0)", "m <- mu m + (1 - mu) u", "theta <- theta - lr m"]


_exempt = {
    "P3": OF_ROWS,
    "P4": f"{OF_ROWS}, which another shape does not have",
    "P15": "the step is proportional to the rms of theta",
    "P16": "the step depends on the rms of theta, which the rate changes, and on min(lr, 1/sqrt(t))",
    "P31": "the decay shrinks theta",
}

FAMILY = Family(
    name="adafactor",
    title="Adafactor",
    source="Shazeer & Stern, ICML 2018, arXiv:1804.04235, Algorithms 4 and 5",
    formula=adafactor,
    state=lambda settings: {"variance": 0.0},
    initial=lambda settings, theta: _zeros(
        theta, ("row_var", "col_var"), "variance", *(["exp_avg"] if settings["momentum"] else [])
    ),
    lines=_adafactor_lines,
    vector_lines=lambda settings: _adafactor_lines(settings, vector=True),
    symbols={"row_var": "R", "col_var": "C", "variance": "V", "exp_avg": "m"},
    dialects={
        "paper": {"lr": 1e-2},
        "torch": {"lr": 1e-2, "floor_form": "clamped", "epsilons": (2.0**-23, 1e-3)},
        "optax": {"lr": 1e-2, "relative_step": False},
        "keras": {"lr": 1e-3},
        "transformers": {"lr": 1e-2, "decay_scale": "step"},
        "timm": {"lr": 1e-2, "decay_scale": "step"},
    },
    choices={"decay_scale": ("rate", "step")},
    matters={
        "scale_parameter": ({}, False),
        "momentum": ({}, 0.7),
        "decay_scale": ({"weight_decay": 0.2, "lr": 0.3}, None),
    },
    remarks={
        "transformers": "takes no rate in this form (lr=None is the 1e-2 of the paper)",
        "timm": "takes no rate in this form (lr=None is the 1e-2 of the paper), and factors dimensions of 16 or more "
        "unless told",
        "torch": "takes the dtype's own epsilon as eps1 unless told",
        "optax": "has no default rate, 1e-2 is taken here, and factors dimensions of 128 or more unless told",
    },
    exempt=_exempt,
    elementwise=False,
    example_shape=(2, 2),
    roundings=3.0,
)

FAMILY_SM3 = Family(
    name="sm3",
    title="SM3",
    source="Anil, Gupta, Koren & Singer, NeurIPS 2019, arXiv:1901.11150, SM3-II",
    formula=sm3,
    state=lambda settings: {"accumulator": 0.0, "momentum_buffer": 0.0},
    initial=lambda settings, theta: _zeros(theta, ("row_max", "column_max"), "accumulator", "momentum_buffer"),
    lines=lambda settings: ["v = min(R, C) + g^2", *_sm3_step(settings), "R <- rowmax(v)", "C <- colmax(v)"],
    vector_lines=lambda settings: ["v <- v + g^2", *_sm3_step(settings)],
    symbols={"row_max": "R", "column_max": "C", "accumulator": "v", "momentum_buffer": "m"},
    dialects={"paper": {"lr": 0.1}, "optax": {"lr": 0.1, "eps": 1e-8}},
    remarks={"optax": "has no default rate; 0.1 is taken here"},
    exempt={"P3": OF_ROWS, "P4": f"{OF_ROWS}, which another shape does not have"},
    elementwise=False,
    example_shape=(2, 2),
    roundings=2.0,
)
