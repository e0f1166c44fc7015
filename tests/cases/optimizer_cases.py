"""What the optimizer tests draw: every row with its dialects and variants, and examples that provoke rounding.

A case is drawn as a few small numbers (sizes, kinds, exponents, a seed), from which NumPy makes the arrays: fast, and
it shrinks to small sizes and plain kinds. Kinds of gradient sequences: those of verification's list (geometric,
constant, spike, sign flips, zeros, subnormals, eps ~ |g|, ...); half of the parameters start at zero or no larger than
a step, where an error in the step is not hidden by theta's own rounding.
"""

from __future__ import annotations

from typing import Any

import pytest
from cuda_cases import without_cuda

from tinygrad_lr import optim
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.protocol import Maker
from tinygrad_lr.verify.search.examples import KINDS, cases, sequence
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

__all__ = ["BACKENDS", "KINDS", "ROWS", "VARIANTS", "cases", "maker", "sequence", "specification", "without_cuda"]


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
