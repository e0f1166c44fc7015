"""Wrong at a size: the rest of a vector, the end of a block, the first row, the last element. Next: layouts.py."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .candidates import Candidate, Formulas, family
from .scenes import Scene
from .subjects import Subject, claims, optimizer

WIDTHS = (4, 8, 16, 32, 64, 256, 1024, 2048)


def last_of_odd(shape: tuple[int, ...]) -> np.ndarray:
    """The last element where their number is odd and above 1."""
    chosen = np.zeros(shape, bool)
    if chosen.size % 2 and chosen.size > 1:
        chosen.reshape(-1)[-1] = True
    return chosen


def first(shape: tuple[int, ...]) -> np.ndarray:
    """The first element of more than one."""
    chosen = np.zeros(shape, bool)
    if chosen.size > 1:
        chosen.reshape(-1)[0] = True
    return chosen


def first_row(shape: tuple[int, ...]) -> np.ndarray:
    """The first row of a matrix."""
    chosen = np.zeros(shape, bool)
    if len(shape) > 1:
        chosen[:1] = True
    return chosen


def last_row(shape: tuple[int, ...]) -> np.ndarray:
    """The last row of a matrix."""
    chosen = np.zeros(shape, bool)
    if len(shape) > 1:
        chosen[-1:] = True
    return chosen


def last_column(shape: tuple[int, ...]) -> np.ndarray:
    """The last column of a matrix."""
    chosen = np.zeros(shape, bool)
    if len(shape) > 1:
        chosen[..., -1:] = True
    return chosen


def without_dimension(shape: tuple[int, ...]) -> np.ndarray:
    """A parameter without dimensions."""
    return np.full(shape, shape == ())


def three_dimensions(shape: tuple[int, ...]) -> np.ndarray:
    """All but the first matrix of three dimensions or more."""
    chosen = np.zeros(shape, bool)
    if len(shape) > 2:
        chosen[1:] = True
    return chosen


def rest_of(width: int) -> Callable[[tuple[int, ...]], np.ndarray]:
    """What lies beyond the last whole vector, where there is one."""

    def rest(shape):
        chosen = np.zeros(shape, bool)
        if chosen.size > width:
            chosen.reshape(-1)[chosen.size - chosen.size % width :] = True
        return chosen

    return rest


def beyond(width: int) -> Callable[[tuple[int, ...]], np.ndarray]:
    """All that lies beyond the first block."""

    def later(shape):
        chosen = np.zeros(shape, bool)
        chosen.reshape(-1)[width:] = True
        return chosen

    return later


def first_of_block(width: int) -> Callable[[tuple[int, ...]], np.ndarray]:
    """The first element of every block but the first."""

    def firsts(shape):
        chosen = np.zeros(shape, bool)
        chosen.reshape(-1)[width::width] = True
        return chosen

    return firsts


# where -> (the elements, a shape that has some)
PLACES: dict[str, tuple[Callable[[tuple[int, ...]], np.ndarray], tuple[int, ...]]] = {
    "the last of an odd number": (last_of_odd, (7,)),
    "the first element": (first, (7,)),
    "the first row": (first_row, (3, 4)),
    "the last row": (last_row, (3, 4)),
    "the last column": (last_column, (3, 4)),
    "a number without dimensions": (without_dimension, ()),
    "all but the first of three dimensions": (three_dimensions, (2, 3, 2)),
    **{f"the rest after vectors of {w}": (rest_of(w), (2 * w + 1,)) for w in WIDTHS},
    **{f"all beyond {w}": (beyond(w), (2 * w,)) for w in WIDTHS},
    **{f"the first of each block of {w}": (first_of_block(w), (2 * w,)) for w in WIDTHS},
}


def spoiled(chosen: Callable[[tuple[int, ...]], np.ndarray], spoil: str) -> type[Subject]:
    """A subject that treats some elements otherwise."""

    class SomeElements(Subject):
        def write(self, i, theta, state):
            before, kept = self.params[i].copy(), {key: np.array(self.state[i][key]) for key in state}
            super().write(i, theta, state)
            where = chosen(before.shape)
            p = self.params[i]
            if spoil == "stays":
                p[...] = np.where(where, before, p)
            elif spoil == "is updated twice":
                p[...] = np.where(where, p + (p - before), p)
            elif spoil == "becomes zero":
                p[...] = np.where(where, 0, p)
            else:  # its state stays
                for key, old in kept.items():
                    if old.shape == where.shape:
                        self.state[i][key][...] = np.where(where, old, self.state[i][key])

    return SomeElements


@family("sizes", "Some elements stay, are updated twice or keep their state: rests of vectors, blocks, rows, ends.")
def sizes(formulas: Formulas = ()) -> Iterator[Candidate]:
    for claim in claims(formulas):
        if claim.family.coupled:
            continue
        for place, (chosen, shape) in PLACES.items():
            if len(shape) < claim.family.dimensions:
                shape = (*shape, *(2,) * (claim.family.dimensions - len(shape)))
            for spoil in ("stays", "is updated twice", "becomes zero", "keeps its state"):
                shown = (Scene({"lr": 0.05}, (shape,)),)
                yield optimizer("sizes", f"{place} {spoil}", claim.name, claim, spoiled(chosen, spoil), shown)
