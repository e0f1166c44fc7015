"""The learning rates of a table's training: a warm-up and then a schedule by its name, or a schedule by its text."""

from __future__ import annotations

from tinygrad_lr.schedules import Schedule, from_text
from tinygrad_lr.schedules.table import RunSteps, for_training, is_text

__all__ = ["build_schedule"]

WARMUP = 0.05  # of the steps


def build_schedule(
    name: str, steps: int, warmup: int | None = None, stable: int | None = None, power: float = 1.0
) -> Schedule:
    """A warm-up and then the named schedule. It ends where the training ends.

    Args:
        name: a key of `schedules.table.for_training()`, such as "polynomial" (the article's decay_lr_poly) or "wsd" (a
            plateau of `stable` steps, then a cosine). Or the text of a schedule in steps, such as "warmup(5) then
            cosine(95)", which says all: the other arguments are not used.
        steps: of the whole training.
        warmup: steps of the warm-up; by default a twentieth of all.
        stable: steps of a plateau; by default half of those after the warm-up where the schedule has one, else none.
        power: of the polynomial.

    Raises:
        ValueError: an unknown name, or a warm-up and plateau longer than the training.

    Example:
        >>> build_schedule("polynomial", 100, warmup=50)
        warmup(50).then(polynomial(50))
    """
    rows = for_training()
    if is_text(name):
        return from_text(name)
    if name not in rows:
        raise ValueError(f"no schedule is called {name!r}; there are {', '.join(rows)}")
    warmup = round(steps * WARMUP) if warmup is None else warmup
    if stable is None:
        stable = max(steps - warmup, 0) // 2 if "stable_epochs" in rows[name].options else 0
    if warmup + stable > steps:
        what = f"the warm-up ({warmup} steps)" + (f" and the plateau ({stable} steps)" if stable else "")
        raise ValueError(f"{what} cannot be longer than the training ({steps} steps)")
    return rows[name].build_for(RunSteps(warmup=warmup, stable=stable, decay=steps - warmup - stable, power=power))
