"""The graph that a computation leaves behind, and the walk back through it.

A `Node` is one recorded use of an op: its inputs, its output where the vector-Jacobian products read it, and what must
not change until `backward`. Nodes carry a creation number; a node's inputs are always older than the node itself, so
walking by descending number visits every node once, after all its uses, without recursion.

Next: `ops.py` for the rows whose products are called here, `tensor.py` for who records.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import ref

from numpy import asarray, generic, ndarray

from . import on_cuda
from .dtypes import to_host
from .ops import OUTPUT, Op, unbroadcast

if TYPE_CHECKING:
    from .tensor import Tensor

__all__ = ["Node", "Watcher", "backward", "expose", "no_grad", "switch", "tell"]

_next_number = count(1).__next__
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Watcher(Protocol):
    """Is told, while it stands in `switch.watcher`, what no recorded node shows; compiled training traces with one."""

    def touched(self, tensor: Tensor, how: str) -> None:
        """Python is about to read a Tensor's values, or to change them, by `how`."""

    def unrecorded(self, node: Node, out: Tensor) -> None:
        """An op was run and not recorded; the node is what would have been left behind, without gradients."""

    def detached(self, out: Tensor, tensor: Tensor) -> None:
        """`out` shows the memory of `tensor` without its history."""

    def drawing(self) -> None:
        """tinygrad_lr's generator of random numbers is asked for, or started anew."""


class _Switch(threading.local):
    recording = True
    watcher: Watcher | None = None


switch = _Switch()


def tell(tensor: Any, how: str) -> None:
    """Tell the watcher, where there is one, that Python is about to read or to change a Tensor's values."""
    if switch.watcher is not None:
        switch.watcher.touched(tensor, how)


class no_grad(ContextDecorator):
    """Record nothing inside a `with` block, or in the calls of a decorated function; per thread.

    Raises:
        TypeError: a generator function is decorated (its body would run outside the block).

    Example:
        >>> from tinygrad_lr import no_grad, tensor
        >>> w = tensor([2.0], requires_grad=True)
        >>> with no_grad():
        ...     (w * w).requires_grad
        False
    """

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> no_grad:
        self._before.append(switch.recording)
        switch.recording = False
        return self

    def __exit__(self, *exception: object) -> None:
        switch.recording = self._before.pop()

    def _recreate_cm(self) -> no_grad:
        return no_grad()  # recursive and threaded calls of a decorated function each remember their own `_before`

    def __call__(self, function: _Function) -> _Function:
        if inspect.isgeneratorfunction(function):
            raise TypeError(
                f"no_grad cannot decorate the generator {function.__name__}: its body runs after the call returns; "
                "write `with no_grad():` inside it"
            )
        return super().__call__(function)


class Node:
    """One recorded use of an op. `inputs` is None once the node is freed."""

    __slots__ = (
        "__weakref__",
        "arrays",
        "copies",
        "inputs",
        "number",
        "op",
        "options",
        "out",
        "output",
        "saved",
        "wanted",
    )

    def __init__(self, op: Op, mask: int, inputs: Any, arrays: list[Any], options: Any, out: Tensor, kept: Any) -> None:
        plan = op.plans.get(mask)
        self.wanted, reads = op.plan(mask) if plan is None else plan
        self.op = op
        self.inputs: tuple[Tensor, ...] | None = inputs
        self.arrays = arrays
        self.options = options
        self.number = number = _next_number()
        self.copies: dict[int, bytes] | None = None
        self.out = kept
        self.output = None
        self.saved: Any = ()
        if not reads:
            return
        me = ref(self)
        self.saved = saved = []
        for i in reads:
            if i == OUTPUT:
                self.out = out._data
                self.output = ref(out)
                continue
            tensor = inputs[i]
            saved.append((tensor, tensor._version, i))
            root = tensor._base
            if root is None:
                root = tensor
            else:
                saved.append((root, root._version, i))
            if root._exposed:
                self.keep_copy(i)
            if root._readers is None:
                root._readers = {number: me}
            else:
                root._readers[number] = me
                if len(root._readers) > 127:
                    _forget_the_dead(root)

    def keep_copy(self, i: int) -> None:
        """Remember the bytes of a saved array that can be written without the graph being told."""
        if self.copies is None:
            self.copies = {}
        array = self.out if i == OUTPUT else self.arrays[i]
        self.copies[i] = to_host(array).tobytes()

    def check(self) -> None:
        """Raise RuntimeError if the output, or an array that can change unnoticed, differs from what was saved."""
        if self.output is not None:
            out = self.output()
            if out is not None and out._version:
                raise self.changed(OUTPUT)
        if self.copies is not None:
            for i, content in self.copies.items():
                array = self.out if i == OUTPUT else self.arrays[i]
                if to_host(array).tobytes() != content:
                    raise self.changed(i)

    def changed(self, i: int) -> RuntimeError:
        array: Any = self.out if i == OUTPUT else self.arrays[i]
        what = "its output" if i == OUTPUT else f"input {i}"
        return RuntimeError(
            f"backward through {self.op.name}: {what}, of shape {tuple(array.shape)}, was changed in place after it "
            "was used, and the gradient needs its old values; call backward() before changing it, or change a .clone()"
        )

    def free(self) -> None:
        for tensor, _, _ in self.saved:
            if tensor._readers is not None:
                tensor._readers.pop(self.number, None)
        self.inputs = self.out = self.output = self.copies = None
        self.arrays, self.saved, self.options = [], (), ()


def _forget_the_dead(root: Tensor) -> None:
    """Drop readers that were collected without a backward. Doubling thresholds keep this cheap per use."""
    readers = root._readers
    if readers is not None and len(readers) & (len(readers) - 1) == 0:
        root._readers = {number: node for number, node in readers.items() if node() is not None}


def expose(tensor: Tensor) -> None:
    """Note that a tensor's array is about to be handed out: from now on it can change without the graph being told.

    Nodes that already hold it take a copy of its bytes now, later ones when they save it; `backward` compares.
    """
    root = tensor if tensor._base is None else tensor._base
    if root._exposed:
        return
    root._exposed = True
    for reader in list((root._readers or {}).values()):
        node = reader()
        if node is not None and node.inputs is not None:
            for saved, _, i in node.saved:
                if saved is root:
                    node.keep_copy(i)
    node = root._node
    if node is not None and node.output is not None:
        node.keep_copy(OUTPUT)


def _sum(a: Any, b: Any) -> Any:
    return asarray(a + b) if isinstance(a, ndarray) else on_cuda.add(a, b)


def backward(tensor: Tensor, gradient: Any, retain_graph: bool) -> None:
    """Add to every leaf that `tensor` was computed from the product of `gradient` with the leaf's Jacobian.

    Nothing is written to a leaf, and nothing is freed, unless the whole walk succeeds.
    """
    leaves: dict[Tensor, Any] = {}
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
        for saved, version, i in node.saved:
            if saved._version != version:
                raise node.changed(i)
        if node.output is not None or node.copies is not None:
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
