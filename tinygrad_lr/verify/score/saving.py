"""Wrong when saved and loaded: entries, counts and settings that are lost, cast, swapped or shared. Next: dtypes.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .candidates import Candidate, Formulas, family
from .scenes import Scene, another_value, shapes_for
from .subjects import Subject, claims, optimizer, takes


def loads(change: Callable[[Any, dict[str, Any], str], None], key: str) -> type[Subject]:
    """A subject that changes each entry of what it loads."""

    class LoadsOtherwise(Subject):
        def set_state(self, state):
            super().set_state(state)
            for entry in self.state:
                if entry and key in entry:
                    change(self, entry, key)

    return LoadsOtherwise


def zeroed(subject, entry, key):
    entry[key] = entry[key] * 0


def negated(subject, entry, key):
    entry[key] = -entry[key]


def in_float16(subject, entry, key):
    entry[key] = np.asarray(np.float16(entry[key]), np.asarray(entry[key]).dtype)


def in_bfloat16(subject, entry, key):
    words = np.asarray(entry[key], np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    entry[key] = np.asarray(words.view(np.float32), np.asarray(entry[key]).dtype)


def flattened_in_fortran(subject, entry, key):
    value = np.asarray(entry[key])
    entry[key] = value.reshape(-1, order="F").reshape(value.shape) if value.ndim > 1 else entry[key]


def first_zeroed(subject, entry, key):
    np.asarray(entry[key]).reshape(-1)[:1] = 0


OF_ENTRIES: dict[str, Callable[[Any, dict[str, Any], str], None]] = {
    "is loaded as zeros": zeroed,
    "is loaded negated": negated,
    "is loaded in float16": in_float16,
    "is loaded in bfloat16": in_bfloat16,
    "is loaded in another order": flattened_in_fortran,
    "loses its first element": first_zeroed,
}


def forgets(key: str) -> type[Subject]:
    class Forgets(Subject):
        """The entry is not saved, and begins anew."""

        def get_state(self):
            state = super().get_state()
            for entry in state["state"].values():
                entry.pop(key, None)
            return state

        def update(self, i, g, hyperparameters):
            if self.state[i] and key not in self.state[i]:
                from ..specification import Specification

                spec = Specification(self.name, hyperparameters)
                self.state[i][key] = self.initial_state(spec, self.params[i])[key]
            super().update(i, g, hyperparameters)

    return Forgets


class CountIsLost(Subject):
    def set_state(self, state):
        super().set_state(state)
        for entry in self.state:
            if entry:
                entry["step"] = 0


class CountIsOneAhead(Subject):
    def set_state(self, state):
        super().set_state(state)
        for entry in self.state:
            if entry:
                entry["step"] += 1


class CountIsTheLargest(Subject):
    """One count is saved for all parameters."""

    def set_state(self, state):
        super().set_state(state)
        most = max([entry.get("step", 0) for entry in self.state], default=0)
        for entry in self.state:
            if entry:
                entry["step"] = most


class StatesMoveUp(Subject):
    """States are saved as a list without those that have none, so what follows moves up."""

    def set_state(self, state):
        super().set_state(state)
        kept = [entry for entry in self.state if entry]
        self.state = kept + [{} for _ in range(len(self.state) - len(kept))]


class LastStateIsLost(Subject):
    def set_state(self, state):
        super().set_state(state)
        self.state[-1] = {}


class SharedWhenLoaded(Subject):
    """Equal shapes share one state from then on."""

    def set_state(self, state):
        super().set_state(state)
        for i, p in enumerate(self.params):
            owner = next(j for j, other in enumerate(self.params) if other.shape == p.shape)
            if self.state[i] and self.state[owner]:
                self.state[i] = self.state[owner]


class SavingClears(Subject):
    """Saving takes the state away."""

    def get_state(self):
        state = super().get_state()
        self.state = [{} for _ in self.params]
        return state


class LoadingUpdates(Subject):
    """Loading steps once with zero gradients, to make its arrays."""

    def set_state(self, state):
        super().set_state(state)
        params = [p.copy() for p in self.params]
        self.update_all([np.zeros_like(p) for p in self.params])
        for p, before in zip(self.params, params, strict=True):
            p[...] = before


class GroupsAreNotLoaded(Subject):
    """The settings stay those of the constructor."""

    def set_state(self, state):
        kept = self.groups
        super().set_state(state)
        self.groups = kept


def setting_is_not_loaded(name: str) -> type[Subject]:
    class SettingIsNotLoaded(Subject):
        def set_state(self, state):
            kept = [group[name] for group in self.groups]
            super().set_state(state)
            for group, value in zip(self.groups, kept, strict=False):
                group[name] = value

    return SettingIsNotLoaded


WAYS: dict[str, type[Subject]] = {
    "loses the count": CountIsLost,
    "loads a count that is one ahead": CountIsOneAhead,
    "saves one count for all": CountIsTheLargest,
    "moves states up where one has none": StatesMoveUp,
    "loses the last state": LastStateIsLost,
    "shares loaded states of equal shapes": SharedWhenLoaded,
    "clears what it saves": SavingClears,
    "steps while it loads": LoadingUpdates,
    "does not load the settings": GroupsAreNotLoaded,
}


def scenes(claim, name: str = "") -> tuple[Scene, ...]:
    """Runs that are interrupted, also after a setting has changed and where the second parameter has no state yet."""
    shapes = shapes_for(claim)
    missing = () if claim.family.coupled else ((0, 0), (1, 0), (2, 0))
    settings = {"lr": 0.05}
    found = [
        Scene(settings, shapes, steps=6, reload=(3,)),
        Scene(settings, shapes if claim.family.coupled else (shapes[0],) * 3, steps=6, reload=(3,), missing=missing),
        Scene(settings, shapes, steps=6, save=(3,)),
        Scene(settings, shapes if claim.family.coupled else (shapes[0],) * 3, steps=6, reload=(3,)),
        Scene({**settings, "lr": 0.05}, shapes, steps=6, reload=(3,), changes={1: {"lr": 0.02}}),
    ]
    if "momentum" in takes(claim):
        found += [Scene({**settings, "momentum": 0.8}, shapes, steps=6, reload=(3,))]
    if name:
        found += [Scene(settings, shapes, steps=6, reload=(3,), changes={1: {name: another_value(name, claim[name])}})]
    return tuple(found)


@family("saving", "What is saved or loaded loses an entry, the count or a setting, or has it cast, shared or moved.")
def saving(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        keys = claim.having(**({"momentum": 0.8} if "momentum" in takes(claim) else {})).state_keys(
            np.ones(shapes_for(claim)[-1])
        )
        shown = scenes(claim)
        for key in keys:
            place = f"{claim.name}, {key}"
            for kind, change in OF_ENTRIES.items():
                yield optimizer("saving", kind, place, claim, loads(change, key), shown, tolerance=1e-9)
            yield optimizer("saving", "is not saved", place, claim, forgets(key), shown)
        for kind, subject in WAYS.items():
            yield optimizer("saving", kind, claim.name, claim, subject, shown)
        for name in takes(claim):
            place = f"{claim.name}, {name}"
            yield optimizer("saving", "is not loaded", place, claim, setting_is_not_loaded(name), scenes(claim, name))
