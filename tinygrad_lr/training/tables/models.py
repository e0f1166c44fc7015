"""The model of a table: a linear model, or linear layers with ReLU between them. Next: preparing.py."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lr import nn
from tinygrad_lr.engine.recording import no_grad
from tinygrad_lr.engine.tensor import Tensor

__all__ = ["apply_network", "count_parameters", "in_words", "network"]

MOST_LAYERS = 1_000


def count_parameters(layers: Any, copies: int = 1) -> int:
    """How many parameters `network` makes of these numbers, once they are checked. Nothing is allocated.

    Args:
        layers: see `network`.
        copies: how many float32 arrays of the parameters' sizes will be needed at once.

    Raises:
        ValueError: not at least two whole numbers of at least 1; more than a thousand; more than this machine's memory.

    Example:
        >>> count_parameters([10, 8, 1])
        97
    """
    if not isinstance(layers, list) or not all(type(width) is int and width >= 1 for width in layers):
        raise ValueError(f"layers must be a list of whole numbers of at least 1, got {_shown(layers)}")
    if not 2 <= len(layers) <= MOST_LAYERS + 1:
        raise ValueError(f"a model has 1 to {MOST_LAYERS} layers, got {len(layers) - 1}")
    count = sum(inputs * outputs + outputs for inputs, outputs in zip(layers, layers[1:], strict=False))
    needed, there = 4 * copies * count, _memory()
    if needed > there:
        raise ValueError(
            f"layers of {_shown(layers)} units have {count:,} parameters, which need {needed:,} bytes; this machine "
            f"has {there:,}. Take fewer units"
        )
    return count


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:80]}..."


def _memory() -> int:
    """The bytes of this machine's memory, or what an index can count where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**63 - 1


def network(layers: Sequence[int]) -> nn.Module:
    """A linear model, or linear layers with ReLU between them.

    Args:
        layers: the number of inputs, of units in each hidden layer, and of outputs; at least two numbers.

    Example:
        >>> network([10, 1])(Tensor(np.zeros((5, 10), np.float32))).shape
        (5, 1)
        >>> [type(part).__name__ for part in network([10, 8, 1])]
        ['Linear', 'ReLU', 'Linear']
    """
    linear = [nn.Linear(inputs, outputs) for inputs, outputs in zip(layers, layers[1:], strict=False)]
    if len(linear) == 1:
        return linear[0]
    parts: list[nn.Module] = []
    for layer in linear:
        parts += [layer, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def in_words(layers: Sequence[int]) -> str:
    """A description of the model that `network` makes of these numbers.

    Example:
        >>> in_words([10, 1]), in_words([10, 8, 1])
        ('Linear(10, 1)', 'Layers of 10, 8, 1 with ReLU between')
    """
    if len(layers) == 2:
        return f"Linear({layers[0]}, {layers[1]})"
    return "Layers of " + ", ".join(map(str, layers)) + " with ReLU between"


def apply_network(model: nn.Module, inputs: np.ndarray, device: str = "cpu") -> np.ndarray:
    """The model's outputs for an array of inputs, as an array on the host."""
    with no_grad():
        return model(Tensor(inputs, device=device)).to("cpu").numpy().copy()
