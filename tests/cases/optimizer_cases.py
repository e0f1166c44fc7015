"""What the optimizer tests draw: every row in its dialects and settings, and examples that provoke rounding.

A case is drawn as a few small numbers (sizes, kinds, exponents, a seed), from which NumPy makes the arrays: fast, and
it shrinks to small sizes and plain kinds. Kinds of gradient sequences: those of verification's list (geometric,
constant, spike, sign flips, zeros, subnormals, eps ~ |g|, ...); half of the parameters start at zero or no larger than
a step, where an error in the step is not hidden by theta's own rounding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from cuda_cases import without_cuda as without_cuda

from tinygrad_lr import optim
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.protocol import Maker, NotApplicable
from tinygrad_lr.verify.search import examples
from tinygrad_lr.verify.search.examples import KINDS as KINDS
from tinygrad_lr.verify.search.examples import sequence as sequence
from tinygrad_lr.verify.specification import Specification


def distinct_rows() -> list[Any]:
    """Every optimizer x dialect x setting in which its class wants to be examined, but each specification once:
    dialects may agree."""
    rows, seen = [], []
    for name, cls in optim.OPTIMIZERS.items():
        for dialect, defaults in cls.dialects.items():
            for i, variant in enumerate(cls.examined):
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


# Why a property says nothing about a setting, by its id.
EXCLUDED = {
    "P1.dtypes": "the derived bound says something in float64 alone",
    "P1.counts": "which may follow the step count",
    "P8": "no array that could be shared",
    "P27": "lr lies outside the step sizes that are allowed",
    "P28": "without full bias correction",
    "P29": "without momentum there is no state|weights that change with the step",
    "P30": "corrects nothing, or limits the norm of theta",  # of LAMB, where the ratio is 1
    "P33.average": "the subject has no accumulate_every|halves of subnormal numbers are rounded",
}


@contextmanager
def what_a_setting_excludes(property_id: str) -> Iterator[None]:
    """A check that may find a setting beside its point for a reason that is known."""
    try:
        yield
    except NotApplicable as error:
        assert re.search(EXCLUDED.get(property_id, "nothing excludes it"), str(error)), (property_id, str(error))


def cases(spec: Specification, dtype: Any, *given: Any, **more: Any) -> Any:
    """`examples.cases`, with what the formula asks of parameters."""
    family = spec.family
    return examples.cases(spec, dtype, *given, least=family.dimensions, coupled=family.coupled, **more)


def raised(spec: Specification, array: Any) -> Any:
    """The array with as many dimensions as the formula asks of a parameter: a vector as a matrix of one row, say."""
    return array.reshape((1,) * (spec.family.dimensions - array.ndim) + array.shape)


def informative(spec: Specification, dtype: Any) -> Any:
    """The dtype, or float64 where the formula's bounds are wide in it."""
    return dtype if np.dtype(dtype).name in spec.family.narrow_in else np.float64


def first(name: str) -> str:
    """The dialect in force where none is named."""
    return next(iter(optim.OPTIMIZERS[name].dialects))


def richest(name: str) -> Mapping[str, Any]:
    """Of the settings in which an optimizer is examined, the one that needs most states, and that sets most."""
    examined = optim.OPTIMIZERS[name].examined
    return max(
        examined, key=lambda setting: (len(specification(name, first(name), setting).state_keys()), len(setting))
    )


def having(name: str, **settings: Any) -> dict[str, Any]:
    """Those of some settings that an optimizer has."""
    return {key: value for key, value in settings.items() if key in optim.OPTIMIZERS[name].hyperparameters}


def maker(name: str, dialect: str | None = None, backend: str = "") -> Maker:
    """Our own optimizer on a backend ("cuda" is a device), in its first dialect where none is named."""
    cls = optim.OPTIMIZERS[name]
    if backend == "cuda":
        return adapters.own(cls, dialect=dialect, device="cuda")
    return adapters.own(cls, dialect=dialect, backend=backend)


def specification(name: str, dialect: str | None, variant: Mapping[str, Any], **more: Any) -> Specification:
    """The formula with the dialect's defaults and a variant's changes."""
    return adapters.specification(name, optim.OPTIMIZERS[name], dialect, **variant, **more)
