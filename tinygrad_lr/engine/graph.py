"""The graph that a computation leaves behind, and `backward`, which goes through it.

A `Node` is one recorded use of an op: its inputs, and the arrays that its vector-Jacobian products read. Nodes are
numbered in the order of their creation, and the inputs of a node are always older than the node. So `backward` takes
the pending node with the highest number first: it visits each node once, after all its uses, without recursion.

Next: `ops.py` for the rows whose products are called here, `saved.py` for the versions that are compared, `tensor.py`
for who records.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any, Generic, Protocol, TypeVar
from weakref import ReferenceType, ref

from numpy import asarray, generic, ndarray

from . import on_cuda
from .dtypes import Array
from .ops import OUTPUT, Op, unbroadcast
from .saved import Guarded, current_version, version_to_save

__all__ = ["Node", "Variable", "backward"]

_next_number = count(1).__next__


class Variable(Guarded, Protocol):
    """What the graph needs of a Tensor."""

    @property
    def _node(self) -> Node[Any] | None:
        """How it was computed; None for a leaf."""

    def _accumulate(self, gradient: Array) -> None:
        """Add to its gradient."""


_Tensor = TypeVar("_Tensor", bound=Variable)


class Node(Generic[_Tensor]):
    """One recorded use of an op. `inputs` is None once the node is freed."""

    __slots__ = ("__weakref__", "arrays", "inputs", "number", "op", "options", "out", "output", "saved", "wanted")

    def __init__(
        self,
        op: Op,
        mask: int,
        inputs: Sequence[_Tensor],
        arrays: list[Array],
        options: tuple[Any, ...],
        out: _Tensor,
        kept: Array | None,
    ) -> None:
        plan = op.plans.get(mask)
        self.wanted, reads = op.plan(mask) if plan is None else plan
        self.op = op
        self.inputs: Sequence[_Tensor] | None = inputs
        self.arrays = arrays
        self.options = options
        self.number = _next_number()
        self.out = kept
        self.output: ReferenceType[_Tensor] | None = None  # weak, because the output holds this node
        self.saved: Sequence[tuple[int, int]] = ()  # which arrays are needed, and the versions of their Tensors
        if not reads:
            return
        self.saved = saved = []
        for i in reads:
            if i == OUTPUT:
                self.out, self.output = out._data, ref(out)
                saved.append((i, version_to_save(out, self.out)))
            else:
                saved.append((i, version_to_save(inputs[i], arrays[i])))

    def check(self) -> None:
        """Raise RuntimeError if an array that is needed was changed since the op ran."""
        for i, version in self.saved:
            if i != OUTPUT:
                array, tensor = self.arrays[i], None if self.inputs is None else self.inputs[i]
            else:
                array, tensor = self.out, None if self.output is None else self.output()
            if tensor is not None and current_version(tensor, array) != version:
                what = "its output" if i == OUTPUT else f"input {i}"
                raise RuntimeError(
                    f"backward through {self.op.name}: {what}, of shape {tuple(array.shape)}, was changed in place "
                    "after it was used, and the gradient needs its old values; call backward() before changing it, or "
                    "change a .clone()"
                )

    def free(self) -> None:
        """Let go of inputs and arrays."""
        self.inputs = self.out = self.output = None
        self.arrays, self.saved, self.options = [], (), ()


def _sum(a: Array, b: Array) -> Array:
    return asarray(a + b) if isinstance(a, ndarray) else on_cuda.add(a, b)


def backward(tensor: Variable, gradient: Array, retain_graph: bool) -> None:
    """Add to every leaf that `tensor` was computed from the product of `gradient` with the leaf's Jacobian.

    If an error is raised, no leaf was written to and nothing was freed.
    """
    leaves: dict[Variable, Array] = {}
    start = tensor._node
    if start is None:
        tensor._accumulate(gradient)
        return
    pending = {start: gradient}
    queue = [(-start.number, start)]
    done = []
    while queue:
        node = heappop(queue)[1]
        g = pending.pop(node)
        inputs = node.inputs
        if inputs is None:
            raise RuntimeError(
                f"backward through {node.op.name}: the graph was freed by an earlier backward(); "
                "compute the result again, or call the first backward(retain_graph=True)"
            )
        if node.saved:
            node.check()
        arrays, out, options = node.arrays, node.out, node.options
        for i, vjp in node.wanted:
            part = vjp(g, out, *arrays, *options)
            array = arrays[i]
            if part.shape != array.shape or part.dtype is not array.dtype:
                part = unbroadcast(part, array)
            if isinstance(part, generic):  # NumPy's results without axes are scalars
                part = asarray(part)
            source = inputs[i]
            parent = source._node
            if parent is None:
                leaves[source] = _sum(leaves[source], part) if source in leaves else part
            elif parent in pending:
                pending[parent] = _sum(pending[parent], part)
            else:
                pending[parent] = part
                heappush(queue, (-parent.number, parent))
        done.append(node)
    for leaf, total in leaves.items():
        leaf._accumulate(total)
    if not retain_graph:
        for node in done:
            node.free()
