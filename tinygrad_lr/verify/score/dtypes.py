"""Wrong in a precision: steps, moments or settings in fewer bits, or in another dtype. Next: non_finite.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..specification import Specification
from .candidates import Candidate, Formulas, family
from .scenes import Scene, shapes_for, together
from .subjects import Subject, claims, optimizer, takes

NARROWER = {"float64": np.float32, "float32": np.float16}


def all_in(only: str, narrow: Any) -> type[Subject]:
    class StepsInFewBits(Subject):
        """A whole step of parameters of one dtype is computed in another."""

        def update(self, i, g, hyperparameters):
            p = self.params[i]
            if str(p.dtype) != only:
                return super().update(i, g, hyperparameters)
            self.params[i] = p.astype(narrow)
            super().update(i, g.astype(narrow), hyperparameters)
            p[...] = self.params[i]
            self.params[i] = p
            for key, value in self.state[i].items():
                if key != "step":
                    self.state[i][key] = np.asarray(value, p.dtype)
            return None

    return StepsInFewBits


def rounded(what: str, only: str, narrow: Any) -> type[Subject]:
    class RoundsAPart(Subject):
        """The gradient, the moments or the step are rounded to fewer bits."""

        def update(self, i, g, hyperparameters):
            if what == "gradients" and str(self.params[i].dtype) == only:
                g = np.asarray(g.astype(narrow), g.dtype)
            super().update(i, g, hyperparameters)

        def write(self, i, theta, state):
            p = self.params[i]
            if str(p.dtype) == only and what == "moments":
                state = {key: np.asarray(np.asarray(value).astype(narrow), p.dtype) for key, value in state.items()}
            if str(p.dtype) == only and what == "steps":
                theta = p + np.asarray((np.asarray(theta) - p).astype(narrow), p.dtype)
            super().write(i, theta, state)

    return RoundsAPart


class SettingsInFloat32(Subject):
    """Settings are float32, also where parameters are float64."""

    def settings_of(self, number):
        def rounded(value):
            if isinstance(value, (bool, str, int)):
                return value
            return tuple(map(rounded, value)) if isinstance(value, (tuple, list)) else float(np.float32(value))

        return {key: rounded(value) for key, value in super().settings_of(number).items()}


class DtypeOfTheFirst(Subject):
    """Every step is computed in the dtype of the first parameter."""

    def update(self, i, g, hyperparameters):
        p, dtype = self.params[i], self.params[0].dtype
        self.params[i] = p.astype(dtype)
        super().update(i, g.astype(dtype), hyperparameters)
        p[...] = self.params[i]
        self.params[i] = p
        for key, value in self.state[i].items():
            if key != "step":
                self.state[i][key] = np.asarray(value, p.dtype)


class LoadsInFloat32(Subject):
    """What is loaded is float32, whatever the parameter."""

    def set_state(self, state):
        super().set_state(state)
        for entry in self.state:
            for key in entry:
                if key != "step":
                    entry[key] = np.asarray(np.float32(entry[key]), np.asarray(entry[key]).dtype)


class SkipsFloat64(Subject):
    def update(self, i, g, hyperparameters):
        if self.params[i].dtype != np.float64:
            super().update(i, g, hyperparameters)


class ForgetsDecayInFloat64(Subject):
    """A setting that one precision's code does not have."""

    def formula(self, spec: Specification, theta, g, state, t):
        if theta.dtype == np.float64:
            names = [
                n for n in ("weight_decay", "maximize", "nesterov", "amsgrad", "dampening", "l1") if n in spec.all_names
            ]
            spec = spec.having(**{name: type(spec[name])(0) for name in names})
        return super().formula(spec, theta, g, {**state} if state else state, t)


KINDS: dict[str, type[Subject]] = {
    **{f"computes {wide} steps in {n.__name__}": all_in(wide, n) for wide, n in NARROWER.items()},
    **{
        f"rounds {what} of {wide} parameters to {n.__name__}": rounded(what, wide, n)
        for what in ("gradients", "moments", "steps")
        for wide, n in NARROWER.items()
    },
    "has its settings in float32": SettingsInFloat32,
    "computes in the dtype of the first parameter": DtypeOfTheFirst,
    "loads float64 as float32": LoadsInFloat32,
    "leaves float64 parameters": SkipsFloat64,
    "has no decay and no switches in float64": ForgetsDecayInFloat64,
}


@family(
    "dtypes", "Steps, moments or settings are computed in fewer bits than the parameter has, or in another's dtype."
)
def dtypes(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        shapes = shapes_for(claim)
        for kind, subject in KINDS.items():
            dtype = "float32" if "float32 parameters" in kind or "float32 steps" in kind else "float64"
            scenes = tuple(
                Scene(settings, shapes, dtype, steps=5, reload=(3,))
                for settings in ({"lr": 0.05}, together(claim, takes(claim)))
            )
            place = f"{claim.name} in {dtype}"
            if kind == "computes in the dtype of the first parameter":
                if claim.family.coupled:
                    continue
                found = optimizer("dtypes", kind, claim.name, claim, subject)
                yield type(found)(found.family, found.kind, found.place, found.check)
                continue
            tolerance = 1e-12 if dtype == "float64" else 1e-6
            yield optimizer("dtypes", kind, place, claim, subject, scenes, tolerance, dtype=dtype)
            if dtype == "float64":  # and as one calls it who says no dtype
                yield optimizer("dtypes", f"{kind}, asked by default", claim.name, claim, subject, scenes, tolerance)
