"""Activations: Modules without parameters, each of which applies a function of `engine/functional.py`.

Each takes a Tensor or an array, and returns a Tensor. Arguments are checked when the Module is made. Next:
`containers.py`; `engine/elementwise.py` for the formulas.
"""

from __future__ import annotations

from typing import Any

from tinygrad_lr.engine import functional
from tinygrad_lr.engine.functional import APPROXIMATIONS, refuse_in_place
from tinygrad_lr.engine.tensor import Operand, Tensor, as_tensor
from tinygrad_lr.integers import whole_number
from tinygrad_lr.reals import real_number

from .module import Module

__all__ = ["ELU", "GELU", "Identity", "LeakyReLU", "LogSigmoid", "LogSoftmax", "ReLU", "SiLU", "Sigmoid", "Softmax"]
__all__ += ["Softplus", "Tanh"]


class ReLU(Module):
    """max(x, 0); the derivative at 0 is declared 0."""

    def __init__(self, inplace: bool = False) -> None:
        refuse_in_place("ReLU", inplace)

    def forward(self, x: Operand) -> Tensor:
        return functional.relu(x)


class LeakyReLU(Module):
    """x where it is above 0, and negative_slope x elsewhere; the derivative at 0 is declared negative_slope.

    Raises:
        TypeError, ValueError: a slope that is no finite number. NotImplementedError: `inplace`.

    Example:
        >>> from tinygrad_lr import tensor
        >>> LeakyReLU(0.5)(tensor([-2.0, 3.0]))
        tensor([-1.,  3.])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        refuse_in_place("LeakyReLU", inplace)
        self.negative_slope = real_number("negative_slope", negative_slope)

    def forward(self, x: Operand) -> Tensor:
        return functional.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x where it is above 0, and alpha (exp(x) - 1) elsewhere.

    Raises:
        TypeError, ValueError: alpha is no finite number. NotImplementedError: `inplace`.
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        refuse_in_place("ELU", inplace)
        self.alpha = real_number("alpha", alpha)

    def forward(self, x: Operand) -> Tensor:
        return functional.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x times the normal distribution's share below x; see `functional.gelu`.

    Args:
        approximate: "none" or "tanh".

    Raises:
        ValueError: another approximation.
    """

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in APPROXIMATIONS:
            raise ValueError(f"approximate must be one of {', '.join(APPROXIMATIONS)}, got {approximate!r}")
        self.approximate = approximate

    def forward(self, x: Operand) -> Tensor:
        return functional.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x sigmoid(x), which is also named Swish."""

    def __init__(self, inplace: bool = False) -> None:
        refuse_in_place("SiLU", inplace)

    def forward(self, x: Operand) -> Tensor:
        return functional.silu(x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Operand) -> Tensor:
        return functional.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Operand) -> Tensor:
        return functional.sigmoid(x)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, without overflow for any x; x itself where beta x is above the threshold.

    Raises:
        TypeError, ValueError: beta or the threshold is no finite number, or beta is 0.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = real_number("beta", beta), real_number("threshold", threshold)
        if self.beta == 0:
            raise ValueError("beta must not be 0, by which the logarithm is divided")

    def forward(self, x: Operand) -> Tensor:
        return functional.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class LogSigmoid(Module):
    """log(sigmoid(x)), exact also where the sigmoid is 0 or 1 to rounding."""

    def forward(self, x: Operand) -> Tensor:
        return functional.logsigmoid(x)


class Softmax(Module):
    """exp(x) divided by its sum along an axis, without overflow for any x.

    Args:
        dim: the axis of the classes, -1 for the last one; torch guesses it where none is given, with a warning.

    Raises:
        TypeError: no axis, or no whole number. On calling, ValueError: an axis that there is not.

    Example:
        >>> from tinygrad_lr import tensor
        >>> Softmax(dim=1)(tensor([[0.0, 0.0], [1e4, 0.0]]))
        tensor([[0.5, 0.5],
                [1. , 0. ]])
    """

    def __init__(self, dim: int | None = None) -> None:
        self.dim = _axis(type(self).__name__, dim)

    def forward(self, x: Operand) -> Tensor:
        return functional.softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """The logarithm of the softmax, exact also where that is 0 or 1 to rounding; arguments and errors are its own.

    `CrossEntropyLoss` contains it.
    """

    def forward(self, x: Operand) -> Tensor:
        return functional.log_softmax(x, self.dim)


def _axis(name: str, dim: int | None) -> int:
    if dim is None:
        raise TypeError(f"{name} needs the axis of the classes: write {name}(dim=1), or dim=-1 for the last one")
    return whole_number("dim", dim, least=-64, most=63)


class Identity(Module):
    """The input as it is. It takes any arguments, so that it can stand in the place of every Module."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Operand) -> Tensor:
        return as_tensor(x)
