"""One row for each op that can be compiled: which kernels its forward calls, and which its gradients.

`g` is the gradient of the output. The kernels' formulas stand in kernels/{elementwise,matmul,moves}.py; the places that
`gather` reads come from the engine's own forward, run over the numbers of the elements. Next: naming.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .lowering import BINARY, UNARY, Buffer, Lowering, Row, View
from .reading import CONSTANT, Use
from .refusal import CannotCompile

__all__ = ["ROWS"]


def _unary(low: Lowering, use: Use) -> None:
    low.call(f"elementwise.{use.op.name}", low.buffer_of(use.inputs[0]), low.buffer_of(use.output))


def _unary_back(low: Lowering, use: Use, i: int) -> None:
    for out in low.into(use.inputs[0]):
        arguments = (low.gradient_of(use), low.buffer_of(use.output), low.buffer_of(use.inputs[0]), out)
        low.call(f"elementwise.{use.op.name}_grad0", *arguments)


def _is_square(use: Use) -> bool:
    a, b = use.inputs
    exponent = b.tensor._data if b.kind == CONSTANT and b.tensor is not None else None
    return exponent is not None and b.shape == () and exponent == 2 and a.dtype == b.dtype


def _binary(low: Lowering, use: Use) -> None:
    out = low.buffer_of(use.output)
    if use.op.name == "pow" and _is_square(use):
        low.call("elementwise.square", low.buffer_of(use.inputs[0]), out)
        return
    low.call(f"elementwise.{use.op.name}", *_operands(low, use), out)


def _operands(low: Lowering, use: Use) -> list[Buffer]:
    """Both inputs in the output's shape: repeated once in the forward, found again by the gradients."""
    found = low.spreads.get(id(use))
    if found is None:
        found = low.spreads[id(use)] = [low.spread_to(value, use.output.shape) for value in use.inputs]
    return found


def _binary_back(low: Lowering, use: Use, i: int) -> None:
    value, g = low.buffer_of(use.output), low.gradient_of(use)
    for out in low.into_spread(use.inputs[i], use.output.shape, use.output.dtype):
        if use.op.name == "pow" and _is_square(use) and i == 0:
            low.call("elementwise.square_grad0", g, value, low.buffer_of(use.inputs[0]), out)
        else:
            low.call(f"elementwise.{use.op.name}_grad{i}", g, value, *_operands(low, use), out)


def _reduction_places(use: Use) -> np.ndarray:
    """For each element of the input, the place of the sum that it goes into."""
    (a,), (axis, _) = use.inputs, use.options
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
    dtype: Any = np.result_type(use.inputs[0].dtype, use.inputs[1].dtype)
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


ROWS: dict[str, Row] = {
    **{name: (_unary, _unary_back) for name in UNARY},
    **{name: (_binary, _binary_back) for name in BINARY},
    "sum": (_reduce, _reduce_back),
    "mean": (_reduce, _reduce_back),
    "reshape": (_reshape, _copy_back),
    "permute": (_move, _move_back),
    "index": (_move, _move_back),
    "clone": (_copy, _copy_back),
    "cast": (_copy, _copy_back),
    "linear": (_linear, _linear_back),
    "matmul": (_matmul, _matmul_back),
    "mse_loss": (_mse, _mse_back),
}
