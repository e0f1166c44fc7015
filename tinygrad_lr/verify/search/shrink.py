"""Makes a failing example small enough to follow by hand: fewer parameters, steps and elements, rounder numbers.

The search is greedy and deterministic: it takes the first simpler example that still shows what was found, and as
plainly, until there is none. Next: evidence.py, diagnose.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..protocol import Array, Case, Claim

# Fields of a case -> their value where nothing unusual happens.
PLAIN: dict[str, Any] = {
    "changes": {},
    "late": 0,
    "group": {},
    "apart": False,
    "count": 0,
    "layout": "",
    "buffers": False,
}
TRIES, STEPS = 400, 3000  # of examples, and of steps in all of them
CROWD = 48  # more parameters than that are not looked at one by one
LENGTHS = (1, 3, 9, 17, 33, 65, 129, 257, 513, 1025, 2049)  # to which a vector is cut
SEEN = 0.05  # a relative difference that anyone sees; a smaller one may lose half of itself at most


def shrink(
    case: Case, plainness: Callable[[Case], float | None], tries: int = TRIES, claimed: Claim | None = None
) -> Case:
    """The smallest case found that shows what `case` shows, and as plainly.

    Args:
        case: the failing case.
        plainness: how large the difference is that a case shows, relatively; None where it does not show this one.
        tries: how many cases are tried at most.
        claimed: the settings that are plainest; None: the case's own.

    Example:
        >>> from tinygrad_lr.verify.specification import Specification
        >>> g = np.array([0.3, -7.31, 0.2])
        >>> case = Case(Specification("sgd", {"lr": 0.1}), [np.ones(3)], [[g], [g]])
        >>> small = shrink(case, lambda c: 1.0 if any((abs(g[0]) > 5).any() for g in c.gradients) else None)
        >>> small.params, small.gradients
        ([array([0.])], [[array([-7.])]])
    """
    steps, largest = STEPS, plainness(case) or 0.0
    while True:
        for candidate in _simpler(case, claimed):
            tries, steps = tries - 1, steps - len(candidate.gradients)
            if min(tries, steps) < 0:
                return case
            shown = plainness(candidate)
            if shown is not None and shown >= min(largest / 2, SEEN):
                case, largest = candidate, max(largest, shown)
                break
        else:
            return case
    return case


def _simpler(case: Case, claimed: Claim | None = None) -> Iterator[Case]:
    count, steps = len(case.params), len(case.gradients)
    for kept in (range(count // 2), range(count // 2, count)) if count > 3 else ():
        yield case.part(list(kept))
    for width in (count // 8, count // 32, 1) if count > CROWD else ():
        yield case.part(list(range(count - width)))
    for i in range(count if 1 < count <= CROWD else 0):
        yield case.part([k for k in range(count) if k != i])
    for keep in sorted({1, steps // 2, steps - steps // 8, steps - steps // 32, steps - 1} - {0, steps}):
        yield case.part(steps=slice(0, keep))
        yield case.part(steps=slice(steps - keep, steps))
    for name, nothing in PLAIN.items():
        if getattr(case, name):
            yield replace(case, **{name: nothing})
    if claimed is not None:
        for name in case.spec.hyperparameters:
            if name in claimed.hyperparameters and _unequal(claimed[name], case.spec[name]):
                yield replace(case, spec=case.spec.having(**{name: claimed[name]}))
    if count > CROWD:
        yield from _all_alike(case)
        return
    for i, param in enumerate(case.params):
        for size in LENGTHS if param.ndim == 1 else ():
            if size < param.size:
                yield _prefix(case, i, size)
    for i, param in enumerate(case.params):
        if param.size > 1:
            for k in range(min(param.size, 24)):
                yield _one_element(case, i, k)
    for i, param in enumerate(case.params):
        for value in _rounder(param):
            yield _with(case, [value if k == i else p for k, p in enumerate(case.params)], case.gradients)
    if steps > 8:  # a long run: all of its gradients at once, first
        for simple in (np.ones_like, _digit):
            rows = [[None if g is None else simple(g) for g in row] for row in case.gradients]
            if sum(_effort(g) for row in rows for g in row if g is not None) < sum(
                _effort(g) for row in case.gradients for g in row if g is not None
            ):
                yield _with(case, case.params, rows)
    for t, grads in enumerate(case.gradients):
        for i, g in enumerate(grads):
            if g is not None:
                for value in _rounder(g):
                    changed = [
                        [value if (s, k) == (t, i) else x for k, x in enumerate(row)]
                        for s, row in enumerate(case.gradients)
                    ]
                    yield _with(case, case.params, changed)


def _with(case: Case, params: Sequence[Array], gradients: Sequence[Sequence[Array | None]]) -> Case:
    return replace(case, params=list(params), gradients=[list(row) for row in gradients])


def _unequal(a: Any, b: Any) -> bool:
    return repr(a) != repr(b)


def _all_alike(case: Case) -> Iterator[Case]:
    """The case with the first parameter and its gradients in the place of all, as they are and of zeros and ones."""
    count, theta = len(case.params), case.params[0]
    zeros, ones = np.zeros_like(theta), [np.ones_like(theta)] * len(case.gradients)
    for start, column in ((zeros, ones), (theta, [grads[0] for grads in case.gradients])):
        if not all(p.tobytes() == start.tobytes() for p in case.params):
            pairs = zip(column, case.gradients, strict=True)
            yield _with(case, [start] * count, [[None if g is None else each for g in grads] for each, grads in pairs])


def _prefix(case: Case, i: int, size: int) -> Case:
    """The case whose parameter i is a vector of its first elements alone."""
    params = [p[:size] if j == i else p for j, p in enumerate(case.params)]
    gradients = [[g[:size] if j == i and g is not None else g for j, g in enumerate(row)] for row in case.gradients]
    return _with(case, params, gradients)


def _one_element(case: Case, i: int, k: int) -> Case:
    def element(array: Array) -> Array:
        return array.ravel()[k : k + 1].reshape(shape).copy()

    family = getattr(case.spec, "family", None)
    shape = (1,) * max(1, family.dimensions if family else 0)

    params = [element(p) if j == i else p for j, p in enumerate(case.params)]
    gradients = [[element(g) if j == i and g is not None else g for j, g in enumerate(row)] for row in case.gradients]
    return _with(case, params, gradients)


def _rounder(array: Array) -> Iterator[Array]:
    """Simpler arrays of the same shape: all zeros, all ones, one significant digit."""
    for simple in (np.zeros_like(array), np.ones_like(array), _digit(array)):
        if _effort(simple) < _effort(array):
            yield simple


def _digit(array: Array) -> Array:
    """One significant digit of each element."""
    with np.errstate(all="ignore"):
        return np.array([float(f"{float(x):.0e}") for x in array.ravel()]).reshape(array.shape).astype(array.dtype)


def _effort(array: Array) -> int:
    """How much there is to read; zeros are least."""
    return sum(0 if x == 0 else 1 if x == 1 else len(repr(float(x))) for x in array.ravel())
