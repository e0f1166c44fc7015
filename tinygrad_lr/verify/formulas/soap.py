"""SOAP: Adam in the eigenbasis of Shampoo's two averages of a matrix's gradients. Next: ftrl.py."""

from __future__ import annotations

from .family import Family, Settings
from .muon import OF_MATRICES
from .numbers import (
    Number,
    State,
    descending,
    drifted,
    eigenvectors,
    matmul,
    middle,
    orthonormal,
    shape_of,
    sqrt,
    taken,
    total,
    transpose,
)


def soap(
    theta: Number,
    g: Number,
    state: State,
    t: int,
    *,
    lr: Number,
    betas: tuple[Number, Number] = (0.95, 0.95),
    shampoo_beta: Number = -1.0,
    eps: Number = 1e-8,
    weight_decay: Number = 0.01,
    update_period: int = 10,
    bias_correction: bool = True,
    sorted_basis: bool = False,
    basis_dtype: str = "own",
) -> tuple[Number, State]:
    """SOAP: Vyas et al., ICLR 2025, arXiv:2409.11321, Algorithms 3 and 4, with the authors' start (their code).

    At first L, R <- (1 - b) G G^T, (1 - b) G^T G;  P, Q <- their eigenvectors; theta stays.  From then on, t counting
    from there:  M <- beta1 M + (1 - beta1) G;  V <- beta2 V + (1 - beta2) (P^T G Q)^2;
    theta <- theta - lr sqrt(1 - beta2^t) / (1 - beta1^t) P (P^T M Q / (sqrt(V) + eps)) Q^T;
    theta <- (1 - lr lambda) theta;  L <- b L + (1 - b) G G^T;  R <- b R + (1 - b) G^T G;  in every k-th step
    P, Q <- the orthonormal factors of L P and R Q. b is `shampoo_beta`, or beta2 where that is below 0.
    `sorted_basis`: there the columns of P and Q, and V with them, are first put in the order of their eigenvalues.
    `basis_dtype="float32"`: P and Q may be computed in float32, whatever the dtype (the authors' code).
    """
    if 0 in shape_of(theta):
        return theta, state
    beta1, beta2 = betas
    kept = beta2 if middle(shampoo_beta) < 0 else shampoo_beta
    left = kept * state["gg_left"] + (1 - kept) * matmul(g, transpose(g))
    right = kept * state["gg_right"] + (1 - kept) * matmul(transpose(g), g)
    m, v, p, q = (state[key] for key in ("exp_avg", "exp_avg_sq", "q_left", "q_right"))
    if t == 1:
        p, q = eigenvectors(left, basis_dtype), eigenvectors(right, basis_dtype)
    else:
        m = (
            beta1 * drifted(m, basis_dtype) + (1 - beta1) * g
        )  # some keep M in the eigenbasis, and turn it there and back
        turned = matmul(matmul(transpose(p), g), q)
        v = beta2 * v + (1 - beta2) * (turned * turned)
        rate = lr * sqrt(1 - beta2 ** (t - 1)) / (1 - beta1 ** (t - 1)) if bias_correction else lr
        direction = matmul(matmul(transpose(p), m), q) / (sqrt(v) + eps)
        theta = theta - rate * matmul(matmul(p, direction), transpose(q))
        if weight_decay:
            theta = (1 - lr * weight_decay) * theta
        if (t - 1) % int(middle(update_period)) == 0:
            p, rows = _next_basis(left, p, sorted_basis, basis_dtype)
            q, columns = _next_basis(right, q, sorted_basis, basis_dtype)
            v = taken(taken(v, rows, 0), columns, 1)
    after = {"exp_avg": m, "exp_avg_sq": v, "gg_left": left, "gg_right": right, "q_left": p, "q_right": q}
    return theta, after


def _next_basis(average: Number, basis: Number, sorts: bool, computed_in: str) -> tuple[Number, Number]:
    """One power iteration, and in which order the columns were taken for it."""
    product = matmul(average, basis)
    order = descending(total(basis * product, 0)) if sorts else None
    return orthonormal(taken(product, order, 1), computed_in), order


def _start(settings: Settings, theta: Number) -> State:
    zero = theta * 0.0
    left, right = matmul(zero, transpose(zero)), matmul(transpose(zero), zero)
    return {"exp_avg": zero, "exp_avg_sq": zero, "gg_left": left, "gg_right": right, "q_left": left, "q_right": right}


def _lines(settings: Settings) -> list[str]:
    kept = "beta2" if settings["shampoo_beta"] < 0 else "rho"
    sorts = settings["sorted_basis"]
    rate = "lr sqrt(1 - beta2^(t - 1)) / (1 - beta1^(t - 1))" if settings["bias_correction"] else "lr"
    due = "if mod(t - 1, k) < 1"
    a, b = ("ordered(A, a)", "ordered(B, b)") if sorts else ("A", "B")
    return [
        "M <- (beta1 M + (1 - beta1) g if t > 1 else M)",
        "V <- (beta2 V + (1 - beta2) matmul(matmul(transpose(P), g), Q)^2 if t > 1 else V)",
        "D = matmul(matmul(transpose(P), M), Q) / (sqrt(V) + eps)",
        f"theta <- theta - ({rate} matmul(matmul(P, D), transpose(Q)) if t > 1 else 0)",
        *(["theta <- ((1 - lr lambda) theta if t > 1 else theta)"] if settings["weight_decay"] else []),
        f"L <- {kept} L + (1 - {kept}) matmul(g, transpose(g))",
        f"R <- {kept} R + (1 - {kept}) matmul(transpose(g), g)",
        "A = matmul(L, P)",
        "B = matmul(R, Q)",
        *(["a = colsum(P A)", "b = colsum(Q B)"] if sorts else []),
        *([f"V <- (transpose(ordered(transpose(ordered(V, b)), a)) {due} else V)"] if sorts else []),
        f"P <- (eigenvectors(L) if t < 2 else orthonormal({a}) {due} else P)",
        f"Q <- (eigenvectors(R) if t < 2 else orthonormal({b}) {due} else Q)",
    ]


NO_SIGN = "an eigenvector has no sign of its own"
FAMILY = Family(
    name="soap",
    title="SOAP",
    source="Vyas et al., ICLR 2025, arXiv:2409.11321, Algorithms 3 and 4",
    formula=soap,
    state=lambda settings: {},
    initial=_start,
    lines=_lines,
    symbols={"exp_avg": "M", "exp_avg_sq": "V", "gg_left": "L", "gg_right": "R", "q_left": "P", "q_right": "Q"},
    dialects={"paper": {"lr": 3e-3}, "authors": {"lr": 3e-3, "sorted_basis": True, "basis_dtype": "float32"}},
    remarks={
        "authors": "is their code, github.com/nikhilvyas/SOAP: the first gradient makes the bases, and moves nothing",
        "paper": "leaves start and corrections out; those of the authors' code are taken here",
    },
    exempt=OF_MATRICES,
    elementwise=False,
    example_shape=(2, 2),
    dimensions=2,
    narrow_in=("float64",),  # what LAPACK may be off by, over the gap of two eigenvalues, is a wide bound in float32
    roundings=3.0,
    free={"q_left": NO_SIGN, "q_right": NO_SIGN},
    choices={"sorted_basis": (True, False), "basis_dtype": ("own", "float32")},
    matters={
        "shampoo_beta": ({"update_period": 1}, 0.3),
        "update_period": ({}, 1),
        "eps": ({}, 0.5),
        "sorted_basis": ({"update_period": 1, "betas": (0.9, 0.3)}, None),
        "basis_dtype": ({}, None),
    },
)
