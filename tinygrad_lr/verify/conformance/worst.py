"""The worst cases of our own kernels: the largest error of an update over its bound that a search driven by it finds.

The error is the distance from the formula in fifty digits (oracle.py), the bound the farthest end of what correct
rounding allows (enclosure.py). From theta = 0 a step shows the update itself, as its rule rounds it; from any theta
most of the bound is the last rounding, that of theta. Next: document.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr import cuda, optim

from .. import adapters
from ..bounds.enclosure import Enclosure, enclosed
from ..bounds.oracle import Oracle
from ..properties.one_step import ORDINARY, elements_of_part, expect_enclosed, roundings_of
from ..protocol import Case, Maker, Property, copy_gradients, require_method, state_of
from ..search.search import Search
from ..specification import spec
from ..states import lifted


@dataclass(frozen=True)
class Variant:
    """An optimizer of ours, in a variant."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    state_dtype: str | None = None

    @property
    def title(self) -> str:
        """Its name, and what is set."""
        kept = {} if self.state_dtype is None else {"state_dtype": self.state_dtype}
        said = ", ".join(f"{key}={value}" for key, value in {**self.settings, **kept}.items())
        return f"{self.name}({said})" if said else self.name


def variants() -> list[Variant]:
    """Every optimizer with its defaults, and in the settings that add something to its rule."""
    more = [
        Variant("sgd", {"momentum": 0.9}),
        Variant("sgd", {"momentum": 0.9, "nesterov": True}),
        Variant("sgd", {"weight_decay": 0.1}),
        Variant("rmsprop", {"centered": True}),
        Variant("rmsprop", {"momentum": 0.9}),
        Variant("adam", {"amsgrad": True}),
        Variant("sophiah", {"rho": 1.0, "initial_hessian": 2.0}),
        Variant("adam", state_dtype="bfloat16"),
        Variant("adam", state_dtype="int8"),
    ]
    return [*map(Variant, optim.OPTIMIZERS), *more]


DTYPES = ("float32", "float64")
FROM_ZERO, FROM_ANY = "theta = 0", "any theta"
STARTS = (FROM_ZERO, FROM_ANY)


def backends() -> tuple[str, ...]:
    """Where the kernels can be run here; a simulated GPU would say nothing of a real one."""
    return ("numba", "numpy", "cuda") if cuda.is_available() and not cuda.is_simulated() else ("numba", "numpy")


@dataclass(frozen=True)
class WorstCase:
    """What was found: the largest ratio on each backend, from each of STARTS."""

    variant: Variant
    dtype: str
    ratios: dict[str, dict[str, float]]


def worst_of(variant: Variant, dtype: str, examples: int = 40) -> WorstCase:
    """Search for the worst cases of a variant on every backend."""
    ratios = {
        backend: {start: _searched(variant, dtype, backend, start, examples) for start in STARTS}
        for backend in backends()
    }
    return WorstCase(variant, dtype, ratios)


def _searched(variant: Variant, dtype: str, backend: str, start: str, examples: int) -> float:
    chosen: dict[str, Any] = {"device": "cuda"} if backend == "cuda" else {"backend": backend}
    make = adapters.own(optim.OPTIMIZERS[variant.name], state_dtype=variant.state_dtype, **chosen)
    search = Search(make, {}, spec(variant.name, **variant.settings), np.dtype(dtype), 0, examples)
    says = f"An update from {start} and a given state equals the formula within the derived bound."
    check: Callable[[Maker, Case], float] = partial(error_over_bound, from_zero=start == FROM_ZERO)
    finding = search.examine(Property("P1", says, check))
    if finding.outcome != "passed":
        raise AssertionError(str(finding))
    return search.worst


def error_over_bound(make: Maker, case: Case, from_zero: bool = False) -> float:
    """The largest error of an update over its bound, on ordinary gradients, from the subject's own state.

    Raises:
        Broken: a value outside its enclosure.
    """
    oracle, subject, worst = Oracle(case.spec), case.make(make), 0.0
    counts = [0] * len(case.params)
    for grads, wheres in zip(case.gradients, elements_of_part(case, ORDINARY), strict=True):
        if from_zero:
            state = require_method(subject, "get_state")()
            subject = case.make(make, params=[np.zeros_like(p) for p in case.params])
            require_method(subject, "set_state")(state)
        thetas = [np.array(p) for p in subject.params]
        states = [_moments(subject, i, p.dtype) for i, p in enumerate(thetas)]
        subject.step(copy_gradients(grads))
        for i, (g, where) in enumerate(zip(grads, wheres, strict=True)):
            if g is None:
                continue
            counts[i] += 1
            formula = enclosed(case.spec, thetas[i].dtype, roundings_of(case.spec))
            keys = case.spec.state_keys(thetas[i])
            first = not all(key in states[i] for key in keys)
            before = (
                case.spec.initial_state(thetas[i] if case.spec.family.initial else np.zeros_like(thetas[i]))
                if first
                else states[i]
            )
            found, told = subject.params[i], f"theta after step {counts[i]} of parameter {i}"
            if not case.spec.family.elementwise:  # an element is not updated by itself
                if where.all():
                    exact = oracle.step(thetas[i], g, {key: np.asarray(before[key]) for key in keys}, counts[i])[0]
                    kept = {key: lifted(before[key], formula.dtype, formula.roundings) for key in keys}
                    bound = formula.step(thetas[i], g, kept, counts[i])[0]
                    expect_enclosed(bound, found, told)
                    worst = max(worst, _ratio(found, exact, bound))
                continue
            chosen = {key: np.broadcast_to(np.asarray(before[key], g.dtype), g.shape)[where] for key in keys}
            at = thetas[i][where], g[where], chosen, counts[i]
            expect_enclosed(formula.step(*at)[0], found[where], told)
            worst = max(worst, _ratio(found[where], oracle.step(*at)[0], formula.step(*at)[0]))
    return worst


def _moments(subject: Any, index: int, dtype: DTypeLike) -> dict[str, Any]:
    """The state as arrays of the parameter's dtype, whatever keeps it."""
    state, storage = state_of(subject, index), getattr(subject, "storage", None)
    return state if storage is None else storage.decoded(state, dtype)


def _ratio(found: np.ndarray, exact: np.ndarray, bounds: Enclosure) -> float:
    """The largest distance from the exact numbers, over that of the farther bound."""
    worst = 0.0
    ends = (np.broadcast_to(end, found.shape) for end in (bounds.low, bounds.high))
    for value, right, low, high in zip(found.ravel(), exact.ravel(), *map(np.ravel, ends), strict=True):
        if np.isfinite(low) and np.isfinite(high) and low < high:
            worst = max(worst, float(abs(right - float(value)) / max(float(high) - right, right - float(low))))
    return worst
