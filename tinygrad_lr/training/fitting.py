"""fit(): the article's training loop, with a history of every step, a progress bar, and a clean end on Ctrl-C.

The learning rate of a step is the group's base rate times `schedule(step)`. It is set before that step: the article's
first way, `group['lr'] = batch_lr`. A step needs the model, the optimizer and its own number, and nothing else, so a
run that was stopped can go on as if it had not been. data/batches.py makes the batches, loops.py the steps; history.py
is next.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.compiled import CannotCompile
from tinygrad_lr.data.batches import TensorDataset
from tinygrad_lr.engine.recording import no_grad
from tinygrad_lr.integers import shown, whole_number
from tinygrad_lr.nn import Module
from tinygrad_lr.optim import Optimizer
from tinygrad_lr.optim.around import Around
from tinygrad_lr.optim.clipping import checked_max_norm
from tinygrad_lr.schedules import Schedule

from .callbacks import Callbacks, Stop
from .checkpoint import Checkpoint
from .history import History
from .loops import CompiledLoop, Diverged, EagerLoop, FitState, LoaderLike, OptimizerLike
from .norms import Norms
from .progress import STOPPING, Interruption, is_terminal, progress_bar
from .rates import Rates

__all__ = ["Diverged", "evaluate", "fit"]

MOST_STEPS = 2**53  # of a training: up to here, schedules count exactly


def fit(
    model: Callable[..., Any],
    loss: Callable[[Any, Any], Any],
    optimizer: OptimizerLike,
    loader: LoaderLike,
    *,
    epochs: int,
    schedule: Callable[[Any], Any] | None = None,
    held_out: TensorDataset | tuple[Any, Any] | None = None,
    resume: History | None = None,
    progress: bool | None = None,
    on_epoch: Callable[[int, History], object] | None = None,
    compiled: bool = False,
    max_norm: float | None = None,
    accumulate: int = 1,
    skip_nonfinite: bool = False,
    norms: bool | int = False,
    checkpoint: Checkpoint | None = None,
    callbacks: Sequence[Any] = (),
) -> History:
    """Train a model and return what happened at each step.

    Args:
        model: called with the inputs of a batch; a Module is put into training mode for the steps.
        loss: called with the model's output and the target; gives a Tensor with a single element.
        optimizer: updates the model's parameters; anything with `param_groups`, `step()` and `zero_grad()`. With `SAM`
            the loss of each batch is computed twice, the second time where it climbed to. Where it has `train()` and
            `eval()` (Schedule-Free), they are called, so that measurements, callbacks and the trained model have the
            parameters for predictions.
        loader: a DataLoader, or any sequence of batches (inputs, target); a batch is a tuple whose last entry is the
            target. Its `epoch` is set, so that epoch e has the same order however it was reached.
        epochs: how many epochs there are in all, at least 1, including those of `resume`.
        schedule: a schedule in steps, a function of one step that gives its factor, or None to leave the rates alone.
            The base rate of a group is its "initial_lr". At the first use it is set to the group's "lr" (as torch's
            schedulers do).
        held_out: (inputs, target) or a TensorDataset; its loss is measured after each epoch.
        resume: the history of an earlier `fit`. Training goes on at its next step, also in the middle of an epoch.
            Model and optimizer must be as they were at its end. Where the loader has a seed, or does not shuffle, the
            outcome equals that of a run never stopped, bit for bit. With Dropout, `random.set_state` must have brought
            back the state that `random.get_state` gave then; a `Checkpoint` does so.
        progress: True: a line for each epoch in the article's format, under a bar on a terminal. False: nothing.
            None: True on a terminal, else False.
        on_epoch: called with the number of each complete epoch, from 0, and the history so far. It may return `STOP`.
        compiled: run the steps as machine code. Batches are the same; numbers differ by the rounding of sums only (see
            `tinygrad_lr.compiled`). This needs a DataLoader, on the CPU. Ctrl-C is heard about every 50 ms. Parameters
            outside the optimizer get no `.grad`. What `on_epoch` and `held_out` change takes effect. The optimizer
            keeps the compiled step, with its buffers and the dataset; the next call takes it if nothing changed.
        max_norm: clip the gradients of each step by their norm over all parameters (see `optim.clip_grad_norm_`). This
            needs an optimizer of tinygrad_lr. None: no clipping.
        accumulate: how many batches make a step: their gradients are added, and update, schedule and history count one
            step. The loss of a batch of n samples among N is weighted by n / N, so that the step is that of one batch
            of N samples, also where the last batch is short: bit for bit where no sum rounds, and otherwise within what
            rounding allows to another order of sums (tests/training/test_accumulation.py derives the bound).
            This holds for losses that are a mean over samples; a loss whose `reduction` is "sum" is added as it is.
            Dropout draws a mask for each batch. It saves memory, and no time: where memory suffices, and in compiled
            training, take a larger `batch_size`.
        skip_nonfinite: where a gradient is not finite and the loss is, make no step and go on; `history.skipped` has
            these steps. This needs an optimizer of tinygrad_lr, and is not compiled. A loss that is not finite still
            ends the training.
        norms: measure the last step of each epoch: the history then has the norm of its gradient, before clipping, and
            for each group the norm of its update over that of the weights before it. A number: of so many epochs the
            last one is measured. This needs an optimizer of tinygrad_lr. A history to resume must have been made with
            the same choice.
        checkpoint: a `Checkpoint`, which keeps the training on disk as it goes. SIGTERM and SIGHUP then end it as
            Ctrl-C does: a last checkpoint is written, and the signal takes its course afterwards. It may also stand
            among the callbacks.
        callbacks: a list of callbacks, such as `EarlyStopping(patience=10)`; see `Callback`.

    Returns:
        The history. After Ctrl-C it ends with the step that was under way, `history.interrupted` is true, and the
        model and the optimizer are as that step left them. (A second Ctrl-C does not wait for the step.) Where a
        callback ended the training, `history.stopped` says why.

    Raises:
        Diverged: the loss of a batch is infinite or not a number; with `max_norm`, also a gradient.
        TypeError, ValueError: an argument that cannot be used, or a loss that depends on no parameter of the
            optimizer; nothing was trained.
        CannotCompile: with `compiled`, a model that cannot be; the message says which op and why.
        OSError: another process writes into the checkpoint's folder, or it cannot be made.

    Warns:
        UserWarning: every rate is 0, or the schedule ends at 0 long before the training does, as one does that counts
            epochs.

    Example:
        >>> from tinygrad_lr import manual_seed, nn, optim, randn, schedules
        >>> from tinygrad_lr.data import DataLoader
        >>> _ = manual_seed(0)
        >>> inputs = randn(100, 10)
        >>> target = (inputs.detach() * 0.5).sum(1).reshape(100, 1)
        >>> loader = DataLoader(TensorDataset(inputs, target), batch_size=10, shuffle=True, seed=0)
        >>> model = nn.Linear(10, 1)
        >>> optimizer = optim.Adam(model.parameters(), lr=0.05)
        >>> schedule = schedules.warmup(50).then(schedules.polynomial(150))
        >>> history = fit(model, nn.MSELoss(), optimizer, loader, epochs=20, schedule=schedule)
        >>> history, bool(history.loss[-1] < 0.01 * history.loss[0])
        (History(200 steps, 20 epochs), True)
    """
    compiled = true_or_false("compiled", compiled)
    lines = is_terminal() if progress is None else true_or_false("progress", progress)
    accumulate = whole_number("accumulate", accumulate, least=1)
    steps_in_epoch = _check(model, loss, optimizer, loader, epochs, schedule, on_epoch, accumulate)
    if compiled and accumulate > 1:
        raise CannotCompile(
            f"accumulate={accumulate} adds the gradients of several batches, and a compiled step has one; give the "
            f"DataLoader a batch_size {accumulate} times as large, which makes the same steps"
        )
    held_out = _held_out(held_out)
    checkpoint, calls = _callbacks(checkpoint, callbacks)
    skip_nonfinite = true_or_false("skip_nonfinite", skip_nonfinite)
    if compiled and skip_nonfinite:
        raise CannotCompile("skip_nonfinite looks at the gradients before each update, and machine code does not")
    make_step = _step_of(optimizer, max_norm, skip_nonfinite)
    groups = optimizer.param_groups
    measures = _norms(optimizer, norms, resume)
    history = _start(resume, [str(group.get("name", i)) for i, group in enumerate(groups)], measures is not None)
    history.steps_in_epoch = steps_in_epoch
    rates = Rates(schedule, groups, steps_in_epoch, epochs)
    rates.warn_of_zeros(len(history))
    with Interruption(*(STOPPING if checkpoint is not None else ())) as stop:
        training = FitState(model, loss, optimizer, loader, history, epochs, held_out, rates=rates, ctrl_c=stop)
        training.accumulate, training.skips = accumulate, skip_nonfinite
        training.checkpoint, training.calls, training.norms = checkpoint, calls, measures
        training.between = lines or on_epoch is not None or held_out is not None or calls.between
        try:
            with _kept(training, schedule, compiled, max_norm):
                calls.begin(training)
                _switch(optimizer, "train")
                loop = CompiledLoop(training, max_norm) if compiled else EagerLoop(training, make_step)
                with progress_bar(lines, steps_in_epoch * epochs, len(history)) as training.bar:
                    _epochs(training, loop, lines, on_epoch)
            history.stopped = calls.stopped
            history.interrupted = calls.stopped is None and len(history) < steps_in_epoch * epochs
            training.ended = "stopped" if history.stopped else "interrupted" if history.interrupted else "complete"
        finally:
            training.ended = training.ended or "failed"
            _switch(optimizer, "eval")
            calls.end(training)
    _pass_on(stop)
    return history


def _callbacks(checkpoint: Checkpoint | None, given: object) -> tuple[Checkpoint | None, Callbacks]:
    """The checkpoint, which may stand among the callbacks, and the others. It is written when they were called."""
    calls = Callbacks(given, besides=Checkpoint)
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        raise TypeError(f"checkpoint must be a training.Checkpoint, got {type(checkpoint).__name__}")
    found = [*([] if checkpoint is None else [checkpoint]), *calls.besides]
    if len(found) > 1:
        raise ValueError("fit was given two checkpoints; one keeps a training: leave the other out")
    return (found[0] if found else None), calls


@contextmanager
def _kept(training: FitState, schedule: object, compiled: bool, max_norm: float | None) -> Iterator[None]:
    """Run a training with its checkpoint, where it has one; KeyboardInterrupt ends it here.

    Args:
        schedule, compiled, max_norm: as `fit` has them; a run that goes on must have the same.
    """
    checkpoint, calls = training.checkpoint, training.calls
    if checkpoint is not None:
        ours = schedule is None or isinstance(schedule, Schedule)  # the text of another function holds its address
        shown = repr(schedule) if ours else getattr(schedule, "__qualname__", type(schedule).__name__)
        settings = {"schedule": shown, "compiled": bool(compiled), "max_norm": max_norm}
        settings |= {"accumulate": training.accumulate, "skip_nonfinite": training.skips}
        settings |= {"norms": 0 if training.norms is None else training.norms.every}
        about = training.model, training.optimizer, training.loader, training.history
        checkpoint.begin(*about, training.between, settings, calls, training.steps_in_epoch)
    try:
        yield
    except KeyboardInterrupt:  # perhaps in the middle of a step
        if checkpoint is not None:
            checkpoint.end(exact=False)
    except BaseException:
        if checkpoint is not None:
            checkpoint.close()
        raise
    else:
        if checkpoint is not None:
            checkpoint.end()


def _pass_on(stop: Interruption) -> None:
    """Let a signal that is no Ctrl-C end the process now, if this `fit` took it from the system."""
    if stop.is_over and stop.received not in (None, signal.SIGINT):
        signal.raise_signal(stop.received)


def _epochs(
    training: FitState, loop: EagerLoop | CompiledLoop, lines: bool, on_epoch: Callable[[int, History], object] | None
) -> None:
    """Run the epochs that the history lacks; between them measure, print and call back."""
    history, steps_in_epoch, epochs = training.history, training.rates.steps_in_epoch, training.epochs
    together = 1 if training.between else epochs  # nothing to do between them
    epoch, done = divmod(len(history), steps_in_epoch)
    while epoch < epochs and not training.is_over:
        training.check_unchanged()
        last = min(epochs, epoch + together)
        loop.run(epoch, last, done)
        epoch, done = last, 0
        if len(history) < epoch * steps_in_epoch:  # Ctrl-C, or a callback
            break
        _switch(training.optimizer, "eval")
        measured = training.calls.measured(training)
        if training.held_out is not None:
            history.set_held_out(evaluate(measured, training.loss, training.held_out))
        if lines:
            training.bar.write(line(history))
        if on_epoch is not None and isinstance(said := on_epoch(epoch - 1, history), Stop):
            training.calls.note(said, "on_epoch", training)
        training.calls.after_epoch(training)
        _switch(training.optimizer, "train")
        if training.held_out is not None or on_epoch is not None or training.calls.between:
            loop.user_code_ran()
        if training.checkpoint is not None and together == 1:
            training.checkpoint.look(closed=True)
    loop.finish()


def _switch(optimizer: Any, mode: str) -> None:
    """Have the parameters for steps ("train") or for predictions ("eval"): `Optimizer.train` and `Optimizer.eval`."""
    method = getattr(optimizer, mode, None)
    if callable(method):
        method()


def evaluate(model: Callable[..., Any], loss: Callable[[Any, Any], Any], dataset: TensorDataset) -> float:
    """The loss over a whole dataset at once, in evaluation mode and without recording gradients.

    Afterwards the model and each of its modules are in the mode in which they were before.

    Example:
        >>> from tinygrad_lr import nn, tensor
        >>> doubled = TensorDataset(tensor([[1.0], [2.0]]), tensor([[2.0], [4.0]]))
        >>> evaluate(lambda inputs: inputs, nn.MSELoss(), doubled)
        2.5
    """
    module: Any = model
    modules = list(module.modules()) if isinstance(module, Module) else [module]
    modes = [(each, each.training) for each in modules if getattr(each, "training", None) is not None]
    if modes:
        module.eval()
    try:
        with no_grad(), np.errstate(over="ignore", invalid="ignore"):
            *inputs, target = dataset.tensors
            value = loss(model(*inputs), target)
            if not hasattr(value, "item"):
                raise TypeError(f"the loss must give a Tensor with one element, got {type(value).__name__}")
            return float(value.item())
    finally:
        _restore(modes)


def _restore(modes: Sequence[tuple[Any, bool]]) -> None:
    """Put modules into the modes they were in, after `eval`: by one call of `train`, then those in another mode."""
    if modes and modes[0][1]:
        modes[0][0].train()
    for module, mode in modes[1:]:
        module.training = mode


def in_line(number: float) -> str:
    """A loss or a rate as the article prints it, with six decimals; from 1e9 on with six of its significand.

    Example:
        >>> in_line(1.25), in_line(2.007461969861852e22)
        ('1.250000', '2.007462e+22')
    """
    return f"{number:.6e}" if 1e9 <= abs(number) < math.inf else f"{number:.6f}"


def line(history: History) -> str:
    """The line that the article prints after an epoch, for the epoch of the last row.

    The rate is that of the last step. The loss is the mean over the samples of the epoch; the article prints the last
    batch's.

    Example:
        >>> history = History()
        >>> history.append(0, (0.0017,), 1.0, samples=3)
        >>> history.append(0, (0.0018,), 2.0, samples=1)
        >>> line(history)
        'Epoch 1, Learning Rate: 0.001800, Loss Value: 1.250000'
    """
    rates = ", ".join(in_line(rate) for rate in history.last_rates())
    return f"Epoch {history[-1]['epoch'] + 1}, Learning Rate: {rates}, Loss Value: {in_line(history.last_mean())}"


def _step_of(optimizer: OptimizerLike, max_norm: float | None, skips: bool) -> Callable[..., Any]:
    """The function that makes a step of an optimizer, with or without clipping, and looking for what is not finite."""
    if max_norm is None and not skips:
        return optimizer.step
    if not isinstance(optimizer, (Optimizer, Around)) or optimizer.has_own_step:
        name, what = type(optimizer).__name__, "max_norm" if max_norm is not None else "skip_nonfinite"
        remedy = (
            "clip the gradients in its step (optim.clip_grad_norm_)" if max_norm is not None else "look at them there"
        )
        raise TypeError(
            f"{what} needs an optimizer of tinygrad_lr, which looks at the gradients in its step; {name} does not: "
            f"{remedy}, or leave {what} out"
        )
    limit = None if max_norm is None else checked_max_norm(max_norm)
    return partial(optimizer.step, max_norm=limit, skip_nonfinite=skips, report=skips)


def _norms(optimizer: OptimizerLike, wanted: object, resume: History | None) -> Norms | None:
    """What measures the last step of each epoch, or of some, where that is wanted."""
    every = int(wanted) if isinstance(wanted, (bool, np.bool_)) else whole_number("norms", wanted, least=1)
    if isinstance(resume, History) and resume.has_norms != bool(every):
        has = "has norms" if resume.has_norms else "has no norms"
        raise ValueError(f"the history to resume {has}; resume it with norms={resume.has_norms}")
    if not every:
        return None
    if not isinstance(optimizer, (Optimizer, Around)):
        name = type(optimizer).__name__
        raise TypeError(f"norms are measured of an optimizer of tinygrad_lr, got {name}; leave norms out")
    return Norms(optimizer, every)


def _start(resume: History | None, names: list[str], norms: bool) -> History:
    """A new history, or a copy of the one to resume."""
    if resume is None:
        return History(names if len(names) > 1 else ["all"], norms)
    if not isinstance(resume, History):
        raise TypeError(f"resume takes the History of an earlier fit, got {type(resume).__name__}")
    if len(resume.groups) != len(names):
        raise ValueError(f"the history to resume has {len(resume.groups)} groups, the optimizer has {len(names)}")
    history = resume.copy()
    history.stopped = None
    return history


def _check(
    model: object,
    loss: object,
    optimizer: object,
    loader: LoaderLike,
    epochs: object,
    schedule: object,
    on_epoch: object,
    accumulate: int,
) -> int:
    """The number of steps in an epoch; raises where an argument cannot be used."""
    for name, value in (("model", model), ("loss", loss), ("schedule", schedule), ("on_epoch", on_epoch)):
        if not callable(value) and (value is not None or name in ("model", "loss")):
            hint = "; fit takes a schedule itself, such as schedules.cosine(steps)" if name == "schedule" else ""
            raise TypeError(f"{name} must be callable, got {type(value).__name__}{hint}")
    if not all(hasattr(optimizer, name) for name in ("param_groups", "step", "zero_grad")):
        raise TypeError(f"optimizer must have param_groups, step and zero_grad, got {type(optimizer).__name__}")
    in_all = whole_number("epochs", epochs, least=1)
    if not hasattr(loader, "__len__") or not hasattr(loader, "__iter__") or isinstance(loader, TensorDataset):
        raise TypeError(
            f"loader must be a DataLoader or a sequence of batches (inputs, target), got {type(loader).__name__}; "
            "wrap a dataset: DataLoader(dataset, batch_size=32)"
        )
    if len(loader) == 0:
        raise ValueError("the loader has no batches")
    if in_all * len(loader) > MOST_STEPS:
        raise ValueError(f"{shown(epochs)} epochs of {len(loader)} batches are more than 2**53 steps; take fewer")
    return -(-len(loader) // accumulate)


def _held_out(given: object) -> TensorDataset | None:
    """The held-out data as a dataset."""
    if given is None:
        return None
    if not isinstance(given, TensorDataset):
        if not isinstance(given, (tuple, list)) or len(given) < 2:
            raise TypeError(f"held_out must be (inputs, target) or a TensorDataset, got {type(given).__name__}")
        given = TensorDataset(*given)
    if not len(given):
        raise ValueError("held_out has no samples, so it has no loss; leave it out")
    return given
