"""`check_gradients`: P44 to P49 on a function and its gradient, as a report.

The properties stand in properties/gradients.py. Next: ../engine/gradcheck.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lr.engine.gradcheck import GradcheckError
from tinygrad_lr.engine.tensor import Tensor

from ..guard import ProtocolError, invoke
from ..outcomes import TIMEOUT, Check, describe_error, run_checks
from ..properties.gradients import (
    STATEMENTS,
    backward_gradients,
    check_accumulation,
    check_adjoint,
    check_declared,
    check_differences,
    check_repeatable,
    check_reuse,
    check_shapes,
    leaf_tensors,
)
from ..protocol import Array
from ..report import Finding, Report, shortened
from ..search.diagnose import HERE_ALONE, nearest_wrong_gradient
from . import arguments
from .arguments import name_of


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
        declared: the gradient of each input that is promised at these inputs (P49, instead of P44 and P45). In the
            direction in which all inputs move together a tie has a derivative all the same, which it must add up to.
        timeout: seconds a property may take.

    Returns:
        A `Report`: P0 (fn can be called), P44 (central differences), P45 (linear in what flows back), P46 (shape and
        dtype), P47 (values used twice, views), P48 (accumulation, freed graphs), P49 (declared values, ties), P2 (the
        same bits when called again).

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
    arrays = _floats(inputs)
    if not any(array.size for array in arrays):
        raise ValueError(f"check_gradients needs inputs with elements, got shapes {[array.shape for array in arrays]}")
    tensors = gradient is None
    gradients = (lambda: backward_gradients(fn, arrays)) if gradient is None else (lambda: _of_arrays(gradient, arrays))
    value = _of(fn, tensors)
    measured = "at a kink a derivative is declared, not measured" if declared is not None else ""
    graph = "" if tensors else "there is no graph: fn takes arrays"
    answers = "a Tensor" if tensors else "one number"
    checks = [
        Check(
            "P0",
            f"At these inputs fn gives {answers}, finite, and the same when it is asked again.",
            lambda: _can_be_trusted(fn, arrays, tensors),
        ),
        Check("P44", STATEMENTS["P44"], lambda: check_differences(fn, arrays, gradients(), tensors), measured),
        Check("P45", STATEMENTS["P45"], lambda: check_adjoint(fn, arrays), graph or measured),
        Check("P46", STATEMENTS["P46"], lambda: check_shapes(arrays, gradients())),
        Check("P47", STATEMENTS["P47"], lambda: check_reuse(fn, arrays), graph),
        Check("P48", STATEMENTS["P48"], lambda: check_accumulation(fn, arrays), graph),
        Check(
            "P49",
            STATEMENTS["P49"],
            lambda: check_declared(declared, gradients(), value, arrays),
            "" if declared is not None else "pass declared= to have the values at a kink checked",
        ),
        Check("P2", STATEMENTS["P2"], lambda: check_repeatable(gradients(), gradients())),
    ]
    example = {f"input_{i}": array.tolist() for i, array in enumerate(arrays)}

    def nearest(check: Check) -> str | None:
        named = nearest_wrong_gradient(check.id, fn, arrays, gradients(), declared)
        if named is None or declared is not None:  # which says nothing of other inputs
            return named if named is None else _here_alone(named)
        for other in _nearby(arrays):
            found = backward_gradients(fn, other) if gradient is None else _of_arrays(gradient, other)
            if nearest_wrong_gradient(check.id, fn, other, found, None) != named:
                return _here_alone(named)
        return named

    found = run_checks(checks, lambda check: _finding(check, example, nearest), arguments.seconds(timeout), {})
    return Report(f"the gradient of {name_of(fn)}", found)


def _nearby(arrays: Sequence[Array]) -> list[list[Array]]:
    """Other inputs of the same kind: the same numbers backwards, and three quarters of them."""
    return [[np.flip(array).copy() for array in arrays], [array * 0.75 for array in arrays]]


def _here_alone(named: str) -> str:
    """A hint that was confirmed on these inputs and on no others."""
    return f"{HERE_ALONE}{named.removeprefix('matches: ')}"


def _floats(inputs: Sequence[Any]) -> list[Array]:
    arrays = []
    for i, x in enumerate(inputs):
        try:
            arrays.append(np.array(x.numpy() if isinstance(x, Tensor) else x, np.float64))
        except (TypeError, ValueError) as error:
            message = f"input {i} must be numbers, a list, an array or a Tensor, got {shortened(repr(x), 60)}"
            raise TypeError(message) from error
    return arrays


def _of_arrays(gradient: Callable[..., Any], arrays: Sequence[Array]) -> list[Any]:
    found = gradient(*[array.copy() for array in arrays])
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _of(fn: Callable[..., Any], tensors: bool) -> Callable[[Sequence[Array]], Array]:
    """fn's values at arrays, as an array."""
    return lambda arrays: fn(*map(Tensor, arrays)).numpy() if tensors else np.asarray(fn(*[a.copy() for a in arrays]))


def _can_be_trusted(fn: Callable[..., Any], arrays: Sequence[Array], tensors: bool) -> None:
    """P0: whatever is compared with fn's values must be able to trust them."""
    first, second = (_answer(fn, arrays, tensors) for _ in range(2))
    if not np.isfinite(first).all():
        raise GradcheckError(f"fn gives {first.tolist()}, which has no derivative")
    if first.tobytes() != second.tobytes():
        raise GradcheckError(f"fn gives {first.tolist()} and, asked again, {second.tolist()}")


def _answer(fn: Callable[..., Any], arrays: Sequence[Array], tensors: bool) -> Array:
    """What fn returns, as an array.

    Raises:
        ProtocolError: fn returns something else than a Tensor, or than one number.
    """
    given = leaf_tensors(arrays) if tensors else [array.copy() for array in arrays]
    try:
        out = invoke(lambda: fn(*given), fn, "fn(*inputs)")
    except Exception as error:
        if not tensors:
            raise
        raise ProtocolError(f"fn is given Tensors, for there is no gradient=; {describe_error(error)}") from error
    if tensors and not isinstance(out, Tensor):
        hint = "for a function of NumPy arrays pass gradient="
        raise ProtocolError(f"fn must return a Tensor, got {shortened(repr(out), 60)}; {hint}")
    if not tensors and (np.ndim(out) or not hasattr(out, "__float__")):
        raise ProtocolError(f"fn must return one number, got {shortened(repr(out), 60)}; sum it")
    for i, (array, after) in enumerate(zip(arrays, given, strict=True)):
        if not np.array_equal(array, after.numpy() if tensors else after, equal_nan=True):
            raise GradcheckError(f"fn changes input {i}")
    return np.array(out.numpy() if tensors else float(out))


def _finding(check: Check, example: dict[str, Any], nearest: Callable[[Check], str | None]) -> Finding:
    if check.reason:
        return Finding(check.id, check.statement, "not applicable", check.reason)
    try:
        note = check.run()
    except GradcheckError as error:
        nearest_bug = None if check.id == "P0" else nearest(check)
        return Finding(check.id, check.statement, "failed", str(error), example, nearest_bug=nearest_bug)
    return Finding(check.id, check.statement, "passed", note or "")
