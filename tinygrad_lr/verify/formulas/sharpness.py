"""Sharpness-aware minimization: where the second gradient of a step is taken. Next: lookahead.py, which also wraps."""

from __future__ import annotations

from collections.abc import Sequence

from .numbers import Number, sqrt

__all__ = ["climbed"]


def climbed(w: Sequence[Number], g: Sequence[Number], rho: Number) -> list[Number]:
    """w + rho g / ||g||_2: Foret, Kleiner, Mobahi & Neyshabur, ICLR 2021, arXiv:2010.01412, equation 2, p = 2.

    w and g are all parameters and their gradients, flat; where g is zero, w stays.
    """
    norm = sqrt(sum(x * x for x in g))
    return [a + rho * b / norm for a, b in zip(w, g, strict=True)] if norm else list(w)
