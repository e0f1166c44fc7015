"""What the tests of torch's autograd, MyGrad and micrograd ask of ops: values and gradients at the edges.

Every op is asked at 0, -0, infinity, NaN, the largest and the smallest numbers, with no elements, without axes, and
broadcast; torch says what is right. The ops stand here by the names that torch has for them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch_differences import APART

from tinygrad_lr import Tensor

from .cases import Case

SUITE = "autograd"
NOT_APPLICABLE = {
    "gradients of gradients, forward mode, jacobians": "the engine computes first gradients only",
    "complex numbers": "Tensors are real",
    "hooks on Tensors, custom functions, anomaly detection": "not built",
    "changing what the graph needs in place": "it raises, as in torch",
}
Row = tuple[str, Callable[[], None], str]  # of a case: its name, what it runs, why it differs
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, np.inf, -np.inf, np.nan, 1e308, -1e308, 1e-320, -1e-320]
VALUE, ULPS = "the value", 4  # what two libraries of functions may differ by

UNARY = [
    *("abs", "exp", "log", "sqrt", "tanh", "sigmoid", "relu", "sin", "cos", "tan", "asin", "acos", "atan", "log1p"),
    *("expm1", "sinh", "cosh", "square", "reciprocal", "rsqrt", "sign", "log2", "log10", "exp2"),
]
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a * b": lambda a, b: a * b,
    "a / b": lambda a, b: a / b,
    "a ** b": lambda a, b: a**b,
    "a % b": lambda a, b: a % b,
    "maximum": lambda a, b: a.maximum(b),
    "minimum": lambda a, b: a.minimum(b),
}
WITH_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "a ** 2": lambda a: a**2,
    "a ** 3": lambda a: a**3,
    "a ** 0.5": lambda a: a**0.5,
    "a ** -1": lambda a: a**-1,
    "a ** 0": lambda a: a**0,
    "2 ** a": lambda a: 2**a,
    "-a": lambda a: -a,
    "1 - a": lambda a: 1 - a,
    "1 / a": lambda a: 1 / a,
    "clip": lambda a: a.clip(-1.0, 1.0),
    "clamp from below": lambda a: a.clamp(min=0.0),
    "a * a, one Tensor twice": lambda a: a * a,
    "a + a * a - a": lambda a: a + a * a - a,
    "relu, sqrt": lambda a: a.relu().sqrt(),
}
REDUCED: dict[str, Callable[..., Any]] = {
    "sum": lambda a, **how: a.sum(**how),
    "mean": lambda a, **how: a.mean(**how),
    "var": lambda a, **how: a.var(**how),
    "std": lambda a, **how: a.std(**how),
    "norm": lambda a, **how: a.norm(**how),
    "prod": lambda a, **how: a.prod(**how),
    "amax": lambda a, **how: a.amax(**how),
    "amin": lambda a, **how: a.amin(**how),
}
HOW = [{}, {"dim": 0}, {"dim": -1}, {"dim": 1, "keepdim": True}]
SHAPES = [((), ()), ((3,), ()), ((0,), (1,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((4, 1, 3), (2, 1)), ((2, 0), (1, 1))]
MATMUL = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4))]
MATMUL += [((2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 3))]
INDICES: dict[str, Any] = {
    "a number": 1,
    "a negative number": -1,
    "a slice": slice(0, 2),
    "a step": slice(None, None, 2),
    "an ellipsis": (Ellipsis, 1),
    "a new axis": (slice(None), None),
    "a list": [0, 2, 2],
    "two lists": ([0, 1, 1], [2, 0, 0]),
    "a mask": np.array([[True, False, True], [False, False, True], [True, True, False]]),
    "a mask of rows": np.array([True, False, True]),
    "nothing": [],
    "two numbers": (1, 2),
}
MOVED: dict[str, Callable[[Any], Any]] = {
    "reshape": lambda a: a.reshape(9),
    "reshape with -1": lambda a: a.reshape(3, -1),
    "T": lambda a: a.T,
    "transpose": lambda a: a.transpose(0, 1),
    "flatten": lambda a: a.flatten(),
    "unsqueeze": lambda a: a.unsqueeze(1),
    "squeeze": lambda a: a.reshape(3, 1, 3).squeeze(1),
    "cumsum": lambda a: a.cumsum(0),
    "cumsum of the last axis": lambda a: a.cumsum(-1),
}
JOINED: dict[str, Callable[[Any, list[Any]], Any]] = {
    "cat": lambda library, each: library.cat(each),
    "cat along the second axis": lambda library, each: library.cat(each, 1),
    "stack": lambda library, each: library.stack(each),
    "stack along the last axis": lambda library, each: library.stack(each, -1),
    "where": lambda library, each: library.where(each[0] > 0, each[0], each[1]),
}
EINSUM = ["ij,jk->ik", "ij,ij->", "ii->i", "ii->", "ij->ji", "ij,j->i", "ij,kj->ik", "i...,i...->..."]


class Sides:
    """One computation in both libraries, from the same numbers."""

    def __init__(self, *arrays: np.ndarray):
        import torch

        self.arrays = arrays
        self.ours = [Tensor(array.copy(), requires_grad=True, dtype=array.dtype) for array in arrays]
        self.theirs = [torch.tensor(array, requires_grad=True) for array in arrays]

    def compare(
        self, compute: Callable[..., Any], theirs: Callable[..., Any] | None = None, rounding: float = ULPS
    ) -> None:
        """Values, shapes and gradients agree; `rounding` counts roundings of the largest number in play."""
        import torch

        with np.errstate(all="ignore"):
            one = compute(*self.ours)
            other = (theirs or compute)(*self.theirs)
            agree(one.detach().numpy(), other.detach().numpy(), VALUE, rounding)
            if not other.requires_grad:
                return
            weights = np.linspace(0.5, 1.5, max(other.numel(), 1))[: other.numel()].reshape(tuple(other.shape))
            one.backward(Tensor(weights, dtype=one.dtype))
            other.backward(torch.tensor(weights, dtype=other.dtype))
        for mine, its in zip(self.ours, self.theirs, strict=True):
            agree(
                None if mine.grad is None else mine.grad,
                None if its.grad is None else its.grad.numpy(),
                "a gradient",
                rounding,
            )


def agree(one: Any, other: Any, what: str, rounding: float) -> None:
    """Two results are equal but for rounding.

    A value of a single function has the error of two libraries' functions; its gradient that of numbers up to 1, which
    cancel in 1 - tanh(x)**2; and sums the error of their largest number.
    """
    if other is None or one is None:  # nothing reached it: None here, None or zeros there
        left = one if other is None else other
        assert left is None or not np.any(left), f"{what} is {one}, {other} in torch"
        return
    one, other = np.asarray(one), np.asarray(other)
    assert one.shape == other.shape and one.dtype == other.dtype, (what, one.shape, one.dtype, other.shape, other.dtype)
    size = np.where(np.isfinite(other), np.abs(other), 0)
    if rounding != ULPS:
        size = np.full(other.shape, size.max(initial=1.0))
    elif what != VALUE:
        size = np.maximum(size, 1)
    with np.errstate(all="ignore"):
        bound = rounding * np.finfo(other.dtype).eps * size + rounding * np.finfo(other.dtype).smallest_subnormal
        right = (one == other) | (np.isnan(one) & np.isnan(other)) | (np.abs(one - other) <= bound)
    assert right.all(), (
        f"{what}: {one[~right][:4]}, in torch {other[~right][:4]}, at {np.argwhere(~right)[:4].tolist()}"
    )


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.5, 2.0, shape) * np.where(
        np.arange(np.prod(shape, dtype=int)) % 3, 1, -1
    ).reshape(shape)


def special(compute: Callable[[Any], Any], dtype: Any, points: Sequence[float]) -> None:
    with np.errstate(over="ignore"):
        array = np.array(points, dtype)
    Sides(array).compare(compute)


def pairs(compute: Callable[[Any, Any], Any], dtype: Any, points: Sequence[tuple[float, float]]) -> None:
    with np.errstate(over="ignore"):
        a, b = np.array(points, dtype).T
    Sides(a.copy(), b.copy()).compare(compute)


def broadcast(compute: Callable[[Any, Any], Any], one: tuple[int, ...], other: tuple[int, ...]) -> None:
    a, b = numbers(*one), np.abs(numbers(*other)) + 0.5
    Sides(a, b).compare(compute, rounding=64)


def reduced(compute: Callable[..., Any], how: dict[str, Any], array: np.ndarray) -> None:
    Sides(array).compare(partial(compute, **how), rounding=64)


def one_way(compute: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
    Sides(*[numbers(*shape) for shape in shapes]).compare(compute, rounding=64)


def joined(compute: Callable[[Any, list[Any]], Any]) -> None:
    import torch

    import tinygrad_lr

    sides = Sides(numbers(3, 3), -numbers(3, 3))
    sides.compare(lambda *each: compute(tinygrad_lr, list(each)), lambda *each: compute(torch, list(each)), 64)


def einsum(subscripts: str) -> None:
    import torch

    import tinygrad_lr

    sides = Sides(*[numbers(3, 3) if len(each) > 1 else numbers(3) for each in subscripts.split("->")[0].split(",")])
    sides.compare(partial(tinygrad_lr.einsum, subscripts), partial(torch.einsum, subscripts), 64)


def micrograd_sanity() -> None:
    def compute(x: Any) -> Any:
        z = 2 * x + 2 + x
        q = z.relu() + z * x
        h = (z * z).relu()
        return h + q + q * x

    Sides(np.array(-4.0)).compare(compute)


def micrograd_more_ops() -> None:
    def compute(a: Any, b: Any) -> Any:
        c = a + b
        d = a * b + b**3
        c = c + c + 1
        c = c + 1 + c + (-a)
        d = d + d * 2 + (b + a).relu()
        d = d + 3 * d + (b - a).relu()
        e = c - d
        f = e**2
        g = f / 2.0
        return g + 10.0 / f

    Sides(np.array(-4.0), np.array(2.0)).compare(compute, rounding=64)


def accumulates() -> None:
    sides = Sides(numbers(3))
    for _ in range(2):
        (sides.ours[0] * sides.ours[0]).sum().backward()
        (sides.theirs[0] * sides.theirs[0]).sum().backward()
    agree(sides.ours[0].grad, sides.theirs[0].grad.numpy(), "a gradient", ULPS)


def diamond() -> None:
    """A value used along many paths is visited once: 60 doublings are 2**60 paths."""

    def compute(a: Any) -> Any:
        for _ in range(60):
            a = a + a
        return a

    Sides(numbers(2)).compare(compute)


def deep() -> None:
    def compute(a: Any) -> Any:
        for _ in range(3000):
            a = a * 1.0
        return a

    Sides(numbers(2)).compare(compute)


def at_points(name: str, run: Callable[..., None], compute: Any, dtype: str, points: Sequence[Any]) -> Iterable[Row]:
    """The cases of an op at special values, those where torch is otherwise apart from the others."""
    apart, why = APART.get((name, dtype), (lambda *_: False, ""))
    chosen = [apart(*each) if isinstance(each, tuple) else apart(each) for each in points]
    rest = [each for each, is_apart in zip(points, chosen, strict=True) if not is_apart]
    where = "all pairs of special values" if run is pairs else "special values"
    yield f"{name}, {dtype}: at {where}", partial(run, compute, dtype, rest), ""
    if why:
        alone = [each for each, is_apart in zip(points, chosen, strict=True) if is_apart]
        yield f"{name}, {dtype}: at values apart", partial(run, compute, dtype, alone), why


def all_cases() -> Iterable[Row]:
    both = list(itertools.product(SPECIAL, SPECIAL))
    for dtype in ("float64", "float32"):
        for name in UNARY:
            yield from at_points(name, special, partial(_method, name), dtype, SPECIAL)
        for name, compute in WITH_NUMBERS.items():
            yield from at_points(name, special, compute, dtype, SPECIAL)
        for name, pair in BINARY.items():
            yield from at_points(name, pairs, pair, dtype, both)
    yield from ((name, run, "") for name, run in elsewhere())


def elsewhere() -> Iterable[tuple[str, Callable[[], None]]]:
    """The cases that are not about special values."""
    for name, pair in BINARY.items():
        for one, other in SHAPES:
            yield f"{name}, {one} and {other}: broadcast", partial(broadcast, pair, one, other)
    for name in UNARY:
        for shape in ((), (0,), (2, 0, 3)):
            yield f"{name}, {shape}: without axes or elements", partial(one_way, partial(_method, name), shape)
    for name, reduction in REDUCED.items():
        for how in HOW:
            yield f"{name}, {how}: over axes", partial(reduced, reduction, how, numbers(3, 4))
        yield f"{name}: with equal values", partial(reduced, reduction, {"dim": 1}, np.full((2, 3), 2.0))
        yield (
            f"{name}: with zeros",
            partial(reduced, reduction, {"dim": 1}, np.array([[0.0, 2, 3], [0, 0, 3], [0, 0, 0]])),
        )
    for one, other in MATMUL:
        yield f"a @ b, {one} and {other}: products", partial(one_way, lambda a, b: a @ b, one, other)
    for name, index in INDICES.items():
        yield f"a[{name}]: indices", partial(one_way, lambda a, i=index: a[i], (3, 3))
    for name, move in MOVED.items():
        yield f"{name}: shapes", partial(one_way, move, (3, 3))
    for name, join in JOINED.items():
        yield f"{name}: several Tensors", partial(joined, join)
    for subscripts in EINSUM:
        yield f"einsum {subscripts}: products", partial(einsum, subscripts)
    yield "micrograd: its sanity check", micrograd_sanity
    yield "micrograd: more ops", micrograd_more_ops
    yield "gradients: accumulate", accumulates
    yield "gradients: many paths", diamond
    yield "gradients: a deep graph", deep


def _method(name: str, a: Any) -> Any:
    return getattr(a, name)()


CASES = [Case(SUITE, *row) for row in all_cases()]
