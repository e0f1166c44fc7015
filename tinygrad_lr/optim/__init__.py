"""Optimizers and what drives their learning rates.

A row of `OPTIMIZERS` is an optimizer: tests, command line and documents are driven by this table.

Example:
    >>> from tinygrad_lr import optim
    >>> list(optim.OPTIMIZERS)
    ['sgd', 'adagrad', 'rmsprop', 'adam', 'adamw']
"""

from .adagrad import Adagrad
from .adam import Adam, AdamW
from .clipping import clip_grad_norm_
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD
from .state_dtypes import decoded_state

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "clip_grad_norm_",
    "decoded_state",
    "lr_scheduler",
]


def __getattr__(name: str) -> object:
    if name == "lr_scheduler":
        import importlib

        return importlib.import_module(".lr_scheduler", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
