"""Wrong clippings by the global norm, and right but unusual ones: sizes, layouts, dtypes, limits. Next: judging.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from .candidates import PATIENCE, Candidate, Formulas, family
from .sizes import WIDTHS, beyond, rest_of

Clip = Callable[[list[Any], float], Any]


def norm_of(grads: list[Any]) -> float:
    """The norm of all, found in float64 and scaled by the largest."""
    most = max([float(np.max(np.abs(g.astype(np.float64)), initial=0)) for g in grads], default=0.0)
    if most == 0 or not math.isfinite(most):
        return most
    return most * math.sqrt(sum(float(np.sum((g.astype(np.float64) / most) ** 2)) for g in grads))


def scaled(grads: list[Any], factor: float) -> list[Any]:
    """Each times one factor, in its dtype."""
    return [np.asarray(g * g.dtype.type(factor)) for g in grads]


def by(norm: Callable[[list[Any]], float]) -> Clip:
    """Clipping by another norm."""

    def clip(grads, max_norm):
        size = norm(grads)
        return scaled(grads, max_norm / size) if size > max_norm else [np.array(g) for g in grads]

    return clip


right = by(norm_of)


def chosen(keep: Callable[[np.ndarray], np.ndarray]) -> Clip:
    """Clipping by the norm of some elements alone."""
    return by(lambda grads: norm_of([np.where(keep(g), g, 0) for g in grads]))


def untouched(where: Callable[[tuple[int, ...]], np.ndarray]) -> Clip:
    """Some elements stay as they were."""

    def clip(grads, max_norm):
        return [np.where(where(g.shape), g, c) for g, c in zip(grads, right(grads, max_norm), strict=True)]

    return clip


def before_the_rest(width: int, g: np.ndarray) -> np.ndarray:
    """All but the rest after vectors of a width."""
    return ~rest_of(width)(g.shape)


def without(number: int) -> Clip:
    """The norm is that of the first so many arrays."""
    return by(lambda grads: norm_of(grads[:number]))


def only(number: int) -> Clip:
    """The first so many arrays are scaled."""

    def clip(grads, max_norm):
        found = right(grads, max_norm)
        return found[:number] + [np.array(g) for g in grads[number:]]

    return clip


def per_group(size: int) -> Clip:
    """Arrays are clipped in groups of so many."""

    def clip(grads, max_norm):
        found: list[Any] = []
        for start in range(0, len(grads), size):
            found += right(grads[start : start + size], max_norm)
        return found

    return clip


def in_memory_order(grads, max_norm):
    """Arrays that are not contiguous are read in the order of memory."""
    return [
        np.ravel(c, order="K").reshape(c.shape) if g.ndim > 1 and not g.flags.c_contiguous else c
        for g, c in zip(grads, scaled_like(grads, max_norm), strict=True)
    ]


def scaled_like(grads, max_norm):
    size = norm_of(grads)
    factor = max_norm / size if size > max_norm else 1.0
    return [g * g.dtype.type(factor) for g in grads]


def not_contiguous_stay(grads, max_norm):
    """Arrays that are not contiguous are scaled in a copy, which is lost."""
    return [g if not g.flags.c_contiguous else c for g, c in zip(grads, right(grads, max_norm), strict=True)]


def stale() -> Clip:
    """Clips by the norm of the call before."""
    before: list[float] = []

    def clip(grads, max_norm):
        size = before.pop() if before else norm_of(grads)
        before.append(norm_of(grads))
        return scaled(grads, max_norm / size) if size > max_norm else [np.array(g) for g in grads]

    return clip


def first_norm() -> Clip:
    """The first norm is every norm."""
    kept: list[float] = []

    def clip(grads, max_norm):
        if not kept:
            kept.append(norm_of(grads))
        return scaled(grads, max_norm / kept[0]) if kept[0] > max_norm else [np.array(g) for g in grads]

    return clip


def in_dtype(kind: Any) -> Clip:
    """The norm is summed in a dtype."""

    def norm(grads):
        with np.errstate(all="ignore"):
            return float(np.sqrt(sum((np.sum(np.square(g.astype(kind))) for g in grads), kind(0))))

    return by(norm)


def factor_of(factor: Callable[[float, float], float]) -> Clip:
    """Scales by a factor of norm and limit."""

    def clip(grads, max_norm):
        with np.errstate(all="ignore"):
            return scaled(grads, factor(norm_of(grads), max_norm))

    return clip


def squares(grads):
    """Squares summed in the gradients' own dtype."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(sum(float(np.sum(g * g)) for g in grads)))


def widened(grads, max_norm):
    return [g.astype(np.float64) for g in right(grads, max_norm)]


def flattened(grads, max_norm):
    return [g.reshape(-1) for g in right(grads, max_norm)]


def one_less(grads, max_norm):
    return [g for g in right(grads, max_norm) if g.size]


def zero_dimensional_stays(grads, max_norm):
    return [g if g.ndim == 0 else c for g, c in zip(grads, right(grads, max_norm), strict=True)]


def keeps_the_largest(grads, max_norm):
    found = right(grads, max_norm)
    big = max(range(len(grads)), key=lambda i: grads[i].size)
    return [np.array(g) if i == big else c for i, (g, c) in enumerate(zip(grads, found, strict=True))]


def hides_nan(grads, max_norm):
    return right([np.nan_to_num(g, nan=0.0) for g in grads], max_norm)


WRONG: dict[str, Callable[[], Clip]] = {
    **{f"leaves the rest after vectors of {w}": partial(untouched, rest_of(w)) for w in WIDTHS},
    **{f"leaves all beyond {w}": partial(untouched, beyond(w)) for w in WIDTHS},
    **{
        f"omits the rest after vectors of {w} from the norm": partial(chosen, partial(before_the_rest, w))
        for w in WIDTHS
    },
    **{f"has the norm of the first {n} arrays": partial(without, n) for n in (1, 2, 4, 8, 32, 110)},
    **{f"scales the first {n} arrays": partial(only, n) for n in (1, 2, 4, 8, 32, 110)},
    **{f"clips in groups of {n}": partial(per_group, n) for n in (1, 2, 4, 8, 32)},
    "reads what is not contiguous in the order of memory": lambda: in_memory_order,
    "loses what is not contiguous": lambda: not_contiguous_stay,
    "has the norm of the call before": stale,
    "has the norm of the first call": first_norm,
    "has the largest norm": lambda: by(lambda grads: max(norm_of([g]) for g in grads)),
    "has the sum of absolute values": lambda: by(
        lambda grads: sum(float(np.sum(np.abs(g.astype(float)))) for g in grads)
    ),
    "has the largest element": lambda: by(lambda grads: max(float(np.max(np.abs(g), initial=0)) for g in grads)),
    "has the sum of the norms": lambda: by(lambda grads: sum(norm_of([g]) for g in grads)),
    "has the mean square": lambda: by(lambda grads: norm_of(grads) / math.sqrt(max(sum(g.size for g in grads), 1))),
    "has the square of the norm": lambda: by(lambda grads: norm_of(grads) ** 2),
    "sums in float16": partial(in_dtype, np.float16),
    "sums squares that underflow": lambda: by(squares),
    "clips at 1, whatever is asked": lambda: lambda grads, max_norm: right(grads, 1.0),
    "adds 1 to the norm": lambda: factor_of(lambda size, most: min(1.0, most / (size + 1))),
    "adds a thousandth to the norm": lambda: factor_of(lambda size, most: min(1.0, most / (size + 1e-3))),
    "scales what is small up to the limit": lambda: factor_of(lambda size, most: most / size if size else 1.0),
    "scales by the square of the factor": lambda: factor_of(lambda size, most: min(1.0, (most / (size + 1e-12)) ** 2)),
    "scales softly": lambda: factor_of(lambda size, most: most / (most + size)),
    "clips what is above half the limit": lambda: factor_of(
        lambda size, most: min(1.0, most / (2 * size)) if size else 1.0
    ),
    "clips what is above twice the limit": lambda: factor_of(
        lambda size, most: most / size if size > 2 * most else 1.0
    ),
    "makes NaN of zeros": lambda: factor_of(lambda size, most: min(1.0, most / size) if size else math.nan),
    "makes zeros of what is below the limit": lambda: factor_of(lambda size, most: most / size if size > most else 0.0),
    "ignores a limit below 1": lambda: lambda grads, max_norm: right(grads, max(max_norm, 1.0)),
    "ignores a limit above 1": lambda: lambda grads, max_norm: right(grads, min(max_norm, 1.0)),
    "gives float64": lambda: widened,
    "gives flat arrays": lambda: flattened,
    "leaves out empty arrays": lambda: one_less,
    "leaves numbers without dimensions": lambda: zero_dimensional_stays,
    "leaves the largest array": lambda: keeps_the_largest,
    "gives the arrays in another order": lambda: lambda grads, max_norm: right(grads, max_norm)[::-1],
    "negates": lambda: lambda grads, max_norm: [-g for g in right(grads, max_norm)],
    "takes NaN for zero": lambda: hides_nan,
}


def check_clip(build: Callable[[], Clip], dtype: str, non_finite: str | None = "propagates") -> Any:
    """The kit, as a user calls it."""
    from ..checks.clipping import check_clipping

    return check_clipping(build(), dtype=dtype, non_finite=non_finite, timeout=PATIENCE)


@family(
    "clipping", "A clipping leaves elements or arrays, has another norm or limit, loses a layout, keeps an old norm."
)
def clipping(formulas: Formulas = ()) -> Iterator[Candidate]:
    for dtype in ("float32", "float64"):
        for kind, build in WRONG.items():
            if not (kind == "gives float64" and dtype == "float64"):
                yield Candidate("clipping", kind, dtype, partial(check_clip, build, dtype))


def in_place(grads, max_norm):
    size = norm_of(grads)
    for g in grads:
        g *= g.dtype.type(min(1.0, max_norm / (size + 1e-6)))
    return size


def divides(grads, max_norm):
    return [g / g.dtype.type(max(1.0, norm_of(grads) / max_norm)) for g in grads]


def all_at_once(grads, max_norm):
    if not grads:
        return []
    flat = np.concatenate([g.ravel() for g in grads])
    found = scaled([flat], max_norm / norm_of([flat]) if norm_of([flat]) > max_norm else 1.0)[0]
    return [
        p.reshape(g.shape) for p, g in zip(np.split(found, np.cumsum([g.size for g in grads])[:-1]), grads, strict=True)
    ]


def by_hypot(grads, max_norm):
    size = math.hypot(*(float(x) for g in grads for x in g.ravel()))
    return scaled(grads, max_norm / size) if size > max_norm else list(grads)


def nested(grads, max_norm):
    size = math.hypot(*(norm_of([g]) for g in grads))
    return tuple(scaled(grads, max_norm / size if size > max_norm else 1.0))


RIGHT: dict[str, Clip] = {
    "scales in place and gives the norm": in_place,
    "divides": divides,
    "flattens all": all_at_once,
    "has a norm by hypot": by_hypot,
    "has the norm of norms, and gives a tuple": nested,
    "adds a millionth to the norm": factor_of(lambda size, most: min(1.0, most / (size + 1e-6))),
    "is itself": right,
}


@family(
    "unusual clippings", "In place, by division, flattened, the norm of norms, by hypot, a millionth more.", right=True
)
def unusual_clippings(formulas: Formulas = ()) -> Iterator[Candidate]:
    for dtype in ("float32", "float64"):
        for kind, clip in RIGHT.items():
            promises = None if kind == "has a norm by hypot" else "propagates"
            made = partial(itself, clip)
            yield Candidate("unusual clippings", kind, dtype, partial(check_clip, made, dtype, promises))


def itself(clip: Clip) -> Clip:
    """The same clipping."""
    return clip
