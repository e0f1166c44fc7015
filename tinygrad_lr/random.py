"""Random Tensors, from one generator that `manual_seed` starts anew.

NumPy's PCG64: the same seed gives the same numbers on every platform, but not torch's.

Next: `nn/`, whose layers draw their first weights here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lr.engine.create import made, shape_of
from tinygrad_lr.engine.dtypes import check_dtype
from tinygrad_lr.engine.graph import switch
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.integers import whole_number

__all__ = ["generator", "get_state", "manual_seed", "rand", "randn", "set_state"]

_generator = np.random.default_rng()


def manual_seed(seed: int) -> None:
    """Start the generator anew, so that what follows can be repeated.

    Raises:
        TypeError: `seed` is no whole number. ValueError: it is negative.

    Example:
        >>> manual_seed(0); a = randn(2)
        >>> manual_seed(0); bool((a == randn(2)).numpy().all())
        True
    """
    global _generator
    _tell()
    _generator = np.random.default_rng(whole_number("seed", seed, least=0))


def generator() -> np.random.Generator:
    """The NumPy generator in use, for code that draws from the same stream."""
    _tell()
    return _generator


def _tell() -> None:
    if switch.watcher is not None:
        switch.watcher.drawing()


def get_state() -> dict[str, Any]:
    """Where the generator stands; plain numbers, fit for JSON."""
    return dict(_generator.bit_generator.state)


def set_state(state: dict[str, Any]) -> None:
    """Go on from a state that `get_state` returned.

    Raises:
        ValueError, TypeError, KeyError: not such a state.

    Example:
        >>> state = get_state(); a = rand(3); set_state(state)
        >>> bool((a == rand(3)).numpy().all())
        True
    """
    _tell()
    _generator.bit_generator.state = state


def _floating(dtype: Any) -> Any:
    found = check_dtype(dtype)
    if found.kind != "f":
        raise TypeError(f"random numbers are float32 or float64, got dtype {found}")
    return found


def randn(*shape: Any, dtype: Any = "float32", requires_grad: bool = False, device: str = "cpu") -> Tensor:
    """Independent draws from the standard normal distribution.

    Args:
        shape: the length of each axis, as numbers or one tuple.
        dtype: "float32" or "float64".
        requires_grad, device: as for `Tensor`.

    Raises:
        TypeError, ValueError: a shape or dtype that is not one.

    Example:
        >>> randn(100, 10).shape
        (100, 10)
    """
    return made(np.asarray(generator().standard_normal(shape_of(shape), _floating(dtype))), requires_grad, device)


def rand(*shape: Any, dtype: Any = "float32", requires_grad: bool = False, device: str = "cpu") -> Tensor:
    """Independent draws from the uniform distribution on [0, 1); arguments and errors as for `randn`.

    Example:
        >>> bool((rand(5) < 1).numpy().all())
        True
    """
    return made(np.asarray(generator().random(shape_of(shape), _floating(dtype))), requires_grad, device)
