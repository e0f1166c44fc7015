"""Parameters, modules, layers and losses, named as in torch.nn.

Read `module.py`, then `layers.py`, `losses.py`, `containers.py`.
"""

from typing import TYPE_CHECKING, Any

from . import functional
from .containers import ModuleDict, ModuleList, ParameterList, Sequential
from .layers import Linear, ReLU, Sigmoid, Tanh
from .losses import BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss
from .module import Module, Parameter

__all__ = ["BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss", "NLLLoss", "SmoothL1Loss"]
__all__ += ["Linear", "Module", "ModuleDict", "ModuleList", "Parameter", "ParameterList", "ReLU"]
__all__ += ["Sequential", "Sigmoid", "Tanh", "functional"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Raise AttributeError, with what there is."""
        raise AttributeError(
            f"tinygrad_lr.nn has no {name}; it has {', '.join(__all__)}. Write a Module with what Tensors can"
        )
