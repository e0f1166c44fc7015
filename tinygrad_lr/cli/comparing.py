"""`tinygrad-lr compare RUN RUN ...`: several runs over one another, as a page (training/tables/comparing.py)."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from tinygrad_lr.files import write_text
from tinygrad_lr.training.tables.comparing import compare_runs

from .printing import say

__all__ = ["compare"]


def compare(arguments: Namespace) -> int:
    """Write the page that compares runs."""
    out = Path(arguments.out)
    if out.exists() and not arguments.force:
        raise FileExistsError(None, "exists already; choose another file, or replace it with --force", str(out))
    write_text(out, compare_runs(arguments.folders, language=arguments.language))
    say(f"{len(arguments.folders)} runs in {out}; open it with a browser")
    return 0
