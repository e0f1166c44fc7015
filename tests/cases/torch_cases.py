"""The optimizers that torch has too, and the settings in which tests run both. Import it where torch is installed."""

import inspect
from contextlib import contextmanager

import pytest
import torch

from tinygrad_lr import optim


@contextmanager
def default_dtype(dtype):
    """The dtype in which torch keeps ASGD's eta and mu and NAdam's mu_product, whatever the parameters' dtype is."""
    torch.set_default_dtype(torch.float64 if dtype == "float64" else torch.float32)
    yield
    torch.set_default_dtype(torch.float32)


# torch's Muon takes matrices only, and rounds to bfloat16: tests/optim/test_muon.py compares it.
APART = {"muon"}
TORCH = {
    name: getattr(torch.optim, cls.__name__)
    for name, cls in optim.OPTIMIZERS.items()
    if "torch" in cls.dialects and name not in APART
}
MORE = {
    "adafactor": [
        {"eps": (2.0**-23, 1e-3)},
        {"eps": (1e-3, 0.1), "d": 1.5, "weight_decay": 0.01, "beta2_decay": -0.5},
        {"eps": (1e-6, 1e-3), "maximize": True, "lr": 0.1},
    ],
    "sgd": [
        {"lr": 0.05},
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01},
        {"lr": 0.05, "momentum": 0.9, "dampening": 0.5, "maximize": True},
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ],
    "adadelta": [
        {},
        {"lr": 0.1, "rho": 0.5, "eps": 0.1, "weight_decay": 0.01},
        {"lr": 0.1, "maximize": True, "eps": 1e-3},
    ],
    "adamax": [{}, {"betas": (0.8, 0.95), "weight_decay": 0.01}, {"maximize": True, "eps": 0.1}],
    "adagrad": [
        {},
        {"lr": 0.05, "lr_decay": 0.01, "weight_decay": 0.01, "initial_accumulator_value": 0.1},
        {"maximize": True, "eps": 1e-3},
    ],
    "rmsprop": [
        {},
        {"momentum": 0.9, "weight_decay": 0.01},
        {"centered": True},
        {"centered": True, "momentum": 0.5, "maximize": True, "eps": 1e-3},
    ],
    "adam": [{}, {"amsgrad": True, "weight_decay": 0.01}, {"betas": (0.5, 0.9), "eps": 1e-3, "maximize": True}],
    "adamw": [{}, {"amsgrad": True}, {"weight_decay": 0.1, "betas": (0.8, 0.95), "maximize": True}],
}


def variants_of(name):
    """Settings that torch has too."""
    known = inspect.signature(TORCH[name]).parameters
    return MORE.get(name) or [each for each in optim.OPTIMIZERS[name].examined if set(each) <= set(known)]


RUNS = [pytest.param(name, v, id=f"{name}-{i}") for name in TORCH for i, v in enumerate(variants_of(name))]
