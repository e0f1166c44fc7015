"""Wrong weight decay: applied to what, multiplied by what, how often. Next: bookkeeping.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from ..adapters.naive import Naive
from .catalogue import mutant

DECAY = ("weight_decay",)
EITHER = ("weight_decay", "decoupled_weight_decay")


def decoupled(spec):
    """Whether a rule shrinks theta (those that know no other decay do)."""
    return spec["decoupled_weight_decay"] if "decoupled_weight_decay" in spec.all_names else True


@mutant("adamw", "P32", "transformers #14539", entry="14", also=None, with_names=DECAY, weight_decay=0.1)
class DecaysTheUpdatedTheta(Naive):
    def formula(self, spec, theta, g, state, t):
        if not decoupled(spec):
            return super().formula(spec, theta, g, state, t)
        new, after = super().formula(spec.having(weight_decay=0.0), theta, g, state, t)
        return new - spec["lr"] * spec["weight_decay"] * new, after


@mutant("adamw", "P18", "bitsandbytes #2010", entry="15b", also=("lamb", "ademamix"), weight_decay=0.1)
class DecaysAfterTheUpdateInOneBackend(DecaysTheUpdatedTheta):
    pass


@mutant("adamw", "P32", "bitsandbytes #1992 (Lion)", entry="15a", also=None, with_names=EITHER, weight_decay=0.1)
class CoupledInOneDtype(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(decoupled_weight_decay=theta.dtype == np.float64), theta, g, state, t)


@mutant("adam", "P31", "FlagGems #4988", entry="16a", also=None, with_names=EITHER, weight_decay=0.1)
class AdamIsAdamW(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(decoupled_weight_decay=True), theta, g, state, t)


@mutant("adam", "P17", "DeepSpeed #8307", entry="16b", weight_decay=0.1)
class ModeIgnored(AdamIsAdamW):
    pass


@mutant(
    "sgd",
    "P32",
    "Optimisers.jl #182",
    entry="17",
    also=None,
    with_names=DECAY,
    weight_decay=0.1,
    decoupled_weight_decay=True,
)
class DecayWithoutTheRate(Naive):
    def formula(self, spec, theta, g, state, t):
        if not decoupled(spec):
            return super().formula(spec, theta, g, state, t)
        new, after = super().formula(spec.having(weight_decay=0.0), theta, g, state, t)
        return new - spec["weight_decay"] * theta, after


@mutant("adamw", "P5", "timm #2750", entry="18", also=None, with_names=DECAY, weight_decay=0.1)
class DecaysOncePerParameterOfTheDtype(Naive):
    def formula(self, spec, theta, g, state, t):
        for param in self.params:
            if param.dtype == theta.dtype and param is not theta:
                theta = theta * (1 - spec["lr"] * spec["weight_decay"])
        return super().formula(spec, theta, g, state, t)


@mutant(
    "sgd",
    "P17",
    "tinygrad #17708, MLX #473, pytorch_optimizer #518",
    entry="19",
    also=None,
    with_names=DECAY,
    weight_decay=0.1,
)
class DecayIsDead(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(weight_decay=0.0), theta, g, state, t)


@mutant("adamw", "P15", weight_decay=0.0)
class DecaysAlways(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(weight_decay=0.01), theta, g, state, t)


@mutant("adamw", "P33.average", "keras #19990", entry="29", weight_decay=0.1)
class DecayAndStepAtEveryMicroBatch(Naive):
    def step(self, grads):
        if len(self.waiting) + 1 < self.micro_steps:
            for i, entry in enumerate(self.state):
                self.params[i] *= 1 - self.groups[0]["lr"] * self.groups[0]["weight_decay"]
                if entry:
                    entry["step"] += 1
        super().step(grads)
