"""Training: `fit` trains a model, `evaluate` measures it, `Checkpoint` keeps it on disk while it runs.

Read fitting.py first, then loops.py (the steps of an epoch) and rates.py (the rates of all steps). history.py keeps
what happened; progress.py shows it on the terminal. checkpoint.py says when a snapshot (snapshot.py) of a
training is written, from which it can go on. callbacks.py says what a callback is; stopping.py holds the first ones.
"""

from .callbacks import STOP, Callback, Stop, Training
from .checkpoint import Checkpoint
from .fitting import Diverged, evaluate, fit, line
from .history import History
from .stopping import BestParameters, EarlyStopping

__all__ = [
    "STOP",
    "BestParameters",
    "Callback",
    "Checkpoint",
    "Diverged",
    "EarlyStopping",
    "History",
    "Stop",
    "Training",
    "evaluate",
    "fit",
    "line",
]
