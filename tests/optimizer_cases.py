"""What the optimizer tests draw: every row with its dialects and variants, and examples that provoke rounding.

A case is drawn as a few small numbers (sizes, kinds, exponents, a seed), from which NumPy makes the arrays: fast, and
it shrinks to small sizes and plain kinds. Kinds of gradient sequences: those of verification's list (geometric,
constant, spike, sign flips, zeros, subnormals, eps ~ |g|, ...); half of the parameters start at zero or no larger than
a step, where an error in the step is not hidden by theta's own rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cuda_cases import without_cuda
from hypothesis import strategies as st

from tinygrad_lr import optim
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.check import Case, Maker
from tinygrad_lr.verify.specification import Specification

# Settings in which the rows are tested under every dialect, besides the dialect's defaults.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "sgd": [
        {},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"momentum": 0.8, "dampening": 0.25, "maximize": True},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "adagrad": [{}, {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.3}],
    "rmsprop": [
        {},
        {"centered": True, "weight_decay": 0.1},
        {"momentum": 0.9, "maximize": True},
        {"centered": True, "momentum": 0.5, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "adam": [{}, {"amsgrad": True, "weight_decay": 0.1}, {"betas": (0.5, 0.6), "maximize": True, "eps": 1e-3}],
    "adamw": [{}, {"amsgrad": True, "weight_decay": 0.1, "betas": (0.5, 0.6)}],
}


def distinct_rows() -> list[Any]:
    """Every optimizer x dialect x variant, but each specification once: dialects may agree."""
    rows, seen = [], []
    for name, cls in optim.OPTIMIZERS.items():
        for dialect, defaults in cls.dialects.items():
            for i, variant in enumerate(VARIANTS[name]):
                settings = {**defaults, **variant}
                if (name, settings) not in seen:
                    seen.append((name, settings))
                    rows.append(pytest.param(name, dialect, variant, id=f"{name}-{dialect}-{i}"))
    return rows


ROWS = distinct_rows()


BACKENDS = [
    "numpy",
    "numba",
    pytest.param("cuda", marks=pytest.mark.skipif(bool(without_cuda()), reason=without_cuda() or "CUDA is here")),
]


def maker(name: str, dialect: str, backend: str = "") -> Maker:
    """Our own optimizer on a backend ("cuda" is a device)."""
    cls = optim.OPTIMIZERS[name]
    if backend == "cuda":
        return adapters.own(cls, dialect=dialect, device="cuda")
    return adapters.own(cls, dialect=dialect, backend=backend)


def specification(name: str, dialect: str, variant: dict[str, Any], **more: Any) -> Specification:
    """The formula with the dialect's defaults and a variant's changes."""
    return adapters.specification(name, optim.OPTIMIZERS[name], dialect, **variant, **more)


KINDS = ("normal", "constant", "geometric", "flip", "spike", "zero", "near eps", "late", "tiny", "huge")


def sequence(
    kind: str, shape: tuple[int, ...], steps: int, scale: float, seed: int, dtype: Any, eps: float
) -> list[Any]:
    """A sequence of gradients of one kind."""
    rng = np.random.default_rng(seed)
    first = rng.choice([-1.0, 1.0], size=shape) * rng.uniform(0.5, 2.0, size=shape)
    limits = np.finfo(dtype)
    growth = {"geometric": 0.9 / 0.999, "flip": -1.0}.get(kind, 1.0)
    gradients = []
    for t in range(steps):
        if kind in ("constant", "geometric", "flip"):
            g = scale * first * growth**t
        elif kind == "spike":
            g = scale * first * (1e3 if t == steps // 2 else 1e-3)
        elif kind == "zero":
            g = np.zeros(shape)
        elif kind == "near eps":
            g = first * max(eps, float(limits.tiny)) * rng.uniform(0.3, 3.0, size=shape)
        elif kind == "late":
            g = scale * first * (t >= steps // 2)
        elif kind == "tiny":  # subnormal gradients, and gradients whose squares are
            g = first * float(limits.tiny) ** rng.choice([0.5, 1.0], size=shape) * 0.3
        elif kind == "huge":  # squares overflow
            g = first * float(limits.max) ** 0.5
        else:
            g = scale * rng.normal(size=shape)
        gradients.append(np.asarray(g, dtype))
    return gradients


SHAPES = [(3,), (1,), (), (8,), (0,), (2, 4), (17,), (9,)]


@st.composite
def cases(draw: st.DrawFn, spec: Specification, dtype: Any, kinds: tuple[str, ...] = KINDS, steps: int = 5) -> Case:
    """A case for a specification: one to three parameters (some empty), a few steps, some gradients missing."""
    count = draw(st.integers(1, 3))
    length = draw(st.integers(1, steps))
    eps = float(spec["eps"]) if "eps" in spec.all_names else 1e-8
    lr = float(spec["lr"])
    params, columns = [], []
    for _ in range(count):
        shape, kind = draw(st.sampled_from(SHAPES)), draw(st.sampled_from(kinds))
        seed = draw(st.integers(0, 2**16))
        rng = np.random.default_rng(seed)
        size, scale = rng.choice((0.0, lr, 1.0, 100.0)), 2.0 ** rng.integers(-12, 13)
        params.append(np.asarray(size * rng.normal(size=shape), dtype))
        column: list[Any] = sequence(kind, shape, length, scale, seed, dtype, eps)
        missing = rng.integers(2**length) if rng.integers(4) == 0 else 0
        columns.append([None if missing >> t & 1 else g for t, g in enumerate(column)])
    return Case(spec, params, [list(grads) for grads in zip(*columns, strict=True)])
