"""`check_clipping`: P26 on any function that clips gradients by their global norm, as a report.

Many implementations divide by norm + 1e-6; what that changes is allowed. Next: checks/gradients.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..guard import ProtocolError, called
from ..mutants.clipping import huge
from ..outcomes import asked
from ..protocol import Array, Broken, gamma, same_bits, same_values, within
from ..report import Finding, Report, plain, shortened
from ..search.diagnose import nearest_wrong_clipping
from . import arguments
from .arguments import TIMEOUT
from .optimizers import name_of

Clip = Callable[[list[Array], float], Any]
NON_FINITE = ("raises", "propagates", "zeros", "keeps")


class Check(NamedTuple):
    """One part of P26; `run` raises Broken on the gradients and the limit that `at` makes of an example."""

    id: str
    statement: str
    run: Callable[[Clip, list[Array], float], None]
    at: Callable[[list[Array], float], tuple[list[Array], float]] = lambda grads, max_norm: (grads, max_norm)


def check_clipping(
    clip: Clip,
    *,
    non_finite: str | None = None,
    dtype: Any = "float32",
    seed: int = 0,
    expected_failures: Mapping[str, str] | None = None,
    timeout: float | None = TIMEOUT,
) -> Report:
    """Check clipping by the global norm (Pascanu, Mikolov & Bengio, ICML 2013, arXiv:1211.5063, Algorithm 1).

    Args:
        clip: `clip(grads, max_norm)` returns the list of clipped arrays; or None or a number, such as the norm, after
            scaling `grads` in place.
        non_finite: what it promises of gradients with infinity or NaN: it "raises", "propagates" them (what was not
            finite is not made so), gives "zeros", or "keeps" every bit.
        dtype: "float32" or "float64".
        seed: of the examples; the same seed gives the same verdict.
        expected_failures: part of P26 ("P26.zero") -> reason; strict.
        timeout: seconds that one part may take.

    Returns:
        A `Report` with the parts of P26: norm, identity, direction, idempotent, global, zero, overflow, nonfinite.

    Raises:
        TypeError, ValueError: `clip` is not callable, an unknown part or dtype.

    Example:
        >>> def clip(grads, max_norm):
        ...     norm = sum(float((g.astype(float) ** 2).sum()) for g in grads) ** 0.5
        ...     return [g * g.dtype.type(min(1.0, max_norm / (norm + 1e-6))) for g in grads]
        >>> check_clipping(clip).ok
        True
        >>> report = check_clipping(lambda grads, max_norm: [g / np.linalg.norm(g) * max_norm for g in grads])
        >>> [finding.property_id for finding in report.failures]
        ['P26.norm', 'P26.identity', 'P26.direction', 'P26.global', 'P26.zero', 'P26.overflow']
    """
    if not callable(clip):
        raise TypeError(f"clip must be callable, clip(grads, max_norm), got {type(clip).__name__}")
    if non_finite not in (None, *NON_FINITE):
        raise ValueError(f"non_finite must be one of {', '.join(NON_FINITE)} or None, got {non_finite!r}")
    dtype, seed = arguments.precision(dtype), arguments.whole("seed", seed, 0)
    expected = arguments.expectations(expected_failures, [check.id for check in CHECKS])

    def look(check: Check) -> Finding:
        if check is NONFINITE:
            return _not_finite(clip, non_finite, dtype, seed)
        return _finding(check, clip, dtype, seed)

    findings = asked(CHECKS, look, arguments.seconds(timeout), expected)
    return Report(f"{name_of(clip)} against clipping by the global norm, {dtype}, seed {seed}", findings)


def _finding(check: Check, clip: Clip, dtype: np.dtype[Any], seed: int) -> Finding:
    for grads, max_norm in _examples(dtype, seed):
        grads, max_norm = check.at(grads, max_norm)
        try:
            with np.errstate(all="ignore"):
                check.run(clip, grads, max_norm)
        except Broken as broken:
            example = {"grads": [g.tolist() for g in grads], "max_norm": max_norm}
            return Finding(
                check.id,
                check.statement,
                "failed",
                "",
                example,
                broken.what,
                plain(broken.expected),
                plain(broken.actual),
                broken.ratio,
                nearest_wrong_clipping(clip, grads, max_norm),
            )
    return Finding(check.id, check.statement, "passed")


def _examples(dtype: np.dtype[Any], seed: int) -> Iterator[tuple[list[Array], float]]:
    """From small to large: one and several arrays, norms below, at and above the limit."""
    for shapes in ([(1,)], [(2,)], [(2,), (1,)], [(3,), (2, 4), (), (0,)]):
        for factor in (0.5, 2.0, 1000.0):
            rng = np.random.default_rng([seed, len(shapes), int(factor * 2)])
            sizes = [rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 2.0, shape) for shape in shapes]
            grads = [np.asarray(size, dtype) for size in sizes]
            yield grads, _norm(grads) / factor


def _norm(grads: list[Array]) -> float:
    return math.hypot(*(float(x) for g in grads for x in g.ravel()))


def _clipped(clip: Clip, grads: list[Array], max_norm: float) -> list[Array]:
    given = [g.copy() for g in grads]
    found = called(lambda: clip(given, max_norm), clip, "clip(grads, max_norm)")
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
    found, before = _norm(_clipped(clip, grads, max_norm)), _norm(grads)
    bound = max_norm * (1 + _slack(grads))
    if not found <= bound:
        raise Broken("the norm of the clipped gradients", f"at most {bound!r}", found, found / bound)
    least = max_norm * (1 - _slack(grads) - 2e-6 / before)
    if before > max_norm and not found >= least:
        raise Broken("the norm of the clipped gradients", f"at least {least!r}", found)


def _twice_the_norm(grads: list[Array], max_norm: float) -> tuple[list[Array], float]:
    return grads, 2 * _norm(grads)


def _identity(clip: Clip, grads: list[Array], max_norm: float) -> None:
    for i, (before, after) in enumerate(zip(grads, _clipped(clip, grads, max_norm), strict=True)):
        same_bits(before, after, f"gradient {i}, where the norm is half of max_norm")


def _direction(clip: Clip, grads: list[Array], max_norm: float) -> None:
    clipped = _clipped(clip, grads, max_norm)
    factor = _norm(clipped) / _norm(grads)
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


def _huge(grads: list[Array], max_norm: float) -> tuple[list[Array], float]:
    """Where a square overflows but the norm does not."""
    return huge(grads), 1.0


def _overflow(clip: Clip, grads: list[Array], max_norm: float) -> None:
    _norm_at_most(clip, grads, max_norm)
    _direction(clip, grads, max_norm)


NONFINITE = Check("P26.nonfinite", "Gradients with infinity or NaN are treated as declared.", lambda *_: None)
CHECKS = (
    Check(
        "P26.norm",
        "Afterwards the norm over all gradients is at most max_norm, and max_norm where it was above.",
        _norm_at_most,
    ),
    Check("P26.identity", "Gradients whose norm is below max_norm keep their bits.", _identity, _twice_the_norm),
    Check("P26.direction", "All gradients are scaled by one factor.", _direction),
    Check("P26.idempotent", "Clipping again changes nothing.", _idempotent),
    Check("P26.global", "The norm is that of all gradients together.", _global),
    Check("P26.zero", "Gradients of zero stay zero, without NaN.", _zero, _zeros),
    Check("P26.overflow", "A norm is found where squares overflow.", _overflow, _huge),
    NONFINITE,
)


def _not_finite(clip: Clip, promise: str | None, dtype: np.dtype[Any], seed: int) -> Finding:
    if promise is None:
        reason = f"pass non_finite= ({', '.join(NON_FINITE)}) to have what is promised checked"
        return Finding(NONFINITE.id, NONFINITE.statement, "not applicable", reason)
    for bad in (np.inf, -np.inf, np.nan):

        def with_it(grads: list[Array], max_norm: float, bad: float = bad) -> tuple[list[Array], float]:
            first = np.array(grads[0])
            first.flat[0] = bad
            return [first, *grads[1:]], 1.0

        check = NONFINITE._replace(run=lambda *example: _as_promised(promise, *example), at=with_it)
        if (finding := _finding(check, clip, dtype, seed)).outcome != "passed":
            return finding
    return Finding(NONFINITE.id, NONFINITE.statement, "passed")


def _as_promised(promise: str, clip: Clip, grads: list[Array], max_norm: float) -> None:
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
