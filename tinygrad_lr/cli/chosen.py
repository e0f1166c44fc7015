"""The options of a training that a command chose."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from tinygrad_lr.training.tables.options import known_options

__all__ = ["options_of"]


def options_of(arguments: Namespace) -> dict[str, Any]:
    """The options of a training among the arguments of a command."""
    found = {name: getattr(arguments, name) for name in known_options() if name != "compiled"}
    return {**found, "compiled": True if arguments.compiled else False if arguments.eager else None}
