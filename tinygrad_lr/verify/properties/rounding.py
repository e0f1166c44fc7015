"""Whether two runs that differ in bits differ in rounding alone: each step of both is the formula's, within the bound.

Correct arithmetic may round one number otherwise in another place: a library multiplies and adds in one rounding inside
a vector and in two behind its end, or takes parameters together in blocks. `only_rounds` runs a check again with every
step of every subject compared with the formula. Next: ../search/search.py, which asks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..bounds.enclosure import enclosed, roundings_of
from ..protocol import (
    Array,
    Broken,
    Case,
    Gradients,
    Maker,
    NotApplicable,
    Property,
    PropertyViolation,
    copy_arrays,
    ordinary,
    shows_state,
    state_of,
)
from ..report import plain
from ..specification import Specification
from ..states import lifted
from .one_step import expect_enclosed


class OutOfBound(Exception):
    """A step lies outside the formula's bound, or the bound says nothing about it."""


def only_rounds(check: Property, make: Maker, case: Case) -> bool:
    """Whether each step of the runs that a broken property compares lies within the formula's bound.

    Example:
        >>> from tinygrad_lr.verify.adapters import naive
        >>> from tinygrad_lr.verify.protocol import PROPERTIES
        >>> from tinygrad_lr.verify.specification import spec
        >>> case = Case(spec("sgd", lr=0.1), [np.ones(3)], [[np.array([1.0, 2.0, 3.0])]])
        >>> only_rounds(PROPERTIES["P3"], naive("sgd"), case)
        True
    """
    judging = Judging(make, case.spec)
    try:
        check(judging, case)
    except (PropertyViolation, NotApplicable):
        pass
    except OutOfBound:
        return False
    return judging.steps > 0


def as_little_as_rounding(broken: Broken, case: Case) -> bool:
    """Whether two numbers of a broken property are as near as two roundings of the formula's run may be to each other.

    For a rule that is not the formula's: its bound does not hold the numbers, but says how much rounding can change.

    Example:
        >>> from tinygrad_lr.verify.specification import spec
        >>> case = Case(spec("adam"), [np.zeros(1, np.float32)], [[np.ones(1, np.float32)]])
        >>> [as_little_as_rounding(Broken("", "np.float32(0.0010000001)", to, 1), case) for to in ("0.001", "0.00101")]
        [True, False]
    """
    try:
        difference = abs(float(plain(broken.expected)) - float(plain(broken.actual)))
    except ValueError:  # no numbers are compared
        return False
    widths = [0.0]
    for i, theta in enumerate(case.params):
        gradients = [grads[i] for grads in case.gradients if grads[i] is not None]
        if str(theta.dtype) in case.spec.family.narrow_in and gradients:
            after, _ = enclosed(case.spec, theta.dtype, roundings_of(case.spec)).free_run(theta, gradients)
            widths.append(float(np.nanmax(np.append(after.high - after.low, 0.0))))
    return difference <= max(widths) < np.inf


def computes_in_float64(make: Maker, case: Case) -> bool:
    """Whether steps of float64 parameters follow changes of their gradients that float32 does not have.

    Muon's orthogonalisation in bfloat16 does not, whatever the dtype of its parameters. Three steps are taken: SOAP's
    first one moves nothing, and its second may show signs alone.

    Raises:
        NotApplicable: such parameters are refused.
    """
    rng = np.random.default_rng(30)
    shape = next((p.shape for p in case.params if p.size > 1), (3,))
    g = rng.normal(size=shape)
    nearby = g * (1 + 2.0**-30 * rng.uniform(0.5, 1.0, shape))
    ends = []
    for gradient in (g, nearby):
        subject = case.make(make, params=[np.zeros(shape)])
        for each in (gradient, gradient * gradient, -gradient):
            subject.step([each.copy()])
        ends.append(np.array(subject.params[0]))
    return float(np.mean(ends[0] != ends[1])) > 0.5


class Judging:
    """A maker whose subjects compare every step with the formula, under the settings that they were built with."""

    def __init__(self, make: Maker, spec: Specification) -> None:
        self._make, self._spec, self.steps = make, spec, 0

    def __call__(self, params: list[Array], **hyperparameters: Any) -> Any:
        known = {name: value for name, value in hyperparameters.items() if name in self._spec.all_names}
        return Judged(self._make(params, **hyperparameters), self._spec.having(**known), self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make, name)


class Judged:
    """A subject; `step` raises OutOfBound where a parameter leaves the formula's bound."""

    def __init__(self, subject: Any, spec: Specification, judging: Judging) -> None:
        self._subject, self._spec, self._judging = subject, spec, judging
        self._shows = shows_state(subject) and getattr(subject, "storage", None) is None
        self._counts: list[int] = []
        self._ordinary: list[Array] = []
        self._run: list[Any] = []
        self._follow(subject.params)

    def _follow(self, params: list[Array]) -> None:
        """From now on look at these parameters, too."""
        for theta in params:
            if str(theta.dtype) not in self._spec.family.narrow_in:
                raise OutOfBound(f"the bound says nothing in {theta.dtype}")
            formula = enclosed(self._spec, theta.dtype, roundings_of(self._spec))
            self._counts.append(0)
            self._ordinary.append(np.ones(theta.shape, bool))
            self._run.append((formula, formula.lift(theta), formula.initial_state(theta)))

    def step(self, grads: Gradients) -> None:
        """Step, and compare."""
        before = copy_arrays(self._subject.params)
        states = [state_of(self._subject, i) if self._shows else {} for i in range(len(before))]
        given = [None if g is None else np.array(g) for g in grads]
        self._subject.step(grads)
        after = self._subject.params
        for i, g in enumerate(given):
            if g is not None:
                self._judge(i, g, before[i], states[i], after[i])
            elif before[i].tobytes() != np.asarray(after[i]).tobytes():
                raise OutOfBound(f"parameter {i} moved without a gradient")

    def _judge(self, i: int, g: Array, theta: Array, state: dict[str, Any], after: Array) -> None:
        formula, run_theta, run_state = self._run[i]
        self._counts[i] += 1
        where = self._ordinary[i] & ordinary(g)
        self._ordinary[i] = where = where if self._spec.family.elementwise else np.full(where.shape, where.all())
        if not where.any():  # squares overflow or underflow everywhere, and the step is judged all the same
            where = np.ones_like(where)
        keys = self._spec.state_keys(theta)
        if self._shows:  # from its own state, where it has one: the width of a run's enclosure grows
            own = self._counts[i] > 1 and all(key in state for key in keys)
            run_theta = formula.lift(theta)
            if own:
                run_state = {key: lifted(state[key], formula.dtype, formula.roundings) for key in keys}
        expected, run_state = formula.step(run_theta, g, run_state, self._counts[i])
        self._run[i] = formula, expected, run_state
        try:
            expect_enclosed(expected, after, f"parameter {i}", where)
        except Broken as broken:
            raise OutOfBound(broken.what) from None
        self._judging.steps += bool(where.any())

    def add_group(self, params: list[Array], **hyperparameters: Any) -> None:
        """Add parameters, which are judged by the settings of the others."""
        self._subject.add_group(params, **hyperparameters)
        self._follow(params)

    def __getattr__(self, name: str) -> Any:
        if name in ("set_hyperparameters", "set_state", "accumulate_every"):
            raise NotApplicable(f"what {name}() changes is not followed")
        return getattr(self._subject, name)
