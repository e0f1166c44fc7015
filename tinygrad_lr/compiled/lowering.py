"""Lowering: each use of an op becomes calls of kernels over buffers that are allocated once.

A buffer is flat memory with a name; a call names a kernel (file and function) and its arguments: buffers, seen with
some shape, or numbers. An op that acts element by element calls the loops of its rules (`Op.loop`). For each other op
FORMS has a row: which kernels the forward calls, and which the gradients. An op without either cannot be compiled, and
CannotCompile says so. The places that `gather` reads come from the engine's own forward, run over the numbers of the
elements.
Next: source.py, which writes the calls into a file.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.engine.dropout import least_of, scale_of
from tinygrad_lr.engine.dtypes import result_dtype
from tinygrad_lr.engine.ops import OPS, Op
from tinygrad_lr.engine.questions import COMPARISONS, QUESTIONS
from tinygrad_lr.engine.softmax import as_classes

from .refusal import CannotCompile
from .side_effects import Drawn
from .tracing import BATCH, CONSTANT, PARAMETER, Trace, Use, Value

# A product of more multiplications than this goes to BLAS: benchmarks/products.py measures both ways. On one core of
# an AMD EPYC they are within a third of each other from 4,000 to 60,000 and BLAS is up to twice as fast beyond that;
# at a single column, whose sums the loops do not take side by side, it is faster from 500 on.
BLAS_FROM, BLAS_FROM_COLUMN = 30_000, 500
# a b^T with few rows is faster as b a^T, turned (`--turned`): by 1.1 to 2.5 where there are at most so many rows, at
# least so many terms in a sum and twice as many columns as rows; slower elsewhere.
TURNED_ROWS, TURNED_INNER = 32, 64


@dataclass(eq=False)
class Buffer:
    """Flat contiguous memory. `array` is given for what exists already: parameters, constants, places."""

    name: str
    size: int
    dtype: np.dtype[Any]
    array: np.ndarray | None = None


@dataclass(frozen=True)
class View:
    """A buffer seen with a shape."""

    buffer: Buffer
    shape: tuple[int, ...]


@dataclass(frozen=True)
class MaskKeys:
    """The keys of the masks that the step draws: a row of the function's argument `masks`."""


@dataclass
class Call:
    kernel: str
    arguments: list[Any]


class Loop(NamedTuple):
    """A loop of an op that acts element by element (`Op.loop`): which of its rules, and the dtype of the results."""

    op: str
    which: int
    dtype: str


@dataclass(eq=False)
class Steps:
    """The calls of one step on batches of one shape."""

    rows: int
    forward: list[tuple[str, list[Call]]] = field(default_factory=list)
    backward: list[tuple[str, list[Call]]] = field(default_factory=list)
    inputs: list[View | None] = field(default_factory=list)
    loss: Buffer | None = None
    loops: dict[str, Loop] = field(default_factory=dict)
    masks: int = 0  # that a step draws
    trained: list[Any] = field(default_factory=list)


def has_blas() -> bool:
    """Whether Numba's np.dot has a BLAS to call: SciPy's."""
    return importlib.util.find_spec("scipy") is not None


class Lowering:
    """The calls of a trace.

    Args:
        trace: what a step computes.
        prefix: keeps the names of two traces in one file apart.
        rows: how many rows of its tables a batch takes; by default the length of the first axis.
        blas: whether large products may go to BLAS; by default where Numba finds one.
    """

    def __init__(self, trace: Trace, prefix: str = "", *, rows: int | None = None, blas: bool | None = None) -> None:
        self.trace, self.prefix = trace, prefix
        self.blas = has_blas() if blas is None else blas
        self.wants_blas = False
        self.buffers: dict[int, Buffer] = {}
        self.gradients: dict[int, Buffer] = {}
        self.spreads: dict[int, list[Buffer]] = {}  # what a forward leaves for its gradients
        self.counts: dict[str, int] = {}
        self.calls: list[Call] = []
        self.steps = Steps(trace.batch[0].shape[0] if rows is None else rows)

    def lower(self) -> Steps:
        trace, steps = self.trace, self.steps
        used = {id(value) for use in trace.uses for value in use.inputs} | {id(trace.loss)}
        for value in trace.batch:
            steps.inputs.append(None)
            if id(value) in used:
                steps.inputs[-1] = View(self.buffer_of(value), (steps.rows, value.size // max(steps.rows, 1)))
        for use in trace.uses:
            self.calls = []
            self.forward(use)
            steps.forward.append((_comment(use), self.calls))
        steps.loss = self.buffer_of(trace.loss)
        self.gradients[id(trace.loss)] = self.constant(np.ones(1, trace.loss.dtype), "one")
        for use in reversed(trace.uses):
            if id(use.output) in self.gradients and any(use.flows):
                self.calls = []
                for i, flows in enumerate(use.flows):
                    if flows:
                        self.backward(use, i)
                steps.backward.append((f"back through {use.op.name}", self.calls))
        steps.masks = trace.masks
        steps.trained = [v.tensor for v in trace.parameters if id(v) in self.gradients]
        return steps

    # --- buffers ------------------------------------------------------------------------------------------------------

    def new(self, kind: str, size: int, dtype: np.dtype[Any], array: np.ndarray | None = None) -> Buffer:
        number = self.counts[kind] = self.counts.get(kind, 0) + 1
        return Buffer(f"{self.prefix}{kind}{number}", size, np.dtype(dtype), array)

    def constant(self, array: np.ndarray, kind: str = "constant") -> Buffer:
        return self.new(kind, array.size, array.dtype, np.ascontiguousarray(array).reshape(-1))

    def shared(self, kind: str, value: Value, array: np.ndarray) -> Buffer:
        """The memory of a parameter or its gradient, which all steps have in common."""
        return Buffer(f"{kind}_{value.name or 'unnamed'}", value.size, value.dtype, array.reshape(-1))

    def buffer_of(self, value: Value) -> Buffer:
        found = self.buffers.get(id(value))
        if found is None:
            if value.kind == CONSTANT and value.tensor is not None:
                found = self.constant(value.tensor._data)
            elif value.kind == PARAMETER and value.tensor is not None:
                found = self.shared("parameter", value, value.tensor._data)
            else:
                found = self.new("batch" if value.kind == BATCH else "value", value.size, value.dtype)
            self.buffers[id(value)] = found
        return found

    def view(self, value: Value, *shape: int) -> View:
        return View(self.buffer_of(value), shape or (value.size,))

    def call(self, kernel: str, *arguments: Any) -> None:
        self.calls.append(Call(kernel, [View(a, (a.size,)) if isinstance(a, Buffer) else a for a in arguments]))

    def call_rule(self, use: Use, which: int, *arguments: Buffer) -> None:
        """Call the loop of an op's rule; `which` counts as in `Op.rules`."""
        self.call_loop(Loop("square" if _is_square(use) else use.op.name, which, arguments[-1].dtype.name), *arguments)

    def call_loop(self, loop: Loop, *arguments: Buffer) -> None:
        name = f"{loop.op}{f'_grad{loop.which - 1}' if loop.which else ''}_{loop.dtype}"
        self.steps.loops[name] = loop
        self.call(name, *arguments)

    def spread_to(self, value: Value, shape: tuple[int, ...]) -> Buffer:
        """The values repeated to a larger shape."""
        source = self.buffer_of(value)
        if value.shape == shape:
            return source
        if value.kind == CONSTANT and source.array is not None:
            return self.constant(np.broadcast_to(source.array.reshape(value.shape), shape))
        out = self.new("spread", math.prod(shape), value.dtype)
        if value.size == 1:
            self.call("moves.spread", source, out)
        else:
            places = np.broadcast_to(np.arange(value.size).reshape(value.shape), shape)
            self.call("moves.gather", source, self.constant(places, "places"), out)
        return out

    # --- gradients ----------------------------------------------------------------------------------------------------

    def into(self, value: Value) -> Iterator[Buffer]:
        """Yields where a part of a value's gradient is to be written, then adds it up where it is not the first."""
        first = id(value) not in self.gradients
        if first:
            if value.kind == PARAMETER and value.tensor is not None:
                self.gradients[id(value)] = self.shared("gradient", value, value.tensor._grad_slot)
            else:
                name = f"{self.prefix}gradient_{self.buffer_of(value).name.removeprefix(self.prefix)}"
                self.gradients[id(value)] = Buffer(name, value.size, value.dtype)
            yield self.gradients[id(value)]
        else:
            part = self.new("part", value.size, value.dtype)
            yield part
            self.call("moves.add_to", part, self.gradients[id(value)])

    def into_spread(self, value: Value, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[Buffer]:
        """The same for a gradient that comes in the shape of a broadcast result."""
        for out in self.into(value):
            if shape == value.shape:
                yield out
                continue
            wide = self.new("wide", math.prod(shape), dtype)
            yield wide
            if value.size == 1:
                self.call("moves.total", wide, 1, out)
            else:
                places = np.broadcast_to(np.arange(value.size).reshape(value.shape), shape)
                self.call("moves.scatter_add", wide, self.constant(places, "places"), out)

    def product(self, how: str, a: View, b: View, out: View) -> None:
        """A product of matrices: BLAS where it is large, loops where it is small."""
        rows, columns = out.shape
        inner = a.shape[0] if how == "tn" else a.shape[1]
        dtypes = {each.buffer.dtype for each in (a, b, out)}
        least = BLAS_FROM_COLUMN if how == "nt" and columns == 1 else BLAS_FROM
        large = inner > 1 and rows * columns * inner > least  # inner = 1 is no sum: the loops take a third of the time
        self.wants_blas = self.wants_blas or large and rows * columns * inner > BLAS_FROM
        if large and self.blas and len(dtypes) == 1 and next(iter(dtypes)).kind == "f":
            if how == "nt" and rows <= TURNED_ROWS and inner >= TURNED_INNER and columns >= 2 * rows:
                turned = View(self.new("turned", rows * columns, out.buffer.dtype), (columns, rows))
                self.call("matmul.nt_blas", b, a, turned)
                self.call("moves.turn", turned, out)
            else:
                self.call(f"matmul.{how}_blas", a, b, out)
        elif how != "nt":
            self.call(f"matmul.{how}", a, b, out)
        elif columns == 1:
            self.call("matmul.nt_column", a, b, out)
        else:
            scratch = self.new("transposed", columns * inner, b.buffer.dtype)
            self.call("matmul.nt", a, b, View(scratch, (inner, columns)), out)

    # --- ops ----------------------------------------------------------------------------------------------------------

    def forward(self, use: Use) -> None:
        form_of(use.op).forward(self, use)

    def backward(self, use: Use, i: int) -> None:
        form_of(use.op).backward(self, use, i)

    def gradient_of(self, use: Use) -> Buffer:
        return self.gradients[id(use.output)]


def _comment(use: Use) -> str:
    shapes = ", ".join(str(value.shape) for value in use.inputs)
    return f"{use.op.name}: {shapes} -> {use.output.shape}"


class Form(NamedTuple):
    """The compiled form of an op: which kernels its forward calls, and which its gradient for input i."""

    forward: Callable[[Lowering, Use], None]
    backward: Callable[[Lowering, Use, int], None]


def _of_one_input(low: Lowering, use: Use) -> None:
    low.call_rule(use, 0, low.buffer_of(use.inputs[0]), low.buffer_of(use.output))


def _of_one_input_back(low: Lowering, use: Use, i: int) -> None:
    for out in low.into(use.inputs[0]):
        low.call_rule(use, 1, low.gradient_of(use), low.buffer_of(use.output), low.buffer_of(use.inputs[0]), out)


def _is_square(use: Use) -> bool:
    """Whether a use is `a ** 2`, which is compiled as `square`."""
    if use.op.name != "pow":
        return False
    a, b = use.inputs
    exponent = b.tensor._data if b.kind == CONSTANT and b.tensor is not None else None
    return exponent is not None and b.shape == () and exponent == 2 and a.dtype == b.dtype


def _of_two_inputs(low: Lowering, use: Use) -> None:
    inputs = [low.buffer_of(use.inputs[0])] if _is_square(use) else _operands(low, use)
    low.call_rule(use, 0, *inputs, low.buffer_of(use.output))


def _operands(low: Lowering, use: Use) -> list[Buffer]:
    """Both inputs in the output's shape: repeated once in the forward, found again by the gradients."""
    found = low.spreads.get(id(use))
    if found is None:
        found = low.spreads[id(use)] = [low.spread_to(value, use.output.shape) for value in use.inputs]
    return found


def _of_two_inputs_back(low: Lowering, use: Use, i: int) -> None:
    value, g = low.buffer_of(use.output), low.gradient_of(use)
    for out in low.into_spread(use.inputs[i], use.output.shape, use.output.dtype):
        if _is_square(use) and i == 0:
            low.call_rule(use, 1, g, value, low.buffer_of(use.inputs[0]), out)
        else:
            low.call_loop(Loop(use.op.name, i + 1, out.dtype.name), g, value, *_operands(low, use), out)


def _reduction_places(use: Use) -> np.ndarray:
    """For each element of the input, the place of the sum that it goes into."""
    (a,), axis = use.inputs, use.options[0]
    axes = tuple(range(len(a.shape))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(k % len(a.shape) for k in axes)
    kept = tuple(1 if k in axes else n for k, n in enumerate(a.shape))
    return np.broadcast_to(np.arange(math.prod(kept)).reshape(kept), a.shape)


def _count(use: Use) -> int:
    return use.inputs[0].size // max(use.output.size, 1) if use.op.name == "mean" else 1


def _reduce(low: Lowering, use: Use) -> None:
    a, out = low.buffer_of(use.inputs[0]), low.buffer_of(use.output)
    if use.output.size == 1:
        low.call("moves.total", a, _count(use), out)
        return
    low.call("moves.scatter_add", a, low.constant(_reduction_places(use), "places"), out)
    if _count(use) != 1:
        low.call("moves.divide", out, _count(use), out)


def _reduce_back(low: Lowering, use: Use, i: int) -> None:
    g = low.gradient_of(use)
    if _count(use) != 1:
        share = low.new("share", g.size, g.dtype)
        low.call("moves.divide", g, _count(use), share)
        g = share
    for out in low.into(use.inputs[0]):
        if g.size == 1:
            low.call("moves.spread", g, out)
        else:
            low.call("moves.gather", g, low.constant(_reduction_places(use), "places"), out)


def _extreme(low: Lowering, use: Use) -> None:
    kernel = "moves.largest" if use.op.name == "max" else "moves.least"
    places = low.constant(_reduction_places(use), "places")
    low.call(kernel, low.buffer_of(use.inputs[0]), places, low.buffer_of(use.output))


def _extreme_back(low: Lowering, use: Use, i: int) -> None:
    a, value, g = low.buffer_of(use.inputs[0]), low.buffer_of(use.output), low.gradient_of(use)
    for out in low.into(use.inputs[0]):
        counts = low.new("counts", g.size, g.dtype)
        low.call("moves.shared", g, value, a, low.constant(_reduction_places(use), "places"), counts, out)


def _prod(low: Lowering, use: Use) -> None:
    places = low.constant(_reduction_places(use), "places")
    low.call("moves.product", low.buffer_of(use.inputs[0]), places, low.buffer_of(use.output))


def _prod_back(low: Lowering, use: Use, i: int) -> None:
    a, g = low.buffer_of(use.inputs[0]), low.gradient_of(use)
    for out in low.into(use.inputs[0]):
        running, places = low.new("running", g.size, g.dtype), low.constant(_reduction_places(use), "places")
        low.call("moves.product_back", g, a, places, running, out)


# --- einsum: rearranged operands, a product of matrices for each index of both and the result, and that rearranged ----


@dataclass(frozen=True)
class Lettered:
    """A buffer whose axes have letters; a letter that stands twice means its diagonal."""

    buffer: Buffer
    letters: str
    shape: tuple[int, ...]

    def places(self, letters: str, lengths: dict[str, int]) -> np.ndarray:
        """For each element of an array with such axes, the place of the one here that it stands for."""
        own = "".join(dict.fromkeys(self.letters))
        numbers = np.einsum(f"{self.letters}->{own}", np.arange(math.prod(self.shape)).reshape(self.shape))
        there = [letter for letter in letters if letter in own]
        found = numbers.transpose([own.index(letter) for letter in there])
        kept = [found.shape[there.index(letter)] if letter in there else 1 for letter in letters]
        return np.broadcast_to(found.reshape(kept), [lengths[letter] for letter in letters])


def _arranged(low: Lowering, source: Lettered, letters: str, lengths: dict[str, int]) -> Lettered:
    """The source with these axes: repeated along those that it has not, summed over those that are not asked for."""
    summed = "".join(letter for letter in dict.fromkeys(source.letters) if letter not in letters)
    shape = tuple(lengths[letter] for letter in letters)
    every = letters + summed
    places = source.places(every, lengths)
    if source.letters == letters and source.shape == shape:
        return source
    wide = low.new("arranged", places.size, source.buffer.dtype)
    low.call("moves.gather", source.buffer, low.constant(places, "places"), wide)
    if summed:
        whole = Lettered(low.new("summed", math.prod(shape), wide.dtype), letters, shape)
        low.call("moves.scatter_add", wide, low.constant(whole.places(every, lengths), "places"), whole.buffer)
        return whole
    return Lettered(wide, letters, shape)


def _contracted(low: Lowering, sources: list[Lettered], letters: str, lengths: dict[str, int]) -> Lettered:
    """The sum of products of one source or two over all letters that are not asked for."""
    if len(sources) == 1:
        return _arranged(low, sources[0], letters, lengths)
    a, b = (set(source.letters) for source in sources)
    both = [letter for letter in dict.fromkeys(sources[0].letters) if letter in b]
    batch = "".join(letter for letter in both if letter in letters)
    inner = "".join(letter for letter in both if letter not in letters)
    left = "".join(letter for letter in letters if letter in a - b)
    right = "".join(letter for letter in letters if letter in b - a)
    first = _arranged(low, sources[0], batch + left + inner, lengths)
    second = _arranged(low, sources[1], batch + inner + right, lengths)
    count, rows, middle, columns = (math.prod(lengths[c] for c in part) for part in (batch, left, inner, right))
    product = low.new("product", count * rows * columns, first.buffer.dtype)
    shapes = (count, rows, middle), (count, middle, columns), (count, rows, columns)
    views = [View(each, s) for each, s in zip((first.buffer, second.buffer, product), shapes, strict=True)]
    if count == 1:
        low.product("nn", *[View(view.buffer, view.shape[1:]) for view in views])
    else:
        low.call("matmul.nn_each", *views)
    found = batch + left + right
    return _arranged(low, Lettered(product, found, tuple(lengths[c] for c in found)), letters, lengths)


def _letters(use: Use) -> dict[str, int]:
    """How long the axis of each letter is; an operand may have the length 1 instead."""
    lengths: dict[str, int] = {}
    for part, value in zip(use.options[0], (*use.inputs, use.output), strict=True):
        lengths |= {c: n for c, n in zip(part, value.shape, strict=True) if lengths.get(c, 1) == 1}
    return lengths


def _einsum(low: Lowering, use: Use) -> None:
    if len(use.inputs) > 2:
        raise CannotCompile(f"einsum of {len(use.inputs)} operands has no compiled form; multiply two at a time")
    labels = use.options[0]
    sources = [Lettered(low.buffer_of(v), part, v.shape) for v, part in zip(use.inputs, labels, strict=False)]
    out = _contracted(low, sources, labels[-1], _letters(use))
    low.call("moves.copy", out.buffer, low.buffer_of(use.output))


def _einsum_back(low: Lowering, use: Use, i: int) -> None:
    labels, lengths, value = use.options[0], _letters(use), use.inputs[i]
    others = [(v, part) for j, (v, part) in enumerate(zip(use.inputs, labels, strict=False)) if j != i]
    sources = [Lettered(low.gradient_of(use), labels[-1], use.output.shape)]
    sources += [Lettered(low.buffer_of(v), part, v.shape) for v, part in others]
    for out in low.into(value):
        own = "".join(dict.fromkeys(labels[i]))
        places = Lettered(out, labels[i], value.shape).places(own, lengths)
        found = _contracted(low, sources, own, lengths)
        low.call("moves.scatter_add", found.buffer, low.constant(places, "places"), out)


def _lines(use: Use) -> tuple[int, int, int]:
    """The lengths before, of and after the axis that a cumsum runs along."""
    return _around(use.inputs[0].shape or (1,), use.options[0])


def _cumsum(low: Lowering, use: Use) -> None:
    lines = _lines(use)
    low.call("moves.running_sums", low.view(use.inputs[0], *lines), low.view(use.output, *lines))


def _cumsum_back(low: Lowering, use: Use, i: int) -> None:
    for out in low.into(use.inputs[0]):
        lines = _lines(use)
        low.call("moves.running_sums_back", View(low.gradient_of(use), lines), View(out, lines))


def _where(low: Lowering, use: Use) -> None:
    low.call("moves.choose", *_operands(low, use), low.buffer_of(use.output))


def _where_back(low: Lowering, use: Use, i: int) -> None:
    for out in low.into_spread(use.inputs[i], use.output.shape, use.output.dtype):
        low.call("moves.chosen", _operands(low, use)[0], 1 if i == 1 else 0, low.gradient_of(use), out)


# --- questions (engine/questions.py) and what they choose ------------------------------------------------------------

SWAPPED = {"greater": "less", "greater_equal": "less_equal"}


def _compare(low: Lowering, use: Use) -> None:
    a, b = _of_one_dtype(low, use)
    if use.op.name in SWAPPED:
        a, b = b, a
    low.call(f"choices.{SWAPPED.get(use.op.name, use.op.name)}", a, b, low.buffer_of(use.output))


def _of_one_dtype(low: Lowering, use: Use) -> list[Buffer]:
    """Both sides in the output's shape, and in the dtype that they are compared in."""
    dtype = result_dtype([np.empty((1,) * len(value.shape), value.dtype) for value in use.inputs])
    found = []
    for buffer in _operands(low, use):
        if buffer.dtype != dtype:
            cast = low.new("cast", buffer.size, dtype)
            low.call("moves.copy", buffer, cast)
            buffer = cast
        found.append(buffer)
    return found


def _ask(low: Lowering, use: Use) -> None:
    inputs = [low.buffer_of(use.inputs[0])] if len(use.inputs) == 1 else _operands(low, use)
    low.call(f"choices.{use.op.name}", *inputs, low.buffer_of(use.output))


def _is_nan(low: Lowering, use: Use) -> None:
    a = low.buffer_of(use.inputs[0])
    low.call("choices.not_equal", a, a, low.buffer_of(use.output))


def _place(low: Lowering, use: Use) -> None:
    (a,), axis = use.inputs, use.options[0]
    before, length, after = (1, a.size, 1) if axis is None else _around(a.shape, axis)
    low.call(f"choices.{use.op.name}", low.view(a, before, length, after), low.view(use.output, before, 1, after))


def _no_gradient(low: Lowering, use: Use, i: int) -> None:
    raise AssertionError(f"{use.op.name} has no gradient")


def _around(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """The lengths before, of and after an axis."""
    axis %= len(shape)
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def _take_along(low: Lowering, use: Use) -> None:
    (places, a), (axis,) = use.inputs, use.options
    taken = _around(places.shape, axis)
    out = low.view(use.output, *taken)
    low.call("choices.take_along", low.view(a, *_around(a.shape, axis)), low.view(places, *taken), out)


def _take_along_back(low: Lowering, use: Use, i: int) -> None:
    (places, a), (axis,) = use.inputs, use.options
    taken = _around(places.shape, axis)
    for out in low.into(a):
        g = View(low.gradient_of(use), taken)
        low.call("choices.take_along_back", g, low.view(places, *taken), View(out, _around(a.shape, axis)))


def _columns(use: Use, i: int) -> tuple[int, int, int, int]:
    """Of a concatenation as one of columns: the rows, the first column of input i, its columns, and those of all."""
    axis = use.options[0] % len(use.output.shape)
    rows, after = math.prod(use.output.shape[:axis]), math.prod(use.output.shape[axis + 1 :])
    first = sum(value.shape[axis] for value in use.inputs[:i])
    return rows, first * after, use.inputs[i].shape[axis] * after, use.output.shape[axis] * after


def _concatenate(low: Lowering, use: Use) -> None:
    for i, value in enumerate(use.inputs):
        rows, first, own, every = _columns(use, i)
        low.call("moves.put_columns", low.view(value, rows, own), first, low.view(use.output, rows, every))


def _concatenate_back(low: Lowering, use: Use, i: int) -> None:
    rows, first, own, every = _columns(use, i)
    for out in low.into(use.inputs[i]):
        low.call("moves.take_columns", View(low.gradient_of(use), (rows, every)), first, View(out, (rows, own)))


def _reshape(low: Lowering, use: Use) -> None:
    low.buffers[id(use.output)] = low.buffer_of(use.inputs[0])  # the same elements in the same order


def _copy(low: Lowering, use: Use) -> None:
    low.call("moves.copy", low.buffer_of(use.inputs[0]), low.buffer_of(use.output))


def _copy_back(low: Lowering, use: Use, i: int) -> None:
    for out in low.into(use.inputs[0]):
        low.call("moves.copy", low.gradient_of(use), out)


def _moved_places(use: Use) -> np.ndarray:
    a = use.inputs[0]
    return np.asarray(use.op.forward(np.arange(a.size).reshape(a.shape), *use.options))


def _move(low: Lowering, use: Use) -> None:
    places = low.constant(_moved_places(use), "places")
    low.call("moves.gather", low.buffer_of(use.inputs[0]), places, low.buffer_of(use.output))


def _move_back(low: Lowering, use: Use, i: int) -> None:
    for out in low.into(use.inputs[0]):
        low.call("moves.scatter_add", low.gradient_of(use), low.constant(_moved_places(use), "places"), out)


def _linear_shapes(use: Use) -> tuple[int, int, int]:
    outs, ins = use.inputs[1].shape
    return math.prod(use.inputs[0].shape[:-1]), ins, outs


def _linear(low: Lowering, use: Use) -> None:
    rows, ins, outs = _linear_shapes(use)
    out = low.view(use.output, rows, outs)
    low.product("nt", low.view(use.inputs[0], rows, ins), low.view(use.inputs[1], outs, ins), out)
    if len(use.inputs) == 3:
        low.call("moves.add_row", low.buffer_of(use.inputs[2]), out)


def _linear_back(low: Lowering, use: Use, i: int) -> None:
    rows, ins, outs = _linear_shapes(use)
    g = View(low.gradient_of(use), (rows, outs))
    for out in low.into(use.inputs[i]):
        if i == 0:
            low.product("nn", g, low.view(use.inputs[1], outs, ins), View(out, (rows, ins)))
        elif i == 1:
            low.product("tn", g, low.view(use.inputs[0], rows, ins), View(out, (outs, ins)))
        else:
            low.call("moves.column_sums", g, out)


def _matmul_shapes(use: Use) -> tuple[tuple[int, ...], int, int, int]:
    """The axes of batches, and the rows, the inner length and the columns of each product."""
    a, b = (value.shape for value in use.inputs)
    left = a if len(a) > 1 else (1, *a)
    right = b if len(b) > 1 else (*b, 1)
    return np.broadcast_shapes(left[:-2], right[:-2]), left[-2], left[-1], right[-1]


def _matrices(low: Lowering, use: Use) -> tuple[list[Buffer], list[tuple[int, ...]]]:
    """Both factors with the axes of batches repeated, and the shapes that they have then."""
    many, rows, inner, columns = _matmul_shapes(use)
    shapes: list[tuple[int, ...]] = [(*many, rows, inner), (*many, inner, columns)]
    found = low.spreads.get(id(use))
    if found is None:
        found = low.spreads[id(use)] = []
        for value, own, shape in zip(use.inputs, _own_shapes(use), shapes, strict=True):
            buffer = low.buffer_of(value)
            if math.prod(own) != math.prod(shape):
                places = low.constant(np.broadcast_to(np.arange(value.size).reshape(own), shape), "places")
                wide = low.new("spread", math.prod(shape), value.dtype)
                low.call("moves.gather", buffer, places, wide)
                buffer = wide
            found.append(buffer)
    return found, shapes


def _own_shapes(use: Use) -> list[tuple[int, ...]]:
    a, b = (value.shape for value in use.inputs)
    return [a if len(a) > 1 else (1, *a), b if len(b) > 1 else (*b, 1)]


def _matmul(low: Lowering, use: Use) -> None:
    many, rows, inner, columns = _matmul_shapes(use)
    (a, b), count = _matrices(low, use)[0], math.prod(many)
    out = low.buffer_of(use.output)
    if count == 1:
        low.product("nn", View(a, (rows, inner)), View(b, (inner, columns)), View(out, (rows, columns)))
    else:
        shapes = (count, rows, inner), (count, inner, columns), (count, rows, columns)
        low.call("matmul.nn_each", *[View(buffer, s) for buffer, s in zip((a, b, out), shapes, strict=True)])


def _matmul_back(low: Lowering, use: Use, i: int) -> None:
    many, rows, inner, columns = _matmul_shapes(use)
    buffers, shapes = _matrices(low, use)
    count, g, value = math.prod(many), low.gradient_of(use), use.inputs[i]
    own, full = _own_shapes(use)[i], shapes[i]
    for out in low.into(value):
        repeated = math.prod(own) != math.prod(full)
        target = low.new("wide", math.prod(full), use.output.dtype) if repeated else out
        other = View(buffers[1 - i], (count, *shapes[1 - i][-2:]))
        parts = (View(g, (count, rows, columns)), other) if i == 0 else (other, View(g, (count, rows, columns)))
        how, goal = ("nt" if i == 0 else "tn"), View(target, (count, *full[-2:]))
        if count == 1:
            first, second, goal = (View(view.buffer, view.shape[1:]) for view in (*parts, goal))
            low.product(how, first, second, goal)
        else:
            low.call(f"matmul.{how}_each", *parts, goal)
        if repeated:
            places = np.broadcast_to(np.arange(value.size).reshape(own), full)
            low.call("moves.scatter_add", target, low.constant(places, "places"), out)


def _scale(use: Use, sign: int) -> float:
    return 2 * sign / use.inputs[0].size if use.options[0] == "mean" else 2 * sign


def _mse(low: Lowering, use: Use) -> None:
    prediction, target = (low.buffer_of(value) for value in use.inputs)
    dtype: np.dtype[Any] = np.result_type(use.inputs[0].dtype, use.inputs[1].dtype)
    if dtype.kind != "f":
        raise CannotCompile(f"mse_loss of {use.inputs[0].dtype} and {use.inputs[1].dtype}; convert them to floats")
    error = low.new("error", prediction.size, dtype)
    low.spreads[id(use)] = [error]
    out = low.buffer_of(use.output)
    if use.options[0] == "none":
        low.call("moves.squared_error", prediction, target, error, out)
    else:
        divisor = prediction.size if use.options[0] == "mean" else 1
        low.call("moves.total_squared_error", prediction, target, divisor, error, out)


def _mse_back(low: Lowering, use: Use, i: int) -> None:
    kernel = "moves.scaled_errors" if use.options[0] == "none" else "moves.scaled_error"
    for out in low.into(use.inputs[i]):
        (error,) = low.spreads[id(use)]
        low.call(kernel, low.gradient_of(use), error, _scale(use, 1 if i == 0 else -1), out)


def _away(low: Lowering, use: Use) -> tuple[Buffer, Buffer, Buffer]:
    """The input less its largest elements, these, and the sums of the exponentials of the differences."""
    a, count = low.buffer_of(use.inputs[0]), _groups(use)
    places = low.constant(_reduction_places(use), "places")
    away, top, sums = (low.new(kind, n, a.dtype) for kind, n in (("away", a.size), ("top", count), ("sums", count)))
    low.call("moves.largest", a, places, top)
    low.call("softmax.shifted", a, top, places, away)
    low.call("softmax.exp_sums", away, places, sums)
    low.spreads[id(use)] = [away, sums, places]
    return away, top, sums


def _groups(use: Use) -> int:
    """How many results a reduction has, along the axes of the first option."""
    places = _reduction_places(use)
    return int(places.max()) + 1 if places.size else use.output.size if use.op.name == "logsumexp" else 0


def _softmax(low: Lowering, use: Use) -> None:
    away, _, sums = _away(low, use)
    low.call(f"softmax.{use.op.name}", away, sums, low.spreads[id(use)][2], low.buffer_of(use.output))


def _softmax_back(low: Lowering, use: Use, i: int) -> None:
    g, value, places = low.gradient_of(use), low.buffer_of(use.output), low.spreads[id(use)][2]
    for out in low.into(use.inputs[0]):
        sums = low.new("sums", _groups(use), g.dtype)
        low.call(f"softmax.{use.op.name}_back", g, value, places, sums, out)


def _logsumexp(low: Lowering, use: Use) -> None:
    _, top, sums = _away(low, use)
    low.call("softmax.logsumexp", top, sums, low.buffer_of(use.output))


def _logsumexp_back(low: Lowering, use: Use, i: int) -> None:
    away, sums, places = low.spreads[id(use)]
    for out in low.into(use.inputs[0]):
        low.call("softmax.logsumexp_back", low.gradient_of(use), away, sums, places, out)


def _nll_loss(low: Lowering, use: Use) -> None:
    target, weight, a = use.inputs
    reduction, ignored, smoothing = use.options
    before, classes, after = as_classes(a.shape)
    factors = View(low.new("factors", a.size, a.dtype), (before, classes, after))
    low.spreads[id(use)] = [factors.buffer]
    kept, share, mean = 1 - smoothing, smoothing / classes, int(reduction == "mean")
    rows = low.view(target, before, after)
    low.call("softmax.class_factors", rows, low.buffer_of(weight), ignored, kept, share, mean, factors)
    if reduction == "none":
        low.call("softmax.class_losses", factors, low.view(a, *factors.shape), low.view(use.output, before, after))
    else:
        low.call("softmax.class_total", factors.buffer, low.buffer_of(a), low.buffer_of(use.output))


def _nll_loss_back(low: Lowering, use: Use, i: int) -> None:
    g, (factors,), shape = low.gradient_of(use), low.spreads[id(use)], as_classes(use.inputs[2].shape)
    for out in low.into(use.inputs[2]):
        if use.options[0] == "none":
            rows = View(g, (shape[0], shape[2]))
            low.call("softmax.class_losses_back", rows, View(factors, shape), View(out, shape))
        else:
            low.call("moves.scaled_error", g, factors, 1.0, out)


def _norm_rows(use: Use) -> tuple[int, int]:
    """How many rows a layer_norm normalizes, and their length."""
    shape, axes = use.inputs[0].shape, use.options[0]
    cut = len(shape) - axes
    return math.prod(shape[:cut]), math.prod(shape[cut:])


def _layer_norm(low: Lowering, use: Use) -> None:
    (rows, columns), dtype = _norm_rows(use), use.output.dtype
    kept = View(low.new("normalized", rows * (columns + 1), dtype), (rows, columns + 1))
    weight = low.buffer_of(use.inputs[1]) if len(use.inputs) > 1 else low.constant(np.ones(columns, dtype))
    bias = low.buffer_of(use.inputs[2]) if len(use.inputs) > 2 else low.constant(np.zeros(columns, dtype))
    low.spreads[id(use)] = [kept.buffer, weight]
    low.call("layer_norm.normalized", low.view(use.inputs[0], rows, columns), use.options[1], kept)
    low.call("layer_norm.affine", kept, weight, bias, low.view(use.output, rows, columns))


def _layer_norm_back(low: Lowering, use: Use, i: int) -> None:
    (rows, columns), (buffer, weight) = _norm_rows(use), low.spreads[id(use)]
    g, kept = View(low.gradient_of(use), (rows, columns)), View(buffer, (rows, columns + 1))
    for out in low.into(use.inputs[i]):
        if i == 0:
            low.call("layer_norm.input_grad", g, weight, kept, View(out, (rows, columns)))
        elif i == 1:
            low.call("layer_norm.weight_grad", g, kept, out)
        else:
            low.call("moves.column_sums", g, out)


def _dropped(low: Lowering, use: Use, a: Buffer, out: Buffer) -> None:
    """Both ways draw the mask from its key, so that it is not kept."""
    p, key = use.options
    drawn = isinstance(key, Drawn)
    keys: MaskKeys | Buffer = MaskKeys() if drawn else low.constant(np.array([key], np.uint64), "key")
    low.call("dropout.drop", a, keys, int(key) if drawn else 0, least_of(p), scale_of(p), out)


def _dropout(low: Lowering, use: Use) -> None:
    _dropped(low, use, low.buffer_of(use.inputs[0]), low.buffer_of(use.output))


def _dropout_back(low: Lowering, use: Use, i: int) -> None:
    for out in low.into(use.inputs[0]):
        _dropped(low, use, low.gradient_of(use), out)


OF_ONE_INPUT = Form(_of_one_input, _of_one_input_back)
OF_TWO_INPUTS = Form(_of_two_inputs, _of_two_inputs_back)
# The forms of ops that do not act element by element.
FORMS: dict[str, Form] = {
    "sum": Form(_reduce, _reduce_back),
    "mean": Form(_reduce, _reduce_back),
    "max": Form(_extreme, _extreme_back),
    "min": Form(_extreme, _extreme_back),
    "prod": Form(_prod, _prod_back),
    "einsum": Form(_einsum, _einsum_back),
    "cumsum": Form(_cumsum, _cumsum_back),
    "take_along": Form(_take_along, _take_along_back),
    "where": Form(_where, _where_back),
    "concatenate": Form(_concatenate, _concatenate_back),
    "reshape": Form(_reshape, _copy_back),
    "permute": Form(_move, _move_back),
    "index": Form(_move, _move_back),
    "clone": Form(_copy, _copy_back),
    "cast": Form(_copy, _copy_back),
    "linear": Form(_linear, _linear_back),
    "matmul": Form(_matmul, _matmul_back),
    "mse_loss": Form(_mse, _mse_back),
    "dropout": Form(_dropout, _dropout_back),
    "layer_norm": Form(_layer_norm, _layer_norm_back),
    "softmax": Form(_softmax, _softmax_back),
    "log_softmax": Form(_softmax, _softmax_back),
    "logsumexp": Form(_logsumexp, _logsumexp_back),
    "nll_loss": Form(_nll_loss, _nll_loss_back),
}
# Those of ops without a gradient (engine/questions.py).
ASKED: dict[str, Form] = {
    **dict.fromkeys(COMPARISONS, Form(_compare, _no_gradient)),
    **dict.fromkeys((f"logical_{name}" for name in ("not", "and", "or", "xor")), Form(_ask, _no_gradient)),
    **dict.fromkeys(("isinf", "isfinite"), Form(_ask, _no_gradient)),
    "isnan": Form(_is_nan, _no_gradient),
    **dict.fromkeys(("argmax", "argmin"), Form(_place, _no_gradient)),
}


def form_of(op: Op) -> Form:
    """The compiled form of an op.

    Raises:
        CannotCompile: it has none.
    """
    if QUESTIONS.get(op.name) is op and op.name in ASKED:
        return ASKED[op.name]
    if op.name in FORMS:
        return FORMS[op.name]
    if OPS.get(op.name) is op and op.rules:
        return OF_ONE_INPUT if len(op.vjps) == 1 else OF_TWO_INPUTS
    raise CannotCompile(f"the op {op.name!r} has no compiled form (compiled/lowering.py)")
