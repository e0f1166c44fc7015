"""Tracing: one eager step on a batch becomes a list of uses of ops.

A compiled step runs without Python, so Python must do the same at every step. Three checks see to it:
- side_effects.py refuses a model that reads values, changes them or draws random numbers in Python.
- Two fingerprints (fingerprint.py), before and after a call, must be equal: the model may not change itself.
- A second trace, on other values, must use the same ops, inputs and constants.

A value that no op computed is a parameter, a part of the batch, or a constant. Next: lowering.py, which turns uses of
ops into calls of kernels.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_lr.engine.graph import Node
from tinygrad_lr.engine.ops import Op
from tinygrad_lr.engine.questions import QUESTIONS
from tinygrad_lr.engine.tensor import Tensor

from .fingerprint import fingerprint
from .refusal import CannotCompile, unrelated_loss
from .side_effects import Generators, SideEffects, draws

__all__ = ["BATCH", "COMPUTED", "CONSTANT", "PARAMETER", "Function", "Trace", "Use", "Value"]
__all__ += ["difference", "trace", "trace_once"]

Function = Callable[..., Any]  # a model or a loss

BATCH, PARAMETER, CONSTANT, COMPUTED = "batch", "parameter", "constant", "computed"
MOVES = ("reshape", "permute", "index", "clone", "where", "take_along")  # these ops take whole numbers of the batch too


@dataclass(eq=False)
class Value:
    """An array of the step.

    `number` says which tensor of the batch it is, or which use computed it. `tensor` is the parameter or the constant.
    """

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
        """What must be equal in two traces of one step."""
        which: object = self.digest if self.kind == CONSTANT else self.number
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
    """The uses of ops in order, the loss, and the parameters and constants that it depends on.

    `masks`: how many masks of dropout a step draws, also for what the loss does not depend on.
    """

    uses: list[Use]
    loss: Value
    batch: list[Value]
    masks: int
    leaves: list[Value] = field(default_factory=list)

    @property
    def parameters(self) -> list[Value]:
        """The trained parameters among the leaves."""
        return [value for value in self.leaves if value.kind == PARAMETER]


def trace(
    model: Function,
    loss: Function,
    trained: Sequence[Tensor],
    arrays: Sequence[np.ndarray],
    *,
    names: Mapping[int, str] | None = None,
    at_another_step: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Trace:
    """Trace a step on a batch of these arrays, twice, and compare the two traces.

    Args:
        model, loss: as for `fit`.
        trained: the parameters that the steps change.
        arrays: the batch, the target last.
        names: the names of the parameters, by the ids of their Tensors; by default their own.
        at_another_step: a context for the second trace. It changes what differs from step to step, such as the rate.

    Raises:
        CannotCompile: the step does something that ops do not describe.
    """
    for tensor in trained:
        if tensor.device != "cpu":
            raise CannotCompile("compiled training runs on the CPU; move the model with .to('cpu')")
    changing = {id(tensor) for tensor in trained}

    def twice() -> Trace:
        first = trace_once(model, loss, trained, arrays, names)
        before = fingerprint([model, loss], changing)
        with _other_values(trained), at_another_step():
            second = trace_once(model, loss, trained, [_others(array) for array in arrays])
        changed = before.difference(fingerprint([model, loss], changing))
        if changed is not None:
            raise CannotCompile(
                f"{changed} changes at each call, and a compiled step calls neither model nor loss; change it between "
                "epochs (on_epoch), or compute it from the batch with operations of Tensors"
            )
        reason = difference(first, second)
        if reason is not None:
            raise CannotCompile(reason)
        return first

    return _without_draws(twice)


def _others(array: np.ndarray) -> np.ndarray:
    """Other values of the same kind: floats are far from these, whole numbers have another order."""
    other = 0.0625 - array * 100.0 if array.dtype.kind == "f" else np.roll(array.reshape(-1)[::-1], 1)
    return np.ascontiguousarray(other, array.dtype).reshape(array.shape)


@contextmanager
def _other_values(trained: Sequence[Tensor]) -> Iterator[None]:
    """Put other values into the parameters' own memory, so that every view of it changes too."""
    before = [tensor._data.copy() for tensor in trained]
    try:
        with np.errstate(all="ignore"):
            for tensor in trained:
                tensor._data[...] = 0.03125 - tensor._data * 8.0
        yield
    finally:
        for tensor, values in zip(trained, before, strict=True):
            tensor._data[...] = values


def _without_draws(run: Callable[[], Trace]) -> Trace:
    """Return what `run` returns. If it draws random numbers, put the generators back and raise CannotCompile."""
    before = Generators()
    try:
        found = run()
        if before.moved():  # by the model, or by another thread meanwhile
            now = Generators()
            found = run()
            if now.moved():
                raise draws(now.moved()[0])
    except BaseException as error:
        moved = before.moved()
        before.put_back()
        if moved and isinstance(error, CannotCompile):  # the draws explain the rest
            raise draws(moved[0]) from error
        raise
    return found


def trace_once(
    model: Function,
    loss: Function,
    trained: Sequence[Tensor],
    arrays: Sequence[np.ndarray],
    names: Mapping[int, str] | None = None,
) -> Trace:
    """Trace a step on a batch of these arrays once. See `trace`."""
    batch = [Tensor(array) for array in arrays]
    versions = [(tensor, tensor._version) for tensor in (*trained, *batch)]
    with np.errstate(all="ignore"), SideEffects(batch, trained) as effects:
        *given, target = batch
        result = loss(model(*given), target)
    if not isinstance(result, Tensor) or result._data.size != 1:
        raise CannotCompile(f"the loss must be a Tensor with one element, got {result!r}")
    for tensor, version in versions:
        if tensor._version != version:
            raise CannotCompile(f"the model changes {effects.described(tensor)} in place; compute a new Tensor")
    return _Reader(effects, batch, trained, names or {}).read(result)


def difference(first: Trace, second: Trace) -> str | None:
    """Why two traces are not of the same step; None if they are."""
    if first.masks != second.masks or [use.op.name for use in first.uses] != [use.op.name for use in second.uses]:
        return "the ops of a step depend on the values it computes with: the model branches in Python"
    for one, other in zip(first.uses, second.uses, strict=True):
        where = f"{one.op.name} (output of shape {one.output.shape})"
        if not _same(one.options, other.options) or one.output.meaning != other.output.meaning:
            return f"the options or shapes of {where} depend on the values of the batch or the parameters"
        for i, (a, b) in enumerate(zip(one.inputs, other.inputs, strict=True)):
            if a.meaning != b.meaning or one.flows[i] != other.flows[i]:
                return (
                    f"input {i} of {where} is not the same at every step: it depends on values outside the ops that "
                    "can be traced, such as a number that Python keeps or computes"
                )
    if first.loss.meaning != second.loss.meaning:
        return "which value is the loss depends on the values of the batch or the parameters"
    return None


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return bool(np.array_equal(a, b))
    return type(a) is type(b) and bool(a == b)


# --- reading a step back from its graph -------------------------------------------------------------------------------


class _Reader:
    """Reads the graph that a step left behind."""

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
        """The trace of the step that computed `result`, its loss."""
        nodes = self.nodes(result)
        uses = [self.use(i, node, out) for i, (node, out) in enumerate(nodes)]
        final = self.value(result)
        if id(final) not in self.flowing:
            raise unrelated_loss()
        if final.kind != COMPUTED:
            raise CannotCompile("the loss is a parameter itself; compute it with at least one operation")
        return Trace(uses, final, self.batch, self.effects.masks, [v for v in self.leaves.values() if v.kind != BATCH])

    def nodes(self, result: Tensor) -> list[tuple[Node, Tensor]]:
        """The nodes that computed a result and their outputs, in the order in which the ops ran."""
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
        """Refuse whole numbers where kernels round differently, and constants that changed after an op read them."""
        name = node.op.name
        whole = out.dtype.kind != "f" or all(value.dtype.kind != "f" for value in inputs)
        exact = name in MOVES or QUESTIONS.get(name) is node.op or (name == "cast" and out.dtype.kind == "f")
        if whole and not exact:
            raise CannotCompile(f"{name} of whole numbers has no compiled form; convert them first, .to('float32')")
        constants = [value.tensor for value in inputs if value.kind == CONSTANT and value.tensor is not None]
        if any(tensor._version or tensor._exposed for tensor in constants):  # it may have been written to since
            with np.errstate(all="ignore"):
                again = np.asarray(node.op.run(node.arrays, node.options)[0])
            if again.tobytes() != out._data.tobytes():
                raise CannotCompile(f"a constant that {name} reads is changed in place afterwards; use a copy of it")

    def value(self, tensor: Tensor) -> Value:
        """The value that a Tensor stands for."""
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
