"""The kit's own score: how many wrong optimizers, schedules and clippings it catches, how many right ones it accuses.

    python -m tinygrad_lr.verify.score                     # a sample of every family
    python -m tinygrad_lr.verify.score --family steps --limit 100

Candidates are generated from axes: every formula, setting, size, layout, step number, and every place of a formula's
syntax tree. Read candidates.py, subjects.py, scenes.py, then a family (settings.py, sizes.py, ...), unusual.py for what
is right, judging.py and command.py.
"""

from . import (
    buffers,
    clipping,
    dialects,
    dtypes,
    groups,
    layouts,
    libraries,
    non_finite,
    refusing,
    saving,
    schedules,
    settings,
    sizes,
    steps,
    syntax,
    unusual,
)
from .candidates import FAMILIES, Candidate, CandidateFamily
from .judging import Verdict, judge

__all__ = ["FAMILIES", "Candidate", "CandidateFamily", "Verdict", "judge"]

# Importing these files has registered their families.
_wrong = (settings, sizes, layouts, steps, buffers, groups, saving, dtypes, non_finite, dialects, syntax)
_right = (unusual, refusing, libraries)
_both = (schedules, clipping)
