"""Lowering: each use of an op becomes calls of kernels over buffers that are allocated once.

A buffer is flat memory with a name; a call names a kernel (file and function) and its arguments: buffers, seen with
some shape, or numbers. One function a kind of op says what its forward calls and what its gradients call. An op without
such a function cannot be compiled, and CannotCompile says so. Next: source.py, which writes the calls into a file.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .reading import BATCH, CONSTANT, PARAMETER, Trace, Use, Value
from .refusal import CannotCompile

# A product of more multiplications than this goes to BLAS: benchmarks/products.py measures both ways. On one core of
# an AMD EPYC they are within a third of each other from 4,000 to 60,000 and BLAS is up to twice as fast beyond that;
# at a single column, whose sums the loops do not take side by side, it is faster from 500 on.
BLAS_FROM, BLAS_FROM_COLUMN = 30_000, 500
# a b^T with few rows is faster as b a^T, turned (`--turned`): by 1.1 to 2.5 where there are at most so many rows, at
# least so many terms in a sum and twice as many columns as rows; slower elsewhere.
TURNED_ROWS, TURNED_INNER = 32, 64

UNARY = ("neg", "exp", "log", "sqrt", "abs", "relu", "tanh", "sigmoid")
BINARY = ("add", "sub", "mul", "div", "maximum", "pow")


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


@dataclass
class Call:
    kernel: str
    arguments: list[Any]


@dataclass(eq=False)
class Steps:
    """The calls of one step on batches of one shape."""

    rows: int
    forward: list[tuple[str, list[Call]]] = field(default_factory=list)
    backward: list[tuple[str, list[Call]]] = field(default_factory=list)
    inputs: list[View | None] = field(default_factory=list)
    loss: Buffer | None = None
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
        steps.trained = [v.tensor for v in trace.parameters if id(v) in self.gradients]
        return steps

    # --- buffers ------------------------------------------------------------------------------------------------------

    def new(self, kind: str, size: int, dtype: Any, array: np.ndarray | None = None) -> Buffer:
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
                self.gradients[id(value)] = self.shared("gradient", value, value.tensor._grad_home)
            else:
                name = f"{self.prefix}gradient_{self.buffer_of(value).name.removeprefix(self.prefix)}"
                self.gradients[id(value)] = Buffer(name, value.size, value.dtype)
            yield self.gradients[id(value)]
        else:
            part = self.new("part", value.size, value.dtype)
            yield part
            self.call("moves.add_to", part, self.gradients[id(value)])

    def into_spread(self, value: Value, shape: tuple[int, ...], dtype: Any) -> Iterator[Buffer]:
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
        from . import rows

        name = use.op.name
        if name not in rows.ROWS:
            raise CannotCompile(f"the op {name!r} has no compiled form (compiled/rows.py)")
        rows.ROWS[name][0](self, use)

    def backward(self, use: Use, i: int) -> None:
        from . import rows

        rows.ROWS[use.op.name][1](self, use, i)

    def gradient_of(self, use: Use) -> Buffer:
        return self.gradients[id(use.output)]


Row = tuple[Callable[[Lowering, Use], None], Callable[[Lowering, Use, int], None]]


def _comment(use: Use) -> str:
    shapes = ", ".join(str(value.shape) for value in use.inputs)
    return f"{use.op.name}: {shapes} -> {use.output.shape}"
