"""Arenas: the parameters of a group side by side in one buffer, so that a step is one kernel call.

An arena holds the values of its parameters, end to end, and their gradients likewise; `Tensor.data` and `Tensor.grad`
are views into it. The arena belongs to the parameters, not to an optimizer: a second optimizer over the same
parameters finds them side by side and uses the same arena. An optimizer's state lies in buffers of its own, in the
order of its segment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygrad_lr.engine import Tensor
from tinygrad_lr.engine.dtypes import copy_into, to_device, to_host


def allocate(size: int, dtype: np.dtype[Any], device: str, value: float = 0.0) -> Any:
    """A flat array of one value on a device."""
    if device == "cpu":
        return np.full(size, value, dtype)
    return to_device(np.full(max(size, 1), value, dtype))  # numba-cuda cannot cut slices of an array of no elements


class Arena:
    """Two flat buffers, values and gradients, of one dtype on one device."""

    __slots__ = ("grads", "values")

    def __init__(self, size: int, dtype: np.dtype[Any], device: str) -> None:
        self.values = allocate(size, dtype, device)
        self.grads = allocate(size, dtype, device)


class Slot:
    """Where a parameter lies: its arena, its place in it, and the view that was made its values."""

    __slots__ = ("arena", "start", "stop", "view")

    def __init__(self, arena: Arena, start: int, stop: int, view: Any) -> None:
        self.arena, self.start, self.stop, self.view = arena, start, stop, view


def _move_in(param: Tensor, arena: Arena, start: int) -> None:
    stop = start + param._data.size
    grad = param._grad
    values = arena.values[start:stop].reshape(param._data.shape)
    copy_into(values, param._data)
    param._data = values
    param._grad_slot = arena.grads[start:stop].reshape(values.shape)
    if grad is not None:
        copy_into(param._grad_slot, grad)
        param._grad = param._grad_slot
    param._slot = Slot(arena, start, stop, values)


def _contiguous(params: list[Tensor]) -> bool:
    """Whether the parameters already lie in one arena, one after the other in this order."""
    slot = params[0]._slot
    if slot is None:
        return False
    arena, expected = slot.arena, slot.start
    for param in params:
        slot = param._slot
        if slot is None or slot.arena is not arena or slot.start != expected or param._data is not slot.view:
            return False
        expected = slot.stop
    return True


Form = int | Callable[[tuple[int, ...]], tuple[int, ...] | None]
"""How many elements share an entry of a state, a parameter's last block being short; or the state's shape, from the
parameter's, and None where such a parameter has none."""


def shape_in(form: Form, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of a state of a parameter of some shape: flat where a block shares an entry; None: it has none."""
    if form == 1:
        return shape
    return (-(-int(np.prod(shape)) // form),) if isinstance(form, int) else form(shape)


class Segment:
    """Parameters of one group that share dtype and device, with an optimizer's state for them.

    `params` and `names` run in the group's order; element `bounds[i]:bounds[i + 1]` of every buffer is parameter i.
    """

    def __init__(self, params: list[Tensor], names: list[str], numbers: Mapping[str, float]) -> None:
        self.params = params
        self.names = names
        self.dtype: np.dtype[Any] = params[0].dtype
        self.device: str = params[0].device
        self.shapes = [param.shape for param in params]
        self.bounds = [0, *np.cumsum([param._data.size for param in params]).tolist()]
        self.steps = [0] * len(params)
        self.states: dict[str, Any] = {}
        self._first_numbers = dict(numbers)
        self.numbers = [self._first_numbers] * len(params)
        self._forms: dict[str, Form] = {}  # of the states that have another shape than the parameters
        self._values: list[Any] = [None] * len(params)
        self._placed: list[tuple[Tensor, Any, Any]] = []  # each parameter, its values and where its gradient lies
        self._views: dict[Any, list[Any]] = {}
        self.make_contiguous()

    def make_contiguous(self) -> None:
        """Bring the parameters side by side, keeping values and gradients, unless all are where this left them."""
        for param, values in zip(self.params, self._values, strict=True):
            if param._data is not values:
                break
        else:
            return
        for param, name, shape in zip(self.params, self.names, self.shapes, strict=True):
            if param.dtype != self.dtype or param.device != self.device or param.shape != shape:
                raise RuntimeError(
                    f"parameter {name!r} was {self.dtype} {shape} on {self.device} when the optimizer was built and is "
                    f"{param.dtype} {param.shape} on {param.device} now; move the model first, then build its optimizer"
                )
        if not _contiguous(self.params):
            arena = Arena(self.bounds[-1], self.dtype, self.device)
            for param, start in zip(self.params, self.bounds, strict=False):
                _move_in(param, arena, start)
        self._values = [param._data for param in self.params]
        self._placed = [(param, param._data, param._grad_slot) for param in self.params]
        self._views.clear()

    def need(self, key: str, initial: float, dtype: str = "", form: Form = 1) -> None:
        """Make sure that the state `key` exists, filled with its initial value where it is new.

        Args:
            key, initial: its name and value.
            dtype: of its entries; empty: the parameters'.
            form: see `Form`.
        """
        if key not in self.states:
            if form != 1:
                self._forms[key] = form
            size = self.place(key, len(self.params) - 1)[1]
            self.states[key] = allocate(size, np.dtype(dtype) if dtype else self.dtype, self.device, initial)
            self._views.clear()

    def place(self, key: str, i: int) -> tuple[int, int]:
        """Between which entries of the state `key` parameter i lies."""
        form = self._forms.get(key, 1)
        if form == 1:
            bounds = self.bounds
        else:
            bounds = self._starts(form)[1] if isinstance(form, int) else self._bounds_of(form)
        return bounds[i], bounds[i + 1]

    def _bounds_of(self, form: Form) -> list[int]:
        """Where the entries of each parameter begin, and at last where those of the last one end."""
        found = self._views.get(form)
        if found is None:
            sizes = [0 if (own := shape_in(form, shape)) is None else int(np.prod(own)) for shape in self.shapes]
            found = self._views[form] = [0, *np.cumsum(sizes).tolist()]
        return found

    def _starts(self, block: int) -> tuple[Any, list[int]]:
        """Where each block of a parameter begins, and at last where the last one ends; each parameter's first block."""
        found = self._views.get(block)
        if found is None:
            starts = [np.arange(low, high, block) for low, high in zip(self.bounds, self.bounds[1:], strict=False)]
            firsts = [0, *np.cumsum([each.size for each in starts]).tolist()]
            found = self._views[block] = [np.append(np.concatenate(starts), self.bounds[-1]), firsts]
        return found[0], found[1]

    def runs(self) -> list[tuple[int, int, int]]:
        """Maximal runs (first, past the last, step) of parameters with a gradient and an equal count of steps."""
        for param, values, grad in self._placed:
            if param._grad is not grad or param._data is not values:
                return self._separate_runs()
        steps = self.steps
        count, step = len(steps), steps[0]
        if count > 1 and (steps.count(step) < count or self.numbers.count(self.numbers[0]) < count):
            return self._separate_runs()
        return [(0, count, step)]

    def _separate_runs(self) -> list[tuple[int, int, int]]:
        """The same where some parameter moved, has no gradient, or has one that lies elsewhere."""
        self.make_contiguous()
        found: list[tuple[int, int, int]] = []
        first, counted = 0, -1  # the run under way and its count of steps; -1: none is
        for i, (param, step) in enumerate(zip(self.params, self.steps, strict=True)):
            grad = param._grad
            alike = step == counted and self.numbers[i] == self.numbers[first]
            if (grad is None or not alike) and counted >= 0:
                found.append((first, i, counted))
                counted = -1
            if grad is None:
                continue
            if grad is not param._grad_slot:
                copy_into(param._grad_slot, grad)
                param._grad = param._grad_slot
            if counted < 0:
                first, counted = i, step
        if counted >= 0:
            found.append((first, len(self.params), counted))
        return found

    def buffers(
        self, first: int, stop: int, keys: tuple[str, ...], layout: Callable[..., list[Any]] | None = None
    ) -> list[Any]:
        """Values, gradients and the named states of parameters first:stop, as flat views.

        Where a state has an entry for a block, where each block begins comes last; and then what `layout` makes of the
        parameters' shapes and dtype.
        """
        wanted = first, stop, keys, layout is not None
        views = self._views.get(wanted)
        if views is None:
            low, high = self.bounds[first], self.bounds[stop]
            arena, base = self.params[0]._slot.arena, self.params[0]._slot.start
            views = [arena.values[base + low : base + high], arena.grads[base + low : base + high]]
            for key in keys:
                views.append(self.states[key][self.place(key, first)[0] : self.place(key, stop - 1)[1]])
            for block in {form for key in keys if isinstance(form := self._forms.get(key), int)}:
                starts, firsts = self._starts(block)
                views.append(starts[firsts[first] : firsts[stop] + 1])
            for array in layout(self.shapes[first:stop], self.dtype) if layout else ():
                views.append(array if self.device == "cpu" else to_device(array))
            if len(self._views) > 100:  # gradients that come and go make ever new runs
                self._views.clear()
            self._views[wanted] = views
        return views

    def advance(self, first: int, stop: int, step: int, numbers: Mapping[str, float]) -> None:
        """Set the count of steps of parameters first:stop, and their numbers from a mapping that has more, and tell the
        graph that their values changed."""
        self.steps[first:stop] = [step] * (stop - first)
        if self._first_numbers:
            self.numbers[first:stop] = [{key: numbers[key] for key in self._first_numbers}] * (stop - first)
        for param in self.params if stop - first == len(self.params) else self.params[first:stop]:
            param._version += 1

    def zero_grad(self, set_to_none: bool) -> None:
        """Set the gradients to None, or fill those that exist with zeros (one fill where they are contiguous)."""
        if set_to_none:
            for param in self.params:
                param._grad = None
            return
        for first, stop, _ in self.runs():
            grads = self.buffers(first, stop, ())[1]
            copy_into(grads, 0.0 if self.device == "cpu" else np.zeros(grads.size, self.dtype))

    def forget(self) -> None:
        """Drop all state and step counts."""
        self.states.clear()
        self._forms.clear()
        self._views.clear()
        self.steps = [0] * len(self.params)
        self.numbers = [self._first_numbers] * len(self.params)

    def reset(self, i: int, initial: Mapping[str, float]) -> None:
        """Set the state of parameter i to what it is before the first step."""
        self.steps[i] = 0
        self.numbers[i] = self._first_numbers
        for key, value in initial.items():
            low, high = self.place(key, i)
            self.write(key, i, np.full(high - low, value, self.states[key].dtype))

    def write(self, key: str, i: int, values: np.ndarray[Any, Any]) -> None:
        """Overwrite the state `key` of parameter i."""
        low, high = self.place(key, i)
        copy_into(self.states[key][low:high], values.reshape(-1))

    def packed(self) -> tuple[list[int], list[dict[str, float]], dict[str, Any], dict[str, Form]]:
        """Steps, numbers, copies of the states on the host, and the forms of those that have one."""
        states = {key: np.array(to_host(flat)) for key, flat in self.states.items()}
        return list(self.steps), list(self.numbers), states, dict(self._forms)

    def unpack(
        self, steps: list[int], numbers: list[dict[str, float]], states: Mapping[str, Any], forms: Mapping[str, Form]
    ) -> None:
        """The reverse of `packed`."""
        self.steps, self.numbers, self._forms = list(steps), list(numbers), dict(forms)
        self.states = {key: flat if self.device == "cpu" else to_device(flat) for key, flat in states.items()}
        self._views.clear()

    def state_of(self, i: int) -> dict[str, Any]:
        """The state of parameter i: its count of steps, each state as a view in its shape, and its numbers."""
        views = {}
        for key, flat in self.states.items():
            shape = shape_in(self._forms.get(key, 1), self.shapes[i])
            if shape is not None:
                low, high = self.place(key, i)
                views[key] = flat[low:high].reshape(shape)
        return {"step": self.steps[i], **views, **self.numbers[i]}
