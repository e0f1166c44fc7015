"""What the property checks share: the protocol of an optimizer, a case, the table PROPERTIES, and the comparisons.

A *subject* is the optimizer under check. It has `step(grads)` and `params` (lists of NumPy arrays; a gradient may be
None). More properties can be checked of one with `get_state()`/`set_state(state)` (torch's layout: {"state": {index:
{"step": t, name: array}}, ...}), `add_group(params, **hyperparameters)` and `set_hyperparameters(**changes)`. A *maker*
builds a subject: `make(params, **hyperparameters)`. It copies the arrays that it gets.

A check compares with `same_bits`, `same_values` or `within`. These raise `Broken`, which `Property` turns into a
`PropertyViolation` that names the property. A check raises `NotApplicable`, with the reason, where a subject lacks what
the property needs. Next: execution.py, which runs a case; guard.py, properties/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from .formulas import FAMILIES, Family
from .report import shortened
from .specification import Specification

Array = np.ndarray
LAYOUT = "torch's layout {'state': {index: {'step': t, name: array}}, 'param_groups': [...]}"
Gradients = Sequence[Array | None]


class Subject(Protocol):
    """The least that an optimizer must have to be checked."""

    @property
    def params(self) -> list[Array]: ...

    def step(self, grads: Gradients) -> None: ...


Maker = Callable[
    ..., Any
]  # make(params, **hyperparameters) -> Subject, often with methods that Subject does not require


class NotApplicable(Exception):
    """The property does not apply to this subject. The message is the reason."""


class Broken(Exception):
    """A comparison failed.

    Attributes:
        what: what was compared.
        expected, actual: both values.
        ratio: the error over the bound; infinite where bits differ.
        example: how to see it, where a check does not run the case that it gets.
        always: whether no rule does this, whatever it is, where a property is otherwise that of some rules only.
    """

    def __init__(
        self,
        what: str,
        expected: Any,
        actual: Any,
        ratio: float = np.inf,
        example: dict[str, Any] | None = None,
        always: bool = False,
    ) -> None:
        super().__init__(what)
        self.what, self.expected, self.actual, self.ratio, self.example = what, expected, actual, ratio, example
        self.always = always


class PropertyViolation(AssertionError):
    """A subject breaks a property. `property_id` names it."""

    def __init__(self, property_id: str, statement: str, broken: Broken) -> None:
        self.property_id, self.ratio, self.broken = property_id, broken.ratio, broken
        super().__init__(
            f"{property_id} is broken: {statement}\n  where: {broken.what}\n  expected: {broken.expected}\n"
            f"  actual:   {broken.actual}\n  error over bound: {broken.ratio:.4g}"
        )


class Ratio(float):
    """An error over bound, and in words what could not be examined."""

    note: str

    def __new__(cls, value: float, note: str = "") -> Ratio:
        """The number, with a note."""
        found = super().__new__(cls, value)
        found.note = note
        return found


class NoFormula:
    """Hyperparameters without a formula: what the caller of a check passed, and nothing else.

    It takes the place of a `Specification` for the properties that need no formula.
    """

    name = ""

    def __init__(self, hyperparameters: Mapping[str, Any]) -> None:
        self.hyperparameters = dict(hyperparameters)

    @property
    def all_names(self) -> tuple[str, ...]:
        """The hyperparameters that are known."""
        return tuple(self.hyperparameters)

    def __getitem__(self, name: str) -> Any:
        if name not in self.hyperparameters:
            raise NotApplicable(f"no {name} is known; pass hyperparameters={{'{name}': ...}} to have it checked")
        return self.hyperparameters[name]

    def having(self, **changes: Any) -> NoFormula:
        """The same with some hyperparameters changed."""
        return NoFormula({**self.hyperparameters, **changes})

    def state_keys(self, theta: Array | None = None) -> tuple[str, ...]:
        """Raises NotApplicable: without a formula the names of the states are unknown."""
        raise NotApplicable("no specification names the states")


Claim = Specification | NoFormula


@dataclass(frozen=True)
class Case:
    """An example to check on: a specification, the first parameters, and the gradients of each step."""

    spec: Specification
    """Its formula and hyperparameters; a `NoFormula` takes its place for the properties that need no formula."""
    params: list[Array]
    gradients: list[list[Array | None]]
    reference: Maker | None = None
    """Another maker, which must give the same bits (P18)."""
    reference_exact: bool = True
    """Whether P18 compares bits; False: each may lie anywhere within the formula's bound."""
    changes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """Step, from 0 -> hyperparameters that are set in all groups before it."""
    late: int = 0
    """Parameters from this index on (0: none) join by add_group, before the first step in which one has a gradient."""
    group: Mapping[str, Any] = field(default_factory=dict)
    """Hyperparameters that the group of the late parameters has for itself."""
    apart: bool = False
    """Whether each late parameter is a group of its own."""
    count: int = 0
    """The step count that is loaded after the first step, in the place of 1 (0: none is)."""
    layout: str = ""
    """How gradients, or parameters, lie in memory: a key of `execution.LAYOUTS`; "": without gaps."""
    buffers: bool = False
    """Whether the same gradient arrays are handed again at every step, with other values."""
    label: str = ""
    """What it is there to examine, in a few words; empty: nothing in particular."""
    claimed: str = ""
    """The dtype that is claimed, where the case asks in a wider one, whose bound says more; empty: its own."""

    def having(self, **changes: Any) -> Case:
        """The same case with some hyperparameters changed."""
        return replace(self, spec=self.spec.having(**changes))

    def make(self, make: Maker, params: list[Array] | None = None, **changes: Any) -> Any:
        """Build a subject for this case, with some hyperparameters changed."""
        return make(self.params if params is None else params, **{**self.spec.hyperparameters, **changes})

    def in_dtypes(self, *dtypes: DTypeLike) -> Case:
        """The same case with its parameters and their gradients in these dtypes, in turn.

        Example:
            >>> case = Case(NoFormula({}), [np.ones(1), np.ones(2)], [[np.ones(1), None]])
            >>> [str(p.dtype) for p in case.in_dtypes(np.float32, np.float64).params]
            ['float32', 'float64']
        """
        chosen = [np.dtype(dtypes[i % len(dtypes)]) for i in range(len(self.params))]
        gradients: list[list[Array | None]] = [
            [None if g is None else g.astype(dtype) for g, dtype in zip(grads, chosen, strict=True)]
            for grads in self.gradients
        ]
        params = [p.astype(dtype) for p, dtype in zip(self.params, chosen, strict=True)]
        return replace(self, params=params, gradients=gradients)

    def part(self, parameters: Sequence[int] | None = None, steps: slice | None = None) -> Case:
        """The same case with some of its parameters, or of its steps, alone; what was to happen stays at its step.

        Example:
            >>> case = Case(NoFormula({}), [np.ones(1), np.ones(2)], [[np.ones(1), np.ones(2)]] * 3, late=1)
            >>> small = replace(case, changes={2: {"lr": 0.1}}).part([1], slice(1, 3))
            >>> len(small.gradients), small.changes, small.late
            (2, {1: {'lr': 0.1}}, 0)
        """
        kept = range(len(self.params)) if parameters is None else parameters
        chosen = range(len(self.gradients))[steps or slice(None)]
        return replace(
            self,
            params=[self.params[i] for i in kept],
            gradients=[[self.gradients[t][i] for i in kept] for t in chosen],
            changes={chosen.index(t): change for t, change in self.changes.items() if t in chosen},
            late=sum(i < self.late for i in kept) if self.late else 0,
        )

    def neutral(self, *names: str) -> dict[str, Any]:
        """Neutral values (0, False) for those of the names that the optimizer has."""
        neutral = {
            "maximize": False,
            "nesterov": False,
            "centered": False,
            "amsgrad": False,
            "decoupled_weight_decay": False,
        }
        return {name: neutral.get(name, 0.0) for name in names if name in self.spec.all_names}


# Of which rules a property is true, where no formula says what the rule is (`Property.of`).
EVERY, ELEMENTWISE, INDEPENDENT, SOME = "every rule", "elementwise", "independent", "some rules"


@dataclass(frozen=True)
class Property:
    """A property of optimizers: its id, its statement, its check, and what it applies to."""

    id: str
    statement: str
    check: Callable[[Maker, Case], str | float | None]
    only: tuple[str, ...] = field(default=())
    """The optimizers that it applies to; empty: all."""
    needs: tuple[str, ...] = field(default=())
    """The hyperparameters that an optimizer must have for it to apply."""
    unless: Callable[[Specification], str] | None = None
    """Returns why it does not apply to a specification (empty: it does). Its docstring is the rule in a sentence."""
    long: bool = False
    """Whether a long run is checked, too."""
    after: tuple[str, ...] = ()
    """The properties of which none may fail for this one to be checked."""
    once: bool = False
    """Whether it makes its own examples, so that one case suffices."""
    cases: Callable[[Maker, Case], Iterable[Case]] | None = None
    """Returns the cases that it is checked on, from one that has the claim, dtype and dimensions; None: any case."""
    of: str = EVERY
    """Whose property it is: that of every rule, of elementwise ones, of those in which each parameter is updated by
    itself (INDEPENDENT), or of some that no trait names (SOME). Without a formula an optimizer that lacks it "differs",
    unless it is said to have the trait."""
    rounds: bool = False
    """Whether it compares runs which correct arithmetic may round otherwise (blocks, fused multiply-adds)."""

    def applies(self, rule: str | Family) -> bool:
        """Whether the property applies to this optimizer, in some settings at least."""
        return not self.reason_against(rule)

    def reason_against(self, rule: str | Family) -> str:
        """Why the property applies to this optimizer, or to one by its name, in no settings; empty where it does."""
        family = FAMILIES[rule] if isinstance(rule, str) else rule
        if self.only and family.name not in self.only:
            return f"{self.id} speaks about {', '.join(self.only)}, not about {family.name}"
        if absent := [each for each in self.needs if each not in family.defaults]:
            return f"there is no {' or '.join(absent)}"
        return family.exempt.get(self.id, "")

    def reason_against_settings(self, claim: Claim) -> str:
        """Why it does not apply to these settings; empty where it does."""
        if isinstance(claim, NoFormula):
            absent = [each for each in self.needs if each not in claim.all_names]
            return f"no {' or '.join(absent)} is known" if absent else ""
        return self.reason_against(claim.family) or (self.unless(claim) if self.unless else "")

    def __call__(self, make: Maker, case: Case) -> str | float | None:
        """Check a maker on a case, or on the cases that the property makes from it.

        Returns:
            What could not be examined, in words; for P1 the largest error over bound.

        Raises:
            PropertyViolation: the property is broken.
            NotApplicable: it does not apply; the message is the reason.
        """
        if self.cases is None:
            return self.check_one(make, case)
        found: list[str | float | None] = []
        refused: list[tuple[str, str]] = []
        for each in self.own_cases(make, case):
            try:
                found.append(self.check_one(make, each))
            except NotApplicable as reason:
                refused.append((each.label, str(reason)))
        if not found:
            raise NotApplicable(refused[0][1] if refused else "no example applies")
        notes = [note for note in found if isinstance(note, str) and note]
        return "; ".join(dict.fromkeys([*notes, *not_examined(refused)]))

    def own_cases(self, make: Maker, case: Case) -> list[Case]:
        """The cases that the property makes from one; none where it does not apply to its settings."""
        if self.cases is None or self.reason_against_settings(case.spec):
            return [case]
        with np.errstate(all="ignore"):
            return list(self.cases(make, case))

    def check_one(self, make: Maker, case: Case) -> str | float | None:
        """Check a maker on one case as it is; returns and raises what a call does."""
        if reason := self.reason_against_settings(case.spec):
            raise NotApplicable(reason)
        try:
            with np.errstate(all="ignore"):  # examples overflow on purpose
                return self.check(make, case)
        except Broken as broken:
            raise PropertyViolation(self.id, self.statement, broken) from None


def not_examined(refused: Iterable[tuple[str, str]]) -> list[str]:
    """A note about (label, reason) pairs: what has one reason stands together.

    Example:
        >>> not_examined([("lr=0.5", "it refuses"), ("eps=1", "it refuses"), ("", "no state")])
        ['not examined: lr=0.5, eps=1 (it refuses); no state']
    """
    together: dict[str, list[str]] = {}
    for label, reason in refused:
        together.setdefault(reason, []).append(label)
    parts = []
    for reason, labels in together.items():
        named = ", ".join(dict.fromkeys(filter(None, labels)))
        parts.append(f"{named} ({reason})" if named else reason)
    return [f"not examined: {'; '.join(parts)}"] if parts else []


PROPERTIES: dict[str, Property] = {}


def number_of(property_id: str) -> tuple[int, str]:
    """How ids are ordered: P1, P1.range, P2, ..., P10.

    Example:
        >>> number_of("P33.average")
        (33, 'average')
    """
    number, _, part = property_id[1:].partition(".")
    return int(number), part


Check = TypeVar("Check", bound=Callable[[Maker, Case], "str | float | None"])


def register(
    property_id: str,
    statement: str,
    *,
    only: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    unless: Callable[[Specification], str] | None = None,
    long: bool = False,
    after: tuple[str, ...] = (),
    once: bool = False,
    cases: Callable[[Maker, Case], Iterable[Case]] | None = None,
    of: str = EVERY,
    rounds: bool = False,
) -> Callable[[Check], Check]:
    """Add a check to PROPERTIES under its id, with what it applies to (see `Property`)."""

    def add(check: Check) -> Check:
        if property_id in PROPERTIES:
            raise ValueError(f"two checks are called {property_id}")
        row = Property(property_id, statement, check, only, needs, unless, long, after, once, cases, of, rounds)
        PROPERTIES[property_id] = row
        return check

    return add


# Running
def copy_arrays(arrays: Sequence[Array]) -> list[Array]:
    """Copies of arrays, which a subject cannot change."""
    return [np.array(array) for array in arrays]


def copy_gradients(grads: Gradients) -> list[Array | None]:
    """Copies of gradients, for a subject to use or to change."""
    return [None if g is None else np.array(g) for g in grads]


def negated(gradients: Sequence[Gradients]) -> list[list[Array | None]]:
    """The negated gradients, still arrays where they have no dimension."""
    return [[None if g is None else np.asarray(-g) for g in grads] for grads in gradients]


def trajectory(subject: Subject, gradients: Sequence[Gradients]) -> list[list[Array]]:
    """The parameters before the first and after every step."""
    history = [copy_arrays(subject.params)]
    for grads in gradients:
        subject.step(copy_gradients(grads))
        history.append(copy_arrays(subject.params))
    return history


def require_method(subject: Any, method: str) -> Callable[..., Any]:
    """A method that the protocol does not require.

    Raises:
        NotApplicable: the subject lacks it.
    """
    found = getattr(subject, method, None)
    if not callable(found):
        raise NotApplicable(f"the subject has no {method}()")
    return found


def state_of(subject: Any, index: int) -> dict[str, Any]:
    """A copy of the state of one parameter ({} before its first step)."""
    return states_of(subject, index + 1)[index]


def shown_state(subject: Any) -> Any:
    """What get_state() gives.

    Raises:
        NotApplicable: there is no get_state(), or it raises; the message says what.
    """
    get = require_method(subject, "get_state")
    try:
        return get()
    except NotApplicable:
        raise
    except Exception as error:
        raise NotApplicable(f"get_state() raises {type(error).__name__}: {error}") from error


def states_of(subject: Any, count: int) -> list[dict[str, Any]]:
    """Copies of the states of the first parameters ({} before their first step), from one get_state()."""
    state = require_method(subject, "get_state")()
    try:
        found = [state["state"].get(index, {}) for index in range(count)]
        for entry in found:
            int(entry.get("step", 0))
        return [
            {key: np.array(value) if isinstance(value, np.ndarray) else value for key, value in entry.items()}
            for entry in found
        ]
    except (KeyError, TypeError, AttributeError, IndexError, ValueError):
        raise NotApplicable(f"get_state() is not in {LAYOUT}; it gives {shortened(repr(state), 60)}") from None


def shows_state(subject: Any) -> bool:
    """Whether get_state() shows the state of a parameter."""
    try:
        state_of(subject, 0)
    except NotApplicable:
        return False
    return True


def accepted_settings(make: Maker, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a maker takes, for an example."""
    takes = getattr(make, "takes", None)
    return {name: value for name, value in settings.items() if takes is None or name in takes}


# Comparing
def _holds_arrays(value: Any) -> bool:
    """Whether it is a dict, list or tuple with arrays in it: a state of several."""
    if isinstance(value, Mapping):
        return True
    if not isinstance(value, (list, tuple)):
        return False
    return any(_holds_arrays(each) or isinstance(each, np.ndarray) or each is None for each in value)


def _same_parts(expected: Any, actual: Any, what: str, always: bool) -> None:
    """`same_bits` of each member of two dicts, lists or tuples."""
    alike = type(expected) is type(actual) and len(expected) == len(actual)  # both hold several
    if not alike or (isinstance(expected, Mapping) and set(expected) != set(actual)):
        raise Broken(what, shortened(repr(expected), 60), shortened(repr(actual), 60), always=True)
    for key in expected if isinstance(expected, Mapping) else range(len(expected)):
        if expected[key] is not None or actual[key] is not None:
            same_bits(expected[key], actual[key], f"{what}, entry {key!r}", always)


EQUAL_BY_VALUE = (str, bytes, set, frozenset, type(None))


def same_bits(expected: Any, actual: Any, what: str, always: bool = False) -> None:
    """Require equal shapes, dtypes and bytes, and of other objects equality; `always`: of every rule (`Broken`)."""
    if _holds_arrays(expected) or _holds_arrays(actual):
        _same_parts(expected, actual, what, always)
        return
    if isinstance(expected, EQUAL_BY_VALUE) and not isinstance(expected, np.ndarray):
        if type(expected) is not type(actual) or expected != actual:
            raise Broken(what, shortened(repr(expected), 60), shortened(repr(actual), 60), always=always)
        return
    expected, actual = np.asarray(expected), np.asarray(actual)
    if expected.dtype.hasobject and actual.dtype.hasobject:
        return  # whether two objects of a class of one's own are equal is not known
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        raise Broken(what, f"{expected.dtype}{expected.shape}", f"{actual.dtype}{actual.shape}", always=True)
    if expected.tobytes() != actual.tobytes():
        different = np.atleast_1d(expected).view(np.uint8).reshape(-1, expected.itemsize)
        rows = (different != np.atleast_1d(actual).view(np.uint8).reshape(-1, expected.itemsize)).any(axis=1)
        first = int(np.argmax(rows))
        raise Broken(f"{what}, element {first}", repr(expected.flat[first]), repr(actual.flat[first]), always=always)


def same_values(expected: Any, actual: Any, what: str, where: Any = True) -> None:
    """Require equal numbers where `where` is true (0 and -0 are equal, NaN equals NaN)."""
    expected, actual = np.asarray(expected), np.asarray(actual)
    wrong = ~((expected == actual) | (np.isnan(expected) & np.isnan(actual))) & np.broadcast_to(where, expected.shape)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise Broken(f"{what}, element {first}", repr(expected.flat[first]), repr(actual.flat[first]))


def within(expected: Any, actual: Any, bound: Any, what: str, where: Any = True) -> None:
    """Require |actual - expected| <= bound where `where` is true; a NaN is out of bounds."""
    expected, actual = np.asarray(expected, np.float64), np.asarray(actual, np.float64)
    with np.errstate(all="ignore"):
        error = np.abs(actual - expected)
        wrong = ~(error <= bound) & np.broadcast_to(where, expected.shape)
        ratio = np.where(wrong, np.broadcast_to(error / bound, wrong.shape), 0)
    if wrong.any():
        first = int(np.argmax(np.nan_to_num(ratio, nan=np.inf)))
        raise Broken(
            f"{what}, element {first}", repr(expected.flat[first]), repr(actual.flat[first]), float(ratio.flat[first])
        )


def unit_roundoff(dtype: DTypeLike) -> float:
    """u: half the distance from 1 to the next number."""
    return float(np.finfo(dtype).eps) / 2


def gamma(roundings: float, dtype: DTypeLike) -> float:
    """gamma_k = k u / (1 - k u), for float64 with room for the check's own arithmetic (Higham, section 3.1)."""
    k = roundings * unit_roundoff(dtype) + roundings * 2.0**-53
    return k / (1 - k)


def ordinary(*arrays: Any) -> Array:
    """Elementwise: zero, or so far from underflow and overflow that squares scale exactly."""
    found: Any = True
    for array in arrays:
        array = np.asarray(array)
        limits = np.finfo(array.dtype)
        size = np.abs(array.astype(np.float64))
        low, high = float(limits.tiny) ** 0.5 * 2.0**20, float(limits.max) ** 0.5 * 2.0**-20
        found = found & ((size == 0) | ((size > low) & (size < high)))
    return np.asarray(found)
