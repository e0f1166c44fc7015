"""Adapters: each gives a maker `make(params, **hyperparameters)` of optimizers that can be checked.

There are adapters of our optimizers, of formulas, of plain functions, and of torch's, optax's and keras's optimizers.
`adapt` chooses one; schedules.py has the schedules of torch, timm, transformers, optax and keras. A library is imported
when its adapter is called. Read naive.py for the whole protocol, and translation.py for how hyperparameters are
renamed.
"""

from .described import described
from .function import function
from .keras import keras
from .naive import Naive, naive
from .optax import optax
from .own import OwnSubject, own, specification
from .recognition import adapt
from .schedules import schedule, timm_scheduler, torch_scheduler
from .torch import torch
from .translation import PeerMaker

__all__ = [
    "Naive",
    "OwnSubject",
    "PeerMaker",
    "adapt",
    "described",
    "function",
    "keras",
    "naive",
    "optax",
    "own",
    "schedule",
    "specification",
    "timm_scheduler",
    "torch",
    "torch_scheduler",
]
