"""docs/optimizers.md: every optimizer that trains, in one table: formula, source, state, dialects, defaults, use.

python -m tinygrad_lr.verify.documents.optimizers > docs/optimizers.md        (a test keeps it true)
"""

from __future__ import annotations

from typing import Any

from tinygrad_lr.optim import OPTIMIZERS
from tinygrad_lr.optim.optimizer import kernels

from ..formulas import FAMILIES
from ..formulas.family import Family
from ..properties import PROPERTIES
from ..specification import spec
from .text import as_text

INTRODUCTION = """# Optimizers

Written by `python -m tinygrad_lr.verify.documents.optimizers > docs/optimizers.md`; a test keeps it true.

What is in `optim.OPTIMIZERS` can be trained with: `tinygrad-lr train --optimizer adan --set betas=0.9,0.9,0.99`, or
`optim.Adan(model.parameters(), lr=1e-3)`. Each is one rule, compiled for the CPU and for CUDA and run by NumPy, which
gives the same bits. Each is held to the formula of its paper: `tinygrad-lr explain adan` prints the formula,
[formulas.md](formulas.md) has all of them, with every difference between dialects. The first dialect is the default:
the article's for what the article has, and the paper's for all others.

Every row is examined alike, by tests that follow from the row: each step inside the bound that rounding allows, in all
dialects, in float32 and float64, by NumPy, on the CPU, and as CUDA code in the simulator; the properties of
[properties.md](properties.md) that apply to it; the CUDA loop compiled to PTX; every single change of its rule found
by these checks; a compiled training, groups, clipping, copies, and a state that is saved and loaded. Where torch has
the optimizer, states go from there to here and back.
"""


def document() -> str:
    """docs/optimizers.md."""
    families: dict[str, list[str]] = {}
    for name, row in OPTIMIZERS.rows.items():
        families.setdefault(row.family, []).append(name)
    parts = [INTRODUCTION.rstrip()]
    for family, names in families.items():
        parts += [f"## {family[:1].upper()}{family[1:]}", _table(names)]
    parts += ["## The formulas", "In their default dialect, as `tinygrad-lr explain` prints them."]
    parts += [_formula(name) for name in OPTIMIZERS]
    return "\n\n".join(parts) + "\n"


def _table(names: list[str]) -> str:
    rows = [
        ["", "when to use", "state per parameter", "dialects", "defaults", "properties"],
        ["---"] * 6,
        *(_row(name) for name in names),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(name: str) -> list[str]:
    cls: Any = OPTIMIZERS[name]
    family: Family = FAMILIES[name]
    first = next(iter(cls.dialects))
    shown = {key: value for key, value in cls.dialects[first].items() if _counts(value)}
    defaults = ", ".join(f"`{key}={as_text(value)}`" for key, value in shown.items())
    applies = sum(check.applies(name) for check in PROPERTIES.values())
    return [
        f"`{name}`, {cls.__name__}",
        OPTIMIZERS.rows[name].use,
        _state(cls, family),
        ", ".join(cls.dialects),
        defaults,
        str(applies),
    ]


def _counts(value: Any) -> bool:
    """Whether a default is a number that is in force."""
    return isinstance(value, (int, float, tuple)) and not isinstance(value, bool) and value != 0


def _state(cls: Any, family: Family) -> str:
    """The arrays in the plainest and in the richest setting, and the numbers."""
    stored = {key: each.stored(key)[1] for each in kernels(cls.kernels).values() for key in each.states}
    numbers = [*cls.numbers, *(key for key, form in stored.items() if callable(form) and not form((2, 3)))]
    counts = set()
    for dialect in cls.dialects:
        for setting in ({}, *cls.examined):
            made = spec(family.name, dialect=dialect, **setting)
            counts.add(len([key for key in made.state_keys(0.0) if key not in numbers]))
    least, most = min(counts), max(counts)
    arrays = (
        f"{least} to {most} arrays"
        if least < most
        else "nothing"
        if not most
        else "1 array"
        if most == 1
        else f"{most} arrays"
    )
    named = ", ".join(f"`{key}`" for key in numbers)
    return f"{arrays}, and {named}" if named else arrays


def _formula(name: str) -> str:
    family = FAMILIES[name]
    lines = "\n".join(spec(name).lines())
    return f"### {family.title}\n\n`{name}`. {family.source}.\n\n```\n{lines}\n```"


if __name__ == "__main__":
    print(document(), end="")
