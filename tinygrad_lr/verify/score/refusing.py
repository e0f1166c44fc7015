"""Right, and particular: it refuses by a named error, or says beforehand what it cannot take. Next: libraries.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from .candidates import Candidate, Formulas, family
from .subjects import Subject, check, claims, maker, takes


def refuses(why: Callable[[Any, dict[str, Any]], str]) -> type[Subject]:
    """A subject that raises a ValueError where `why(params, hyperparameters)` has words."""

    class Refuses(Subject):
        def add_group(self, params, **hyperparameters):
            if words := why(params, {**self.defaults, **hyperparameters}):
                raise ValueError(words)
            super().add_group(params, **hyperparameters)

        def set_hyperparameters(self, **changes):
            if words := why([], {**self.groups[0], **changes}):
                raise ValueError(words)
            super().set_hyperparameters(**changes)

    return Refuses


def no_rate(params, given):
    return f"lr must be above 0, got {given['lr']}" if given["lr"] <= 0 else ""


def float64(params, given):
    return "parameters must be float32, got float64" if any(p.dtype == np.float64 for p in params) else ""


def mixed(params, given):
    return "all parameters must have one dtype" if len({p.dtype for p in params}) > 1 else ""


def empty(params, given):
    return "a parameter has no elements" if any(not p.size for p in params) else ""


def without_dimension(params, given):
    return "a parameter must have at least one dimension" if any(not p.ndim for p in params) else ""


def no_epsilon(params, given):
    return f"eps must be above 0, got {given['eps']}" if given.get("eps", 1) <= 0 else ""


def zero_betas(params, given):
    return f"betas must lie in (0, 1), got {given['betas']}" if min(given.get("betas", (1,))) <= 0 else ""


def negative_decay(params, given):
    return "weight_decay must not be negative" if given.get("weight_decay", 0) < 0 else ""


class RefusesNonFinite(Subject):
    """Raises where a gradient is not finite, and changes nothing."""

    def update_all(self, grads):
        if any(g is not None and not np.isfinite(g).all() for g in grads):
            raise ValueError("a gradient is not finite; scale the loss down")
        super().update_all(grads)


class OneGroup(Subject):
    """Knows one group, with all of its parameters from the start."""

    add_group = None  # type: ignore[assignment]

    def __init__(self, name, params, hyperparameters):
        self.defaults = dict(hyperparameters)
        self.add_group = partial(Subject.add_group, self)  # type: ignore[assignment,method-assign]
        super().__init__(name, params, hyperparameters)
        self.add_group = None  # type: ignore[assignment,method-assign]


class CountsUpdates(OneGroup):
    """One count for all parameters, of updates: right where no gradient is missing and nothing joins late."""

    updates = 0

    def update_all(self, grads):
        self.updates += 1
        super().update_all(grads)

    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, state, self.updates)

    def set_state(self, state):
        super().set_state(state)
        self.updates = max([entry.get("step", 0) for entry in self.state], default=0)


KINDS: dict[str, tuple[type[Subject], dict[str, Any], tuple[str, ...]]] = {
    "refuses a rate of 0": (refuses(no_rate), {}, ("lr",)),
    "refuses float64": (refuses(float64), {}, ()),
    "refuses two dtypes, and says so": (refuses(mixed), {"mixes_dtypes": False}, ()),
    "refuses empty parameters": (refuses(empty), {}, ()),
    "refuses numbers without dimensions": (refuses(without_dimension), {"dimensions": 1}, ()),
    "refuses numbers without dimensions, and does not say so": (refuses(without_dimension), {}, ()),
    "refuses an epsilon of 0": (refuses(no_epsilon), {}, ("eps",)),
    "refuses betas of 0": (refuses(zero_betas), {}, ("betas",)),
    "refuses negative decay": (refuses(negative_decay), {}, ("weight_decay",)),
    "refuses gradients that are not finite": (RefusesNonFinite, {}, ()),
    "counts steps of the optimizer, has one group, and knows no missing gradients": (
        CountsUpdates,
        {"missing_gradients": False},
        (),
    ),
    "has one group": (OneGroup, {}, ()),
}


@family(
    "refusing",
    "What it refuses by a named error, or says that it cannot: no rate, float64, None, empty ones.",
    right=True,
)
def refusing(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        for kind, (subject, attributes, needs) in KINDS.items():
            if set(needs) <= set(takes(claim)):
                make = maker(claim, subject, **attributes)
                yield Candidate("refusing", kind, claim.name, partial(check, make, claim))
