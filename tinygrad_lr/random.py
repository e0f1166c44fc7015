"""Random Tensors, from one generator that `manual_seed` seeds.

The generator is NumPy's PCG64. The same seed gives the same numbers on every platform; they are not torch's numbers.

Next: `nn/`, whose layers draw their first weights here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr.engine.create import made, shape_of
from tinygrad_lr.engine.dtypes import check_dtype
from tinygrad_lr.engine.recording import switch
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.integers import whole_number

__all__ = ["generator", "get_state", "manual_seed", "rand", "rand_like", "randint", "randn", "randn_like", "randperm"]
__all__ += ["set_state"]

_generator = np.random.default_rng()


def manual_seed(seed: int) -> None:
    """Seed the generator, so that the numbers drawn afterwards can be repeated.

    Raises:
        TypeError: `seed` is no whole number.
        ValueError: it is negative.

    Example:
        >>> manual_seed(0); a = randn(2)
        >>> manual_seed(0); bool((a == randn(2)).numpy().all())
        True
    """
    global _generator
    _notify()
    _generator = np.random.default_rng(whole_number("seed", seed, least=0))


def generator() -> np.random.Generator:
    """The NumPy generator in use. Numbers drawn from it come from the stream of `rand` and `randn`."""
    _notify()
    return _generator


def _notify() -> None:
    if switch.watcher is not None:
        switch.watcher.drawing()


def get_state() -> dict[str, Any]:
    """The state of the generator: a dict of plain numbers, which JSON can store."""
    return dict(_generator.bit_generator.state)


def set_state(state: dict[str, Any]) -> None:
    """Put the generator into a state that `get_state` returned.

    Raises:
        ValueError, TypeError, KeyError: `state` is no such state.

    Example:
        >>> state = get_state(); a = rand(3); set_state(state)
        >>> bool((a == rand(3)).numpy().all())
        True
    """
    _notify()
    _generator.bit_generator.state = state


def _floating(dtype: DTypeLike) -> Any:
    found = check_dtype(dtype)
    if found.kind != "f":
        raise TypeError(f"random numbers are float32 or float64, got dtype {found}")
    return found


def randn(
    *shape: int | Sequence[int], dtype: DTypeLike = "float32", requires_grad: bool = False, device: str = "cpu"
) -> Tensor:
    """A Tensor of independent draws from the standard normal distribution.

    Args:
        shape: the length of each axis, as numbers or one tuple.
        dtype: "float32" or "float64".
        requires_grad, device: as for `Tensor`.

    Raises:
        TypeError, ValueError: `shape` is no shape, or `dtype` is neither.

    Example:
        >>> randn(100, 10).shape
        (100, 10)
    """
    return made(np.asarray(generator().standard_normal(shape_of(shape), _floating(dtype))), requires_grad, device)


def rand(
    *shape: int | Sequence[int], dtype: DTypeLike = "float32", requires_grad: bool = False, device: str = "cpu"
) -> Tensor:
    """A Tensor of independent draws from the uniform distribution on [0, 1); arguments and errors as for `randn`.

    Example:
        >>> bool((rand(5) < 1).numpy().all())
        True
    """
    return made(np.asarray(generator().random(shape_of(shape), _floating(dtype))), requires_grad, device)


def rand_like(like: Tensor, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """`rand` of the shape of a Tensor, in its dtype and on its device where nothing else is said."""
    kind = like.dtype if dtype is None else dtype
    return rand(like.shape, dtype=kind, requires_grad=requires_grad, device=like.device)


def randn_like(like: Tensor, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """`randn` of the shape of a Tensor, in its dtype and on its device where nothing else is said."""
    kind = like.dtype if dtype is None else dtype
    return randn(like.shape, dtype=kind, requires_grad=requires_grad, device=like.device)


def randint(low: int, high: int | Sequence[int], size: Sequence[int] | None = None) -> Tensor:
    """Whole numbers from low to high - 1, each as likely, as int64; `randint(high, size)` begins at 0.

    Raises:
        TypeError, ValueError: no whole numbers, none between them, or `size` is no shape.

    Example:
        >>> values = randint(3, (100,))
        >>> values.shape, int(values.max()) <= 2
        ((100,), True)
    """
    first, last, shape = (0, low, high) if size is None else (low, high, size)
    least, most = whole_number("low", first), whole_number("high", last)
    if least >= most:
        raise ValueError(f"randint: there is no whole number from {least} to {most} - 1")
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"randint needs the shape as a tuple, got {shape!r}; write randint(3, (10,))")
    return made(np.asarray(generator().integers(least, most, shape_of((shape,)))), False, "cpu")


def randperm(n: int) -> Tensor:
    """0 to n - 1 in random order, as int64.

    Example:
        >>> randperm(3).sort()[0]
        tensor([0, 1, 2])
    """
    return made(generator().permutation(whole_number("n", n, least=0)), False, "cpu")
