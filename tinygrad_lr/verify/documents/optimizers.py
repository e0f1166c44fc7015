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
`optim.Adan(model.parameters(), lr=1e-3)`. Each is one formula, compiled for the CPU and for CUDA and run by NumPy,
which gives the same bits. Each is held to the formula of its paper: `tinygrad-lr explain adan` prints the formula,
[formulas.md](formulas.md) has all of them, with every difference between dialects. The first dialect is the default:
the article's for what the article has, and the paper's for all others.

Every row is examined alike, by tests that follow from the row: each step inside the bound that rounding allows, in all
dialects, in float32 and float64, by NumPy, on the CPU, and as CUDA code in the simulator; the properties of
[properties.md](properties.md) that apply to it; the CUDA loop compiled to PTX; every single change of its rule found
by these checks; a compiled training, groups, clipping, copies, and a state that is saved and loaded. Where torch has
the optimizer, states go from there to here and back.

![Paths on Beale's function, and losses](optimizers.png)

The paths are those of 300 steps on Beale's function, from the dot to the star, at a constant rate after 15 steps of
warm-up. It is the best one of a grid from 0.0001 to 10, half a factor of ten apart, and stands beside the name. Below
are the least losses so far, family by family. AdamW decays the parameters, so its end is beside the minimum. Sophia-H,
to which a race gives no estimates, is left out. It is one function and one start: `tinygrad-lr race` makes such a race
on your table, and [race_diabetes.md](race_diabetes.md) has all of them on the diabetes data. The picture is drawn by
`python -m tinygrad_lr.race.paths docs/optimizers.png`, and a test tells when it is out of date.
"""


HESSIAN = """## Estimates of the Hessian

Sophia-H gets an estimate of the Hessian's diagonal from its caller, say in every tenth step. Where the diagonal is
known, give it. Otherwise draw a vector u of signs: u * (H u) is an estimate, and two gradients differ by H u.

```python
import numpy as np
from tinygrad_lr import optim, tensor

curvatures = tensor(np.logspace(0, 4, 9))  # of a quadratic whose condition number is 10,000


def loss_at(w):
    return (0.5 * curvatures * w * w).sum()


def hutchinson(w, rng, distance=1e-3):
    \"\"\"An estimate of the diagonal from two gradients.\"\"\"
    u, gradients = rng.choice([-1.0, 1.0], size=w.shape), []
    for shift in (distance, -distance):
        moved = tensor(w.data + shift * u, requires_grad=True)
        loss_at(moved).backward()
        gradients.append(moved.grad)
    return u * (gradients[0] - gradients[1]) / (2 * distance)


def steps_to_a_millionth(make, estimate=None, most=3000):
    \"\"\"After how many steps the loss is a millionth of the first one; None: not in `most` steps.\"\"\"
    w = tensor(np.ones(9), requires_grad=True)
    optimizer, first = make([w]), loss_at(w).item()
    for step in range(most):
        optimizer.zero_grad()
        loss = loss_at(w)
        if loss.item() < 1e-6 * first:
            return step
        loss.backward()
        if estimate is not None and step % 10 == 0:
            optimizer.update_hessian([estimate(w)])
        optimizer.step()
    return None


rng = np.random.default_rng(0)
for lr in (0.001, 0.003, 0.01, 0.03):
    sophia = lambda params: optim.SophiaH(params, lr=lr, betas=(0.96, 0.0), weight_decay=0.0)
    exact = steps_to_a_millionth(sophia, lambda w: curvatures)
    estimated = steps_to_a_millionth(sophia, lambda w: hutchinson(w, rng))
    adam = steps_to_a_millionth(lambda params: optim.Adam(params, lr=lr))
    print(f"lr {lr:<5}  Sophia-H {exact:>3} steps, with estimates {estimated:>3}; Adam {adam:>4}")
```
```text
lr 0.001  Sophia-H 999 steps, with estimates 999; Adam 2722
lr 0.003  Sophia-H 333 steps, with estimates 333; Adam 1008
lr 0.01   Sophia-H 100 steps, with estimates 100; Adam  269
lr 0.03   Sophia-H 236 steps, with estimates 236; Adam   46
```

At a rate of 0.01 and below, Sophia-H needs about a third of Adam's steps here; at 0.03 Adam needs fewer. Near the
minimum its step is lr / rho of Newton's, with rho = 0.01; above 1 it overshoots. A sum of separate functions is easy:
the estimates are exact. This shows how estimates are given, and proves nothing of other problems.
"""


def document() -> str:
    """docs/optimizers.md."""
    families: dict[str, list[str]] = {}
    for name, row in OPTIMIZERS.rows.items():
        families.setdefault(row.family, []).append(name)
    parts = [INTRODUCTION.rstrip()]
    for family, names in families.items():
        parts += [f"## {family[:1].upper()}{family[1:]}", _table(names)]
    parts += [HESSIAN.rstrip(), "## The formulas", "In their default dialect, as `tinygrad-lr explain` prints them."]
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
    shapes = {key: form((2, 3)) for key, form in stored.items() if callable(form)}
    numbers = [*cls.numbers, *(key for key, shape in shapes.items() if shape == ())]
    factored = any(shape is not None and shape != () for shape in shapes.values())
    counts = set()
    for dialect in cls.dialects:
        for setting in ({}, *cls.examined):
            made = spec(family.name, dialect=dialect, **setting)
            counts.add(len([key for key in made.state_keys(0.0) if key not in numbers]))
    least, most = min(counts) - factored, max(counts) - factored
    few = ("nothing", "1 array", *(f"{count} arrays" for count in range(2, most + 1)))
    arrays = f"{least} to {most} arrays" if least < most else few[most]
    if factored:
        arrays = f"a number for each row and column of a matrix, and {arrays}".removesuffix(", and nothing")
    named = ", ".join(f"`{key}`" for key in numbers)
    return f"{arrays}, and {named}" if named else arrays


def _formula(name: str) -> str:
    family = FAMILIES[name]
    lines = "\n".join(spec(name).lines())
    return f"### {family.title}\n\n`{name}`. {family.source}.\n\n```\n{lines}\n```"


if __name__ == "__main__":
    print(document(), end="")
