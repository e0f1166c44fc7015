"""P26: what clipping by the global norm must keep to, part by part.

Many implementations divide by norm + 1e-6; what that changes is allowed. Next: ../checks/clipping.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..guard import ProtocolError, invoke
from ..protocol import Array, Broken, gamma, same_bits, same_values, within
from ..report import shortened

Clip = Callable[[list[Array], float], Any]
NON_FINITE = ("raises", "propagates", "zeros", "keeps")


class ClippingProperty(NamedTuple):
    """One part of P26; `run` raises Broken on the gradients and the limit that `at` makes of an example."""

    id: str
    statement: str
    run: Callable[[Clip, list[Array], float], None]
    at: Callable[[list[Array], float], tuple[list[Array], float]] = lambda grads, max_norm: (grads, max_norm)


def global_norm(grads: list[Array]) -> float:
    """The norm of all gradients together, found where squares overflow, too."""
    return math.hypot(*(float(x) for g in grads for x in g.ravel()))


def _clipped(clip: Clip, grads: list[Array], max_norm: float) -> list[Array]:
    given = [g.copy() for g in grads]
    found = invoke(lambda: clip(given, max_norm), clip, "clip(grads, max_norm)")
    if isinstance(found, (list, tuple)):
        if len(found) != len(given):
            raise Broken("the list that is returned", f"{len(given)} arrays", f"{len(found)}")
        given = [np.asarray(g) for g in found]
    elif found is not None and (np.ndim(found) or not hasattr(found, "__float__")):
        expected = "a list of arrays; None or a number where the gradients are scaled in place"
        raise Broken("what is returned", expected, shortened(repr(found), 80))
    for i, (g, before) in enumerate(zip(given, grads, strict=True)):
        if g.shape != before.shape or g.dtype != before.dtype:
            raise Broken(f"gradient {i}", f"{before.dtype} {before.shape}", f"{g.dtype} {g.shape}")
    return given


def _slack(grads: list[Array]) -> float:
    """A norm's and a factor's roundings: n products and sums, a root, a quotient, a product."""
    return gamma(sum(g.size for g in grads) + 8, grads[0].dtype)


def _norm_at_most(clip: Clip, grads: list[Array], max_norm: float) -> None:
    found, before = global_norm(_clipped(clip, grads, max_norm)), global_norm(grads)
    bound = max_norm * (1 + _slack(grads))
    if not found <= bound:
        raise Broken("the norm of the clipped gradients", f"at most {bound!r}", found, found / bound)
    least = max_norm * (1 - _slack(grads) - 2e-6 / before)
    if before > max_norm and not found >= least:
        raise Broken("the norm of the clipped gradients", f"at least {least!r}", found)


def _twice_the_norm(grads: list[Array], max_norm: float) -> tuple[list[Array], float]:
    return grads, 2 * global_norm(grads)


def _identity(clip: Clip, grads: list[Array], max_norm: float) -> None:
    for i, (before, after) in enumerate(zip(grads, _clipped(clip, grads, max_norm), strict=True)):
        same_bits(before, after, f"gradient {i}, where the norm is half of max_norm")


def _direction(clip: Clip, grads: list[Array], max_norm: float) -> None:
    clipped = _clipped(clip, grads, max_norm)
    factor = global_norm(clipped) / global_norm(grads)
    for i, (before, after) in enumerate(zip(grads, clipped, strict=True)):
        expected = before.astype(float) * factor
        within(expected, after, 2 * _slack(grads) * np.abs(expected), f"gradient {i} times one common factor")


def _idempotent(clip: Clip, grads: list[Array], max_norm: float) -> None:
    once = _clipped(clip, grads, max_norm)
    for i, (a, b) in enumerate(zip(once, _clipped(clip, once, max_norm), strict=True)):
        bound = (2 * _slack(grads) + 2e-6 / max(max_norm, 1e-300)) * np.abs(a.astype(float))
        within(a, b, bound, f"gradient {i}, clipped twice")


def _global(clip: Clip, grads: list[Array], max_norm: float) -> None:
    together = np.concatenate([g.ravel() for g in grads])
    whole = _clipped(clip, [together], max_norm)[0].astype(float)
    parts = np.concatenate([g.ravel() for g in _clipped(clip, grads, max_norm)])
    within(whole, parts, 2 * _slack(grads) * np.abs(whole), "the same numbers in one array and in several")


def _zeros(grads: list[Array], max_norm: float) -> tuple[list[Array], float]:
    return [np.zeros_like(g) for g in grads], 1.0


def _zero(clip: Clip, grads: list[Array], max_norm: float) -> None:
    for i, (zero, after) in enumerate(zip(grads, _clipped(clip, grads, max_norm), strict=True)):
        same_bits(zero, after, f"gradient {i}, all zeros")


def overflowing(grads: list[Array]) -> list[Array]:
    """The gradients, scaled so that their squares overflow and their norm does not."""
    largest = max(float(np.abs(g).max(initial=0)) for g in grads) or 1.0
    scale = float(np.finfo(grads[0].dtype).max) ** 0.5 * 8 / largest
    return [np.asarray(g * scale, g.dtype) for g in grads]


def _with_overflowing_squares(grads: list[Array], max_norm: float) -> tuple[list[Array], float]:
    return overflowing(grads), 1.0


def _overflow(clip: Clip, grads: list[Array], max_norm: float) -> None:
    _norm_at_most(clip, grads, max_norm)
    _direction(clip, grads, max_norm)


def treats_as_promised(promise: str, clip: Clip, grads: list[Array], max_norm: float) -> None:
    """P26.nonfinite: one of NON_FINITE, on gradients of which one is infinite or NaN."""
    try:
        clipped = _clipped(clip, grads, max_norm)
    except (Broken, ProtocolError):
        raise
    except Exception as error:
        if promise != "raises":
            raise Broken("a gradient that is not finite", f"no error: it {promise}", repr(error)) from error
        return
    if promise == "raises":
        raise Broken("a gradient that is not finite", "an error", [g.tolist() for g in clipped])
    for i, (before, after) in enumerate(zip(grads, clipped, strict=True)):
        if promise == "propagates":
            if np.isfinite(after[~np.isfinite(before)]).any():
                raise Broken(f"gradient {i}", "infinity or NaN where one was", after.tolist())
        elif promise == "keeps":
            same_bits(before, after, f"gradient {i}, which it keeps")
        else:
            same_values(np.zeros_like(before), after, f"gradient {i}, of which it makes zeros")


NONFINITE = ClippingProperty(
    "P26.nonfinite", "Gradients with infinity or NaN are treated as declared.", lambda *_: None
)
CHECKS = (
    ClippingProperty(
        "P26.norm",
        "Afterwards the norm over all gradients is at most max_norm, and max_norm where it was above.",
        _norm_at_most,
    ),
    ClippingProperty(
        "P26.identity", "Gradients whose norm is below max_norm keep their bits.", _identity, _twice_the_norm
    ),
    ClippingProperty("P26.direction", "All gradients are scaled by one factor.", _direction),
    ClippingProperty("P26.idempotent", "Clipping again changes nothing.", _idempotent),
    ClippingProperty("P26.global", "The norm is that of all gradients together.", _global),
    ClippingProperty("P26.zero", "Gradients of zero stay zero, without NaN.", _zero, _zeros),
    ClippingProperty("P26.overflow", "A norm is found where squares overflow.", _overflow, _with_overflowing_squares),
    NONFINITE,
)
