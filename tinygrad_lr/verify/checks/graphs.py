"""P45, P47 and P48: what a graph of Tensors must keep to, whatever it computes. Next: checks/gradients.py.

Where a cotangent is multiplied by small whole numbers, or halves add up to a whole, nothing is rounded: the gradients
are compared bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lr.engine.gradcheck import GradcheckError, first_mismatch
from tinygrad_lr.engine.tensor import Tensor

# A use of the result y, and what it multiplies the cotangent of y with.
USES: dict[str, tuple[Callable[[Any], Any], float]] = {
    "y + y": (lambda y: y + y, 2.0),
    "a diamond, 2 y + 4 y": (lambda y: y * 2.0 + y * 4.0, 6.0),
    "a diamond on a diamond, (2 y + y) + 2 y": (lambda y: (lambda a: (a + y) + a)(y * 2.0), 5.0),
    "y beside a view of it": (lambda y: (y.reshape((-1,)) * 2.0).reshape(y.shape) + y, 3.0),
}
# What an input can be replaced by without a change of any bit.
DISGUISES: dict[str, Callable[[Any], Any]] = {
    "a view of it": lambda x: x.reshape((-1,)).reshape(x.shape),
    "the sum of its halves": lambda x: x * 0.5 + x * 0.5,
}


def leaves(arrays: list[Any]) -> list[Any]:
    return [Tensor(array, requires_grad=True) for array in arrays]


def gradients_of(tensors: list[Any]) -> list[Any]:
    return [np.zeros(t.shape) if t.grad is None else t.grad for t in tensors]


def flowing(fn: Any, arrays: list[Any], v: Any = None) -> list[Any]:
    """What flows back to each input from v (by default from ones)."""
    tensors = leaves(arrays)
    out = fn(*tensors)
    out.backward(np.ones(out.shape) if v is None else v)
    return gradients_of(tensors)


def same_gradients(expected: list[Any], found: list[Any], what: str) -> None:
    """Equal numbers for every input."""
    for i, (a, b) in enumerate(zip(expected, found, strict=True)):
        if not np.array_equal(a, b, equal_nan=True):
            raise GradcheckError(f"input {i}: {what} {np.asarray(b).tolist()}, expected {np.asarray(a).tolist()}")


def adjoint(fn: Any, arrays: list[Any]) -> None:
    """P45."""
    rng = np.random.default_rng(0)
    out = np.asarray(fn(*map(Tensor, arrays)).numpy())
    v, w = rng.normal(size=(2, *out.shape))
    together, apart = flowing(fn, arrays, v + w), (flowing(fn, arrays, v), flowing(fn, arrays, w))
    same_gradients([4 * g for g in apart[0]], flowing(fn, arrays, 4 * v), "from 4 v flows back")
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


def reuse(fn: Any, arrays: list[Any]) -> None:
    """P47."""
    for use, (joined, factor) in USES.items():
        tensors = leaves(arrays)
        y = fn(*tensors)
        joined(y).backward(np.ones(y.shape))
        expected = flowing(fn, arrays, factor * np.ones(y.shape))
        same_gradients(expected, gradients_of(tensors), f"from {use} flows back")
        for i, (tensor, array) in enumerate(zip(tensors, arrays, strict=True)):
            if not np.array_equal(tensor.numpy(), array, equal_nan=True):
                raise GradcheckError(f"input {i} was changed from {array.tolist()} to {tensor.numpy().tolist()}")
    once = flowing(fn, arrays)
    for disguise, changed in DISGUISES.items():
        tensors = leaves(arrays)
        y = fn(*map(changed, tensors))
        y.backward(np.ones(y.shape))
        same_gradients(once, gradients_of(tensors), f"where each input is {disguise}, there flows back")


def again(fn: Any, arrays: list[Any]) -> None:
    """P48."""
    once = flowing(fn, arrays)
    tensors = leaves(arrays)
    y = fn(*tensors)
    y.backward(np.ones(y.shape))
    try:
        y.backward(np.ones(y.shape))
    except RuntimeError:
        pass
    else:
        raise GradcheckError("a second backward through a freed graph raised nothing")
    fn(*tensors).backward(-3.0 * np.ones(y.shape))
    other = flowing(fn, arrays, -3.0 * np.ones(y.shape))
    same_gradients([a + b for a, b in zip(once, other, strict=True)], gradients_of(tensors), "two graphs left in grad")
    tensors = leaves(arrays)
    y = fn(*tensors)
    y.backward(np.ones(y.shape), retain_graph=True)
    y.backward(np.ones(y.shape))
    same_gradients([2 * g for g in once], gradients_of(tensors), "a retained graph left, the second time, in grad")
