"""docs/schedules.md: the schedules, torch's schedulers, and what other libraries' schedules are here, by their tables.

python -m tinygrad_lr.verify.documents.schedules > docs/schedules.md
"""

from __future__ import annotations

import inspect
from typing import Any

from tinygrad_lr.optim.lr_scheduler import SCHEDULERS
from tinygrad_lr.schedules.drawing import as_lines
from tinygrad_lr.schedules.equivalents import EQUIVALENTS
from tinygrad_lr.schedules.table import SCHEDULES, Row

from ..formulas.schedules import REFERENCES

__all__ = ["document", "example_of"]

INTRODUCTION = """# Schedules

A schedule is a pure function of the step: `schedule(step)` is the factor of the base rate, in float64. Steps count
from 0, and you choose what a step is: an update or an epoch. A schedule of T steps has the steps 0 to T - 1, and
holds its end value from step T on. Schedules combine: `a.then(b)` (b counts its own steps from 0), `a * 0.5`, `a *
b`, `a.clip(min=0.01)`, `a.repeat(3)`, `a.shift(10)`. `schedule.table(n)`, `.phase(step)`, `.explain(step)` and
`.plot()` show one; `tinygrad-lr schedule "warmup(5) then cosine(95)" --base-lr 0.1` draws one in the terminal.

`fit(..., schedule=...)` and `optim.lr_scheduler.LRScheduler(optimizer, schedule)` set rates by a schedule;
`HyperparameterScheduler(optimizer, "weight_decay", schedule)` sets another number of the groups. Both take a list
with one schedule for each group. All but the plateau have one integer as state, so a run resumes bit for bit.

This document is written by `python -m tinygrad_lr.verify.documents.schedules > docs/schedules.md`. The formulas are
in [formulas.md](formulas.md)."""

HERE = """## What there is

A schedule that ends nowhere takes `total_steps=`, from which on its factor is held; `.then` needs it.
`from_function(f)` makes any function of the step a schedule."""

TORCH = """## torch's schedulers

`optim.lr_scheduler` has torch's classes with torch's arguments. The rate is computed from `last_epoch` and the
groups' "initial_lr", never from the rate before it. Where torch's recursion and its closed form agree, the rates are
torch's, to a few units of rounding; a test compares them. `eta_min`, `base_lr` and `max_lr` are rates, and may be
lists with one for each group. A negative rate or factor, which torch takes in places, is an error here."""

OTHERS = """## Other libraries

Each expression is evaluated by a test, and held to the formula that the library's schedule has. Of transformers and
timm, whose schedulers set an optimizer's rates, it gives factors of the optimizer's rate `base`; of optax and keras
it gives rates. `accumulate` is itertools', `mul` is operator's.

optax's `join_schedules([a, b], [boundary])` is `a.then(b)`, where `a` has as many steps as the boundary says, and its
`sgdr_schedule(cycles)` is `.then` over the cycles, each as `warmup_cosine_decay_schedule`. With no steps
(`transition_steps=0`, `warmup_steps=0`) optax's linear and polynomial schedules stay at `init_value` for ever; here a
phase of no steps has its end value. transformers' `get_reduce_on_plateau_schedule(optimizer, **arguments)` is
`optim.lr_scheduler.ReduceLROnPlateau`, with the same arguments, and its `get_scheduler(name, ...)` calls these by a
name, as `tinygrad-lr train --schedule` and `schedules.from_text` do."""


PICTURE = """![The shapes of all schedules](schedules.png)

Each over 120 steps, as a factor of the base rate. Dotted lines are the ends of phases. The picture is drawn by
`python -m tinygrad_lr.verify.documents.shapes docs/schedules.png`, and a test tells when it is out of date. The same
shapes in characters:"""


def document() -> str:
    """The document, in Markdown."""
    parts = [INTRODUCTION, HERE, _table(["call", "what it is", "source"], [_line(row) for row in _shown()])]
    parts += ["### Shapes", PICTURE, *(_shape(row) for row in _shown())]
    torchs = [[f"`{row.name}`", f"`{row.stands_for}`", row.differs] for row in SCHEDULERS.values()]
    parts += [TORCH, _table(["class", "stands for", "where torch's rates are others"], torchs)]
    theirs = [[row.library, f"`{row.name}`", f"`{row.ours}`", row.differs] for row in EQUIVALENTS]
    parts += [OTHERS, _table(["library", "theirs", "here", "remarks"], theirs)]
    return "\n\n".join(parts) + "\n"


def _shown() -> list[Row]:
    """One row for each constructor."""
    found: dict[str, Row] = {}
    for row in SCHEDULES.values():
        found.setdefault(row.constructor or row.name, row)
    return list(found.values())


def _line(row: Row) -> list[str]:
    """A constructor's call, the first line of its docstring, and its source."""
    constructor = row.build.func if hasattr(row.build, "func") else row.build
    called = ", ".join(
        name if about.default is about.empty else f"{name}={about.default!r}"
        for name, about in inspect.signature(constructor).parameters.items()
    )
    says = (inspect.getdoc(constructor) or "").split("\n\n")[0].replace("\n", " ")
    return [f"`{row.constructor or row.name}({called})`", says, REFERENCES[row.name].source]


TIMES = 8  # the examples of the references are for tables, and this much longer they are curves


def _shape(row: Row) -> str:
    """The schedule of the reference's example, longer and drawn, a little beyond its end."""
    example = example_of(row)
    schedule = row.build(**example)
    until = 120 if schedule.total_steps is None else schedule.total_steps * 5 // 4
    given = ", ".join(f"{name}={value!r}" for name, value in {**example, **row.fixed}.items())
    drawn = "\n".join(as_lines(schedule, until=until, width=60, height=6))
    return f"`{row.constructor or row.name}({given})`:\n```text\n{drawn}\n```"


def example_of(row: Row) -> dict[str, Any]:
    """The arguments of the reference's example, with times that a picture shows."""
    found = {name: _longer(name, row.arguments[name], value) for name, value in REFERENCES[row.name].example.items()}
    return {**found, "total_steps": None} if row.name == "constant" else found


def _longer(name: str, kind: object, value: Any) -> Any:
    if kind in ("steps", "timescale") and name not in ("num_cycles", "dimension"):
        return value * TIMES
    return [each * TIMES for each in value] if kind == "milestones" else value


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(document(), end="")
