"""Wrong optimizers, so that checks are seen to fail and failures are recognised: `MUTANTS`, by name.

Most are bugs that lived in a library; `seen_in` says where. Read catalogue.py, formula.py, bookkeeping.py.
"""

from . import bookkeeping, formula, others
from .catalogue import MUTANTS, Mutant

__all__ = ["MUTANTS", "Mutant", "bookkeeping", "formula", "others"]
