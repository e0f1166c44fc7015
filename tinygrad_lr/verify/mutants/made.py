"""Bugs that no list has, so that every check is seen to fail. Next: schedules.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from ..adapters.naive import Naive
from ..formulas import adam, rmsprop
from .catalogue import hyperparameters, mutant


@mutant("sgd", "P2")
class Noisy(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g * np.random.default_rng().uniform(0.5, 1.5), state, t)


@mutant("sgd", "P3")
class FirstElementDouble(Naive):
    def update(self, i, g, hyperparameters):
        g = np.array(g)
        g.reshape(-1)[:1] *= 2
        super().update(i, g, hyperparameters)


@mutant("adam", "P6")
class LaterGroupsForgotten(Naive):
    def step(self, grads):
        kept, self.groups = self.groups, self.groups[:1]
        super().step(grads)
        self.groups = kept


@mutant("adam", "P11")
class NothingHappensWithoutRate(Naive):
    def update(self, i, g, hyperparameters):
        if hyperparameters["lr"]:
            super().update(i, g, hyperparameters)


@mutant("sgd", "P14")
class Lopsided(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, np.maximum(g, g / 2), state, t)


@mutant("adagrad", "P16")
class RateCapped(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(lr=min(spec["lr"], 0.2)), theta, g, state, t)


@mutant("adam", "P18")
class AnotherOrder(Naive):
    def formula(self, spec, theta, g, state, t):
        return adam(theta, g * g.dtype.type(3) / g.dtype.type(3), state, t, **hyperparameters(spec))


@mutant("sgd", "P19")
class Clipped(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, np.clip(g, -1, 1), state, t)


@mutant("adam", "P21")
class SecondCorrectionForgotten(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        hat = after["exp_avg"] / (1 - spec["betas"][0] ** t)
        return theta - spec["lr"] * hat / np.sqrt(after["exp_avg_sq"] + spec["eps"]), after


@mutant("rmsprop", "P22")
class MeanWeightTwice(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = rmsprop(theta, g, state, t, **hyperparameters(spec))
        return theta - spec["lr"] * g / np.sqrt((1 - spec["alpha"]) * after["square_avg"] + spec["eps"]), after


@mutant("adagrad", "P25")
class SumForgotten(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, {"sum": state["sum"] * 0}, t)


@mutant("adam", "P30")
class SmallBetasRaised(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(betas=tuple(max(b, 0.01) for b in spec["betas"])), theta, g, state, t)


@mutant("sgd", "P34")
class HalfTheRate(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(lr=spec["lr"] / 2), theta, g, state, t)


@mutant("adagrad", "P24")
class SumFades(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, {"sum": state["sum"] * 0.5}, t)


@mutant("adam", "P24")
class SecondMomentSubtracted(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        return new, {**after, "exp_avg_sq": -after["exp_avg_sq"]}


@mutant("adam", "P8")
class StateHoldsTheParameters(Naive):
    def get_state(self):
        state = super().get_state()
        return {**state, "masters": self.params}


@mutant("adam", "P7")
class RateDecaysInTheGroup(Naive):
    def step(self, grads):
        super().step(grads)
        self.groups[0]["lr"] *= 0.5


@mutant("sgd", "P9", momentum=0.9)
class BufferMissingInTheSavedState(Naive):
    def get_state(self):
        state = super().get_state()
        for entry in state["state"].values():
            del entry["momentum_buffer"]
        return state

    def set_state(self, state):
        super().set_state(state)
        for entry, theta in zip(self.state, self.params, strict=True):
            if entry:
                entry["momentum_buffer"] = np.zeros_like(theta)
