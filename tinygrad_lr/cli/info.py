"""`tinygrad-lr info`: what is installed, and what would be used."""

from __future__ import annotations

from argparse import Namespace

from tinygrad_lr import backend, cuda
from tinygrad_lr.training.tables.provenance import versions

from . import plotting
from .printing import say

__all__ = ["info"]


def info(arguments: Namespace) -> int:
    """Print what is installed and what would be used and, with `timings`, how long the first step takes."""
    from tinygrad_lr import get_num_threads

    rows = {
        **versions(),
        "backend": f"{backend.get()} ({backend.reason()})",
        "threads": str(get_num_threads()),
        "cache folder": backend.cache_folder(),
        "kept there": backend.cache_size(),
        "CUDA": cuda.state(),
        "curves.png": "can be drawn" if plotting.is_available() else f"needs matplotlib: {plotting.HOW_TO_GET_IT}",
    }
    for name, value in rows.items():
        say(f"{name:<13} {value}")
    if arguments.timings:
        from .timings import print_timings

        print_timings()
    return 0
