"""Learning-rate schedules: immutable pure functions of the step, which give factors of each group's base rate.

    >>> from tinygrad_lr import schedules
    >>> schedule = schedules.warmup(500).then(schedules.cosine(9500))
    >>> schedule(250), schedule(500), schedule(10_000)
    (0.5, 1.0, 0.0)

Closed form and float64 throughout: the factor of a step depends on that step alone, so that resuming needs one integer.
`optim.lr_scheduler` puts them to work on an optimizer. Conventions, the same everywhere: steps count from 0, a phase of
T steps covers the steps 0 ... T-1 and holds its end value from step T on, a step below 0 raises ValueError, a phase
of 0 steps is its end value, and `.then` starts the next schedule at that one's own step 0.

Where next: `base.py` (Schedule and its methods), `phases.py` (single phases such as cosine), `article.py` (functions of
epoch and batch, as the article has them), `table.py` (a row per schedule; tests and command line follow from it).
"""

from .article import decay_lr_cosine, decay_lr_poly, decay_lr_stable
from .base import Phase, Schedule
from .phases import (
    DECAYS,
    constant,
    cosine,
    exponential,
    linear,
    one_minus_sqrt,
    piecewise,
    polynomial,
    warmup,
    warmup_stable_decay,
)
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
