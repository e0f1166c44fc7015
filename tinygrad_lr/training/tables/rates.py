"""The learning rates of a table's training: a warm-up, and then a schedule by its name."""

from __future__ import annotations

from tinygrad_lr.schedules import Schedule
from tinygrad_lr.schedules.table import RunSteps, for_training

__all__ = ["build_schedule"]


def build_schedule(
    name: str, epochs: int, steps_in_epoch: int, warmup_epochs: int, stable_epochs: int = 0, power: float = 1.0
) -> Schedule:
    """A warm-up and then the named schedule, in steps. The schedule ends where the last epoch ends.

    Args:
        name: a key of `schedules.table.for_training()`, such as "polynomial" (the article's decay_lr_poly) or "wsd" (a
            plateau of `stable_epochs`, then a cosine).
        power: of the polynomial.

    Raises:
        ValueError: an unknown name, or a warm-up and plateau longer than the training.

    Example:
        >>> build_schedule("polynomial", epochs=10, steps_in_epoch=10, warmup_epochs=5)
        warmup(50).then(polynomial(50))
    """
    if warmup_epochs + stable_epochs > epochs:
        what = f"the warm-up ({warmup_epochs})" + (f" and the plateau ({stable_epochs})" if stable_epochs else "")
        raise ValueError(f"{what} cannot be longer than the training ({epochs} epochs)")
    rows = for_training()
    if name not in rows:
        raise ValueError(f"no schedule is called {name!r}; there are {', '.join(rows)}")
    run = RunSteps(
        warmup=warmup_epochs * steps_in_epoch,
        stable=stable_epochs * steps_in_epoch,
        decay=(epochs - warmup_epochs - stable_epochs) * steps_in_epoch,
        power=power,
    )
    return rows[name].build_for(run)
