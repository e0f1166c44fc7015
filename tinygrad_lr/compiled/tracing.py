"""Tracing: one eager step on a batch, read back from the graph it leaves, as a list of uses of ops.

The inputs of the trace require gradients, so that every op on them leaves a node. What is not the output of an op is a
parameter, part of the batch, or a constant. A second trace on other values must give the same ops and constants: a
model that reads values in Python (a comparison, `.item()`, `.data`, random numbers) would be compiled wrongly, and is
refused. Next: lowering.py, which turns uses of ops into calls of kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.graph import Node
from ..engine.ops import Op
from ..engine.tensor import Tensor

__all__ = ["REMEDY", "CannotCompile", "Trace", "Use", "Value", "trace"]

BATCH, PARAMETER, CONSTANT, COMPUTED = "batch", "parameter", "constant", "computed"


REMEDY = "Without compiling it trains with fit(..., compiled=False), or tinygrad-lr train --eager"


class CannotCompile(NotImplementedError):
    """The step cannot be compiled; the message says which op and why, and what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}. {REMEDY}")


@dataclass(eq=False)
class Value:
    """An array of the step. `number`: which tensor of the batch; `tensor`: the parameter or constant."""

    kind: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    number: int = -1
    tensor: Tensor | None = None
    name: str = ""

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(eq=False)
class Use:
    """One use of an op. `flows[i]`: whether a gradient flows to input i."""

    op: Op
    inputs: list[Value]
    options: tuple[Any, ...]
    output: Value
    flows: list[bool]


@dataclass(eq=False)
class Trace:
    """The uses of ops in order, the loss, and the trained parameters that it depends on."""

    uses: list[Use]
    loss: Value
    batch: list[Value]
    parameters: list[Value]


def trace(model: Callable[..., Any], loss: Any, trained: Sequence[Tensor], arrays: Sequence[np.ndarray]) -> Trace:
    """Trace a step on a batch of these arrays, twice, and compare.

    Raises:
        CannotCompile: the step does something that ops do not describe.
    """
    for tensor in trained:
        if tensor.device != "cpu":
            raise CannotCompile("compiled training runs on the CPU; move the model with .to('cpu')")
    first = _Reader(trained, arrays).read(model, loss)
    others = [0.0625 - array * 1.25 if array.dtype.kind == "f" else array[::-1] for array in arrays]
    others = [np.ascontiguousarray(other, array.dtype) for other, array in zip(others, arrays, strict=True)]
    before = [tensor._data.copy() for tensor in trained]
    try:
        for tensor in trained:
            tensor._data[...] = 0.03125 - tensor._data * 0.875
        second = _Reader(trained, others).read(model, loss)
    finally:
        for tensor, values in zip(trained, before, strict=True):
            tensor._data[...] = values
    _compare(first, second)
    return first


class _Reader:
    def __init__(self, trained: Sequence[Tensor], arrays: Sequence[np.ndarray]) -> None:
        self.trained = {id(tensor) for tensor in trained}
        self.versions = [(tensor, tensor._version) for tensor in trained]
        self.tensors = [Tensor(array, requires_grad=array.dtype.kind == "f") for array in arrays]
        self.batch = [Value(BATCH, t.shape, t.dtype, i) for i, t in enumerate(self.tensors)]
        self.values: dict[int, Value] = {id(t): v for t, v in zip(self.tensors, self.batch, strict=True)}
        self.kept: list[Any] = []

    def read(self, model: Any, loss: Any) -> Trace:
        with np.errstate(all="ignore"):
            *given, target = self.tensors
            result = loss(model(*given), target)
        if not isinstance(result, Tensor) or result._data.size != 1:
            raise CannotCompile(f"the loss must be a Tensor with one element, got {result!r}")
        for tensor, version in [*self.versions, *((t, 0) for t in self.tensors)]:
            if tensor._version != version:
                raise CannotCompile(f"the model changes {tensor.name or 'its input'} in place; compute a new Tensor")
        nodes: dict[int, Node] = {}
        shown = {} if result._node is None else {result._node.number: result}  # the output of each node
        pending = [] if result._node is None else [result._node]
        while pending:
            node = pending.pop()
            if node.number not in nodes:
                nodes[node.number] = node
                for tensor in node.inputs or ():
                    source = _source(tensor)[0]
                    if source._node is not None:
                        shown[source._node.number] = source
                        pending.append(source._node)
        outputs: dict[int, Value] = {}
        flowing: set[int] = set()
        uses = []
        for number in sorted(nodes):
            node = nodes[number]
            inputs: list[Value] = []
            flows: list[bool] = []
            for tensor in node.inputs or ():
                value, stopped = self.value(tensor, outputs)
                inputs.append(value)
                flows.append(not stopped and (id(value) in flowing or id(tensor) in self.trained))
            output = Value(COMPUTED, shown[number].shape, shown[number].dtype)
            outputs[id(node)] = output
            if any(flows):
                flowing.add(id(output))
            uses.append(Use(node.op, inputs, node.options, output, flows))
            self.kept.append(node)
        final = self.value(result, outputs)[0]
        if id(final) not in flowing:
            raise CannotCompile("the loss depends on no parameter of the optimizer")
        trained = [v for v in self.values.values() if v.kind == PARAMETER]
        return Trace(uses, final, self.batch, trained)

    def value(self, tensor: Tensor, outputs: dict[int, Value]) -> tuple[Value, bool]:
        """What a tensor stands for, and whether it is detached from it."""
        source, stopped = _source(tensor)
        if source._node is not None:
            if source._version:
                raise CannotCompile(f"the output of {source._node.op.name} is changed in place; compute a new Tensor")
            return outputs[id(source._node)], stopped
        found = self.values.get(id(source))
        if found is None:
            kind = PARAMETER if id(source) in self.trained else CONSTANT
            found = Value(kind, source.shape, source.dtype, -1, source, source.name or "")
            self.values[id(source)] = found
            self.kept.append(source)
        return found, stopped


def _source(tensor: Tensor) -> tuple[Tensor, bool]:
    """A detached tensor is the one it was detached from, where it shows all of it."""
    base = tensor._base
    if tensor._node is None and base is not None:
        one, other = tensor._data, base._data
        same_place = one.__array_interface__["data"] == other.__array_interface__["data"]
        if same_place and one.shape == other.shape and one.strides == other.strides:
            return base, True
    return tensor, False


def _compare(first: Trace, second: Trace) -> None:
    if [use.op.name for use in first.uses] != [use.op.name for use in second.uses]:
        raise CannotCompile("the ops of a step depend on the values it computes with: the model branches in Python")
    for one, other in zip(first.uses, second.uses, strict=True):
        where = f"{one.op.name} (output of shape {one.output.shape})"
        if not _same(one.options, other.options) or one.output.shape != other.output.shape:
            raise CannotCompile(f"the options or shapes of {where} depend on the values of the batch or the parameters")
        for i, (a, b) in enumerate(zip(one.inputs, other.inputs, strict=True)):
            if a.kind != b.kind or (a.tensor is not None and b.tensor is not None and not _alike(a, b)):
                raise CannotCompile(
                    f"input {i} of {where} was computed outside the ops that can be traced (from whole numbers, by a "
                    "comparison, .item() or .data, under no_grad, or by random numbers)"
                )


def _alike(a: Value, b: Value) -> bool:
    if a.kind != CONSTANT or a.tensor is b.tensor:
        return True
    assert a.tensor is not None and b.tensor is not None
    return a.shape == b.shape and a.tensor._data.tobytes() == b.tensor._data.tobytes()


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return bool(np.array_equal(a, b))
    return type(a) is type(b) and bool(a == b)
