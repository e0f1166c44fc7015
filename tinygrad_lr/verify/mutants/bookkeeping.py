"""More wrong optimizers: weight decay, steps, shapes, aliasing, state, and bugs so that every check is seen to fail."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from ..adapters.naive import Naive
from ..formulas import adam, rmsprop
from .catalogue import hyperparameters, mutant


# Weight decay
@mutant("adamw", "P32", "transformers #14539", weight_decay=0.1)
class DecaysTheUpdatedTheta(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec.having(weight_decay=0.0), theta, g, state, t)
        return new - spec["lr"] * spec["weight_decay"] * new * spec["decoupled_weight_decay"], after


@mutant("adamw", "P32", "bitsandbytes #1992 (Lion)", weight_decay=0.1)
class CoupledInOneDtype(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(decoupled_weight_decay=theta.dtype == np.float64), theta, g, state, t)


@mutant("adam", "P31", "FlagGems #4988", weight_decay=0.1)
class AdamIsAdamW(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(decoupled_weight_decay=True), theta, g, state, t)


@mutant("adam", "P17", "DeepSpeed #8307", weight_decay=0.1)
class ModeIgnored(AdamIsAdamW):
    pass


@mutant("sgd", "P32", "Optimisers.jl #182", weight_decay=0.1, decoupled_weight_decay=True)
class DecayWithoutTheRate(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec.having(weight_decay=0.0), theta, g, state, t)
        return new - spec["weight_decay"] * theta, after


@mutant("adamw", "P5", "timm #2750", weight_decay=0.1)
class DecaysOncePerParameterOfTheDtype(Naive):
    def formula(self, spec, theta, g, state, t):
        for param in self.params:
            if param.dtype == theta.dtype and param is not theta:
                theta = theta * (1 - spec["lr"] * spec["weight_decay"])
        return super().formula(spec, theta, g, state, t)


@mutant("sgd", "P17", "tinygrad #17708, MLX #473")
class DecayIsDead(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(weight_decay=0.0), theta, g, state, t)


@mutant("adamw", "P15", weight_decay=0.0)
class DecaysAlways(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(weight_decay=0.01), theta, g, state, t)


# Steps, shapes, aliasing, state
@mutant("adam", "P5", "flashlight #143, DiffSharp #292")
class StepPerParameter(Naive):
    count = 0

    def formula(self, spec, theta, g, state, t):
        self.count += 1
        return super().formula(spec, theta, g, state, self.count)


@mutant("adam", "P10", "DeepSpeed #8471, torch #125440 (ASGD)")
class OneStepForAll(Naive):
    calls = 0

    def step(self, grads):
        self.calls += 1
        super().step(grads)

    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, state, self.calls)


@mutant("sgd", "P4", "ColossalAI #633")
class FirstDimensionForSize(Naive):
    def write(self, i, theta, state):
        n = self.params[i].shape[0] if self.params[i].ndim else 1
        self.params[i].reshape(-1)[:n] = np.reshape(theta, -1)[:n]


@mutant("sgd", "P5", "torch #100701")
class EmptyLastMeansNothingToDo(Naive):
    def step(self, grads):
        if self.params[-1].size:
            super().step(grads)


@mutant("sgd", "P4", "bitsandbytes #1187")
class ReadsGradientsAsContiguous(Naive):
    def update(self, i, g, hyperparameters):
        raw = g if g.base is None else np.ravel(g.base)[: g.size].reshape(g.shape)
        super().update(i, raw, hyperparameters)


@mutant("sgd", "P7", "torch #12218, MLX #4426", weight_decay=0.1)
class DecayAddedToTheCallersGradient(Naive):
    def update(self, i, g, hyperparameters):
        g += self.params[i].dtype.type(hyperparameters["weight_decay"]) * self.params[i]
        super().update(i, g, {**hyperparameters, "weight_decay": 0.0})


@mutant("adam", "P8", "torch #196083, TorchSharp #1172")
class StateIsAliased(Naive):
    def write(self, i, theta, state):
        self.params[i][...] = theta
        for key, value in state.items():
            self.state[i][key][...] = value

    def get_state(self):
        return {"state": {i: dict(s) for i, s in enumerate(self.state) if s}, "param_groups": self.groups}


@mutant("adam", "P8")
class LoadedStateIsAliased(StateIsAliased):
    def get_state(self):
        return Naive.get_state(self)

    def set_state(self, state):
        self.state = [state["state"].get(i, {}) for i in range(len(self.params))]


@mutant("adam", "P9", "torch #75214, torchao #4915")
class LoadedStepInBfloat16(Naive):
    def set_state(self, state):
        super().set_state(state)
        for entry in self.state:
            if entry and entry["step"] >= 256:
                entry["step"] = int(entry["step"]) // 2 * 2 - 1  # 8 significant bits: 257 reads 256


@mutant("sgd", "P9", momentum=0.9)
class BufferForgottenOnLoading(Naive):
    def set_state(self, state):
        super().set_state(state)
        for entry in self.state:
            if entry:
                entry["momentum_buffer"] = entry["momentum_buffer"] * 0


@mutant("adam", "P33", "keras #19990")
class CountsCallsNotUpdates(Naive):
    def step(self, grads):
        super().step(grads)
        for entry, g in zip(self.state, grads, strict=True):
            if entry and g is None:
                entry["step"] += 1


# Bugs that no list has, so that every check is seen to fail
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
