"""`tinygrad-lr schedule TEXT`: draws a schedule's rates, prints its phases, and with `--out` leaves a picture.

The text is read by the function that reads `train --schedule`, and the rates are those that a training would have.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinygrad_lr.files import write_bytes
from tinygrad_lr.schedules import TextError, from_text
from tinygrad_lr.schedules.drawing import as_lines, draw, phases_as_lines

from .printing import note, printable, say

__all__ = ["picture_format", "refused", "schedule", "write_picture"]

FORMATS = ("png", "svg", "pdf")


def schedule(arguments: Namespace) -> int:
    """Draw the schedule that the arguments name, and return the exit code."""
    try:
        found = from_text(arguments.text)
    except TextError as error:
        return refused(error)
    base_lr, until = arguments.base_lr, arguments.until
    picture = picture_format(arguments.out) if arguments.out is not None else ""
    for lines in (as_lines(found, base_lr, until), phases_as_lines(found, base_lr)):
        _print(lines)
    if arguments.table is not None:
        _print(str(found.table(arguments.table, until)).split("\n"))
    if arguments.out is not None:
        write_picture(draw(found, base_lr=base_lr, until=until), arguments.text, arguments.out, picture)
    return 0


def refused(error: TextError) -> int:
    """Say on standard error what is wrong with a text, with a caret under the place."""
    reason, line, caret = str(error).rsplit("\n", 2)
    note(f"error: {reason}")
    if sys.stderr is not None:
        for each in (line, caret):
            say(each, sys.stderr)
    return 2


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        say(line)


def picture_format(path: str) -> str:
    """The kind of picture that a file's name asks for."""
    suffix = Path(path).suffix[1:].lower()
    if suffix not in FORMATS:
        raise ValueError(f"--out: a picture is a file whose name ends with .{', .'.join(FORMATS)}; got {path!r}")
    return suffix


def write_picture(figure: Any, title: str, path: str, picture: str) -> None:
    """Write a figure of one picture as a file of a format, with a line above it."""
    title = printable(title)  # it may hold $
    figure.axes[0].set_title(title if len(title) <= 90 else title[:87] + "...", fontsize=10, parse_math=False)
    write_bytes(path, lambda file: figure.savefig(file, format=picture))
