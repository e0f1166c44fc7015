"""Finds the formula's states in what `get_state()` gives, whatever they are called and however they are laid out.

No paper names arrays. So a few fixed steps are run beside the formula's own, and a state of the formula is the one
array that lies inside its enclosure after every step: found by its values and its shape, or with the opposite sign,
transposed, flattened, or as a part of one array for all parameters. Where `state_names` says what it is called, or an
entry in torch's layout has the formula's own name, the name counts, and a wrong value is a failure. Where nothing fits,
or two arrays do, the state is not examined, with the reason. Next: properties/one_step.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from .bounds.enclosure import Enclosure, enclosed, roundings_of
from .protocol import Array, Case, Maker, NotApplicable, copy_gradients, shown_state, states_of
from .report import shortened

Key = Any  # of a dict, or a number in a list
Path = tuple[Key, ...]


# What there is
@dataclass(frozen=True)
class Component:
    """One step into nested containers: the key, and at which place of how many it stands."""

    key: Key
    place: int
    count: int


def leaves(value: Any, path: tuple[Component, ...] = ()) -> Iterator[tuple[tuple[Component, ...], Array]]:
    """Every array and number in nested containers, with the way to it.

    Example:
        >>> state = {"m": [np.ones(1), 2.5], "on": True}
        >>> [([step.key for step in path], array.tolist()) for path, array in leaves(state)]
        [(['m', 0], [1.0]), (['m', 1], 2.5)]
    """
    children = _children(value)
    if children is not None:
        for place, (key, child) in enumerate(children):
            yield from leaves(child, (*path, Component(key, place, len(children))))
    elif (array := numbers_of(value)) is not None:
        yield path, array


def _children(value: Any) -> list[tuple[Key, Any]] | None:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    return list(enumerate(value)) if isinstance(value, (list, tuple)) else None


def numbers_of(value: Any) -> Array | None:
    """A number or an array of numbers as an array; None for all else."""
    if isinstance(value, (bool, str, bytes)) or value is None:
        return None
    if callable(decode := getattr(value, "numbers", None)):  # numbers that NumPy does not have
        value = decode()
    if not isinstance(value, (int, float, np.number, np.ndarray)):
        return None
    array = np.asarray(value)
    return array if array.dtype.kind in "fiu" else None


# Where it is
@dataclass(frozen=True)
class Nth:
    """The component of a way that is another for each parameter.

    Attributes:
        kind: "key": the parameter's number; "text": a name with its number in it; "place": the n-th entry.
        before, after: the rest of the name.
    """

    kind: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Place:
    """Where an optimizer keeps one state of the formula.

    Attributes:
        path: the way to it, with an `Nth` for the parameter.
        sign: -1 where it is kept with the opposite sign.
        transposed: whether rows are kept as columns.
        shared: whether one array holds it for all parameters, one after the other.
        claimed: whether its name says that it is the formula's.
    """

    path: Path
    sign: int = 1
    transposed: bool = False
    shared: bool = False
    claimed: bool = False

    def __str__(self) -> str:
        return ".".join(str(key) for key in self.path if not isinstance(key, Nth))

    def find(self, state: Any, index: int, count: int) -> Array | None:
        """What is kept there for a parameter, as it is kept; None where there is nothing."""
        for component in self.path:
            children = _children(state)
            if children is None:
                return None
            if isinstance(component, Nth) and component.kind == "place":
                if len(children) != count:
                    return None
                state = children[index][1]
                continue
            key: Key = component
            if isinstance(component, Nth):
                key = index if component.kind == "key" else f"{component.before}{index}{component.after}"
            found = dict(children)
            if key not in found:
                return None
            state = found[key]
        return numbers_of(state)

    def read(self, state: Any, index: int, shapes: Sequence[tuple[int, ...]], shape: tuple[int, ...]) -> Array | None:
        """A parameter's state in the formula's form and shape; None where there is none (yet), or it does not fit.

        Args:
            shapes: of all parameters.
            shape: of the state.
        """
        found = self.find(state, index, len(shapes))
        if found is None:
            return None
        if self.shared:
            sizes = [int(np.prod(each)) for each in shapes]
            if found.size != sum(sizes):
                return None
            found = found.ravel()[sum(sizes[:index]) : sum(sizes[: index + 1])]
        if self.transposed:
            found = found.T
        if found.size != int(np.prod(shape)) or (self.sign == -1 and found.dtype.kind == "u"):
            return None
        return np.array(found * self.sign if self.sign != 1 else found).reshape(shape)


def _ways(path: tuple[Component, ...], index: int, several: bool) -> Iterator[Path]:
    """The ways that lead here for this parameter, and may lead to others' for others."""
    keys = tuple(component.key for component in path)
    for position, component in enumerate(path if several else ()):
        for nth in _parts(component, index):
            yield (*keys[:position], nth, *keys[position + 1 :])
    yield keys


def _parts(component: Component, index: int) -> Iterator[Nth]:
    if component.key == index and not isinstance(component.key, bool):
        yield Nth("key")
    if isinstance(component.key, str):
        for found in re.finditer(r"\d+", component.key):
            if int(found[0]) == index and str(index) == found[0]:
                yield Nth("text", component.key[: found.start()], component.key[found.end() :])
    if component.place == index and isinstance(component.key, str):
        yield Nth("place")


# The probe
@dataclass(frozen=True)
class Probe:
    """A few steps of an optimizer beside the formula's.

    Attributes:
        shapes: of the parameters.
        states: what get_state() gave after each step.
        expected: after each step, for each parameter its states' enclosures.
        right: whether the parameters were the formula's after every step.
        encoded: whether the subject keeps its states in fewer bytes, and says how (bounds/storage.py).
    """

    shapes: list[tuple[int, ...]]
    states: list[Any]
    expected: list[list[dict[str, Enclosure]]]
    right: bool
    encoded: bool


SCALES = (1.0, 3.0, 0.1, 0.5, 0.02)  # of the gradients: a largest so far is not the last


def probe(make: Maker, case: Case) -> Probe:
    """Run the optimizer and the formula from the same parameters, with the claim, dtype and dimensions of a case."""
    spec, dtype = case.spec, case.params[0].dtype
    rng = np.random.default_rng(15)
    shapes = _probe_shapes(case)
    params = [np.asarray(rng.normal(size=shape), dtype) for shape in shapes]
    subject = case.make(make, params=params)
    formulas = [enclosed(spec, dtype, roundings_of(spec)) for _ in params]
    now = [(f.lift(p), f.initial_state(p)) for f, p in zip(formulas, params, strict=True)]
    states, expected, right = [], [], True
    for t, scale in enumerate(SCALES, start=1):
        grads = [np.asarray(scale * rng.normal(size=shape), dtype) for shape in shapes]
        subject.step(copy_gradients(grads))
        now = [f.step(theta, g, state, t) for f, (theta, state), g in zip(formulas, now, grads, strict=True)]
        states.append(_copied(shown_state(subject)) if spec.state_keys(params[0]) else None)
        expected.append([state for _, state in now])
        right &= all(e.contains(np.asarray(p)).all() for (e, _), p in zip(now, subject.params, strict=True))
    return Probe(shapes, states, expected, right, getattr(subject, "storage", None) is not None)


def _probe_shapes(case: Case) -> list[tuple[int, ...]]:
    some = [p.ndim for p in case.params if p.size or not case.spec.family.elementwise]  # a matrix may have other states
    dimensions = sorted(set(some) or {p.ndim for p in case.params})
    chosen = [(2, 4, 3, *(2,) * d)[: d if d != 1 else 0] if d != 1 else (3,) for d in dimensions]
    if case.spec.family.coupled:
        return chosen[:1]
    if len(chosen) == 1:
        chosen.append((*chosen[0][:-1], chosen[0][-1] + 2) if chosen[0] else ())
    return chosen


def _copied(state: Any) -> Any:
    """Nested containers with copies of their arrays."""
    if isinstance(state, Mapping):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*map(_copied, state))
    if isinstance(state, (list, tuple)):
        return type(state)(map(_copied, state)) if type(state) in (list, tuple) else list(map(_copied, state))
    found = numbers_of(state)
    return state if found is None else np.array(found)


# What is found
@dataclass(frozen=True)
class States:
    """Where the formula's states are, and of those that were not found the reason.

    Attributes:
        places: the formula's state -> its place.
        missing: the formula's state -> why it cannot be examined.
        shapes_of: the formula's states of a parameter with this shape, and their shapes.
    """

    places: Mapping[str, Place] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    shapes_of: Callable[[tuple[int, ...]], Mapping[str, tuple[int, ...]]] = lambda shape: {}

    def claimed(self, key: str = "") -> bool:
        """Whether a state, or every state, is where its name says so."""
        return all(place.claimed for name, place in self.places.items() if not key or name == key)

    @property
    def note(self) -> str:
        """What could not be examined; empty where all could."""
        together: dict[str, list[str]] = {}
        for key, reason in self.missing.items():
            together.setdefault(reason, []).append(key)
        listed = "; ".join(f"{', '.join(keys)} ({reason})" for reason, keys in together.items())
        return f"not examined: the state {listed}" if listed else ""

    def read(self, subject: Any, shapes: Sequence[tuple[int, ...]]) -> list[dict[str, Array]]:
        """The states of every parameter under the formula's names ({} before its first step)."""
        if not self.places:
            return [{} for _ in shapes]
        state = shown_state(subject)
        found: list[dict[str, Array]] = []
        for index, shape in enumerate(shapes):
            own = self.shapes_of(shape)
            entry = {k: p.read(state, index, shapes, own[k]) for k, p in self.places.items() if k in own}
            found.append({key: value for key, value in entry.items() if value is not None})
        return found


_known: WeakKeyDictionary[Any, dict[str, States]] = WeakKeyDictionary()


def states_under_their_names(make: Maker, case: Case, subject: Any, params: Sequence[Array]) -> list[dict[str, Any]]:
    """The states of a subject's parameters: all of an entry in torch's layout, and what was found of the formula's.

    Raises:
        NotApplicable: nothing of the kind is shown.
    """
    found = located(make, case)
    try:
        entries = states_of(subject, len(params))
    except NotApplicable:
        if not found.places:
            raise
        entries = [{} for _ in params]
    read = found.read(subject, [p.shape for p in params])
    pairs = zip(entries, read, strict=True)
    return [{**{k: v for k, v in entry.items() if k not in found.missing}, **more} for entry, more in pairs]


def located(make: Maker, case: Case) -> States:
    """Where an optimizer keeps the states of a case's formula; found once for a maker, its settings and dimensions."""
    dimensions = sorted({p.ndim for p in case.params})
    key = repr((case.spec.name, sorted(case.spec.hyperparameters.items()), str(case.params[0].dtype), dimensions))
    try:
        known = _known.setdefault(make, {})
    except TypeError:  # it has no weak references
        known = {}
    if key not in known:
        known[key] = _locate(make, case)
    return known[key]


def keeps_to(make: Maker, case: Case) -> bool:
    """Whether a probe with a case's claim and dtype gives the formula's parameters."""
    try:
        with np.errstate(all="ignore"):
            return probe(make, case).right
    except Exception:  # it refuses the dtype, say
        return False


def _locate(make: Maker, case: Case) -> States:
    keys = case.spec.state_keys(case.params[0])
    if case.spec.family.free:
        return States({}, {key: case.spec.family.free.get(key, "it follows from the others") for key in keys})
    names = dict(getattr(make, "state_names", None) or {})
    if all(key in names and names[key] is None for key in keys):
        return States({}, dict.fromkeys(keys, "state_names says None"))
    try:
        with np.errstate(all="ignore"):
            found = probe(make, case)
    except Exception as error:  # whatever the optimizer does, its parameters are examined
        return States({}, dict.fromkeys(keys, shortened(" ".join(str(error).split()) or type(error).__name__, 200)))
    search = Search(found, names, float(case.spec.hyperparameters.get("lr") or 1.0))
    return replace(search.all(), shapes_of=_shapes_of(case.spec))


def _shapes_of(spec: Any) -> Callable[[tuple[int, ...]], Mapping[str, tuple[int, ...]]]:
    """The formula's states of a parameter with a shape, and their shapes."""

    @cache
    def shapes(shape: tuple[int, ...]) -> Mapping[str, tuple[int, ...]]:
        return {key: np.shape(value) for key, value in spec.initial_state(np.zeros(shape)).items()}

    return shapes


class Search:
    """The search for the formula's states in what a probe has seen.

    `names` is what the caller says, `rate` the learning rate.
    """

    def __init__(self, seen: Probe, names: Mapping[str, str | None], rate: float) -> None:
        self.seen, self.names, self.rate = seen, names, rate
        self.several = len(seen.shapes) > 1
        self.keys = list(dict.fromkeys(key for state in seen.expected[-1] if state for key in state))

    def all(self) -> States:
        """What is found, and of all else the reason."""
        if self.seen.encoded:
            return States({key: self._own(key) for key in self.keys})
        places: dict[str, Place] = {}
        missing: dict[str, str] = {}
        found: dict[str, list[Place]] = {}
        for key in self.keys:
            if key in self.names and self.names[key] is None:
                missing[key] = "state_names says None"
            elif key in self.names:
                named = self._named(key, str(self.names[key]))
                if named is None:
                    missing[key] = f"state_names says {self.names[key]}, and get_state() shows {self._shown()}"
                else:
                    places[key] = named
            else:
                found[key] = self._fitting(key)
        for key, fitting in sorted(found.items(), key=lambda item: len(item[1])):
            fitting = [place for place in fitting if place.path not in {each.path for each in places.values()}]
            own = [place for place in fitting if key in place.path]
            if replace(self._own(key), claimed=False) in fitting:  # also where a number is the same for all parameters
                places[key] = self._own(key)
            elif len(own) == 1 or len(fitting) == 1:
                places[key] = (own or fitting)[0]
            elif fitting:
                missing[key] = f"{' and '.join(map(str, fitting[:4]))} both fit"
            else:
                self._unfitting(key, places, missing)
        return States(places, missing)

    def _own(self, key: str) -> Place:
        """The place of the formula's own name in torch's layout."""
        return Place(("state", Nth("key") if self.several else 0, key), claimed=True)

    def _unfitting(self, key: str, places: dict[str, Place], missing: dict[str, str]) -> None:
        """What has the formula's own name in torch's layout claims to be it, unless it plainly is another form."""
        own = self._own(key)
        if all(own.find(self.seen.states[-1], i, len(self.seen.shapes)) is None for i in self._having(key)):
            missing[key] = f"no array of get_state() equals it; it shows {self._shown()}"
        elif not self._readable(key, own):
            missing[key] = f"{key} has another shape"
        elif self.seen.right and (form := self._form(key, own)):
            missing[key] = f"{key} is kept in another form: {form}"
        else:
            places[key] = own

    def _having(self, key: str) -> list[int]:
        return [i for i, state in enumerate(self.seen.expected[-1]) if key in state]

    def _shown(self) -> str:
        names = dict.fromkeys(
            ".".join(str(c.key) for c in path if isinstance(c.key, str) and c.key not in ("state", "param_groups"))
            for path, _ in leaves(self._without_groups(self.seen.states[-1]))
        )
        return shortened(", ".join(filter(None, names)), 80) or "no array with a name"

    @staticmethod
    def _without_groups(state: Any) -> Any:
        plain = isinstance(state, Mapping)
        return {key: value for key, value in state.items() if key != "param_groups"} if plain else state

    def _named(self, key: str, name: str) -> Place | None:
        """The place that state_names names."""
        every: list[set[Path]] = []
        for i in self._having(key):
            ways: set[Path] = set()
            for path, _ in leaves(self.seen.states[-1]):
                texts = ".".join(str(component.key) for component in path)
                words = [component.key for component in path if isinstance(component.key, str)]
                if name in words or texts.endswith(f".{name}") or texts == name:
                    ways.update(_ways(path, i, self.several))
            every.append(ways)
        common = set.intersection(*every) if every else set()
        fitting = [Place(path, claimed=True) for path in common] + [Place(p, shared=True, claimed=True) for p in common]
        readable = [place for place in fitting if self._readable(key, place)]
        right = [place for place in readable if self._holds(key, place)]
        return min(right or readable, key=_simplest, default=None)

    def _readable(self, key: str, place: Place) -> bool:
        shapes, last = self.seen.shapes, self.seen.states[-1]
        if not (place.shared or self._for_all(key) or any(isinstance(part, Nth) for part in place.path)):
            return False
        return all(place.read(last, i, shapes, self._shape(key, i)) is not None for i in self._having(key))

    def _for_all(self, key: str) -> bool:
        """Whether one place without an `Nth` may hold it for every parameter: a number, or there is one parameter."""
        return not self.several or all(self._shape(key, i) == () for i in self._having(key))

    def _shape(self, key: str, index: int) -> tuple[int, ...]:
        return self.seen.expected[-1][index][key].low.shape

    def _fitting(self, key: str) -> list[Place]:
        """The places that hold it after every step, one for each array."""
        last, found = self.seen.states[-1], {}
        every: list[set[Path]] = []
        having = self._having(key)
        for i in having:
            size = self.seen.expected[-1][i][key].low.size
            whole = sum(int(np.prod(shape)) for shape in self.seen.shapes)
            fit = [path for path, leaf in leaves(last) if leaf.size in (size, whole)]
            every.append({way for path in fit for way in _ways(path, i, self.several)})
        for path in sorted(set.intersection(*every) if every else (), key=lambda each: _simplest(Place(each))):
            arrays = tuple(id(Place(path).find(last, i, len(self.seen.shapes))) for i in having)
            for place in self._forms(key, path):
                where = (arrays, place.shared)
                if where not in found and self._holds(key, place):
                    found[where] = place
        return list(found.values())

    def _forms(self, key: str, path: Path) -> Iterator[Place]:
        of_each = any(isinstance(part, Nth) for part in path)
        alone, shared = of_each or self._for_all(key), self.several and not of_each
        for sign in (1, -1):
            for transposed in (False, True):
                if alone:
                    yield Place(path, sign, transposed)
                if shared and not transposed:
                    yield Place(path, sign, shared=True)

    def _holds(self, key: str, place: Place) -> bool:
        """Whether the values there are the formula's after every step, and are not zero throughout."""
        return self._compare(key, place, lambda expected, value, t: bool(expected.contains(value).all()))

    def _compare(self, key: str, place: Place, equal: Callable[[Enclosure, Array, int], bool]) -> bool:
        seen, nonzero = self.seen, False
        for t, (state, expected) in enumerate(zip(seen.states, seen.expected, strict=True), start=1):
            for i in self._having(key):
                entry = expected[i]
                value = place.read(state, i, seen.shapes, self._shape(key, i))
                if value is None or not equal(entry[key], value, t):
                    return False
                nonzero |= bool(np.any(value))
        return nonzero

    def _form(self, key: str, place: Place) -> str:
        """How an array of that name is made of the formula's state, where it plainly is; else nothing.

        One that the rate was multiplied into, or was not, is another rule: it shows when the rate changes.
        """
        changes: dict[str, Callable[[Array], Array]] = {
            "its square root": np.sqrt,
            "its square": np.square,
            "its reciprocal": np.reciprocal,
            "its logarithm": np.log,
        }
        for text, change in changes.items():
            if self._compare(key, place, lambda e, value, t, c=change: _near(c(e.middle), value)):  # type: ignore[misc]
                return text
        factors: dict[int, float] = {}

        def one_factor(expected: Enclosure, value: Array, t: int) -> bool:
            with np.errstate(all="ignore"):
                ratio = np.where(expected.middle == value, 1.0, value / expected.middle)
            factors.setdefault(t, float(ratio.flat[0]) if ratio.size else 1.0)
            return _near(np.full(ratio.shape, factors[t]), ratio)

        if self._compare(key, place, one_factor):
            if any(_near(np.array(factors[1]), np.array(rate)) for rate in (self.rate, 1 / self.rate)):
                return ""
            several = len({round(factor, 5) for factor in factors.values()}) > 1
            return "another multiple of it at every step" if several else f"{factors[1]:.5g} times it"
        return ""


def _near(expected: Array, value: Array) -> bool:
    """Equal but for rounding: enough to say of what an array is made."""
    value = np.asarray(value, np.float64)
    with np.errstate(all="ignore"):
        return bool(np.all(np.abs(expected - value) <= 2.0**-12 * np.abs(expected)) and np.isfinite(value).all())


def _simplest(place: Place) -> tuple[Any, ...]:
    """An order in which the parameter's number comes before a name with it, and that before the n-th entry."""
    kinds = [part.kind for part in place.path if isinstance(part, Nth)]
    return (("key", "text", "place").index(kinds[0]) if kinds else -1, place.shared, len(place.path), repr(place.path))


def lifted(value: Any, dtype: Any, roundings: float = 1.0) -> Enclosure:
    """A state as the formula may use it in a step of a dtype: rounded to it first, or not, where it is wider."""
    if isinstance(value, Enclosure):
        return value
    array = np.asarray(value)
    if array.dtype == dtype:
        return Enclosure.exact(array, dtype, roundings)
    wide = Enclosure.exact(array.astype(np.float64), np.float64, roundings)
    return wide.rounded_to(dtype, roundings)
