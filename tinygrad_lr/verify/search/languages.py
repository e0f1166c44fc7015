"""How the calls of a run are written in each library's own API: torch, optax, keras, ours, plain NumPy."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..protocol import Array, Maker, accepted_settings
from ..report import plain, settings_text
from .readings import Reading
from .recording import Event

STEP = re.compile(r"(step\(\w+, \w+, |\w+\.step\(\[)(.*)\)")


class Unwritable(Exception):
    """There is no program; the message says why."""


def listed(array: Array) -> str:
    """An array's numbers as nested lists, each as short as it can be.

    Example:
        >>> listed(np.array([[0.1, 1.0]], np.float32)), listed(np.array(np.inf))
        ('[[0.1, 1.0]]', 'float("inf")')
    """
    if np.ndim(array) == 0:
        text = plain(repr(np.asarray(array)[()]))
        return text if np.isfinite(float(array)) else f'float("{float(array)}")'
    if np.size(array) > 2000:
        raise Unwritable(f"it takes an array of {np.size(array)} numbers")
    return f"[{', '.join(map(listed, array))}]" if array.size else str(np.asarray(array).tolist())


class Language:
    """Writes the calls of optimizers in plain NumPy, as `make(params, **hyperparameters)` has them."""

    array = "np.array"
    module = "np"

    def __init__(self, name: str, make: Maker, wide: bool, always: Mapping[str, Any]) -> None:
        self.name, self.make, self.wide, self.always = name, make, wide, dict(always)
        self.called: dict[int, str] = {}
        self.buffers: dict[int, str] = {}
        self.seen: set[int] = set()
        self.handles: dict[int, str] = {}
        self.copied: set[int] = set()
        self.counts: dict[int, int] = {}

    # What a program begins with
    def imports(self) -> list[str]:
        """The library's imports."""
        return ["import numpy as np"]

    def helper(self) -> str:
        """A function that the calls use; empty: none."""
        return ""

    def begin(self, called: dict[int, str], repeated: set[int], copied: set[int]) -> None:
        """Start: the names of the optimizers, gradient arrays handed more than once, get_state() calls to copy."""
        self.called, self.seen, self.copied = called, repeated, copied

    @staticmethod
    @contextlib.contextmanager
    def restored() -> Iterator[None]:
        """What a program sets for the whole process is as before."""
        yield

    def params(self, subject: int) -> str:
        """The name of an optimizer's parameters."""
        return f"{self.called[subject]}.params"

    # The calls
    def call(self, event: Event, number: int, load: Any) -> list[str]:
        """The lines of one call."""
        return getattr(self, f"on_{event.kind}")(event, number, load)  # type: ignore[no-any-return]

    def literal(self, array: Array) -> str:
        """An array as an expression."""
        array = np.asarray(array)
        text = f"np.array({listed(array)}, np.{array.dtype})"
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
        if id(array) not in self.seen:
            return self.in_step(laid_out)
        if id(array) not in self.buffers:
            self.buffers[id(array)] = f"buffer_{len(self.buffers)}"
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
        """The keyword arguments of a call, after a comma."""
        text = settings_text(self.arguments(settings)).replace("=inf", '=float("inf")').replace("=nan", '=float("nan")')
        return f", {text}" if text else ""

    def on_make(self, event: Event, number: int, load: Any) -> list[str]:
        arrays = ", ".join(map(self.literal, event.params))
        return [f"{self.called[event.subject]} = {self.name}([{arrays}]{self.passed(event.settings)})"]

    def on_step(self, event: Event, number: int, load: Any) -> list[str]:
        lines: list[str] = []
        grads = [self.gradient(event, i, lines) for i in range(len(event.grads))]
        return [*lines, f"{self.called[event.subject]}.step([{', '.join(grads)}])"]

    def on_add_group(self, event: Event, number: int, load: Any) -> list[str]:
        arrays = ", ".join(map(self.literal, event.params))
        return [f"{self.called[event.subject]}.add_group([{arrays}]{self.passed(event.settings)})"]

    def on_change(self, event: Event, number: int, load: Any) -> list[str]:
        return [f"{self.called[event.subject]}.set_hyperparameters({settings_text(event.settings)})"]

    def on_accumulate_every(self, event: Event, number: int, load: Any) -> list[str]:
        return [f"{self.called[event.subject]}.accumulate_every({event.settings['micro_steps']})"]

    saving, loading = "get_state", "set_state"

    def on_get_state(self, event: Event, number: int, load: Any) -> list[str]:
        self.handles[number] = f"saved_{len(self.handles)}" if self.handles else "saved"
        text = f"{self.called[event.subject]}.{self.saving}()"
        return [f"{self.handles[number]} = {f'copy.deepcopy({text})' if number in self.copied else text}"]

    def on_set_state(self, event: Event, number: int, load: Any) -> list[str]:
        origin, is_copy, changed = load
        name = self.handles[origin]
        lines = []
        for index, key, value in changed:
            place = f'{name}["state"][{index!r}]["{key}"]'
            lines.append(f"{place} = {place} * 0 + {value!r}")
        text = f"copy.deepcopy({name})" if is_copy and origin not in self.copied else name
        return [*lines, f"{self.called[event.subject]}.{self.loading}({text})"]

    # The readings
    def read(self, reading: Reading) -> str:
        """A number of the run as an expression."""
        if reading.kind == "saved":
            handle, _, name = reading.name.partition(":")
            place = f'{self.handles[int(handle)]}["state"][{reading.place!r}]["{name}"]'
            return self.element(place, reading.element)
        if reading.kind == "state":
            return self.element(self.state_of(reading), reading.element)
        value = self.element(f"{self.params(reading.subject)}[{reading.place}]", reading.element)
        if reading.kind == "gradient":
            return self.element(self.gradient_of(reading), reading.element)
        if reading.kind == "moved":
            return f"abs({value} - before)" if reading.name else f"{value} - before"
        return value

    def element(self, place: str, k: int) -> str:
        return f"np.ravel({place})[{k}].item()"

    def state_of(self, reading: Reading) -> str:
        raise Unwritable("states are not shown alike in all optimizers of this kind")

    def gradient_of(self, reading: Reading) -> str:
        raise Unwritable("a gradient that changes is not followed here")

    def settings(self, subject: int) -> str:
        groups = f'{self.called[subject]}.get_state()["param_groups"]'
        return f'repr([{{k: v for k, v in group.items() if k != "params"}} for group in {groups}])'

    def shortened(self, lines: list[str]) -> list[str]:
        """The lines, with steps that follow one another as a loop."""
        found: list[str] = []
        i = 0
        while i < len(lines):
            match, end = STEP.fullmatch(lines[i]), i
            while match and end < len(lines) and (other := STEP.fullmatch(lines[end])) and other[1] == match[1]:
                end += 1
            if match is None or end - i < 4:
                found.append(lines[i])
                i += 1
                continue
            values = [STEP.fullmatch(line)[2] for line in lines[i:end]]  # type: ignore[index]
            if len(set(values)) == 1:
                found += [f"for _ in range({end - i}):", f"    {lines[i]}"]
            elif match[1].startswith("step("):
                found += [f"for grads in [{', '.join(f'({value},)' for value in values)}]:", f"    {match[1]}*grads)"]
            else:
                found += [f"for grads in [{', '.join(f'[{value}' for value in values)}]:", f"    {match[1][:-1]}grads)"]
            i = end
        return found


def _like(values: Any, handed: Any) -> Array:
    """The values, laid out in memory as the array that was handed."""
    values = np.asarray(values)
    if not isinstance(handed, np.ndarray) or handed.flags.c_contiguous:
        return values
    if handed.flags.f_contiguous:
        return np.asfortranarray(values)
    return np.repeat(values, 2, 0)[::2] if values.ndim else values


def _leaf(tensor: str) -> str:
    """A tensor's expression, as a parameter."""
    return f"{tensor[:-1]}, requires_grad=True)" if tensor.count("(") == 1 else f"{tensor}.requires_grad_()"


class Torch(Language):
    """torch's tensors and optimizers."""

    saving, loading = "state_dict", "load_state_dict"

    def imports(self) -> list[str]:
        return ["import torch"]

    def helper(self) -> str:
        return (
            "\ndef step(optimizer, params, *grads):\n    for p, g in zip(params, grads):\n"
            "        p.grad = None if g is None else torch.as_tensor(g, dtype=p.dtype)\n    optimizer.step()\n\n"
        )

    def params(self, subject: int) -> str:
        return self.called[subject].replace("optimizer", "params")

    def literal(self, array: Array) -> str:
        array = np.asarray(array)
        text = f"torch.tensor({listed(array)}{'' if array.dtype == np.float32 else f', dtype=torch.{array.dtype}'})"
        if array.ndim == 2 and array.flags.f_contiguous and not array.flags.c_contiguous:
            text += ".t().contiguous().t()"
        elif array.ndim and not array.flags.forc:
            text += ".repeat_interleave(2, 0)[::2]"
        return text

    def in_step(self, array: Array) -> str:
        return listed(array) if array.flags.c_contiguous else self.literal(array)

    def refill(self, name: str, array: Array) -> str:
        return f"{name}.copy_({self.literal(np.ascontiguousarray(array))})"

    def tensors(self, arrays: list[Array]) -> str:
        """Parameters as a list of leaves."""
        texts = [self.literal(each) for each in arrays]
        leaf = [
            f"{text[:-1]}, requires_grad=True)" if text.count("(") == 1 else f"{text}.requires_grad_()"
            for text in texts
        ]
        return f"[{', '.join(leaf)}]"

    def on_make(self, event: Event, number: int, load: Any) -> list[str]:
        name, params = self.called[event.subject], self.params(event.subject)
        return [
            f"{params} = {self.tensors(event.params)}",
            f"{name} = {self.name}({params}{self.passed(event.settings)})",
        ]

    def on_step(self, event: Event, number: int, load: Any) -> list[str]:
        lines: list[str] = []
        grads = [self.gradient(event, i, lines) for i in range(len(event.grads))]
        return [*lines, f"step({self.called[event.subject]}, {self.params(event.subject)}, {', '.join(grads)})"]

    def on_add_group(self, event: Event, number: int, load: Any) -> list[str]:
        params, settings = self.params(event.subject), settings_text(self.changed(event.settings))
        group = f"dict(params=joined{f', {settings}' if settings else ''})"
        return [
            f"joined = {self.tensors(event.params)}",
            f"{self.called[event.subject]}.add_param_group({group})",
            f"{params} += joined",
        ]

    def on_change(self, event: Event, number: int, load: Any) -> list[str]:
        changes = settings_text(self.changed(event.settings))
        return [f"for group in {self.called[event.subject]}.param_groups:", f"    group.update({changes})"]

    def element(self, place: str, k: int) -> str:
        if '["step"]' in place:
            return f"float({place})"
        return f"{place}.flatten()[{k}].item()"

    def state_of(self, reading: Reading) -> str:
        return (
            f'{self.called[reading.subject]}.state[{self.params(reading.subject)}[{reading.place}]]["{reading.name}"]'
        )

    def gradient_of(self, reading: Reading) -> str:
        return f"{self.params(reading.subject)}[{reading.place}].grad"

    def settings(self, subject: int) -> str:
        name = self.called[subject]
        return f'repr([{{k: v for k, v in group.items() if k != "params"}} for group in {name}.param_groups])'


class Own(Torch):
    """This package's optimizers."""

    def imports(self) -> list[str]:
        return ["import numpy as np", "from tinygrad_lr import Tensor"]

    def helper(self) -> str:
        return (
            "\ndef step(optimizer, params, *grads):\n    for p, g in zip(params, grads):\n"
            "        p.grad = None if g is None else np.array(g, p.dtype)\n    optimizer.step()\n\n"
        )

    def literal(self, array: Array) -> str:
        return Language.literal(self, array)

    def refill(self, name: str, array: Array) -> str:
        return Language.refill(self, name, array)

    def tensors(self, arrays: list[Array]) -> str:
        return f"[{', '.join(f'Tensor({self.literal(each)}, requires_grad=True)' for each in arrays)}]"

    def element(self, place: str, k: int) -> str:
        inside = place.endswith('"]')
        return f"np.ravel({place}{'' if inside else '.numpy()'})[{k}].item()"

    def state_of(self, reading: Reading) -> str:
        return f'{self.called[reading.subject]}.state_dict()["state"][{reading.place}]["{reading.name}"]'


class Optax(Torch):
    """optax's transformations."""

    def imports(self) -> list[str]:
        wide = ['jax.config.update("jax_enable_x64", True)'] if self.wide else []
        return ["import jax", "import jax.numpy as jnp", "import optax", *wide]

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

    def helper(self) -> str:
        return (
            "\ndef step(optimizer, params, state, *grads):\n"
            "    grads = [jnp.asarray(g, p.dtype) for g, p in zip(grads, params)]\n"
            "    updates, state = optimizer.update(grads, state, params)\n"
            "    return optax.apply_updates(params, updates), state\n\n"
        )

    def literal(self, array: Array) -> str:
        return f'jnp.array({listed(array)}, "{np.asarray(array).dtype}")'

    def in_step(self, array: Array) -> str:
        return listed(array)

    def state(self, subject: int) -> str:
        return self.called[subject].replace("optimizer", "state")

    def on_make(self, event: Event, number: int, load: Any) -> list[str]:
        name, params, passed = self.called[event.subject], self.params(event.subject), self.passed(event.settings)
        return [
            f"{params} = [{', '.join(map(self.literal, event.params))}]",
            f"{name} = {self.name}({passed.removeprefix(', ')})",
            f"{self.state(event.subject)} = {name}.init({params})",
        ]

    def on_step(self, event: Event, number: int, load: Any) -> list[str]:
        lines: list[str] = []
        grads = ", ".join(self.gradient(event, i, lines) for i in range(len(event.grads)))
        name, params, state = self.called[event.subject], self.params(event.subject), self.state(event.subject)
        return [*lines, f"{params}, {state} = step({name}, {params}, {state}, {grads})"]

    def on_get_state(self, event: Event, number: int, load: Any) -> list[str]:
        self.handles[number] = f"saved_{len(self.handles)}" if self.handles else "saved"
        return [f"{self.handles[number]} = {self.state(event.subject)}"]

    def on_set_state(self, event: Event, number: int, load: Any) -> list[str]:
        if load[2]:
            raise Unwritable("a saved state of optax is not changed here")
        return [f"{self.state(event.subject)} = {self.handles[load[0]]}"]

    def on_change(self, event: Event, number: int, load: Any) -> list[str]:
        raise Unwritable("optax's transformations take other hyperparameters when they are made anew")

    on_add_group = on_accumulate_every = on_change

    def state_of(self, reading: Reading) -> str:
        raise Unwritable("optax's states are trees, each of its own")

    def gradient_of(self, reading: Reading) -> str:
        raise Unwritable("JAX's arrays do not change")

    settings = state_of  # type: ignore[assignment]

    def element(self, place: str, k: int) -> str:
        return f"float({place}.ravel()[{k}])"


class Keras(Torch):
    """keras's variables and optimizers."""

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

    def helper(self) -> str:
        return (
            "\ndef step(optimizer, params, *grads):\n"
            "    tensors = [keras.ops.convert_to_tensor(g, dtype=p.dtype) for g, p in zip(grads, params)]\n"
            "    optimizer.apply(tensors, params)\n\n"
        )

    def literal(self, array: Array) -> str:
        return f'keras.Variable({listed(array)}, dtype="{np.asarray(array).dtype}")'

    def in_step(self, array: Array) -> str:
        return listed(array)

    def on_make(self, event: Event, number: int, load: Any) -> list[str]:
        name, params, passed = self.called[event.subject], self.params(event.subject), self.passed(event.settings)
        return [
            f"{params} = [{', '.join(map(self.literal, event.params))}]",
            f"{name} = {self.name}({passed.removeprefix(', ')})",
            f"{name}.build({params})",
        ]

    def on_get_state(self, event: Event, number: int, load: Any) -> list[str]:
        raise Unwritable("programs that save and load are not written for keras")

    def on_change(self, event: Event, number: int, load: Any) -> list[str]:
        name = self.called[event.subject]
        return [f"{name}.{key} = {value!r}" for key, value in self.changed(event.settings).items()]

    def on_add_group(self, event: Event, number: int, load: Any) -> list[str]:
        raise Unwritable("keras's optimizers have no groups")

    on_set_state = on_accumulate_every = on_get_state

    def state_of(self, reading: Reading) -> str:
        raise Unwritable("keras's states are variables, each of its own name")

    gradient_of = state_of
    settings = state_of  # type: ignore[assignment]

    def element(self, place: str, k: int) -> str:
        return f"float(keras.ops.convert_to_numpy({place}).ravel()[{k}])"


LANGUAGES: dict[str, type[Language]] = {
    "torch": Torch,
    "optax": Optax,
    "keras": Keras,
    "tinygrad_lr": Own,
    "numpy": Language,
}
