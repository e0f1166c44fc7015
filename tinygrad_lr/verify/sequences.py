"""Sequences of gradients that provoke rounding, made from a few small numbers.

Kinds: normal, constant, geometric, sign flips, a spike, zeros, gradients near epsilon, late ones, subnormal ones, ones
whose squares overflow. Next: search/examples.py, which draws them; properties/circumstances.py, which mixes them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from .protocol import Array, Claim

KINDS = ("normal", "constant", "geometric", "flip", "spike", "zero", "near eps", "late", "tiny", "huge")
ORDINARY_KINDS = KINDS[:-2]  # whose squares neither overflow nor underflow


def sequence(
    kind: str, shape: tuple[int, ...], steps: int, scale: float, seed: int, dtype: DTypeLike, eps: float
) -> list[Array]:
    """A sequence of gradients of one kind.

    Example:
        >>> [g.tolist() for g in sequence("zero", (2,), 2, 1.0, 0, np.float32, 1e-8)]
        [[0.0, 0.0], [0.0, 0.0]]
    """
    rng = np.random.default_rng(seed)
    first = rng.choice([-1.0, 1.0], size=shape) * rng.uniform(0.5, 2.0, size=shape)
    limits = np.finfo(dtype)
    growth = {"geometric": 0.9 / 0.999, "flip": -1.0}.get(kind, 1.0)
    gradients = []
    for t in range(steps):
        if kind in ("constant", "geometric", "flip"):
            g = scale * first * growth**t
        elif kind == "spike":
            g = scale * first * (1e3 if t == steps // 2 else 1e-3)
        elif kind == "zero":
            g = np.zeros(shape)
        elif kind == "near eps":
            g = first * max(eps, float(limits.tiny)) * rng.uniform(0.3, 3.0, size=shape)
        elif kind == "late":
            g = scale * first * (t >= steps // 2)
        elif kind == "tiny":  # subnormal gradients, and gradients whose squares are
            g = first * float(limits.tiny) ** rng.choice([0.5, 1.0], size=shape) * 0.3
        elif kind == "huge":  # squares overflow
            g = first * float(limits.max) ** 0.5
        else:
            g = scale * rng.normal(size=shape)
        gradients.append(np.asarray(g, dtype))
    return gradients


def mixed(size: int, steps: int, seed: int, dtype: DTypeLike, eps: float) -> list[Array]:
    """A sequence of vectors in which each element is of another kind, of those whose squares stay in range.

    Example:
        >>> first, last = mixed(9, 2, 0, np.float32, 1e-3)
        >>> first.shape, bool(first[1] == last[1]), bool(first[3] == -last[3])
        ((9,), True, True)
    """
    found = [np.zeros(size, dtype) for _ in range(steps)]
    for number, kind in enumerate(ORDINARY_KINDS):
        places = slice(number, size, len(ORDINARY_KINDS))
        column = sequence(kind, found[0][places].shape, steps, 1.0, seed + number, dtype, eps) if steps else []
        for whole, part in zip(found, column, strict=True):
            whole[places] = part
    return found


def known_number(spec: Claim, name: str, otherwise: float) -> float:
    """A hyperparameter's value where it is known."""
    try:
        return float(spec[name])
    except Exception:  # no such name, or nothing is known of it
        return otherwise


def pad_shape(shape: tuple[int, ...], least: int) -> tuple[int, ...]:
    """A shape with at least so many dimensions.

    Example:
        >>> pad_shape((), 2), pad_shape((3,), 2), pad_shape((2, 4), 2)
        ((2, 2), (3, 2), (2, 4))
    """
    return (*shape, *(2,) * (least - len(shape)))
