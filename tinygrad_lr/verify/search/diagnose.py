"""Which known bug behaves like this? The catalogue's mutants and the other dialects are run on the failing example.

A candidate is named where it explains the failure: its whole trajectory lies a thousand times nearer to the observed
one than the specification's own does. Nothing is claimed where the trajectory is the specification's (other properties
fail for other reasons), nor where the two are apart only in what is infinite or NaN. Next: mutants/catalogue.py,
diagnose_more.py (schedules, gradients, clipping).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..adapters.naive import naive
from ..protocol import Case, Maker, follow, unit_roundoff

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


def nearest_bug(make: Maker, case: Case) -> str | None:
    """The known bug or other dialect that behaves on the case as the accused does; None where there is none.

    Example:
        >>> from tinygrad_lr.verify.specification import spec
        >>> case = Case(spec("adam", dialect="torch", eps=0.1), [np.zeros(1)], [[np.ones(1)]])
        >>> nearest_bug(lambda params, **h: naive("adam")(params, **{**h, "eps_placement": "hat"}), case)
        "matches: eps_placement='hat', where the specification says 'outside'"
    """
    try:
        observed = _trajectory(make, case)
        honest = _trajectory(naive(case.spec.name), case)
    except Exception:  # it may raise anything, and a crash resembles no known bug
        return None
    gap = _gap(observed, honest)
    noise = 64 * max((unit_roundoff(p.dtype) for p in case.params), default=0.0)
    if not gap > noise * max(_size(observed), _size(honest)):
        return None
    for text, candidate in _candidates(case):
        try:
            found = _trajectory(candidate, case)
        except Exception:
            continue
        if agree(observed, found, 1e-3 * gap):
            return f"matches: {text}"
    return None


def _candidates(case: Case) -> Iterator[tuple[str, Maker]]:
    spec, honest = case.spec, naive(case.spec.name)
    for option, values in OPTIONS.items():
        if option in spec.all_names:
            for value in values:
                if value != spec[option]:
                    text = f"{option}={value!r}, where the specification says {spec[option]!r}"
                    yield text, _changed(honest, {option: value})
    from ..mutants import MUTANTS

    for mutant in sorted(MUTANTS.values(), key=lambda each: not each.seen_in):
        if mutant.may_be_in(spec.name):
            yield mutant.named, mutant.build(spec.name)


def _changed(make: Maker, changes: dict[str, Any]) -> Maker:
    return lambda params, **hyperparameters: make(params, **{**hyperparameters, **changes})


def _trajectory(make: Maker, case: Case) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        return [np.asarray(p, np.float64) for params in follow(case.make(make), case.gradients) for p in params]


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
