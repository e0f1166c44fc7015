"""`tinygrad-lr lab`: writes the laboratory's page and opens it in the browser. Python can do so, too: lab/."""

from __future__ import annotations

import itertools
import webbrowser
from argparse import Namespace
from pathlib import Path

from tinygrad_lr.files import write_text
from tinygrad_lr.lab.laboratory import page_of
from tinygrad_lr.lab.rows import rows_of

from .chosen import reading_of
from .printing import note, say

__all__ = ["free_file", "lab"]


def lab(arguments: Namespace) -> int:
    """Write the page that the arguments describe, open it unless told not to, and return the exit code."""
    reading = reading_of(arguments)
    if arguments.table is None and reading:
        option = {"header": "no-header"}.get(first := next(iter(reading)), first.replace("_", "-"))
        raise ValueError(f"--{option} says how a table is read, and none is named; name one, or leave it out")
    rows = rows_of(arguments.table, arguments.target, arguments.features or None, **reading)
    text = page_of(rows, arguments.language)
    path = free_file("lab") if arguments.out is None else Path(arguments.out)
    write_text(path, text)
    say(f"{path}: {rows.name}, {len(rows.targets):,} rows, {len(text.encode()):,} bytes; it needs nothing else")
    if not arguments.no_open and not webbrowser.open(path.absolute().as_uri()):
        note(f"no browser could be started; open {path} in one")
    return 0


def free_file(stem: str) -> Path:
    """STEM.html in the current folder, or STEM-2.html and so on, where no file is yet."""
    names = itertools.chain([f"{stem}.html"], (f"{stem}-{number}.html" for number in itertools.count(2)))
    return next(path for path in map(Path, names) if not path.exists())
