"""Wrong rules beyond the five: Rprop, Adan, RAdam, Adamax, Lion, AdaBelief, as they were found or made to be found."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from ..adapters.naive import Naive
from .catalogue import mutant


@mutant("rprop", "P27", "optax #1725", backtracking=False)
class EmitsTheUpdateOfTheStepBefore(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        stale = np.where(g * state["prev"] < 0, 0.0, state["step_size"] * np.sign(state["prev"]))
        return theta - stale.astype(theta.dtype), after


@mutant("adan", "P1", "optax #1715", bias_correction=True, decay_form="decoupled", eps_root=1e-8)
class OneMinusBeta2WhereBeta2IsMeant(Naive):
    def formula(self, spec, theta, g, state, t):
        b1, b2, b3 = spec["betas"]
        y = g - state["previous_grad"] if t > 1 else g * 0
        m = b1 * state["exp_avg"] + (1 - b1) * g
        v = b2 * state["exp_avg_diff"] + (1 - b2) * y
        n = b3 * state["exp_avg_sq"] + (1 - b3) * (g + (1 - b2) * y) ** 2
        after = {"exp_avg": m, "exp_avg_diff": v, "exp_avg_sq": n, "previous_grad": g}
        m, v, n = m / (1 - b1**t), v / (1 - b2**t), n / (1 - b3**t)
        return theta - spec["lr"] * (m + (1 - b2) * v) / (np.sqrt(n + spec["eps_root"]) + spec["eps"]), after


@mutant("radam", "P1", "torch and optax have 5 where the paper has 4", betas=(0.9, 0.99))
class ThresholdOfAnotherDialect(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(threshold=9.0 - spec["threshold"]), theta, g, state, t)


@mutant("adamax", "P23")
class NormOfTheLastGradientAlone(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        norm = 0.5 * np.abs(g) + spec["eps"]
        return theta - spec["lr"] * after["exp_avg"] / (1 - spec["betas"][0] ** t) / norm, after


@mutant("lion", "P22")
class TwiceTheSign(Naive):
    def formula(self, spec, theta, g, state, t):
        after, state = super().formula(spec, theta, g, state, t)
        return after + (after - theta), state


@mutant("adabelief", "P1", "optax #1130")
class VarianceAroundTheMomentBefore(Naive):
    def formula(self, spec, theta, g, state, t):
        stale = {**state, "exp_avg": state["exp_avg"]}
        before = super().formula(spec, theta, g, stale, t)[1]
        b2 = spec["betas"][1]
        after = {**before, "exp_avg_var": b2 * state["exp_avg_var"] + (1 - b2) * (g - state["exp_avg"]) ** 2}
        return super().formula(spec, theta, g, state, t)[0], after
