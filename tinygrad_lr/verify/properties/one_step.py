"""P1 and P1.range: a step is the formula's, within the bound that enclosures derive. Next: structural.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..bounds.enclosure import POWERS, EnclosedSpecification, Enclosure, concatenated, enclosed, roundings_of
from ..bounds.storage import Storage
from ..execution import Execution
from ..protocol import (
    Broken,
    Case,
    Maker,
    NotApplicable,
    Ratio,
    copy_arrays,
    ordinary,
    register,
    states_of,
    unit_roundoff,
)
from ..states import keeps_to, lifted, located


def expect_enclosed(enclosure: Enclosure, actual: Any, what: str, where: Any = True) -> float:
    """Require values inside an enclosure where `where` is true, and return the largest error over bound.

    A state of another shape than theta (Adafactor's rows and columns) is compared only if `where` is true for all.
    """
    actual = np.asarray(actual)
    if actual.size == 0:
        return 0.0
    where = np.asarray(where)
    where = np.broadcast_to(where if where.shape in ((), actual.shape) else where.all(), actual.shape)
    ratio = np.where(where, enclosure.ratio(actual), 0.0)
    worst = int(np.argmax(ratio))
    outside = ratio > 1
    if outside.any():
        bounds = np.broadcast_to(enclosure.low, actual.shape), np.broadcast_to(enclosure.high, actual.shape)
        worst = int(np.argmax(np.where(outside, ratio, -1)))
        interval = f"between {bounds[0].flat[worst]!r} and {bounds[1].flat[worst]!r}"
        raise Broken(f"{what}, element {worst}", interval, repr(actual.flat[worst]), float(ratio.flat[worst]))
    return float(ratio.flat[worst])


ORDINARY, EXTREME = "ordinary", "extreme"
SCALARS = 4  # roundings of factors that multiply a step: of the rate, a scale, their product, and a decay


@register(
    "P1", "One step from a given state equals the formula within the derived bound, parameters and state.", long=True
)
def one_step(make: Maker, case: Case) -> float:
    return formula_ratio(make, case, ORDINARY)


@register(
    "P1.range",
    "A step equals the formula also where g^2 overflows or underflows (an order of evaluation may lose that range; the "
    "rule itself is P1's).",
    after=("P1",),
)
def one_step_at_the_ends(make: Maker, case: Case) -> float:
    return formula_ratio(make, case, EXTREME)


def formula_ratio(make: Maker, case: Case, part: str = "") -> float:
    """The largest error over bound; from a fresh state alone where the subject's state is not found (states.py).

    Where a beta was changed, its power may be that of the new one, or the product of its values so far.
    """
    if not {str(p.dtype) for p in case.params} <= set(case.spec.family.narrow_in):
        raise NotApplicable(
            f"the derived bound is too wide to say anything in {case.params[0].dtype}, and float64 is not asked where "
            "it is refused or computed in fewer bits"
        )
    states = located(make, case)
    if states.missing:
        return Ratio(_ratio(FreeRun, make, case, part), states.note)
    try:
        return Ratio(_ratio(TeacherForced, make, case, part))
    except Broken as broken:
        state = broken.what.partition(" after ")[0]
        certain = states.claimed(state if state in states.places else "")
        found = None if certain else _parameters_alone(make, case, part)
        if found is None:
            raise
    kept = ", ".join(f"{key} as {place}" for key, place in states.places.items())
    return Ratio(found, f"state differs: it is kept in another form at times; found was {kept}")


def _parameters_alone(make: Maker, case: Case, part: str) -> float | None:
    """The largest error over bound of the parameters from a fresh state; None where they are wrong.

    float64 tells more, where the optimizer computes in it: what is wrong late, or by little, is seen there.
    """
    wide = case.in_dtypes(np.float64)
    try:
        found = _ratio(FreeRun, make, case, part)
        if case.params[0].dtype != np.float64 and keeps_to(make, wide):
            _ratio(FreeRun, make, wide, part)
    except Broken:
        return None
    return found


READINGS = ("", "products", "powers")
"""Of hyperparameters that change: all numbers are those of now; products over the steps (NAdam's) are of their values
at each step; powers are, too."""


def _ratio(kind: type[Comparison], make: Maker, case: Case, part: str) -> float:
    problem = None
    for running in READINGS if len({*map(_powers, _specifications(case))}) > 1 else READINGS[:1]:
        if running == "products" and not case.spec.family.memory:
            continue  # the same as the first
        try:
            return kind(make, case, part, running).ratio()
        except Broken as broken:
            problem = problem or broken
    assert problem is not None
    raise problem


def _specifications(case: Case) -> list[Any]:
    """The specification before each change, and after the last one."""
    found = [case.spec]
    for _, change in sorted(case.changes.items()):
        found.append(found[-1].having(**change))
    return found


def _powers(spec: Any) -> str:
    """The hyperparameters that a formula takes to the power of t."""
    return repr([spec[name] for name in POWERS if name in spec.all_names])


def elements_of_part(case: Case, part: str) -> list[list[np.ndarray]]:
    """For each step and parameter the elements that a part of P1 applies to; "": all.

    Ordinary are those whose gradients so far can be squared and divided by one another in any order of evaluation. The
    others are P1.range's: there an order may lose range that another has, without being another formula. Where a rule
    is not elementwise, one gradient that is not ordinary makes its whole parameter so.

    Raises:
        NotApplicable: there are none.
    """
    found, so_far = [], [np.ones(p.shape, bool) for p in case.params]
    for grads in case.gradients:
        for i, g in enumerate(grads):
            if g is not None:
                now = so_far[i] & ordinary(g)
                so_far[i] = now if case.spec.family.elementwise else np.full(now.shape, now.all())
        row = {ORDINARY: so_far, EXTREME: [~where for where in so_far]}
        found.append(list(row.get(part, [np.ones_like(where) for where in so_far])))
    if not any(where.any() for row in found for where in row) and any(p.size for p in case.params):
        raise NotApplicable(
            "no gradient here is near underflow or overflow when squared"
            if part == EXTREME
            else "every gradient here is near underflow or overflow when squared"
        )
    return found


class Comparison:
    """One run of a case, whose steps are compared one by one with the formula's.

    `running`, one of READINGS: which numbers are products of a hyperparameter's values so far.
    """

    def __init__(self, make: Maker, case: Case, part: str = "", running: str = "") -> None:
        self.case, self.running = case, running
        self.elements = elements_of_part(case, part)
        self.run = Execution(case, make)
        self.storage: Storage | None = getattr(self.run.subject, "storage", None)
        self.worst = 0.0
        self._formulas: dict[Any, EnclosedSpecification] = {}
        self._alike: dict[Any, tuple[Any, dict[str, Any]]] = {}

    def ratio(self) -> float:
        """The largest error over bound of all steps."""
        raise NotImplementedError(f"{type(self).__name__} must compare")

    def formula(self, i: int) -> EnclosedSpecification:
        """What a parameter's last update was asked to compute."""
        past = self.run.past[i] or [self.run.specs[i]]
        dtype, roundings = self.case.params[i].dtype, roundings_of(past[-1])
        if self.running:
            return enclosed(past[-1], dtype, roundings, past, powers=self.running == "powers")
        key = (dtype, id(past[-1]))  # which stays alive in `past`
        if key not in self._formulas:
            self._formulas[key] = enclosed(past[-1], dtype, roundings)
        return self._formulas[key]

    def results(
        self, t: int, before: list[tuple[Any, dict[str, Any]]]
    ) -> Iterator[tuple[list[int], Any, dict[str, Any]]]:
        """The enclosures of parameters with a gradient and of their states after step t, from those before it.

        Parameters that have the same formula, dtype and count are computed together, as one vector: it takes as long.
        """
        together: dict[Any, list[int]] = {}
        self._alike.clear()
        for i, (theta, state) in enumerate(before):
            if self.case.gradients[t][i] is not None:
                shapes = {np.shape(getattr(x, "low", x)) for x in (theta, *state.values())}
                alone = self.storage is not None or not self.case.spec.family.elementwise or len(shapes) > 1
                past = [
                    sorted(spec.hyperparameters.items()) for spec in self.run.past[i][-1 if not self.running else 0 :]
                ]
                key = i if alone else repr((self.case.params[i].dtype, self.run.counts[i], sorted(state), past))
                together.setdefault(key, []).append(i)
        for chosen in together.values():
            yield (chosen, *self._together(t, chosen, before))

    def _together(
        self, t: int, chosen: list[int], before: list[tuple[Any, dict[str, Any]]]
    ) -> tuple[Any, dict[str, Any]]:
        formula, count = self.formula(chosen[0]), self.run.counts[chosen[0]]
        grads = [self.case.gradients[t][i] for i in chosen]
        if len(chosen) == 1:
            theta, state = before[chosen[0]]
            key = (formula, count, bits_of(theta), bits_of(grads[0]), *map(bits_of, state.values()))
            if key not in self._alike:
                after, state = formula.step(theta, grads[0], state, count)
                self._alike[key] = self.with_scalars(formula.lift(theta), after), state
            return self._alike[key]
        starts = [before[i] for i in chosen]
        whole = {key: concatenated([formula.lift(state[key]) for _, state in starts]) for key in starts[0][1]}
        theta = concatenated([formula.lift(theta) for theta, _ in starts])
        after, whole = formula.step(theta, concatenated([formula.lift(g) for g in grads]), whole, count)
        return self.with_scalars(theta, after), whole

    def with_scalars(self, before: Enclosure, after: Enclosure) -> Enclosure:
        """What a step may give where its factors (the rate, a scale, a decay) are kept in the dtype that is claimed."""
        if not self.case.claimed:
            return after
        unit = SCALARS * unit_roundoff(self.case.claimed)
        sizes = [np.maximum(np.abs(each.low), np.abs(each.high)) for each in (before, after)]
        slack = unit * (sizes[0] + sizes[1])  # the step is no longer than both together
        return Enclosure(after.low - slack, after.high + slack, after.dtype, after.roundings)

    def pieces(self, chosen: list[int], whole: Any) -> Iterator[tuple[int, Any]]:
        """The enclosure of each of the parameters that were computed together."""
        start = 0
        for i in chosen:
            shape, end = self.case.params[i].shape, start + self.case.params[i].size
            yield i, whole if len(chosen) == 1 else whole.piece(start, end, shape)
            start = end

    def expect(self, t: int, chosen: list[int], whole: Any, actual: Mapping[int, Any], what: str) -> None:
        """Require that values of some parameters after step t are inside the enclosure that they have together."""
        wheres = self.elements[t]
        if len(chosen) > 1 and all(np.shape(actual[i]) == self.case.params[i].shape for i in chosen):
            values, where = (np.concatenate([np.ravel(x[i]) for i in chosen]) for x in (actual, wheres))
            ratio = np.where(where, whole.ratio(values), 0.0)
            if not (ratio > 1).any():
                self.worst = max(self.worst, float(ratio.max(initial=0.0)))
                return
        for i, enclosure in self.pieces(chosen, whole):
            told = what.format(step=f"step {self.run.counts[i]} of parameter {i}")
            self.worst = max(self.worst, expect_enclosed(enclosure, actual[i], told, wheres[i]))


def bits_of(value: Any) -> tuple[Any, ...]:
    """What tells arrays, and enclosures, apart."""
    arrays = (value.low, value.high) if isinstance(value, Enclosure) else (np.asarray(value),)
    return tuple((array.shape, str(array.dtype), array.tobytes()) for array in arrays)


class TeacherForced(Comparison):
    """Each step from the subject's own state, which is compared too.

    The state and the parameters before a step are those after the step before it: nothing else may change them.
    A subject with a `storage` keeps its moments in fewer bytes: they are decoded before a step, and after it may be
    what the storage may keep of the formula's (storage.py).
    """

    def moments(self) -> list[dict[str, Any]]:
        """The state of every parameter."""
        if self.storage is None:
            return self.states.read(self.run.subject, [p.shape for p in self.case.params[: self.run.joined]])
        found = states_of(self.run.subject, self.run.joined)
        return [self.storage.decoded(state, p.dtype) for state, p in zip(found, self.case.params, strict=False)]

    def ratio(self) -> float:
        run, self.states = self.run, located(self.run.make, self.case)
        thetas, states = copy_arrays(run.subject.params), self.moments()
        for t in range(len(self.case.gradients)):
            run.prepare(t)
            late = copy_arrays(run.subject.params[len(thetas) :])
            thetas, states = [*thetas, *late], [*states, *({} for _ in late)]
            run.step(t)
            after = copy_arrays(run.subject.params), self.moments()
            before = [(theta, self.begun(i, theta, states[i])) for i, theta in enumerate(thetas)]
            for chosen, theta, state in self.results(t, before):
                self.expect(t, chosen, theta, dict(enumerate(after[0])), "theta after {step}")
                for key, expected in state.items():
                    found = {i: self.found(key, i, after[1][i]) for i in chosen}
                    if self.storage is not None:  # a parameter that is lost may have taken its moments along: 0 x NaN
                        expected = self.storage.stored(key, expected.unclaimed(np.isnan(thetas[chosen[0]])))
                    self.expect(t, chosen, expected, found, f"{key} after {{step}}")
            thetas, states = after
        return self.worst

    def begun(self, i: int, theta: Any, state: dict[str, Any]) -> dict[str, Any]:
        """The state before a step: the subject's own, or the formula's first one."""
        past = self.run.past[i] or [self.run.specs[i]]
        keys = past[-1].state_keys(theta)
        started = len(past) > 1 and all(key in state for key in keys)
        formula = self.formula(i)
        if not started:
            return formula.initial_state(theta)
        return {key: lifted(state[key], formula.dtype, formula.roundings) for key in keys}

    def found(self, key: str, i: int, after: dict[str, Any]) -> Any:
        """An array of a parameter's state after a step."""
        if key not in after:
            raise Broken(
                f"state after step {self.run.counts[i]} of parameter {i}",
                f"an array named {key!r}",
                sorted(after, key=str),
            )
        return after[key]


def worst_ratio(make: Maker, case: Case, part: str = "") -> float:
    """P1's comparison at every step, from the subject's own state; the largest error over bound."""
    return TeacherForced(make, case, part).ratio()


class FreeRun(Comparison):
    """Every step inside the enclosure of the formula's own run: its width grows, but a wrong first step is outside."""

    def ratio(self) -> float:
        run = self.run
        now: list[tuple[Any, dict[str, Any]]] = []
        for t in range(len(self.case.gradients)):
            run.prepare(t)
            for i in range(len(now), run.joined):
                formula = self.formula(i)
                now.append((formula.lift(self.case.params[i]), formula.initial_state(self.case.params[i])))
            run.step(t)
            for chosen, theta, state in self.results(t, now):
                params = dict(enumerate(run.subject.params))
                self.expect(t, chosen, theta, params, "theta after {step}, from a fresh state")
                after = {key: dict(self.pieces(chosen, each)) for key, each in state.items()}
                for i, piece in self.pieces(chosen, theta):
                    now[i] = piece, {key: each[i] for key, each in after.items()}
            for i, (theta, _) in enumerate(now):
                if self.case.gradients[t][i] is None:
                    what = f"theta in step {t + 1}, in which parameter {i} has no gradient"
                    expect_enclosed(theta, run.subject.params[i], what, self.elements[t][i])
        return self.worst
