"""Random Tensors, from one generator that `manual_seed` seeds, and the keys of dropout's masks.

The generator is NumPy's PCG64. The same seed gives the same numbers on every platform; they are not torch's numbers.

The keys are a stream of their own, so that dropout changes no order of batches and no first weights. A key is a hash
of the stream's key and of how many masks were drawn before: a count is all that a compiled or a continued training
needs to draw the same masks.

Next: `nn/`, whose layers draw their first weights here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr.engine.create import made, shape_of
from tinygrad_lr.engine.dtypes import check_dtype
from tinygrad_lr.engine.recording import switch
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.integers import whole_number

__all__ = ["generator", "get_state", "give_back_masks", "manual_seed", "mask_key", "mask_keys", "rand", "rand_like"]
__all__ += ["randint", "randn", "randn_like", "randperm"]
__all__ += ["set_state"]

_generator = np.random.default_rng()
_masks = {"key": int(np.random.SeedSequence().generate_state(1, np.uint64)[0]), "count": 0}
AT_ONCE = 64  # keys of masks that are computed at once


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
    # The 2 sets this apart from the generator and from data/shuffling.py.
    _masks.update(key=int(np.random.SeedSequence([int(seed), 2]).generate_state(1, np.uint64)[0]), count=0)


def generator() -> np.random.Generator:
    """The NumPy generator in use. Numbers drawn from it come from the stream of `rand` and `randn`."""
    _notify()
    return _generator


def _notify() -> None:
    if switch.watcher is not None:
        switch.watcher.drawing()


def mask_key() -> int:
    """The key of the next mask of dropout, a whole number below 2^63. While a step is traced, the tracer gives it."""
    if switch.watcher is not None:
        return switch.watcher.masked()
    block, place = divmod(_masks["count"], AT_ONCE)
    _masks["count"] += 1
    return _keys_of(_masks["key"], block)[place]


def mask_keys(count: int) -> np.ndarray:
    """The keys of the next masks, uint64, shape (count,)."""
    first = _masks["count"]
    _masks["count"] += count
    return _hashed(_masks["key"], first, count)


def give_back_masks(count: int) -> None:
    """Take the last `count` keys back: they were not used, and are the next ones."""
    _masks["count"] -= count


@lru_cache(maxsize=8)
def _keys_of(key: int, block: int) -> tuple[int, ...]:
    return tuple(_hashed(key, block * AT_ONCE, AT_ONCE).tolist())


def _hashed(key: int, first: int, count: int) -> np.ndarray:
    found: np.ndarray = _word()(np.uint64(key), np.arange(first, first + count, dtype=np.uint64))
    return found >> np.uint64(1)


@cache
def _word() -> Any:
    from tinygrad_lr.kernels._jit import over_arrays
    from tinygrad_lr.kernels.ops import shuffle

    return over_arrays(shuffle.word)


def get_state() -> dict[str, Any]:
    """The state of the generator and of the stream of masks: a dict of plain numbers, which JSON can store."""
    return {**_generator.bit_generator.state, "masks": dict(_masks)}


def set_state(state: Mapping[str, Any]) -> None:
    """Put the generator and the stream of masks into a state that `get_state` returned.

    A state without "masks", of an earlier version, leaves the stream as it is.

    Raises:
        ValueError, TypeError, KeyError: `state` is no such state.

    Example:
        >>> state = get_state(); a = rand(3); set_state(state)
        >>> bool((a == rand(3)).numpy().all())
        True
    """
    _notify()
    masks = {name: whole_number(name, state["masks"][name], least=0) for name in _masks} if "masks" in state else {}
    _generator.bit_generator.state = {name: value for name, value in state.items() if name != "masks"}
    _masks.update(masks)


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
