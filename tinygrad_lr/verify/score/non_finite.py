"""Wrong with infinity and NaN: they spread, are clipped, counted as zero or skipped. Next: dialects.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .candidates import Candidate, Formulas, family
from .scenes import Scene, shapes_for
from .subjects import Subject, claims, optimizer


def reads(read: Callable) -> type[Subject]:
    class ReadsOtherwise(Subject):
        def update(self, i, g, hyperparameters):
            super().update(i, np.asarray(read(g), g.dtype), hyperparameters)

    return ReadsOtherwise


def spread(g):
    return np.full_like(g, np.nan) if not np.isfinite(g).all() else g


def to_the_neighbour(g):
    """NaN reaches the next element, as sums over pairs make it."""
    flat = g.reshape(-1)
    return np.where(np.isfinite(np.roll(flat, 1)) | (flat.size < 2), flat, np.nan).reshape(g.shape)


class NanForAll(Subject):
    """One NaN makes every parameter NaN."""

    def update_all(self, grads):
        if any(g is not None and np.isnan(g).any() for g in grads):
            grads = [None if g is None else np.full_like(g, np.nan) for g in grads]
        super().update_all(grads)


class ForgetsNan(Subject):
    """Moments that are NaN become zero."""

    def write(self, i, theta, state):
        super().write(i, theta, {key: np.nan_to_num(value, nan=0.0) for key, value in state.items()})


class NanStays(Subject):
    """Where the step is NaN, the parameter stays."""

    def write(self, i, theta, state):
        super().write(i, np.where(np.isnan(theta), self.params[i], theta), state)


class EndsAtNan(Subject):
    """After the first NaN nothing is updated any more."""

    ended = False

    def update_all(self, grads):
        if not self.ended:
            super().update_all(grads)
        self.ended = self.ended or any(g is not None and np.isnan(g).any() for g in grads)


NAN, INF = float("nan"), float("inf")
KINDS: dict[str, tuple[type[Subject], float]] = {
    "makes the whole parameter NaN": (reads(spread), NAN),
    "makes the next element NaN": (reads(to_the_neighbour), NAN),
    "makes every parameter NaN": (NanForAll, NAN),
    "takes NaN for 0": (reads(lambda g: np.where(np.isnan(g), 0, g)), NAN),
    "takes infinity for 0": (reads(lambda g: np.where(np.isinf(g), 0, g)), INF),
    "takes infinity for the largest number": (
        reads(lambda g: np.clip(g, np.finfo(g.dtype).min, np.finfo(g.dtype).max)),
        INF,
    ),
    "takes minus infinity for infinity": (reads(lambda g: np.where(np.isinf(g), np.inf, g)), -INF),
    "takes infinity for NaN": (reads(lambda g: np.where(np.isinf(g), np.nan, g)), INF),
    "makes moments zero that are NaN": (ForgetsNan, NAN),
    "leaves a parameter where its step is NaN": (NanStays, NAN),
    "stops for ever at a NaN": (EndsAtNan, NAN),
    "clips gradients at a million": (reads(lambda g: np.clip(g, -1e6, 1e6)), 1e7),
    "flushes gradients below 1e-30 to zero": (reads(lambda g: np.where(np.abs(g) < 1e-30, 0, g)), 1e-32),
}


@family(
    "non-finite", "NaN and infinity spread, are clipped, taken for zero or skipped; large and small ones are changed."
)
def non_finite(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        shapes = shapes_for(claim)
        for kind, (subject, number) in KINDS.items():
            scenes = tuple(
                Scene({"lr": 0.05}, shapes, steps=4, special=((1, 0, number),), scale=scale, dtype=dtype)
                for scale, dtype in ((1.0, "float64"), (1e-33, "float64"), (1e-33, "float32"))
            )
            yield optimizer("non-finite", kind, claim.name, claim, subject, scenes)
