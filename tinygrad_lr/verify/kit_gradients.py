"""`check_gradients`: P44 to P48 on a function and its gradient, as a report. Next: ../engine/gradcheck.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lr.engine.gradcheck import GradcheckError, first_mismatch, gradcheck
from tinygrad_lr.engine.tensor import Tensor

from .kit import name_of
from .outcomes import timed
from .report import Finding, Report

TIMEOUT = 60.0


class Check(NamedTuple):
    """A property of gradients and its check, which raises GradcheckError."""

    id: str
    statement: str
    run: Callable[[], Any]


def check_gradients(
    fn: Callable[..., Any],
    *inputs: Any,
    gradient: Callable[..., Any] | None = None,
    timeout: float | None = TIMEOUT,
) -> Report:
    """Check the gradient of a function at given inputs.

    Args:
        fn: of Tensors, returning a Tensor, whose gradient is what `backward` gives; or, with `gradient`, of float64
            NumPy arrays, returning one number.
        inputs: numbers, lists, arrays or Tensors; not at a kink, where a derivative is declared and not measured.
        gradient: `gradient(*arrays)` gives one array, or one for each input, of the inputs' shapes.
        timeout: seconds a property may take.

    Returns:
        A `Report`: P44 (central differences), P46 (shape and dtype), P2 (the same bits when asked again).

    Raises:
        TypeError, ValueError: no inputs, or a function that is not callable.

    Example:
        >>> check_gradients(lambda x: (x * x).sum(), [1.0, 2.0]).ok
        True
        >>> report = check_gradients(lambda x: float((x**3).sum()), [1.0, 2.0], gradient=lambda x: 2 * x**2)
        >>> report.ok, report["P44"].outcome
        (False, 'failed')
    """
    if not callable(fn) or (gradient is not None and not callable(gradient)):
        raise TypeError(f"fn and gradient must be callable, got {type(fn).__name__} and {type(gradient).__name__}")
    if not inputs:
        raise ValueError("check_gradients needs inputs to check at: check_gradients(fn, x, ...)")
    arrays = [np.array(x.numpy() if isinstance(x, Tensor) else x, np.float64) for x in inputs]
    ask = (lambda: _of_tensors(fn, arrays)) if gradient is None else (lambda: _of_arrays(gradient, arrays))
    checks = [
        Check("P44", "The gradient equals central differences, within their error.",
              (lambda: gradcheck(fn, *arrays)) if gradient is None else (lambda: _differences(fn, arrays, ask()))),
        Check("P46", "Each gradient has the shape and dtype of its input.", lambda: _shapes(arrays, ask())),
        Check("P2", "The same inputs give the same bits every time.", lambda: _same(ask(), ask())),
    ]  # fmt: skip
    example = {f"input_{i}": array.tolist() for i, array in enumerate(arrays)}
    findings = [timed(lambda check=check: _finding(check, example), check, timeout) for check in checks]  # type: ignore[misc]
    return Report(f"the gradient of {name_of(fn)}", findings)


def _of_tensors(fn: Any, arrays: list[Any]) -> list[Any]:
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    out = fn(*tensors)
    out.backward(np.ones(out.shape))
    return [np.zeros_like(a) if t.grad is None else t.grad for a, t in zip(arrays, tensors, strict=True)]


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


def _finding(check: Check, example: dict[str, Any]) -> Finding:
    try:
        check.run()
    except GradcheckError as error:
        return Finding(check.id, check.statement, "failed", str(error), example)
    return Finding(check.id, check.statement, "passed")
