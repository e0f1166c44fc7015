"""The run that P17 repeats with other settings: where an optimizer, and its formula, arrive from one start.

Next: liveness.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..adapters.naive import naive
from ..protocol import Array, Case, Maker, NotApplicable, accepted, state_of

SHOWS = 2.0**-20  # of the larger number: what float32, in which a library may keep its scalars, still tells apart


class Run:
    """One parameter and nine gradients (RAdam waits for six steps), in float64."""

    def __init__(self, case: Case, make: Maker) -> None:
        dimensions = min((p.ndim for p in case.params if p.size), default=1)
        rows = np.array([[3.0, 1.0, -0.5], [0.1, -1.0, 0.2], [0.2, 0.5, -0.1]])
        self.theta = _raised(np.array([0.5, -1.0, 2.0]), dimensions)
        self.gradients = [_raised(row, dimensions) for scale in (1.0, 0.7, -1.3) for row in np.round(scale * rows, 2)]
        self.spec, self.make = case.spec, make
        self.formula = naive(case.spec.name) if case.spec.name else None
        subject = make([self.theta], **self.spec.hyperparameters)
        self.changes_rate = "lr" in self.spec.all_names and callable(getattr(subject, "set_hyperparameters", None))

    def end(self, make: Maker, settings: dict[str, Any], state: str = "", times: float = 1.0) -> Array:
        """The parameter, or one of its states, after all gradients."""
        subject = make([self.theta], **{**self.spec.hyperparameters, **settings})
        for t, g in enumerate(self.gradients):
            if t == 4 and self.changes_rate:
                subject.set_hyperparameters(lr=0.25)  # where lr stands shows only when it changes
            subject.step([g * times])
        if not state:
            return np.array(subject.params[0])
        if state not in (found := state_of(subject, 0)):
            raise NotApplicable(f"it shows in the state {state!r} alone, which there is not")
        return np.asarray(found[state])

    def expected(self, settings: dict[str, Any], state: str = "", times: float = 1.0) -> Array | None:
        """Where the formula arrives; None where it has no such settings."""
        assert self.formula is not None
        try:
            return self.end(self.formula, settings, state, times)
        except Exception:  # an epsilon of another kind, say
            return None

    def example(self, first: dict[str, Any], second: dict[str, Any] | None = None) -> dict[str, Any]:
        """What to run to see that settings give one result."""
        asked = accepted(self.make, {**self.spec.hyperparameters, **first})
        other = {} if second is None else {"compared_with": second}
        later = {"from_step_5_on": {"lr": 0.25}} if self.changes_rate else {}
        return {
            "hyperparameters": asked,
            **other,
            **later,
            "dtypes": ["float64"],
            "params": [self.theta.tolist()],
            "gradients": [[g.tolist()] for g in self.gradients],
        }


def _raised(array: Array, dimensions: int) -> Array:
    """The array with further dimensions of two, where a parameter must have them (Muon)."""
    for _ in range(dimensions - 1):
        array = np.round(np.multiply.outer(array, [1.0, -0.7]), 3)
    return array


def differ(a: Array | None, b: Array | None) -> bool:
    """Whether two ends of the formula lie so far apart that any precision shows it.

    Example:
        >>> differ(np.ones(2), np.ones(2) + 1e-9), differ(np.ones(2), np.array([1.0, 1.1]))
        (False, True)
    """
    if a is None or b is None:
        return False
    with np.errstate(all="ignore"):
        apart = np.nan_to_num(np.abs(a - b), nan=0.0) > SHOWS * np.nan_to_num(np.maximum(np.abs(a), np.abs(b)))
    return bool(np.any(apart | (np.isnan(a) != np.isnan(b))))
