"""Muon: the momentum of a matrix, orthogonalised. Next: soap.py."""

from __future__ import annotations

from .family import Family, Settings
from .numbers import Number, State, matmul, maximum, middle, norm, shape_of, sqrt, transpose

MATRICES = "it is a rule for matrices, and this property is examined on vectors"
OF_MATRICES = {
    "P3": "permuting the elements of a matrix changes its singular vectors",
    "P4": MATRICES,
    "P5": MATRICES,
    "P31": "the decay shrinks theta",
}


def muon(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    momentum: Number = 0.95,
    nesterov: bool = True,
    weight_decay: Number = 0.0,
    ns_coefficients: tuple[Number, Number, Number] = (3.4445, -4.7750, 2.0315),
    ns_steps: int = 5,
    eps: Number = 1e-7,
    momentum_form: str = "average",
    eps_placement: str = "outside",
    adjust_lr_fn: str = "original",
) -> tuple[Number, State]:
    """Muon: Jordan et al., 2024, kellerjordan.github.io/posts/muon; update: Newton-Schulz iterations of order five.

    B <- mu B + (1 - mu) g;  O = mu B + (1 - mu) g (Nesterov);  X = O / (norm(O) + eps);
    five times X <- a X + (b A + c A A) X with A = X X^T;  theta <- theta - lr sqrt(max(1, rows/columns)) X.
    `momentum_form`: "average", "sum" (B <- mu B + g, O = mu B + g; keras) or "corrected" (averages divided by
    1 - mu^t; optax). `adjust_lr_fn`: "original", "columns" (sqrt(max(1, columns/rows)); optax) or "match_rms_adamw"
    (0.2 sqrt(max(rows, columns)), Liu et al., 2025, arXiv:2502.16982; keras). `eps_placement="floor"`:
    max(norm(O), eps). Weight decay shrinks theta by 1 - lr lambda.
    """
    old = state["momentum_buffer"]
    buffer = momentum * old + (g if momentum_form == "sum" else (1 - momentum) * g)
    if momentum_form == "sum":
        o = momentum * buffer + g if nesterov else buffer
    elif momentum_form == "average":
        o = momentum * buffer + (1 - momentum) * g if nesterov else buffer
    elif nesterov:
        o = momentum * (buffer / (1 - momentum ** (t + 1))) + (1 - momentum) * (g / (1 - momentum**t))
    else:
        o = buffer / (1 - momentum**t)
    if weight_decay:
        theta = (1 - lr * weight_decay) * theta
    rows, columns = shape_of(theta)
    if 0 in (rows, columns):
        return theta, {"momentum_buffer": buffer}
    one = 1 + 0 * lr  # of lr's type, so that roots are as exact as it is
    factors = {
        "original": sqrt(one * max(rows, columns) / columns),
        "columns": sqrt(one * max(rows, columns) / rows),
        "match_rms_adamw": sqrt(one * max(rows, columns)) / 5,
    }
    step = orthogonalised(o, ns_coefficients, int(middle(ns_steps)), eps, eps_placement)
    return theta - lr * factors[adjust_lr_fn] * step, {"momentum_buffer": buffer}


def orthogonalised(
    o: Number, coefficients: tuple[Number, Number, Number], iterations: int, eps: Number, eps_placement: str
) -> Number:
    """Roughly U V^T of the singular value decomposition U S V^T."""
    a, b, c = coefficients
    rows, columns = shape_of(o)
    x = transpose(o) if rows > columns else o
    size = norm(x)
    x = x / (size + eps if eps_placement == "outside" else maximum(size, eps))
    for _ in range(iterations):
        gram = matmul(x, transpose(x))
        x = a * x + matmul(b * gram + c * matmul(gram, gram), x)
    return transpose(x) if rows > columns else x


def _lines(settings: Settings) -> list[str]:
    kind, nesterov = settings["momentum_form"], settings["nesterov"]
    scale = {
        "original": "sqrt(max(1, rows(g) / columns(g)))",
        "columns": "sqrt(max(1, columns(g) / rows(g)))",
        "match_rms_adamw": "0.2 sqrt(max(rows(g), columns(g)))",
    }[settings["adjust_lr_fn"]]
    o = {
        "sum": "O = mu B + g",
        "average": "O = mu B + (1 - mu) g",
        "corrected": "O = mu B / (1 - mu^(t + 1)) + (1 - mu) g / (1 - mu^t)",
    }[kind]
    plain = "O = B / (1 - mu^t)" if kind == "corrected" else "O = B"
    return [
        "B <- mu B + g" if kind == "sum" else "B <- mu B + (1 - mu) g",
        o if nesterov else plain,
        f"X = O / {'(norm(O) + eps)' if settings['eps_placement'] == 'outside' else 'max(norm(O), eps)'}",
        *["A = matmul(X, transpose(X))", "X = a X + matmul(b A + c matmul(A, A), X)"] * int(settings["ns_steps"]),
        *(["theta <- (1 - lr lambda) theta"] if settings["weight_decay"] else []),
        f"theta <- theta - lr {scale} X",
    ]


FAMILY = Family(
    name="muon",
    title="Muon",
    source="Jordan et al., 2024, kellerjordan.github.io/posts/muon",
    formula=muon,
    state=lambda settings: {"momentum_buffer": 0.0},
    lines=_lines,
    symbols={"momentum_buffer": "B"},
    dialects={
        "paper": {"lr": 0.02},
        "torch": {"lr": 1e-3, "weight_decay": 0.1, "eps_placement": "floor"},
        "optax": {"lr": 0.02, "eps": 1e-8, "momentum_form": "corrected", "adjust_lr_fn": "columns"},
        "keras": {"lr": 1e-3, "weight_decay": 0.004, "momentum_form": "sum", "adjust_lr_fn": "match_rms_adamw"},
    },
    remarks={
        "torch": "orthogonalises in bfloat16, which no bound of float32 holds",
        "optax": "has no default rate; 0.02 is taken here",
        "keras": "computes a factor of the rate in float32 on NumPy, whatever the dtype",
    },
    exempt=OF_MATRICES,
    elementwise=False,
    example_shape=(2, 2),
    dimensions=2,
    narrow_in=("float64",),  # intervals grow some thirtyfold in each of the five iterations
)
