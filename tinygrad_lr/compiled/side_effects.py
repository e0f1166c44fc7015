"""Side effects: what a model does in Python, beside the graph, while it is traced.

Machine code runs without Python. If Python reads or changes a value that the step computes with, or draws random
numbers, every compiled step would lack what follows from it. So that raises CannotCompile. Three things are allowed and
noted here, because the graph does not record them: ops without gradients, `detach`, and masks of dropout, whose keys a
compiled step gets. Next: tracing.py.
"""

from __future__ import annotations

import random as python_random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lr.engine.graph import Node
from tinygrad_lr.engine.recording import switch
from tinygrad_lr.engine.tensor import Tensor

from .fingerprint import comparable
from .refusal import CannotCompile

__all__ = ["Drawn", "Generators", "SideEffects", "draws"]


class Drawn(int):
    """The key of a mask of dropout in a trace: the number of the mask in its step, where each step has keys anew."""


class SideEffects:
    """The engine's watcher while a step is traced (`engine.recording.Watcher`): installed by a `with` block.

    Args:
        batch: the Tensors of the batch, the target last.
        trained: the parameters that are trained.

    Raises:
        CannotCompile: Python reads or changes a value of the batch, of a trained parameter, or computed from them.
    """

    def __init__(self, batch: Sequence[Tensor], trained: Sequence[Tensor]) -> None:
        *inputs, target = batch
        self.leaves = {id(t): f"parameter {t.name!r}" if t.name else f"a parameter of shape {t.shape}" for t in trained}
        self.leaves |= {id(t): f"input {i} of the model" if i else "the model's input" for i, t in enumerate(inputs)}
        self.leaves[id(target)] = "the target"
        self.kept: list[Tensor] = [*batch, *trained]  # what is known by its id must live
        self.nodes: dict[int, tuple[Node, Tensor]] = {}
        self.origins: dict[int, Tensor] = {}
        self.depending: dict[int, bool] = {}  # nodes by their number
        self.refused: CannotCompile | None = None
        self.masks = 0  # drawn so far

    def __enter__(self) -> SideEffects:
        self.before, switch.watcher = switch.watcher, self
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        switch.watcher = self.before
        if self.refused is not None and error is not self.refused:  # the model caught it
            raise self.refused from error

    # --- events of the engine -----------------------------------------------------------------------------------------

    def touched(self, tensor: Tensor, how: str) -> None:
        if self.depends(tensor):
            self.refused = CannotCompile(
                f"Python reads or changes values of {self.described(tensor)} ({how}): a compiled step runs without "
                "Python and would not do it again. Compute with operations of Tensors, or outside of model and loss"
            )
            raise self.refused

    def unrecorded(self, node: Node, out: Tensor) -> None:
        if any(self.depends(tensor) for tensor in node.inputs or ()):
            self.nodes[id(out)] = node, out

    def detached(self, out: Tensor, tensor: Tensor) -> None:
        self.kept.append(out)
        self.origins[id(out)] = tensor

    def drawing(self) -> None:
        self.refused = draws("tinygrad_lr")
        raise self.refused

    def masked(self) -> Drawn:
        self.masks += 1
        return Drawn(self.masks - 1)

    # --- what follows from them ---------------------------------------------------------------------------------------

    def source(self, tensor: Tensor) -> tuple[Tensor, bool]:
        """The Tensor that a value comes from, and whether it was detached in between."""
        stopped = False
        while id(tensor) in self.origins:
            tensor, stopped = self.origins[id(tensor)], True
        base = tensor._base
        if base is not None and tensor._node is None and id(base) in self.leaves and _same_memory(tensor, base):
            return base, True  # it was detached before
        return tensor, stopped

    def node(self, tensor: Tensor) -> Node | None:
        """The node of the op that computed a Tensor, recorded or not; None for a leaf."""
        hidden = self.nodes.get(id(tensor))
        return tensor._node if hidden is None else hidden[0]

    def depends(self, tensor: Tensor) -> bool:
        """Whether a value belongs to the batch or a trained parameter, or was computed from one."""
        start = self.source(tensor)[0]
        if id(start) in self.leaves:
            return True
        first = self.node(start)
        pending = [] if first is None else [first]
        while pending:
            node = pending[-1]
            if node.number in self.depending:
                pending.pop()
                continue
            sources = [self.source(each)[0] for each in node.inputs or ()]
            above = [n for n in map(self.node, sources) if n is not None]
            unknown = [n for n in above if n.number not in self.depending]
            if unknown and not any(id(each) in self.leaves for each in sources):
                pending += unknown
                continue
            found = any(id(each) in self.leaves for each in sources)
            self.depending[node.number] = found or any(self.depending[n.number] for n in above)
        return first is not None and self.depending[first.number]

    def described(self, tensor: Tensor) -> str:
        """A Tensor in words."""
        source = self.source(tensor)[0]
        node = self.node(source)
        if node is None:
            return self.leaves.get(id(source), f"a constant of shape {source.shape}")
        return f"the output of {node.op.name}, of shape {source.shape}"


def draws(whose: str) -> CannotCompile:
    """The error for random numbers."""
    return CannotCompile(
        f"the model or the loss draws random numbers ({whose}'s generator), which a compiled step would not draw anew; "
        "draw them before training, into the dataset"
    )


def _same_memory(one: Tensor, other: Tensor) -> bool:
    """Whether two Tensors show the same elements in the same places."""
    a, b = one._data, other._data
    return bool(a.ctypes.data == b.ctypes.data and a.shape == b.shape and a.strides == b.strides)


GENERATORS: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {  # reads and sets the state
    "NumPy": (lambda: np.random.get_state(legacy=False), np.random.set_state),  # noqa: NPY002
    "Python": (python_random.getstate, python_random.setstate),
}


class Generators:
    """The states of NumPy's and Python's global generators. All threads share them, and they notify nobody."""

    def __init__(self) -> None:
        self.states = {name: state() for name, (state, _) in GENERATORS.items()}

    def moved(self) -> list[str]:
        """The names of the generators that have another state now."""
        return [name for name, (state, _) in GENERATORS.items() if comparable(state()) != comparable(self.states[name])]

    def put_back(self) -> None:
        """Give them the states that they had."""
        for name in self.moved():
            GENERATORS[name][1](self.states[name])
