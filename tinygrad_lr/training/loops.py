"""The two loops of `fit` over the steps of an epoch: `EagerLoop` in Python, `CompiledLoop` as machine code.

Both draw the same batches, write the same rows of the history, and stop at the same step. Next: fitting.py.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import numpy as np

from tinygrad_lr import random
from tinygrad_lr.compiled import Runner, unrelated_loss
from tinygrad_lr.data.batches import DataLoader
from tinygrad_lr.engine.dtypes import ALLOWED
from tinygrad_lr.engine.tensor import Tensor
from tinygrad_lr.nn import Module
from tinygrad_lr.optim.around import Around

from .callbacks import Callbacks, Training
from .checkpoint import Checkpoint
from .history import History
from .norms import Norms
from .progress import Bar, Interruption, Lines
from .rates import Rates

__all__ = ["CompiledLoop", "Diverged", "EagerLoop", "FitState", "LoaderLike", "OptimizerLike"]


class Diverged(RuntimeError):
    """The loss became infinite or not a number. The step was not made: the parameters are those before it.

    Attributes:
        history: the rows of the steps that were made.
    """

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


class OptimizerLike(Protocol):
    """What `fit` calls of an optimizer: ours, or another one with these three."""

    @property
    def param_groups(self) -> Sequence[MutableMapping[str, Any]]: ...
    def step(self) -> object: ...
    def zero_grad(self) -> object: ...


class LoaderLike(Protocol):
    """What `fit` calls of a loader: a DataLoader, or any sequence of batches."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Sequence[Any]]: ...


@dataclass
class FitState(Training):
    """What a `fit` works on: the training as callbacks see it, and how it is shown and stopped.

    Attributes:
        between: whether something belongs to the end of an epoch, after its steps: a line, a loss, or a callback.
        skips: whether steps whose gradients are not finite are passed over; making a step then gives a `StepReport`.
        norms: measures the last step of each epoch, or of some; None: nothing is measured.
    """

    rates: Rates = field(kw_only=True)
    ctrl_c: Interruption = field(kw_only=True)
    bar: Bar = field(default_factory=Lines)
    checkpoint: Checkpoint | None = None
    calls: Callbacks = field(default_factory=lambda: Callbacks([]))
    between: bool = False
    skips: bool = False
    norms: Norms | None = None

    @property
    def is_over(self) -> bool:
        """Whether a signal or a callback ends the training."""
        return self.ctrl_c.wanted or self.calls.stopped is not None

    def after_step(self) -> bool:
        """Call the callbacks that follow a step; returns whether the training shall end."""
        closed = not (self.between and self.step % self.rates.steps_in_epoch == 0)
        return self.calls.after_step(self, closed)

    def check_unchanged(self) -> None:
        """Raise where a callback changed the number of batches or of groups, on which history and schedule rest."""
        steps, groups = self.steps_in_epoch, len(self.optimizer.param_groups)
        if steps != self.rates.steps_in_epoch:
            what = "batches" if self.accumulate == 1 else f"steps of {self.accumulate} batches"
            raise ValueError(
                f"the loader has {steps} {what} in an epoch and had {self.rates.steps_in_epoch} when fit began, by "
                "which steps and epochs are counted; train in several fits, each with its own loader and history"
            )
        if groups != len(self.history.groups):
            raise ValueError(
                f"the optimizer has {groups} groups and had {len(self.history.groups)} when fit began, for whose rates "
                "the history has a column each; add groups between fits"
            )

    def room(self) -> int:
        """How many steps may be made before a callback, a checkpoint or a measurement is due, at least 1."""
        if self.calls.steps:
            return 1
        between = 0 if self.norms is None else self.norms.every * self.rates.steps_in_epoch
        room = between - self.step % between if between else sys.maxsize
        return room if self.checkpoint is None else min(room, self.checkpoint.room())

    def measured(self, steps: int) -> Norms | None:
        """What measures the last of the next steps, where that is to be measured."""
        found = self.norms
        is_due = found is not None and (self.step + steps) % (found.every * self.rates.steps_in_epoch) == 0
        return found if is_due else None

    def into_training_mode(self) -> None:
        """Call the model's `train()`, where it has one."""
        if hasattr(self.model, "train"):
            self.model.train()

    def diverged(self, epoch: int, rates: tuple[float, ...], loss: float) -> Diverged:
        """The error for a loss that is no finite number."""
        shown = ", ".join(f"{rate:g}" for rate in rates)
        return Diverged(
            f"the loss became {loss} at step {len(self.history)} (epoch {epoch + 1}), with learning rate {shown}; "
            "training stopped before that step. Take a smaller learning rate or a longer warm-up, and look for extreme "
            "values in the data",
            self.history,
        )

    def diverged_by_norm(self, epoch: int, error: FloatingPointError) -> Diverged:
        """The error for gradients that cannot be clipped."""
        return Diverged(f"at step {len(self.history)} (epoch {epoch + 1}): {error}", self.history)


class EagerLoop:
    """Runs the steps in Python; `make_step` updates the parameters."""

    def __init__(self, training: FitState, make_step: Callable[..., Any]) -> None:
        self.training, self.make_step = training, make_step
        self.is_related = False  # whether a step has shown that the loss depends on a parameter of the optimizer

    def user_code_ran(self) -> None:
        """Do nothing: every step calls the model, so nothing can have become stale."""

    def finish(self) -> None:
        """Nothing is kept for the next training."""

    def run(self, epoch: int, last: int, done: int) -> None:
        """Run the epochs from `epoch` up to `last`, without the first `done` steps."""
        while epoch < last and not self.training.is_over:
            self._epoch(self._steps(epoch, done), epoch, self._rates(epoch, done))
            epoch, done = epoch + 1, 0
            announced = self.training.rates.steps_in_epoch
            if len(self.training.history) < epoch * announced and not self.training.is_over:
                raise self._too_few()

    def _steps(self, epoch: int, done: int) -> Iterator[list[Any]]:
        """The batches of each step from `done` on."""
        every = self.training.accumulate
        batches = islice(self._batches(epoch), done * every, None)
        if every == 1:
            yield from ([batch] for batch in batches)
            return
        left = len(self.training.loader) - done * every
        while left > 0:
            some = list(islice(batches, min(every, left)))
            if len(some) < min(every, left):
                raise self._too_few()
            left -= len(some)
            yield some

    def _too_few(self) -> ValueError:
        return ValueError(f"the loader announced {len(self.training.loader)} batches and gave fewer")

    def _batches(self, epoch: int) -> Iterator[Any]:
        loader = self.training.loader
        if isinstance(loader, DataLoader):
            loader.epoch = epoch
        return iter(loader) if type(loader) is DataLoader else map(_with_tensors, loader)

    def _rates(self, epoch: int, done: int) -> Iterator[tuple[float, ...]]:
        """The rates of the steps from `done` on. Each is looked up before its step where a callback may change it."""
        rates = self.training.rates
        if not self.training.calls.steps:
            return map(tuple, rates.of(epoch)[done:].tolist())
        return (tuple(rates.of(epoch)[place].tolist()) for place in range(done, rates.steps_in_epoch))

    def _epoch(self, steps: Iterator[list[Any]], epoch: int, rates: Iterator[tuple[float, ...]]) -> None:
        t = self.training
        called = bool(t.calls.steps or t.calls.watchers)
        with_closure = isinstance(t.optimizer, Around) and t.optimizer.needs_closure
        groups = t.optimizer.param_groups
        is_dict = all(isinstance(group, dict) for group in groups)
        write: Callable[[Any, str, float], object] = dict.__setitem__ if is_dict else operator.setitem
        t.into_training_mode()
        # the loss tells, and where steps are skipped the gradient does
        with np.errstate(over="ignore", invalid="ignore", divide="ignore" if t.skips else None):
            for batches, step_rates in zip(steps, rates, strict=False):
                for group, rate in zip(groups, step_rates, strict=True):
                    write(group, "lr", rate)  # checked by Rates
                if (norms := t.measured(1)) is not None:
                    norms.before()
                if with_closure:
                    number, samples = self._step_with_closure(batches, epoch, step_rates)
                else:
                    t.optimizer.zero_grad()
                    number, samples = self._gradients(batches, epoch, step_rates)
                    if not self.is_related:
                        self._check_related(groups)
                    try:
                        self._note(self.make_step())
                    except FloatingPointError as error:
                        raise t.diverged_by_norm(epoch, error) from error
                t.history.append(epoch, step_rates, number, samples=samples)
                if norms is not None:
                    norms.after(t.history)
                t.bar.update()
                if called and self._callbacks():
                    return
                if t.ctrl_c.wanted:
                    return
                if t.checkpoint is not None:
                    t.checkpoint.look()

    def _note(self, said: Any) -> None:
        """Remember a step that was passed over."""
        if self.training.skips and not said.applied:
            self.training.history.skipped.append(len(self.training.history))

    def _step_with_closure(self, batches: list[Any], epoch: int, rates: tuple[float, ...]) -> tuple[float, int]:
        """Make a step of an optimizer that asks for gradients itself; returns the first loss and number of samples."""
        t, found = self.training, []

        def closure() -> float:
            t.optimizer.zero_grad()
            found.append(self._gradients(batches, epoch, rates))
            if not self.is_related:
                self._check_related(t.optimizer.param_groups)
            return found[-1][0]

        try:
            self._note(self.make_step(closure))
        except FloatingPointError as error:
            raise t.diverged_by_norm(epoch, error) from error
        return found[0]

    def _backward(self, batch: Any, epoch: int, rates: tuple[float, ...], share: float | None) -> float:
        """Add the gradients of a batch, times its share of the step; returns its loss."""
        t = self.training
        *inputs, target = batch
        value = t.loss(t.model(*inputs), target)
        if not isinstance(value, Tensor):
            raise TypeError(f"the loss must give a Tensor with one element, got {type(value).__name__}")
        if value._data.size != 1:
            raise ValueError(
                f"the loss must give a Tensor with one element, got shape {value.shape}; reduce it, e.g. with .mean()"
            )
        number = float(value.item())
        if not math.isfinite(number):
            raise t.diverged(epoch, rates, number)
        if not value.requires_grad:
            raise unrelated_loss()
        value.backward(None if share is None else np.full(value.shape, share, value.dtype))
        return number

    def _gradients(self, batches: list[Any], epoch: int, rates: tuple[float, ...]) -> tuple[float, int]:
        """Add the gradients of the batches as those of one; returns its loss and its number of samples."""
        if len(batches) == 1:
            return self._backward(batches[0], epoch, rates, None), _samples(batches[0][-1])
        counts = [_samples(batch[-1]) for batch in batches]
        whole = sum(counts) or 1
        is_sum = getattr(self.training.loss, "reduction", "mean") == "sum"
        shares = [1.0 if is_sum else count / whole for count in counts]
        losses = [self._backward(batch, epoch, rates, share) for batch, share in zip(batches, shares, strict=True)]
        return sum(share * loss for share, loss in zip(shares, losses, strict=True)), sum(counts)

    def _callbacks(self) -> bool:
        """Call the callbacks that follow a step; returns whether the training shall end."""
        t = self.training
        stopped = t.after_step()
        if t.calls.steps:
            t.check_unchanged()
            t.into_training_mode()
        return stopped

    def _check_related(self, groups: Sequence[Mapping[str, Any]]) -> None:
        """Raise where no parameter of the optimizer has a gradient; an optimizer without lists of Tensors may do so."""
        params = [each for group in groups for each in group.get("params", ())]
        ours = bool(params) and all(isinstance(each, Tensor) for each in params)
        if ours and all(each.grad is None for each in params):
            raise unrelated_loss()
        self.is_related = True


def _samples(target: Any) -> int:
    """The number of samples in a batch: the length of its target's first axis, or 1 where it has none."""
    shape = getattr(target, "shape", ())
    return shape[0] if shape else 1


def _with_tensors(batch: Iterable[Any]) -> list[Any]:
    """A batch with Tensors in place of NumPy arrays.

    Raises:
        TypeError: it has no order (a set), or its entries are no inputs and target (a dict's keys, an array's rows).
    """
    if isinstance(batch, (set, frozenset, Mapping, str, bytes, Tensor, np.ndarray)):
        raise TypeError(
            f"a batch is a tuple or list of inputs whose last entry is the target, got {type(batch).__name__}; "
            "let the loader give (inputs, target)"
        )
    return [Tensor(x) if isinstance(x, np.ndarray) and x.dtype in ALLOWED else x for x in batch]


class CompiledLoop:
    """Runs the steps as machine code, which is compiled when this is made. Errors: those of `compiled.Runner`."""

    def __init__(self, training: FitState, max_norm: float | None) -> None:
        training.into_training_mode()
        self.training, model = training, training.model
        modules = list(model.modules()) if isinstance(model, Module) else []
        plain = bool(modules) and all(type(m).train is Module.train and "train" not in vars(m) for m in modules)
        self.own_train = hasattr(model, "train") and not plain  # it is called for every epoch, and may do anything
        self.in_training_mode = True
        self.runner = Runner.again(training.model, training.loss, training.optimizer, training.loader, max_norm)
        assert isinstance(training.loader, DataLoader)  # Runner refuses others
        self.loader = training.loader
        per_epoch, size, samples = len(self.loader), self.loader.batch_size, len(self.loader.dataset)
        self.samples = np.minimum(size, samples - size * np.arange(per_epoch))  # in each batch of an epoch

    def user_code_ran(self) -> None:
        """Trace the model again before the next step, because a callback may have changed it."""
        self.runner.doubt()

    def finish(self) -> None:
        """Let the next training of this optimizer have the compiled step, where nothing has changed until then."""
        self.runner.keep()

    def run(self, epoch: int, last: int, done: int) -> None:
        """Run the epochs from `epoch` up to `last`, without the first `done` steps.

        One call of machine code runs whole epochs, as many as take about 50 ms, or a part of one.
        """
        per_epoch = self.training.rates.steps_in_epoch
        while epoch < last and not self.training.is_over:
            if not self.in_training_mode:
                self.training.into_training_mode()
                if self.own_train:
                    self.user_code_ran()
            self.in_training_mode = False  # a callback may change it
            at_once = min(self.runner.at_once, self.training.room())
            several = (
                1 if self.own_train or self.training.calls.steps else min(last - epoch, max(1, at_once // per_epoch))
            )
            self._some(epoch, several, done)
            epoch, done = epoch + several, 0

    def _some(self, epoch: int, several: int, done: int) -> None:
        """Run some epochs whose orders are drawn at once.

        Where they end early, loader and generator are left as if only the orders of epochs that were begun had been
        drawn.
        """
        t, per_epoch = self.training, self.training.rates.steps_in_epoch
        before, begun = random.get_state(), done  # steps
        key = self.loader._begun  # where a checkpoint was restored in the middle of an epoch
        try:
            keys = self.loader.keys(epoch, several)
            self.loader.epoch = epoch + several
            table = t.rates.of(epoch, several)
            while done < len(table) and not t.is_over:
                if t.calls.steps and done:
                    table = t.rates.of(epoch)  # a callback may have changed them
                step_rates = table[done : done + min(self.runner.at_once, t.room())]
                norms = t.measured(len(step_rates))
                losses, made = self.runner.run(keys, done, step_rates, None if norms is None else norms.before)
                epochs, places = np.divmod(np.arange(done, done + made), per_epoch)
                t.history.extend(epoch + epochs, self.samples[places], step_rates[:made], losses[:made])
                if norms is not None and made == len(step_rates):
                    norms.after(t.history)
                t.bar.update(made)
                done = begun = done + made
                if made < len(step_rates):
                    begun += 1
                    if math.isnan(losses[made]):
                        self.runner.check_loss(done)
                    raise self._diverged(epoch + done // per_epoch, step_rates[made], losses[made])
                if several == 1 or done == len(table):
                    if t.calls.steps or t.calls.watchers:
                        self._callbacks()
                    if t.checkpoint is not None:
                        t.checkpoint.look()
        finally:
            if begun < several * per_epoch:
                self.loader._begun = key
                self._draw_again(before, epoch, -(-begun // per_epoch), several)

    def _callbacks(self) -> None:
        """Call the callbacks that follow a step."""
        t = self.training
        t.after_step()
        if t.calls.steps:
            t.check_unchanged()
            t.into_training_mode()
            self.user_code_ran()

    def _diverged(self, epoch: int, rates: np.ndarray, loss: float) -> Diverged:
        """The error for a step that machine code did not make: of its loss, or of its gradients."""
        if math.isfinite(loss):
            try:
                self.runner.check_gradients()
            except FloatingPointError as error:
                return self.training.diverged_by_norm(epoch, error)
        return self.training.diverged(epoch, tuple(rates.tolist()), float(loss))

    def _draw_again(self, before: dict[str, Any], epoch: int, begun: int, drawn: int) -> None:
        """Leave loader and generator as if the orders of `begun` epochs had been drawn, and not of `drawn`."""
        self.loader.epoch = epoch + begun
        if begun < drawn and self.loader.shuffle and self.loader.seed is None:
            random.set_state({**before, "masks": random.get_state()["masks"]})
            self.loader.keys(epoch, begun)
