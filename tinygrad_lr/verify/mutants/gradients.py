"""Wrong gradients: `GRADIENT_MUTANTS`, by name. Next: clipping.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.engine.tensor import Tensor

from .catalogue import named, words


class GradientMutant(NamedTuple):
    """A wrong gradient.

    Attributes:
        spoil: `spoil(right, inputs)`, what is found where these gradients are right (for P47 and P48: after two uses).
        fn, inputs, options: the arguments of `check_gradients`, and its options; of Tensors, a graph is wrong.
        killed_by, seen_in, entry: as a `Mutant`'s.
    """

    name: str
    spoil: Callable[[list[Any], list[Any]], list[Any]]
    fn: Callable[..., Any]
    inputs: tuple[Any, ...]
    options: Mapping[str, Any]
    killed_by: str
    seen_in: str = ""
    entry: str = ""

    @property
    def named(self) -> str:
        """What is wrong and where it was seen."""
        return named(words(self.name), self.seen_in)


class Graph(Tensor):
    """The square of a Tensor with a graph of its own, which `kind` makes wrong."""

    def __init__(self, x: Tensor, kind: str) -> None:
        super().__init__(x.numpy() ** 2)
        self.source, self.kind, self.uses, self.freed = x, kind, 1.0, False

    def __add__(self, other):
        twice = Graph(self.source, self.kind)
        twice.uses = 1.0 if self.kind == "reuse" else 2.0
        return twice

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        if self.freed:
            raise RuntimeError("this graph was freed")
        self.freed = True
        g = 2 * self.source.numpy() * gradient * self.uses
        g = g * np.abs(gradient) if self.kind == "adjoint" else g
        before = self.source.grad
        more = 0.0 if before is None else 2 * before if self.kind == "again" else before
        self.source.grad = g + more


def _twice(right, inputs):
    return [2 * g if np.ndim(g) < max(map(np.ndim, inputs)) else g for g in right]


def _not_summed(right, inputs):
    largest = max((np.shape(x) for x in inputs), key=len)
    return [
        np.broadcast_to(g, largest).copy() if np.shape(g) == largest[len(largest) - np.ndim(g) :] else g for g in right
    ]


def _ones_at_ties(right, inputs):
    return [np.where((g != 0) & (np.abs(g) < 1), np.sign(g), g) for g in right]


def _nan_at_zero(right, inputs):
    return [np.where(np.asarray(x) == 0, np.nan, g) for g, x in zip(right, inputs, strict=True)]


def _nothing(right, inputs):
    return [np.zeros_like(g) for g in right]


def _last_axis_only(right, inputs):
    return [np.asarray(g)[..., 0] if np.ndim(g) and np.size(g) else g for g in right]


ROWS = np.arange(6.0).reshape(2, 3) / 7 + 0.1
BIAS = np.array([0.3, -0.2, 0.5])


def _of_rows(x, b):
    return float(np.sum((x + b) ** 2))


def _grad_of_rows(x, b):
    return [2 * (x + b), 2 * (x + b).sum(0)]


def _shared(x):
    ties = x == x.max()
    return [ties / ties.sum()]


def _array(name, spoil, fn, right, inputs, killed_by, seen_in="", entry="", **options):
    """A mutant over arrays: the right gradient, spoilt."""
    gradient = lambda *arrays: spoil(right(*arrays), list(arrays))  # noqa: E731
    return GradientMutant(name, spoil, fn, inputs, {"gradient": gradient, **options}, killed_by, seen_in, entry)


def _graph(name, kind, factor, killed_by, seen_in="", entry=""):
    """A mutant whose graph is wrong, and gives so many times what is right."""
    spoil = lambda right, inputs: [factor * g for g in right]  # noqa: E731
    return GradientMutant(name, spoil, lambda x: Graph(x, kind), ([1.0, 2.0],), {}, killed_by, seen_in, entry)


_rows = (
    _graph("CountsOnceWhatIsUsedTwice", "reuse", 0.5, "P47", "micrograd #2, MyGrad #98", "36a"),
    _graph("SecondBackwardAddsTheFirstTwice", "again", 1.5, "P48", "micrograd #53, #102", "36b"),
    _graph("NotLinearInWhatFlowsBack", "adjoint", 2.0, "P45"),
    _array("BroadcastGradientTwice", _twice, _of_rows, _grad_of_rows, (ROWS, BIAS), "P44", "torch #13669", "37a"),
    _array("BroadcastGradientNotSummed", _not_summed, _of_rows, _grad_of_rows, (ROWS, BIAS), "P46"),
    _array(
        "SumOverSeveralAxesGivesBackOne",
        _last_axis_only,
        lambda x: float(np.sum(x)),
        lambda x: [np.ones_like(x)],
        (ROWS,),
        "P46",
        "entry 37b of the list",
        "37b",
    ),
    _array(
        "EveryTieGetsOne",
        _ones_at_ties,
        lambda x: float(np.max(x)),
        _shared,
        ([1.0, 3.0, 3.0],),
        "P49",
        "mxnet #18563",
        "38a",
        declared=[[0.0, 0.5, 0.5]],
    ),
    _array(
        "PowerIsNanAtZero",
        _nan_at_zero,
        lambda x: float(np.sum(x**2)),
        lambda x: [2 * x],
        ([0.0, 2.0],),
        "P44",
        "autograd #116",
        "38b",
    ),
    _array(
        "MaximumDropsTheGradient",
        _nothing,
        lambda x: float(np.max(x)),
        lambda x: [(x == x.max()) * 1.0],
        ([1.0, 3.0, 2.0],),
        "P44",
        "entry 39 of the list",
        "39",
    ),
)
GRADIENT_MUTANTS: dict[str, GradientMutant] = {row.name: row for row in _rows}
