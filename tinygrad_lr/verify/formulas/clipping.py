"""Clipping as the papers print it: by a norm, by value, and adaptively. The oracle of `check_clipping`'s kin.

The functions run on arrays of floats and of mpmath's numbers (numbers.py). What optimizers do stands in
optim/clipping.py, and shares nothing with this. Next: family.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .numbers import Number, maximum, minimum, sqrt

Array = Any  # a NumPy array of any of the numbers

__all__ = ["adaptive", "by_norm", "by_value", "total_norm"]


def total_norm(grads: Sequence[Array], p: float = 2.0) -> Number:
    """||g||_p over all gradients together: (sum |g_i|^p)^(1/p), or max |g_i| for p = infinity."""
    sizes = [abs(x) for g in grads for x in g.ravel()]
    if p == math.inf:
        return max(sizes, default=0)
    if p == 2:
        return sqrt(sum(x * x for x in sizes))
    return sum(sizes) if p == 1 else sum(x**p for x in sizes) ** (1 / p)


def by_norm(grads: Sequence[Array], c: Number, p: float = 2.0) -> list[Array]:
    """g <- (c / ||g||) g where ||g|| > c: Pascanu, Mikolov & Bengio, ICML 2013, arXiv:1211.5063, Algorithm 1, p = 2."""
    norm = total_norm(grads, p)
    return [g * (c / norm) if norm > c else g for g in grads]


def by_value(g: Number, c: Number) -> Number:
    """g <- min(max(g, -c), c), for one element: Mikolov, thesis, 2012."""
    return minimum(maximum(g, -c), c)


def adaptive(W: Array, G: Array, clip: Number, eps: Number) -> Array:
    """G_i <- lambda ||W_i||* / ||G_i|| G_i where ||G_i|| / ||W_i||* > lambda; ||W_i||* = max(||W_i||, eps).

    Brock, De, Smith & Simonyan, ICML 2021, arXiv:2102.06171, equation 3. i is a unit: the first index of an array with
    two axes or more; an array with fewer axes is one unit (as in the authors' code).
    """
    found = G.copy()
    for i in range(len(G)) if G.ndim > 1 else [...]:
        of_weights = maximum(sqrt(sum(w * w for w in W[i].ravel())), eps)
        of_gradient = sqrt(sum(g * g for g in G[i].ravel()))
        if of_gradient > clip * of_weights:
            found[i] = G[i] * (clip * of_weights / of_gradient)
    return found
