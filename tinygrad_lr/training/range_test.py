"""`lr_range_test`: raises the rate step by step, watches the loss, and suggests a rate; then all is as it was before.

Source: Smith, arXiv:1506.01186, section 3.3. There the rates rise linearly; the exponential rise, the smoothed loss and
the early end are those of fast.ai's `lr_find`. The steps are those of `fit`. range_drawing.py draws the curve;
optim/rewinding.py puts back what the steps changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lr import random
from tinygrad_lr.compiled.side_effects import Generators
from tinygrad_lr.integers import whole_number
from tinygrad_lr.optim import Optimizer
from tinygrad_lr.optim.around import Around
from tinygrad_lr.optim.rewinding import Memory
from tinygrad_lr.reals import real_number

from . import range_drawing
from .callbacks import STOP, Stop, Training
from .fitting import Diverged, fit
from .loops import LoaderLike
from .progress import Interruption

__all__ = ["RangeTest", "lr_range_test"]

Array = NDArray[np.float64]
RISES = ("exponential", "linear")
INTERRUPTED = "interrupted"
FEWEST = 10  # steps from which a rate is suggested, at least


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What `lr_range_test` found: the curve, and the rate that it suggests.

    Attributes:
        rates: of each step that was made, of the group with the largest base rate; float64, as the next two.
        losses: of each step's batch, before the parameters moved at that rate; in the loss's own unit.
        smoothed: the bias-corrected exponential average of the losses.
        suggestion: the suggested rate, or None where the curve suggests none.
        rule: how it was chosen, or why there is none.
        steepest: the rate at which the smoothed loss falls most steeply over the logarithm of the rate, or None.
        tenth: a tenth of the rate at which the smoothed loss is lowest, or None where it does not rise again.
        ended: why the test ended.
        ratios: of each group's rate to `rates`.
    """

    rates: Array
    losses: Array
    smoothed: Array
    suggestion: float | None
    rule: str
    steepest: float | None
    tenth: float | None
    ended: str
    ratios: tuple[float, ...]

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the test."""
        return self.ended.startswith(INTERRUPTED)

    def as_lines(self, width: int = 72, height: int = 12) -> list[str]:
        """The smoothed loss over the rate, on a logarithmic axis, as a drawing of characters.

        Args:
            width, height: of the drawing without its margins, in characters, at least 16 and 4.

        Raises:
            ValueError: the curve has fewer than two steps.
        """
        return range_drawing.as_lines(self.rates, self.smoothed, self.suggestion, width, height)

    def plot(self, axes: Any = None) -> Any:
        """Draw the curve with matplotlib (the extra `plot`), and return the figure.

        Args:
            axes: where to draw; None: a new figure, which `savefig` writes without a display.

        Raises:
            ModuleNotFoundError: matplotlib is not installed; the message says how to get it.
            ValueError: the curve has fewer than two steps.
        """
        return range_drawing.draw(self.rates, self.losses, self.smoothed, self.suggestion, axes)

    def __repr__(self) -> str:
        suggested = "none" if self.suggestion is None else f"{self.suggestion:.3g}"
        return f"RangeTest({len(self.rates)} steps, suggestion {suggested})"


@dataclass
class _Watch:
    """The callback that gathers the losses, and ends the test."""

    rates: Array
    smoothing: float
    stop_at: float
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)
    lowest: float = math.inf
    average: float = 0.0
    ended: str = ""

    def on_step(self, training: Training) -> Stop | None:
        loss = float(training.history[-1]["loss"])
        self.losses.append(loss)
        self.average = self.smoothing * self.average + (1 - self.smoothing) * loss
        now = self.average / (1 - self.smoothing ** len(self.losses))
        self.smoothed.append(now)
        rate = self.rates[len(self.losses) - 1]
        if len(self.losses) >= _averaged(self.smoothing):
            self.lowest = min(self.lowest, now)
        if self.lowest < now and now - self.lowest > (self.stop_at - 1) * abs(self.lowest):
            self.ended = f"the smoothed loss rose beyond {self.stop_at:g} times its lowest value at rate {rate:.3g}"
        elif len(self.losses) == len(self.rates):
            self.ended = f"all {len(self.rates)} steps were made, up to rate {rate:.3g}"
        return STOP if self.ended else None


def lr_range_test(
    model: Callable[..., Any],
    loss: Callable[[Any, Any], Any],
    optimizer: Optimizer | Around,
    loader: LoaderLike,
    *,
    start: float = 1e-7,
    end: float = 10.0,
    steps: int = 100,
    rise: str = "exponential",
    smoothing: float = 0.9,
    stop_at: float = 4.0,
    max_norm: float | None = None,
    accumulate: int = 1,
) -> RangeTest:
    """Train for some steps at rising rates, and return the curve of the loss with a suggested rate.

    Afterwards everything is what it was, bit for bit, also after an exception or Ctrl-C: parameters, gradients, buffers
    and attributes of the model's and the loss's Modules; the optimizer's state, groups, counts of steps and mode; the
    attributes of the loader; the generators of tinygrad_lr, NumPy and Python. What a model, a hook or a loader changes
    in other objects, or in a closure, is not put back.

    The steps are those that `fit` would make first, one batch each, in epoch 0 and on. The loss of a step was computed
    before it, so it shows what the rates before did. The average makes the curve late, by about
    smoothing / (1 - smoothing) steps: its rates are rather too high than too low.

    The rule: the level at the smallest rates is the mean of the first 1 / (1 - smoothing) losses. If the smoothed loss
    falls below it by no more than the losses of single batches scatter, or most steeply right behind these losses or at
    the last rate, nothing is suggested (of curves of mere noise, about one in twenty gets a suggestion). Otherwise
    there are two rates: that of the steepest descent over log(rate), and a tenth of the rate of the lowest loss, where
    it rises again behind it. The smaller one is suggested. Where the rate hardly changes the steps (COCOB), the curve
    says little.

    Args:
        model, loss, optimizer, loader: as `fit` takes them; an optimizer of tinygrad_lr, also with Lookahead or SAM
            around it. The model's parameters should be as training begins with them.
        start, end: the first and the last rate, above 0; those of the group with the largest base rate. The others keep
            their ratios to it. A group's base rate is its "initial_lr", or else its "lr"; where all are 0, the rates
            are equal.
        steps: how many, at least 10.
        rise: "exponential" or "linear".
        smoothing: the share of the earlier average in the next one, in [0, 1); 0: no smoothing.
        stop_at: the test ends where the smoothed loss exceeds this multiple of the lowest one (of a negative one
            -x: where it lies more than (stop_at - 1) x above it), above 1; both from step 1 / (1 - smoothing) on. It
            ends too where a loss is not finite, which then has no place in the curve.
        max_norm, accumulate: as `fit` takes them.

    Returns:
        A `RangeTest`. After Ctrl-C it has the steps until then, and `interrupted` is true.

    Raises:
        TypeError: an argument of the wrong kind, or an optimizer of another library.
        ValueError: a number out of its range, or what `fit` refuses.

    Example:
        >>> from tinygrad_lr import manual_seed, nn, optim, randn
        >>> from tinygrad_lr.data import DataLoader, TensorDataset
        >>> manual_seed(0)
        >>> inputs = randn(100, 10)
        >>> loader = DataLoader(TensorDataset(inputs, inputs.detach().sum(1).reshape(100, 1)), batch_size=100)
        >>> model = nn.Linear(10, 1)
        >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
        >>> found = lr_range_test(model, nn.MSELoss(), optimizer, loader, start=1e-4)
        >>> 0.01 < found.suggestion < 1, optimizer.param_groups[0]["lr"], len(optimizer.state)
        (True, 0.1, 0)
    """
    if not isinstance(optimizer, (Optimizer, Around)):
        raise TypeError(
            f"lr_range_test needs an optimizer of tinygrad_lr, whose state it can put back; got "
            f"{type(optimizer).__name__}: take the one of that name in tinygrad_lr.optim"
        )
    rates = _rates(start, end, whole_number("steps", steps, least=FEWEST), rise)
    smoothing = real_number("smoothing", smoothing, least=0)
    if smoothing >= 1:
        raise ValueError(f"smoothing must be below 1, got {smoothing:g}; 0.9 averages about ten losses")
    watch = _Watch(rates, smoothing, real_number("stop_at", stop_at, above=1))
    accumulate = whole_number("accumulate", accumulate, least=1)
    batches = len(loader) if hasattr(loader, "__len__") else 0  # fit refuses a loader without a length
    epochs = -(-len(rates) * accumulate // max(batches, 1)) + 1
    ratios = _ratios(optimizer)
    with Interruption() as stop:
        put_back = _remembered(model, loss, optimizer, loader)
        try:
            for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
                group["initial_lr"] = ratio
            fit(
                model,
                loss,
                optimizer,
                loader,
                epochs=epochs,
                schedule=lambda step: float(rates[min(int(step), len(rates) - 1)]),
                progress=False,
                max_norm=max_norm,
                accumulate=accumulate,
                callbacks=[watch],
            )
        except Diverged:
            rate = rates[len(watch.losses)]
            watch.ended = f"the loss or a gradient was no finite number at rate {rate:.3g}"
        finally:
            before = stop.tolerated, stop.count
            stop.tolerate(math.inf)  # what is put back is put back whole
            put_back()
            stop.tolerated, stop.count = before
    made = len(watch.losses)
    curve = rates[:made], np.array(watch.losses), np.array(watch.smoothed)
    ended = watch.ended or f"{INTERRUPTED} after {made} steps"
    suggestion, rule, steepest, tenth = _suggested(*curve, smoothing)
    return RangeTest(*curve, suggestion, rule, steepest, tenth, ended, ratios)


def _averaged(smoothing: float) -> int:
    """About how many losses the average is of; before so many steps it is of too few."""
    return math.ceil(round(1 / (1 - smoothing), 6))


def _rates(start: float, end: float, steps: int, rise: str) -> Array:
    """The rates of all steps."""
    first, last = real_number("start", start, above=0), real_number("end", end, above=0)
    if first >= last:
        raise ValueError(f"end must be above start, got start={first:g} and end={last:g}; exchange them")
    if rise not in RISES:
        raise ValueError(f"rise must be 'exponential' or 'linear', got {rise!r}")
    return np.geomspace(first, last, steps) if rise == RISES[0] else np.linspace(first, last, steps)


def _ratios(optimizer: Optimizer | Around) -> tuple[float, ...]:
    """The base rate of each group as a share of the largest one."""
    base = [float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups]
    largest = max(base)
    return tuple(each / largest if largest else 1.0 for each in base)


def _remembered(model: Any, loss: Any, optimizer: Optimizer | Around, loader: Any) -> Callable[[], None]:
    """A function that puts back what training changes: in these, and in the generators of random numbers."""
    memory, around = Memory(), Memory(contents=False)
    memory.optimizer(optimizer)
    for each in (model, loss):
        memory.attributes(getattr(each, "__self__", each))  # of a method, its object
    around.attributes(loader)
    own, others = random.get_state(), Generators()

    def put_back() -> None:
        memory.put_back()
        around.put_back()
        random.set_state(own)
        others.put_back()

    return put_back


def _suggested(
    rates: Array, losses: Array, smoothed: Array, smoothing: float
) -> tuple[float | None, str, float | None, float | None]:
    """The suggested rate, the rule that chose it, the rate of the steepest descent, and a tenth of the lowest's."""
    first = _averaged(smoothing)
    fewest = max(FEWEST, 2 * first)
    if len(rates) < fewest:
        why = f"the curve has {len(rates)} steps and a suggestion needs {fewest}"
        return None, f"none: {why}; begin at a smaller rate, take more steps, or smooth less", None, None
    lowest = first + int(smoothed[first:].argmin())
    fall = float(losses[:first].mean() - smoothed[lowest])
    scatter = float(np.median(np.abs(np.diff(losses[: lowest + 1])))) / (0.6745 * math.sqrt(2))  # as a deviation
    if not fall > scatter:
        why = (
            f"the smoothed loss falls by {max(fall, 0.0):.3g} below where it began, and single batches scatter by "
            f"{scatter:.3g}"
        )
        return None, f"none: {why}; take larger batches, more steps or another end", None, None
    slopes = np.gradient(smoothed, np.log(rates))[first : lowest + 1]
    place = first + int(slopes.argmin())
    edge = first + first // 2
    if place <= edge:
        why = (
            f"the loss falls most steeply within the first {edge + 1} steps, before the curve has a level to fall from"
        )
        return None, f"none: {why}; begin at a smaller rate, if this optimizer depends on one", None, None
    if place == len(rates) - 1:
        return None, "none: the loss falls most steeply at the last rate; go on to a larger one", None, None
    steepest, tenth = float(rates[place]), float(rates[lowest]) / 10
    descent = "the rate of the steepest descent of the smoothed loss over log(rate)"
    if lowest == len(rates) - 1:
        return steepest, f"{descent}; the loss had not risen again, so its lowest says nothing", steepest, None
    lows = "a tenth of the rate of the lowest smoothed loss"
    chosen, other = (descent, lows) if steepest <= tenth else (lows, descent)
    rule = f"{chosen}, because it is not above {other} ({max(steepest, tenth):.3g}), and the average makes curves late"
    return min(steepest, tenth), rule, steepest, tenth
