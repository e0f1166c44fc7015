"""The model of a table (a linear model or a small network), its schedule by name, and its R2.

commands.py uses these with the table, the loop and the folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lr import nn
from tinygrad_lr.engine.recording import no_grad
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.schedules import Schedule
from tinygrad_lr.schedules.table import RunSteps, for_training

__all__ = ["apply_network", "build_schedule", "count_parameters", "in_words", "least_squares", "network", "r_squared"]

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


def build_schedule(
    name: str, epochs: int, steps_in_epoch: int, warmup_epochs: int, stable_epochs: int = 0, power: float = 1.0
) -> Schedule:
    """A warm-up and then the named schedule, in steps. The schedule ends where the last epoch ends.

    Args:
        name: a key of `schedules.table.for_training()`, such as "polynomial" (the article's decay_lr_poly) or "wsd" (a
            plateau of `stable_epochs`, then a cosine).
        power: of the polynomial.

    Raises:
        ValueError: an unknown name, or a warm-up and plateau longer than the training.

    Example:
        >>> build_schedule("polynomial", epochs=10, steps_in_epoch=10, warmup_epochs=5)
        warmup(50).then(polynomial(50))
    """
    if warmup_epochs + stable_epochs > epochs:
        what = f"the warm-up ({warmup_epochs})" + (f" and the plateau ({stable_epochs})" if stable_epochs else "")
        raise ValueError(f"{what} cannot be longer than the training ({epochs} epochs)")
    rows = for_training()
    if name not in rows:
        raise ValueError(f"no schedule is called {name!r}; there are {', '.join(rows)}")
    run = RunSteps(
        warmup=warmup_epochs * steps_in_epoch,
        stable=stable_epochs * steps_in_epoch,
        decay=(epochs - warmup_epochs - stable_epochs) * steps_in_epoch,
        power=power,
    )
    return rows[name].build_for(run)


def r_squared(target: np.ndarray, prediction: np.ndarray) -> float | None:
    """1 - (squared errors of the prediction) / (squared errors of the target's mean); None for a constant target.

    Example:
        >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
        1.0
    """
    target = np.asarray(target, np.float64)
    spread = float(((target - target.mean()) ** 2).sum())
    return 1.0 - float(((target - prediction) ** 2).sum()) / spread if spread > 0 else None


def least_squares(inputs: np.ndarray, target: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Predictions for `others` of the least-squares solution with intercept (numpy.linalg.lstsq, float64).

    Example:
        >>> least_squares(np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]]), np.array([[2.0]])).round(12).tolist()
        [[5.0]]
    """

    def with_intercept(values: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(values)), np.asarray(values, np.float64)])

    solution = np.linalg.lstsq(with_intercept(inputs), np.asarray(target, np.float64), rcond=None)[0]
    return with_intercept(others) @ solution
