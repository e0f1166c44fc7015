"""Wrong steps, shapes, aliasing and state. Next: made.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from ..adapters.naive import Naive
from .catalogue import mutant


@mutant("adam", "P5", "flashlight #143, DiffSharp #292", entry="20", also=None)
class StepPerParameter(Naive):
    count = 0

    def formula(self, spec, theta, g, state, t):
        self.count += 1
        return super().formula(spec, theta, g, state, self.count)


@mutant("adam", "P10", "DeepSpeed #8471", entry="21", also=None)
class OneStepForAll(Naive):
    calls = 0

    def step(self, grads):
        self.calls += 1
        super().step(grads)

    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, state, self.calls)


@mutant("asgd", "P10", "torch #125440, #126375", entry="4", lambd=0.1)
class AllAtTheStepOfTheFirst(OneStepForAll):
    pass


@mutant("sgd", "P4", "ColossalAI #633", entry="22", also=None)
class FirstDimensionForSize(Naive):
    def write(self, i, theta, state):
        n = self.params[i].shape[0] if self.params[i].ndim else 1
        self.params[i].reshape(-1)[:n] = np.reshape(theta, -1)[:n]


@mutant("sgd", "P5", "torch #100701", entry="23", also=None)
class EmptyLastMeansNothingToDo(Naive):
    def step(self, grads):
        if self.params[-1].size:
            super().step(grads)


@mutant("sgd", "P4", "bitsandbytes #1187", entry="24", also=None)
class ReadsGradientsAsContiguous(Naive):
    def update(self, i, g, hyperparameters):
        raw = g if g.base is None else np.ravel(g.base)[: g.size].reshape(g.shape)
        super().update(i, raw, hyperparameters)


@mutant("sgd", "P7", "torch #12218, MLX #4426", entry="25", weight_decay=0.1)
class DecayAddedToTheCallersGradient(Naive):
    def update(self, i, g, hyperparameters):
        decay = self.params[i].dtype.type(hyperparameters["weight_decay"]) * self.params[i]
        g += -decay if hyperparameters.get("maximize") else decay
        super().update(i, g, {**hyperparameters, "weight_decay": 0.0})


@mutant("adam", "P8", "torch #196083, TorchSharp #1172", entry="26")
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


def in_bfloat16(step):
    """A whole number in eight significant bits, ties to even."""
    digits = max(step.bit_length() - 8, 0)
    return int(round(step / 2**digits)) * 2**digits


@mutant("adam", "P9.count", "torch #75214", entry="27a")
class LoadedStepInBfloat16(Naive):
    def set_state(self, state):
        super().set_state(state)
        for entry in self.state:
            if entry:
                entry["step"] = in_bfloat16(entry["step"])


@mutant("adam", "P9.count", "torchao #4915", entry="27b", also=None)
class StepSticksAt256(Naive):
    def update(self, i, g, hyperparameters):
        super().update(i, g, hyperparameters)
        self.state[i]["step"] = in_bfloat16(self.state[i]["step"])


@mutant("sgd", "P9", momentum=0.9)
class BufferForgottenOnLoading(Naive):
    def set_state(self, state):
        super().set_state(state)
        for entry in self.state:
            if entry:
                entry["momentum_buffer"] = entry["momentum_buffer"] * 0


@mutant("adam", "P33")
class CountsCallsNotUpdates(Naive):
    def step(self, grads):
        super().step(grads)
        for entry, g in zip(self.state, grads, strict=True):
            if entry and g is None:
                entry["step"] += 1


class SkipsWhatIsNotFinite(Naive):
    """Where a gradient is infinite or NaN nothing is updated and no step counted, as a loss scaler's flag asks."""

    def update_all(self, grads):
        if all(g is None or np.isfinite(g).all() for g in grads):
            super().update_all(grads)


@mutant("adam", "P18", "torch #95847", entry="28a", also=None, reference=SkipsWhatIsNotFinite)
class SkipFlagNotPassed(Naive):
    pass


@mutant("lars", "P18", "numba #9518, #4922, #9582", entry="40", momentum=0.0)
class ReductionStartsInEveryThread(Naive):
    def formula(self, spec, theta, g, state, t):
        first, *others = np.array_split(np.ravel(g) ** 2, 2)
        total = first.sum() + sum(first.sum() + part.sum() for part in others)  # each thread begins at the first sum
        right = np.sqrt(np.sum(g * g))
        new, after = super().formula(spec, theta, g, state, t)
        return theta + (new - theta) * np.divide(right, np.sqrt(total), dtype=theta.dtype), after
