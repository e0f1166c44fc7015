"""Races: optimizers x schedules x rates x seeds on one problem, and how much each depends on its rate.

    >>> from tinygrad_lr.race import race
    >>> found = race("rosenbrock", optimizers=["sgd", "adam"], schedules=["constant"], rates=[0.001, 0.1], steps=50)
    >>> [row.optimizer for row in found.table()]
    ['adam', 'sgd']

From the bottom: problems.py (what is raced on), running.py (one run, a pure function of its description), summary.py
(the table), racing.py (all runs, over processes or a Dask cluster), drawing.py (pictures), leaving.py (the folder).
The command is `tinygrad-lr race`.
"""

from .drawing import figure_of
from .leaving import save
from .problems import Problem, problem
from .racing import Race, race, rate_grid
from .running import Outcome, Run, run
from .summary import Row

__all__ = ["Outcome", "Problem", "Race", "Row", "Run", "figure_of", "problem", "race", "rate_grid", "run", "save"]
