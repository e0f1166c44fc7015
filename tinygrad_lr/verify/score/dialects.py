"""Wrong by a dialect: every option of every formula computed in another way than claimed. Next: syntax.py.

Epsilon inside or outside the root, the rate inside the buffer or outside, coupled or decoupled decay, a first step that
is dampened or not: what one library does and another claims.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..formulas import FAMILIES as FORMULAS
from ..specification import Specification
from .candidates import Candidate, Formulas, family
from .scenes import Scene, scenes_of, shapes_for, together
from .subjects import Subject, claims, optimizer, takes

# The words that an option may have besides those that dialects use.
WORDS: dict[str, tuple[Any, ...]] = {
    "eps_placement": ("inside", "outside", "hat", "floor"),
    "lr_placement": ("inside", "outside"),
    "decoupled_weight_decay": (False, True, "schedule"),
    "amsgrad_form": ("paper", "torch", "optax"),
    "mu_form": ("paper", "torch", "constant"),
    "momentum_form": ("average", "sum", "corrected"),
    "adjust_lr_fn": ("original", "columns", "match_rms_adamw"),
    "decay_form": ("proximal", "decoupled"),
    "decay_placement": ("inside", "outside"),
    "trust_form": ("paper", "optax"),
    "floor_form": ("added", "clamped"),
    "first_form": ("zero", "same"),
    "l2_form": ("paper", "doubled"),
}


def options(claim: Specification) -> dict[str, tuple[Any, ...]]:
    """The options of a formula that a user's class does not take, and what each may be."""
    found = {}
    for name, value in claim.settings.items():
        if name not in takes(claim):
            used = [FORMULAS[claim.name].settings(dialect)[name] for dialect in claim.dialects]
            words = WORDS.get(name, (False, True) if isinstance(value, bool) else ())
            found[name] = tuple(dict.fromkeys([*used, *words]))
    return found


def with_option(name: str, value: Any) -> type[Subject]:
    class OfAnotherDialect(Subject):
        def formula(self, spec, theta, g, state, t):
            return super().formula(spec.having(**{name: value}), theta, g, state, t)

        def initial_state(self, spec, theta):
            return super().initial_state(spec.having(**{name: value}), theta)

    return OfAnotherDialect


def runs(claim: Specification, name: str, value: Any) -> bool:
    """Whether the formula knows this word."""
    other = claim.having(**{name: value})
    theta = np.ones(shapes_for(claim)[-1])
    try:
        for settings in ({}, together(claim, takes(claim))):
            changed = other.having(**settings)
            changed.step(theta, theta, changed.initial_state(theta), 1)
    except Exception:  # KeyError, or a state that the claim has not
        return False
    return True


class RateInTheMoment(Subject):
    """Each step is made with the rate at which its gradient came: a momentum buffer that holds rates.

    What theta moves by is what the formula moves it by, of which the share of earlier gradients keeps the earlier rate.
    """

    def formula(self, spec, theta, g, state, t):
        before = getattr(self, "rate", spec["lr"])
        new, after = super().formula(spec, theta, g, state, t)
        self.rate = spec["lr"]
        if before != spec["lr"]:
            at_the_old, _ = super().formula(spec.having(lr=before), theta, g * 0, state, t)
            at_the_new, _ = super().formula(spec, theta, g * 0, state, t)
            new = new + (at_the_old - at_the_new)
        return new, after


class DecayAtTheFirstRate(Subject):
    """Decay goes by the rate that the optimizer was built with."""

    def formula(self, spec, theta, g, state, t):
        if not spec.settings.get("weight_decay"):
            return super().formula(spec, theta, g, state, t)
        first = self.defaults["lr"]
        ratio = first / spec["lr"] if spec["lr"] else 1.0
        return super().formula(spec.having(weight_decay=spec["weight_decay"] * ratio), theta, g, state, t)


RATES: dict[str, type[Subject]] = {
    "keeps earlier rates in its moments": RateInTheMoment,
    "decays at the rate it was built with": DecayAtTheFirstRate,
}


def rate_changes(claim) -> tuple[Scene, ...]:
    """Runs in which the rate changes."""
    shapes = shapes_for(claim)
    return tuple(
        Scene(settings, shapes, steps=6, changes={3: {"lr": 0.01}})
        for settings in ({"lr": 0.05}, together(claim, takes(claim)))
    )


@family("dialects", "An option is computed in another way than claimed: epsilon, rate, decay, first step, corrections.")
def dialects(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        for name, values in options(claim).items():
            for value in values:
                if value != claim[name] and runs(claim, name, value):
                    kind = f"{name.replace('_', ' ')} is {value}, not {claim[name]}"
                    shown = (*scenes_of(claim, takes(claim)), *rate_changes(claim))
                    yield optimizer("dialects", kind, claim.name, claim, with_option(name, value), shown)
        for kind, subject in RATES.items():
            yield optimizer("dialects", kind, claim.name, claim, subject, rate_changes(claim))
