"""The printing edge of the command line: names from files reach a terminal without control characters.

A column's name, a category or a file's name may hold terminal escapes. They are written out as Python writes them in a
text: the escape character becomes \\x1b, which moves no cursor and hides no line.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

__all__ = ["fail", "printable", "safe_warnings", "say"]

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
    """Print one line."""
    print(printable(text), file=file)


def fail(message: str, code: int = 2) -> int:
    """Say on standard error what went wrong, in one line, and return the exit code."""
    say(f"tinygrad-lr: error: {' '.join(message.split())}", sys.stderr)
    return code


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
