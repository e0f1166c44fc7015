"""Callbacks of `fit`: what is called after steps and epochs, and may end the training by returning `STOP`.

`Callback` says which methods there are. A callback needs one of them, and need not be a subclass. `Callbacks` is how
`fit` calls a list of them. Those that come with the package are in stopping.py, averaging.py, csv_log.py,
tensorboard.py and checkpoint.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from tinygrad_lr.integers import shown

from .history import History

__all__ = ["STOP", "Callback", "Callbacks", "Stop", "Training"]

PROGRESS_EVERY = 0.05  # seconds
EVENTS = ("on_begin", "on_step", "on_measure", "on_epoch", "on_progress", "on_end")


@dataclass(frozen=True)
class Stop:
    """What a callback returns to end the training; `STOP` is one without a reason.

    Attributes:
        reason: why, one line; `history.stopped` shows it.
    """

    reason: str = ""

    def because(self, reason: str) -> Stop:
        """A `Stop` that says why.

        Example:
            >>> STOP.because("the loss is below 0.01")
            Stop(reason='the loss is below 0.01')
        """
        return Stop(reason)


STOP = Stop()


@dataclass
class Training:
    """What a callback is called with: the training that is under way.

    Attributes:
        model, loss, optimizer, loader: as `fit` was called with them.
        history: the rows of the steps made so far; it grows as the training goes on.
        epochs: how many epochs there are in all.
        held_out: the held-out data, a TensorDataset, or None.
        accumulate: how many batches a step has.
        ended: None while the training runs. In `on_end` it is "complete", "stopped" (by a callback), "interrupted" (by
            Ctrl-C), or "failed" (an exception is on its way).
    """

    model: Any
    loss: Callable[[Any, Any], Any]
    optimizer: Any
    loader: Any
    history: History
    epochs: int = 1
    held_out: Any = None
    ended: str | None = None
    accumulate: int = 1

    @property
    def steps_in_epoch(self) -> int:
        """How many steps an epoch has."""
        return -(-len(self.loader) // self.accumulate)

    @property
    def step(self) -> int:
        """How many steps were made so far."""
        return len(self.history)

    @property
    def epoch(self) -> int:
        """How many epochs are complete."""
        return self.step // self.steps_in_epoch


class Callback:
    """What `fit` calls: write the methods that are needed. Subclassing is not: an object with one of them will do.

    `on_begin`, `on_step`, `on_epoch` and `on_progress` return None, or `STOP` (or `STOP.because("...")`) to end the
    training. It ends after that step or epoch, when all callbacks were called. Anything else that they return is a
    TypeError. What they raise ends the training with that exception. All are called in the order of the list.

    A callback may change parameters: the next step has them. It may change a group's "lr" where `fit` has no schedule,
    else its "initial_lr": the next step has the new rate. In compiled training `on_step` costs a call of machine code
    for each step, and `on_epoch` one for each epoch; with `on_progress` alone, one call makes many epochs.

    A callback with `state_dict` and `load_state_dict` has its state kept in checkpoints: numbers, texts, arrays, and
    lists, tuples and dicts of these. A training that goes on from a checkpoint must have the same ones.

    Example:
        >>> class Below(Callback):
        ...     def __init__(self, loss):
        ...         self.loss = loss
        ...     def on_epoch(self, training):
        ...         if training.history.last_mean() < self.loss:
        ...             return STOP.because(f"the loss is below {self.loss}")
        >>> from tinygrad_lr import nn, ones, optim
        >>> from tinygrad_lr.data import DataLoader, TensorDataset
        >>> from tinygrad_lr.training import fit
        >>> loader = DataLoader(TensorDataset(ones(4, 1), ones(4, 1)), batch_size=2)
        >>> optimizer = optim.SGD((model := nn.Linear(1, 1)).parameters(), lr=0.1)
        >>> fit(model, nn.MSELoss(), optimizer, loader, epochs=1000, callbacks=[Below(0.01)]).stopped
        'the loss is below 0.01'
    """

    def on_begin(self, training: Training) -> Stop | None:
        """Called before the first step, also of a training that goes on. State from a checkpoint is loaded by then."""
        return None

    def on_step(self, training: Training) -> Stop | None:
        """Called after every step."""
        return None

    def on_measure(self, training: Training) -> Any:
        """Called after the steps of every epoch, before the held-out loss is measured.

        It may return a model, whose held-out loss is then measured in place of the trained one's; or None. Where
        several callbacks return one, the last one counts.
        """
        return None

    def on_epoch(self, training: Training) -> Stop | None:
        """Called after every epoch, once the held-out loss was measured."""
        return None

    def on_progress(self, training: Training) -> Stop | None:
        """Called now and then between two steps, about 20 times a second, for those that only follow the history."""
        return None

    def on_end(self, training: Training) -> None:
        """Called once where `on_begin` was, also when the training fails; the last checkpoint is written by then."""


class Callbacks:
    """Calls a list of callbacks, and remembers the first that said `STOP`.

    Args:
        given: the list.
        besides: a class whose objects may stand in the list and are not called; they are in `.besides`.

    Raises:
        TypeError: the list is none, or an entry is no callback.
        ValueError: a callback is there twice.
    """

    def __init__(self, given: object, besides: type | tuple[()] = ()) -> None:
        if not isinstance(given, (list, tuple)):
            one = "; put it into a list" if _is_callback(given) else ""
            raise TypeError(f"callbacks must be a list of callbacks, got {type(given).__name__}{one}")
        self.besides: list[Any] = [each for each in given if isinstance(each, besides)]
        self.given: list[Any] = [each for each in given if not isinstance(each, besides)]
        for place, each in enumerate(given):
            if not isinstance(each, besides):
                _check(each, place)
            if any(each is other for other in given[:place]):
                raise ValueError(f"callbacks[{place}] is the same {type(each).__name__} as one before it; leave it out")
        self.steps, self.measures, self.epochs, self.watchers = (
            [(each, found) for each in self.given if (found := _method(each, event))]
            for event in ("on_step", "on_measure", "on_epoch", "on_progress")
        )
        self.between = bool(self.epochs or self.measures)  # whether something belongs to the end of an epoch
        self.stopped: str | None = None
        self._begun: list[Any] = []
        self._due = 0.0

    def states(self) -> list[dict[str, Any]]:
        """The state of each callback that has one, for a checkpoint."""
        return [{"class": type(each).__qualname__, "state": each.state_dict()} for each in self._with_state()]

    def load(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Give the callbacks the states of a checkpoint.

        Raises:
            ValueError: they are those of other callbacks.
        """
        ours, then = [type(each).__qualname__ for each in self._with_state()], [each["class"] for each in states]
        if ours != then:
            raise ValueError(
                f"the checkpoint holds the state of the callbacks [{', '.join(then)}], and fit was called with "
                f"[{', '.join(ours)}]; give the same ones, in the same order"
            )
        for each, state in zip(self._with_state(), states, strict=True):
            each.load_state_dict(state["state"])

    def begin(self, training: Training) -> None:
        """Call every `on_begin`."""
        for each in self.given:
            begin = _method(each, "on_begin")
            if begin:
                self._note(each, "on_begin", begin(training), training)
            self._begun.append(each)

    def after_step(self, training: Training, closed: bool) -> bool:
        """Call what follows a step; returns whether the training shall end.

        Args:
            closed: whether the end of an epoch that belongs to this step is done, or none does.
        """
        for each, method in self.steps:
            self._note(each, "on_step", method(training), training)
        if self.watchers and closed:
            self.progress(training)
        return self.stopped is not None

    def measured(self, training: Training) -> Any:
        """Call what comes before the held-out loss is measured; returns the model that is to be measured."""
        found = training.model
        for each, method in self.measures:
            said = method(training)
            if said is not None and not callable(said):
                who = f"{type(each).__name__}.on_measure"
                raise TypeError(f"{who} must return a model to be measured, or None; got {shown(said)}")
            found = found if said is None else said
        return found

    def after_epoch(self, training: Training) -> None:
        """Call what follows an epoch."""
        for each, method in self.epochs:
            self._note(each, "on_epoch", method(training), training)
        self.progress(training)

    def progress(self, training: Training) -> None:
        """Call those that follow the history, where the last time was long ago."""
        if self.watchers and perf_counter() >= self._due:
            for each, method in self.watchers:
                self._note(each, "on_progress", method(training), training)
            self._due = perf_counter() + PROGRESS_EVERY

    def end(self, training: Training) -> None:
        """Call every `on_end`, whatever another one raises."""
        with ExitStack() as stack:
            for each in reversed(self._begun):
                if end := _method(each, "on_end"):
                    stack.callback(partial(self._finish, each, end, training))

    def note(self, said: Stop, who: str, training: Training) -> None:
        """Remember who ends the training, and why."""
        if self.stopped is None:
            self.stopped = said.reason or f"{who} returned STOP after step {training.step}"

    def _note(self, callback: object, event: str, said: object, training: Training) -> None:
        if said is None:
            return
        who = f"{type(callback).__name__}.{event}"
        if not isinstance(said, Stop):
            raise TypeError(f"{who} must return None or STOP, got {shown(said)}; to end the training: return STOP")
        self.note(said, who, training)

    def _finish(self, callback: object, end: Callable[..., Any], training: Training) -> None:
        if (said := end(training)) is not None:
            who = type(callback).__name__
            raise TypeError(f"{who}.on_end must return None, got {shown(said)}; the training has ended by then")

    def _with_state(self) -> list[Any]:
        return [each for each in self.given if hasattr(each, "state_dict")]


def _method(callback: Any, event: str) -> Callable[..., Any] | None:
    """The method of a callback, unless it is the empty one of `Callback`."""
    found = getattr(callback, event, None)
    return None if found is None or getattr(found, "__func__", None) is getattr(Callback, event) else found


def _is_callback(each: object) -> bool:
    return not isinstance(each, type) and any(callable(getattr(each, event, None)) for event in EVENTS)


def _check(each: object, place: int) -> None:
    """Raise where an entry of the list is no callback."""
    if isinstance(each, type):
        raise TypeError(f"callbacks[{place}] is the class {each.__name__}; make an object of it: {each.__name__}(...)")
    if not _is_callback(each):
        hint = "; give a function of (epoch, history) as on_epoch" if callable(each) else ""
        raise TypeError(
            f"callbacks[{place}] must have one of the methods {', '.join(EVENTS)}, got {type(each).__name__}{hint}"
        )
    for event in EVENTS:
        found = getattr(each, event, None)
        if found is not None and not callable(found):
            raise TypeError(f"{type(each).__name__}.{event} must be a method, got {shown(found)}")
    if hasattr(each, "state_dict") != hasattr(each, "load_state_dict"):
        raise TypeError(
            f"{type(each).__name__} has only one of state_dict and load_state_dict; a checkpoint needs both, or none"
        )
