"""Parameters, modules, layers and losses, named as in torch.nn. Read `module.py`, then `layers.py`."""

from .layers import Linear, ModuleList, MSELoss, ReLU, Sequential, Sigmoid, Tanh
from .module import Module, Parameter

__all__ = ["Linear", "MSELoss", "Module", "ModuleList", "Parameter", "ReLU", "Sequential", "Sigmoid", "Tanh"]
