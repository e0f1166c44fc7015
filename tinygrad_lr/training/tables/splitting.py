"""How rows are divided: into those to train on and those to measure on, and into the folds of a cross-validation.

A division depends on the number of rows, the seed, and what is to be respected: `classes` (each part has its share of
every class), `groups` (rows of one group stay together), `times` (measured rows are later than training rows). Nothing
else of a row is looked at. Next: preparing.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_lr.data.tables import split_rows

__all__ = ["Respecting", "divide", "folds"]

HELD_OUT, VALIDATION, FOLDS = 2, 3, 4  # set the generators apart; split_rows uses 2


@dataclass(frozen=True)
class Respecting:
    """What a division respects, an entry for each row of the table; at most one of the three.

    Attributes:
        classes: numbers of classes. groups: numbers of groups. times: float64, not missing.
    """

    classes: np.ndarray | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None


def divide(
    rows: np.ndarray, fraction: float, seed: int, respecting: Respecting | None = None, purpose: int = HELD_OUT
) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows into those that stay and those that are put away, each in ascending order.

    Args:
        rows: numbers of rows, at least two where the fraction is above 0.
        fraction: of the rows to put away, in [0, 1), rounded to whole rows, groups or times; at least one.
        seed: of the order in which rows or groups are drawn.
        purpose: `HELD_OUT` or `VALIDATION`; they draw differently.

    Raises:
        ValueError: too few rows, groups or times.

    Example:
        >>> times = np.array([3.0, 1, 2, 2, 0])
        >>> [each.tolist() for each in divide(np.arange(5), 0.4, 0, Respecting(times=times))]
        [[1, 4], [0, 2, 3]]
    """
    rows, respecting = np.sort(np.asarray(rows, np.int64)), respecting or Respecting()
    if not fraction:
        return rows, rows[:0]
    if len(rows) < 2:
        few = "1 row" if len(rows) == 1 else "0 rows"
        raise ValueError(f"{few} cannot be divided into rows to train on and rows to measure on; more are needed")
    wanted = min(max(round(len(rows) * fraction), 1), len(rows) - 1)
    generator = np.random.default_rng([seed, len(rows), purpose])
    if respecting.times is not None:
        return _in_time(rows, respecting.times[rows], wanted)
    if respecting.groups is not None:
        away = _groups(respecting.groups[rows], wanted, generator)
    elif respecting.classes is not None:
        away = _shares(respecting.classes[rows], wanted, generator)
    elif purpose == HELD_OUT:
        kept, held_out = split_rows(len(rows), fraction, seed)
        return rows[kept], rows[held_out]
    else:
        away = np.zeros(len(rows), bool)
        away[generator.permutation(len(rows))[:wanted]] = True
    return rows[~away], rows[away]


def folds(
    rows: np.ndarray, count: int, seed: int, respecting: Respecting | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The divisions of a cross-validation: rows to train on, and rows to measure on, for each fold.

    Every row is measured once, and the parts differ by at most a row, or by what classes and groups demand. With
    times, the training rows of a fold are those before its measured rows, and the first rows are never measured.

    Raises:
        ValueError: fewer rows, groups or times than that needs.

    Example:
        >>> [measured.tolist() for _, measured in folds(np.arange(4), 2, 0, Respecting(classes=np.array([0, 0, 1, 1])))]
        [[0, 3], [1, 2]]
    """
    rows, respecting = np.sort(np.asarray(rows, np.int64)), respecting or Respecting()
    if respecting.times is not None:
        return _folds_in_time(rows, respecting.times[rows], count)
    if len(rows) < count:
        raise ValueError(f"--folds {count} needs at least as many rows, got {len(rows)}")
    generator = np.random.default_rng([seed, len(rows), FOLDS])
    if respecting.groups is not None:
        fold = _folds_of_groups(respecting.groups[rows], count, generator)
    else:
        fold = np.empty(len(rows), np.int64)
        order = generator.permutation(len(rows))
        if respecting.classes is not None:
            order = order[np.argsort(respecting.classes[rows][order], kind="stable")]
        fold[order] = np.arange(len(rows)) % count
    return [(rows[fold != each], rows[fold == each]) for each in range(count)]


def _shares(classes: np.ndarray, wanted: int, generator: np.random.Generator) -> np.ndarray:
    """Which rows are put away: of each class its share, by largest remainders. A class keeps at least a row."""
    kinds, place = np.unique(classes, return_inverse=True)
    sizes = np.bincount(place)
    exact = sizes * (wanted / len(classes))
    quota = np.minimum(np.floor(exact).astype(np.int64), sizes - 1)
    for each in np.argsort(quota - exact, kind="stable").tolist() * len(classes):
        if quota.sum() >= wanted:
            break
        if quota[each] < sizes[each] - 1:
            quota[each] += 1
        elif (quota >= sizes - 1).all():
            break
    away = np.zeros(len(classes), bool)
    order = generator.permutation(len(classes))
    for each in range(len(kinds)):
        away[order[place[order] == each][: quota[each]]] = True
    if not away.any():  # every class has one row
        away[order[:wanted]] = True
    return away


def _groups(groups: np.ndarray, wanted: int, generator: np.random.Generator) -> np.ndarray:
    """Which rows are put away: whole groups in a random order, each where that brings the number nearer."""
    _, place = np.unique(groups, return_inverse=True)
    sizes = np.bincount(place)
    if len(sizes) < 2:
        raise ValueError("--split-by: all rows have one value of this column; at least two are needed to divide them")
    order = generator.permutation(len(sizes))
    chosen = np.zeros(len(sizes), bool)
    for each in order:
        count = int(sizes[chosen].sum())
        if abs(count + sizes[each] - wanted) < abs(count - wanted):
            chosen[each] = True
    if not chosen.any():
        chosen[np.argmin(sizes)] = True
    if chosen.all():
        chosen[order[0]] = False
    return chosen[place]


def _folds_of_groups(groups: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """The fold of each row: the largest group goes to the smallest fold, and so on."""
    _, place = np.unique(groups, return_inverse=True)
    sizes = np.bincount(place)
    if len(sizes) < count:
        raise ValueError(f"--folds {count} needs at least as many different values of --split-by, got {len(sizes)}")
    order = generator.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold, filled = np.empty(len(sizes), np.int64), np.zeros(count, np.int64)
    for each in order:
        fold[each] = np.argmin(filled)
        filled[fold[each]] += sizes[each]
    return fold[place]


def _cuts(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order of the rows in time, and the places in it before which a new time begins."""
    order = np.argsort(times, kind="stable")
    return order, np.flatnonzero(np.diff(times[order])) + 1


def _in_time(rows: np.ndarray, times: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    order, cuts = _cuts(times)
    if not len(cuts):
        raise ValueError("--time: all rows have one time; at least two are needed to divide them into before and after")
    cut = cuts[np.argmin(np.abs(cuts - (len(rows) - wanted)))]
    return np.sort(rows[order[:cut]]), np.sort(rows[order[cut:]])


def _folds_in_time(rows: np.ndarray, times: np.ndarray, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    order, cuts = _cuts(times)
    if len(cuts) < count:
        raise ValueError(f"--folds {count} needs at least {count + 1} different times, got {len(cuts) + 1}")
    bounds: list[int] = []
    for each in range(1, count + 1):
        wanted = round(len(rows) * each / (count + 1))
        free = cuts[len(bounds) if not bounds else np.searchsorted(cuts, bounds[-1]) + 1 : len(cuts) - (count - each)]
        bounds.append(int(free[np.argmin(np.abs(free - wanted))]))
    ends = [*bounds[1:], len(rows)]
    return [
        (np.sort(rows[order[:begin]]), np.sort(rows[order[begin:end]])) for begin, end in zip(bounds, ends, strict=True)
    ]
