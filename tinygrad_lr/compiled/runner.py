"""A compiled step bound to a model, a loss, an optimizer and a dataset, and the runs of machine code over it.

The scalars of every step (rates, bias corrections) are computed on the host in float64, by the optimizer's own
`moving`, and cast to the parameters' dtype, exactly as an eager step does. Next: training.py, which calls `Runner.run`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from .. import backend
from ..data import DataLoader, TensorDataset
from ..optim import Optimizer
from ..optim.clipping import checked_max_norm, unit_of
from .generated import load
from .lowering import Lowering
from .refusal import REMEDY, CannotCompile
from .scalars import moving_table
from .source import Program, Update, write
from .tracing import trace

AT_ONCE = 0.05  # seconds of machine code between two looks at Ctrl-C
MOST_AT_ONCE = 32_768
_seconds: dict[str, float] = {}  # that a step of a file took, where it has run in this process

__all__ = ["CompiledStep", "Runner", "compile_step"]


class Runner:
    """Steps of `optimizer` on the batches of `loader`, in machine code; `max_norm` as for `Optimizer.step`.

    Raises:
        CannotCompile: an op that has no compiled form, a model that reads values in Python, or a GPU.
        TypeError: not an Optimizer of tinygrad_lr, or not its DataLoader.
        RuntimeError: Numba is switched off (TINYGRAD_LR_BACKEND=numpy).
    """

    def __init__(
        self, model: Callable[..., Any], loss: Callable[..., Any], optimizer: Any, loader: Any, max_norm: Any = None
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"compiled training needs an optimizer of tinygrad_lr, got {type(optimizer).__name__}")
        if not isinstance(loader, DataLoader):
            raise TypeError(f"compiled training needs a DataLoader, got {type(loader).__name__}")
        if backend.get() != "numba":
            raise RuntimeError(f"compiled training needs Numba; the backend is numpy ({backend.reason()}). {REMEDY}")
        if loader.dataset.tensors[0].device != "cpu":
            raise CannotCompile("compiled training runs on the CPU; move the dataset with .to('cpu')")
        self.model, self.loss, self.optimizer, self.loader = model, loss, optimizer, loader
        self.max_norm = None if max_norm is None else checked_max_norm(max_norm)
        self.in_epoch = len(loader)
        self._signature: Any = None
        self.prepare()

    # --- preparing ----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Trace, lower, write and load, unless everything is as it was when this was last done."""
        signature = self._state_of_things()
        if signature == self._signature:
            return
        if hasattr(self.model, "train"):
            self.model.train()
        arrays = [tensor._data for tensor in self.loader.dataset.tensors]
        size, samples = self.loader.batch_size, len(self.loader.dataset)
        short = 0 if self.loader.drop_last or self.in_epoch == 1 else samples % size
        trained = [p for group in self.optimizer.param_groups for p in group["params"] if p.requires_grad]
        for segments in self.optimizer._segments:
            for segment in segments:
                segment.settle()
        lowered, wants_blas = [], False
        for rows, prefix in ((size, ""), (short, "short_")):
            if rows:
                batch = [array[:rows] for array in arrays]
                lowering = Lowering(trace(self.model, self.loss, trained, batch), prefix)
                lowered.append(lowering.lower())
                wants_blas = wants_blas or lowering.wants_blas and not lowering.blas
        if any({id(p) for p in each.trained} != {id(p) for p in lowered[0].trained} for each in lowered):
            raise CannotCompile("the short last batch trains other parameters than the full ones; use drop_last=True")
        if wants_blas:
            warnings.warn(
                "large matrix products run as loops, because SciPy, whose BLAS Numba calls, is not installed: "
                "`pip install scipy` makes them up to twice as fast",
                RuntimeWarning,
                stacklevel=3,
            )
        self.trained = lowered[0].trained
        tables = [np.ascontiguousarray(array).reshape(samples, -1) for array in arrays]
        order = np.arange(samples)
        self._mark_gradients(True)
        self._groups = self._bind()
        updates = [update for _, _, update in self._groups]
        self.program: Program = write(
            lowered,
            tables,
            order,
            updates,
            self._about(),
            shuffles=self.loader.shuffle,
            clips=self.max_norm is not None,
        )
        self._run = load(self.program.text).run
        self._signature = self._state_of_things()

    def _state_of_things(self) -> Any:
        optimizer, loader = self.optimizer, self.loader
        parameters = [id(p._data) for group in optimizer.param_groups for p in group["params"]]
        flags = [p.requires_grad for group in optimizer.param_groups for p in group["params"]]
        states = [id(a) for segments in optimizer._segments for s in segments for a in s.states.values()]
        counts = [s.steps.count(s.steps[0]) for segments in optimizer._segments for s in segments]
        tables = [id(t._data) for t in loader.dataset.tensors]
        changes = [group.changes for group in optimizer.param_groups]
        return parameters, flags, states, counts, tables, changes, loader.batch_size, loader.drop_last, loader.shuffle

    def _mark_gradients(self, present: bool) -> None:
        self.optimizer.zero_grad()
        if present:
            for param in self.trained:
                param._grad = param._grad_home

    def _bind(self) -> list[tuple[Any, tuple[Any, int, int], Update]]:
        """The optimizer's calls: for each group, segment and run of parameters with equal counts of steps."""
        found: list[tuple[Any, tuple[Any, int, int], Update]] = []
        for i, (group, segments) in enumerate(zip(self.optimizer.param_groups, self.optimizer._segments, strict=True)):
            plan = self.optimizer._planned(i)
            for segment in segments:
                for first, stop, _ in segment.runs():
                    number = len(found)
                    blocks = ["starts"] if plan.kernel.numpy_loop is not None else []
                    words = ["values", "gradients", *plan.kernel.states, *blocks]
                    buffers = segment.buffers(first, stop, plan.kernel.states)
                    named = [(f"{word}{number}", array) for word, array in zip(words, buffers, strict=True)]
                    moving = list(self.optimizer.moving(group, 1))
                    constants = [name for name in self.optimizer.constants(group) if name not in moving]
                    scalars = [
                        ("moving", moving.index(name)) if name in moving else ("constants", constants.index(name))
                        for name in plan.kernel.scalars
                    ]
                    function = getattr(plan.kernel.cpu, "__name__", "cpu")
                    update = Update(
                        f"{self.optimizer.kernels}.{function}",
                        named,
                        scalars,
                        plan.kernel.scalars.index("sign"),
                        number,
                    )
                    found.append((group, (segment, first, stop), update))
        return found

    def _about(self) -> str:
        kind = type(self.model).__name__
        name = type(self.loss).__name__
        return f"Steps of {type(self.optimizer).__name__} on {kind} and {name}, batches of {self.loader.batch_size}."

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self, keys: np.ndarray, first: int, rates: np.ndarray) -> tuple[np.ndarray, int]:
        """Make steps; returns their losses, float64, and how many were made.

        Args:
            keys: what the loader gives for the orders of as many epochs as there are steps for (`DataLoader.keys`).
            first: the first step, counted from the start of the first of these epochs.
            rates: the learning rate of every step for each group, float64, shape (steps, groups).

        Where fewer were made than asked for, the last loss is that of a step that was not: it is not finite, or the
        norm of the gradients is not (`check_gradients` says where).
        """
        count = len(rates)
        self.prepare()
        extra: list[Any] = [first, self.in_epoch]
        if self.max_norm is not None:
            extra += [self.max_norm, unit_of([update.arrays[1][1] for _, _, update in self._groups])]
        numbers = {id(group): i for i, group in enumerate(self.optimizer.param_groups)}
        with np.errstate(all="ignore"):
            for group, (segment, start, _), _ in self._groups:
                rate, step = rates[:, numbers[id(group)]], segment.steps[start]
                extra.append(moving_table(self.optimizer, group, rate, step + 1, segment.dtype))
                moving = self.optimizer.moving(group, 1)
                constants = [v for name, v in self.optimizer.constants(group).items() if name not in moving]
                extra.append(np.array(constants, np.float64).astype(segment.dtype))
            losses = np.empty(count)
            began = perf_counter()
            made = self._run(keys, losses, *extra, *self.program.arrays)
            self._time(max(perf_counter() - began, 1e-9) / count)
        for _, (segment, start, stop), _ in self._groups:
            if made:
                segment.advance(start, stop, segment.steps[start] + made)
        if made:
            for group, rate in zip(self.optimizer.param_groups, rates[made - 1].tolist(), strict=True):
                dict.__setitem__(group, "lr", rate)
        self._mark_gradients(made == count or math.isfinite(losses[made]))
        return losses[: made + 1], made

    def check_gradients(self) -> None:
        """Raise what `Optimizer.step(max_norm=...)` raises for the gradients as they are."""
        if self.max_norm is not None:
            self.optimizer._clipping(self.max_norm)

    def _time(self, seconds: float) -> None:
        text = self.program.text  # the first run of a file compiles it, and tells nothing about its steps
        _seconds[text] = seconds if text in _seconds else 0.0

    @property
    def at_once(self) -> int:
        """How many steps the next call may make: about 50 ms of them; one where nothing is known yet."""
        seconds = _seconds.get(self.program.text)
        return int(min(max(AT_ONCE / seconds, 1), MOST_AT_ONCE)) if seconds else 1

    @property
    def source(self) -> str:
        """The text of the generated file."""
        return self.program.text


class CompiledStep:
    """What `compile_step` returns: call it with a batch to make a step; returns the loss before the step."""

    def __init__(self, model: Any, loss: Any, optimizer: Any, max_norm: float | None) -> None:
        self.model, self.loss, self.optimizer, self.max_norm = model, loss, optimizer, max_norm
        self._runners: dict[Any, Runner] = {}
        self._last: Runner | None = None

    def __call__(self, *batch: Any) -> float:
        given = TensorDataset(*batch)
        key = tuple((t.shape, t.dtype) for t in given.tensors)
        runner = self._runners.get(key)
        if runner is None:
            held = TensorDataset(*[t._data for t in given.tensors])
            runner = Runner(self.model, self.loss, self.optimizer, DataLoader(held, batch_size=None), self.max_norm)
            self._runners[key] = runner
        for own, new in zip(runner.loader.dataset.tensors, given.tensors, strict=True):
            own._data[...] = new._data
        self._last = runner
        rates = np.array([[group["lr"] for group in self.optimizer.param_groups]], np.float64)
        losses, made = runner.run(runner.loader.keys(0, 1), 0, rates)
        if not made and math.isfinite(losses[0]):
            runner.check_gradients()
        return float(losses[0])

    @property
    def source(self) -> str:
        """The file that the last call ran, as text.

        Raises:
            RuntimeError: before the first call, which says what shapes a batch has.
        """
        if self._last is None:
            raise RuntimeError("nothing is compiled before the first call, which tells the shapes of a batch")
        return self._last.source


def compile_step(
    model: Callable[..., Any], loss: Callable[..., Any], optimizer: Optimizer, *, max_norm: float | None = None
) -> CompiledStep:
    """A function that makes one training step in machine code: forward, backward and update.

    Args:
        model, loss, optimizer, max_norm: as for `fit`. The step is compiled when it is first called with a batch of
            some shape.

    Returns:
        A `CompiledStep`: `step(inputs, target)` makes the step and returns the loss before it; a step whose loss is
        not finite is not made. The gradients stay in the parameters' `.grad`.

    Raises:
        TypeError: not an optimizer of tinygrad_lr.
        ValueError: `max_norm` is not above 0.
        CannotCompile: on calling, an op that has no compiled form, or a model that reads values in Python.
        FloatingPointError: on calling, with `max_norm`, a gradient that holds NaN or infinity; nothing is changed.

    Example:
        >>> from tinygrad_lr import nn, ones, optim
        >>> model = nn.Linear(10, 1)
        >>> step = compile_step(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01))
        >>> losses = [step(ones(4, 10), ones(4, 1)) for _ in range(3)]
        >>> losses[2] < losses[0]
        True
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"compile_step needs an optimizer of tinygrad_lr, got {type(optimizer).__name__}")
    for name, value in (("model", model), ("loss", loss)):
        if not callable(value):
            raise TypeError(f"{name} must be callable, got {type(value).__name__}")
    return CompiledStep(model, loss, optimizer, None if max_norm is None else checked_max_norm(max_norm))
