"""What writes the values of schedules into an optimizer's groups, step by step; torch's classes by their names.

`LRScheduler(optimizer, schedule)` takes any schedule. The classes that torch has too are rows over a schedule, with
torch's arguments (`SCHEDULERS` lists them). `HyperparameterScheduler` drives weight decay, momentum, ..., by group.

    >>> from types import SimpleNamespace
    >>> from tinygrad_lr.optim import lr_scheduler
    >>> optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}])
    >>> scheduler = lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.025]

Where next: `base.py` (what all share; LRScheduler), `named.py` (torch's names), `composite.py` (sequences and products
of schedulers), `plateau.py` (ReduceLROnPlateau), `table.py` (a row per name of torch's, and where the two differ).
"""

from .base import GradualWarmupScheduler, HyperparameterScheduler, LRScheduler
from .composite import ChainedScheduler, SequentialLR
from .named import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    StepLR,
)
from .plateau import ReduceLROnPlateau
from .table import SCHEDULERS

__all__ = [
    "SCHEDULERS",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "GradualWarmupScheduler",
    "HyperparameterScheduler",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
