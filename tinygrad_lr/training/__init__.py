"""Training: `fit` trains a model, `evaluate` measures it.

Read fitting.py first, then loops.py (the steps of an epoch) and rates.py (the rates of all steps). history.py keeps
what happened; progress.py shows it on the terminal.
"""

from .fitting import Diverged, evaluate, fit, line

__all__ = ["Diverged", "evaluate", "fit", "line"]
