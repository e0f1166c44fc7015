"""The printing edge of the command line: names from files reach a terminal without control characters.

A column's name, a category or a file's name may hold terminal escapes. They are written out as Python writes them in a
text: the escape character becomes \\x1b, which moves no cursor and hides no line.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

__all__ = ["drop", "fail", "note", "patient_output", "printable", "safe_warnings", "say"]

# Control characters, invisible ones, those that turn the direction of writing, and halves of letters.
_CONTROL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)


def printable(text: str) -> str:
    r"""The text as one line that a terminal only shows.

    Example:
        >>> printable("dose\x1b[2J\nred")
        'dose\\x1b[2J\\nred'
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def say(text: str = "", file: IO[str] | None = None) -> None:
    """Print one line, to standard output if no file is given. Where that was closed, say nothing."""
    print(printable(text), file=file)


def fail(message: str, code: int = 2) -> int:
    """Say on standard error what went wrong, in one line, and return the exit code."""
    note(f"error: {message}")
    return code


def note(message: str) -> None:
    """Say one line on standard error; a terminal that is gone is no error."""
    if sys.stderr is not None:
        with suppress(OSError):
            say(f"tinygrad-lr: {' '.join(message.split())}", sys.stderr)


def drop(stream: Any) -> None:
    """Send what a stream still holds, and all that comes, nowhere; otherwise Python would complain at exit."""
    with suppress(OSError, ValueError, AttributeError):  # a stream of a test's own has no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class Patient:
    """A text stream that goes on when nobody reads it any more, or nothing more can be written."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._is_open = stream, True

    def write(self, text: str) -> int:
        self._attempt(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _attempt(self, call: Callable[..., object], *arguments: object) -> None:
        if not self._is_open:
            return
        try:
            call(*arguments)
        except OSError as error:
            self._is_open = False
            drop(self._stream)
            if not isinstance(error, BrokenPipeError) and self._stream is not sys.__stderr__:
                note(f"warning: the output cannot be written ({error.strerror}); the training goes on")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def patient_output() -> Iterator[None]:
    """Inside a `with` block, output that cannot be written ends nothing: `train | head -1` trains to its end."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (each and Patient(each) for each in before)  # type: ignore[assignment]
    try:
        yield
    finally:
        for each in (sys.stdout, sys.stderr):
            if each is not None:
                each.flush()
        sys.stdout, sys.stderr = before


@contextmanager
def safe_warnings() -> Iterator[None]:
    """Inside a `with` block, what warnings say is printable too."""
    before = warnings.formatwarning

    def form(*arguments: object, **options: object) -> str:
        lines = before(*arguments, **options).split("\n")  # type: ignore[arg-type]
        return "\n".join(map(printable, lines))

    warnings.formatwarning = form
    try:
        yield
    finally:
        warnings.formatwarning = before
