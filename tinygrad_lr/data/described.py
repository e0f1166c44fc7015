"""`lines` says what each column of a table became, a line for each, as `train` and `inspect` print it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from .inputs import BooleanInput, Input, LeftOut, NumberInput, brief
from .targets import TargetEncoder

__all__ = ["lines"]

FEW = 30  # columns; of more, neighbours that became the same share a line
MANY = 100  # lines; of more, all columns that became the same share one
WIDEST = 40  # characters of a name, up to which lines are aligned


def lines(inputs: Sequence[Input], target: TargetEncoder | None) -> list[str]:
    """A line for each column and one for the targets, aligned. Of many columns, those of one kind share a line.

    Example:
        >>> from .inputs import LeftOut, NumberInput
        >>> print(*lines([NumberInput("age", mean=48.5), LeftOut("id", why="as many kinds as rows")], None), sep="\\n")
        age  number, mean 48.5
        id   left out: as many kinds as rows
        >>> lines([NumberInput(f"x{i}", mean=i) for i in range(600)], None)
        ['x0 to x599  600 columns: number, means 0 to 599']
    """
    said = list(_joined(inputs) if len(inputs) > FEW else ((each.name, each.describe()) for each in inputs))
    if len(said) > MANY:
        said = list(_joined(inputs, only_neighbours=False))
    if target is not None:
        said.append((", ".join(target.names), f"target: {target.describe()}"))
    width = max((len(name) for name, _ in said if len(name) <= WIDEST), default=0)
    return [f"{name:<{width}}  {what}" for name, what in said]


def _joined(inputs: Sequence[Input], only_neighbours: bool = True) -> Iterator[tuple[str, str]]:
    groups = [list(neighbours) for _, neighbours in groupby(inputs, _shape)]
    if not only_neighbours:
        of_shape: dict[tuple[object, ...], list[Input]] = {}
        for each in inputs:
            of_shape.setdefault(_shape(each), []).append(each)
        groups = list(of_shape.values())
    for group in groups:
        if len(group) < 3:
            yield from ((each.name, each.describe()) for each in group)
            continue
        if isinstance(group[0], NumberInput):
            means = [each.mean for each in group if isinstance(each, NumberInput)]
            what = f"number, means {brief(min(means))} to {brief(max(means))}"
        elif isinstance(group[0], BooleanInput):
            what = "boolean"
        elif isinstance(group[0], LeftOut):
            what = group[0].describe()
        else:
            what = (
                f"{'category' if group[0].kind == 'text' else group[0].kind} -> {len(group[0].features)} numbers each"
            )
        missing = sum(each.missing for each in group)
        if missing and not isinstance(group[0], LeftOut):
            what += f", {missing:,} missing" + (" -> indicators" if group[0].indicator else "")
        names = f"{group[0].name} to {group[-1].name}"
        if not only_neighbours:
            names = f"{group[0].name}, {group[1].name} and {len(group) - 2:,} more"
        yield names, f"{len(group):,} columns: {what}"


def _shape(made: Input) -> tuple[object, ...]:
    """What neighbours that share a line have in common."""
    why = made.why.split(" ")[0] if isinstance(made, LeftOut) else ""
    varies = getattr(made, "varies", True)
    return (made.kind, made.indicator, bool(made.missing), varies, made.words, why, len(made.features))
