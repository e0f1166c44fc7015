"""Wrong with many parameters: shared states, forgotten or late groups, limits of a chunk, orders. Next: saving.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .candidates import Candidate, Formulas, family
from .scenes import Scene, shapes_for, together
from .subjects import Subject, claims, optimizer, takes


def shared_by(key) -> type[Subject]:
    class SharesState(Subject):
        """Parameters with one key have one state."""

        def update(self, i, g, hyperparameters):
            owner = next(j for j, p in enumerate(self.params) if key(p) == key(self.params[i]))
            if owner != i and not self.state[i] and self.state[owner]:
                self.state[i] = self.state[owner]
            super().update(i, g, hyperparameters)

        def write(self, i, theta, state):
            super().write(i, theta, state)

    return SharesState


class LateStateOfTheSameIndex(Subject):
    """A group's states are found by their place in the group, so a late group begins with the first one's."""

    def update(self, i, g, hyperparameters):
        group = self.group_of(i)
        if group and not self.state[i]:
            place = self.groups[group]["params"].index(i)
            other = self.groups[0]["params"][place : place + 1]
            if other and self.state[other[0]] and self.params[other[0]].shape == self.params[i].shape:
                self.state[i] = {
                    key: np.array(value) if key != "step" else value for key, value in self.state[other[0]].items()
                }
        super().update(i, g, hyperparameters)


class LateGroupsForgotten(Subject):
    """A group that joins after a step is not updated."""

    stepped = False

    def add_group(self, params, **hyperparameters):
        super().add_group(params, **hyperparameters)
        if self.stepped:
            self.groups[-1]["params"] = []

    def update_all(self, grads):
        self.stepped = True
        super().update_all(grads)


class GroupsAfterTheSecondForgotten(Subject):
    def update_all(self, grads):
        kept, self.groups = self.groups, self.groups[:2]
        super().update_all(grads)
        self.groups = kept


class SettingsOfTheGroupBefore(Subject):
    """Each group is updated with the settings of the one before it."""

    def settings_of(self, number):
        return super().settings_of(max(number - 1, 0))


class LateGroupAtTheCountOfTheFirst(Subject):
    """What joins late has the count of those that were there."""

    def formula(self, spec, theta, g, state, t):
        return super().formula(spec, theta, g, state, max(entry.get("step", 0) for entry in self.state))


class StateIsClearedByAGroup(Subject):
    """Adding a group makes every state anew."""

    def add_group(self, params, **hyperparameters):
        super().add_group(params, **hyperparameters)
        self.state = [{} for _ in self.params]


def only_the_first(count: int) -> type[Subject]:
    class OnlyTheFirst(Subject):
        """A launch takes so many parameters, and the others are left out."""

        def update_all(self, grads):
            super().update_all([g if i < count else None for i, g in enumerate(grads)])

    return OnlyTheFirst


def gradient_of_another(count: int) -> type[Subject]:
    class GradientOfAnother(Subject):
        """From a number of parameters on, the last two of one shape have each other's gradients."""

        def update_all(self, grads):
            grads = list(grads)
            last = grads[-2:] if len(grads) >= count else []
            if len(last) == 2 and all(g is not None for g in last) and last[0].shape == last[1].shape:
                grads[-1], grads[-2] = grads[-2], grads[-1]
            super().update_all(grads)

    return GradientOfAnother


class StopsAtAnEmptyOne(Subject):
    """An empty parameter ends the loop."""

    def update_all(self, grads):
        empty = next((i for i, p in enumerate(self.params) if not p.size), len(self.params))
        super().update_all([g if i < empty else None for i, g in enumerate(grads)])


class StopsAtAMissingGradient(Subject):
    """A missing gradient ends the loop."""

    def update_all(self, grads):
        missing = next((i for i, g in enumerate(grads) if g is None), len(grads))
        super().update_all([g if i < missing else None for i, g in enumerate(grads)])


class SkipsAllWhereOneIsMissing(Subject):
    def update_all(self, grads):
        if all(g is not None for g in grads):
            super().update_all(grads)


class MissingGradientIsZero(Subject):
    """A missing gradient is taken for zeros: moments fade and the count goes on."""

    def update_all(self, grads):
        super().update_all([np.zeros_like(p) if g is None else g for g, p in zip(grads, self.params, strict=True)])


class MissingGradientIsTheLast(Subject):
    """A missing gradient is taken for the one of the step before."""

    def update_all(self, grads):
        last = getattr(self, "last", {})
        given = [last.get(i) if g is None else g for i, g in enumerate(grads)]
        self.last = {**last, **{i: np.array(g) for i, g in enumerate(grads) if g is not None}}
        super().update_all(given)


class StartsWithTheStateOfTheFirst(Subject):
    """What starts late begins with the first parameter's moments where the shape is the same."""

    def update(self, i, g, hyperparameters):
        late = i and not self.state[i] and self.state[0].get("step", 0) > 1
        if late and self.params[0].shape == self.params[i].shape:
            self.state[i] = {k: np.array(v) if k != "step" else 0 for k, v in self.state[0].items()}
        super().update(i, g, hyperparameters)


KINDS: dict[str, type[Subject]] = {
    "shares the state of equal shapes": shared_by(lambda p: p.shape),
    "shares the state of equal shapes and dtypes with more than one element": shared_by(
        lambda p: (p.shape, p.dtype) if p.size > 1 else id(p)
    ),
    "shares the state of equal first elements": shared_by(lambda p: (p.shape, float(p.flat[0])) if p.size else id(p)),
    "begins a late group with the first group's state": LateStateOfTheSameIndex,
    "forgets groups that join late": LateGroupsForgotten,
    "forgets the third group": GroupsAfterTheSecondForgotten,
    "updates a group with the settings before it": SettingsOfTheGroupBefore,
    "counts a late group from the start": LateGroupAtTheCountOfTheFirst,
    "clears every state when a group joins": StateIsClearedByAGroup,
    **{f"updates only the first {n} parameters": only_the_first(n) for n in (2, 4, 8, 16, 32, 110, 320)},
    **{f"swaps the last two gradients from {n} parameters on": gradient_of_another(n) for n in (2, 4, 8, 32)},
    "stops at an empty parameter": StopsAtAnEmptyOne,
    "stops at a missing gradient": StopsAtAMissingGradient,
    "skips all where a gradient is missing": SkipsAllWhereOneIsMissing,
    "takes a missing gradient for zeros": MissingGradientIsZero,
    "takes a missing gradient for the last one": MissingGradientIsTheLast,
    "starts late parameters with the first one's moments": StartsWithTheStateOfTheFirst,
}


def scenes(claim) -> tuple[Scene, ...]:
    """Equal shapes, many parameters, empty ones, missing gradients, late groups."""
    shape = shapes_for(claim)[0]
    empty = (0,) * max(1, claim.family.dimensions)
    found = []
    for settings in ({"lr": 0.05}, together(claim, takes(claim))):
        late = ((shape, shape), {**settings, "lr": 0.02})
        found += [
            Scene(settings, (shape, shape, (2, 4)), steps=5, missing=((0, 1), (0, 2), (2, 0), (3, 1))),
            Scene(settings, (shape, (2, 4)), steps=5, late={2: late}),
            Scene(settings, (shape,), steps=4, late={0: late, 1: late}),
            Scene(settings, (shape, empty, shape), steps=3),
            Scene(settings, (shape,) * 330, steps=2),
        ]
    return tuple(found)


@family(
    "groups", "Parameters share states, are left out, swapped or stopped at; groups are forgotten or share settings."
)
def groups(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        if claim.family.coupled:  # examined on one parameter
            continue
        shown = scenes(claim)
        for kind, subject in KINDS.items():
            yield optimizer("groups", kind, claim.name, claim, subject, shown)
