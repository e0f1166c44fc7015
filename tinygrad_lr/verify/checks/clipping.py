"""`check_clipping`: P26 on any function that clips gradients by their global norm, as a report.

The parts of P26 stand in properties/clipping.py. Next: checks/gradients.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.integers import whole_number

from ..outcomes import TIMEOUT, run_checks
from ..properties.clipping import (
    CHECKS,
    MISSING,
    NON_FINITE,
    NONFINITE,
    Clip,
    ClippingProperty,
    Example,
    global_norm,
    treats_as_promised,
)
from ..protocol import Array, Broken, NotApplicable
from ..report import Finding, Report, plain
from ..search.answers import program_of_a_clipping
from ..search.diagnose import nearest_wrong_clipping
from . import arguments
from .arguments import name_of


def check_clipping(
    clip: Clip,
    *,
    non_finite: str | None = None,
    missing_gradients: bool = False,
    dtype: DTypeLike = "float32",
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
        missing_gradients: whether a gradient may be None (P26.missing).
        dtype: "float32" or "float64".
        seed: of the examples; the same seed gives the same verdict.
        expected_failures: part of P26 ("P26.zero") -> reason; strict.
        timeout: seconds that one part may take.

    Returns:
        A `Report` with the parts of P26: norm, identity, direction, idempotent, global, zero, overflow, underflow,
        limits, sizes, counts, layouts, dtypes, kept, again, missing, nonfinite.

    Raises:
        TypeError, ValueError: `clip` is not callable, an unknown part or dtype.

    Example:
        >>> def clip(grads, max_norm):
        ...     norm = sum(float((g.astype(float) ** 2).sum()) for g in grads) ** 0.5
        ...     return [g * g.dtype.type(min(1.0, max_norm / (norm + 1e-6))) for g in grads]
        >>> check_clipping(clip).ok
        True
        >>> report = check_clipping(lambda grads, max_norm: [g / np.linalg.norm(g) * max_norm for g in grads])
        >>> [finding.property_id for finding in report.failures][:4]
        ['P26.norm', 'P26.identity', 'P26.direction', 'P26.global']
    """
    if not callable(clip):
        raise TypeError(f"clip must be callable, clip(grads, max_norm), got {type(clip).__name__}")
    if non_finite not in (None, *NON_FINITE):
        raise ValueError(f"non_finite must be one of {', '.join(NON_FINITE)} or None, got {non_finite!r}")
    missing_gradients = true_or_false("missing_gradients", missing_gradients)
    dtype, seed = arguments.precision(dtype), whole_number("seed", seed, 0)
    expected = arguments.expectations(expected_failures, [check.id for check in CHECKS])

    def examine(check: ClippingProperty) -> Finding:
        if check is NONFINITE:
            return _not_finite(clip, non_finite, dtype, seed)
        if check is MISSING and not missing_gradients:
            return Finding(
                check.id, check.statement, "not applicable", "pass missing_gradients=True where it takes None"
            )
        return _finding(check, clip, dtype, seed)

    findings = run_checks(CHECKS, examine, arguments.seconds(timeout), expected)
    return Report(f"{name_of(clip)} against clipping by the global norm, {dtype}, seed {seed}", findings)


def _finding(check: ClippingProperty, clip: Clip, dtype: np.dtype[Any], seed: int) -> Finding:
    rng = np.random.default_rng([seed, 26])
    reasons: list[str] = []
    passed = 0
    for grads, max_norm in check.examples(dtype, rng) if check.examples else _examples(dtype, seed):
        grads, max_norm = check.at(grads, max_norm)
        try:
            with np.errstate(all="ignore"):
                check.run(clip, grads, max_norm)
            passed += 1
        except NotApplicable as reason:
            reasons.append(str(reason))
        except Broken as broken:
            with np.errstate(all="ignore"):
                nearest = nearest_wrong_clipping(clip, grads, max_norm)
            example = {"grads": [g.tolist() for g in grads], "max_norm": max_norm, **_unusual(grads, dtype)}
            found = Finding(
                check.id,
                check.statement,
                "failed",
                "",
                example,
                broken.what,
                plain(broken.expected),
                plain(broken.actual),
                broken.ratio,
                nearest,
            )
            program = program_of_a_clipping(found, clip, dtype)
            return replace(found, program=program.text, no_program=program.why_not)
    if reasons and not passed:
        return Finding(check.id, check.statement, "not applicable", reasons[0])
    note = f"not examined: {'; '.join(dict.fromkeys(reasons))}" if reasons else ""
    return Finding(check.id, check.statement, "passed", note)


def _unusual(grads: list[Array], dtype: np.dtype[Any]) -> dict[str, Any]:
    """What else is to be said of arrays than their numbers: dtypes and how they lie in memory."""
    said: dict[str, Any] = {}
    if any(g.dtype != dtype for g in grads):
        said["dtypes"] = [str(g.dtype) for g in grads]
    if not all(g.flags.c_contiguous and g.flags.writeable for g in grads):
        said["layouts"] = [{"strides": g.strides, "writeable": bool(g.flags.writeable)} for g in grads]
    return said


def _examples(dtype: np.dtype[Any], seed: int) -> Iterator[tuple[list[Array], float]]:
    """From small to large: one and several arrays, norms below, at and above the limit."""
    for shapes in ([(1,)], [(2,)], [(2,), (1,)], [(3,), (2, 4), (), (0,)]):
        for factor in (0.5, 2.0, 1000.0):
            rng = np.random.default_rng([seed, len(shapes), int(factor * 2)])
            sizes = [rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 2.0, shape) for shape in shapes]
            grads = [np.asarray(size, dtype) for size in sizes]
            yield grads, global_norm(grads) / factor


def _not_finite(clip: Clip, promise: str | None, dtype: np.dtype[Any], seed: int) -> Finding:
    if promise is None:
        reason = f"pass non_finite= ({', '.join(NON_FINITE)}) to have what is promised checked"
        return Finding(NONFINITE.id, NONFINITE.statement, "not applicable", reason)
    for bad in (np.inf, -np.inf, np.nan):
        for last in (False, True):

            def with_it(grads: list[Array], max_norm: float, bad: float = bad, last: bool = last) -> Example:
                found = [np.array(g) for g in grads]
                filled = [g for g in found if g.size]
                filled[-1 if last else 0].flat[-1 if last else 0] = bad
                return found, 1.0

            check = NONFINITE._replace(run=lambda *example: treats_as_promised(promise, *example), at=with_it)
            if (finding := _finding(check, clip, dtype, seed)).outcome != "passed":
                return finding
    return Finding(NONFINITE.id, NONFINITE.statement, "passed")
