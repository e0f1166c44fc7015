"""Training: `fit` trains a model, `evaluate` measures it, `Checkpoint` keeps it on disk while it runs.

Read fitting.py first, then loops.py (the steps of an epoch) and rates.py (the rates of all steps). history.py keeps
what happened; progress.py shows it on the terminal. checkpoint.py says when a snapshot (snapshot.py) of a
training is written, from which it can go on.
"""

from .checkpoint import Checkpoint
from .fitting import Diverged, evaluate, fit, line

__all__ = ["Checkpoint", "Diverged", "evaluate", "fit", "line"]
