"""Names the known bug that behaves like a failing optimizer, schedule, gradient or clipping.

The catalogue's mutants, and for an optimizer the other dialects, run on the failing example. A candidate is named only
where it explains the failure:

- An optimizer's candidate lies a thousand times nearer to the observed trajectory than the specification does: on the
  example, and on every fixed case with ordinary gradients. Where it explains the example alone, the text says so.
- A candidate agrees wherever the observed values are finite, and is not finite elsewhere.
- Nothing is named where the observed values are right (other properties fail for other reasons), nor where they differ
  only in infinities or NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple, ParamSpec

import numpy as np

from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.schedules import SCHEDULES

from ..adapters.naive import naive
from ..execution import run
from ..mutants import CLIPPING_MUTANTS, GRADIENT_MUTANTS, MUTANTS, SCHEDULE_MUTANTS, clipping
from ..properties.clipping import Clip, overflowing
from ..properties.schedules import TOLERANCE
from ..protocol import Array, Case, Maker, ordinary, unit_roundoff

Given = ParamSpec("Given")

OPTIONS: dict[str, tuple[Any, ...]] = {
    "eps_placement": ("inside", "outside", "hat"),
    "amsgrad_form": ("paper", "torch", "optax"),
    "lr_placement": ("inside", "outside"),
    "decoupled_weight_decay": (False, True),
    "dampen_first_step": (False, True),
    "mu_form": ("paper", "torch", "constant"),
    "bias_correction": (False, True),
    "backtracking": (False, True),
    "threshold": (4.0, 5.0),
}


HERE_ALONE = "on this example also: "


def nearest_bug(make: Maker, case: Case, fixed: Sequence[Case] = ()) -> str | None:
    """The known bug or other dialect that behaves like `make` on the case; None where there is none.

    Args:
        make: the optimizer.
        case: an example on which it is wrong.
        fixed: other cases of the same claim. One candidate that explains all of them "matches"; one that explains the
            example and not all of them is told as such.

    Example:
        >>> from tinygrad_lr.verify.specification import spec
        >>> case = Case(spec("adam", dialect="torch", eps=0.1), [np.zeros(1)], [[np.ones(1)]])
        >>> nearest_bug(lambda params, **h: naive("adam")(params, **{**h, "eps_placement": "hat"}), case)
        "matches: eps_placement='hat', where the specification says 'outside'"
    """
    seen = _seen(make, case)
    if seen is None or not seen.departs:
        return None
    others: list[_Seen] | None = None
    here = None
    for text, candidate in _candidates(case):
        if _explains(candidate, seen):
            if others is None:
                found = (_seen(make, each) for each in fixed if _is_ordinary(each))
                others = [each for each in found if each is not None]
            if all(_explains(candidate, each) for each in others):
                return f"matches: {text}"
            here = here or f"{HERE_ALONE}{text}"
    return here


class _Seen(NamedTuple):
    """What an optimizer does on a case: its trajectory, and how near a candidate must come to it."""

    case: Case
    observed: list[np.ndarray]
    departs: bool
    tolerance: float


def _seen(make: Maker, case: Case) -> _Seen | None:
    try:
        observed, honest = _trajectory(make, case), _trajectory(naive(case.spec), case)
    except Exception:  # it may raise anything, and a crash resembles no known bug
        return None
    gap = _gap(observed, honest)
    noise = 64 * max((unit_roundoff(p.dtype) for p in case.params), default=0.0)
    noise *= max(_size(observed), _size(honest))
    return _Seen(case, observed, gap > noise, 1e-3 * gap if gap > noise else noise)


def _explains(candidate: Maker, seen: _Seen) -> bool:
    try:
        return agree(seen.observed, _trajectory(candidate, seen.case), seen.tolerance)
    except Exception:
        return False


def _is_ordinary(case: Case) -> bool:
    """Whether no square overflows or underflows: there an order of evaluation may be lost, and no bug told."""
    return all(bool(ordinary(g).all()) for grads in case.gradients for g in grads if g is not None)


def _candidates(case: Case) -> Iterator[tuple[str, Maker]]:
    spec, honest = case.spec, naive(case.spec)
    for option, values in OPTIONS.items():
        if option in spec.all_names:
            for value in values:
                if value != spec[option]:
                    text = f"{option}={value!r}, where the specification says {spec[option]!r}"
                    yield text, _changed(honest, {option: value})
    for mutant in sorted(MUTANTS.values(), key=lambda each: not each.seen_in):
        if mutant.may_be_in(spec.family):
            yield mutant.named, mutant.build(spec.family)


def _changed(make: Maker, changes: dict[str, Any]) -> Maker:
    return lambda params, **hyperparameters: make(params, **{**hyperparameters, **changes})


def _trajectory(make: Maker, case: Case) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        return [np.asarray(p, np.float64) for params in run(case, make) for p in params]


def _gap(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """The largest difference where both are finite: what is lost to infinity or NaN says nothing about why."""
    with np.errstate(all="ignore"):
        apart = (np.where(np.isfinite(x) & np.isfinite(y), np.abs(x - y), 0.0) for x, y in zip(a, b, strict=True))
        return max((float(d.max(initial=0.0)) for d in apart), default=0.0)


def agree(observed: Iterable[Any], candidate: Iterable[Any], tolerance: float) -> bool:
    """Whether a candidate is as near wherever the observed is finite, and not finite elsewhere."""
    for x, y in zip(observed, candidate, strict=True):
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if x.shape != y.shape:
            return False
        with np.errstate(all="ignore"):
            alike = (np.isfinite(x) == np.isfinite(y)) & ~(np.isfinite(x) & (np.abs(x - y) > tolerance))
        if not alike.all():
            return False
    return True


def _size(a: list[np.ndarray]) -> float:
    return max((float(np.abs(x[np.isfinite(x)]).max(initial=0.0)) for x in a), default=0.0)


def _or_none(nearest: Callable[Given, str | None]) -> Callable[Given, str | None]:
    """None, too, where what is compared is no array, or not one of the right shape."""

    @wraps(nearest)
    def named(*args: Given.args, **settings: Given.kwargs) -> str | None:
        try:
            return nearest(*args, **settings)
        except Exception:  # what is checked may give and raise anything
            return None

    return named


@_or_none
def nearest_wrong_schedule(schedule: Callable[[Any], Any], name: str, arguments: Mapping[str, Any]) -> str | None:
    """The known bug that gives these rates, for a schedule that claims to be a row of SCHEDULES.

    Example:
        >>> from tinygrad_lr.schedules import cosine
        >>> nearest_wrong_schedule(cosine(9), "cosine", {"total_steps": 10, "end": 0.0})
        'matches: ends at t minus 1, spd #642'
        >>> nearest_wrong_schedule(cosine(10), "cosine", {"total_steps": 10, "end": 0.0})
    """
    lengths = [value for key, value in arguments.items() if key.endswith("steps")]
    total = max([sum(lengths), *arguments.get("milestones", ())])
    near, spread = range(max(total - 2, 0), total + 3), range(0, total, max(total // 40, 1))
    steps = sorted({*range(min(total + 3, 40)), *near, *spread})
    observed, right = _rates(schedule, steps), _rates(SCHEDULES[name].build(**arguments), steps)
    finite = np.isfinite(observed) & np.isfinite(right)
    gap = float(np.max(np.abs(observed - right), where=finite, initial=0.0))
    if not finite.any() or agree(observed, right, TOLERANCE):
        return None
    for mutant in SCHEDULE_MUTANTS.values():
        if name in (mutant.spec, *mutant.also):
            try:
                candidate = mutant.build(**arguments)
            except ValueError:  # a phase of -1 steps, say
                continue
            if agree(observed, _rates(candidate, steps), max(1e-3 * gap, TOLERANCE)):
                return f"matches: {mutant.named}"
    return None


def _rates(schedule: Callable[[Any], Any], steps: Iterable[int]) -> Array:
    """The rates at the steps, NaN where there is an error."""
    found = []
    for step in steps:
        try:
            found.append(float(schedule(step)))
        except Exception:  # what is checked may raise anything
            found.append(float("nan"))
    return np.array(found)


@_or_none
def nearest_wrong_clipping(clip: Clip, grads: list[Array], max_norm: float) -> str | None:
    """The known bug that clips so: these gradients, as long as the limit, all zeros, and with squares that overflow.

    One that explains some of these and not all is told as such.
    """
    zeros, at_the_limit = [np.zeros_like(g) for g in grads], clipping.right(grads, max_norm)
    inputs = ((grads, max_norm), (at_the_limit, max_norm), (zeros, 1.0), (overflowing(grads), 1.0))
    here = None
    with np.errstate(all="ignore"):
        seen = [(given, limit, found) for given, limit in inputs if (found := _clipped(clip, given, limit)) is not None]
        right = [agree(found, clipping.right(given, limit), 1e-3 * limit) for given, limit, found in seen]
        for mutant in CLIPPING_MUTANTS.values() if not all(right) else ():
            alike = [
                agree(found, mutant.clip([g.copy() for g in given], limit), (1e-3 if well else 1e-5) * limit)
                for (given, limit, found), well in zip(seen, right, strict=True)
            ]
            if all(alike):
                return f"matches: {mutant.named}"
            if any(near and not well for near, well in zip(alike, right, strict=True)):
                here = here or f"{HERE_ALONE}{mutant.named}"
    return here


def _clipped(clip: Clip, grads: list[Array], max_norm: float) -> list[Array] | None:
    given = [g.copy() for g in grads]
    try:
        found = clip(given, max_norm)
    except Exception:  # what is checked may raise anything
        return None
    return [np.asarray(g) for g in found] if isinstance(found, (list, tuple)) and len(found) == len(given) else given


@_or_none
def nearest_wrong_gradient(
    property_id: str,
    fn: Callable[..., Any],
    arrays: Sequence[Array],
    found: Sequence[Any],
    declared: Sequence[Any] | None = None,
) -> str | None:
    """The known bug that gives these gradients where central differences, or what is declared, give the right ones.

    For P47 and P48 the gradients of one use are right, and those of two uses are compared.

    Example:
        >>> nearest_wrong_gradient("P44", lambda x: float((x**2).sum()), [np.array([0.0, 1.0])], [[np.nan, 2.0]])
        'matches: power is nan at zero, autograd #116'
    """
    uses = property_id in ("P47", "P48")
    if uses:
        right, found = [2 * np.asarray(g) for g in found], _of_two_uses(property_id, fn, arrays)
    else:
        right = [np.asarray(g, float) for g in declared] if declared is not None else _differences(fn, arrays)
    size = max((float(np.abs(g[np.isfinite(g)]).max(initial=0.0)) for g in right), default=0.0)
    if len(found) != len(right) or agree(found, right, 1e-4 * size):
        return None
    for mutant in GRADIENT_MUTANTS.values():
        fits = mutant.killed_by == property_id if uses else mutant.killed_by not in ("P45", "P47", "P48")
        if fits and agree(found, mutant.spoil(right, list(arrays)), 1e-4 * size):
            return f"matches: {mutant.named}"
    return None


def _of_two_uses(property_id: str, fn: Callable[..., Any], arrays: Sequence[Array]) -> list[Any]:
    """What flows back from y + y (P47), or is left in grad after two graphs (P48)."""
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    for y in (fn(*tensors),) if property_id == "P47" else (fn(*tensors), fn(*tensors)):
        (y + y if property_id == "P47" else y).backward(np.ones(y.shape))
    return [np.zeros_like(a) if t.grad is None else t.grad for a, t in zip(arrays, tensors, strict=True)]


def _differences(fn: Callable[..., Any], arrays: Sequence[Array]) -> list[Array]:
    """Central differences of the sum of what fn gives, to some nine digits."""

    def value(moved: list[Array]) -> float:
        try:
            return float(np.sum(fn(*moved)))
        except Exception:  # fn is of Tensors
            return float(np.sum(fn(*map(Tensor, moved)).numpy()))

    moving, right = [array.copy() for array in arrays], []
    for i, array in enumerate(arrays):
        gradient = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            ends = []
            for sign in (1.0, -1.0):
                moving[i][place] = array[place] + sign * 1e-5
                ends.append(value(moving))
            moving[i][place] = array[place]
            gradient[place] = (ends[0] - ends[1]) / 2e-5
        right.append(gradient)
    return right
