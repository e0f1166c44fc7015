"""The table of a race: for each optimizer and schedule its best rate, and how much the loss depends on the rate.

Rows are sorted by what is lost when the rate is missed: by the larger loss of the two rates beside the best one. One
lucky rate between two bad ones therefore stands at the end. Next: racing.py.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from statistics import median

from .running import Outcome

__all__ = ["Row", "as_csv", "as_lines", "rows_of"]

Key = tuple[str, str]  # an optimizer with its dialect, and a schedule


@dataclass(frozen=True)
class Row:
    """One optimizer with one schedule.

    Attributes:
        optimizer: its name, with ":dialect" where one was asked for.
        schedule: its text.
        best_rate: the rate of the grid with the smallest median loss over the seeds; None where every rate diverged.
        at_edge: "lowest" or "highest" where the best rate is the grid's first or last one, else "". A better rate may
            lie beyond: widen the grid.
        loss: the median over the seeds at the best rate; infinite where every rate diverged.
        lowest, highest: the smallest and the largest loss of a seed at the best rate.
        missed: the larger of the median losses at the two rates beside the best one. Rows are sorted by it.
        good_from, good_to: the rates around the best one whose median losses stay within the race's factor of the best.
        width: how wide that range is, in factors of ten: log10(good_to / good_from). It may be as much wider, on either
            side, as the rates of the grid lie apart.
        open_ended: whether that range ends at an edge of the grid, so that it may go on beyond.
        diverged: the share of the rates at which a seed diverged, from 0 to 1.
        runs: how many runs there are; fewer than rates times seeds after Ctrl-C.
    """

    optimizer: str
    schedule: str
    best_rate: float | None
    at_edge: str
    loss: float
    lowest: float
    highest: float
    missed: float
    good_from: float | None
    good_to: float | None
    width: float
    open_ended: bool
    diverged: float
    runs: int


def name_of(outcome: Outcome) -> Key:
    """The optimizer with its dialect, where one was asked for, and the schedule."""
    run = outcome.run
    return (run.optimizer if run.dialect is None else f"{run.optimizer}:{run.dialect}", run.schedule)


def by_rate(outcomes: Iterable[Outcome]) -> dict[Key, dict[float, list[Outcome]]]:
    """The outcomes by optimizer and schedule, and then by rate in ascending order, in the order of the seeds."""
    found: dict[Key, dict[float, list[Outcome]]] = {}
    for each in sorted(outcomes, key=lambda outcome: (outcome.run.rate, outcome.run.seed)):
        found.setdefault(name_of(each), {}).setdefault(each.run.rate, []).append(each)
    return found


def rows_of(outcomes: Iterable[Outcome], rates: Sequence[float], within: float) -> list[Row]:
    """The rows of a race, sorted.

    Args:
        outcomes: in any order.
        rates: the grid, ascending; a rate without an outcome is one that was not run.
        within: the factor of the best loss, at least 1, up to which a rate counts as good.
    """
    found = [_row(key, there, rates, within) for key, there in by_rate(outcomes).items()]
    return sorted(found, key=lambda row: (row.missed, row.loss, -row.width, row.optimizer, row.schedule))


def _row(key: Key, there: dict[float, list[Outcome]], rates: Sequence[float], within: float) -> Row:
    losses = {rate: median(each.loss for each in outcomes) for rate, outcomes in there.items()}
    share = sum(any(each.diverged for each in outcomes) for outcomes in there.values()) / len(there)
    runs = sum(map(len, there.values()))
    best = min(losses, key=lambda rate: (losses[rate], rate))
    loss = losses[best]
    if not math.isfinite(loss):
        return Row(*key, None, "", *(math.inf,) * 4, None, None, 0.0, False, share, runs)
    place = rates.index(best)
    around = [
        losses[rates[each]] for each in (place - 1, place + 1) if 0 <= each < len(rates) and rates[each] in losses
    ]

    def good(each: int) -> bool:
        return 0 <= each < len(rates) and losses.get(rates[each], math.inf) <= within * loss

    first = last = place
    while good(first - 1):
        first -= 1
    while good(last + 1):
        last += 1
    return Row(
        *key,
        best_rate=best,
        at_edge="lowest" if place == 0 else "highest" if place == len(rates) - 1 else "",
        loss=loss,
        lowest=min(each.loss for each in there[best]),
        highest=max(each.loss for each in there[best]),
        missed=max(around, default=loss),
        good_from=rates[first],
        good_to=rates[last],
        width=math.log10(rates[last] / rates[first]),
        open_ended=first == 0 or last == len(rates) - 1,
        diverged=share,
        runs=runs,
    )


def as_csv(rows: Sequence[Row]) -> str:
    """The table as CSV, with all digits. Where there is no number, a cell is empty; "inf" is a loss that diverged."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow([each.name for each in fields(Row)])
    for row in rows:
        cells = [getattr(row, each.name) for each in fields(Row)]
        lines.writerow(["" if cell is None else cell for cell in cells])
    return written.getvalue()


def as_lines(rows: Sequence[Row], within: float) -> list[str]:
    """The table for people, and under it what its columns are."""
    head = [
        "optimizer",
        "schedule",
        "best rate",
        "loss (median)",
        "over seeds",
        "rate missed",
        "good rates",
        "decades",
        "diverged",
    ]
    table = [head, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    said = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    said += [
        "",
        "rate missed: the larger loss of the two rates beside the best one; the rows are sorted by it",
        f"good rates: where the loss stays within {within:g} times the best; decades: its width, in factors of 10",
        "diverged: the share of the rates at which a seed diverged (not finite, or more loss than at the start)",
    ]
    if edges := [f"{row.optimizer}, {row.schedule}" for row in rows if row.at_edge]:
        said.append(f"*: the best rate is at the edge of the grid; widen the grid for {'; '.join(edges)}")
    return said


def _cells(row: Row) -> list[str]:
    share = f"{row.diverged:.0%}"
    if row.best_rate is None:
        return [row.optimizer, row.schedule, "none", "diverged", "", "", "", "0", share]
    return [
        row.optimizer,
        row.schedule,
        f"{row.best_rate:g}{'*' if row.at_edge else ''}",
        f"{row.loss:.4g}",
        f"{row.lowest:.4g} to {row.highest:.4g}",
        f"{row.missed:.4g}",
        f"{row.good_from:g} to {row.good_to:g}",
        f"{row.width:.2g}{' or more' if row.open_ended else ''}",
        share,
    ]
