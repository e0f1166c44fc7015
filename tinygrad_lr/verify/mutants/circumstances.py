"""Wrong in one setting, size, layout, count or dtype, after a change, or where two of these meet. Next: made.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from ..adapters.naive import Naive
from .catalogue import mutant


@mutant("sgd", "P1.settings", momentum=0.9)
class NesterovLooksAheadTwice(Naive):
    def formula(self, spec, theta, g, state, t):
        if spec["nesterov"]:
            g = g + theta.dtype.type(spec["momentum"]) * g
        return super().formula(spec, theta, g, state, t)


@mutant("adam", "P1.changes")
class RateReadOnce(Naive):
    first: float | None = None

    def update(self, i, g, hyperparameters):
        self.first = hyperparameters["lr"] if self.first is None else self.first
        super().update(i, g, {**hyperparameters, "lr": self.first})


@mutant("adamw", "P1.changes")
class SettingsOfTheFirstGroup(Naive):
    def update(self, i, g, hyperparameters):
        first = {key: value for key, value in self.groups[0].items() if key != "params"}
        super().update(i, g, {**first, "lr": hyperparameters["lr"]})


@mutant("adam", "P1.sizes")
class TailOfAVectorForgotten(Naive):
    def write(self, i, theta, state):
        size = self.params[i].size
        whole = size if size < 16 else size - size % 8
        kept = np.array(self.params[i].reshape(-1)[whole:])
        super().write(i, theta, state)
        self.params[i].reshape(-1)[whole:] = kept


@mutant("adam", "P1.sizes")
class StateFoundByShape(Naive):
    def update(self, i, g, hyperparameters):
        shapes = [p.shape for p in self.params]
        same = shapes.index(self.params[i].shape)
        if self.state[same]:
            self.state[i] = self.state[same]
        super().update(i, g, hyperparameters)


@mutant("sgd", "P1.layouts")
class ReadsTransposedGradientsInMemorysOrder(Naive):
    def update(self, i, g, hyperparameters):
        super().update(i, np.ravel(g, order="K").reshape(g.shape), hyperparameters)


@mutant("adam", "P1.counts")
class CountStopsAtTenThousand(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, state, min(t, 10_000))


@mutant("adam", "P1.dtypes")
class RateInSingle(Naive):
    def formula(self, spec, theta, g, state, t):
        return super().formula(spec.having(lr=float(np.float32(spec["lr"]))), theta, g, state, t)


@mutant("adam", "P1.nonfinite")
class OneNanForAll(Naive):
    def formula(self, spec, theta, g, state, t):
        spoilt = g.dtype.type(0) * np.sum(g * g.dtype.type(0))
        return super().formula(spec, theta, g + spoilt, state, t)


@mutant("adamw", "P1.pairs")
class NoDecayOfLateTransposedGradients(Naive):
    def update(self, i, g, hyperparameters):
        late = len(self.groups) > 1 and i in self.groups[1]["params"]
        off = {"weight_decay": 0.0} if late and not g.flags.c_contiguous else {}
        super().update(i, g, {**hyperparameters, **off})


@mutant("sgd", "P7.buffers", momentum=0.9)
class BufferIsTheFirstGradient(Naive):
    kept: dict[int, np.ndarray]

    def update(self, i, g, hyperparameters):
        """The momentum buffer begins as the gradient itself, whose memory is the caller's."""
        self.kept = getattr(self, "kept", {})
        if i in self.kept and self.state[i]["step"] == 1:
            self.state[i]["momentum_buffer"] = np.array(self.kept[i]) * g.dtype.type(hyperparameters["lr"])
        super().update(i, g, hyperparameters)
        self.kept.setdefault(i, g)


@mutant("adam", "P9.whole")
class RateThatWasChangedIsNotLoaded(Naive):
    def set_state(self, state):
        rates = [group["lr"] for group in self.groups]
        super().set_state(state)
        for group, lr in zip(self.groups, rates, strict=True):
            group["lr"] = lr
