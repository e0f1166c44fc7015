"""Wrong optimizers: the published bugs that can be one of the five, each as a small change of the naive reference.

A mutant is a subclass of `Naive` that overrides the part of a step that the bug sat in. The table `MUTANTS` says where
the bug was seen, on which formula and settings it shows, and which property must kill it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.verify.adapters import Naive
from tinygrad_lr.verify.formulas import adam, rmsprop, sgd


class Mutant(NamedTuple):
    kind: type[Naive]
    formula: str
    settings: dict[str, Any]
    killed_by: str
    seen_in: str


MUTANTS: dict[str, Mutant] = {}


def mutant(formula: str, killed_by: str, seen_in: str = "", **settings: Any):
    """Register a mutant: the formula and settings on which it shows, the property that kills it, where it was seen."""

    def register(kind: type[Naive]) -> type[Naive]:
        MUTANTS[kind.__name__] = Mutant(kind, formula, {"lr": 0.1, **settings}, killed_by, seen_in)
        return kind

    return register


AMSGRAD = {"amsgrad": True, "amsgrad_form": "torch", "betas": (0.9, 0.5)}
OUTSIDE = {"eps_placement": "outside"}


def hyperparameters(spec):
    return {name: spec[name] for name in spec.all_names}


# Formula
@mutant("adam", "P24", "torch #78807", **AMSGRAD)
class MaximumNeverStored(Naive):
    def write(self, i, theta, state):
        super().write(i, theta, {k: v for k, v in state.items() if k != "max_exp_avg_sq"})


@mutant("adam", "P24", "torch #4314", **AMSGRAD)
class MaximumRootedInPlace(Naive):
    def write(self, i, theta, state):
        super().write(i, theta, {**state, "max_exp_avg_sq": np.sqrt(state["max_exp_avg_sq"])})


@mutant("adam", "P28", "torch #22628, keras #17391", eps=0.1, **OUTSIDE)
class EpsilonHat(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(eps_placement="hat"), theta, g, state, t)


@mutant("adam", "P1", "optax #1130 (AdaBelief)")
class OldMomentInTheUpdate(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        stale = {**state, "exp_avg": (state["exp_avg"] - 0.1 * g) / 0.9}
        return super().formula(spec, theta, g, stale, t)[0], after


@mutant("adam", "P27", "optax #1725 (Rprop)")
class EmitsThePreviousUpdate(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        update, self.previous = getattr(self, "previous", new * 0), new - theta
        return theta + (update if np.shape(update) == np.shape(theta) else 0), after


@mutant("sgd", "P1", "mxnet #8925", maximize=True, weight_decay=0.1)
class DecayInsideTheRescaledGradient(Naive):
    def formula(self, spec, theta, g, state, t):
        return sgd(theta, -(g + spec["weight_decay"] * theta), state, t, lr=spec["lr"])


@mutant("rmsprop", "P24", "mxnet #6235, torch and optax", centered=True, eps=1e-30, alpha=0.01)
class UnclampedVariance(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        variance = after["square_avg"] - after["grad_avg"] * after["grad_avg"]
        return theta - spec["lr"] * g / np.sqrt(variance + spec["eps"]), after


@mutant("adam", "P28", "Flux #789")
class BetaForBetaToTheT(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, state, 1)


@mutant("adam", "P28", "holocron #1")
class CorrectsTheStoredMoment(Naive):
    def formula(self, spec, theta, g, state, t):
        theta, after = super().formula(spec, theta, g, state, t)
        return theta, {**after, "exp_avg": after["exp_avg"] / (1 - spec["betas"][0] ** t)}


@mutant("adagrad", "P5", "verification, section 2, entry 9")
class IndexNotAdvanced(Naive):
    def update(self, i, g, hyperparameters):
        for j in range(i):
            if self.state[j] and self.params[j].shape == self.params[i].shape:
                self.state[i] = self.state[j]
        super().update(i, g, hyperparameters)


@mutant("rmsprop", "P27", "PennyLane #1928")
class FirstStepWithoutOneMinusBeta(Naive):
    def formula(self, spec, theta, g, state, t):
        if t == 1:
            return theta - spec["lr"] * g / np.sqrt(g * g + spec["eps"]), {"square_avg": g * g}
        return super().formula(spec, theta, g, state, t)


@mutant("sgd", "P29", "AiDotNet #2008", momentum=0.9)
class MomentumOnTheGradient(Naive):
    def formula(self, spec, theta, g, state, t):
        b = state["momentum_buffer"] + spec["momentum"] * g
        return theta - spec["lr"] * b, {"momentum_buffer": b}


@mutant("adam", "P1", "verification, section 2, entry 10")
class ScalarsRoundedBeforeSubtracting(Naive):
    def formula(self, spec, theta, g, state, t):
        rounded = tuple(float(np.float32(b)) for b in spec["betas"])
        return super().formula(spec.having(betas=rounded), theta, g, state, t)


@mutant("sgd", "P29", "pytorch_optimizer #516", momentum=0.9)
class BufferZeroedEveryStep(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, {"momentum_buffer": state["momentum_buffer"] * 0}, t)


@mutant("sgd", "P7", "pytorch_optimizer #528", maximize=True)
class NegatesTheCallersGradient(Naive):
    def update(self, i, g, hyperparameters):
        g *= -1
        super().update(i, g, {**hyperparameters, "maximize": False})


@mutant("sgd", "P13")
class MaximizeDescends(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(maximize=False), theta, g, state, t)


@mutant("rmsprop", "P12", "pytorch_optimizer #480")
class EpsilonAfterTheReciprocalRoot(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        return theta - spec["lr"] * g * (1 / np.sqrt(after["square_avg"]) + spec["eps"]), after


@mutant("adagrad", "P1", "pytorch_optimizer #347", initial_accumulator_value=0.5)
class DenominatorBeforeItsUpdate(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        return theta - spec["lr"] * g / np.sqrt(state["sum"] + spec["eps"]), after


@mutant("rmsprop", "P20", "pytorch_optimizer #397", eps=1e-3)
class EpsilonTwice(Naive):
    def formula(self, spec, theta, g, state, t):
        _, after = super().formula(spec, theta, g, state, t)
        return theta - spec["lr"] * g / (np.sqrt(after["square_avg"] + spec["eps"]) + spec["eps"]), after


@mutant("adam", "P27", "pytorch_optimizer #308")
class CorrectedTwice(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec, theta, g, state, t)
        return theta + (new - theta) / (1 - spec["betas"][0] ** t), after


@mutant("adam", "P28", "OLMo-core #317")
class StepNeverIncremented(Naive):
    def update(self, i, g, hyperparameters):
        super().update(i, g, hyperparameters)
        self.state[i]["step"] = 0


@mutant("adam", "P17")
class AmsgradIgnored(Naive):
    def formula(self, spec, theta, g, state, t):
        new, after = super().formula(spec.having(amsgrad=False), theta, g, state, t)
        return new, {**state, **after}


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
