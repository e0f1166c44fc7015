"""Wrong optimizers, schedules, schedulers, gradients and clippings, so that checks are seen to fail and failures are
recognised: `MUTANTS`, `SCHEDULE_MUTANTS`, `DRIVER_MUTANTS`, `GRADIENT_MUTANTS` and `CLIPPING_MUTANTS`, by name.

Most are bugs that lived in a library; `seen_in` says where. Read entries.py (the list of bugs), catalogue.py,
formula.py, decay.py, bookkeeping.py, made.py, then schedules.py, drivers.py, gradients.py, clipping.py.
"""

from . import bookkeeping, decay, formula, made
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
    "decay",
    "formula",
    "made",
]
