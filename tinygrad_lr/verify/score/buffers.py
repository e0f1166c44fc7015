"""Wrong in memory: gradients kept or changed, moments and parameters that share arrays. Next: groups.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .candidates import Candidate, Formulas, family
from .scenes import Scene, shapes_for, together
from .subjects import Subject, claims, optimizer, takes


class KeepsGradients(Subject):
    """The gradient of the step before is kept by reference, and added in the place of what it was then."""

    def update(self, i, g, hyperparameters):
        before = getattr(self, "kept", {})
        if i in before:
            then, held = before[i]
            changed = held - then  # what the caller has written there since
            for key, value in self.state[i].items():
                if key != "step" and np.shape(value) == np.shape(changed):
                    value[...] = value + changed
        super().update(i, g, hyperparameters)
        self.kept = {**before, i: (np.array(g), g)}


class FirstGradientIsTheState(Subject):
    """At the first step the first state array becomes the gradient's own, without a copy."""

    def write(self, i, theta, state):
        super().write(i, theta, state)
        key = next((k for k, v in self.state[i].items() if k != "step" and np.shape(v) == np.shape(self.g)), None)
        if self.state[i]["step"] == 1 and key:
            self.g[...] = self.state[i][key]
            self.state[i][key] = self.g

    def update(self, i, g, hyperparameters):
        self.g = g
        super().update(i, g, hyperparameters)


class FirstBuffersForever(Subject):
    """The gradients of the first step are read at every step, as a recorded graph reads its inputs."""

    def update_all(self, grads):
        first = getattr(self, "first", None)
        if first is None or len(first) != len(grads):
            self.first = list(grads)
        super().update_all(
            [None if g is None else (f if f is not None else g) for f, g in zip(self.first, grads, strict=True)]
        )


class ScratchInTheGradient(Subject):
    """The step is written into the gradient."""

    def write(self, i, theta, state):
        before = self.params[i].copy()
        super().write(i, theta, state)
        self.g[...] = self.params[i] - before

    def update(self, i, g, hyperparameters):
        self.g = g
        super().update(i, g, hyperparameters)


class ScratchOneStepLater(Subject):
    """The gradient of the step before serves as memory for this one."""

    def update_all(self, grads):
        super().update_all(grads)
        for g in getattr(self, "before", []):
            if g is not None and not any(g is new for new in grads):
                g[...] = 0
        self.before = list(grads)


class ClearsGradients(Subject):
    """Gradients are set to zero after the step."""

    def update_all(self, grads):
        super().update_all(grads)
        for g in grads:
            if g is not None:
                g[...] = 0


class NegatesGradients(Subject):
    """Where it maximizes, the gradient is negated in place."""

    def update(self, i, g, hyperparameters):
        if hyperparameters.get("maximize"):
            g *= -1
            super().update(i, g, {**hyperparameters, "maximize": False})
        else:
            super().update(i, g, hyperparameters)


class AddsDecayToGradients(Subject):
    """Decay is added to the caller's gradient, which is used as it was."""

    def update(self, i, g, hyperparameters):
        super().update(i, np.array(g), hyperparameters)
        if hyperparameters.get("weight_decay"):
            g += g.dtype.type(hyperparameters["weight_decay"]) * self.params[i]


class OneArrayForTwoMoments(Subject):
    """The first two state arrays are one array."""

    def write(self, i, theta, state):
        super().write(i, theta, state)
        keys = [key for key in state if np.shape(self.state[i][key]) == self.params[i].shape]
        if len(keys) > 1:
            self.state[i][keys[0]] = self.state[i][keys[1]]


class StateIsHanded(Subject):
    """get_state() gives the arrays themselves."""

    def get_state(self):
        return {"state": {i: s for i, s in enumerate(self.state) if s}, "param_groups": self.groups}

    def write(self, i, theta, state):
        kept = self.state[i]
        super().write(i, theta, state)
        for key in state:
            if key in kept and np.shape(kept[key]) == np.shape(self.state[i][key]):
                kept[key][...] = self.state[i][key]
                self.state[i][key] = kept[key]


class StateIsTaken(StateIsHanded):
    """set_state() keeps the arrays that it gets."""

    def get_state(self):
        return Subject.get_state(self)

    def set_state(self, state):
        self.state = [state["state"].get(i, {}) for i in range(len(self.params))]
        self.groups = state["param_groups"]


class ScratchOfOneSize(Subject):
    """One scratch array for all parameters of a size keeps what the last one left."""

    def update(self, i, g, hyperparameters):
        scratch = vars(self).setdefault("scratch", {})
        key = (g.size, str(g.dtype))
        if key in scratch and scratch[key][0] != i:
            g = g + np.asarray(1e-3 * scratch[key][1].reshape(g.shape), g.dtype)
        super().update(i, np.array(g), hyperparameters)
        scratch[key] = (i, np.array(g))


KINDS: dict[str, type[Subject]] = {
    "keeps the gradient by reference": KeepsGradients,
    "makes the first gradient its state": FirstGradientIsTheState,
    "reads the first step's gradients for ever": FirstBuffersForever,
    "writes the step into the gradient": ScratchInTheGradient,
    "writes into the last step's gradient": ScratchOneStepLater,
    "clears the gradients": ClearsGradients,
    "negates the gradient in place": NegatesGradients,
    "adds decay to the caller's gradient": AddsDecayToGradients,
    "keeps two moments in one array": OneArrayForTwoMoments,
    "hands out its own state": StateIsHanded,
    "keeps the state it is given": StateIsTaken,
    "adds what another parameter of the size left": ScratchOfOneSize,
}


@family("buffers", "Gradients are kept, changed at once or later; moments, parameters and saved states share memory.")
def buffers(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        shapes = shapes_for(claim)
        twice = shapes if claim.family.coupled else (*shapes, shapes[0])
        scenes = []
        for settings in ({"lr": 0.05}, together(claim, takes(claim)), {"lr": 0.05, "maximize": True}):
            if set(settings) <= set(takes(claim)):
                scenes += [Scene(settings, twice), Scene(settings, twice, reuse=True)]
        for kind, subject in KINDS.items():
            found = optimizer("buffers", kind, claim.name, claim, subject, tuple(scenes))
            if kind in ("hands out its own state", "keeps the state it is given"):
                shares = bool(claim.state_keys(np.ones(shapes[0])))
                if shares:
                    yield type(found)(found.family, found.kind, found.place, found.check)
                continue
            yield found
