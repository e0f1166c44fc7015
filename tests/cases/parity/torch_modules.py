"""What torch's tests expect of its modules without losses: activations, LayerNorm, Dropout, `nn.init` (test_nn.py,
common_modules.py, nn/test_dropout.py, nn/test_init.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from tinygrad_lr import Tensor, nn, no_grad

from .autograd import SPECIAL, Row, Sides
from .cases import Case

SUITE = "torch.nn modules"
NOT_APPLICABLE = {
    "convolutions, pooling, recurrent layers, embeddings, attention, padding": "not built",
    "changing the input in place": "`inplace=True` is refused, with the remedy",
    "hooks, parametrizations, lazy modules, quantization, devices other than CPU and CUDA": "not built",
    "channels of Dropout1d, 2d, 3d, AlphaDropout": "not built",
}
ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    ("ReLU", {}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.5}),
    ("LeakyReLU", {"negative_slope": 0.0}),
    ("ELU", {}),
    ("ELU", {"alpha": 2.0}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}),
    ("Softplus", {}),
    ("Softplus", {"beta": 2.0, "threshold": 0.5}),
    ("Sigmoid", {}),
    ("Tanh", {}),
    ("LogSigmoid", {}),
    ("Identity", {}),
]
OVER_CLASSES: list[tuple[str, dict[str, Any]]] = [
    ("Softmax", {"dim": 0}),
    ("Softmax", {"dim": -1}),
    ("LogSoftmax", {"dim": 1}),
]
FINITE = [value for value in SPECIAL if np.isfinite(value) and abs(value) < 1e300]
RANDOM = np.random.default_rng(5).uniform(-6, 6, (4, 5))
LAYER_NORMS: list[dict[str, Any]] = [
    {"normalized_shape": 5},
    {"normalized_shape": [4, 5], "eps": 1e-3},
    {"normalized_shape": [5], "bias": False},
    {"normalized_shape": 5, "elementwise_affine": False},
]
WRONG: dict[str, Callable[[Any], Any]] = {
    "Dropout above 1": lambda lib: lib.Dropout(1.1),
    "Dropout below 0": lambda lib: lib.Dropout(-0.1),
    "dropout above 1": lambda lib: lib.functional.dropout(_ones(lib, 3), 1.5),
    "xavier_uniform_ of a vector": lambda lib: lib.init.xavier_uniform_(_ones(lib, 3)),
    "kaiming_normal_ of a vector": lambda lib: lib.init.kaiming_normal_(_ones(lib, 3)),
    "orthogonal_ of a vector": lambda lib: lib.init.orthogonal_(_ones(lib, 3)),
    "eye_ of a vector": lambda lib: lib.init.eye_(_ones(lib, 3)),
    "sparse_ of a vector": lambda lib: lib.init.sparse_(_ones(lib, 3), 0.5),
    "another mode": lambda lib: lib.init.kaiming_uniform_(_ones(lib, 2, 2), mode="fan"),
    "another nonlinearity": lambda lib: lib.init.calculate_gain("nothing"),
    "LayerNorm of another length": lambda lib: lib.LayerNorm(4)(_ones(lib, 2, 3)),
    "GELU otherwise": lambda lib: lib.functional.gelu(_ones(lib, 2), approximate="no"),
}
FILLED: dict[str, Callable[[Any, Any], Any]] = {
    "zeros_": lambda init, t: init.zeros_(t),
    "ones_": lambda init, t: init.ones_(t),
    "constant_": lambda init, t: init.constant_(t, 0.25),
    "eye_": lambda init, t: init.eye_(t),
    "normal_ without deviation": lambda init, t: init.normal_(t, 0.5, 0.0),
    "uniform_ between equal bounds": lambda init, t: init.uniform_(t, 0.5, 0.5),
    "xavier_uniform_ with gain 0": lambda init, t: init.xavier_uniform_(t, gain=0.0),
}


def _ones(lib: Any, *shape: int) -> Any:
    if lib is nn:
        return Tensor(np.ones(shape, np.float32))
    import torch

    return torch.ones(shape)


def _torch() -> Any:
    import torch

    return torch.nn


def module(name: str, arguments: dict[str, Any], array: np.ndarray, rounding: float = 16) -> None:
    """Values and gradients agree, the gradients within roundings of the largest number."""
    Sides(array).compare(getattr(nn, name)(**arguments), getattr(_torch(), name)(**arguments), rounding)


def apart(name: str, arguments: dict[str, Any], points: list[float], dtype: str) -> None:
    """One special value at a time, so that a large one does not hide the others."""
    with np.errstate(over="ignore"):
        for point in points:
            module(name, arguments, np.array([point], dtype))


def looks(name: str, arguments: dict[str, Any]) -> None:
    ours, theirs = getattr(nn, name)(**arguments), getattr(_torch(), name)(**arguments)
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())


def normalized(arguments: dict[str, Any], array: np.ndarray) -> None:
    """A mean is rounded, and the differences from it are of size 1: the error grows with the mean."""
    ours, theirs = nn.LayerNorm(**arguments).double(), _torch().LayerNorm(**arguments).double()
    Sides(array).compare(ours, theirs, 256 * (1 + float(np.abs(array).mean())))


def refused(call: Callable[[Any], Any]) -> None:
    """Both raise; torch's RuntimeError is a ValueError here."""
    kinds = []
    for lib in (nn, _torch()):
        try:
            call(lib)
        except (ValueError, RuntimeError, TypeError) as error:
            kinds.append(type(error))
    assert len(kinds) == 2 and (kinds[0] is kinds[1] or kinds == [ValueError, RuntimeError]), kinds


def dropped(p: float, training: bool) -> None:
    """The values are 0 or scaled, the gradient goes where they are not 0, and evaluation gives the input."""
    for lib, ones in ((nn, _ones(nn, 200)), (_torch(), _ones(_torch(), 200))):
        layer = lib.Dropout(p)
        layer.train(training)
        ones.requires_grad = True
        out = layer(ones)
        out.sum().backward()
        found = np.asarray(out.detach().numpy())
        wanted = {0.0 if p == 1 and training else 1.0}
        if training and 0 < p < 1:
            wanted = {0.0, float(np.float32(1 / (1 - p)))}
        assert set(found.tolist()) == wanted and np.asarray(ones.grad).tolist() == found.tolist()


def nan_is_dropped() -> None:
    given = np.array([np.nan], np.float32)
    import torch

    found = torch.nn.functional.dropout(torch.tensor(given), 1.0).numpy()
    np.testing.assert_array_equal(nn.functional.dropout(given, 1.0).numpy(), found)


def filled(fill: Callable[[Any, Any], Any]) -> None:
    ours, theirs = nn.Linear(3, 2).weight, _torch().Linear(3, 2).weight
    assert fill(nn.init, ours) is ours and fill(_torch().init, theirs) is theirs and ours.requires_grad
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())
    with no_grad():
        assert not ours.grad


def gain(name: str, param: float | None) -> None:
    assert nn.init.calculate_gain(name, param) == _torch().init.calculate_gain(name, param)


def all_cases() -> Iterable[Row]:
    for name, arguments in ACTIVATIONS:
        shown = f"{name}{arguments or ''}"
        for dtype in ("float64", "float32"):
            yield f"{shown}, {dtype}: at special values", partial(apart, name, arguments, FINITE, dtype), ""
            yield f"{shown}, {dtype}: at random values", partial(module, name, arguments, RANDOM.astype(dtype)), ""
        for shape in ((), (0,), (2, 0, 3)):
            yield f"{shown}, {shape}: without axes or elements", partial(module, name, arguments, np.ones(shape)), ""
    for name, arguments in OVER_CLASSES:
        for dtype in ("float64", "float32"):
            array = RANDOM.astype(dtype)
            yield f"{name}{arguments}, {dtype}: at random values", partial(module, name, arguments, array), ""
    for name, arguments in (*ACTIVATIONS, *OVER_CLASSES, *(("LayerNorm", each) for each in LAYER_NORMS)):
        yield f"{name}{arguments or ''}: repr and names of the state", partial(looks, name, arguments), ""
    for p in (0.0, 0.3, 1.0):
        yield f"Dropout({p}): repr and names of the state", partial(looks, "Dropout", {"p": p}), ""
    for arguments in LAYER_NORMS:
        for what, array in {"random values": RANDOM, "a large mean": RANDOM + 1e4, "equal values": RANDOM * 0}.items():
            yield f"LayerNorm{arguments}: {what}", partial(normalized, arguments, array), ""
    for name, call in WRONG.items():
        yield f"{name}: refused", partial(refused, call), ""
    for p in (0.0, 0.25, 0.5, 1.0):
        for training in (True, False):
            yield f"Dropout({p}), training={training}: values and gradients", partial(dropped, p, training), ""
    yield "Dropout(1): of NaN", nan_is_dropped, "what is dropped is replaced by 0, not multiplied, so that NaN goes too"
    for name, fill in FILLED.items():
        yield f"{name}: a Parameter is filled in place", partial(filled, fill), ""
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        for param in (None, 0.3) if name == "leaky_relu" else (None,):
            yield f"calculate_gain({name}, {param}): gains", partial(gain, name, param), ""


CASES = [Case(SUITE, *row) for row in all_cases()]
