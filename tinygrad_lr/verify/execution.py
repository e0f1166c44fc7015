"""Runs a case: hyperparameters that change, groups that join late, layouts in memory, buffers that are handed again.

This is the one place that knows what the fields of a `Case` do. `example_of` prints them under the same names.
Next: guard.py, properties/one_step.py.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .protocol import Array, Case, Maker, NotApplicable, accepted_settings, copy_arrays, require_method, same_bits


# Layouts
def _strided(array: Array) -> Array:
    """Every second element of a larger array, along each axis."""
    if not array.ndim:
        return np.array(array)
    wide = np.full([2 * n for n in array.shape], 77, array.dtype)
    view = wide[(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


def _columns_first(array: Array) -> Array:
    """In Fortran's order, as the transpose of a matrix lies."""
    return np.array(array, order="F")


def _offset(array: Array) -> Array:
    """A view that begins one element after the beginning of its buffer."""
    buffer = np.full(array.size + 1, 77, array.dtype)
    view = buffer[1:].reshape(array.shape)
    view[...] = array
    return view


def _read_only(array: Array) -> Array:
    """Whoever writes into it gets a ValueError."""
    array = np.array(array)
    array.flags.writeable = False
    return array


def _reversed(array: Array) -> Array:
    """Backwards in memory, along the first axis."""
    return np.array(array[::-1])[::-1] if array.ndim else np.array(array)


def _repeated(array: Array) -> Array:
    """One row in memory for all rows, where they are equal, as the gradient of a sum is."""
    if not array.ndim or not array.size or not np.array_equal(array, np.broadcast_to(array[:1], array.shape)):
        return np.array(array)
    return np.broadcast_to(np.array(array[:1]), array.shape)


class Layout(NamedTuple):
    """How arrays lie in memory: functions that copy an array so.

    Attributes:
        gradient: of the gradients that are handed.
        parameter: of the parameters that the optimizer is built with.
    """

    gradient: Callable[[Array], Array] = np.array
    parameter: Callable[[Array], Array] = np.array


LAYOUTS: dict[str, Layout] = {
    "": Layout(),
    "transposed": Layout(_columns_first),
    "strided": Layout(_strided),
    "offset": Layout(_offset),
    "read-only": Layout(_read_only),
    "reversed": Layout(_reversed),
    "repeated": Layout(_repeated),
    "transposed parameters": Layout(np.array, _columns_first),
    "strided parameters": Layout(np.array, _strided),
    "transposed, parameters too": Layout(_columns_first, _columns_first),
}


def copied_alike(array: Any) -> Array:
    """A copy that lies in memory as the array does: with gaps between its elements, or in Fortran's order.

    Example:
        >>> copied_alike(np.arange(6.0)[::2]).strides, copied_alike(np.ones((2, 3), order="F")).flags.f_contiguous
        ((16,), True)
    """
    array = np.asarray(array)
    return np.array(array, order="K") if array.flags.forc else _strided(array)


def joined(case: Case) -> list[int]:
    """For each step, how many parameters have joined when it is taken."""
    found, now = [], case.late or len(case.params)
    for grads in case.gradients:
        now = len(case.params) if any(g is not None for g in grads[now:]) else now
        found.append(now)
    return found


def nothing_missing(case: Case) -> Case:
    """The case with all parameters from the first step on, and all gradients: for each that is missing another of the
    parameter's, or zeros."""
    columns = []
    for theta, column in zip(case.params, zip(*case.gradients, strict=True), strict=True):
        given = [g for g in column if g is not None] or [np.zeros_like(theta)]
        columns.append([given[t % len(given)] if g is None else g for t, g in enumerate(column)])
    return replace(case, late=0, gradients=[list(grads) for grads in zip(*columns, strict=True)])


class Execution:
    """A case as it runs, step by step: `prepare(t)`, then `step(t)`.

    Attributes:
        subject: the optimizer.
        specs: for each parameter that has joined, the specification that is in force.
        counts: for each of them, how many updates it has had (with the count that was loaded).
        past: for each of them, the specification at each of its updates.
    """

    def __init__(self, case: Case, make: Maker, **settings: Any) -> None:
        self.case, self.make, self._settings = case, make, settings
        self._layout = LAYOUTS[case.layout]
        first = min(case.late, len(case.params)) if case.late else len(case.params)
        self.subject = case.make(make, params=self._laid_out(case.params[:first]), **settings)
        self.specs: list[Any] = [case.spec.having(**settings) if settings else case.spec] * first
        self.past: list[list[Any]] = [[] for _ in range(first)]
        self.counts = [0] * first
        self._current = dict(settings)
        self._handed: list[tuple[int, int, Array, Array]] = []
        self._buffers: list[Array | None] = [None] * len(case.params)

    def _laid_out(self, params: list[Array]) -> list[Array]:
        return [self._layout.parameter(p) for p in params]

    @property
    def joined(self) -> int:
        """How many parameters have joined so far."""
        return len(self.specs)

    def prepare(self, t: int) -> None:
        """What comes before the step: a count is loaded, parameters join, hyperparameters are set, gradients arrive."""
        case = self.case
        if case.count and t == 1:
            self._load(case.count)
        waiting = case.gradients[t][self.joined :]
        if any(g is not None for g in waiting):
            self._join()
        if changes := case.changes.get(t):
            require_method(self.subject, "set_hyperparameters")(**changes)
            self._current |= changes
            self.specs = [spec.having(**changes) for spec in self.specs]
        self._grads = [self._gradient(i, case.gradients[t][i]) for i in range(self.joined)]

    def _join(self) -> None:
        params, case = self.case.params[self.joined :], self.case
        own = {**self._current, **case.group}
        settings = accepted_settings(self.make, {**case.spec.hyperparameters, **own})
        for group in [[p] for p in params] if case.apart else [params]:
            require_method(self.subject, "add_group")(self._laid_out(group), **settings)
        self.specs += [case.spec.having(**own)] * len(params)
        self.past += [[] for _ in params]
        self.counts += [0] * len(params)

    def _load(self, count: int) -> None:
        """Load the subject's own state with another step count."""
        get, load = require_method(self.subject, "get_state"), require_method(self.subject, "set_state")
        known = {"step", *(self.case.spec.state_keys(self.case.params[0]) if self.case.spec.name else ())}
        load(with_count(get(), count, known))
        self.counts = [count if had else 0 for had in self.counts]

    def _gradient(self, i: int, g: Array | None) -> Array | None:
        if g is None:
            return None
        if not self.case.buffers or self.case.layout == "repeated":
            return self._layout.gradient(g)
        if (buffer := self._buffers[i]) is None:
            buffer = self._buffers[i] = self._layout.gradient(g)
        writeable, buffer.flags.writeable = buffer.flags.writeable, True
        buffer[...] = g
        buffer.flags.writeable = writeable
        return buffer

    def step(self, t: int) -> None:
        """The step, with the gradients of `prepare`."""
        for i, g in enumerate(self.case.gradients[t][: self.joined]):
            if g is not None:
                self.counts[i] += 1
                self.past[i].append(self.specs[i])
        handed = list(self._grads)
        with warnings.catch_warnings():
            if self.case.layout in ("read-only", "repeated"):
                warnings.filterwarnings("ignore", "The given NumPy array is not writ", UserWarning)  # torch's
            self.subject.step(handed)
        for i, (g, array) in enumerate(zip(self.case.gradients[t], self._grads, strict=False)):
            if g is not None and array is not None and not self.case.buffers:
                self._handed.append((t, i, array, g))

    def expect_gradients_untouched(self) -> None:
        """Require that every gradient handed so far still holds what it held (buffers: they are the caller's).

        Raises:
            Broken: one was written to, in its step or later.
        """
        for t, i, array, g in self._handed:
            same_bits(g, np.array(array), f"the caller's gradient {i} of step {t + 1}, after the last step")

    def steps(self) -> Iterator[int]:
        """Prepare each step and take it; yields its number, from 0, after it."""
        for t in range(len(self.case.gradients)):
            self.prepare(t)
            self.step(t)
            yield t

    def params(self) -> list[Array]:
        """Copies of the parameters; those that have not joined are as they were."""
        return [*copy_arrays(self.subject.params), *copy_arrays(self.case.params[self.joined :])]


def run(case: Case, make: Maker, **settings: Any) -> list[list[Array]]:
    """The parameters before the first and after every step of a case."""
    execution = Execution(case, make, **settings)
    return [copy_arrays(case.params), *(execution.params() for _ in execution.steps())]


def with_count(state: Any, count: int, known: Collection[str] = ()) -> Any:
    """A copy of a saved state in torch's layout, with another step count for every parameter.

    Args:
        known: the names of entries that are no counts.

    Raises:
        NotApplicable: it shows no step count, or other single numbers, which may follow the count.
    """
    state = copy.deepcopy(state)
    entries = state.get("state") if isinstance(state, Mapping) else None
    if not isinstance(entries, Mapping) or not entries:
        raise NotApplicable("get_state() shows no step count")
    for entry in entries.values():
        if not isinstance(entry, dict) or "step" not in entry:
            raise NotApplicable("get_state() shows no step count")
        if others := [key for key, value in entry.items() if key not in known and _is_number(value)]:
            raise NotApplicable(f"the state has {', '.join(map(str, others))}, which may follow the step count")
        before = entry["step"]
        entry["step"] = np.full_like(before, count) if isinstance(before, np.ndarray) else type(before)(count)
    return state


def _is_number(value: Any) -> bool:
    kinds = (int, float, np.number, np.ndarray)
    return isinstance(value, kinds) and not isinstance(value, bool) and np.size(value) == 1


# Examples
LARGE = 10_000  # elements: too many to be printed


def example_of(case: Case, takes: Callable[[str], bool]) -> dict[str, Any]:
    """A case as plain numbers and lists, with the hyperparameters that make() takes."""
    more = {name: getattr(case, name) for name in ("changes", "late", "group", "apart", "count", "layout", "buffers")}
    return {
        "hyperparameters": {key: value for key, value in case.spec.hyperparameters.items() if takes(key)},
        "dtypes": [str(p.dtype) for p in case.params],
        "params": [_numbers(p) for p in case.params],
        "gradients": [[_numbers(g) for g in grads] for grads in case.gradients],
        **{name: dict(value) if isinstance(value, Mapping) else value for name, value in more.items() if value},
    }


def _numbers(array: Any) -> Any:
    """An array as lists; a large one, which repeats a small one (`Search._longer`), as the call that makes it."""
    if array is None or array.size < LARGE:
        return None if array is None else array.tolist()
    return f"numpy.resize({array.ravel()[:6].tolist()}, {array.shape})"
