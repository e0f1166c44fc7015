"""fit(): the article's training loop, with a history of every step, a progress bar, and a clean end on Ctrl-C.

The learning rate of a step is the group's base rate times `schedule(step)`, set before that step: the article's first
way, `group['lr'] = batch_lr`. Everything a step needs beside the model and the optimizer is its number, so a run that
was stopped goes on as if it had not been. data.py makes the batches; history.py and progress.py are next.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from . import random
from .compiled import Runner
from .data import DataLoader, TensorDataset
from .engine.graph import no_grad
from .history import History
from .optim import Optimizer
from .optim.clipping import checked_max_norm
from .progress import Interruption, is_terminal, progress_bar
from .rates import Rates

__all__ = ["Diverged", "evaluate", "fit"]


class Diverged(RuntimeError):
    """The loss became infinite or not a number. The step was not made: the parameters are those before it.

    Attributes:
        history: the rows of the steps that were made.
    """

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def fit(
    model: Callable[..., Any],
    loss: Callable[[Any, Any], Any],
    optimizer: Any,
    loader: Any,
    *,
    epochs: int,
    schedule: Callable[[Any], Any] | None = None,
    held_out: TensorDataset | tuple[Any, Any] | None = None,
    resume: History | None = None,
    progress: bool | None = None,
    on_epoch: Callable[[int, History], object] | None = None,
    compiled: bool = False,
    max_norm: float | None = None,
) -> History:
    """Train a model and return what happened at each step.

    Args:
        model: called with the inputs of a batch; a Module is put into training mode for the steps.
        loss: called with the model's output and the target; gives a Tensor with a single element.
        optimizer: updates the model's parameters; anything with `param_groups`, `step()` and `zero_grad()`.
        loader: a DataLoader, or any sequence of batches (inputs, target); a batch is a tuple whose last entry is the
            target. Its `epoch` is set, so that epoch e has the same order however it was reached.
        epochs: how many epochs there are in all, at least 1, including those of `resume`.
        schedule: a schedule in steps, or None to leave the rates alone. The base rate of a group is its "initial_lr",
            which is set to the group's "lr" at the first use (as torch's schedulers do).
        held_out: (inputs, target) or a TensorDataset; its loss is measured after each epoch.
        resume: the history of an earlier `fit` to go on from, at its next step, also in the middle of an epoch. Model
            and optimizer must be as they were at its end. With a seeded loader (or none that shuffles) the outcome
            equals that of a run never stopped, bit for bit.
        progress: True: a line for each epoch in the article's format, under a bar on a terminal. False: nothing.
            None: True on a terminal, else False.
        on_epoch: called with the number of each complete epoch, from 0, and the history so far.
        compiled: run the steps as machine code: the same batches and, but for the rounding of sums, the same numbers
            (see `tinygrad_lr.compiled`). Needs a DataLoader, on the CPU. Ctrl-C is heard about every 50 ms.
        max_norm: clip the gradients of each step by their norm over all parameters (see `optim.clip_grad_norm_`); the
            optimizer is one of tinygrad_lr's. None: no clipping.

    Returns:
        The history. After Ctrl-C it ends with the step that was under way, `history.interrupted` is true, and the
        model and the optimizer are as that step left them. (A second Ctrl-C does not wait for the step.)

    Raises:
        Diverged: the loss of a batch is infinite or not a number; with `max_norm`, also a gradient.
        TypeError, ValueError: an argument that cannot be used; nothing was trained.
        CannotCompile: with `compiled`, a model that cannot be; the message says which op and why.

    Example:
        >>> from tinygrad_lr import manual_seed, nn, optim, randn, schedules
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
    steps_in_epoch = _check(model, loss, optimizer, loader, epochs, schedule, on_epoch)
    held_out = _held_out(held_out)
    make_step = _step_of(optimizer, max_norm)
    groups = optimizer.param_groups
    history = _start(resume, [str(group.get("name", i)) for i, group in enumerate(groups)])
    rates = Rates(schedule, groups, steps_in_epoch, epochs)
    first_epoch, done = divmod(len(history), steps_in_epoch)
    lines = is_terminal() if progress is None else bool(progress)
    runner = Runner(model, loss, optimizer, loader, max_norm) if compiled else None
    together = epochs if runner is not None and not lines and on_epoch is None and held_out is None else 1
    with Interruption() as ctrl_c, progress_bar(lines, steps_in_epoch * epochs, len(history)) as bar:
        try:
            epoch = first_epoch
            while epoch < epochs and not ctrl_c.wanted:
                last = min(epochs, epoch + together)  # epochs with nothing to do between them go at once
                if runner is not None:
                    _machine_steps(runner, rates, epoch, last, done, history, ctrl_c, bar)
                else:
                    batches = islice(_batches_of(loader, epoch), done, None)
                    table = rates.of(epoch)[done:]
                    _steps(model, loss, optimizer, make_step, batches, epoch, table, history, ctrl_c, bar)
                epoch, done = last, 0
                if len(history) < epoch * steps_in_epoch:
                    if not ctrl_c.wanted:
                        raise ValueError(f"the loader announced {steps_in_epoch} batches and gave fewer")
                    break
                if held_out is not None:
                    history.set_held_out(evaluate(model, loss, held_out))
                if lines:
                    bar.write(line(history))
                if on_epoch is not None:
                    on_epoch(epoch - 1, history)
        except KeyboardInterrupt:
            pass
    history.interrupted = len(history) < steps_in_epoch * epochs
    return history


def _steps(
    model: Any,
    loss: Any,
    optimizer: Any,
    make_step: Callable[[], object],
    batches: Iterator[Any],
    epoch: int,
    rates: np.ndarray,
    history: History,
    ctrl_c: Interruption,
    bar: Any,
) -> None:
    """The rest of one epoch, whose steps have these rates."""
    groups = optimizer.param_groups
    write = dict.__setitem__ if all(isinstance(group, dict) for group in groups) else operator.setitem
    if hasattr(model, "train"):
        model.train()
    with np.errstate(over="ignore", invalid="ignore"):  # the loss tells
        for batch, step_rates in zip(batches, map(tuple, rates.tolist()), strict=False):
            for group, rate in zip(groups, step_rates, strict=True):
                write(group, "lr", rate)  # checked by Rates
            optimizer.zero_grad()
            *inputs, target = batch
            value = loss(model(*inputs), target)
            number = value.item()
            if not math.isfinite(number):
                raise Diverged(_advice(number, len(history), epoch, step_rates), history)
            value.backward()
            try:
                make_step()
            except FloatingPointError as error:
                raise Diverged(f"at step {len(history)} (epoch {epoch + 1}): {error}", history) from error
            history.append(epoch, step_rates, number)
            bar.update()
            if ctrl_c.wanted:
                return


def _machine_steps(
    runner: Runner, rates: Rates, epoch: int, last: int, done: int, history: History, ctrl_c: Interruption, bar: Any
) -> None:
    """Epochs from `epoch` up to `last` as machine code, without the first `done` steps: whole epochs, as many as go
    into about 50 ms, or parts of one."""
    loader, per_epoch = runner.loader, len(runner.loader)
    while epoch < last and not ctrl_c.wanted:
        several = min(last - epoch, max(1, runner.at_once // per_epoch))
        before, table = random.get_state(), rates.of(epoch, several)
        keys = loader.keys(epoch, several)
        loader.epoch = epoch + several
        while done < len(table) and not ctrl_c.wanted:
            step_rates = table[done : done + runner.at_once]
            losses, made = runner.run(keys, done, step_rates)
            history.extend(epoch + np.arange(done, done + made) // per_epoch, step_rates[:made], losses[:made])
            bar.update(made)
            done += made
            if made < len(step_rates):
                _draw_again(loader, before, epoch, done // per_epoch + 1, several)
                _diverged(runner, losses[made], epoch + done // per_epoch, step_rates[made], history)
        done = 0
        epoch += several


def _diverged(runner: Runner, loss: float, epoch: int, rates: np.ndarray, history: History) -> None:
    if math.isfinite(loss):
        try:
            runner.check_gradients()
        except FloatingPointError as error:
            raise Diverged(f"at step {len(history)} (epoch {epoch + 1}): {error}", history) from error
    raise Diverged(_advice(float(loss), len(history), epoch, tuple(rates.tolist())), history)


def _draw_again(loader: DataLoader, before: dict[str, Any], epoch: int, begun: int, drawn: int) -> None:
    """Leave loader and generator as if only the orders of the epochs that were begun had been drawn."""
    loader.epoch = epoch + begun
    if begun < drawn and loader.shuffle and loader.seed is None:
        random.set_state(before)
        loader.keys(epoch, begun)


def evaluate(model: Any, loss: Any, dataset: TensorDataset) -> float:
    """The loss over a whole dataset at once, in evaluation mode and without recording gradients.

    The model's mode is put back afterwards.

    Example:
        >>> from tinygrad_lr import nn, tensor
        >>> doubled = TensorDataset(tensor([[1.0], [2.0]]), tensor([[2.0], [4.0]]))
        >>> evaluate(lambda inputs: inputs, nn.MSELoss(), doubled)
        2.5
    """
    was_training = getattr(model, "training", None)
    if was_training is not None:
        model.eval()
    try:
        with no_grad(), np.errstate(over="ignore", invalid="ignore"):
            *inputs, target = dataset.tensors
            return float(loss(model(*inputs), target).item())
    finally:
        if was_training:
            model.train()


def line(history: History) -> str:
    """The article's line on the epoch of the last row.

    Example:
        >>> history = History()
        >>> history.append(0, (0.0018,), 1.25)
        >>> line(history)
        'Epoch 1, Learning Rate: 0.001800, Loss Value: 1.250000'
    """
    row = history[-1]
    rates = ", ".join(f"{row[name]:.6f}" for name in history.column_names[2:-2])
    return f"Epoch {row['epoch'] + 1}, Learning Rate: {rates}, Loss Value: {row['loss']:.6f}"


def _advice(number: float, step: int, epoch: int, rates: tuple[float, ...]) -> str:
    shown = ", ".join(f"{rate:g}" for rate in rates)
    return (
        f"the loss became {number} at step {step} (epoch {epoch + 1}), with learning rate {shown}; training stopped "
        "before that step. Take a smaller learning rate or a longer warm-up, and look for extreme values in the data"
    )


def _step_of(optimizer: Any, max_norm: float | None) -> Callable[[], object]:
    """How to make a step of an optimizer, clipped or not."""
    if max_norm is None:
        step: Callable[[], object] = optimizer.step
        return step
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"max_norm needs an optimizer of tinygrad_lr, got {type(optimizer).__name__}; clip its "
                        "gradients yourself, or leave max_norm out")  # fmt: skip
    return partial(optimizer.step, max_norm=checked_max_norm(max_norm))


def _start(resume: History | None, names: list[str]) -> History:
    if resume is None:
        return History(names if len(names) > 1 else ["all"])
    if not isinstance(resume, History):
        raise TypeError(f"resume takes the History of an earlier fit, got {type(resume).__name__}")
    if len(resume.groups) != len(names):
        raise ValueError(f"the history to resume has {len(resume.groups)} groups, the optimizer has {len(names)}")
    return resume.copy()


def _check(model: Any, loss: Any, optimizer: Any, loader: Any, epochs: Any, schedule: Any, on_epoch: Any) -> int:
    """Refuse arguments that cannot be used; the number of batches in an epoch."""
    for name, value in (("model", model), ("loss", loss), ("schedule", schedule), ("on_epoch", on_epoch)):
        if not callable(value) and (value is not None or name in ("model", "loss")):
            hint = "; fit takes a schedule itself, such as schedules.cosine(steps)" if name == "schedule" else ""
            raise TypeError(f"{name} must be callable, got {type(value).__name__}{hint}")
    if not all(hasattr(optimizer, name) for name in ("param_groups", "step", "zero_grad")):
        raise TypeError(f"optimizer must have param_groups, step and zero_grad, got {type(optimizer).__name__}")
    if isinstance(epochs, (bool, np.bool_)) or not isinstance(epochs, (int, np.integer)):
        raise TypeError(f"epochs must be an integer, got {epochs!r} ({type(epochs).__name__})")
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    if not hasattr(loader, "__len__") or not hasattr(loader, "__iter__") or isinstance(loader, TensorDataset):
        raise TypeError(
            f"loader must be a DataLoader or a sequence of batches (inputs, target), got {type(loader).__name__}; "
            "wrap a dataset: DataLoader(dataset, batch_size=32)"
        )
    if len(loader) == 0:
        raise ValueError("the loader has no batches")
    return len(loader)


def _held_out(given: Any) -> TensorDataset | None:
    if given is None or isinstance(given, TensorDataset):
        return given
    if not isinstance(given, (tuple, list)) or len(given) < 2:
        raise TypeError(f"held_out must be (inputs, target) or a TensorDataset, got {type(given).__name__}")
    return TensorDataset(*given)


def _batches_of(loader: Any, epoch: int) -> Iterator[Any]:
    if isinstance(loader, DataLoader):
        loader.epoch = epoch
    return iter(loader)
