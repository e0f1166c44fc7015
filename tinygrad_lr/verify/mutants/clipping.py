"""Wrong clipping by the global norm: `CLIPPING_MUTANTS`, by name."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..properties.clipping import global_norm
from .catalogue import named, words


class ClippingMutant(NamedTuple):
    """A wrong clipping, `clip(grads, max_norm)`."""

    clip: Callable[[list[Any], float], list[Any]]
    killed_by: str
    seen_in: str = ""
    entry: str = ""

    @property
    def named(self) -> str:
        """What is wrong and where it was seen."""
        return named(words(self.clip.__name__), self.seen_in)


CLIPPING_MUTANTS: dict[str, ClippingMutant] = {}


def clipping_mutant(killed_by: str, seen_in: str = "", entry: str = "") -> Callable[[Any], Any]:
    """Register a wrong clipping."""

    def register(clip: Any) -> Any:
        CLIPPING_MUTANTS[clip.__name__] = ClippingMutant(clip, killed_by, seen_in, entry)
        return clip

    return register


def scaled(grads, factor):
    return [np.asarray(g * g.dtype.type(factor)) for g in grads]


def right(grads, max_norm):
    """Clipping as it should be."""
    size = global_norm(grads)
    return scaled(grads, max_norm / size if size > max_norm else 1.0)


@clipping_mutant("P26.zero", "optax #1752", "28b")
def zero_over_zero(grads, max_norm):
    return scaled(grads, min(1.0, float(np.divide(max_norm, global_norm(grads)))) if global_norm(grads) else np.nan)


@clipping_mutant("P26.global", "transformers #614", "28c")
def each_by_its_own_norm(grads, max_norm):
    return [right([g], max_norm)[0] for g in grads]


@clipping_mutant("P26.overflow", "torch and optax")
def squares_overflow(grads, max_norm):
    size = float(np.sqrt(sum(np.sum(g * g) for g in grads)))
    return scaled(grads, max_norm / size if size > max_norm else 1.0)


@clipping_mutant("P26.norm")
def a_tenth_too_long(grads, max_norm):
    return right(grads, 1.1 * max_norm)


@clipping_mutant("P26.identity")
def clips_below_the_limit(grads, max_norm):
    return right(grads, 0.4 * max_norm)


@clipping_mutant("P26.direction")
def each_element_by_itself(grads, max_norm):
    return [np.clip(g, -max_norm / g.size, max_norm / g.size) if g.size else g for g in grads]


@clipping_mutant("P26.idempotent")
def halves_what_is_near_the_limit(grads, max_norm):
    return scaled(grads, 0.5 if global_norm(grads) > 0.9 * max_norm else 1.0)


# Made so that every part is seen to fail
@clipping_mutant("P26.underflow")
def squares_underflow(grads, max_norm):
    with np.errstate(all="ignore"):
        short = float(np.sqrt(sum(float(np.sum(g * g)) for g in grads)))
    size = global_norm(grads) if not np.isfinite(short) else short
    return scaled(grads, max_norm / size if size > max_norm else 1.0)


@clipping_mutant("P26.limits")
def a_limit_below_a_tenth_is_a_tenth(grads, max_norm):
    return right(grads, max(max_norm, 0.1))


@clipping_mutant("P26.sizes")
def the_rest_of_a_vector_stays(grads, max_norm):
    ends = [g.size - g.size % 4 if g.size > 32 else g.size for g in grads]
    clipped = [
        np.concatenate([c.ravel()[:n], g.ravel()[n:]])
        for g, c, n in zip(grads, right(grads, max_norm), ends, strict=True)
    ]
    return [c.reshape(g.shape) for g, c in zip(grads, clipped, strict=True)]


@clipping_mutant("P26.counts")
def arrays_beyond_the_hundredth_stay(grads, max_norm):
    return [*right(grads, max_norm)[:100], *(g.copy() for g in grads[100:])]


@clipping_mutant("P26.layouts")
def what_is_not_contiguous_is_read_as_it_lies(grads, max_norm):
    size = global_norm(grads)
    found = [g * g.dtype.type(max_norm / size if size > max_norm else 1.0) for g in grads]
    return [
        c if g.flags.c_contiguous else np.ravel(c, order="K").reshape(c.shape)
        for g, c in zip(grads, found, strict=True)
    ]


@clipping_mutant("P26.dtypes")
def two_dtypes_have_two_norms(grads, max_norm):
    kinds = {g.dtype for g in grads}
    clipped = {kind: iter(right([g for g in grads if g.dtype == kind], max_norm)) for kind in kinds}
    return [next(clipped[g.dtype]) for g in grads]


@clipping_mutant("P26.kept")
def the_arrays_that_it_got_become_zeros(grads, max_norm):
    found = right(grads, max_norm)
    for g in grads:
        if g.flags.writeable:
            g[...] = 0
    return found


_norms: list[float] = []


@clipping_mutant("P26.again")
def the_norm_of_the_call_before_counts_too(grads, max_norm):
    _norms.append(global_norm(grads))
    size = 0.5 * sum(_norms[-2:]) if len(_norms) > 1 and _norms[-2] in (8 * _norms[-1], _norms[-1] / 8) else _norms[-1]
    return scaled(grads, max_norm / size if size > max_norm else 1.0)
