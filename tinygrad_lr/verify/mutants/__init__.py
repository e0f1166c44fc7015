"""Wrong optimizers, schedules, schedulers, gradients and clippings, each with the property that must find it.

Tests see every check fail on them, and a failing check names the one that behaves alike. The tables by name are
`MUTANTS`, `SCHEDULE_MUTANTS`, `DRIVER_MUTANTS`, `GRADIENT_MUTANTS` and `CLIPPING_MUTANTS`.

Most are bugs that lived in a library; `seen_in` says where. Read entries.py (the list of bugs), catalogue.py,
formula.py, decay.py, bookkeeping.py, made.py, then schedules.py, drivers.py, gradients.py, clipping.py.
"""

from . import bookkeeping, circumstances, decay, formula, made
from .catalogue import MUTANTS, Mutant
from .clipping import CLIPPING_MUTANTS
from .drivers import DRIVER_MUTANTS
from .entries import ENTRIES, WITHOUT
from .gradients import GRADIENT_MUTANTS
from .schedules import SCHEDULE_MUTANTS

__all__ = [
    "CLIPPING_MUTANTS",
    "DRIVER_MUTANTS",
    "ENTRIES",
    "GRADIENT_MUTANTS",
    "MUTANTS",
    "SCHEDULE_MUTANTS",
    "WITHOUT",
    "Mutant",
    "bookkeeping",
    "circumstances",
    "decay",
    "formula",
    "made",
]
