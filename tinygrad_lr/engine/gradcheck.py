"""gradcheck compares what `backward` computes with central differences, and names the op at fault.

The differences are extrapolated to step 0 by Ridders' method (C. Ridders, "Accurate computation of F'(x) and
F'(x) F''(x)", Advances in Engineering Software 4, 1982; Numerical Recipes, 5.7), which also estimates their error. So
the tolerance is derived for every element: ten times that estimate, plus the rounding of one evaluation divided by the
step. Typically it is 1e-11 of the value.

Next: `ops.py` for the declared values at kinks, where differences cannot decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .graph import Node
from .ops import OUTPUT, unbroadcast
from .recording import no_grad, switch
from .tensor import Tensor

__all__ = ["GradcheckError", "gradcheck"]

LEVELS = 14  # steps from 1/8 of the value's scale down to 1/8 / 2^13
UNIT = 2.0**-53
LOOSEST = 1e-2  # of a derivative: differences that are known less well, for more than rounding, prove nothing


class GradcheckError(AssertionError):
    """A gradient and central differences disagree."""


class Mismatch(NamedTuple):
    """An element whose derivative is wrong; its text is the message."""

    element: tuple[int, ...]
    computed: float
    expected: float
    tolerance: float

    def __str__(self) -> str:
        where = f"element {list(self.element)}" if self.element else "its only element"
        return (
            f"{where}: backward gives {self.computed:.12g}, central differences {self.expected:.12g} "
            f"(they may differ by {self.tolerance:.1g})"
        )


def gradcheck(fn: Callable[..., Tensor], *inputs: Any) -> bool:
    """Check the gradient of `fn` at `inputs`; returns True or raises.

    Every element of every input is moved in place and put back. The result of `fn` may have any shape; its elements are
    weighed with fixed, unequal cotangents. At a kink central differences give the mean of the two slopes, which need
    not be the declared value: check elsewhere.

    Args:
        fn: a function of Tensors that returns a Tensor; it may also use Tensors of its own.
        inputs: float64 Tensors, of which those that require gradients are checked; arrays and numbers become such
            Tensors.

    Returns:
        True.

    Raises:
        GradcheckError: they disagree. The message names the op and its input where one op is wrong by itself, else the
            input of `fn`, the element, and both values.
        TypeError: an input is not float64, or `fn` does not return a Tensor.
        ValueError: nothing to check, or `fn` gives another result when called again.
        RuntimeError: called inside no_grad.

    Example:
        >>> gradcheck(lambda x: (x * x).sum(), [1.0, 2.0])
        True
    """
    if not switch.recording:
        raise RuntimeError("gradcheck needs to record what fn computes; call it outside no_grad")
    tensors = [x if isinstance(x, Tensor) else Tensor(x, requires_grad=True, dtype="float64") for x in inputs]
    checked = [(i, x) for i, x in enumerate(tensors) if x.requires_grad]
    for i, x in checked:
        if x.dtype != np.float64 or not x.is_leaf or x.device != "cpu":
            raise TypeError(
                f"input {i} of gradcheck must be a float64 leaf on the CPU, got {x!r}; use .detach().to('float64') or "
                "pass an array"
            )
    if not checked:
        raise ValueError("gradcheck has nothing to check: no input requires gradients")

    gradients, out, cotangent = _backward(fn, tensors, checked)
    roundings = len(_nodes(out)) + max((node.arrays[0].size for node in _nodes(out)), default=1)
    magnitude = float(np.sum(np.abs(cotangent * out._data)))

    def projected() -> float:
        with no_grad():
            return float(np.sum(cotangent * fn(*tensors)._data))

    start = projected()
    if start != projected() and not np.isnan(start):
        raise ValueError("fn gives different results for the same inputs; seed its random numbers, e.g. by manual_seed")
    for (i, x), gradient in zip(checked, gradients, strict=True):
        found = first_mismatch(projected, x._data, gradient, magnitude, roundings)
        if found is not None:
            for node in _nodes(out):
                _check_node(node)
            raise GradcheckError(
                f"gradcheck: input {i} of fn, {found}. Every recorded op agrees by itself: either a value was taken "
                "out of the graph (.data, .numpy(), .item(), detach), or this point is at a kink"
            )
    return True


def _backward(
    fn: Callable[..., Tensor], tensors: list[Tensor], checked: list[tuple[int, Tensor]]
) -> tuple[list[np.ndarray], Tensor, np.ndarray]:
    """The gradients for a fixed cotangent, leaving the tensors' own `.grad` as they were; the graph is retained."""
    out = fn(*tensors)
    if not isinstance(out, Tensor):
        raise TypeError(f"fn must return a Tensor, got {type(out).__name__}")
    cotangent = np.random.default_rng(0).uniform(0.5, 1.5, out.shape)
    before = [(x, x._grad, x._grad_slot) for x in _leaves(out, [x for _, x in checked])]
    try:
        for x, _, _ in before:
            x._grad = x._grad_slot = None
        if out.requires_grad:
            out.backward(cotangent, retain_graph=True)
        gradients = [np.zeros(x.shape) if x._grad is None else x._grad for _, x in checked]
    finally:
        for x, grad, slot in before:
            x._grad, x._grad_slot = grad, slot
    return gradients, out, cotangent


def _nodes(out: Tensor) -> list[Node[Tensor]]:
    """All nodes that `out` was computed by, the oldest first."""
    found: dict[int, Node[Tensor]] = {}
    stack = [out._node]
    while stack:
        node = stack.pop()
        if node is not None and node.number not in found:
            found[node.number] = node
            stack.extend(source._node for source in node.inputs or ())
    return [found[number] for number in sorted(found)]


def _leaves(out: Tensor, more: list[Tensor]) -> list[Tensor]:
    used = [source for node in _nodes(out) for source in node.inputs or () if source._node is None]
    return list({id(x): x for x in [out, *used, *more] if x._node is None}.values())


def _check_node(node: Node[Tensor]) -> None:
    """Raise GradcheckError if one of a node's own vector-Jacobian products is wrong at the arrays it was used with."""
    op = node.op
    arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in node.arrays]
    value, kept = map(np.asarray, op.run(arrays, node.options))
    cotangent = np.random.default_rng(1).uniform(0.5, 1.5, value.shape)
    magnitude = float(np.sum(np.abs(cotangent * value)))

    def projected() -> float:
        return float(np.sum(cotangent * op.run(arrays, node.options)[0]))

    for i, vjp in node.wanted:
        reads_output = op.keeps or any(OUTPUT in reads for reads in op.reads)
        computed = np.asarray(vjp(cotangent, kept if reads_output else None, *arrays, *node.options))
        if computed.shape != arrays[i].shape:
            computed = unbroadcast(computed, arrays[i])
        found = first_mismatch(projected, arrays[i], computed, magnitude, max(a.size for a in arrays) + 8)
        if found is not None:
            raise GradcheckError(f"gradcheck: op {op.name!r}, input {i} of shape {arrays[i].shape}, {found}")


def first_mismatch(
    f: Callable[[], float], array: np.ndarray, computed: np.ndarray, magnitude: float, roundings: int
) -> Mismatch | None:
    """The first element of `array`, moved in place and put back, whose derivative of `f` is not the one computed."""
    gamma = roundings * UNIT / (1 - roundings * UNIT)
    for element in np.ndindex(array.shape):
        before = float(array[element])

        def moved(step: float, element: tuple[int, ...] = element, before: float = before) -> tuple[float, float]:
            array[element] = before + step
            return f(), float(array[element]) - before

        try:
            expected, error, step = _derivative(moved, max(abs(before), 1.0))
        finally:
            array[element] = before
        value = float(computed[element])
        rounding = 2 * gamma * (magnitude / step + abs(expected))
        tolerance = 10 * error + rounding
        if tolerance > max(LOOSEST * max(abs(expected), abs(value)), 100 * rounding):
            raise GradcheckError(
                f"element {list(element)}: central differences do not settle ({expected:.6g} +- {error:.2g}) "
                "and prove nothing; is the function noisy here, or at a jump? Check elsewhere"
            )
        if not abs(value - expected) <= tolerance and not (np.isnan(value) and np.isnan(expected)):
            return Mismatch(element, value, expected, tolerance)
    return None


def _derivative(moved: Callable[[float], tuple[float, float]], scale: float) -> tuple[float, float, float]:
    """Ridders' method: the derivative at step 0, an estimate of its error, and the step it rests on.

    `moved(step)` returns the value after a step, and the step really taken in floating point.
    """
    best = (float("nan"), float("inf"), 1.0)
    above: list[float] = []
    for level in range(LEVELS):
        step = scale / 8 / 2**level
        with np.errstate(all="ignore"):
            high, up = moved(step)
            low, down = moved(-step)
        if not (np.isfinite(high) and np.isfinite(low)):
            above = []  # outside the domain: start again with smaller steps
            continue
        row = [(high - low) / (up - down)]
        for order, previous in enumerate(above, start=1):
            row.append(row[-1] + (row[-1] - previous) / (4**order - 1))
            error = max(abs(row[order] - row[order - 1]), abs(row[order] - previous))
            if error <= best[1]:
                best = (row[order], error, step)
        above = row[:6]
    return best
