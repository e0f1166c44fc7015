"""How the calls of a run are written in each library's own API: torch, optax, keras, ours, plain NumPy.

Each writes few lines: steps that follow one another are a loop, defaults are left out, and one parameter is no list.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..guard import equal_settings
from ..protocol import Array, Maker, accepted_settings
from ..report import plain, settings_text
from .preparing import prepared
from .readings import Reading
from .recording import Event

LONGEST_LIST = 400  # numbers that a program spells out
SHORT = 12  # numbers of an array that is spelled out though all are equal


class Change(NamedTuple):
    """An entry of a saved state that is changed before it is loaded: the way to it, and its number."""

    way: str
    value: Any
    plain: bool
    """Whether it is no array."""


class Load(NamedTuple):
    """What a set_state() call loads."""

    origin: int
    """The get_state() call that gave it."""
    is_copy: bool
    changes: list[Change]
    meddled: bool
    """Whether all its arrays are overwritten after it was loaded."""


class Unwritable(Exception):
    """There is no program; the message says why."""


def listed(array: Array) -> str:
    """An array's numbers as nested lists, each as short as it can be.

    Example:
        >>> listed(np.array([[0.1, 1.0]], np.float32)), listed(np.array(np.inf)), listed(np.zeros(30))
        ('[[0.1, 1.0]]', 'float("inf")', '[0.0] * 30')
    """
    if np.ndim(array) == 0:
        text = plain(repr(np.asarray(array)[()]))
        return text if np.isfinite(float(array)) else f'float("{float(array)}")'
    if not np.size(array):
        return str(np.asarray(array).tolist())
    return _row([listed(each) for each in array])


def _row(texts: list[str]) -> str:
    """A list of expressions; of many equal ones that follow one another, one and how often."""
    if len(texts) <= SHORT:
        return f"[{', '.join(texts)}]"
    runs: list[list[str]] = []
    for text in texts:
        if runs and runs[-1][0] == text:
            runs[-1].append(text)
        else:
            runs.append([text])
    if len(runs) > len(texts) / 3 or len(runs) > SHORT:
        if len(texts) > LONGEST_LIST:
            raise Unwritable(f"it takes an array of {len(texts)} different numbers")
        return f"[{', '.join(texts)}]"
    return " + ".join(f"[{run[0]}] * {len(run)}" if len(run) > 1 else f"[{run[0]}]" for run in runs)


def filled(module: str, array: Array, dtype: str) -> str:
    """An array of many equal numbers as a call, or "" where they are few or different.

    Example:
        >>> filled("np", np.ones((4, 5)), ", np.float32"), filled("np", np.ones(3), "")
        ('np.ones((4, 5), np.float32)', '')
    """
    if array.size <= SHORT or not np.all(array == array.flat[0]):
        return ""
    value, shape = float(array.flat[0]), str(array.shape[0]) if array.ndim == 1 else str(array.shape)
    if value in (0.0, 1.0) and not np.signbit(value):
        return f"{module}.{'ones' if value else 'zeros'}({shape}{dtype})"
    return f"{module}.full({array.shape}, {listed(array.ravel()[0])}{dtype})"


class Language:
    """Writes the calls of optimizers in plain NumPy, as `make(params, **hyperparameters)` has them."""

    own_modules: tuple[str, ...] = ()
    """Modules whose names are written with dots, since the program imports the library anyway."""
    has_helper = False
    """Whether it can write a step as a function of its own."""
    saving, loading = "get_state", "set_state"
    shares = True
    """Whether a saved state may share memory, so that a copy must be said."""

    def __init__(self, name: str, make: Maker, wide: bool, always: Mapping[str, Any], thing: Any = None) -> None:
        self.name, self.make, self.wide, self.always = name, make, wide, dict(always)
        self.thing = thing
        self.called: dict[int, str] = {}
        self.shapes: dict[int, list[tuple[int, ...]]] = {}
        self.alone: dict[int, bool] = {}
        self.buffers: dict[int, str] = {}
        self.repeated: set[int] = set()
        self.handles: dict[int, str] = {}
        self.copied: set[int] = set()
        self.helped = False
        self.left_out: tuple[str, ...] = ()
        self.missing = False

    # What a program begins with
    def imports(self) -> list[str]:
        """The library's imports, and what is set for the whole process."""
        return ["import numpy as np"]

    def helper(self) -> list[str]:
        """A function that the calls use; empty: none."""
        return []

    def begin(self, called: dict[int, str], events: Sequence[Event], copied: set[int], helped: bool) -> None:
        """Start.

        Args:
            called: the names of the optimizers.
            events: all calls that are to be written.
            copied: the get_state() calls whose state is copied at once.
            helped: whether a step is a function of its own.
        """
        self.called, self.helped = called, helped and self.has_helper
        self.copied = copied if self.shares else set()
        self.shapes = {subject: [] for subject in called}
        self.handles, self.buffers = {}, {}
        for subject in called:
            more = [e for e in events if e.subject == subject and e.kind == "add_group"]
            first = next(e for e in events if e.subject == subject and e.kind == "make")
            self.alone[subject] = len(first.params) == 1 and not more
        handed = [id(g) for e in events for g in e.handed if isinstance(g, np.ndarray)]
        self.repeated = {each for each in handed if handed.count(each) > 1}
        self.missing = any(g is None for e in events for g in e.grads)

    @staticmethod
    @contextlib.contextmanager
    def restored() -> Iterator[None]:
        """What a program sets for the whole process is as before."""
        yield

    # The calls
    def call(self, event: Event, number: int, load: Load | None) -> list[str]:
        """The lines of one call, or of the first of several steps."""
        if event.kind in ("make", "add_group"):
            self.shapes[event.subject] += [np.shape(each) for each in event.params]
        return getattr(self, f"on_{event.kind}")(event, number, load)  # type: ignore[no-any-return]

    def steps(self, events: Sequence[Event]) -> list[str]:
        """The lines of steps of one optimizer that follow one another."""
        before: list[list[str]] = []
        rows: list[list[str]] = []
        for event in events:
            before.append([])
            rows.append([self.gradient(event, i, before[-1]) for i in range(len(event.grads))])
        subject = events[0].subject
        if len(rows) == 1 or any(before):
            return [
                line for first, row in zip(before, rows, strict=True) for line in (*first, *self.step(subject, row))
            ]
        if all(row == rows[0] for row in rows):
            return [f"for _ in range({len(rows)}):", *(f"    {line}" for line in self.step(subject, rows[0]))]
        return self.loop(subject, rows)

    def loop(self, subject: int, rows: list[list[str]]) -> list[str]:
        """Steps with different gradients."""
        alone = self.alone[subject] and self.literal_step
        values = ", ".join(row[0] if alone else f"[{', '.join(row)}]" for row in rows)
        name = "g" if alone else "grads"
        head = f"for {name} in [{values}]:"
        return [head, *(f"    {line}" for line in self.step(subject, ["g"] if alone else None))]

    literal_step = True
    """Whether a loop over the gradients of one parameter may say "g" for an array."""

    def step(self, subject: int, row: list[str] | None) -> list[str]:
        """The lines of one step; None: with the gradients that a loop calls `grads`."""
        return [f"{self.called[subject]}.step({'grads' if row is None else '[' + ', '.join(row) + ']'})"]

    def literal(self, array: Array) -> str:
        """An array as an expression."""
        array = np.asarray(array)
        dtype = f", np.{array.dtype}"
        text = filled("np", array, dtype) or f"np.array({listed(array)}{dtype})"
        if array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous:
            text = f"np.asfortranarray({text})"
        elif array.ndim and not array.flags.forc:
            text = f"np.repeat({text}, 2, 0)[::2]"
        return text

    def gradient(self, event: Event, i: int, lines: list[str]) -> str:
        """A gradient as an expression; a buffer that is handed again is a variable."""
        array = event.handed[i] if i < len(event.handed) else None
        if event.grads[i] is None:
            return "None"
        laid_out = _like(event.grads[i], array)
        if id(array) not in self.repeated:
            return self.in_step(laid_out)
        if id(array) not in self.buffers:
            self.buffers[id(array)] = f"buffer_{len(self.buffers)}" if self.buffers else "buffer"
            lines.append(f"{self.buffers[id(array)]} = {self.literal(laid_out)}")
        else:
            lines.append(self.refill(self.buffers[id(array)], laid_out))
        return self.buffers[id(array)]

    def in_step(self, array: Array) -> str:
        """A gradient inside a step's call."""
        return self.literal(array)

    def refill(self, name: str, array: Array) -> str:
        """A buffer gets other values."""
        return f"{name}[...] = {listed(array)}"

    def arguments(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The library's own keyword arguments.

        Raises:
            Unwritable: a value that cannot be written, such as a function.
        """
        settings = accepted_settings(self.make, {**self.always, **settings})
        found = self.make.arguments(settings) if callable(getattr(self.make, "arguments", None)) else settings  # type: ignore[attr-defined]
        for name, value in found.items():
            text = plain(repr(value))
            if re.search(r"<.* at 0x|<function|<class", text):
                raise Unwritable(f"the argument {name} cannot be written down: {text[:80]}")
        return dict(found)

    def changed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The library's names of hyperparameters that are changed, without those that are always passed."""
        renamed = getattr(self.make, "renamed", None)
        if callable(renamed):
            return dict(renamed(settings))
        always = self.arguments({})
        return {name: value for name, value in self.arguments(settings).items() if name not in always}

    def passed(self, settings: dict[str, Any]) -> str:
        """The keyword arguments of a call that are not the defaults, after a comma."""
        usual = _defaults(self.thing)
        given = self.arguments(settings)
        told = {k: v for k, v in given.items() if k == "lr" or k not in usual or not _alike(usual[k], v)}
        told = {name: value for name, value in told.items() if name not in self.left_out}
        text = settings_text(told).replace("=inf", '=float("inf")').replace("=nan", '=float("nan")')
        return f", {text}" if text else ""

    def prepared(self, subject: int) -> list[str]:
        """The calls of `prepare=`."""
        prepare = getattr(self.make, "prepare", None)
        if prepare is None:
            return []
        lines = prepared(prepare, self.called[subject])
        if lines is None:
            raise Unwritable("what prepare= does cannot be written down")
        return lines

    # The names of things
    def optimizer(self, subject: int) -> str:
        return self.called[subject]

    def params(self, subject: int) -> str:
        """The list of an optimizer's parameters."""
        return f"{self.called[subject]}.params"

    def param(self, subject: int, i: int) -> str:
        """One of them."""
        return f"{self.params(subject)}[{i}]"

    def on_make(self, event: Event, number: int, load: Load | None) -> list[str]:
        arrays = ", ".join(map(self.literal, event.params))
        name = self.called[event.subject]
        return [f"{name} = {self.name}([{arrays}]{self.passed(event.settings)})", *self.prepared(event.subject)]

    def on_add_group(self, event: Event, number: int, load: Load | None) -> list[str]:
        arrays = ", ".join(map(self.literal, event.params))
        return [f"{self.called[event.subject]}.add_group([{arrays}]{self.passed(event.settings)})"]

    def on_change(self, event: Event, number: int, load: Load | None) -> list[str]:
        return [f"{self.called[event.subject]}.set_hyperparameters({settings_text(event.settings)})"]

    def on_accumulate_every(self, event: Event, number: int, load: Load | None) -> list[str]:
        return [f"{self.called[event.subject]}.accumulate_every({event.settings['micro_steps']})"]

    def on_get_state(self, event: Event, number: int, load: Load | None) -> list[str]:
        self.handles[number] = f"saved_{len(self.handles)}" if self.handles else "saved"
        text = self.state_now(event.subject)
        return [f"{self.handles[number]} = {f'copy.deepcopy({text})' if number in self.copied else text}"]

    def state_now(self, subject: int) -> str:
        """What get_state() gives, as an expression."""
        return f"{self.called[subject]}.{self.saving}()"

    def on_set_state(self, event: Event, number: int, load: Load | None) -> list[str]:
        assert load is not None
        name = self.handles[load.origin]
        lines = [self.replaced(name, *change) for change in load.changes]
        text = f"copy.deepcopy({name})" if self.shares and load.is_copy and load.origin not in self.copied else name
        if load.meddled:
            lines.append(f"theirs = copy.deepcopy({name})")
            text = "theirs"
        lines += [*self.loaded(event.subject, text), *self.prepared_again(event.subject)]
        return [*lines, *(self.meddled(event) if load.meddled else [])]

    def meddled(self, event: Event) -> list[str]:
        """All arrays of the state `theirs` get the number 77."""
        if set(event.then) < {"state"} or len(event.then["state"]) != 1:
            raise Unwritable("the arrays of a state that was loaded are not changed in a few lines")
        entry = f'theirs["state"][{next(iter(event.then["state"]))!r}]'
        test, change = self.overwritten
        return [f"for value in {entry}.values():", f"    if {test}:", f"        {change}"]

    overwritten = ("isinstance(value, np.ndarray)", "value[...] = 77")
    """Whether a value is an array, and how it gets the number 77."""

    def prepared_again(self, subject: int) -> list[str]:
        """The calls of `prepare=` after a state was loaded, where the adapter makes them."""
        return []

    def replaced(self, name: str, way: str, value: Any, plain: bool) -> str:
        """An entry of a saved state gets another number."""
        return f"{name}{way}{'' if plain else '[...]'} = {value!r}"

    def loaded(self, subject: int, text: str) -> list[str]:
        return [f"{self.called[subject]}.{self.loading}({text})"]

    # The readings
    def read(self, reading: Reading) -> str:
        """A number of the run as an expression."""
        if reading.kind == "saved":
            handle, _, way = reading.name.partition(":")
            return self.of_state(self.handles[int(handle)], way, reading)
        if reading.kind == "state":
            return self.of_state(self.root(reading), reading.name, reading)
        if reading.kind == "gradient":
            return self.gradient_of(reading)
        shape = self.shapes[reading.subject][reading.place]
        value = self.element(self.param(reading.subject, reading.place), reading.element, shape)
        if reading.kind == "moved":
            return f"abs({value} - before)" if reading.name else f"{value} - before"
        return value

    def element(self, place: str, k: int, shape: tuple[int, ...] | None) -> str:
        """Element k of an array, as a plain number."""
        if shape is not None and int(np.prod(shape)) == 1:
            return f"{place}.item()"
        return f"{place}[{k}].item()" if shape is not None and len(shape) == 1 else f"{place}.ravel()[{k}].item()"

    def root(self, reading: Reading) -> str:
        """Where the present state stands."""
        return self.state_now(reading.subject)

    def of_state(self, root: str, way: str, reading: Reading) -> str:
        """An element of a state."""
        return f"np.ravel({root}{way})[{reading.element}].item()"

    def gradient_of(self, reading: Reading) -> str:
        raise Unwritable("a gradient that changes is not followed here")

    def setting(self, subject: int, group: int, name: str) -> str:
        """The present value of a hyperparameter."""
        return f'{self.called[subject]}.get_state()["param_groups"][{group}]["{name}"]'


def _defaults(thing: Any) -> dict[str, Any]:
    """The defaults of a class's or function's arguments."""
    try:
        found = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {p.name: p.default for p in found if p.default is not p.empty}


def _alike(usual: Any, value: Any) -> bool:
    """Whether a value is the default."""
    return isinstance(usual, bool) == isinstance(value, bool) and equal_settings(usual, value)


def _like(values: Any, handed: Any) -> Array:
    """The values, laid out in memory as the array that was handed."""
    values = np.asarray(values)
    if not isinstance(handed, np.ndarray) or handed.flags.c_contiguous:
        return values
    if handed.flags.f_contiguous:
        return np.asfortranarray(values)
    return np.repeat(values, 2, 0)[::2] if values.ndim else values


class Torch(Language):
    """torch's tensors and optimizers."""

    own_modules: tuple[str, ...] = ("torch.optim",)
    has_helper = True
    saving, loading = "state_dict", "load_state_dict"

    def imports(self) -> list[str]:
        return ["import torch"]

    def begin(self, called: dict[int, str], events: Sequence[Event], copied: set[int], helped: bool) -> None:
        super().begin(called, events, copied, helped)
        every = [g for e in events for g in (*e.grads, *e.params) if g is not None]
        self.dtypes = {np.asarray(each).dtype.name for each in every}
        laid_out = any(not _like(g, h).flags.c_contiguous for e in events for g, h in _pairs(e))
        large = any(np.size(g) > SHORT for e in events for g in e.grads if g is not None)
        self.arrays = bool(self.repeated) or laid_out or large  # gradients are tensors already when they come

    def helper(self) -> list[str]:
        if not self.helped:
            return []
        inside = [f"p.grad = {self.assigned('g')}", f"optimizer.step({self.closure})"]
        if all(self.alone[subject] for subject in self.called):
            return ["", "def step(optimizer, p, g):", *(f"    {line}" for line in inside), ""]
        return [
            "",
            "def step(optimizer, params, *grads):",
            "    for p, g in zip(params, grads):",
            f"        {inside[0]}",
            f"    {inside[1]}",
            "",
        ]

    closure = ""

    def assigned(self, g: str) -> str:
        """What is assigned to p.grad for a gradient that a loop or a function calls `g`."""
        tensor = g if self.arrays else f"torch.tensor({g}{', dtype=p.dtype' if self.dtypes != {'float32'} else ''})"
        return f"None if {g} is None else {tensor}" if self.missing and tensor != g else tensor

    def params(self, subject: int) -> str:
        return "params" if len(self.called) == 1 else f"params_{self.called[subject]}"

    def param(self, subject: int, i: int) -> str:
        if not self.alone[subject]:
            return f"{self.params(subject)}[{i}]"
        return "p" if len(self.called) == 1 else f"p_{self.called[subject]}"

    def literal(self, array: Array) -> str:
        array = np.asarray(array)
        dtype = "" if array.dtype == np.float32 else f", dtype=torch.{array.dtype}"
        text = filled("torch", array, dtype) or f"torch.tensor({listed(array)}{dtype})"
        if array.ndim == 2 and array.flags.f_contiguous and not array.flags.c_contiguous:
            text += ".t().contiguous().t()"
        elif array.ndim and not array.flags.forc:
            text += ".repeat_interleave(2, 0)[::2]"
        return text

    def in_step(self, array: Array) -> str:
        return self.literal(array) if self.arrays else listed(array)

    def refill(self, name: str, array: Array) -> str:
        return f"{name}.copy_({self.literal(np.ascontiguousarray(array))})"

    def leaf(self, array: Array) -> str:
        """A parameter."""
        text = self.literal(array)
        simple = text.startswith("torch.") and text.endswith(")") and ")." not in text
        return f"{text[:-1]}, requires_grad=True)" if simple else f"{text}.requires_grad_()"

    def on_make(self, event: Event, number: int, load: Load | None) -> list[str]:
        subject, name = event.subject, self.called[event.subject]
        leaves = ", ".join(map(self.leaf, event.params))
        if self.alone[subject]:
            first, given = f"{self.param(subject, 0)} = {leaves}", f"[{self.param(subject, 0)}]"
        else:
            first, given = f"{self.params(subject)} = [{leaves}]", self.params(subject)
            given = f"{given}[:]" if self.grows(subject) else given
        return [first, f"{name} = {self.name}({given}{self.passed(event.settings)})", *self.prepared(subject)]

    def grows(self, subject: int) -> bool:
        """Whether parameters are added later; then the optimizer gets a list of its own."""
        return False

    def step(self, subject: int, row: list[str] | None) -> list[str]:
        name = self.called[subject]
        if self.helped:
            given = "*grads" if row is None else ", ".join(row)
            place = self.param(subject, 0) if self.alone[subject] else self.params(subject)
            if not self.alone[subject] or not all(self.alone[each] for each in self.called):
                place = f"[{place}]" if self.alone[subject] else place
            return [f"step({name}, {place}, {given})"]
        stepped = f"{name}.step({self.closure})"
        if row is None:
            return [f"for p, g in zip({self.params(subject)}, grads):", f"    p.grad = {self.assigned('g')}", stepped]
        values = [self.value(each, subject, i) for i, each in enumerate(row)]
        if len(values) == 1:
            return [f"{self.param(subject, 0)}.grad = {values[0]}", stepped]
        places = ", ".join(f"{self.param(subject, i)}.grad" for i in range(len(values)))
        return [f"{places} = {', '.join(values)}", stepped]

    def value(self, text: str, subject: int, i: int) -> str:
        """A gradient that is a list, or a name, as a tensor."""
        if text == "None" or self.arrays and text != "g":
            return text
        if text == "g":
            return self.assigned("g").replace("p.dtype", f"{self.param(subject, i)}.dtype")
        dtype = f", dtype={self.param(subject, i)}.dtype" if self.dtypes != {"float32"} else ""
        return f"torch.tensor({text}{dtype})"

    def on_add_group(self, event: Event, number: int, load: Load | None) -> list[str]:
        params, settings = self.params(event.subject), self.changed(event.settings)
        count = len(event.params)
        rest = "".join(f', "{key}": {value!r}' for key, value in settings.items())
        return [
            f"{params} += [{', '.join(map(self.leaf, event.params))}]",
            f'{self.called[event.subject]}.add_param_group({{"params": {params}[-{count}:]{rest}}})',
            *self.prepared(event.subject),
        ]

    def on_change(self, event: Event, number: int, load: Load | None) -> list[str]:
        name, changes = self.called[event.subject], self.changed(event.settings)
        return [f"for group in {name}.param_groups:", f"    group.update({settings_text(changes)})"]

    def prepared_again(self, subject: int) -> list[str]:
        return self.prepared(subject)

    def replaced(self, name: str, way: str, value: Any, plain: bool) -> str:
        return f"{name}{way} = {value!r}" if plain else f"{name}{way}.fill_({value!r})"

    overwritten = ("torch.is_tensor(value)", "value.fill_(77)")

    def element(self, place: str, k: int, shape: tuple[int, ...] | None) -> str:
        if shape is not None and int(np.prod(shape)) == 1:
            return f"{place}.item()"
        return f"{place}[{k}].item()" if shape is not None and len(shape) == 1 else f"{place}.flatten()[{k}].item()"

    def root(self, reading: Reading) -> str:
        return f"{self.called[reading.subject]}.state[{self.param(reading.subject, reading.place)}]"

    def of_state(self, root: str, way: str, reading: Reading) -> str:
        if not isinstance(reading.shape, tuple):  # a plain number
            return f"float({root}{way})"
        return self.element(f"{root}{way}", reading.element, reading.shape)

    def gradient_of(self, reading: Reading) -> str:
        place = self.param(reading.subject, reading.place)
        return self.element(f"{place}.grad", reading.element, self.shapes[reading.subject][reading.place])

    def setting(self, subject: int, group: int, name: str) -> str:
        return f'{self.called[subject]}.param_groups[{group}]["{name}"]'


def _pairs(event: Event) -> list[tuple[Array, Any]]:
    return [(g, h) for g, h in zip(event.grads, event.handed, strict=False) if g is not None]


class Own(Torch):
    """This package's optimizers."""

    own_modules: tuple[str, ...] = ()

    def imports(self) -> list[str]:
        return ["import numpy as np", "from tinygrad_lr import Tensor"]

    def assigned(self, g: str) -> str:
        array = g if self.arrays else f"np.array({g}, p.dtype)"
        return f"None if {g} is None else {array}" if self.missing and array != g else array

    def value(self, text: str, subject: int, i: int) -> str:
        if text == "None" or self.arrays and text != "g":
            return text
        return (
            self.assigned(text).replace("p.dtype", f"{self.param(subject, i)}.dtype")
            if text == "g"
            else (f"np.array({text}, {self.param(subject, i)}.dtype)")
        )

    def literal(self, array: Array) -> str:
        return Language.literal(self, array)

    def leaf(self, array: Array) -> str:
        return f"Tensor({self.literal(array)}, requires_grad=True)"

    def replaced(self, name: str, way: str, value: Any, plain: bool) -> str:
        return Language.replaced(self, name, way, value, plain)

    overwritten = Language.overwritten

    def refill(self, name: str, array: Array) -> str:
        return Language.refill(self, name, array)

    def element(self, place: str, k: int, shape: tuple[int, ...] | None) -> str:
        return Language.element(self, f"{place}.numpy()", k, shape)

    def root(self, reading: Reading) -> str:
        return f'{self.called[reading.subject]}.state_dict()["state"][{reading.place}]'

    def of_state(self, root: str, way: str, reading: Reading) -> str:
        return Language.of_state(self, root, way, reading)

    def gradient_of(self, reading: Reading) -> str:
        return f"np.ravel({self.param(reading.subject, reading.place)}.grad)[{reading.element}].item()"


class Optax(Language):
    """optax's transformations."""

    own_modules = ("optax",)
    has_helper = True

    def imports(self) -> list[str]:
        wide = ["import jax", 'jax.config.update("jax_enable_x64", True)'] if self.wide else []
        return [*wide[:1], "import jax.numpy as jnp", "import optax", *wide[1:]]

    @staticmethod
    @contextlib.contextmanager
    def restored() -> Iterator[None]:
        import_module = sys.modules.get("jax")
        before = import_module.config.jax_enable_x64 if import_module else False
        try:
            yield
        finally:
            if import_module:
                import_module.config.update("jax_enable_x64", before)

    def helper(self) -> list[str]:
        if not self.helped:
            return []
        return [
            "",
            "def step(optimizer, params, state, grads):",
            "    updates, state = optimizer.update(grads, state, params)",
            "    return optax.apply_updates(params, updates), state",
            "",
        ]

    def params(self, subject: int) -> str:
        return "params" if len(self.called) == 1 else f"params_{self.called[subject]}"

    def literal(self, array: Array) -> str:
        array = np.asarray(array)
        usual = "float64" if self.wide else "float32"
        dtype = "" if array.dtype.name == usual else f', "{array.dtype}"'
        return filled("jnp", array, dtype) or f"jnp.array({listed(array)}{dtype})"

    def refill(self, name: str, array: Array) -> str:
        return f"{name} = {self.literal(array)}"

    def state(self, subject: int) -> str:
        """The name of the state."""
        return "state" if len(self.called) == 1 else f"state_{self.called[subject]}"

    def on_make(self, event: Event, number: int, load: Load | None) -> list[str]:
        subject, name = event.subject, self.called[event.subject]
        params, passed = self.params(subject), self.passed(event.settings).removeprefix(", ")
        return [
            f"{params} = [{', '.join(map(self.literal, event.params))}]",
            f"{name} = {self.name}({passed})",
            *self.prepared(subject),
            f"{self.state(subject)} = {name}.init({params})",
        ]

    def loop(self, subject: int, rows: list[list[str]]) -> list[str]:
        alone = self.alone[subject] and all(row[0].startswith("jnp.array(") and "," not in row[0] for row in rows)
        values = ", ".join(row[0][10:-1] if alone else f"[{', '.join(row)}]" for row in rows)
        head = f"for {'g' if alone else 'grads'} in [{values}]:"
        return [head, *(f"    {line}" for line in self.step(subject, ["jnp.array(g)"] if alone else None))]

    def step(self, subject: int, row: list[str] | None) -> list[str]:
        name, params, state = self.called[subject], self.params(subject), self.state(subject)
        grads = "grads" if row is None else f"[{', '.join(row)}]"
        if self.helped:
            return [f"{params}, {state} = step({name}, {params}, {state}, {grads})"]
        return [
            f"updates, {state} = {name}.update({grads}, {state}, {params})",
            f"{params} = optax.apply_updates({params}, updates)",
        ]

    def on_get_state(self, event: Event, number: int, load: Load | None) -> list[str]:
        self.handles[number] = f"saved_{len(self.handles)}" if self.handles else "saved"
        return [f"{self.handles[number]} = {self.state(event.subject)}"]

    def on_set_state(self, event: Event, number: int, load: Load | None) -> list[str]:
        assert load is not None
        value = self.handles[load.origin]
        for way, number_, _ in load.changes:
            field = re.fullmatch(r".*\.(\w+)", way)
            if field is None or load.meddled:
                raise Unwritable("an entry of optax's state that has no name is changed")
            value = f"optax.tree_utils.tree_set({value}, {field[1]}=jnp.array({number_!r}))"
        return [f"{self.state(event.subject)} = {value}"]

    def on_change(self, event: Event, number: int, load: Load | None) -> list[str]:
        raise Unwritable("optax's transformations take other hyperparameters when they are made anew")

    on_add_group = on_accumulate_every = on_change

    def root(self, reading: Reading) -> str:
        return self.state(reading.subject)

    def of_state(self, root: str, way: str, reading: Reading) -> str:
        return self.element(f"{root}{way}", reading.element, reading.shape or ())

    def setting(self, subject: int, group: int, name: str) -> str:
        raise Unwritable("optax's transformations have no hyperparameters that change")


class Keras(Language):
    """keras's variables and optimizers."""

    shares = False
    own_modules = ("keras.optimizers",)

    def imports(self) -> list[str]:
        wide = ['keras.config.set_floatx("float64")'] if self.wide else []
        return ["import os", 'os.environ.setdefault("KERAS_BACKEND", "numpy")', "import keras", *wide]

    @staticmethod
    @contextlib.contextmanager
    def restored() -> Iterator[None]:
        library = sys.modules.get("keras")
        before = library.config.floatx() if library else ""
        try:
            yield
        finally:
            if library:
                library.config.set_floatx(before)

    def params(self, subject: int) -> str:
        return "params" if len(self.called) == 1 else f"params_{self.called[subject]}"

    def param(self, subject: int, i: int) -> str:
        return Torch.param(self, subject, i)  # type: ignore[arg-type]

    def all_params(self, subject: int) -> str:
        """The list of them."""
        return f"[{self.param(subject, 0)}]" if self.alone[subject] else self.params(subject)

    def array(self, function: str, array: Array) -> str:
        """A variable or an array of keras."""
        array = np.asarray(array)
        usual = "float64" if self.wide else "float32"
        dtype = "" if array.dtype.name == usual else f', dtype="{array.dtype}"'
        if text := filled("keras.ops", array, dtype):
            return text if function == "keras.ops.array" else f"{function}({text})"
        return f"{function}({listed(array)}{dtype})"

    def literal(self, array: Array) -> str:
        return self.array("keras.ops.array", array)

    def refill(self, name: str, array: Array) -> str:
        return f"{name} = {self.literal(array)}"

    def on_make(self, event: Event, number: int, load: Load | None) -> list[str]:
        subject, name = event.subject, self.called[event.subject]
        variables = ", ".join(self.array("keras.Variable", each) for each in event.params)
        first = (
            f"{self.param(subject, 0)} = {variables}"
            if self.alone[subject]
            else f"{self.params(subject)} = [{variables}]"
        )
        return [
            first,
            f"{name} = {self.name}({self.passed(event.settings).removeprefix(', ')})",
            f"{name}.build({self.all_params(subject)})",
            *self.prepared(subject),
        ]

    def loop(self, subject: int, rows: list[list[str]]) -> list[str]:
        alone = self.alone[subject] and all(row[0].startswith("keras.ops.array(") and "," not in row[0] for row in rows)
        values = ", ".join(row[0][16:-1] if alone else f"[{', '.join(row)}]" for row in rows)
        head = f"for {'g' if alone else 'grads'} in [{values}]:"
        return [head, *(f"    {line}" for line in self.step(subject, ["keras.ops.array(g)"] if alone else None))]

    def step(self, subject: int, row: list[str] | None) -> list[str]:
        grads = "grads" if row is None else f"[{', '.join(row)}]"
        return [f"{self.called[subject]}.apply({grads}, {self.all_params(subject)})"]

    def state_now(self, subject: int) -> str:
        return f"[v.numpy().copy() for v in {self.called[subject]}.variables]"

    def loaded(self, subject: int, text: str) -> list[str]:
        name = self.called[subject]
        return [f"for variable, value in zip({name}.variables, {text}):", "    variable.assign(value)"]

    def on_change(self, event: Event, number: int, load: Load | None) -> list[str]:
        name = self.called[event.subject]
        return [f"{name}.{key} = {value!r}" for key, value in self.changed(event.settings).items()]

    def on_add_group(self, event: Event, number: int, load: Load | None) -> list[str]:
        raise Unwritable("keras's optimizers have no groups")

    def on_accumulate_every(self, event: Event, number: int, load: Load | None) -> list[str]:
        name = self.called[event.subject]
        made = f"{name} = {self.name}(gradient_accumulation_steps={event.settings['micro_steps']}"
        return [f"{made}{self.passed(self.made[event.subject])})", f"{name}.build({self.all_params(event.subject)})"]

    def begin(self, called: dict[int, str], events: Sequence[Event], copied: set[int], helped: bool) -> None:
        super().begin(called, events, copied, helped)
        self.made = {event.subject: event.settings for event in events if event.kind == "make"}

    def element(self, place: str, k: int, shape: tuple[int, ...] | None) -> str:
        return super().element(f"{place}.numpy()", k, shape)

    def root(self, reading: Reading) -> str:
        return f"{self.called[reading.subject]}.variables"

    def of_state(self, root: str, way: str, reading: Reading) -> str:
        return super().element(
            f"{root}{way}{'' if reading.kind == 'saved' else '.numpy()'}", reading.element, reading.shape
        )

    def setting(self, subject: int, group: int, name: str) -> str:
        return f"float({self.called[subject]}.{name})"


LANGUAGES: dict[str, type[Language]] = {
    "torch": Torch,
    "optax": Optax,
    "keras": Keras,
    "tinygrad_lr": Own,
    "numpy": Language,
}


def written_name(target: str, language: type[Language]) -> tuple[list[str], str]:
    """How a class or function is imported, and what it is called then.

    Example:
        >>> written_name("torch.optim:Adam", Torch), written_name("lion_pytorch:Lion", Torch)
        (([], 'torch.optim.Adam'), (['from lion_pytorch import Lion'], 'Lion'))
    """
    module, _, name = target.partition(":")
    if module in language.own_modules:
        return [], f"{module}.{name}"
    return [f"from {module} import {name}"], name


def lines_counted(text: str) -> int:
    """The lines of a program without blank ones, and without the comment that it begins with.

    Example:
        >>> lines_counted("# what it shows\\n\\nimport math\\n\\n# why\\nprint(1)\\n")
        3
    """
    lines = text.splitlines()
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return sum(bool(line.strip()) for line in lines[first:])
