"""Parameters, modules, layers and losses, named as in torch.nn.

Read `module.py`, then `layers.py`, `losses.py`, `containers.py`.
"""

from typing import TYPE_CHECKING, Any

from . import functional, init
from .activations import (
    ELU,
    GELU,
    Identity,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .containers import ModuleDict, ModuleList, ParameterList, Sequential
from .dropout import Dropout
from .layers import Linear
from .losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss
from .module import Module, Parameter
from .normalization import LayerNorm

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Dropout",
    "HuberLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]
__all__ += ["ELU", "GELU", "Identity", "LayerNorm", "LeakyReLU", "LogSigmoid", "LogSoftmax", "ReLU", "SiLU", "Sigmoid"]
__all__ += ["Linear", "Module", "ModuleDict", "ModuleList", "Parameter", "ParameterList", "Sequential", "Softmax"]
__all__ += ["Softplus", "Tanh", "functional", "init"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Raise AttributeError, with what there is."""
        raise AttributeError(
            f"tinygrad_lr.nn has no {name}; it has {', '.join(__all__)}. Write a Module with what Tensors can"
        )
