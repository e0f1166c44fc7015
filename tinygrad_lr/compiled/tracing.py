"""Tracing: one eager step on a batch, twice, as a list of uses of ops.

Three guards keep a trace true, where a model does in Python what a compiled step would not do again: reading or
changing values and drawing random numbers (side_effects.py), changing itself at each call (fingerprint.py), and what
depends on values all the same: a second trace on other values must give the same uses, inputs and constants. Next:
lowering.py, which turns uses of ops into calls of kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from tinygrad_lr.engine.tensor import Tensor

from .fingerprint import fingerprint
from .reading import Reader, Trace
from .refusal import CannotCompile
from .side_effects import Generators, SideEffects, draws

__all__ = ["difference", "trace", "trace_once"]


def trace(
    model: Callable[..., Any],
    loss: Any,
    trained: Sequence[Tensor],
    arrays: Sequence[np.ndarray],
    *,
    names: Mapping[int, str] | None = None,
    elsewhere: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Trace:
    """Trace a step on a batch of these arrays, twice, and compare.

    Args:
        model, loss: as for `fit`.
        trained: the parameters that the steps change.
        arrays: the batch, the target last.
        names: what to call the parameters, by the ids of their Tensors; by default as they are called.
        elsewhere: a context in which other things that Python may read stand as they might at another step.

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
        with _other_values(trained), elsewhere():
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
    """Other values of the same kind: floats far from these, whole numbers in another order."""
    other = 0.0625 - array * 100.0 if array.dtype.kind == "f" else np.roll(array.reshape(-1)[::-1], 1)
    return np.ascontiguousarray(other, array.dtype).reshape(array.shape)


@contextmanager
def _other_values(trained: Sequence[Tensor]) -> Iterator[None]:
    """Other values in the parameters' own memory, so that whatever shows that memory changes too."""
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
    """What `run` gives, unless random numbers were drawn: the generators are then put back, and it is refused."""
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
    model: Callable[..., Any],
    loss: Any,
    trained: Sequence[Tensor],
    arrays: Sequence[np.ndarray],
    names: Mapping[int, str] | None = None,
) -> Trace:
    """Trace a step on a batch of these arrays, to be held against another trace. See `trace`."""
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
    return Reader(effects, batch, trained, names or {}).read(result)


def difference(first: Trace, second: Trace) -> str | None:
    """Why two traces are not of the same step; None where they are."""
    if [use.op.name for use in first.uses] != [use.op.name for use in second.uses]:
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
