"""Runner: a compiled step of a model, a loss, an optimizer and batches, and the runs of its machine code.

Next: step.py (a single step), and training/loops.py, which calls `Runner.run`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any

import numpy as np

from tinygrad_lr import backend, random
from tinygrad_lr.data.batches import DataLoader
from tinygrad_lr.engine.recording import no_grad, switch
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.optim import Optimizer
from tinygrad_lr.optim.clipping import checked_max_norm, unit_of
from tinygrad_lr.optim.optimizer import KEPT_AS

from .batches import Batches, HeldBatch, LoaderBatches
from .fingerprint import Fingerprint, fingerprint
from .generated import load
from .lowering import Lowering, Steps
from .refusal import REMEDY, CannotCompile
from .source import write
from .tracing import Function, Trace, difference, trace, trace_once
from .updates import Updates

Loader = DataLoader | HeldBatch

AT_ONCE = 0.05  # seconds of machine code between two looks at Ctrl-C
MOST_AT_ONCE = 32_768
CHECKED = ("nll_loss",)  # ops whose forward refuses values, where machine code gives NaN
_seconds: dict[str, float] = {}  # by the text of a file: what its last steps took, 0 after the first run

__all__ = ["Runner"]


class Runner:
    """Makes steps of `optimizer` on the batches of `loader` in machine code; `max_norm` as for `Optimizer.step`.

    The model is traced in the mode that it is in.

    Raises:
        CannotCompile: an op has no compiled form, the model, the loader or the optimizer does something in Python that
            machine code would not do, or the model lies on a GPU.
        TypeError: not an Optimizer of tinygrad_lr, or not its DataLoader.
        RuntimeError: Numba is switched off (TINYGRAD_LR_BACKEND=numpy).
    """

    def __init__(
        self, model: Function, loss: Function, optimizer: Optimizer, loader: Loader, max_norm: float | None = None
    ) -> None:
        self._take(model, loss, optimizer, loader, max_norm)
        self._doubtful = False
        self._compile()

    def _take(
        self, model: Function, loss: Function, optimizer: Optimizer, loader: Loader, max_norm: float | None
    ) -> None:
        """Check and keep what the steps are made of."""
        self.updates = Updates(optimizer)
        if not isinstance(loader, (DataLoader, HeldBatch)):
            raise TypeError(f"compiled training needs a DataLoader, got {type(loader).__name__}")
        if backend.get() != "numba":
            raise RuntimeError(f"compiled training needs Numba; the backend is numpy ({backend.reason()}). {REMEDY}")
        self.given = loader if isinstance(loader, HeldBatch) else LoaderBatches(loader)
        self.model, self.loss = model, loss
        self.max_norm = None if max_norm is None else checked_max_norm(max_norm)

    # --- one runner for several trainings -----------------------------------------------------------------------------

    @classmethod
    def again(
        cls, model: Function, loss: Function, optimizer: Any, loader: Any, max_norm: float | None = None
    ) -> Runner:
        """Return the runner that `optimizer` keeps, or a new one if it keeps none.

        It is recompiled if anything changed since. The optimizer keeps it no longer, until `keep` is called: a training
        inside another one gets a runner of its own, and after an error none is left.
        """
        found: Runner | None = vars(optimizer).pop(KEPT_AS, None) if isinstance(optimizer, Optimizer) else None
        if found is None:
            return cls(model, loss, optimizer, loader, max_norm)
        found._take(model, loss, optimizer, loader, max_norm)
        found.doubt()
        found._compile_if_changed()
        return found

    def keep(self) -> None:
        """Let the optimizer keep this runner, for `again`. Its buffers and the dataset then live as long as that.

        The runner cannot run until then: it does not keep the optimizer, which would be a circle.
        """
        vars(self.updates.optimizer)[KEPT_AS] = self
        del self.updates

    # --- compiling ----------------------------------------------------------------------------------------------------

    def _compile(self) -> None:
        """Trace, lower, write and load."""
        for segment in self.updates.segments:
            segment.make_contiguous()
        batches = self.given.batches()
        traces = [self._traced(arrays) for _, _, arrays in batches.kinds]
        steps = _lowered(traces, batches)
        trained = steps[0].trained
        bound = self.updates.bind(trained)
        program = write(
            steps,
            batches.tables,
            batches.order,
            [each.update for each in bound],
            self._about(batches),
            shuffles=batches.shuffles,
            clips=self.max_norm is not None,
        )
        self._run = load(program.text).run
        self.batches, self.traces, self.trained, self.bound, self.program = batches, traces, trained, bound, program
        self.changing = frozenset(map(id, self.updates.trained))
        leaves = {id(leaf.tensor): leaf.tensor for each in traces for leaf in each.leaves}
        self.constants = [tensor for key, tensor in leaves.items() if tensor is not None and key not in self.changing]
        self._made_for, self._doubtful = _Signature(self), False

    def _traced(self, arrays: Sequence[np.ndarray]) -> Trace:
        names = self.updates.optimizer._names
        with self._as_before_a_step():
            return trace(
                self.model, self.loss, self.updates.trained, arrays, names=names, at_another_step=self._at_another_step
            )

    @contextmanager
    def _as_before_a_step(self) -> Iterator[None]:
        """No parameter has a gradient, as in an eager step. Raises if optimizer or loader were changed inside."""
        before = {**self.updates.settings(), **self.given.settings()}
        with self.updates.without_gradients():
            yield
        after = {**self.updates.settings(), **self.given.settings()}
        changed = [name for name, value in after.items() if name not in before or before[name] != value]
        if changed:
            raise CannotCompile(f"the model or the loss changes what trains it ({changed[0]}); do that between epochs")

    def _at_another_step(self) -> ExitStack:
        """For a while the rates, the counts of steps and the loader's epoch are those of another step."""
        stack = ExitStack()
        stack.enter_context(self.updates.at_another_step())
        stack.enter_context(self.given.at_another_step())
        return stack

    def _about(self, batches: Batches) -> str:
        model, loss, optimizer = (type(each).__name__ for each in (self.model, self.loss, self.updates.optimizer))
        return f"Steps of {optimizer} on {model} and {loss}, {batches.about}."

    # --- what it was compiled for -------------------------------------------------------------------------------------

    def doubt(self) -> None:
        """Note that code of the user's ran. The next run traces once more and compares, unless the fingerprint is
        complete and shows every change."""
        self._doubtful = True

    def _compile_if_changed(self) -> None:
        signature = _Signature(self)
        look = self._doubtful and not signature.fingerprint.complete
        if signature == self._made_for and not (look and self._traces_otherwise(signature)):
            self._doubtful = False
        else:
            self._compile()

    def _traces_otherwise(self, signature: _Signature) -> bool:
        with self._as_before_a_step():
            batches = [arrays for _, _, arrays in self.batches.kinds]
            again = [trace_once(self.model, self.loss, self.updates.trained, arrays) for arrays in batches]
        differ = any(difference(one, other) for one, other in zip(self.traces, again, strict=True))
        return differ or _Signature(self) != signature

    # --- running ------------------------------------------------------------------------------------------------------

    def run(
        self, keys: np.ndarray, first: int, rates: np.ndarray, before_last: Callable[[], object] | None = None
    ) -> tuple[np.ndarray, int]:
        """Make steps. Returns their losses, float64, and how many were made.

        Args:
            keys: a key for the order of each epoch (`DataLoader.keys`).
            first: the first step, counted from the start of the first of these epochs.
            rates: the learning rate of every step for each group, float64, shape (steps, groups).
            before_last: called before the last of these steps, if it comes to it. It may only look.

        If fewer steps were made than asked for, there is one more loss, that of the step that failed: the loss is not
        finite, or the norm of the gradients is not (`check_gradients` says where).

        Raises:
            ValueError: there are too few keys for the steps.
            CannotCompile: model, loss, optimizer or loader were changed and cannot be compiled now.
        """
        with self.updates.optimizer._lock:
            return self._run_locked(keys, first, rates, before_last)

    def _run_locked(
        self, keys: np.ndarray, first: int, rates: np.ndarray, before_last: Callable[[], object] | None
    ) -> tuple[np.ndarray, int]:
        count = len(rates)
        self.updates.refuse_hooks()
        self._compile_if_changed()
        in_epoch = self.batches.in_epoch
        if first + count > len(keys) * in_epoch:
            raise ValueError(f"{len(keys)} epochs of {in_epoch} steps end before step {first + count}; give more keys")
        self.given.refresh(self.batches)
        masks = self.traces[0].masks
        clips = [] if self.max_norm is None else [self.max_norm, self._unit()]
        losses = np.empty(count)
        with np.errstate(all="ignore"):
            scalars = self.updates.scalars(self.bound, rates)
            drawn = [random.mask_keys(count * masks).reshape(count, masks)] if masks else []

            def run(low: int, high: int) -> int:
                of_steps = [each[low:high] for each in drawn]
                # of the scalars, those that differ from step to step alternate with those that stay
                moving = [each if number % 2 else each[low:high] for number, each in enumerate(scalars)]
                about = [first + low, in_epoch, *of_steps, *clips, *moving]
                return int(self._run(keys, losses[low:high], *about, *self.program.arrays))

            began = perf_counter()
            made = run(0, count if before_last is None else count - 1)
            if before_last is not None and made == count - 1:
                before_last()
                made += run(count - 1, count)
            self._time(max(perf_counter() - began, 1e-9) / count)
        random.give_back_masks(max(0, count - made - 1) * masks)  # a step that failed has drawn its own
        finite = made == count or math.isfinite(losses[made])
        self.updates.made(self.bound, made, rates[min(made, count - 1)], self.trained if finite else [])
        return losses[: made + 1], made

    def _unit(self) -> float:
        """The unit of rounding of the gradients, for clipping."""
        return unit_of([each.update.arrays[1][1] for each in self.bound])

    def check_loss(self, step: int) -> None:
        """Raise what the eager loss raises for the batch of a step whose loss is NaN: machine code raises nothing.

        Args:
            step: counted from the start of the first of the epochs that were run last.
        """
        if not any(use.op.name in CHECKED for each in self.traces for use in each.uses):
            return
        place = step % self.batches.in_epoch
        start, last = place * self.batches.kinds[0][1], place == self.batches.in_epoch - 1
        _, rows, like = self.batches.kinds[-1 if last else 0]
        taken = self.batches.order[start : start + rows]
        batch = [table[taken].reshape(one.shape) for table, one in zip(self.batches.tables, like, strict=True)]
        with no_grad(), np.errstate(all="ignore"):
            *inputs, target = [Tensor(array) for array in batch]
            random.give_back_masks(self.traces[0].masks)  # the step drew them, and draws them again
            self.loss(self.model(*inputs), target)

    def check_gradients(self) -> None:
        """Raise what `Optimizer.step(max_norm=...)` raises for the gradients as they are."""
        if self.max_norm is not None:
            self.updates.optimizer._clipping(self.max_norm)

    def _time(self, seconds: float) -> None:
        text = self.program.text  # the time of a file's first run includes compiling
        _seconds[text] = seconds if text in _seconds else 0.0

    @property
    def at_once(self) -> int:
        """How many steps the next call may make: about 50 ms of them, or one if their time is unknown."""
        seconds = _seconds.get(self.program.text)
        return int(min(max(AT_ONCE / seconds, 1), MOST_AT_ONCE)) if seconds else 1

    @property
    def source(self) -> str:
        """The text of the generated file."""
        return self.program.text


def _lowered(traces: Sequence[Trace], batches: Batches) -> list[Steps]:
    """The calls of a step for each kind of batch."""
    each = [Lowering(one, prefix, rows=rows) for one, (prefix, rows, _) in zip(traces, batches.kinds, strict=True)]
    steps = [one.lower() for one in each]
    trained = steps[0].trained
    if any(set(map(id, one.trained)) != set(map(id, trained)) for one in steps):
        raise CannotCompile("the short last batch trains other parameters than the full ones; use drop_last=True")
    if len({one.masks for one in steps}) > 1:
        raise CannotCompile("the short last batch draws another number of dropout masks; use drop_last=True")
    if any(np.may_share_memory(p._data, table) for p in trained for table in batches.tables):
        raise CannotCompile("a tensor of the dataset is a trained parameter; give the dataset a copy of it")
    if any(one.wants_blas and not one.blas for one in each):
        warnings.warn(
            "large matrix products run as loops, because SciPy, whose BLAS Numba calls, is not installed: "
            "`pip install scipy` makes them up to twice as fast",
            RuntimeWarning,
            stacklevel=4,
        )
    return steps


class _Signature:
    """What a program depends on: the optimizer, the batches, the constants, and the fingerprint of model and loss.

    A runner compares it before every run.
    """

    def __init__(self, runner: Runner) -> None:
        arrays, states, *rest = runner.updates.signature()
        tables, *more = runner.given.signature()
        # arrays are compared by id, and kept, so that no id is used again
        self.kept = [*arrays, *states, *tables, *[tensor._data for tensor in runner.constants]]
        changes = [_changes(tensor) for tensor in runner.constants]
        modes = runner.max_norm is None, switch.recording
        self.entries = [list(map(id, self.kept)), rest, more, changes, modes]
        self.fingerprint: Fingerprint = fingerprint([runner.model, runner.loss], runner.changing)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, _Signature) and self.entries == other.entries
        return same and self.fingerprint == other.fingerprint  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]


def _changes(tensor: Any) -> tuple[int, int]:
    """How often the values of a constant were changed, also through the Tensor that it is a view of."""
    return tensor._version, 0 if tensor._base is None else tensor._base._version
