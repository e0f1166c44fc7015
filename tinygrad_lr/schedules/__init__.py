"""Learning-rate schedules: immutable pure functions of the step, which give factors of each group's base rate.

    >>> from tinygrad_lr import schedules
    >>> schedule = schedules.warmup(500).then(schedules.cosine(9500))
    >>> schedule(250), schedule(500), schedule(10_000)
    (0.5, 1.0, 0.0)

Closed form and float64 throughout: the factor of a step depends on that step alone, so that resuming needs one integer.
`optim.lr_scheduler` puts them to work on an optimizer. Conventions, the same everywhere: steps count from 0, a phase of
T steps covers the steps 0 ... T-1 and holds its end value from step T on, a step below 0 raises ValueError, a phase
of 0 steps is its end value, and `.then` starts the next schedule at that one's own step 0.

Where next: `base.py` (Schedule), `shapes.py` and `decays.py` (single phases), `algebra.py` (what the methods build),
`article.py` (the article's functions of epoch and batch), `table.py` (one row per schedule, which drives the tests).
"""

from .article import decay_lr_cosine, decay_lr_poly, decay_lr_stable
from .base import Phase, Schedule
from .decays import DECAYS, cosine, exponential, one_minus_sqrt, polynomial, warmup_stable_decay
from .shapes import constant, linear, piecewise, warmup
from .table import SCHEDULES, Row

__all__ = [
    "DECAYS",
    "SCHEDULES",
    "Phase",
    "Row",
    "Schedule",
    "constant",
    "cosine",
    "decay_lr_cosine",
    "decay_lr_poly",
    "decay_lr_stable",
    "exponential",
    "linear",
    "one_minus_sqrt",
    "piecewise",
    "polynomial",
    "warmup",
    "warmup_stable_decay",
]
