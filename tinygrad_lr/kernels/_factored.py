"""A factored kernel: an update that keeps something for the rows and columns of a matrix, and not for its elements.

    stage(k, *layout, *scalars, param, grad, *states)          for each piece, matrix or parameter k, one after another

`FactoredKernel(stages, states, scalars, over_arrays)` is what an optimizer's file declares: functions of one piece, of
one matrix or of one parameter, and the same over NumPy arrays. A stage sees what the stages before it wrote.

The last two dimensions of a parameter are a matrix's; those before count matrices. A parameter of fewer dimensions is a
vector. A matrix is cut into pieces of whole rows, a vector into chunks, and what a piece finds for a column waits in
`parts` until all pieces are done: the same bits at any number of threads. On CUDA a thread takes a piece.

Next: updates/adafactor.py, updates/sm3.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, ClassVar

import numpy as np

from . import _run
from ._jit import bound, compiled, on_gpu, thread_index
from ._kernel import Kernel
from .updates.norm import CHUNK

__all__ = ["FactoredKernel", "column_sums_numpy", "columns_of", "row_sum", "row_sums_numpy", "rows_of", "vector_of"]

ROWS = 64  # of a piece at least, so that the sums of its columns are few beside its elements

# The columns of `pieces`: whose it is, its first element, its rows and columns, where its row, column and vector states
# and its part of `parts` begin. A vector's piece is one row, and its row state -1.
PARAM, START, HEIGHT, WIDTH, ROW, COLUMN, VECTOR, PART = range(8)
# Those of `matrices`: its first piece and the one after its last, its rows and columns, where their states begin.
FIRST, LAST, ROWS_OF, COLUMNS_OF, ROW_OF, COLUMN_OF = range(6)

# A kernel binds these names in its copies of the functions below.
stage = None
one = two = three = four = five = None
arrays_end = layout_end = 0


def rows_of(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of a state of a matrix's rows; None for a vector."""
    return (*shape[:-1], 1) if len(shape) > 1 else None


def columns_of(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of a state of a matrix's columns; None for a vector."""
    return (*shape[:-2], 1, shape[-1]) if len(shape) > 1 else None


def vector_of(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of a state of a vector's elements; None for a matrix."""
    return shape if len(shape) < 2 else None


@compiled
def row_sum(values, first, count):
    """The sum of values[first:first + count], in float64: eight sums side by side, folded in their order."""
    a = b = c = d = e = f = g = h = 0.0
    whole = count // 8 * 8
    for i in range(first, first + whole, 8):
        at = np.uint64(i)
        a += values[at]
        b += values[at + np.uint64(1)]
        c += values[at + np.uint64(2)]
        d += values[at + np.uint64(3)]
        e += values[at + np.uint64(4)]
        f += values[at + np.uint64(5)]
        g += values[at + np.uint64(6)]
        h += values[at + np.uint64(7)]
    total = a + b + c + d + e + f + g + h
    for i in range(first + whole, first + count):
        total += values[i]
    return total


def row_sums_numpy(values):
    """`row_sum` of each row of a matrix: the same additions in the same order, and so the same bits."""
    whole = values.shape[1] // 8 * 8
    aside = np.add.reduce(values[:, :whole].reshape(len(values), whole // 8, 8), axis=1)
    return np.cumsum(np.concatenate([aside, values[:, whole:]], axis=1), axis=1)[:, -1]


def column_sums_numpy(values):
    """The sums of a matrix's columns, row after row: NumPy would add those of a single column in another order."""
    return np.add.reduce(values, axis=0) if values.shape[1] != 1 else np.cumsum(np.append(0.0, values))[-1:]


# --- the loops ----------------------------------------------------------------------------------------------------


def on_cpu(first, last, *arguments):
    for k in range(first, last):
        stage(k, *arguments)


def on_cuda(each, layout, scalars, arrays):
    k = thread_index()
    if k < each.shape[0]:
        stage(k, *layout, *scalars, *arrays)


def whole(*arguments):
    """All stages: param, grad, states, the layout's arrays and scalars."""
    arrays, layout, scalars = arguments[:arrays_end], arguments[arrays_end:layout_end], arguments[layout_end:]
    counts = layout[0]
    one(0, counts[0], *layout, *scalars, *arrays)
    two(0, counts[1], *layout, *scalars, *arrays)
    three(0, counts[2], *layout, *scalars, *arrays)
    four(0, counts[3], *layout, *scalars, *arrays)
    five(0, counts[4], *layout, *scalars, *arrays)


def nothing(first, last, *arguments):
    """A stage that there is not."""


# --- the kernel ---------------------------------------------------------------------------------------------------

FORMS = {"rows": rows_of, "columns": columns_of, "vector": vector_of}


@dataclass(frozen=True)
class FactoredKernel(Kernel):
    """One update in stages: see the top of this file.

    Args:
        rule: the scalar rule of an element of a vector, in whose file's name machine code is kept.
        states: their names in a state_dict.
        scalar_names: the scalars that every stage takes.
        stages: pairs of what a stage is of, "pieces", "matrices" or "parameters", and its function; at most 5.
        forms: for the states that are not of all elements: "rows", "columns" or "vector".
        numpy_stages: all stages over whole NumPy arrays, called with the arguments of a stage without k.
    """

    layout_names: ClassVar[tuple[str, ...]] = (
        "counts",
        "pieces",
        "matrices",
        "firsts",
        "sizes",
        "sums",
        "parts",
        "factors",
        "row_factors",
        "column_factors",
    )

    stages: tuple[tuple[str, Callable[..., None]], ...] = field(kw_only=True)
    forms: dict[str, str] = field(kw_only=True)
    numpy_stages: Callable[..., None] = field(kw_only=True)

    def stored(self, key: str) -> tuple[str, Any]:
        """The dtype of a state's entries (empty: the parameter's), and the shape of those of a parameter."""
        return "", FORMS[self.forms[key]] if key in self.forms else 1

    def layout(self, shapes: Sequence[tuple[int, ...]], dtype: np.dtype[Any]) -> list[np.ndarray[Any, Any]]:
        """What the stages take, for parameters of some shapes that lie end to end.

        How many there are of each stage; the pieces, and the matrices that have elements, a row each; each parameter's
        first piece and at last their count; the parameters' sizes; room for two sums of a piece, for what it finds for
        columns and two rows more, for two factors of a parameter, one of a row, and one of a column.
        """
        cut = _Cut()
        for shape in shapes:
            cut.add(shape)
        pieces = np.array(cut.pieces, np.int64).reshape(-1, 8)
        matrices = np.array(cut.matrices, np.int64).reshape(-1, 6)
        of = {"pieces": len(pieces), "matrices": len(matrices), "parameters": len(shapes)}
        counts = [of[kind] for kind, _ in self.stages]
        return [
            np.array(counts + [0] * (5 - len(counts)), np.int64),
            pieces,
            matrices,
            np.array(cut.firsts, np.int64),
            np.array([prod(shape) for shape in shapes], np.int64),
            np.zeros((len(pieces), 2)),
            np.zeros(cut.parts),
            np.zeros((len(shapes), 2), dtype),
            np.zeros(cut.rows, dtype),
            np.zeros(cut.columns, dtype),
        ]

    @cached_property
    def _loops(self) -> list[Any]:
        """The loop of each stage on the CPU."""
        return [self._compiled(on_cpu, f"{function.__name__}.cpu", stage=function) for _, function in self.stages]

    @cached_property
    def places(self) -> dict[str, int]:
        """Where param, grad and the states end among the arguments, and where the layout's arrays do."""
        arrays_end = 2 + len(self.states)
        return {"arrays_end": arrays_end, "layout_end": arrays_end + len(self.layout_names)}

    @cached_property
    def cpu(self) -> Callable[..., None]:
        """All stages on the CPU: `cpu(param, grad, *states, *layout, *scalars)`, over flat arrays, in place."""
        absent = self._compiled(nothing, "nothing")
        loops = dict(zip(("one", "two", "three", "four", "five"), [*self._loops, *[absent] * 5], strict=False))
        made: Callable[..., None] = self._compiled(whole, "whole", **loops, **self.places)
        return made

    @cached_property
    def on_gpu(self) -> list[on_gpu]:
        """The loop of each stage on CUDA."""
        return [
            on_gpu(bound(on_cuda, self.module, self._named(f"{function.__name__}.gpu"), stage=function))
            for _, function in self.stages
        ]

    # How they run.

    @cached_property
    def run(self) -> Callable[..., None]:
        """Makes a step on arrays, in place: `run(backend, arrays, scalars)`; see `step`."""
        return self.step

    def step(self, backend: str, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
        """Make a step, in place.

        Args:
            backend: "numba", "numpy" or "cuda".
            arrays: param, grad and the states, flat, contiguous, and the layout.
            scalars: an array of them on the host, in the order of their names and the parameters' dtype.
        """
        if backend == "cuda":
            self._launch_all(*self._parted(arrays), scalars)
        elif backend == "numba" and arrays[0].size < 2 * _run.SMALLEST_CHUNK and not self.interpreted:
            self.loop(*arrays, scalars)
        else:
            with np.errstate(all="ignore"):  # compiled code does not warn either
                self._run_all(backend, arrays, scalars)

    def _launch_all(self, given: Sequence[Any], layout: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
        """All stages on CUDA."""
        for (kind, _), loop in zip(self.stages, self.on_gpu, strict=True):
            each = {"pieces": layout[1], "matrices": layout[2], "parameters": layout[4]}[kind]
            if each.shape[0]:
                loop.launch(each.shape[0], (each, tuple(layout), tuple(scalars), tuple(given)))

    def _run_all(self, backend: str, arrays: Sequence[Any], scalars: np.ndarray[Any, Any]) -> None:
        """All stages over NumPy arrays, as plain Python, or in threads."""
        given, layout = self._parted(arrays)
        if backend == "numpy":
            self.numpy_stages(*layout, *scalars, *given)
        elif given[0].size < 2 * _run.SMALLEST_CHUNK:
            self.loop(*arrays, scalars)
        else:
            for count, loop in zip(layout[0].tolist(), self._loops, strict=False):
                _run.in_pieces(loop, count, given[0].size, (*layout, *scalars, *given))

    def _parted(self, arrays: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Param, grad and the states; the layout."""
        end = self.places["arrays_end"]
        return arrays[:end], arrays[end:]


class _Cut:
    """Parameters cut into pieces."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, ...]] = []
        self.matrices: list[tuple[int, ...]] = []
        self.firsts = [0]
        self.start = self.rows = self.columns = self.vector = self.parts = 0

    def add(self, shape: tuple[int, ...]) -> None:
        """The next parameter."""
        if len(shape) < 2:
            for low in range(0, prod(shape), CHUNK):
                width = min(CHUNK, prod(shape) - low)
                self._piece(1, width, -1, self.vector + low)
            self.vector += prod(shape)
        else:
            *outer, height, width = shape
            for _ in range(prod(outer)):
                self._matrix(height, width)
        self.firsts.append(len(self.pieces))

    def _matrix(self, height: int, width: int) -> None:
        first, rows = len(self.pieces), max(ROWS, CHUNK // max(width, 1))
        for low in range(0, height if width else 0, rows):
            self._piece(min(rows, height - low), width, self.rows + low, 0)
        if height * width:
            self.matrices.append((first, len(self.pieces), height, width, self.rows, self.columns))
        self.rows, self.columns = self.rows + height, self.columns + width

    def _piece(self, height: int, width: int, row: int, vector: int) -> None:
        number = len(self.firsts) - 1
        self.pieces.append((number, self.start, height, width, row, self.columns, vector, self.parts))
        self.start, self.parts = self.start + height * width, self.parts + 3 * width
