"""What shows a running training, a bar or lines, and what stops it: Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

__all__ = ["Bar", "Interruption", "Lines", "is_terminal", "progress_bar"]


class Bar(Protocol):
    """What shows progress: a bar of tqdm, or `Lines`."""

    def update(self, steps: int = 1) -> object:
        """Move the bar on."""

    def write(self, text: str) -> object:
        """Print a line above the bar."""


class Interruption:
    """Sets `wanted` at the first Ctrl-C, so that the loop can stop between two steps. The second interrupts at once.

    Outside the main thread, or where the program has a handler of its own, it changes nothing.
    """

    wanted = False

    def __enter__(self) -> Interruption:
        ours = threading.current_thread() is threading.main_thread()
        self.replaced = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self.replaced:
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.replaced:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True


class Lines:
    """Shows progress without a terminal: lines and no bar."""

    def update(self, steps: int = 1) -> None:
        """Do nothing: there is no bar."""

    def write(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)


@contextmanager
def progress_bar(wanted: bool, total: int | None, done: int, unit: str = "step") -> Iterator[Bar]:
    """A bar of `total` units (None: unknown) where it is wanted and there is a terminal, otherwise `Lines`."""
    if not (wanted and is_terminal()):
        yield Lines()
        return
    from tqdm import tqdm

    with tqdm(total=total, initial=done, unit=unit, leave=False, dynamic_ncols=True) as bar:
        yield bar


def is_terminal() -> bool:
    """Whether standard error, where bars are drawn, is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()
