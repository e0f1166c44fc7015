"""What an op is: one row of a table, with its forward, its vector-Jacobian products and its test inputs.

The rows themselves stand in `elementwise.py`, `shapes.py` and `products.py`; `OPS` collects them by name. Everything
that must be said once for all of them is here: how a row is declared, how broadcasting is undone, and how a mistake in
the arguments is reported. Adding a row adds its tests, which run over `OPS`: tests/engine/test_engine_ops.py. For an op
that acts element by element it adds all else too: see `elementwise.py`.

Next: `elementwise.py` to read rows, `graph.py` for who calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.integers import shown
from tinygrad_lr.kernels.ops import elementwise

__all__ = ["OPS", "OUTPUT", "Inputs", "Kink", "Op", "register", "unbroadcast"]

Array = Any  # a NumPy array, or a NumPy scalar in its place inside a row

OUTPUT = -1  # in `reads`: the op's own output

OPS: dict[str, Op] = {}


class Inputs(NamedTuple):
    """Test inputs: the shapes of the inputs, the op's options, and the interval each input is drawn from."""

    shapes: tuple[tuple[int, ...], ...]
    options: tuple[Any, ...] = ()
    domain: tuple[tuple[float, float], ...] | None = None


class Kink(NamedTuple):
    """A point where no derivative exists (or a formula divides by zero), and the gradients declared there."""

    inputs: tuple[Any, ...]
    gradients: tuple[Any, ...]
    options: tuple[Any, ...] = ()


@dataclass(slots=True, eq=False)
class Op:
    """One row of the table.

    Args:
        name: as errors and graphs show it.
        forward: `forward(*arrays, *options) -> array`; with `keeps`, `-> (array, kept)`.
        vjps: one function per input, `vjp(g, out, *arrays, *options) -> array`: the product of the cotangent `g` with
            the Jacobian for that input. It may have the shape and dtype of the broadcast result; `unbroadcast` brings
            it back. It must never write to what it is given. `out` is None unless `reads` names OUTPUT.
        reads: per input, which arrays that vjp reads the *values* of (indices of inputs, or OUTPUT). Changing one of
            them between forward and backward is an error that is caught; shapes may be read freely.
        cases: test inputs. domain: the interval of each input, where a case gives none.
        kinks: declared values.
        analytic: the forward accepts complex arrays, so tests may differentiate it by a complex step.
        distance: for ops with kinks, how far the inputs are from the nearest one.
        view: the result may share memory with input 0.
        conditions: how many inputs, the first ones, are conditions: they have no gradient, and keep their dtype where
            those of the others are made equal.
        condition_kinds: what tests draw for the conditions: "bool", "class" (whole numbers in the input's interval,
            whose ends are counts) or "number".
        keeps: the forward also returns an array of its own making, which the vjps get as `out`: what both need.
        cuda_forward, cuda_vjps: the same on device arrays; None where the op has no CUDA implementation.
        rules: for an op that acts element by element, the rules of its loops (kernels/ops/elementwise.py): that of the
            forward, then that of each vector-Jacobian product. They are `forward` and `vjps` themselves, or the same
            functions written for single numbers.
        floats: whether booleans and whole numbers become float32 first where NumPy's functions fail for them.
        expects: what is said of shapes that do not fit: which ones do. Those of arithmetic must broadcast.
        doc: what the method of this name says that Tensor gets from the row; without it there is no such method.
    """

    name: str
    forward: Callable[..., Array]
    vjps: tuple[Callable[..., Array], ...]
    reads: tuple[tuple[int, ...], ...]
    cases: tuple[Inputs, ...]
    domain: tuple[tuple[float, float], ...] = ((-2.0, 2.0),)
    kinks: tuple[Kink, ...] = ()
    analytic: bool = True
    distance: Callable[..., float] | None = None
    view: bool = False
    conditions: int = 0
    condition_kinds: tuple[str, ...] = ("bool",)
    keeps: bool = False
    cuda_forward: Callable[..., Array] | None = None
    cuda_vjps: tuple[Callable[..., Array], ...] | None = None
    rules: tuple[Callable[..., Array], ...] = ()
    floats: bool = False
    expects: str = ""
    doc: str = ""
    plans: dict[int, tuple[tuple[tuple[int, Callable[..., Array]], ...], tuple[int, ...]]] = field(default_factory=dict)
    on_cuda: Op | None = None
    loops: dict[tuple[str, int, str], Callable[..., None]] = field(default_factory=dict)

    def run(self, arrays: Sequence[Array], options: Sequence[Any]) -> tuple[Array, Array]:
        """The op's output, and what its vjps get as `out`: what the forward kept, or the output."""
        result = self.forward(*arrays, *options)
        return result if self.keeps else (result, result)  # type: ignore[return-value]

    def plan(self, mask: int) -> tuple[tuple[tuple[int, Callable[..., Array]], ...], tuple[int, ...]]:
        """Which vjps run, and which arrays they read, when the inputs whose bit is set in `mask` need a gradient."""
        needed = [i for i in range(len(self.vjps)) if mask >> i & 1]
        reads = sorted({i for k in needed for i in self.reads[k]})
        self.plans[mask] = plan = (tuple((i, self.vjps[i]) for i in needed), tuple(reads))
        return plan

    def loop(self, which: int, dtype: str) -> Callable[..., None]:
        """The compiled loop of a rule for results of a dtype; `which` counts as in `rules`."""
        return self._loop("cpu", which, dtype, elementwise.cpu_loop)

    def cuda_loop(self, which: int, dtype: str) -> Any:
        """The same for CUDA: an `on_gpu`."""
        return self._loop("cuda", which, dtype, elementwise.gpu_loop)

    def _loop(self, device: str, which: int, dtype: str, make: Callable[..., Any]) -> Any:
        key = (device, which, dtype)
        if key not in self.loops:
            name = self.name if which == 0 else f"{self.name}_grad{which - 1}"
            count = len(self.vjps) + (2 if which else 0)
            self.loops[key] = make(self.rules[which], count, name, np.dtype(dtype))
        return self.loops[key]

    def for_device(self, devices: Sequence[str]) -> Op:
        """The row to run on the device all inputs lie on: the one place that dispatches on devices.

        Raises:
            RuntimeError: the inputs lie on different devices.
            NotImplementedError: the op has no CUDA implementation.
        """
        if len(set(devices)) > 1:
            raise RuntimeError(
                f"{self.name}: all inputs must lie on one device, got {' and '.join(devices)}; "
                "move them with .to('cpu') or .to('cuda') first"
            )
        if devices[0] == "cpu":
            return self
        if self.cuda_forward is None or self.cuda_vjps is None:
            raise NotImplementedError(
                f"{self.name} is not implemented on device 'cuda'; move its inputs with .to('cpu') first"
            )
        if self.on_cuda is None:
            self.on_cuda = Op(
                self.name,
                self.cuda_forward,
                self.cuda_vjps,
                self.reads,
                self.cases,
                view=self.view,
                conditions=self.conditions,
                keeps=self.keeps,
                floats=self.floats,
                expects=self.expects,
            )
        return self.on_cuda


def register(op: Op) -> Op:
    """Put a row into the table."""
    if op.name in OPS:
        raise ValueError(f"an op named {op.name!r} is in the table already")
    OPS[op.name] = op
    return op


def unbroadcast(gradient: Array, like: Array) -> Array:
    """Undo broadcasting: sum `gradient` over the axes along which `like` was repeated, and give it `like`'s dtype.

    The gradient of a value used many times is the sum over its uses; a broadcast value is used once per repetition.

    Example:
        >>> unbroadcast(np.ones((4, 3)), np.zeros((1, 3)))
        array([[4., 4., 4.]])
        >>> unbroadcast(np.ones((4, 3)), np.zeros(()))
        array(12.)
    """
    shape = like.shape
    added = gradient.ndim - len(shape)
    if added:
        gradient = np.asarray(np.add.reduce(gradient, axis=0 if added == 1 else tuple(range(added))))
    if gradient.shape != shape:
        repeated = tuple(i for i, n in enumerate(shape) if n == 1 and gradient.shape[i] != 1)
        gradient = np.add.reduce(gradient, axis=repeated, keepdims=True)
    return gradient if gradient.dtype == like.dtype else gradient.astype(like.dtype)


def describe(arrays: Sequence[Array]) -> str:
    """Shapes and dtypes for an error message."""
    return ", ".join(f"{tuple(array.shape)} {array.dtype}" for array in arrays)


def explained(op: Op, arrays: Sequence[Array], error: Exception, options: Sequence[Any] = ()) -> Exception:
    """The error of a failed forward, with the op and its inputs named; in our words where NumPy speaks of its own."""
    kind = next(kind for kind in (TypeError, IndexError, ValueError) if isinstance(error, kind))
    words = f"{error} (inputs: {describe(arrays)})"
    if isinstance(error, np.exceptions.AxisError):
        kind = ValueError
    elif kind is ValueError and op.expects:
        words = f"expected {op.expects}, got {describe(arrays)}{f' and {shown(options[0])}' if op.view else ''}"
    elif words.startswith(("operands could not be broadcast", "shape mismatch")):
        words = f"expected shapes that broadcast: lengths from the last on that are equal or 1, got {describe(arrays)}"
    elif kind is TypeError and "boolean" in words:
        words = "it is not defined for bool; write ~ or ^ of conditions, or convert them with .float()"
        words += f" (inputs: {describe(arrays)})"
    elif kind is TypeError and "integer" in words and options:
        words = f"expected whole numbers, got {shown(options[0])} (inputs: {describe(arrays)})"
    elif "no identity" in words:
        words = f"of no elements it is not defined; check for an empty batch (inputs: {describe(arrays)})"
    return kind(f"{op.name}: {words}")
