"""What the examples of kernel_loops.py are made of: a call with its results, and arrays of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = Any
BEFORE = 987.654  # in arrays that are to be filled; no result
Table = dict[str, list["Call"]]
ROUNDINGS = 2 * (6 + 2)
GAMMA = ROUNDINGS * 2.0**-53 / (1 - ROUNDINGS * 2.0**-53)


class Call(NamedTuple):
    """One call: its arguments, what is in some of them afterwards, what it returns, whether within GAMMA of that."""

    arguments: tuple[Any, ...]
    becomes: dict[int, Array]
    returns: Any = None
    inexact: bool = False


def into(*inputs: Any, out: Array, inexact: bool = False) -> Call:
    """A function that fills its last argument, which holds another number before."""
    return Call((*inputs, np.full_like(out, BEFORE)), {len(inputs): out}, None, inexact)


def each(formula: Callable[..., Any], *inputs: Array, inexact: bool = False) -> list[Call]:
    """A rule, for numbers side by side."""
    with np.errstate(all="ignore"):
        return [Call(some, {}, formula(*some), inexact) for some in zip(*inputs, strict=True)]


def whole(*shape: int) -> Array:
    """Small whole numbers, none of them 0 and no two equal."""
    size = int(np.prod(shape))
    return np.random.default_rng(size).permutation(np.r_[-size:0, 1 : size + 1])[:size].reshape(shape).astype(float)


def drawn(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape or (7,))


def in_chunks(values: Array, chunk: int) -> Array:
    """Sums over the first axis, `chunk` places at a time."""
    return np.stack([values[c : c + chunk].sum(axis=0) for c in range(0, len(values), chunk)])
