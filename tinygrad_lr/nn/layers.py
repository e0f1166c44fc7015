"""Layers, containers of layers, and the loss that the article needs.

A layer takes a Tensor or an array, and returns a Tensor.

Next: `engine/products.py` for what they compute, `optim/` for what updates the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, overload

import numpy as np

from tinygrad_lr import random
from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.engine import functional
from tinygrad_lr.engine.functional import REDUCTIONS
from tinygrad_lr.engine.products import linear
from tinygrad_lr.engine.tensor import Operand, Tensor, apply, as_tensor
from tinygrad_lr.integers import whole_number

from .module import Module, Parameter, checked_output

__all__ = ["Linear", "MSELoss", "ModuleList", "ReLU", "Sequential", "Sigmoid", "Tanh"]


class Linear(Module):
    """x weight^T + bias.

    Weight and bias are drawn uniformly from [-1/sqrt(in_features), 1/sqrt(in_features)], as torch does: Kaiming's
    uniform initialisation (He et al., 2015, arXiv:1502.01852) with a = sqrt(5).

    Args:
        in_features, out_features: the length of the last axis of the input and of the output.
        bias: whether a bias is added.

    Raises:
        TypeError, ValueError: features that are no whole numbers of at least 1, or a bias that is no bool.

    Example:
        >>> from tinygrad_lr import ones
        >>> Linear(10, 1)(ones(4, 10)).shape
        (4, 1)
        >>> Linear(10, 1)(np.ones((4, 10), "f4")).shape
        (4, 1)
    """

    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features = whole_number("in_features", in_features, least=1)
        self.out_features = whole_number("out_features", out_features, least=1)
        bias = true_or_false("bias", bias)
        bound = 1 / math.sqrt(self.in_features)
        self.weight = _uniform((self.out_features, self.in_features), bound)
        self.bias = _uniform((self.out_features,), bound) if bias else None

    def forward(self, x: Operand) -> Tensor:
        x, bias = as_tensor(x), self.bias
        return apply(linear, (x, self.weight) if bias is None else (x, self.weight, bias))

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def _uniform(shape: tuple[int, ...], bound: float) -> Parameter:
    draws = random.generator().random(shape, np.float32)
    return Parameter((2 * draws - 1) * np.float32(bound))


class ReLU(Module):
    """max(x, 0); the derivative at 0 is declared 0."""

    def forward(self, x: Operand) -> Tensor:
        return functional.relu(x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Operand) -> Tensor:
        return functional.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Operand) -> Tensor:
        return functional.sigmoid(x)


class Sequential(Module):
    """Modules one after the other, named "0", "1", ...

    Raises:
        TypeError: a part is no Module.

    Example:
        >>> model = Sequential(Linear(4, 8), ReLU(), Linear(8, 1))
        >>> [name for name, _ in model.named_parameters()]
        ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *parts: Module) -> None:
        for i, part in enumerate(parts):
            if not isinstance(part, Module):
                raise TypeError(f"Sequential takes Modules, got {type(part).__name__} at position {i}")
            setattr(self, str(i), part)

    def _parts(self) -> list[Module]:
        return [part for part in vars(self).values() if isinstance(part, Module)]

    def forward(self, x: Any) -> Any:
        for part in self._parts():
            x = checked_output(part, part.forward(x))
        return x

    def __len__(self) -> int:
        return len(self._parts())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._parts())

    def __getitem__(self, i: int) -> Module:
        return self._parts()[i]


class ModuleList(Module):
    """A list of Modules whose parameters belong to the Module that holds the list; they are named "0", "1", ...

    It has no `forward`: the Module that holds it says how its entries are used.

    Args:
        modules: the first entries.

    Raises:
        TypeError: an entry is no Module.

    Example:
        >>> class Network(Module):
        ...     def __init__(self):
        ...         self.layers = ModuleList([Linear(4, 8), Linear(8, 1)])
        ...     def forward(self, x):
        ...         for layer in self.layers:
        ...             x = layer(x)
        ...         return x
        >>> [name for name, _ in Network().named_parameters()]
        ['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias']
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def append(self, module: Module) -> ModuleList:
        """Add a Module at the end; returns the list."""
        return self.insert(len(self), module)

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add Modules at the end; returns the list."""
        return self._replace([*self, *modules])

    def insert(self, index: int, module: Module) -> ModuleList:
        """Add a Module before an index; later ones get new names. Returns the list."""
        entries = list(self)
        entries.insert(index, module)
        return self._replace(entries)

    def pop(self, index: int = -1) -> Module:
        """Remove the Module at an index, and return it."""
        entries = list(self)
        removed = entries.pop(index)
        self._replace(entries)
        return removed

    def _replace(self, entries: list[Module]) -> ModuleList:
        for i, entry in enumerate(entries):
            if not isinstance(entry, Module):
                raise TypeError(f"a ModuleList takes Modules, got {type(entry).__name__} at position {i}")
        for name in map(str, range(len(self))):
            delattr(self, name)
        for i, entry in enumerate(entries):
            setattr(self, str(i), entry)
        return self

    def __len__(self) -> int:
        return sum(name.isdecimal() for name in vars(self))

    def __iter__(self) -> Iterator[Module]:
        return iter([vars(self)[str(i)] for i in range(len(self))])

    @overload
    def __getitem__(self, index: int) -> Module: ...

    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...

    def __getitem__(self, index: int | slice) -> Module | ModuleList:
        found = list(self)[index]
        if isinstance(found, Module):
            return found
        part = type(self)()
        vars(part).update((str(i), entry) for i, entry in enumerate(found))  # the parameters keep their names
        return part

    def __setitem__(self, index: int, module: Module) -> None:
        entries = list(self)
        entries[index] = module
        self._replace(entries)

    def __delitem__(self, index: int | slice) -> None:
        entries = list(self)
        del entries[index]
        self._replace(entries)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Raise NotImplementedError: a list does not say how its entries are used."""
        raise NotImplementedError(
            "a ModuleList has no forward(); call its entries, `for layer in self.layers: x = layer(x)`, or use "
            "nn.Sequential"
        )


class MSELoss(Module):
    """The squared error: mean, sum or each element ("none").

    It is called with a prediction and a target: Tensors or arrays of one shape, or a number for each element.

    Raises:
        ValueError: an unknown reduction; on calling, shapes that differ (torch broadcasts them with a warning).

    Example:
        >>> from tinygrad_lr import tensor
        >>> MSELoss()(tensor([1.0, 2.0]), tensor([1.0, 4.0])).item()
        2.0
    """

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")
        self.reduction = reduction

    def forward(self, prediction: Operand, target: Operand) -> Tensor:
        return functional.mse_loss(prediction, target, self.reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"
