"""P26: what clipping by the global norm must keep to, part by part.

Many implementations divide by norm + 1e-6; what that changes is allowed. Next: ../checks/clipping.py.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..execution import LAYOUTS, copied_alike
from ..guard import ProtocolError, invoke
from ..protocol import Array, Broken, NotApplicable, gamma, same_bits, same_values, within
from ..report import shortened

Clip = Callable[[list[Array], float], Any]
NON_FINITE = ("raises", "propagates", "zeros", "keeps")


Example = tuple[list[Array], float]  # gradients and a limit


class ClippingProperty(NamedTuple):
    """One part of P26; `run` raises Broken on the gradients and the limit that `at` makes of an example.

    `examples` are its own, of a dtype and a random generator; None: those that all parts share.
    """

    id: str
    statement: str
    run: Callable[[Clip, list[Array], float], None]
    at: Callable[[list[Array], float], Example] = lambda grads, max_norm: (grads, max_norm)
    examples: Callable[[np.dtype[Any], np.random.Generator], Iterator[Example]] | None = None


def global_norm(grads: list[Array]) -> float:
    """The norm of all gradients together, found where squares overflow, too."""
    return math.hypot(*(float(x) for g in grads for x in g.ravel()))


def _clipped(clip: Clip, grads: list[Array], max_norm: float) -> list[Array]:
    given = [_alike(g) for g in grads]
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


def _alike(array: Array) -> Array:
    """A copy that lies in memory as the array does, and can be written where the array can."""
    found = copied_alike(array)
    found.flags.writeable = array.flags.writeable
    return found


def _slack(grads: list[Array]) -> float:
    """A norm's and a factor's roundings: n products and sums, a root, a quotient, a product."""
    coarsest = max((g.dtype for g in grads), key=lambda dtype: float(np.finfo(dtype).eps))
    return gamma(sum(g.size for g in grads) + 8, coarsest)


def _as_the_formula(clip: Clip, grads: list[Array], max_norm: float) -> None:
    """Every element times max_norm over the norm (or the norm + 1e-6) where that is above; else the bits."""
    try:
        clipped = _clipped(clip, grads, max_norm)
    except (TypeError, ValueError) as error:
        if math.isfinite(max_norm):
            raise
        raise NotApplicable(f"it refuses a limit of infinity: {shortened(str(error), 80)}") from error
    _compare(grads, clipped, max_norm)


def _compare(grads: list[Array], clipped: list[Array], max_norm: float, what: str = "gradient {}") -> None:
    norm, slack = global_norm(grads), _slack(grads)
    below = norm < max_norm * (1 - slack) - 1e-6
    factor = min(max_norm / norm, 1.0) if norm else 1.0
    for i, (before, after) in enumerate(zip(grads, clipped, strict=True)):
        if below or not norm:
            same_bits(np.ascontiguousarray(before), np.ascontiguousarray(after), what.format(i))
            continue
        expected = before.astype(float) * factor
        bound = np.abs(expected) * (2 * slack + 2e-6 / norm) + float(np.finfo(before.dtype).tiny)
        within(expected, after, bound, what.format(i))


def _gradients(shapes: Iterable[tuple[int, ...]], dtype: Any, rng: np.random.Generator) -> list[Array]:
    """Numbers around 1, the first and the last of each array larger, so that no part of it can be left out."""
    found = []
    for shape in shapes:
        g = rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 2.0, shape)
        if np.size(g):
            g = np.asarray(g)
            g.flat[0], g.flat[-1] = 5.0 * g.flat[0], 7.0 * g.flat[-1]
        found.append(np.asarray(g, dtype))
    return found


# The ends of vectors and of blocks, and one on either side.
SIZES = (1, 2, 3, 5, 8, 9, 16, 17, 33, 65, 129, 257, 1003, 1025, 2049)
COUNTS = (2, 3, 5, 8, 9, 17, 33, 65, 111, 300)


def _halved(grads: list[Array]) -> Example:
    return grads, global_norm(grads) / 2


def _sizes(dtype: np.dtype[Any], rng: np.random.Generator) -> Iterator[Example]:
    for size in SIZES:
        yield _halved(_gradients([(size,)], dtype, rng))
    for shapes in ([(1003,), (3,)], [(3,), (17, 59)]):
        yield _halved(_gradients(shapes, dtype, rng))


def _counts(dtype: np.dtype[Any], rng: np.random.Generator) -> Iterator[Example]:
    """Many arrays, of one shape and of several, the last ones as heavy as the first."""
    for count in COUNTS:
        yield _halved(_gradients([(2,)] * count, dtype, rng))
    yield _halved(_gradients([(index % 4,) for index in range(40)], dtype, rng))
    yield _halved(_gradients([(), (3, 4), (0, 2), (1,), (2, 1, 3), ()], dtype, rng))


def _layouts(dtype: np.dtype[Any], rng: np.random.Generator) -> Iterator[Example]:
    for name in ("transposed", "strided", "offset", "read-only"):
        for shapes in ([(3, 5)], [(7,), (4, 6), (2, 3, 4)]):
            grads, max_norm = _halved(_gradients(shapes, dtype, rng))
            yield [LAYOUTS[name].gradient(g) for g in grads], max_norm


def _dtypes(dtype: np.dtype[Any], rng: np.random.Generator) -> Iterator[Example]:
    other = np.dtype("float64" if dtype == np.float32 else "float32")
    yield _halved(_gradients([(3,), (2, 4)], other, rng))
    both = [*_gradients([(3,)], dtype, rng), *_gradients([(2, 2)], other, rng), *_gradients([(5,)], dtype, rng)]
    yield _halved(both)
    yield _halved(both[::-1])


def _limits(dtype: np.dtype[Any], rng: np.random.Generator) -> Iterator[Example]:
    """Norms and limits of several sizes, a norm at the limit, and a limit without end."""
    for size in (0.005, 0.5, 20.0, 1e4):
        for share in (0.25, 0.75, 1.5):
            grads = [np.asarray(g * size, dtype) for g in _gradients([(3,), (2,)], float, rng)]
            yield grads, share * global_norm(grads)
    yield [np.array([3.0, 0.0], dtype), np.array([[4.0]], dtype)], 5.0
    yield _gradients([(3,)], dtype, rng), math.inf


def _small(dtype: np.dtype[Any], rng: np.random.Generator) -> Iterator[Example]:
    """Squares that underflow, below the limit and above it."""
    small = float(np.finfo(dtype).smallest_subnormal) ** 0.5 / 64
    grads = [np.asarray(g * small, dtype) for g in _gradients([(3,), (4,)], float, rng)]
    yield grads, 1.0
    yield grads, global_norm(grads) / 4


def _below_or_at_most(clip: Clip, grads: list[Array], max_norm: float) -> None:
    """Bits where the norm is below the limit; else at most the limit, for norm + 1e-6 says no more of tiny norms."""
    if global_norm(grads) < max_norm:
        _as_the_formula(clip, grads, max_norm)
    else:
        _norm_at_most(clip, grads, max_norm)


def _in_any_layout(clip: Clip, grads: list[Array], max_norm: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of arrays that cannot be written
        try:
            clipped = _clipped(clip, grads, max_norm)
        except ValueError as error:
            if all(g.flags.writeable for g in grads):
                raise
            raise NotApplicable(f"it refuses arrays that cannot be written: {shortened(str(error), 80)}") from error
    _compare(grads, clipped, max_norm)


def _in_any_dtype(clip: Clip, grads: list[Array], max_norm: float) -> None:
    kinds = sorted({str(g.dtype) for g in grads})
    said = " and ".join(kinds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # JAX warns of what it makes float32
            clipped = _clipped(clip, grads, max_norm)
    except (TypeError, ValueError) as error:
        raise NotApplicable(f"it refuses {said}: {shortened(str(error), 80)}") from error
    except Broken as broken:
        if str(broken.expected).startswith("float") and str(broken.actual).startswith("float"):
            dtypes = f"{str(broken.actual).split()[0]} of {str(broken.expected).split()[0]}"
            raise NotApplicable(
                f"of {said} together it makes {dtypes}" if len(kinds) > 1 else f"it makes {dtypes}"
            ) from broken
        raise
    _compare(grads, clipped, max_norm)


def _arrays_are_kept(clip: Clip, grads: list[Array], max_norm: float) -> None:
    """A clipping that gives other arrays leaves those that it got."""
    given = [_alike(g) for g in grads]
    handed = list(given)
    found = invoke(lambda: clip(handed, max_norm), clip, "clip(grads, max_norm)")
    if len(handed) != len(given) or any(a is not b for a, b in zip(handed, given, strict=True)):
        raise Broken("the list that was handed over", "the same arrays in it", "others")
    if not isinstance(found, (list, tuple)) or len(found) != len(given):
        raise NotApplicable("it scales in place")
    others = [np.asarray(g) for g in found]
    for i, (before, after, other) in enumerate(zip(grads, given, others, strict=True)):
        if not np.shares_memory(after, other):
            same_bits(
                np.ascontiguousarray(before), np.ascontiguousarray(after), f"the gradient {i} that was handed over"
            )


def _again(clip: Clip, grads: list[Array], max_norm: float) -> None:
    """The same buffers, with other numbers and back: what it gives depends on nothing before."""
    buffers = [_alike(g) for g in grads]

    def clipped(factor: float) -> list[Array]:
        for buffer, g in zip(buffers, grads, strict=True):
            buffer[...] = g * g.dtype.type(factor)
        found = invoke(lambda: clip(buffers, max_norm), clip, "clip(grads, max_norm)")
        given = [np.asarray(g) for g in found] if isinstance(found, (list, tuple)) else buffers
        return [np.array(g) for g in given]

    first = clipped(1.0)
    for factor in (8.0, 0.125):
        scaled = [np.asarray(g * g.dtype.type(factor)) for g in grads]
        _compare(scaled, clipped(factor), max_norm, "gradient {}, after other gradients")
    for i, (once, twice) in enumerate(zip(first, clipped(1.0), strict=True)):
        same_bits(once, twice, f"gradient {i}, the same numbers a second time")


def with_missing(clip: Clip, grads: list[Array], max_norm: float) -> None:
    """P26.missing: None stays None, and the others are clipped as without it."""
    given: list[Any] = [None, *(_alike(g) for g in grads), None]
    found = invoke(lambda: clip(given, max_norm), clip, "clip(grads, max_norm)")
    given = list(found) if isinstance(found, (list, tuple)) else given
    if len(given) != len(grads) + 2 or given[0] is not None or given[-1] is not None:
        raise Broken("the gradients that are None", "None", shortened(repr(given), 80))
    _compare(grads, [np.asarray(g) for g in given[1:-1]], max_norm)


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


MISSING = ClippingProperty("P26.missing", "A gradient that is None stays None.", with_missing)
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
    ClippingProperty("P26.underflow", "A norm is found where squares underflow.", _below_or_at_most, examples=_small),
    ClippingProperty(
        "P26.limits",
        "A norm of any size is clipped to a limit of any size, infinity included.",
        _as_the_formula,
        examples=_limits,
    ),
    ClippingProperty(
        "P26.sizes",
        "All elements count, and are scaled, whatever the size of an array.",
        _as_the_formula,
        examples=_sizes,
    ),
    ClippingProperty(
        "P26.counts", "All arrays count, and are scaled, however many there are.", _as_the_formula, examples=_counts
    ),
    ClippingProperty(
        "P26.layouts",
        "Transposed, strided and read-only arrays are clipped as others.",
        _in_any_layout,
        examples=_layouts,
    ),
    ClippingProperty(
        "P26.dtypes",
        "Arrays of float32 and float64, alone and together, keep their dtype.",
        _in_any_dtype,
        examples=_dtypes,
    ),
    ClippingProperty("P26.kept", "Arrays that are not scaled in place keep their values.", _arrays_are_kept),
    ClippingProperty("P26.again", "What was clipped before changes nothing.", _again),
    MISSING,
    NONFINITE,
)
