"""`check_gradients`: P44 to P49 on a function and its gradient, as a report. Next: ../engine/gradcheck.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.engine.gradcheck import GradcheckError, first_mismatch, gradcheck
from tinygrad_lr.engine.tensor import Tensor

from .diagnose_more import nearest_wrong_gradient
from .kit import name_of
from .outcomes import timed
from .report import Finding, Report

TIMEOUT = 60.0
SAYS = {
    "P44": "The gradient equals central differences, within their error.",
    "P45": "What flows back is linear in v, and <v, J u> = <J' v, u>.",
    "P46": "Each gradient has the shape and dtype of its input.",
    "P47": "A value used twice counts twice, and inputs keep their bits.",
    "P48": "Two graphs add up in grad; going back through a freed graph raises.",
    "P49": "At these inputs the gradient is the declared one.",
    "P2": "The same inputs give the same bits every time.",
}


class Check(NamedTuple):
    """A property of gradients and its check, which raises GradcheckError."""

    id: str
    statement: str
    run: Callable[[], Any]
    reason: str = ""
    """Why it says nothing here; empty where it does."""


def check_gradients(
    fn: Callable[..., Any],
    *inputs: Any,
    gradient: Callable[..., Any] | None = None,
    declared: Sequence[Any] | None = None,
    timeout: float | None = TIMEOUT,
) -> Report:
    """Check the gradient of a function at given inputs.

    Args:
        fn: of Tensors, returning a Tensor, whose gradient is what `backward` gives; or, with `gradient`, of float64
            NumPy arrays, returning one number.
        inputs: numbers, lists, arrays or Tensors; at a kink pass `declared`, as no derivative can be measured there.
        gradient: `gradient(*arrays)` gives one array, or one for each input, of the inputs' shapes.
        declared: the gradient of each input that is promised at these inputs (P49, instead of P44 and P45).
        timeout: seconds a property may take.

    Returns:
        A `Report`: P44 (central differences), P45 (linear in what flows back), P46 (shape and dtype), P47 (a value used
        twice), P48 (accumulation, freed graphs), P49 (declared values), P2 (the same bits when asked again).

    Raises:
        TypeError, ValueError: no inputs, or a function that is not callable.

    Example:
        >>> check_gradients(lambda x: (x * x).sum(), [1.0, 2.0]).ok
        True
        >>> report = check_gradients(lambda x: float((x**3).sum()), [1.0, 2.0], gradient=lambda x: 2 * x**2)
        >>> report.ok, report["P44"].outcome
        (False, 'failed')
        >>> check_gradients(lambda x: x.relu().sum(), [-1.0, 0.0, 2.0], declared=[[0.0, 0.0, 1.0]])["P49"].outcome
        'passed'
    """
    if not callable(fn) or (gradient is not None and not callable(gradient)):
        raise TypeError(f"fn and gradient must be callable, got {type(fn).__name__} and {type(gradient).__name__}")
    if not inputs:
        raise ValueError("check_gradients needs inputs to check at: check_gradients(fn, x, ...)")
    arrays = [np.array(x.numpy() if isinstance(x, Tensor) else x, np.float64) for x in inputs]
    ask = (lambda: _of_tensors(fn, arrays)) if gradient is None else (lambda: _of_arrays(gradient, arrays))
    measured = "at a kink a derivative is declared, not measured" if declared is not None else ""
    graph = "there is no graph: fn takes arrays" if gradient is not None else ""
    checks = [
        Check("P44", SAYS["P44"],
              (lambda: gradcheck(fn, *arrays)) if gradient is None else (lambda: _differences(fn, arrays, ask())),
              measured),
        Check("P45", SAYS["P45"], lambda: _adjoint(fn, arrays),
              graph or measured),
        Check("P46", SAYS["P46"], lambda: _shapes(arrays, ask())),
        Check("P47", SAYS["P47"], lambda: _reuse(fn, arrays), graph),
        Check("P48", SAYS["P48"], lambda: _again(fn, arrays),
              graph),
        Check("P49", SAYS["P49"], lambda: _declared(declared, ask()),
              "" if declared is not None else "pass declared= to have the values at a kink checked"),
        Check("P2", SAYS["P2"], lambda: _same(ask(), ask())),
    ]  # fmt: skip
    example = {f"input_{i}": array.tolist() for i, array in enumerate(arrays)}
    nearest = lambda check: nearest_wrong_gradient(check.id, fn, arrays, ask(), declared)  # noqa: E731
    findings = [timed(lambda check=check: _finding(check, example, nearest), check, timeout) for check in checks]  # type: ignore[misc]
    return Report(f"the gradient of {name_of(fn)}", findings)


def _of_tensors(fn: Any, arrays: list[Any]) -> list[Any]:
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    out = fn(*tensors)
    out.backward(np.ones(out.shape))
    return [np.zeros_like(a) if t.grad is None else t.grad for a, t in zip(arrays, tensors, strict=True)]


def _flowing(fn: Any, arrays: list[Any], v: Any) -> list[Any]:
    """What flows back to each input from v."""
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    fn(*tensors).backward(v)
    return [np.zeros_like(a) if t.grad is None else t.grad for a, t in zip(arrays, tensors, strict=True)]


def _adjoint(fn: Any, arrays: list[Any]) -> None:
    rng = np.random.default_rng(0)
    out = np.asarray(fn(*map(Tensor, arrays)).numpy())
    v, w = rng.normal(size=(2, *out.shape))
    together, apart = _flowing(fn, arrays, v + w), (_flowing(fn, arrays, v), _flowing(fn, arrays, w))
    for i, (found, one, other) in enumerate(zip(together, *apart, strict=True)):
        size = np.abs(one) + np.abs(other) + np.abs(one).max(initial=0) + np.abs(other).max(initial=0)
        bound = 2.0**-53 * 16 * max(out.size, found.size, 1) * size
        if (np.abs(found - one - other) > bound).any():
            raise GradcheckError(f"input {i}: what flows back from v + w is not the sum of what does from v and from w")
    u = [rng.normal(size=array.shape) for array in arrays]
    t = np.zeros(1)

    def along() -> float:
        moved = [array + t[0] * direction for array, direction in zip(arrays, u, strict=True)]
        return float(np.sum(v * fn(*map(Tensor, moved)).numpy()))

    expected = sum(float(np.sum(g * direction)) for g, direction in zip(apart[0], u, strict=True))
    magnitude = float(np.sum(np.abs(v * out)))
    found = first_mismatch(along, t, np.array([expected]), magnitude, 32 + out.size + sum(a.size for a in arrays))
    if found is not None:
        raise GradcheckError(f"along a direction u, {found}")


def _reuse(fn: Any, arrays: list[Any]) -> None:
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    y = fn(*tensors)
    (y + y).backward(np.ones(y.shape))
    for i, (once, tensor, array) in enumerate(zip(_of_tensors(fn, arrays), tensors, arrays, strict=True)):
        twice = np.zeros_like(array) if tensor.grad is None else tensor.grad
        if not np.array_equal(2 * once, twice, equal_nan=True):
            raise GradcheckError(f"input {i}: y + y flows back {twice!r}, expected twice {once!r}")
        if not np.array_equal(tensor.numpy(), array, equal_nan=True):
            raise GradcheckError(f"input {i} was changed from {array!r} to {tensor.numpy()!r}")


def _again(fn: Any, arrays: list[Any]) -> None:
    once = _of_tensors(fn, arrays)
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    y = fn(*tensors)
    y.backward(np.ones(y.shape))
    try:
        y.backward(np.ones(y.shape))
    except RuntimeError:
        pass
    else:
        raise GradcheckError("a second backward through a freed graph raised nothing")
    fn(*tensors).backward(np.ones(y.shape))
    for i, (g, tensor) in enumerate(zip(once, tensors, strict=True)):
        if tensor.grad is not None and not np.array_equal(2 * g, tensor.grad, equal_nan=True):
            raise GradcheckError(f"input {i}: two graphs left {tensor.grad!r} in grad, expected twice {g!r}")


def _declared(declared: Any, gradients: list[Any]) -> None:
    if len(declared) != len(gradients):
        raise GradcheckError(f"declared must have a gradient for each of {len(gradients)} inputs, got {len(declared)}")
    for i, (promise, g) in enumerate(zip(declared, gradients, strict=True)):
        if not np.array_equal(np.asarray(promise, np.float64), g, equal_nan=True):
            raise GradcheckError(f"input {i}: declared {promise!r}, got {np.asarray(g).tolist()!r}")


def _of_arrays(gradient: Any, arrays: list[Any]) -> list[Any]:
    found = gradient(*[array.copy() for array in arrays])
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _differences(fn: Any, arrays: list[Any], gradients: list[Any]) -> None:
    moving = [array.copy() for array in arrays]

    def value() -> float:
        return float(fn(*moving))

    for i, (array, gradient) in enumerate(zip(moving, gradients, strict=True)):
        found = first_mismatch(value, array, np.broadcast_to(gradient, array.shape), abs(value()), 16 + array.size)
        if found is not None:
            raise GradcheckError(f"input {i}, {found}")


def _shapes(arrays: list[Any], gradients: list[Any]) -> None:
    if len(gradients) != len(arrays):
        raise GradcheckError(f"expected a gradient for each of {len(arrays)} inputs, got {len(gradients)}")
    for i, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        gradient = np.asarray(gradient)
        if gradient.shape != array.shape or gradient.dtype != array.dtype:
            raise GradcheckError(
                f"input {i}: expected {array.dtype} {array.shape}, got {gradient.dtype} {gradient.shape}"
            )


def _same(first: list[Any], second: list[Any]) -> None:
    if [np.asarray(g).tobytes() for g in first] != [np.asarray(g).tobytes() for g in second]:
        raise GradcheckError("two calls with the same inputs gave different gradients")


def _finding(check: Check, example: dict[str, Any], nearest: Callable[[Check], str | None]) -> Finding:
    if check.reason:
        return Finding(check.id, check.statement, "not applicable", check.reason)
    try:
        check.run()
    except GradcheckError as error:
        return Finding(check.id, check.statement, "failed", str(error), example, nearest_bug=nearest(check))
    return Finding(check.id, check.statement, "passed")
