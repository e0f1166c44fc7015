"""P44 to P49, and P2: what a gradient must keep to, of Tensors or of arrays.

A check raises `GradcheckError`, or returns a note. Where a cotangent is multiplied by small whole numbers, or halves
add up to a whole, nothing is rounded: those gradients are compared bit for bit. Next: ../checks/gradients.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lr.engine.gradcheck import GradcheckError, first_mismatch, gradcheck
from tinygrad_lr.engine.tensor import Tensor

from ..protocol import Array

TensorFunction = Callable[..., Tensor]
STATEMENTS = {
    "P44": "The gradient equals central differences, within their error.",
    "P45": "What flows back is linear in v, and <v, J u> = <J' v, u>.",
    "P46": "Each gradient has the shape and dtype of its input.",
    "P47": "A value used twice counts twice, a view is what it shows, and inputs keep their bits.",
    "P48": "Graphs add up in grad, a retained one too; going back through a freed graph raises.",
    "P49": "At these inputs the gradient is the declared one, and ties share out what they have together.",
    "P2": "The same inputs give the same bits every time.",
}
# A use of the result y, and what it multiplies the cotangent of y with.
USES: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "y + y": (lambda y: y + y, 2.0),
    "a diamond, 2 y + 4 y": (lambda y: y * 2.0 + y * 4.0, 6.0),
    "a diamond on a diamond, (2 y + y) + 2 y": (lambda y: (lambda a: (a + y) + a)(y * 2.0), 5.0),
    "y beside a view of it": (lambda y: (y.reshape((-1,)) * 2.0).reshape(y.shape) + y, 3.0),
}
# What an input can be replaced by without a change of any bit.
DISGUISES: dict[str, Callable[[Tensor], Tensor]] = {
    "a view of it": lambda x: x.reshape((-1,)).reshape(x.shape),
    "the sum of its halves": lambda x: x * 0.5 + x * 0.5,
}


def leaf_tensors(arrays: Sequence[Array]) -> list[Tensor]:
    """The arrays as Tensors that collect gradients."""
    return [Tensor(array, requires_grad=True) for array in arrays]


def gradients_of(tensors: Sequence[Tensor]) -> list[Array]:
    """Their gradients, zeros where none has come."""
    return [np.zeros(t.shape) if t.grad is None else t.grad for t in tensors]


def backward_gradients(fn: TensorFunction, arrays: Sequence[Array], v: Array | None = None) -> list[Array]:
    """What flows back to each input from v (by default from ones)."""
    tensors = leaf_tensors(arrays)
    out = fn(*tensors)
    out.backward(np.ones(out.shape) if v is None else v)
    return gradients_of(tensors)


def same_gradients(expected: Sequence[Array], found: Sequence[Array], what: str) -> None:
    """Equal numbers for every input."""
    for i, (a, b) in enumerate(zip(expected, found, strict=True)):
        if not np.array_equal(a, b, equal_nan=True):
            raise GradcheckError(f"input {i}: {what} {np.asarray(b).tolist()}, expected {np.asarray(a).tolist()}")


def check_adjoint(fn: TensorFunction, arrays: Sequence[Array]) -> None:
    """P45."""
    rng = np.random.default_rng(0)
    out = np.asarray(fn(*map(Tensor, arrays)).numpy())
    v, w = rng.normal(size=(2, *out.shape))
    together, apart = (
        backward_gradients(fn, arrays, v + w),
        (backward_gradients(fn, arrays, v), backward_gradients(fn, arrays, w)),
    )
    same_gradients([4 * g for g in apart[0]], backward_gradients(fn, arrays, 4 * v), "from 4 v flows back")
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
    wrong = first_mismatch(along, t, np.array([expected]), magnitude, 32 + out.size + sum(a.size for a in arrays))
    if wrong is not None:
        raise GradcheckError(f"along a direction u, {wrong}")


def check_reuse(fn: TensorFunction, arrays: Sequence[Array]) -> None:
    """P47."""
    for use, (joined, factor) in USES.items():
        tensors = leaf_tensors(arrays)
        y = fn(*tensors)
        joined(y).backward(np.ones(y.shape))
        expected = backward_gradients(fn, arrays, factor * np.ones(y.shape))
        same_gradients(expected, gradients_of(tensors), f"from {use} flows back")
        for i, (tensor, array) in enumerate(zip(tensors, arrays, strict=True)):
            if not np.array_equal(tensor.numpy(), array, equal_nan=True):
                raise GradcheckError(f"input {i} was changed from {array.tolist()} to {tensor.numpy().tolist()}")
    once = backward_gradients(fn, arrays)
    for disguise, changed in DISGUISES.items():
        tensors = leaf_tensors(arrays)
        y = fn(*map(changed, tensors))
        y.backward(np.ones(y.shape))
        same_gradients(once, gradients_of(tensors), f"where each input is {disguise}, there flows back")


def check_accumulation(fn: TensorFunction, arrays: Sequence[Array]) -> None:
    """P48."""
    once = backward_gradients(fn, arrays)
    tensors = leaf_tensors(arrays)
    y = fn(*tensors)
    y.backward(np.ones(y.shape))
    try:
        y.backward(np.ones(y.shape))
    except RuntimeError:
        pass
    else:
        raise GradcheckError("a second backward through a freed graph raised nothing")
    fn(*tensors).backward(-3.0 * np.ones(y.shape))
    other = backward_gradients(fn, arrays, -3.0 * np.ones(y.shape))
    same_gradients([a + b for a, b in zip(once, other, strict=True)], gradients_of(tensors), "two graphs left in grad")
    tensors = leaf_tensors(arrays)
    y = fn(*tensors)
    y.backward(np.ones(y.shape), retain_graph=True)
    y.backward(np.ones(y.shape))
    same_gradients([2 * g for g in once], gradients_of(tensors), "a retained graph left, the second time, in grad")


def check_shapes(arrays: Sequence[Array], gradients: Sequence[Array]) -> None:
    """P46."""
    if len(gradients) != len(arrays):
        raise GradcheckError(f"expected a gradient for each of {len(arrays)} inputs, got {len(gradients)}")
    for i, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        gradient = np.asarray(gradient)
        if gradient.shape != array.shape or gradient.dtype != array.dtype:
            raise GradcheckError(
                f"input {i}: expected {array.dtype} {array.shape}, got {gradient.dtype} {gradient.shape}"
            )


def check_differences(
    fn: Callable[..., Any], arrays: Sequence[Array], gradients: Sequence[Array], tensors: bool
) -> None:
    """P44."""
    check_shapes(arrays, gradients)
    for i, gradient in enumerate(gradients):
        if np.isnan(gradient).any():
            raise GradcheckError(f"input {i}: the gradient is {np.asarray(gradient).tolist()}")
    if tensors:
        gradcheck(fn, *arrays)
        return
    moving = [array.copy() for array in arrays]

    def value() -> float:
        return float(fn(*moving))

    for i, (array, gradient) in enumerate(zip(moving, gradients, strict=True)):
        found = first_mismatch(value, array, gradient, abs(value()), 16 + array.size)
        if found is not None:
            raise GradcheckError(f"input {i}, {found}")


def check_declared(
    declared: Any, gradients: Sequence[Array], value: Callable[[Sequence[Array]], Array], arrays: Sequence[Array]
) -> str:
    """P49: the promise, and what the gradients sum to where all inputs move together."""
    if len(declared) != len(gradients):
        raise GradcheckError(f"declared must have a gradient for each of {len(gradients)} inputs, got {len(declared)}")
    for i, (promise, g) in enumerate(zip(declared, gradients, strict=True)):
        if not np.array_equal(np.asarray(promise, np.float64), g, equal_nan=True):
            raise GradcheckError(f"input {i}: declared {promise!r}, got {np.asarray(g).tolist()!r}")
    t = np.zeros(1)

    def along() -> float:
        return float(np.sum(value([array + t[0] for array in arrays])))

    start, h = along(), 2.0**-20
    slopes = []
    for t[0] in (h, -h):
        slopes.append((along() - start) / t[0])
    t[0] = 0.0
    magnitude = float(np.sum(np.abs(value(arrays))))
    if abs(slopes[0] - slopes[1]) > 1e-3 * max(map(abs, slopes)) + 2.0**-30 * magnitude:
        return "not examined: ties; moved together, all inputs still meet a kink"
    found = first_mismatch(
        along, t, np.array([sum(np.sum(g) for g in gradients)]), magnitude, 32 + sum(a.size for a in arrays)
    )
    if found is not None:
        raise GradcheckError(f"all inputs moved together, {found}")
    return ""


def check_repeatable(first: Sequence[Array], second: Sequence[Array]) -> None:
    """P2."""
    if [np.asarray(g).tobytes() for g in first] != [np.asarray(g).tobytes() for g in second]:
        raise GradcheckError("two calls with the same inputs gave different gradients")
