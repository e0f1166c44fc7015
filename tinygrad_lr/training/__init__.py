"""Training: `fit` runs epochs, and `evaluate` says how good a model is.

Read fitting.py first, then loops.py (the steps of an epoch) and rates.py (the rates of all steps); history.py keeps
what happened, and progress.py shows it while it happens.
"""

from .fitting import Diverged, evaluate, fit, line

__all__ = ["Diverged", "evaluate", "fit", "line"]
