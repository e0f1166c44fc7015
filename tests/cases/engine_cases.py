"""What the engine's tests share: inputs for a row of the table of ops, and its derivative without the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_lr.engine.ops import OPS, OUTPUT, Inputs, Op, unbroadcast

# The same function up to a constant, for complex numbers, where a forward takes none.
ANALYTIC = {"atan2": lambda a, b: np.arctan(a / b)}

UNIT = {np.dtype("float32"): 2.0**-24, np.dtype("float64"): 2.0**-53}


def all_cases() -> Iterator[tuple[str, int]]:
    for name, op in OPS.items():
        for i in range(len(op.cases)):
            yield name, i


# What a drawn number means for an input: for a condition, a class or a number.
OF_KIND: dict[str, Callable[[np.ndarray, Any], np.ndarray]] = {
    "bool": lambda drawn, dtype: np.asarray(drawn > 0),
    "class": lambda drawn, dtype: np.asarray(np.floor(drawn)).astype(np.int64),
    "number": lambda drawn, dtype: drawn.astype(dtype),
}


def draw(op: Op, case: Inputs, seed: int, dtype: Any = "float64") -> list[np.ndarray]:
    """Inputs of a case; away from kinks, where no derivative exists."""
    domain = case.domain or (op.domain * len(case.shapes))[: len(case.shapes)]
    rng = np.random.default_rng(seed)
    while True:
        kinds = [*op.condition_kinds[: op.conditions], *["number"] * len(case.shapes)]
        arrays = [
            OF_KIND[kind](np.asarray(rng.uniform(low, high, shape)), dtype)
            for kind, shape, (low, high) in zip(kinds, case.shapes, domain, strict=False)
        ]
        if op.distance is None or op.distance(*arrays) > 1e-3:
            return arrays


def differentiable(op: Op, case: Inputs) -> range:
    """The inputs that have a gradient."""
    return range(op.conditions, len(case.shapes))


def forward(op: Op, arrays: list[np.ndarray], case: Inputs) -> np.ndarray:
    return np.asarray(op.run(arrays, case.options)[0])


def for_products(op: Op, i: int, arrays: list[np.ndarray], case: Inputs) -> np.ndarray | None:
    """What the vector-Jacobian product for input i gets as `out`."""
    return np.asarray(op.run(arrays, case.options)[1]) if op.keeps or OUTPUT in op.reads[i] else None


def product(op: Op, i: int, g: np.ndarray, arrays: list[np.ndarray], case: Inputs) -> np.ndarray:
    """The row's own vector-Jacobian product for input i, before broadcasting is undone."""
    out = for_products(op, i, arrays, case)
    return np.asarray(op.vjps[i](g, out, *arrays, *case.options))


def jacobian(op: Op, i: int, arrays: list[np.ndarray], case: Inputs) -> np.ndarray:
    """d out / d input i, of shape (out.size, input.size), in float64.

    By a complex step of 1e-30 where the forward is analytic, which cancels nothing and is exact to rounding; else by
    central differences of piecewise linear ops, which are exact to rounding too when no kink lies within the step.
    """
    arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    size = forward(op, arrays, case).size
    result = np.zeros((size, arrays[i].size))
    for k in range(arrays[i].size):
        if op.analytic:
            moved = [a.astype(np.complex128) if j == i else a for j, a in enumerate(arrays)]
            moved[i].reshape(-1)[k] += 1e-30j
            moved_out = ANALYTIC[op.name](*moved) if op.name in ANALYTIC else forward(op, moved, case)
            result[:, k] = np.asarray(moved_out).imag.reshape(-1) / 1e-30
        else:
            step = 2.0**-12
            up, down = ([a.copy() for a in arrays] for _ in range(2))
            up[i].reshape(-1)[k] += step
            down[i].reshape(-1)[k] -= step
            taken = up[i].reshape(-1)[k] - down[i].reshape(-1)[k]
            result[:, k] = (forward(op, up, case) - forward(op, down, case)).reshape(-1) / taken
    return result


def gamma(roundings: float, dtype: Any) -> float:
    """Higham's gamma_k = k u / (1 - k u)."""
    ku = roundings * UNIT[np.dtype(dtype)]
    return ku / (1 - ku)


def slack(op: Op, i: int, g: np.ndarray, arrays: list[np.ndarray], case: Inputs, jac: np.ndarray) -> np.ndarray:
    """M: the product with every term replaced by its magnitude, per element of input i, in float64.

    |J|' |g| where the product multiplies and adds only. tanh and sigmoid subtract a rounded output, 1 - out^2 and
    out (1 - out), so their terms are 1 + out^2 and out (1 + out). log in the exponent's product is near 0 at 1 with a
    small relative error, pow's base product subtracts exactly rounded constants only.
    """
    size = np.abs(g).astype(np.float64).reshape(-1)
    if op.name in ("tanh", "sigmoid"):
        out = forward(op, [a.astype(np.float64) for a in arrays], case)
        terms = 1 + out * out if op.name == "tanh" else out * (1 + out)
        return (np.abs(g) * terms).astype(np.float64)
    if op.name == "layer_norm" and i == 0:
        return of_layer_norm(g, arrays, case)
    if op.name == "atanh" or op.name in ("asin", "acos", "acosh"):
        # 1 - a^2 is rounded: its reciprocal moves by (1 + a^2) / |1 - a^2| roundings
        a = arrays[0].astype(np.float64)
        return np.abs(g * np.diag(jac).reshape(a.shape) * (1 + a * a) / (1 - a * a)).astype(np.float64)
    if op.name == "binary_cross_entropy":  # a difference, a - b or of two logarithms
        a, b = (np.broadcast_to(x.astype(np.float64), g.shape) for x in arrays)
        return np.abs(g) * ((a + b) / (a * (1 - a)) if i == 0 else -np.log(a) - np.log(1 - a) + 1)
    if op.name in ("huber", "binary_cross_entropy_with_logits") and i == (op.name == "huber"):
        # a difference of rounded numbers, |a| - b or sigmoid(a) - b
        a, b = np.broadcast_arrays(*(np.abs(x.astype(np.float64)) for x in arrays))
        return np.abs(g) * ((a if op.name == "huber" else 1) + b)
    if op.name in ("softmax", "log_softmax"):
        # a gradient less its mean, weighted with probabilities
        out = np.exp(forward(OPS["log_softmax"], [a.astype(np.float64) for a in arrays], case))
        if op.name == "softmax":
            return out * (np.abs(g) + np.sum(np.abs(g) * out, axis=case.options[0], keepdims=True))
        return np.abs(g) + out * np.sum(np.abs(g), axis=case.options[0], keepdims=True)
    if op.name == "pow" and i == 0:
        # b - 1 is rounded: a^(b-1) moves by |log a| |b| u of its size
        a, b = np.broadcast_arrays(*(x.astype(np.float64) for x in arrays))
        factor = 1 + np.abs(np.log(a)) * (np.abs(b) + 1)
        return (np.abs(jac).T @ (size * factor.reshape(-1))).reshape(arrays[i].shape)
    return (np.abs(jac).T @ size).reshape(arrays[i].shape)


def of_layer_norm(g: np.ndarray, arrays: list[np.ndarray], case: Inputs) -> np.ndarray:
    """The magnitudes of factor * (h - mean of h - normalized * mean of h * normalized), h = g * weight.

    normalized and the factor are rounded from x - mean, which is off by units of the largest |x|; eps keeps the
    variance from being small, so that each of them moves by (1 + largest |x| * factor) units at most.
    """
    x, axes, eps = arrays[0].astype(np.float64), tuple(range(-case.options[0], 0)), case.options[1]
    if not x.size:
        return np.zeros(x.shape)
    factor = 1 / np.sqrt(x.var(axes, keepdims=True) + eps)
    normal = np.abs(x - x.mean(axes, keepdims=True)) * factor
    h = np.abs(g * arrays[1]) if len(arrays) > 1 else np.abs(g)
    terms = factor * (h + h.mean(axes, keepdims=True) + normal * (h * normal).mean(axes, keepdims=True))
    return np.asarray(terms * (1 + np.abs(x).max(axes, keepdims=True) * factor), np.float64)


def roundings(op: Op, arrays: list[np.ndarray], case: Inputs) -> int:
    """Roundings on the longest path: at most 16 in a row's formula (elementary functions counted as 4 each), and one
    for each term of the longest sum, which is no longer than the largest array or the result."""
    return 16 + max([a.size for a in arrays] + [forward(op, arrays, case).size])


def cotangent(shape: tuple[int, ...], seed: int, dtype: str) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed + 1).uniform(-2, 2, shape).astype(dtype))


def check_product(op: Op, case: Inputs, i: int, seed: int, dtype: str) -> float:
    """P44: the product against the transposed Jacobian; returns error / bound."""
    arrays = draw(op, case, seed, dtype)
    g = cotangent(forward(op, arrays, case).shape, seed, dtype)
    jac = jacobian(op, i, arrays, case)
    expected = (jac.T @ g.astype(np.float64).reshape(-1)).reshape(arrays[i].shape)
    computed = unbroadcast(product(op, i, g, arrays, case), arrays[i])
    assert computed.shape == arrays[i].shape, f"{op.name}, input {i}: gradient of shape {computed.shape}"
    assert computed.dtype == arrays[i].dtype, f"{op.name}, input {i}: gradient of dtype {computed.dtype}"
    k = roundings(op, arrays, case)
    reference = gamma(k, "float64") if op.analytic else gamma(k, "float64") + 2.0**-53 * 2**14
    m = slack(op, i, g, arrays, case, jac)
    bound = (gamma(k, dtype) + reference) * 2 * m + (0 if op.analytic else 2.0**-38 * np.sum(np.abs(g)))
    error = np.abs(computed.astype(np.float64) - expected)
    assert (error <= bound).all(), f"{op.name}, input {i}, {case}: error {error.max()} beyond {bound}"
    return float(np.max(error / np.where(bound == 0, 1, bound), initial=0.0))


def lacks(op: Op) -> list[str]:
    """What a row of the table of ops lacks, each in a sentence."""
    found = []
    if not op.cases:
        found.append(f"the row {op.name!r} has no test inputs (cases)")
    inputs = max((len(case.shapes) for case in op.cases), default=len(op.vjps))
    if len(op.vjps) < inputs:
        found.append(f"the row {op.name!r} has no derivative for input {len(op.vjps)} (vjps)")
    if len(op.reads) != len(op.vjps):
        found.append(
            f"the row {op.name!r} says of {len(op.reads)} of {len(op.vjps)} derivatives what they read (reads)"
        )
    if not op.analytic and op.name in OF_ELEMENTS and not (op.kinks and op.distance):
        found.append(f"the row {op.name!r} has kinks, but no values declared there (kinks) or no distance from them")
    if op.rules and len(op.rules) != 1 + len(op.vjps):
        found.append(
            f"the row {op.name!r} has {len(op.rules)} rules, and needs {1 + len(op.vjps)}: forward, derivatives"
        )
    return found


OF_ELEMENTS = [name for name, op in OPS.items() if op.rules]
