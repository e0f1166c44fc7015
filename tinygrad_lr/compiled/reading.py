"""A step read back from the graph that it leaves: the uses of ops, and the values that go in and come out.

What is not the output of an op is a parameter, part of the batch, or a constant. Next: tracing.py, which runs a step.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_lr.engine.graph import Node
from tinygrad_lr.engine.ops import Op
from tinygrad_lr.engine.tensor import Tensor

from .refusal import CannotCompile
from .side_effects import SideEffects

__all__ = ["BATCH", "COMPUTED", "CONSTANT", "PARAMETER", "Reader", "Trace", "Use", "Value"]

BATCH, PARAMETER, CONSTANT, COMPUTED = "batch", "parameter", "constant", "computed"
MOVES = ("reshape", "permute", "index", "clone")  # whole numbers too, in the batch, may go through these


@dataclass(eq=False)
class Value:
    """An array of the step. `number`: which tensor of the batch, or which use; `tensor`: the parameter or constant."""

    kind: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    number: int = -1
    tensor: Tensor | None = None
    name: str = ""
    digest: bytes = b""  # of a constant's values

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def meaning(self) -> tuple[Any, ...]:
        """What two traces of one step have in common."""
        which: Any = self.digest if self.kind == CONSTANT else self.number
        return self.kind, self.shape, self.dtype, id(self.tensor) if self.kind == PARAMETER else which


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
    """The uses of ops in order, the loss, and the parameters and constants that it depends on."""

    uses: list[Use]
    loss: Value
    batch: list[Value]
    leaves: list[Value] = field(default_factory=list)

    @property
    def parameters(self) -> list[Value]:
        """The trained parameters among the leaves."""
        return [value for value in self.leaves if value.kind == PARAMETER]


class Reader:
    """Reads the graph that a step left."""

    def __init__(
        self, effects: SideEffects, batch: Sequence[Tensor], trained: Sequence[Tensor], names: Mapping[int, str]
    ) -> None:
        self.effects, self.names = effects, names
        self.trained = {id(tensor) for tensor in trained}
        self.batch = [Value(BATCH, t.shape, t.dtype, i) for i, t in enumerate(batch)]
        self.leaves: dict[int, Value] = {id(t): v for t, v in zip(batch, self.batch, strict=True)}
        self.outputs: dict[int, Value] = {}  # by the numbers of nodes
        self.flowing: set[int] = set()

    def read(self, result: Tensor) -> Trace:
        nodes = self.nodes(result)
        uses = [self.use(i, node, out) for i, (node, out) in enumerate(nodes)]
        final = self.value(result)
        if id(final) not in self.flowing:
            raise CannotCompile("the loss depends on no parameter of the optimizer")
        if final.kind != COMPUTED:
            raise CannotCompile("the loss is a parameter itself; compute it with at least one operation")
        return Trace(uses, final, self.batch, [v for v in self.leaves.values() if v.kind != BATCH])

    def nodes(self, result: Tensor) -> list[tuple[Node, Tensor]]:
        """All uses of ops that a result was computed with, in the order of their running, with their outputs."""
        found: dict[int, tuple[Node, Tensor]] = {}
        pending = [result]
        while pending:
            tensor = self.effects.source(pending.pop())[0]
            node = self.effects.node(tensor)
            if node is not None and node.number not in found:
                found[node.number] = node, tensor
                pending += node.inputs or ()
        return [found[number] for number in sorted(found)]

    def use(self, number: int, node: Node, out: Tensor) -> Use:
        inputs, flows = [], []
        wanted = {i for i, _ in node.wanted}
        for i, tensor in enumerate(node.inputs or ()):
            inputs.append(self.value(tensor))
            stopped = self.effects.source(tensor)[1]
            flows.append(i in wanted and not stopped and id(inputs[-1]) in self.flowing)
        self.check(node, inputs, out)
        self.outputs[node.number] = output = Value(COMPUTED, out.shape, out.dtype, number)
        if any(flows):
            self.flowing.add(id(output))
        return Use(node.op, inputs, node.options, output, flows)

    def check(self, node: Node, inputs: Sequence[Value], out: Tensor) -> None:
        """Refuse what kernels compute otherwise, and what was changed after an op had read it."""
        name = node.op.name
        whole = out.dtype.kind != "f" or all(value.dtype.kind != "f" for value in inputs)
        if whole and name not in MOVES and not (name == "cast" and out.dtype.kind == "f"):
            raise CannotCompile(f"{name} of whole numbers has no compiled form; convert them first, .to('float32')")
        constants = [value.tensor for value in inputs if value.kind == CONSTANT and value.tensor is not None]
        if any(tensor._version or tensor._exposed for tensor in constants):  # it may have been written to since
            with np.errstate(all="ignore"):
                again = np.asarray(node.op.run(node.arrays, node.options)[0])
            if again.tobytes() != out._data.tobytes():
                raise CannotCompile(f"a constant that {name} reads is changed in place afterwards; use a copy of it")

    def value(self, tensor: Tensor) -> Value:
        """What a Tensor stands for."""
        source = self.effects.source(tensor)[0]
        node = self.effects.node(source)
        if node is not None:
            return self.outputs[node.number]
        found = self.leaves.get(id(source))
        if found is None:
            kind = PARAMETER if id(source) in self.trained else CONSTANT
            name = self.names.get(id(source)) or source.name or ""
            digest = b"" if kind == PARAMETER else hashlib.blake2b(source._data.tobytes(), digest_size=16).digest()
            found = Value(kind, source.shape, source.dtype, -1, source, name, digest)
            self.leaves[id(source)] = found
            if kind == PARAMETER:
                self.flowing.add(id(found))
        return found
