"""`compile_step`: a function that makes one training step in machine code. Next: training/loops.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.optim import Optimizer
from tinygrad_lr.optim.around import Around
from tinygrad_lr.optim.clipping import checked_max_norm

from .batches import HeldBatch
from .runner import Runner
from .tracing import Function
from .updates import Updates

__all__ = ["CompiledStep", "compile_step"]

KEPT = 16  # a compiled step keeps the programs for so many shapes of batches
Shapes = tuple[tuple[tuple[int, ...], np.dtype[Any]], ...]  # and dtypes, of the tensors of a batch
_ONE_KEY = np.zeros(1, np.uint64)


class CompiledStep:
    """What `compile_step` returns. Call it with a batch: it makes a step and returns the loss before it."""

    def __init__(self, model: Function, loss: Function, optimizer: Optimizer, max_norm: float | None) -> None:
        self.model, self.loss, self.optimizer, self.max_norm = model, loss, optimizer, max_norm
        self._runners: dict[Shapes, tuple[HeldBatch, Runner]] = {}  # the last used comes last

    def __call__(self, *batch: ArrayLike | Tensor) -> float:
        given = [each if isinstance(each, Tensor) else Tensor(each) for each in batch]
        if not given:
            raise TypeError("a step needs a batch: the inputs of the model, and at last the target")
        if any(tensor.requires_grad for tensor in given):
            raise ValueError("a compiled step leaves no gradients in its batch; pass inputs with .detach()")
        key = tuple((tensor.shape, tensor.dtype) for tensor in given)
        held, runner = self._runners.pop(key) if key in self._runners else self._new(given)
        self._runners[key] = held, runner
        held.hold(given)
        rates = np.array([[group["lr"] for group in self.optimizer.param_groups]], np.float64)
        losses, made = runner.run(_ONE_KEY, 0, rates)
        if not made and math.isfinite(losses[0]):
            runner.check_gradients()
        elif math.isnan(losses[0]):
            runner.check_loss(0)
        return float(losses[0])

    def _new(self, given: list[Tensor]) -> tuple[HeldBatch, Runner]:
        held = HeldBatch(given)
        runner = Runner(self.model, self.loss, self.optimizer, held, self.max_norm)
        while len(self._runners) >= KEPT:
            del self._runners[next(iter(self._runners))]
        return held, runner

    @property
    def source(self) -> str:
        """The text of the file that the last call ran.

        Raises:
            RuntimeError: there was no call yet, so the shapes of a batch are unknown.
        """
        if not self._runners:
            raise RuntimeError("nothing is compiled before the first call, which tells the shapes of a batch")
        return next(reversed(self._runners.values()))[1].source


def compile_step(
    model: Function, loss: Function, optimizer: Optimizer, *, max_norm: float | None = None
) -> CompiledStep:
    """Return a function that makes one training step in machine code: forward, backward and update.

    Args:
        model, loss, optimizer, max_norm: as for `fit`, but the model keeps its mode. The first call with batches of
            some shapes compiles the step for them; the last 16 shapes are kept.

    Returns:
        A `CompiledStep`. `step(inputs, target)` makes the step and returns the loss before it. A step whose loss is
        not finite is not made. The gradients stay in the `.grad` of the optimizer's parameters; others get none.

    Every call recompiles the step if something was assigned since: layers, attributes of model and loss and of what
    they hold, closures, globals that their functions name, the mode, hyperparameters, constants. A call does not see
    values written by NumPy into an array of more than 64 KiB, changed elements of lists and dicts longer than 1,000,
    and changes inside objects of installed packages that are no Modules. If these change, make a new step.

    Raises:
        TypeError: not an optimizer of tinygrad_lr.
        CannotCompile: a wrapper, such as Lookahead.
        ValueError: `max_norm` is not above 0; on calling, a tensor of the batch requires gradients.
        CannotCompile: on calling, an op that has no compiled form, or a model or loss that reads or changes values in
            Python, draws random numbers or changes itself at each call.
        FloatingPointError: on calling, with `max_norm`, a gradient that holds NaN or infinity; nothing is changed.

    Example:
        >>> from tinygrad_lr import nn, ones, optim
        >>> model = nn.Linear(10, 1)
        >>> step = compile_step(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01))
        >>> losses = [step(ones(4, 10), ones(4, 1)) for _ in range(3)]
        >>> losses[2] < losses[0]
        True
    """
    if isinstance(optimizer, Around):
        Updates(optimizer)  # raises CannotCompile
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"compile_step needs an optimizer of tinygrad_lr, got {type(optimizer).__name__}")
    for name, value in (("model", model), ("loss", loss)):
        if not callable(value):
            raise TypeError(f"{name} must be callable, got {type(value).__name__}")
    return CompiledStep(model, loss, optimizer, None if max_norm is None else checked_max_norm(max_norm))
