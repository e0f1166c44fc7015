"""Learning-rate schedules: immutable pure functions that give the factor of the base rate at a step.

    >>> from tinygrad_lr import schedules
    >>> schedule = schedules.warmup(500).then(schedules.cosine(9500))
    >>> schedule(250), schedule(500), schedule(10_000)
    (0.5, 1.0, 0.0)

Factors are float64 and computed in closed form: a factor depends on its step alone, so resuming needs one integer.
`training.fit` and `optim.lr_scheduler` set an optimizer's rates by them. The conventions are the same everywhere. Steps
count from 0. A phase of T steps covers the steps 0 ... T-1 and holds its end value from step T on. A phase of 0 steps
is its end value. A step below 0 raises ValueError. `.then` starts the next schedule at that one's own step 0.

Where next: `base.py` (Schedule and its methods), `phases.py` (single phases such as cosine), `function.py` (a function
of the step as a schedule), `text.py` (a text as a schedule), `drawing.py` (pictures), `article.py` (functions of epoch
and batch, as the article has them), `table.py` (a row per schedule; tests and command line follow from it).
The names are loaded at their first use (PEP 562), so that the command line can read `table.py` without NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .table import SCHEDULES, Row

if TYPE_CHECKING:  # for editors and mypy; `__all__` of phases.py lists the constructors
    from .article import decay_lr_cosine, decay_lr_poly, decay_lr_stable
    from .base import Phase, Schedule
    from .function import from_function
    from .phases import *  # noqa: F403
    from .phases import CYCLIC_MODES, DECAYS
    from .text import TextError, from_text

__all__ = ["CYCLIC_MODES", "DECAYS", "SCHEDULES", "Phase", "Row", "Schedule", "TextError", "from_function", "from_text"]
__all__ += ["decay_lr_cosine", "decay_lr_poly", "decay_lr_stable"]
__all__ += sorted({row.constructor or row.name for row in SCHEDULES.values()})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import article, base, function, phases, text

    for module in (article, base, function, phases, text):
        globals().update({each: value for each, value in vars(module).items() if each in __all__})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
