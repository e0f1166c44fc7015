"""What shows a running training, a bar or lines, and what stops it: Ctrl-C and other signals."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Protocol

__all__ = ["STOPPING", "Bar", "Interruption", "Lines", "SteadyBar", "is_terminal", "progress_bar"]


class Bar(Protocol):
    """What shows progress: a bar of tqdm, or `Lines`."""

    def update(self, steps: int = 1) -> object:
        """Move the bar on."""

    def write(self, text: str) -> object:
        """Print a line above the bar."""


# SIGINT is Ctrl-C; the others come from `kill`, a cluster's scheduler or systemd, and from a terminal that is closed.
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Sets `wanted` when a signal comes, so that the loop can stop between two steps. A second Ctrl-C interrupts at
    once.

    Outside the main thread, or where the program has a handler of its own, it changes nothing. Inside another
    Interruption, `with` gives that one: what stops the outer loop stops the inner one too.

    Args:
        signals: their numbers; Ctrl-C alone where none are given.

    Attributes:
        wanted: whether a signal came.
        is_over: whether its `with` block has ended.
        received: the first signal that came; None until then.
        tolerated: how many signals are only noted. The next Ctrl-C raises KeyboardInterrupt; at 0, any signal does.
    """

    def __init__(self, *signals: int) -> None:
        self.signals = signals or (signal.SIGINT,)
        self.wanted = self.is_over = False
        self.received: int | None = None
        self.count = 0
        self.tolerated = 1.0
        self._replaced: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        found: Interruption = self
        if threading.current_thread() is threading.main_thread():
            for number in self.signals:
                handler = signal.getsignal(number)
                if handler in (signal.default_int_handler, signal.SIG_DFL):
                    self._replaced[number] = handler
                    signal.signal(number, self._handle)
                elif isinstance(getattr(handler, "__self__", None), Interruption):
                    found = handler.__self__  # type: ignore[union-attr]
        return found

    def __exit__(self, *exception: object) -> None:
        self.is_over = True
        while self._replaced:
            signal.signal(*self._replaced.popitem())

    def tolerate(self, count: float) -> None:
        """From now on, only note so many signals."""
        self.tolerated, self.count = count, 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.wanted = True
        self.received = self.received or number
        self.count += 1
        if self.count > self.tolerated and (number == signal.SIGINT or self.tolerated == 0):
            raise KeyboardInterrupt


class Lines:
    """Shows progress without a terminal: lines and no bar. When nobody reads them any more, it is silent."""

    nobody_reads = False

    def update(self, steps: int = 1) -> None:
        """Do nothing: there is no bar."""

    def write(self, text: str) -> None:
        """Print a line."""
        if not self.nobody_reads:
            try:
                print(text, flush=True)
            except (OSError, ValueError):  # a closed pipe, a full disk, a closed file
                self.nobody_reads = True


class SteadyBar:
    """A bar of tqdm that goes on in silence when its terminal is gone."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def update(self, steps: int = 1) -> None:
        """Move the bar on."""
        try:
            self.bar.update(steps)
        except (OSError, ValueError):
            self.bar.disable = True

    def write(self, text: str) -> None:
        """Print a line above the bar."""
        with suppress(OSError, ValueError):
            self.bar.write(text)


@contextmanager
def progress_bar(wanted: bool, total: int | None, done: int, unit: str = "step") -> Iterator[Bar]:
    """A bar of `total` units (None: unknown) where it is wanted and there is a terminal, otherwise `Lines`."""
    if not (wanted and is_terminal()):
        yield Lines()
        return
    from tqdm import tqdm

    bar = tqdm(total=total, initial=done, unit=unit, leave=False, dynamic_ncols=True)
    try:
        yield SteadyBar(bar)
    finally:
        with suppress(OSError, ValueError):
            bar.close()


def is_terminal() -> bool:
    """Whether standard error, where bars are drawn, is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()
