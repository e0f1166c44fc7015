"""`race`: all runs of a race, in this process, over processes of this machine, or on a Dask cluster.

A run depends on its description alone (running.py), so a race has the same table wherever its runs are made, in
whatever order they end, and however often one is made again because a worker died. Next: drawing.py, leaving.py.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_lr import optim
from tinygrad_lr.engine import Tensor
from tinygrad_lr.integers import shown, whole_number
from tinygrad_lr.optim.table import NO_RATE
from tinygrad_lr.reals import real_number
from tinygrad_lr.training.tables.rates import build_schedule
from tinygrad_lr.training.tables.speaking import in_python

from . import summary
from .problems import Problem, problem
from .running import Outcome, Run, check_table, run

__all__ = ["HOW_TO_GET_IT", "RATES", "SCHEDULES", "Race", "leaders", "race", "rate_grid"]

HOW_TO_GET_IT = "pip install 'tinygrad_lr[scale]'"
RATES = (1e-4, 10.0, 11)  # lowest, highest, how many: half a factor of ten apart
SCHEDULES = ("constant", "cosine")
SEEDS, STEPS = 3, 500
Made = Generator[tuple[int, Outcome], None, None]  # each run's place and outcome, as they come


def leaders() -> list[str]:
    """The optimizers that race where none are named: the first of each family of optim/table.py that has a rate and
    needs nothing but gradients."""
    rows = reversed(list(optim.OPTIMIZERS.rows.items()))
    firsts = {row.family: name for name, row in rows if row.family != NO_RATE and not row.needs}
    return [name for name in optim.OPTIMIZERS.rows if name in firsts.values()]


def rate_grid(lowest: float, highest: float, count: int) -> list[float]:
    """Rates a constant factor apart, rounded to six digits, ascending.

    Args:
        lowest, highest: the first and the last rate, above 0.
        count: how many, at least 2.

    Raises:
        TypeError, ValueError: other numbers, or a lowest rate that is not below the highest.

    Example:
        >>> rate_grid(0.001, 1, 7)
        [0.001, 0.00316228, 0.01, 0.0316228, 0.1, 0.316228, 1.0]
    """
    low, high = real_number("lowest", lowest, above=0), real_number("highest", highest, above=0)
    number = whole_number("count", count, least=2, most=10_000)
    if low >= high:
        raise ValueError(f"the lowest rate must be below the highest, got {low:g} and {high:g}")
    powers = np.linspace(math.log10(low), math.log10(high), number)
    found = sorted({float(f"{10.0 ** float(each):.6g}") for each in powers[1:-1]} | {low, high})
    if len(found) < number:
        raise ValueError(f"{number} rates from {low:g} to {high:g} lie too close for six digits; take fewer")
    return found


@dataclass
class Race:
    """What came of a race.

    Attributes:
        problem: what was raced on.
        rates: the grid, ascending.
        seeds, steps: of each run; the seeds are 0 to seeds - 1.
        within: the factor of the best loss up to which a rate counts as good.
        wanted: how many runs the race has.
        outcomes: those that were made, in the order of the descriptions.
        interrupted: whether Ctrl-C ended it before all were made.
        notes: what people should know of it, a line each.

    Example:
        >>> found = race("rosenbrock", optimizers=["adam"], schedules=["cosine"], rates=[0.01, 0.1], seeds=1, steps=200)
        >>> found.table()[0].best_rate, found.table()[0].at_edge
        (0.1, 'highest')
    """

    problem: Problem
    rates: list[float]
    seeds: int
    steps: int
    within: float
    wanted: int
    outcomes: list[Outcome] = field(default_factory=list)
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)

    def table(self) -> list[summary.Row]:
        """A row for each optimizer and schedule, those first that lose least where their rate is missed."""
        return summary.rows_of(self.outcomes, self.rates, self.within)

    def to_csv(self) -> str:
        """The table as CSV."""
        return summary.as_csv(self.table())

    def lines(self) -> list[str]:
        """The table for people, with a note under it where the race was not whole."""
        return [*summary.as_lines(self.table(), self.within), *self.notes]


@in_python
def race(
    on: str | os.PathLike[str] | Problem | None = None,
    *,
    target: str | None = None,
    hidden: Sequence[int] = (),
    held_out: float = 0.3,
    optimizers: Sequence[str] | None = None,
    schedules: Sequence[str] = SCHEDULES,
    rates: Sequence[float] | None = None,
    seeds: int = SEEDS,
    steps: int = STEPS,
    within: float | None = None,
    jobs: int = 1,
    dask: str | None = None,
    on_outcome: Callable[[Outcome], object] | None = None,
) -> Race:
    """Race optimizers with schedules over a grid of rates and some seeds on one problem.

    Args:
        on: "rosenbrock", "beale", "quadratic(100)", or the path of a table; None: the diabetes data. See `problem`.
        target, hidden, held_out: of a table; see `problem`.
        optimizers: keys of `optim.OPTIMIZERS`, or "name:dialect"; None: the first of each family that has a rate
            and needs nothing but gradients.
        schedules: names that `train --schedule` takes, or texts in steps such as "warmup(5) then cosine(95)".
        rates: base rates above 0, in any order; None: `rate_grid(*RATES)`, eleven rates from 0.0001 to 10.
        seeds: how many, from 0 on.
        steps: of each run.
        within: the factor of the best loss up to which a rate counts as good, at least 1; None: 10 for functions, whose
            losses fall by orders of magnitude, and 1.1 for tables.
        jobs: processes at once. More than 1 needs joblib (the extra `scale`). The table does not depend on it.
        dask: the address of a Dask scheduler, "tcp://host:8786", on whose workers the runs are made (the extra
            `scale`). They need this package in the same version, and a table at the same path.
        on_outcome: called in this process with each outcome as it comes.

    Returns:
        The race. Runs that diverge count as such. After Ctrl-C it has what was there, and `interrupted` is true.

    Raises:
        TypeError, ValueError: an argument that cannot be used; nothing was run.
        ModuleNotFoundError: joblib or distributed is needed, and not installed.
        RuntimeError: workers die again and again. OSError: no scheduler answers, or the table cannot be read.
        KeyboardInterrupt: Ctrl-C, before a single run was complete.

    Example:
        >>> found = race("quadratic(10)", optimizers=["sgd"], schedules=["constant"], rates=[0.01, 0.1, 1], steps=50)
        >>> row = found.table()[0]
        >>> row.best_rate, round(row.diverged, 2), row.at_edge
        (0.1, 0.33, '')
    """
    raced = problem(on, target=target, hidden=tuple(hidden), held_out=held_out)
    if isinstance(optimizers, str) or isinstance(schedules, str):
        raise TypeError("optimizers and schedules are lists of texts, as in optimizers=['adam']; got a text")
    optimizers, schedules = None if optimizers is None else list(optimizers), list(schedules)
    for each in (*(optimizers or ()), *schedules):
        if not isinstance(each, str):
            raise TypeError(
                "optimizers and schedules are texts, as in optimizers=['adam'], schedules=['warmup(5) then "
                f"cosine(95)']; got {type(each).__name__}"
            )
    entrants = [entrant(each) for each in (leaders() if optimizers is None else optimizers)]
    grid = _rates(rate_grid(*RATES) if rates is None else rates)
    seeds, steps = whole_number("seeds", seeds, least=1), whole_number("steps", steps, least=1)
    factor = raced.within if within is None else real_number("within", within, least=1)
    jobs = whole_number("jobs", jobs, least=1)
    texts = list(dict.fromkeys(schedules))
    if not entrants or not texts:
        raise ValueError("a race needs at least one optimizer and one schedule; got none")
    _check_rates(entrants, grid)
    # The seeds come last, so that an interrupted race has the whole grid first.
    runs = [
        Run(raced, name, dialect, text, rate, seed, steps)
        for seed in range(seeds)
        for name, dialect in dict.fromkeys(entrants)
        for text in texts
        for rate in grid
    ]
    notes = [*_lacking(entrants), *(each for text in texts for each in _early(text, steps))]
    found = Race(raced, grid, seeds, steps, factor, len(runs), notes=notes)
    if not raced.is_function:
        check_table(runs[0])
    outcomes: dict[int, Outcome] = {}
    try:
        with closing(_made(runs, jobs, dask)) as made:
            for place, outcome in made:
                outcomes[place] = outcome
                if on_outcome is not None:
                    on_outcome(outcome)
    except KeyboardInterrupt:
        if not outcomes:
            raise
        found.interrupted = True
        found.notes.append(f"interrupted after {len(outcomes)} of {len(runs)} runs: the table is of these alone")
    found.outcomes = [outcomes[place] for place in sorted(outcomes)]
    return found


# --- what is raced ----------------------------------------------------------------------------------------------------


def entrant(text: str) -> tuple[str, str | None]:
    """The optimizer and the dialect that a text names.

    Raises:
        ValueError: there is no such optimizer, or it has no such dialect.

    Example:
        >>> entrant("adam:torch"), entrant("sgd")
        (('adam', 'torch'), ('sgd', None))
    """
    name, colon, dialect = str(text).partition(":")
    if name not in optim.OPTIMIZERS:
        raise ValueError(f"no optimizer is called {shown(name)}; there are {', '.join(optim.OPTIMIZERS)}")
    known = optim.OPTIMIZERS[name].dialects
    if colon and dialect not in known:
        raise ValueError(f"{name} has no dialect {shown(dialect)}; it has {', '.join(known)}")
    return name, dialect if colon else None


def _rates(given: Sequence[float]) -> list[float]:
    grid = sorted({real_number("a rate", each, above=0) for each in given})
    if not grid:
        raise ValueError("a race needs at least one rate; got none")
    return grid


def _check_rates(entrants: Sequence[tuple[str, str | None]], grid: Sequence[float]) -> None:
    """Build each optimizer with the lowest and the highest rate, so that one it refuses is refused before the race."""
    for name, dialect in entrants:
        for rate in (grid[0], grid[-1]):
            try:
                kind: Any = optim.OPTIMIZERS[name]
                kind(
                    [Tensor(np.zeros(2), requires_grad=True)],
                    lr=rate,
                    **({} if dialect is None else {"dialect": dialect}),
                )
            except ValueError as error:
                raise ValueError(f"{name} cannot run with the rate {rate:g}: {error}") from None


def _lacking(entrants: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    """What is to be said of optimizers that get gradients alone, and need more."""
    for name in dict.fromkeys(name for name, _ in entrants):
        if optim.OPTIMIZERS.rows[name].needs:
            yield f"{name} needs {optim.OPTIMIZERS.rows[name].needs}, which a race does not give"


def _early(text: str, steps: int) -> Iterator[str]:
    """What is to be said of a schedule that has no rate left long before the runs end."""
    schedule = build_schedule(text, steps)
    end = schedule.total_steps
    if end is not None and end < steps and schedule(end) == 0:
        yield f"the schedule {text!r} is 0 from step {end} on, of {steps} steps"


# --- where the runs are made ------------------------------------------------------------------------------------------


def _made(runs: Sequence[Run], jobs: int, dask: str | None) -> Made:
    """Each run's place and outcome, as they come."""
    if dask is not None:
        if jobs > 1:
            raise ValueError(
                f"jobs are processes here, dask is a cluster, and both are given ({jobs}, {dask}); leave one out"
            )
        return _on_dask(runs, dask)
    if jobs > 1:
        return _over_processes(runs, jobs)
    return ((place, run(each)) for place, each in enumerate(runs))


def _require(package: str, what: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ModuleNotFoundError(f"{what} needs {package}, which is not installed: {HOW_TO_GET_IT}", name=package)


def _placed(place: int, given: Run) -> tuple[int, Outcome]:
    return place, run(given)


def _over_processes(runs: Sequence[Run], jobs: int) -> Made:
    _require("joblib", "a race over several processes")
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=min(jobs, len(runs)), return_as="generator_unordered")
    with closing(parallel(delayed(_placed)(*each) for each in enumerate(runs))) as outcomes:
        yield from outcomes


def _on_dask(runs: Sequence[Run], address: str) -> Made:
    _require("distributed", "a race on a Dask cluster")
    from distributed import Client, as_completed
    from distributed.scheduler import KilledWorker

    with Client(address, set_as_default=False) as client:
        futures = client.map(run, runs, pure=False)
        places = {future.key: place for place, future in enumerate(futures)}
        try:
            for future in as_completed(futures, loop=client.loop):
                yield places[future.key], future.result()
        except KilledWorker as error:
            raise RuntimeError(f"workers of {address} died again and again with one run: {error}") from None
        finally:
            client.cancel(futures)
