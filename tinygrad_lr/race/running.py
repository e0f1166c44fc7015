"""One run: a pure function of its description. Next: summary.py.

The same description gives the same bits in every process, beside any others, and leaves the process's generator as it
was. Between machines the bits of a table's runs differ where NumPy's matrix products do; a function's have none.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tinygrad_lr import optim, random
from tinygrad_lr.engine import Tensor
from tinygrad_lr.training import fitting
from tinygrad_lr.training.tables.arrays import dataset_of
from tinygrad_lr.training.tables.options import Options
from tinygrad_lr.training.tables.preparing import Data, plan_of
from tinygrad_lr.training.tables.rates import build_schedule
from tinygrad_lr.training.tables.training import prepare

from .problems import Problem, function_of, sha256_of

__all__ = ["Outcome", "Run", "check_table", "run"]

FIRST, SPREAD = 100, 150  # steps of a run whose loss and place are kept: the first ones, and some of all
_one_at_a_time = threading.RLock()  # first weights come from the process's one generator


@dataclass(frozen=True)
class Run:
    """The description of a run, whole.

    Attributes:
        problem: see `problem`.
        optimizer: a key of `optim.OPTIMIZERS`.
        dialect: of that optimizer; None: its default.
        schedule: a name that `train --schedule` takes, or a schedule's text in steps.
        rate: the base rate, which the schedule's factors multiply.
        seed: of a table: its division, first weights and batches. Of a function: its start; 0 is the published one.
        steps: how many; a table's are rounded up to whole epochs.
    """

    problem: Problem
    optimizer: str
    dialect: str | None
    schedule: str
    rate: float
    seed: int
    steps: int


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        run: its description.
        loss: as `run.problem.measured` says; infinite where the run diverged.
        diverged: a loss or a gradient was not finite, or the run ended with more loss than it began with.
        start_loss: the loss before the first step.
        curve: (step, loss) of some steps, the first and the last among them; a table's are losses of batches.
        path: where a function's run was at these steps, as (x, y); empty for tables.
    """

    run: Run
    loss: float
    diverged: bool
    start_loss: float
    curve: tuple[tuple[int, float], ...]
    path: tuple[tuple[float, float], ...] = ()


def run(given: Run) -> Outcome:
    """Make a run and return what came of it.

    Raises:
        ValueError: an optimizer, dialect, schedule or rate that there is not, or a table that has changed.
        KeyboardInterrupt: Ctrl-C; a run has no half.

    Example:
        >>> from tinygrad_lr.race import problem
        >>> found = run(Run(problem("quadratic(10)"), "sgd", None, "constant", 0.1, seed=0, steps=100))
        >>> found.diverged, round(found.start_loss, 9), found.loss < 1e-8
        (False, 5.5, True)
    """
    with _alone():
        return _of_function(given) if given.problem.is_function else _of_table(given)


@contextmanager
def _alone() -> Iterator[None]:
    """No other run of this process in between, no warnings, and afterwards the generator's state as it was.

    A schedule that ends early would be warned of in each run; racing.py says it once.
    """
    with _one_at_a_time, np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = random.get_state()
        try:
            yield
        finally:
            random.set_state(before)


def kept(steps: int) -> list[int]:
    """The steps that are kept of so many: the first ones, where most happens, some of all, and the last.

    Example:
        >>> kept(3), kept(10_000)[98:104], kept(10_000)[-1]
        ([0, 1, 2, 3], [98, 99, 133, 200, 266, 333], 10000)
    """
    return sorted({*range(min(FIRST, steps)), *(steps * part // SPREAD for part in range(SPREAD + 1))})


def _of_function(given: Run) -> Outcome:
    function = function_of(given.problem)
    place = Tensor(function.start_of(given.seed), requires_grad=True)
    optimizer: Any = optim.OPTIMIZERS[given.optimizer]([place], lr=given.rate, **_dialect(given))
    schedule = build_schedule(given.schedule, given.steps)
    wanted = set(kept(given.steps))
    curve: list[tuple[int, float]] = []
    path: list[tuple[float, float]] = []
    for step in range(given.steps + 1):
        if step == given.steps and callable(getattr(optimizer, "eval", None)):
            optimizer.eval()  # Schedule-Free: the average
        x, y = place.data.tolist()
        value, gradient = function.value(x, y), function.gradient(x, y)
        if step in wanted:
            curve.append((step, value))
            path.append((x, y))
        if not all(map(math.isfinite, (value, *gradient))):
            value = math.inf
            break
        if step < given.steps:
            optimizer.param_groups[0]["lr"] = given.rate * schedule(step)
            place.grad = np.array(gradient)
            optimizer.step()
    return _outcome(given, value, curve[0][1], curve, path)


def _of_table(given: Run) -> Outcome:
    options = _options(given)
    data = _data(given.problem, given.seed)
    plan = plan_of(data, options)
    rows = dataset_of(data.rows(data.division.held_out), 1.0, False)
    start = fitting.evaluate(plan.model, plan.loss, rows)
    try:
        history = plan.fit(held_out=None, compiled=False)
        loss = fitting.evaluate(plan.model, plan.loss, rows)
    except fitting.Diverged as error:
        history, loss = error.history, math.inf
    if history.interrupted:
        raise KeyboardInterrupt
    curve = [(step, float(history.loss[step])) for step in kept(len(history) - 1)] if len(history) else []
    return _outcome(given, loss, start, curve)


def _options(given: Run) -> Options:
    return Options.of(
        {
            "target": [given.problem.target],
            "hidden": list(given.problem.hidden),
            "held_out": given.problem.held_out,
            "optimizer": given.optimizer,
            "schedule": given.schedule,
            "lr": given.rate,
            "seed": given.seed,
            "steps": given.steps,
            **_dialect(given),
        }
    )


@lru_cache(maxsize=8)
def _data(problem: Problem, seed: int) -> Data:
    """The table divided and encoded, which is the same for all optimizers and rates."""
    options = {"target": [problem.target], "hidden": list(problem.hidden), "held_out": problem.held_out, "seed": seed}
    if sha256_of(problem.path) != problem.sha256:
        raise ValueError(f"{problem.path} is not the file that the race began with; leave it alone until the race ends")
    data = prepare(problem.path, options).data
    data.take_piped()
    return data


def check_table(given: Run) -> None:
    """Read the table of a run, and raise where it, its target or the options cannot be used."""
    with _alone():
        plan_of(_data(given.problem, given.seed), _options(given))


def _dialect(given: Run) -> dict[str, Any]:
    return {} if given.dialect is None else {"dialect": given.dialect}


def _outcome(given: Run, loss: float, start: float, curve: list[Any], path: list[Any] | None = None) -> Outcome:
    diverged = not math.isfinite(loss) or loss > start
    return Outcome(given, math.inf if diverged else loss, diverged, start, tuple(curve), tuple(path or ()))
