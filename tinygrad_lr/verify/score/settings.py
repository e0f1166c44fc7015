"""Wrong in a setting: each hyperparameter of every formula, wrong as programs get it wrong. Next: sizes.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .candidates import Candidate, Formulas, family
from .scenes import Scene, another_value, shapes_for, together
from .subjects import Subject, claims, optimizer, takes


def each(value: Any, change: Callable[[Any], Any]) -> Any:
    """A change of a number, or of each member of a tuple."""
    return tuple(map(change, value)) if isinstance(value, (tuple, list)) else change(value)


def is_number(value: Any) -> bool:
    """Whether a setting is a number or a tuple of numbers."""
    return not isinstance(value, bool)


def many(value: Any) -> bool:
    """Whether a setting is a tuple."""
    return isinstance(value, (tuple, list))


# kind -> (what becomes of the value, given the default; which values it applies to)
VALUE_BUGS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any], bool]]] = {
    "is ignored": (lambda value, default: default, lambda value: True),
    "is doubled": (
        lambda value, default: each(value, lambda x: 2 * x),
        lambda value: is_number(value) and not many(value),
    ),
    "is squared": (lambda value, default: each(value, lambda x: x * x), is_number),
    "has the wrong sign": (
        lambda value, default: each(value, lambda x: -x),
        lambda value: is_number(value) and not many(value),
    ),
    "is 1 - itself": (lambda value, default: each(value, lambda x: 1 - x), is_number),
    "is inverted": (lambda value, default: not value, lambda value: not is_number(value)),
    "has its first two swapped": (lambda value, default: (value[1], value[0], *value[2:]), many),
    "has its first for all": (lambda value, default: (value[0],) * len(value), many),
    "has its last ignored": (lambda value, default: (*value[:-1], default[-1]), many),
    "is the default where it is 0": (
        lambda value, default: value or default,
        lambda value: is_number(value) and not many(value),
    ),
    "is at most its default": (
        lambda value, default: min(value, default),
        lambda value: is_number(value) and not many(value),
    ),
    "is at least its default": (
        lambda value, default: max(value, default),
        lambda value: is_number(value) and not many(value),
    ),
    "is rounded to float16": (lambda value, default: each(value, lambda x: float(np.float16(x))), is_number),
    "is rounded to whole numbers": (lambda value, default: each(value, lambda x: float(round(x))), is_number),
}


def with_value(name: str, change: Callable[[Any, Any], Any], default: Any) -> type[Subject]:
    """A subject that uses a changed value of a setting."""

    class ChangesASetting(Subject):
        def settings_of(self, number):
            given = super().settings_of(number)
            return {**given, name: change(given[name], default)}

    return ChangesASetting


def at_construction(name: str) -> type[Subject]:
    class ReadOnce(Subject):
        """What is set later has no effect."""

        def set_hyperparameters(self, **changes):
            super().set_hyperparameters(**{key: value for key, value in changes.items() if key != name})

    return ReadOnce


def one_step_late(name: str) -> type[Subject]:
    class OneStepLate(Subject):
        """A value that is set counts from the second step on."""

        before: dict[int, Any] = {}

        def set_hyperparameters(self, **changes):
            if name in changes:
                self.before = {n: group[name] for n, group in enumerate(self.groups)}
            super().set_hyperparameters(**changes)

        def settings_of(self, number):
            given = super().settings_of(number)
            return {**given, name: self.before.get(number, given[name])}

        def update_all(self, grads):
            super().update_all(grads)
            self.before = {}

    return OneStepLate


def of_the_first_group(name: str) -> type[Subject]:
    class OfTheFirstGroup(Subject):
        def settings_of(self, number):
            return {**super().settings_of(number), name: self.groups[0][name]}

    return OfTheFirstGroup


def of_the_last_group(name: str) -> type[Subject]:
    class OfTheLastGroup(Subject):
        def settings_of(self, number):
            return {**super().settings_of(number), name: self.groups[-1][name]}

    return OfTheLastGroup


def default_in_late_groups(name: str) -> type[Subject]:
    class DefaultInLateGroups(Subject):
        def add_group(self, params, **hyperparameters):
            if self.groups:
                hyperparameters = {key: value for key, value in hyperparameters.items() if key != name}
            super().add_group(params, **hyperparameters)

    return DefaultInLateGroups


def set_in_the_first_group_only(name: str) -> type[Subject]:
    class SetInTheFirstGroupOnly(Subject):
        def set_hyperparameters(self, **changes):
            kept = [group[name] for group in self.groups[1:]]
            super().set_hyperparameters(**changes)
            for group, value in zip(self.groups[1:], kept, strict=True):
                group[name] = value

    return SetInTheFirstGroupOnly


def adds_up(name: str) -> type[Subject]:
    class Drifts(Subject):
        """Every step takes a thousandth of the value away, and keeps it so."""

        def update_all(self, grads):
            super().update_all(grads)
            for group in self.groups:
                group[name] = each(group[name], lambda x: x * 0.999)

    return Drifts


# kind -> what builds the subject
USE_BUGS: dict[str, Callable[[str], type[Subject]]] = {
    "is read once": at_construction,
    "counts one step late": one_step_late,
    "is the first group's for all": of_the_first_group,
    "is the last group's for all": of_the_last_group,
    "is the default in late groups": default_in_late_groups,
    "is set in the first group only": set_in_the_first_group_only,
    "drifts": adds_up,
}


def scenes(claim, name) -> tuple[Scene, ...]:
    """Runs in which a setting has two values: alone and beside others, in time and in groups."""
    all_takes, shapes = takes(claim), shapes_for(claim)
    base = {"lr": 0.05}
    value = another_value(name, claim[name])
    context = together(claim, all_takes)
    late = {} if claim.family.coupled else {0: (shapes, {name: value})}
    found = []
    for around in (base, context):
        found += [Scene({**around, name: value}, shapes, steps=6)]
        found += [Scene({**around, name: value}, shapes, steps=6, changes={3: {name: claim[name]}})]
        if is_number(value) and not many(value):
            found += [Scene({**around, name: 0.0 if value else 0.5}, shapes)]
        if late:
            found += [Scene({**around, name: claim[name]}, shapes, steps=6, late=late)]
            found += [Scene({**around, name: value}, shapes, steps=6, late=late, changes={3: {name: claim[name]}})]
    return tuple(found)


@family("settings", "A hyperparameter is ignored, changed, read once, or another group's.")
def settings(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        for name in takes(claim):
            default, place = claim[name], f"{claim.name}, {name}"
            shown = scenes(claim, name)
            for kind, (change, applies) in VALUE_BUGS.items():
                if applies(default):
                    yield optimizer("settings", kind, place, claim, with_value(name, change, default), shown)
            for kind, build in USE_BUGS.items():
                if kind != "drifts" or is_number(default):
                    yield optimizer("settings", kind, place, claim, build(name), shown)
