"""What a formula says of an element whose gradient is infinite or NaN: a finite number, or that none is right.

Lion's step at an infinite gradient is lr: sign(inf) is 1. Adam's is inf/inf, in whatever order it is computed. Where a
NaN meets a comparison (max, sign, a clip), a library may take either side, and nothing is said.
Next: circumstances.py, whose P1.nonfinite asks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..bounds.enclosure import Enclosure, enclosed, roundings_of
from ..protocol import Array, Broken, Case, ordinary

DECISIONS = (np.maximum, np.minimum, np.greater, np.greater_equal, np.less, np.less_equal, np.sign)


class Watched(np.ndarray):
    """An array that remembers, with all that is computed from it, whether a NaN met a comparison."""

    met: list[bool]

    @classmethod
    def of(cls, value: Any, met: list[bool]) -> Watched:
        """The array, which appends to `met` where a NaN meets a comparison."""
        found = np.array(value, np.float64).view(cls)
        found.met = met
        return found

    def __array_finalize__(self, other: Any) -> None:
        self.met = getattr(other, "met", [])

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(x) for x in inputs]
        if ufunc in DECISIONS and any(np.isnan(x).any() for x in plain):
            self.met.append(True)
        options.pop("out", None)
        found = getattr(ufunc, method)(*plain, **options)
        return found if found.dtype == bool else Watched.of(found, self.met)

    def by_sign(self, s: Any, negative: Any, zero: Any, positive: Any) -> Watched:
        """Elementwise one of three values; a NaN is none of them."""
        s = np.asarray(s)
        if np.isnan(s).any():
            self.met.append(True)
        parts = [np.asarray(each) for each in (negative, zero, positive)]
        return Watched.of(np.where(s < 0, parts[0], np.where(s > 0, parts[2], parts[1])), self.met)


def unbounded_elements(case: Case) -> list[tuple[int, int, int]]:
    """(step, parameter, element) of each first gradient that is not finite, where those before it are ordinary."""
    found = []
    for i, theta in enumerate(case.params):
        waiting = np.ones(theta.shape, bool)
        for t, grads in enumerate(case.gradients):
            g = grads[i]
            if g is not None:
                found += [(t, i, int(k)) for k in np.flatnonzero(waiting & ~np.isfinite(g))]
                waiting &= ordinary(g)
    return found


def expect_unbounded(case: Case, trajectory: list[list[Array]]) -> None:
    """Require of each such element what the formula says of it in that step.

    Args:
        case: of an elementwise rule, in which no hyperparameter changes.
        trajectory: the parameters before the first and after every step.

    Raises:
        Broken: a finite number is expected and another came, or a finite number came where none is right.
    """
    for t, i, k in unbounded_elements(case):
        dtype = case.params[i].dtype
        column = [grads[i] for grads in case.gradients[: t + 1]]
        gradients = [np.array([g.flat[k]], dtype) for g in column if g is not None]
        start, actual = np.array([case.params[i].flat[k]], dtype), trajectory[t + 1][i].flat[k]
        what = f"theta after step {len(gradients)} of parameter {i}, whose gradient is {gradients[-1][0]}, element {k}"
        expected = _enclosure(case, start, gradients)
        if np.isfinite(expected.low).all() and np.isfinite(expected.high).all():
            if not expected.contains(actual).all():
                interval = f"between {expected.low.item()!r} and {expected.high.item()!r}"
                raise Broken(what, interval, repr(actual), float(expected.ratio(actual).item()))
        elif np.isfinite(actual) and (nothing := _no_number(case, start, gradients)) is not None:
            raise Broken(what, repr(np.float64(nothing)), repr(actual))


def _enclosure(case: Case, start: Array, gradients: list[Array]) -> Enclosure:
    formula = enclosed(case.spec, start.dtype, roundings_of(case.spec))
    theta, state = formula.lift(start), formula.initial_state(start)
    for t, g in enumerate(gradients, start=1):
        theta, state = formula.step(theta, g, state, t)
    return theta


def _no_number(case: Case, start: Array, gradients: list[Array]) -> float | None:
    """NaN or an infinity where the formula has nothing else; None where it has a number, or a NaN was decided on."""
    if case.spec.family.own:  # whose `if` of a NaN may go either way
        return None
    met: list[bool] = []
    theta: Any = Watched.of(start, met)
    state = {key: Watched.of(value, met) for key, value in case.spec.initial_state(np.array(start, np.float64)).items()}
    for t, g in enumerate(gradients, start=1):
        theta, state = case.spec.step(theta, Watched.of(g, met), state, t)
    found = float(np.asarray(theta).item())
    return None if met or np.isfinite(found) else found
