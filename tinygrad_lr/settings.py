"""`setting`: a hyperparameter as people write it on a command line."""

from __future__ import annotations

import ast
from typing import Any

from .integers import shown

__all__ = ["setting"]


def setting(text: str) -> tuple[str, Any]:
    """An argument of a command, NAME=VALUE, where VALUE is a Python literal, numbers with commas between, or a word.

    Raises:
        ValueError: it is not of that form.

    Example:
        >>> setting("betas=0.8,0.9"), setting("eps_placement=outside"), setting("amsgrad=true")
        (('betas', (0.8, 0.9)), ('eps_placement', 'outside'), ('amsgrad', True))
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ValueError(f"expected NAME=VALUE, got {shown(text)}")
    try:
        return name, ast.literal_eval({"true": "True", "false": "False"}.get(value, value))
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # a word; or brackets without end
        return name, value
